"""Fail fast while Redis is down: one request waits briefly, the next ones not at all."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# One wait stays below the second that a request may spend on Redis.
ANSWER_SECONDS = 0.8
PAUSE_SECONDS = 5.0

_retry_at = 0.0  # by the monotonic clock of this process


@contextmanager
def asking_redis() -> Iterator[None]:
    """Guard a call of Redis: raise redis.ConnectionError at once after a recent failure."""
    global _retry_at
    if time.monotonic() < _retry_at:
        raise redis.ConnectionError("Redis failed a moment ago.")
    try:
        yield
    except Exception as error:
        if _is_outage(error):
            _retry_at = time.monotonic() + PAUSE_SECONDS
            log.warning("redis_unavailable", error=str(error))
        raise


def _is_outage(error: BaseException | None) -> bool:
    """Return whether Redis caused the error; Celery's broker wraps it."""
    while error is not None:
        if isinstance(error, redis.ConnectionError | redis.TimeoutError | OSError):
            return True
        error = error.__cause__
    return False


class GuardedRedis(redis.Redis):
    """The cache's client, guarded against outages."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        with asking_redis():
            return super().execute_command(*args, **options)


def one_more_attempt() -> Retry:
    """Retry once on a closed connection, e.g. after a restart, but not after a timeout."""
    return Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
