"""Log lines: JSON on standard output, each with the id of its request or task.

docs/operations.md describes the fields.
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
    """Mask the values of fields whose names suggest a secret."""
    for name in event:
        if SECRET_NAME.search(name):
            event[name] = "***"
    return event


def hide_bearer(logger: Any, method: str, line: str) -> str:
    """Mask tokens that an error message quotes in the finished line."""
    return BEARER.sub(r"\1***", line)


def logging_config(*, log_format: str, level: str, stream: str = "stdout") -> dict[str, Any]:
    """Return the dictConfig for the loggers of the standard library and of structlog.

    `stream` is stdout or stderr.
    """
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
    # Never log local variables of a traceback: they can hold passwords and keys.
    without_locals = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    renderers: list[Any]
    if log_format == "console":
        plain = structlog.dev.plain_traceback
        renderers = [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]
    else:
        renderers = [
            structlog.processors.ExceptionRenderer(without_locals),
            structlog.processors.JSONRenderer(default=str),
        ]
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
            "lines": {
                "class": "logging.StreamHandler",
                "stream": f"ext://sys.{stream}",
                "formatter": "line",
            }
        },
        "root": {"handlers": ["lines"], "level": level},
        "loggers": {
            "gunicorn.error": {"handlers": ["lines"], "level": "INFO", "propagate": False},
            # RequestLogMiddleware logs each request; these would repeat it.
            "django.server": {"handlers": [], "propagate": False},
            "django.request": {"level": "CRITICAL"},
            "yfinance": {"level": "CRITICAL"},
            "peewee": {"level": "WARNING"},
            "kombu": {"level": "ERROR"},
        },
    }


class RequestLogMiddleware(RequestMiddleware):
    """Log each request, without the query string, which can hold private data."""

    @staticmethod
    def format_request(request: Any) -> str:
        return f"{request.method} {request.path}"

    @staticmethod
    def bind_user_id(request: Any) -> None:
        """Log the user only if the view has loaded it: logging must not query the database."""
        user = getattr(request, "user", None)
        is_loaded = not isinstance(user, LazyObject) or hasattr(request, "_cached_user")
        if is_loaded:
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
    # Imported here because the module reads the settings, and they import this one.
    from financeproj.core.api.errors import refusal_of

    refusal = refusal_of(exception)
    status = refusal.status_code if refusal else 500
    _describe(request, log_kwargs, status)


@receiver(signals.update_failure_response)
def name_failure(request: Any, response: Any, **kwargs: Any) -> None:
    response["X-Request-ID"] = structlog.contextvars.get_contextvars()["request_id"]
