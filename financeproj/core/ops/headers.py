"""Headers that say what a browser or a proxy may do with an answer."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

# Features of browsers that no page uses, and that an injected script could not use either.
UNUSED_FEATURES = (
    "accelerometer",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "usb",
)
PERMISSIONS_POLICY = ", ".join(f"{feature}=()" for feature in UNUSED_FEATURES)


def privacy_headers(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Add Permissions-Policy, and Cache-Control to answers that are for one person.

    Middleware. Downloads are never stored. Other answers to a signed-in person may be stored by
    the browser, which must ask again before it shows them. A view's own Cache-Control stays.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        if response.get("Content-Disposition", "").startswith("attachment"):
            response["Cache-Control"] = "no-store"
        elif _is_signed_in(request):
            response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    return answer


def _is_signed_in(request: HttpRequest) -> bool:
    """Return whether the request brings a session or a token, valid or not: without a query."""
    return settings.SESSION_COOKIE_NAME in request.COOKIES or "Authorization" in request.headers
