"""No test reaches the network: whatever is not on this machine refuses the connection at once.

Yahoo's hosts can be sent to a local server instead, in this process (`send_yahoo_to`) and, through
`tests/servers/site/sitecustomize.py`, in the ones that a test starts.
"""

import socket
from typing import Any
from urllib.parse import urlsplit

LOCAL = {"localhost", "127.0.0.1", "::1", None, ""}

_target: dict[str, str | None] = {"url": None}
_real: dict[str, Any] = {}


def send_yahoo_to(url: str | None) -> None:
    """Send Yahoo's requests to `url`; with None, Yahoo refuses connections."""
    _target["url"] = url


def close_the_network() -> None:
    """Block all other hosts in Python's sockets and in libcurl. Safe to call twice."""
    if _real:
        return
    from curl_cffi import requests

    _real["request"], _real["getaddrinfo"] = requests.Session.request, socket.getaddrinfo

    def request(self: Any, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
        parts = urlsplit(url)
        if parts.hostname in LOCAL:
            return _real["request"](self, method, url, *args, **kwargs)
        if not _target["url"] or not (parts.hostname or "").endswith("yahoo.com"):
            raise requests.exceptions.ConnectionError(
                f"{parts.hostname} refused the connection (a test)."
            )
        local = _target["url"] + parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {**(kwargs.pop("headers", None) or {}), "X-Yahoo-Host": parts.hostname}
        return _real["request"](self, method, local, *args, headers=headers, **kwargs)

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in LOCAL:
            raise ConnectionRefusedError(f"{host} refused the connection (a test).")
        return _real["getaddrinfo"](host, *args, **kwargs)

    requests.Session.request = request
    socket.getaddrinfo = getaddrinfo
