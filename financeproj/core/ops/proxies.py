"""Whose address a request has."""

from ipaddress import ip_address
from typing import Any

from django.conf import settings

NOWHERE = "0.0.0.0"  # nosec B104  # nothing is bound to it: it stands for no address


def client_address(request: Any) -> str:
    """The address of whoever sent `request`: `X-Forwarded-For` is believed for TRUSTED_PROXIES
    hops, no further.

    Always an IP address: what a client made up reaches the database's inet column.
    """
    direct = request.META.get("REMOTE_ADDR", "")
    if settings.TRUSTED_PROXIES <= 0:
        return _valid(direct) or NOWHERE
    hops = [
        hop.strip()
        for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if hop.strip()
    ]
    chosen = [*hops, direct][-(min(settings.TRUSTED_PROXIES, len(hops)) + 1)]
    return _valid(chosen) or _valid(direct) or NOWHERE


def _valid(text: str) -> str | None:
    try:
        return str(ip_address(text))
    except ValueError:
        return None
