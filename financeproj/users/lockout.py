"""Lockout responses after failed sign-ins: 429 with Retry-After in API, pages and admin."""

import math
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_cool_off
from axes.models import AccessAttempt
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import Throttled

from financeproj.core.api.error_pages import error_answer
from financeproj.core.shared.proxies import counted_address
from financeproj.users.sign_ins import seconds_account_locked


class LockoutHandler(AxesDatabaseHandler):
    """Add the limit per account to the one per account and address."""

    def is_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        if super().is_locked(request, credentials):
            return True
        username = (credentials or {}).get("username") or ""
        return seconds_account_locked(request, username) is not None


def seconds_locked(request: HttpRequest, username: str) -> int | None:
    """Return for how long the user name is locked for this client, None if it is not."""
    if AxesProxyHandler.is_allowed(request, {"username": username}):
        return None
    if seconds := seconds_account_locked(request, username):
        return seconds
    attempts = AccessAttempt.objects.filter(username=username, ip_address=counted_address(request))
    latest = attempts.order_by("-attempt_time").values_list("attempt_time", flat=True).first()
    seconds_left = get_cool_off(request).total_seconds()
    if latest is not None:
        seconds_left -= (timezone.now() - latest).total_seconds()
    return max(1, math.ceil(seconds_left))


def count_failure(request: HttpRequest, username: str) -> None:
    """Count a wrong password outside the sign-in like a failed sign-in."""
    user_login_failed.send(sender=__name__, credentials={"username": username}, request=request)


def locked_out(seconds: int) -> Throttled:
    return Throttled(
        wait=seconds,
        detail="Too many failed sign-ins. Wait, then try again.",
        code="locked_out",
    )


def lockout_response(
    request: HttpRequest,
    response: HttpResponse | None = None,
    credentials: dict[str, Any] | None = None,
) -> HttpResponse:
    """Answer for axes' middleware on pages; keep an API answer that is 429 already."""
    if response is not None and response.status_code == 429:
        return response
    seconds = seconds_locked(request, (credentials or {}).get("username") or "") or 60
    answer = error_answer(
        request,
        429,
        "locked_out",
        _("Too many failed sign-ins. Try again in %(minutes)s minutes.")
        % {"minutes": math.ceil(seconds / 60)},
    )
    answer["Retry-After"] = str(seconds)
    return answer
