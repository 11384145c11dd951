"""Errors of the domain: a rule was broken, and nothing was written."""

from collections.abc import Mapping
from typing import Any


class DomainError(Exception):
    """Report a broken rule of the domain; nothing was written.

    `code` is for programs, `detail` for people. `attr` names the field at fault, and `more` holds
    further fields of the answer that help a client to correct the request. With `params` the text
    has placeholders for them, `%(ticker)s`, so that `message` can be translated.
    """

    code = "invalid"

    def __init__(
        self,
        detail: str,
        *,
        attr: str | None = None,
        code: str | None = None,
        more: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> None:
        self.message = detail
        self.params = params or {}
        self.detail = detail % params if params else detail
        super().__init__(self.detail)
        self.attr = attr
        self.code = code or self.code
        self.more = more or {}


class Conflict(DomainError):
    """Refuse a request that contradicts what is stored."""

    code = "conflict"


class NotFound(DomainError):
    """Report that the named object does not exist."""

    code = "not_found"


class InvalidCursor(DomainError):
    """Refuse a cursor that leads nowhere (any more)."""


class TooLarge(DomainError):
    """Refuse a file or a body above its limit."""

    code = "too_large"


class TooManyAtOnce(DomainError):
    """Refuse a costly request while too many others run; `retry_after` in seconds."""

    code = "too_many_at_once"

    def __init__(self, detail: str, *, retry_after: float) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class UpstreamError(DomainError):
    """Report that a third party cannot be asked now; `retry_after` in seconds."""

    code = "upstream_unavailable"

    def __init__(
        self, detail: str, *, retry_after: float | None = None, code: str | None = None
    ) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after


class UpstreamTimeout(UpstreamError):
    """Report that a third party did not answer in time."""

    code = "upstream_timeout"


class UpstreamBadAnswer(UpstreamError):
    """Report that a third party answered nonsense or refused our key."""

    code = "upstream_bad_answer"
