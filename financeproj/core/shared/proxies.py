"""The client's address behind proxies."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

from django.conf import settings

UNKNOWN_ADDRESS = "0.0.0.0"  # nosec B104  # no socket is bound to it
# A subscriber gets a /64 at least, and with it 2^64 addresses.
COUNTED_PREFIX = 64


def client_address(request: Any) -> str:
    """Return the client's IP address, trusting `X-Forwarded-For` for TRUSTED_PROXIES hops.

    Always a valid address, since it is stored in an inet column. `::ffff:a.b.c.d` is the IPv4
    address a.b.c.d.
    """
    direct = request.META.get("REMOTE_ADDR", "")
    if settings.TRUSTED_PROXIES <= 0:
        return _valid(direct) or UNKNOWN_ADDRESS
    listed = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    hops = [hop.strip() for hop in listed if hop.strip()]
    trusted_hops = min(settings.TRUSTED_PROXIES, len(hops))
    chosen = [*hops, direct][-(trusted_hops + 1)]
    return _valid(chosen) or _valid(direct) or UNKNOWN_ADDRESS


def counted_address(request: Any) -> str:
    """Return the address that limits count by: of IPv6 the first address of its /64."""
    return network_of(client_address(request))


def network_of(address: str) -> str:
    """Return an IPv4 address as it is, and of an IPv6 address the first one of its /64."""
    parsed = ip_address(address)
    if isinstance(parsed, IPv4Address):
        return address
    network = IPv6Network((parsed, COUNTED_PREFIX), strict=False)
    return str(network.network_address)


def _valid(text: str) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        # Without the name of an interface (fe80::1%eth0), which is of the server.
        address = address.ipv4_mapped or IPv6Address(int(address))
    return str(address)
