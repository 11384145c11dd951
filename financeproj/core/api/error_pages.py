"""Answers to errors outside of DRF: unknown paths, CSRF, faults in middleware."""

import sys

from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from financeproj.core.api.errors import BODY_TOO_LARGE, DiskFull, refusal_of, request_id
from financeproj.core.api.renderers import to_json


def error_answer(request: HttpRequest, status: int, code: str, detail: str) -> HttpResponse:
    if request.path.startswith("/api/"):
        kind = "server_error" if status >= 500 else "client_error"
        body = {
            "type": kind,
            "errors": [{"code": code, "detail": detail, "attr": None}],
            "request_id": request_id(),
        }
        return HttpResponse(to_json(body), status=status, content_type="application/json")
    context = {"status": status, "detail": detail, "request_id": request_id()}
    return render(request, "error.html", context, status=status)


def too_large(request: HttpRequest) -> HttpResponse:
    return error_answer(request, 413, "too_large", _(BODY_TOO_LARGE))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return too_large(request)
    return error_answer(request, 400, "bad_request", _("The request cannot be read."))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_answer(request, 403, "permission_denied", _("You may not do this."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return error_answer(
        request,
        403,
        "csrf_failed",
        _("The form is out of date or came from elsewhere. Reload the page."),
    )


def not_found(request: HttpRequest, exception: Http404) -> HttpResponse:
    return error_answer(request, 404, "not_found", _("There is nothing at this address."))


def server_error(request: HttpRequest) -> HttpResponse:
    """For Django, while it handles the error: a database that is away is not a fault of the
    page.
    """
    refusal = refusal_of(sys.exception())
    if refusal is not None:
        answer = error_answer(
            request, refusal.status_code, refusal.default_code, _(refusal.default_detail)
        )
        if not isinstance(refusal, DiskFull):
            answer["Retry-After"] = str(refusal.wait)
        return answer
    return error_answer(request, 500, "error", _("Something went wrong on the server."))
