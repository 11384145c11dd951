from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from marketdata import gateway

Handler = Callable[[HttpRequest], HttpResponse]


def third_parties(get_response: Handler) -> Handler:
    """Bound the time a request waits for third parties to MARKET_DATA_TIMEOUT_SECONDS in all.

    The header Source-Status names those that could not be asked: `yahoo=unavailable`.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        with (
            gateway.at_most(settings.MARKET_DATA_TIMEOUT_SECONDS),
            gateway.noting_unasked() as unasked,
        ):
            response = get_response(request)
        if unasked:
            states = [f"{name}={state}" for name, state in sorted(unasked.items())]
            response["Source-Status"] = ", ".join(states)
        return response

    return middleware
