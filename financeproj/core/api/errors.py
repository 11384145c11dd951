"""The handler that turns every error of the API into the contract's envelope."""

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
from django.utils.translation import gettext_noop
from drf_standardized_errors.formatter import ExceptionFormatter
from drf_standardized_errors.handler import ExceptionHandler
from drf_standardized_errors.types import Error, ErrorResponse, ErrorType
from rest_framework import exceptions
from rest_framework.views import APIView

from financeproj.core.db.failures import is_away, is_disk_full, is_locked
from financeproj.core.errors import (
    Conflict,
    DomainError,
    NotFound,
    TooLarge,
    UpstreamBadAnswer,
    UpstreamError,
    UpstreamTimeout,
)

log = structlog.get_logger(__name__)

# The first class that fits gives the status; any other error of the domain is 422.
STATUS_OF_ERROR = (
    (Conflict, 409),
    (NotFound, 404),
    (TooLarge, 413),
    (UpstreamTimeout, 504),
    (UpstreamBadAnswer, 502),
    (UpstreamError, 503),
)
BODY_TOO_LARGE = gettext_noop("The request is too large: JSON may have 2.5 MB, a file 20 MB.")


class BadQuery(exceptions.APIException):
    """A query parameter that cannot be read: 400, where a field of the body would be 422."""

    status_code = 400
    default_code = "invalid"

    def __init__(self, detail: str, *, attr: str, code: str = "invalid") -> None:
        super().__init__(detail, code)
        self.attr = attr


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


class _DomainErrorAnswer(exceptions.APIException):
    """An error of the domain as DRF answers it."""

    def __init__(self, error: DomainError) -> None:
        super().__init__(error.detail, error.code)
        self.status_code = status_of(error)
        self.attr = error.attr
        self.more = error.more
        if isinstance(error, UpstreamError) and error.retry_after:
            self.wait = max(1, math.ceil(error.retry_after))


def status_of(error: DomainError) -> int:
    """Return the HTTP status of an error of the domain."""
    for kind, status in STATUS_OF_ERROR:
        if isinstance(error, kind):
            return status
    return 422


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
            return _DomainErrorAnswer(exc)
        if isinstance(exc, DjangoValidationError):
            return InvalidFields(fields_of(exc))
        if isinstance(exc, exceptions.ValidationError) and not isinstance(exc, InvalidFields):
            return InvalidFields(exc.detail)
        if isinstance(exc, RequestDataTooBig):
            return _DomainErrorAnswer(TooLarge(BODY_TOO_LARGE))
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


class ApiNotFoundView(APIView):
    """Answer every path of the API that has no view of its own."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        raise exceptions.NotFound("There is nothing at this address.")
