from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from marketdata import gateway

Handler = Callable[[HttpRequest], HttpResponse]


def third_party_time_limit(get_response: Handler) -> Handler:
    """Bound the time a request waits for third parties to MARKET_DATA_TIMEOUT_SECONDS in all."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with gateway.at_most(settings.MARKET_DATA_TIMEOUT_SECONDS):
            return get_response(request)

    return middleware
