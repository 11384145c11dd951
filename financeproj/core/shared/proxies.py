"""The client's address behind proxies."""

from ipaddress import ip_address
from typing import Any

from django.conf import settings

UNKNOWN_ADDRESS = "0.0.0.0"  # nosec B104  # no socket is bound to it


def client_address(request: Any) -> str:
    """Return the client's IP address, trusting `X-Forwarded-For` for TRUSTED_PROXIES hops.

    Always a valid address, since it is stored in an inet column.
    """
    direct = request.META.get("REMOTE_ADDR", "")
    if settings.TRUSTED_PROXIES <= 0:
        return _valid(direct) or UNKNOWN_ADDRESS
    listed = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    hops = [hop.strip() for hop in listed if hop.strip()]
    trusted_hops = min(settings.TRUSTED_PROXIES, len(hops))
    chosen = [*hops, direct][-(trusted_hops + 1)]
    return _valid(chosen) or _valid(direct) or UNKNOWN_ADDRESS


def _valid(text: str) -> str | None:
    try:
        return str(ip_address(text))
    except ValueError:
        return None
