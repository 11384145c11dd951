from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from financeproj.history.context import handling


def history_context(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Let services know the request by which a change came in."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with handling(request):
            return get_response(request)

    return middleware
