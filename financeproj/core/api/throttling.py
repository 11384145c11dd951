"""Requests a minute, counted for all processes together."""

import math
import time
from typing import Any

from rest_framework.throttling import AnonRateThrottle, UserRateThrottle

from financeproj.core.shared.locks import change


class _CountedWindow:
    """One counter a window instead of DRF's list of 600 timestamps, and one atomic step instead of
    get and set.
    """

    def allow_request(self: Any, request: Any, view: Any) -> bool:
        key = self.get_cache_key(request, view)
        if key is None:
            return True
        now = time.time()
        window = math.floor(now / self.duration)
        self.seconds_left = (window + 1) * self.duration - now
        count = change(
            f"{key}:{window}", lambda count: (count or 0) + 1, timeout_seconds=self.duration
        )
        return count <= self.num_requests

    def wait(self: Any) -> float:
        return self.seconds_left


class UserThrottle(_CountedWindow, UserRateThrottle):
    def get_cache_key(self, request: Any, view: Any) -> str | None:
        return super().get_cache_key(request, view) if request.user.is_authenticated else None


class AnonThrottle(_CountedWindow, AnonRateThrottle):
    def get_ident(self, request: Any) -> str:
        from financeproj.core.ops.proxies import client_address

        return client_address(request)
