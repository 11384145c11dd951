"""Log lines: JSON on standard output, each with the request's or task's id. docs/operations.md has
the schema.
"""

import re
import time
from typing import Any

import structlog
from django.dispatch import receiver
from django.utils.functional import LazyObject
from django_structlog import signals
from django_structlog.middlewares import RequestMiddleware

SECRET_NAME = re.compile(
    r"password|passwd|secret|token|authorization|api_?key|cookie|refresh|access$", re.IGNORECASE
)
BEARER = re.compile(r"(Bearer\s+)[\w.~+/-]+=*", re.IGNORECASE)


def hide_secrets(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Replace the values of fields whose names give them away as secret."""
    for name in event:
        if SECRET_NAME.search(name):
            event[name] = "***"
    return event


def hide_bearer(logger: Any, method: str, line: str) -> str:
    """The finished line without tokens that an error's message quotes."""
    return BEARER.sub(r"\1***", line)


def logging_config(*, log_format: str, level: str) -> dict[str, Any]:
    """The dictConfig for the standard library's loggers and structlog's alike."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    # Never the local variables of a traceback: they hold passwords and keys.
    without_locals = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    renderers: list[Any] = (
        [
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            )
        ]
        if log_format == "console"
        else [
            structlog.processors.ExceptionRenderer(without_locals),
            structlog.processors.JSONRenderer(default=str),
        ]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    hide_secrets,
                    *renderers,
                    hide_bearer,
                ],
            }
        },
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "line",
            }
        },
        "root": {"handlers": ["stdout"], "level": level},
        "loggers": {
            "gunicorn.error": {"handlers": ["stdout"], "level": "INFO", "propagate": False},
            # One line a request is ours to write; these would repeat it.
            "django.server": {"handlers": [], "propagate": False},
            "django.request": {"level": "CRITICAL"},
            "yfinance": {"level": "CRITICAL"},
            "peewee": {"level": "WARNING"},
            "kombu": {"level": "ERROR"},
        },
    }


class RequestLogMiddleware(RequestMiddleware):
    """django-structlog's request lines, without the query string (it may hold what is nobody's
    business).
    """

    @staticmethod
    def format_request(request: Any) -> str:
        return f"{request.method} {request.path}"

    @staticmethod
    def bind_user_id(request: Any) -> None:
        """Whoever the answer has looked up: a line alone is no reason to ask the database, which
        may be away.
        """
        if not isinstance(getattr(request, "user", None), LazyObject) or hasattr(
            request, "_cached_user"
        ):
            RequestMiddleware.bind_user_id(request)


@receiver(signals.bind_extra_request_metadata)
def start_clock(request: Any, logger: Any, log_kwargs: dict[str, Any], **kwargs: Any) -> None:
    request.started_at = time.perf_counter()


def _describe(request: Any, log_kwargs: dict[str, Any], status: int) -> None:
    log_kwargs.pop("request", None)
    log_kwargs.pop("code", None)
    duration = time.perf_counter() - getattr(request, "started_at", time.perf_counter())
    log_kwargs.update(
        method=request.method,
        path=request.path,
        status=status,
        duration_ms=round(duration * 1000, 1),
    )


@receiver(signals.bind_extra_request_finished_metadata)
def describe_answer(request: Any, response: Any, log_kwargs: dict[str, Any], **kwargs: Any) -> None:
    _describe(request, log_kwargs, response.status_code)
    response["X-Request-ID"] = structlog.contextvars.get_contextvars()["request_id"]


@receiver(signals.bind_extra_request_failed_metadata)
def describe_failure(
    request: Any, exception: Exception, log_kwargs: dict[str, Any], **kwargs: Any
) -> None:
    from financeproj.core.api.errors import (
        refusal_of,  # which reads the settings, and they import this
    )

    refusal = refusal_of(exception)
    _describe(request, log_kwargs, refusal.status_code if refusal else 500)


@receiver(signals.update_failure_response)
def name_failure(request: Any, response: Any, **kwargs: Any) -> None:
    response["X-Request-ID"] = structlog.contextvars.get_contextvars()["request_id"]
