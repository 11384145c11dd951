"""What every request of a browser goes through: its user, its limits, its cookie."""

import math
import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from financeproj.core.api.error_pages import error_answer
from financeproj.core.api.throttling import SignInThrottle
from financeproj.users.sign_ins import BROWSER_COOKIE, KEPT, browser_cookie

STAFF_IDLE_SECONDS = 8 * 3600
# How exactly it is known when a session was last used: each note writes the session.
NOTED_EVERY_SECONDS = 60
LAST_USED_KEY = "staff_last_used"
SIGN_IN_FORMS = ("/login", "/admin/login/")

GetResponse = Callable[[HttpRequest], HttpResponse]


class SessionUserMiddleware(AuthenticationMiddleware):
    """Set the session's user; end sessions of staff that were idle for 8 hours."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.user = SimpleLazyObject(lambda: _user_of_session(request))  # type: ignore[assignment]


def _user_of_session(request: HttpRequest) -> object:
    if not hasattr(request, "_cached_user"):
        request._cached_user = _active_user(request)  # type: ignore[attr-defined]
    return request._cached_user  # type: ignore[attr-defined]


def _active_user(request: HttpRequest) -> object:
    user = get_user(request)
    if not getattr(user, "is_staff", False):
        return user
    now = time.time()
    last_used = request.session.get(LAST_USED_KEY, now)
    if now - last_used > STAFF_IDLE_SECONDS:
        request.session.flush()
        return AnonymousUser()
    if LAST_USED_KEY not in request.session or now - last_used > NOTED_EVERY_SECONDS:
        request.session[LAST_USED_KEY] = int(now)
    return user


def throttle_sign_in_forms(get_response: GetResponse) -> GetResponse:
    """Limit the posts of the sign-in page and of the admin's form, per address."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method != "POST" or request.path not in SIGN_IN_FORMS:
            return get_response(request)
        throttle = SignInThrottle()
        if throttle.allow_request(request, None):
            return get_response(request)
        message = _("Too many requests. Try again in a moment.")
        answer = error_answer(request, 429, "throttled", message)
        answer["Retry-After"] = str(math.ceil(throttle.wait()))
        return answer

    return middleware


def remember_browser(get_response: GetResponse) -> GetResponse:
    """Let a browser in which a user signed in be known again, for 90 days."""

    def middleware(request: HttpRequest) -> HttpResponse:
        answer = get_response(request)
        user = getattr(request, "signed_in_user", None)
        if user is not None:
            answer.set_cookie(
                BROWSER_COOKIE,
                browser_cookie(request, user),
                max_age=KEPT,
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",
            )
        return answer

    return middleware
