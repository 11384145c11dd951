"""What somebody who guesses passwords is told: 429 with Retry-After, in the API, on the page and in
the admin.
"""

import math
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_cool_off
from axes.models import AccessAttempt
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import Throttled

from financeproj.core.api.error_pages import error_answer
from financeproj.core.ops.proxies import client_address


def seconds_locked(request: HttpRequest, username: str) -> int | None:
    """How long this user name is locked for this address, None if it is not."""
    if AxesProxyHandler.is_allowed(request, {"username": username}):
        return None
    latest = (
        AccessAttempt.objects.filter(username=username, ip_address=client_address(request))
        .order_by("-attempt_time")
        .values_list("attempt_time", flat=True)
        .first()
    )
    cool_off = get_cool_off(request).total_seconds()
    left = cool_off - (timezone.now() - latest).total_seconds() if latest else cool_off
    return max(1, math.ceil(left))


def count_failure(request: HttpRequest, username: str) -> None:
    """A wrong password that was given elsewhere than at a sign-in counts like one there."""
    user_login_failed.send(sender=__name__, credentials={"username": username}, request=request)


def locked_out(seconds: int) -> Throttled:
    return Throttled(
        wait=seconds,
        detail="Too many failed sign-ins. Wait before you try again.",
        code="locked_out",
    )


def lockout_response(
    request: HttpRequest,
    response: HttpResponse | None = None,
    credentials: dict[str, Any] | None = None,
) -> HttpResponse:
    """For axes' middleware, on the pages; an API answer that says so already is left as it is."""
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
