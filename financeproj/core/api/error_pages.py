"""Answers to errors outside DRF: unknown paths, CSRF, failing middleware."""

import sys

from django.core.exceptions import DisallowedHost, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.shortcuts import render
from django.utils.translation import gettext as _

from financeproj.core.api.errors import BODY_TOO_LARGE, DiskFull, ReadOnly, refusal_of, request_id
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
    if isinstance(exception, DisallowedHost):
        return error_answer(request, 400, "bad_request", _unknown_host(request))
    return error_answer(request, 400, "bad_request", _("The request cannot be read."))


def _unknown_host(request: HttpRequest) -> str:
    host, _port = split_domain_port(request.META.get("HTTP_HOST", ""))
    if not host:
        return _("The host name of the request is invalid.")
    message = _("This server does not answer to %(host)s. Add it to ALLOWED_HOSTS.")
    return message % {"host": host}


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_answer(
        request, 403, "permission_denied", _("You do not have permission to do this.")
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return error_answer(
        request,
        403,
        "csrf_failed",
        _("The form has expired or came from another site. Reload the page."),
    )


def not_found(request: HttpRequest, exception: Http404) -> HttpResponse:
    return error_answer(request, 404, "not_found", _("This address does not exist."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer an unhandled error, also one of a database that is unavailable."""
    refusal = refusal_of(sys.exception())
    if refusal is not None:
        answer = error_answer(
            request, refusal.status_code, refusal.default_code, _(refusal.default_detail)
        )
        if not isinstance(refusal, DiskFull | ReadOnly):
            answer["Retry-After"] = str(refusal.wait)
        return answer
    return error_answer(request, 500, "error", _("Something went wrong on the server."))
