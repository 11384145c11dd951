"""Turn every error of the API into the contract's error envelope."""

import math
from typing import Any

import structlog
from django.core.exceptions import (
    NON_FIELD_ERRORS,
    ObjectDoesNotExist,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import connection
from django.utils.translation import gettext_noop
from drf_standardized_errors.formatter import ExceptionFormatter
from drf_standardized_errors.handler import ExceptionHandler
from drf_standardized_errors.types import Error, ErrorResponse, ErrorType
from rest_framework import exceptions
from rest_framework.views import APIView

from financeproj.core.db.failures import is_away, is_disk_full, is_locked, is_read_only
from financeproj.core.errors import (
    Conflict,
    DomainError,
    InvalidCursor,
    NotFound,
    TooLarge,
    TooManyAtOnce,
    UpstreamBadAnswer,
    UpstreamError,
    UpstreamTimeout,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# The first class that matches gives the status; any other DomainError is 422.
STATUS_OF_ERROR = (
    (Conflict, 409),
    (NotFound, 404),
    (InvalidCursor, 400),
    (TooLarge, 413),
    (TooManyAtOnce, 429),
    (UpstreamTimeout, 504),
    (UpstreamBadAnswer, 502),
    (UpstreamError, 503),
)
BODY_TOO_LARGE = gettext_noop(
    "The request is too large. JSON is limited to 2.5 MB, a file to 20 MB."
)


class BadQuery(exceptions.APIException):
    """Refuse a query parameter that cannot be parsed: 400, where a field of a body gets 422."""

    status_code = 400
    default_code = "invalid"

    def __init__(self, detail: str, *, attr: str, code: str = "invalid") -> None:
        super().__init__(detail, code)
        self.attr = attr


class InvalidFields(exceptions.ValidationError):
    """Refuse invalid fields with 422; DRF's own 400 is for what cannot be parsed."""

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
    default_detail = gettext_noop("The server's disk is full. Nothing was saved.")


class ReadOnly(exceptions.APIException):
    status_code = 503
    default_code = "read_only"
    default_detail = gettext_noop("The server's disk is read-only. Nothing was saved.")


class _DomainErrorAnswer(exceptions.APIException):
    """Carry a DomainError through DRF."""

    def __init__(self, error: DomainError) -> None:
        super().__init__(error.detail, error.code)
        self.status_code = status_of(error)
        self.attr = error.attr
        self.more = error.more
        if isinstance(error, TooManyAtOnce | UpstreamError) and error.retry_after:
            self.wait = max(1, math.ceil(error.retry_after))


def status_of(error: DomainError) -> int:
    """Return the HTTP status of an error of the domain."""
    for kind, status in STATUS_OF_ERROR:
        if isinstance(error, kind):
            return status
    return 422


def fields_of(error: DjangoValidationError) -> dict[str, list[exceptions.ErrorDetail]]:
    """Convert Django's errors by field; those of the whole row are `non_field_errors`."""
    if hasattr(error, "error_dict"):
        by_field = error.error_dict
    else:
        by_field = {NON_FIELD_ERRORS: error.error_list}
    details: dict[str, list[exceptions.ErrorDetail]] = {}
    for field, errors in by_field.items():
        name = "non_field_errors" if field == NON_FIELD_ERRORS else field
        details[name] = []
        for one in errors:
            code = one.code or "invalid"
            details[name] += [exceptions.ErrorDetail(text, code=code) for text in one.messages]
    return details


def refusal_of(error: BaseException | None) -> Busy | DiskFull | ReadOnly | DatabaseAway | None:
    """Return the 503 for a database or disk that is unavailable, None for any other error."""
    if error is None:
        return None
    if is_locked(error):
        return Busy()
    if is_disk_full(error):
        return DiskFull()
    if is_read_only(error):
        # A file opened on a read-only disk cannot be written later either: open it again.
        connection.close_at = 0
        return ReadOnly()
    if is_away(error):
        return DatabaseAway()
    return None


class ApiExceptionHandler(ExceptionHandler):
    def convert_known_exceptions(self, exc: Exception) -> Exception:
        if isinstance(exc, DomainError):
            return _DomainErrorAnswer(exc)
        if isinstance(exc, DjangoValidationError):
            return InvalidFields(fields_of(exc))
        if isinstance(exc, exceptions.ValidationError) and not isinstance(exc, InvalidFields):
            return InvalidFields(exc.detail)
        if isinstance(exc, RequestDataTooBig):
            return _DomainErrorAnswer(TooLarge(BODY_TOO_LARGE))
        if isinstance(exc, SuspiciousOperation):  # too many fields or files
            return exceptions.ParseError("The request cannot be read.")
        if isinstance(exc, ObjectDoesNotExist):  # deleted by another request in the meantime
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
        """Flatten simplejwt's errors into one, and throttle bad tokens as anonymous requests."""
        request, view = self.context["request"], self.context["view"]
        # A view without authenticators has applied its throttles already.
        if request is not None and view.get_authenticators():
            request._not_authenticated()  # type: ignore[attr-defined]
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
        """Report unexpected errors only: a 503 with a reason is a regular answer."""
        if exc.status_code == 500:
            super().report_exception(exc, response)


class ApiExceptionFormatter(ExceptionFormatter):
    def get_error_type(self) -> ErrorType:
        if self.exc.status_code == 422:
            return "validation_error"
        return super().get_error_type()

    def get_errors(self) -> list[Error]:
        errors = super().get_errors()
        for error in errors:
            if error.attr is None:
                error.attr = getattr(self.exc, "attr", None)
            elif error.attr == "non_field_errors":
                error.attr = None
            else:  # of a list or an object within the body
                error.attr = error.attr.removesuffix(".non_field_errors")
        return errors

    def format_error_response(self, error_response: ErrorResponse) -> dict[str, Any]:
        more = getattr(self.exc, "more", {})
        return {**more, **super().format_error_response(error_response), "request_id": request_id()}


def error_body(error: DomainError) -> dict[str, Any]:
    """Return the body with which the API answers an error of the domain."""
    answer = _DomainErrorAnswer(error)
    return dict(ApiExceptionFormatter(answer, {}, error).run())  # type: ignore[typeddict-item]


def request_id() -> str | None:
    return structlog.contextvars.get_contextvars().get("request_id")


class ApiNotFoundView(APIView):
    """Answer every path of the API that has no view of its own."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        raise exceptions.NotFound("This address does not exist.")
