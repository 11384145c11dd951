from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from marketdata import gateway

Handler = Callable[[HttpRequest], HttpResponse]


def third_party_time_limit(get_response: Handler) -> Handler:
    """No request waits longer than MARKET_DATA_TIMEOUT_SECONDS in all for third parties."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with gateway.at_most(settings.MARKET_DATA_TIMEOUT_SECONDS):
            return get_response(request)

    return middleware
