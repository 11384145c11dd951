"""Errors of the domain, and the one handler that turns every error into the envelope of the
contract.
"""

import errno
import math
import sys
from collections.abc import Mapping
from typing import Any

import structlog
from django.core.exceptions import (
    NON_FIELD_ERRORS,
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from drf_standardized_errors.formatter import ExceptionFormatter
from drf_standardized_errors.handler import ExceptionHandler
from drf_standardized_errors.types import Error, ErrorResponse, ErrorType
from rest_framework import exceptions
from rest_framework.views import APIView

from financeproj.core.renderers import to_json

log = structlog.get_logger(__name__)


class DomainError(Exception):
    """A rule of the domain was broken; nothing was written.

    `code` is for programs, the message for people, `attr` the field it is about, `status` the HTTP
    status; `more` are further fields of the answer, for a client that can put it right.
    """

    code = "invalid"
    status = 422

    def __init__(
        self,
        detail: str,
        *,
        attr: str | None = None,
        code: str | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.attr = attr
        self.code = code or self.code
        self.more = more or {}


class Conflict(DomainError):
    """What is asked contradicts what is stored."""

    code = "conflict"
    status = 409


class NotKnown(DomainError):
    """The path names something that does not exist."""

    code = "not_found"
    status = 404


class Upstream(DomainError):
    """A third party did not give an answer: 502 nonsense, 503 unavailable, 504 too late."""

    status = 503
    code = "upstream_unavailable"

    def __init__(
        self, detail: str, *, retry_after: float | None = None, code: str | None = None
    ) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after


class BadQuery(exceptions.APIException):
    """A query parameter that cannot be read: 400, where a field of the body would be 422."""

    status_code = 400
    default_code = "invalid"

    def __init__(self, detail: str, *, attr: str, code: str = "invalid") -> None:
        super().__init__(detail, code)
        self.attr = attr


class TooLarge(exceptions.APIException):
    status_code = 413
    default_code = "too_large"
    default_detail = "The request is too large: JSON may have 2.5 MB, a file 20 MB."


class InvalidFields(exceptions.ValidationError):
    """Fields that do not hold. DRF's own class says 400; the contract keeps that for what cannot be
    read.
    """

    status_code = 422


class Busy(exceptions.APIException):
    status_code = 503
    default_code = "busy"
    default_detail = gettext_noop("The database is busy with another write. Try again in a moment.")
    wait = 5


class DatabaseAway(exceptions.APIException):
    status_code = 503
    default_code = "database_unavailable"
    default_detail = gettext_noop("The database does not answer. Try again in a moment.")
    wait = 5


class DiskFull(exceptions.APIException):
    status_code = 503
    default_code = "disk_full"
    default_detail = gettext_noop("There is no space left on the server's disk. Nothing was saved.")


class _FromDomain(exceptions.APIException):
    def __init__(self, error: DomainError) -> None:
        super().__init__(error.detail, error.code)
        self.status_code = error.status
        self.attr = error.attr
        self.more = error.more
        if isinstance(error, Upstream) and error.retry_after:
            self.wait = max(1, math.ceil(error.retry_after))


def fields_of(error: DjangoValidationError) -> dict[str, list[exceptions.ErrorDetail]]:
    """Django's errors with their codes, by field; `non_field_errors` for those of the whole row."""
    by_field = (
        error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.error_list}
    )
    return {
        "non_field_errors" if field == NON_FIELD_ERRORS else field: [
            exceptions.ErrorDetail(message, code=one.code or "invalid")
            for one in errors
            for message in one.messages
        ]
        for field, errors in by_field.items()
    }


def is_locked(error: BaseException) -> bool:
    """Whether SQLite gave up waiting for another writer."""
    return (
        isinstance(error, OperationalError)
        and str(error).startswith("database")
        and "locked" in str(error)
    )


def is_away(error: BaseException) -> bool:
    """Whether PostgreSQL could not be reached, or ended the connection: it is being restarted, or
    gone.
    """
    if (
        not isinstance(error, OperationalError | InterfaceError)
        or connection.vendor != "postgresql"
    ):
        return False
    state = getattr(error.__cause__, "sqlstate", None)  # none: the connection itself failed
    return state is None or state.startswith(("08", "57P"))


def is_disk_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    if not isinstance(error, DatabaseError):
        return False
    return getattr(error.__cause__, "sqlstate", None) == "53100" or "disk is full" in str(error)


def refusal_of(error: BaseException | None) -> Busy | DiskFull | DatabaseAway | None:
    """The 503 for a database or disk that cannot be used for the moment, None for every other
    error.
    """
    if error is None:
        return None
    if is_locked(error):
        return Busy()
    if is_disk_full(error):
        return DiskFull()
    return DatabaseAway() if is_away(error) else None


class ApiExceptionHandler(ExceptionHandler):
    def convert_known_exceptions(self, exc: Exception) -> Exception:
        if isinstance(exc, DomainError):
            return _FromDomain(exc)
        if isinstance(exc, DjangoValidationError):
            return InvalidFields(fields_of(exc))
        if isinstance(exc, exceptions.ValidationError) and not isinstance(exc, InvalidFields):
            return InvalidFields(exc.detail)
        if isinstance(exc, RequestDataTooBig):
            return TooLarge()
        if isinstance(exc, SuspiciousOperation):  # too many fields or files
            return exceptions.ParseError("The request cannot be read.")
        if isinstance(
            exc, ObjectDoesNotExist
        ):  # deleted by another request while this one was under way
            return exceptions.NotFound()
        if isinstance(exc, exceptions.AuthenticationFailed | exceptions.NotAuthenticated):
            return self.refused_sign_in(exc)
        refusal = refusal_of(exc)
        if refusal is not None:
            if not isinstance(refusal, Busy):
                log.error("database_failed", exc_info=exc)
            return refusal
        return super().convert_known_exceptions(exc)

    def refused_sign_in(self, exc: Any) -> exceptions.APIException:
        """One error instead of simplejwt's dictionary; and whoever sends bad tokens counts as not
        signed in.
        """
        request, view = self.context["request"], self.context["view"]
        if (
            request is not None and view.get_authenticators()
        ):  # elsewhere the throttles ran before this
            request._not_authenticated()
            for throttle in view.get_throttles():
                if not throttle.allow_request(request, view):
                    return exceptions.Throttled(throttle.wait())
        if isinstance(exc.detail, dict):
            flat = type(exc)(
                str(exc.detail.get("detail", exc.default_detail)), exc.detail.get("code")
            )
            flat.detail = exceptions.ErrorDetail(
                str(exc.detail["detail"]), str(exc.detail.get("code"))
            )
            flat.auth_header = getattr(exc, "auth_header", None)
            return flat
        return exc

    def report_exception(self, exc: exceptions.APIException, response: Any) -> None:
        """Only what nobody expected is an error of ours: a 503 that says why is an answer."""
        if exc.status_code == 500:
            super().report_exception(exc, response)


class ApiExceptionFormatter(ExceptionFormatter):
    def get_error_type(self) -> ErrorType:
        return "validation_error" if self.exc.status_code == 422 else super().get_error_type()

    def get_errors(self) -> list[Error]:
        errors = super().get_errors()
        for error in errors:
            if error.attr is None:
                error.attr = getattr(self.exc, "attr", None)
            elif error.attr == "non_field_errors":
                error.attr = None
        return errors

    def format_error_response(self, error_response: ErrorResponse) -> dict[str, Any]:
        more = getattr(self.exc, "more", {})
        return {**more, **super().format_error_response(error_response), "request_id": request_id()}


def request_id() -> str | None:
    return structlog.contextvars.get_contextvars().get("request_id")


class NothingHere(APIView):
    """Whatever path of the API has no view."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        raise exceptions.NotFound("There is nothing at this address.")


# --- Outside of DRF: unknown paths, CSRF, errors in middleware ------------------------------------


def plain_answer(request: HttpRequest, status: int, code: str, detail: str) -> HttpResponse:
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


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return plain_answer(request, 413, "too_large", _("The request is too large."))
    return plain_answer(request, 400, "bad_request", _("The request cannot be read."))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return plain_answer(request, 403, "permission_denied", _("You may not do this."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return plain_answer(
        request,
        403,
        "csrf_failed",
        _("The form is out of date or came from elsewhere. Reload the page."),
    )


def not_found(request: HttpRequest, exception: Http404) -> HttpResponse:
    return plain_answer(request, 404, "not_found", _("There is nothing at this address."))


def server_error(request: HttpRequest) -> HttpResponse:
    """For Django, while it handles the error: a database that is away is not a fault of the
    page.
    """
    refusal = refusal_of(sys.exception())
    if refusal is not None:
        answer = plain_answer(
            request, refusal.status_code, refusal.default_code, _(refusal.default_detail)
        )
        if not isinstance(refusal, DiskFull):
            answer["Retry-After"] = str(refusal.wait)
        return answer
    return plain_answer(request, 500, "error", _("Something went wrong on the server."))


__all__ = [
    "BadQuery",
    "Busy",
    "Conflict",
    "DatabaseAway",
    "DiskFull",
    "DomainError",
    "InvalidFields",
    "NotKnown",
    "PermissionDenied",
    "TooLarge",
    "Upstream",
]
