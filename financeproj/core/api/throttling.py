"""Rate limits, counted over all processes together."""

import math
import time
from typing import Any

from rest_framework.throttling import AnonRateThrottle, UserRateThrottle

from financeproj.core.shared.locks import change
from financeproj.core.shared.proxies import counted_address


class _CountedWindow:
    """Count requests per window in one atomic step.

    DRF keeps a list of timestamps (600 of them here) and reads and writes it separately.
    """

    def allow_request(self: Any, request: Any, view: Any) -> bool:
        key = self.get_cache_key(request, view)
        if key is None:
            return True
        now = time.time()
        window = math.floor(now / self.duration)
        self.seconds_left = (window + 1) * self.duration - now
        count = change(f"{key}:{window}", _one_more, timeout_seconds=self.duration)
        return count <= self.num_requests

    def wait(self: Any) -> float:
        return self.seconds_left


def _one_more(count: int | None) -> int:
    return (count or 0) + 1


class UserThrottle(_CountedWindow, UserRateThrottle):
    def get_cache_key(self, request: Any, view: Any) -> str | None:
        if not request.user.is_authenticated:
            return None
        return super().get_cache_key(request, view)


class AnonThrottle(_CountedWindow, AnonRateThrottle):
    def get_ident(self, request: Any) -> str:
        return counted_address(request)


class SignInThrottle(AnonThrottle):
    """Count posts of the sign-in forms together with the address's anonymous API requests.

    Signed-in users count too: they could guess the passwords of others.
    """

    def get_cache_key(self, request: Any, view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}
