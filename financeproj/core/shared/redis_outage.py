"""A Redis that is gone or hangs costs a request one short wait, and the ones after it nothing for a
while.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

log = structlog.get_logger(__name__)

# Together below the second that a request may wait for Redis in all.
ANSWER_SECONDS = 0.8
PAUSE_SECONDS = 5.0

_again_at = 0.0  # by the monotonic clock; of this process


@contextmanager
def asking_redis() -> Iterator[None]:
    """Around every call of Redis. Raises redis.ConnectionError at once while the last failure is
    fresh.
    """
    global _again_at
    if time.monotonic() < _again_at:
        raise redis.ConnectionError("Redis did not answer just now.")
    try:
        yield
    except Exception as error:
        if _is_outage(error):
            _again_at = time.monotonic() + PAUSE_SECONDS
            log.warning("redis_unavailable", error=str(error))
        raise


def _is_outage(error: BaseException | None) -> bool:
    """Whether Redis is behind it; Celery's broker wraps what Redis raises."""
    while error is not None:
        if isinstance(error, redis.ConnectionError | redis.TimeoutError | OSError):
            return True
        error = error.__cause__
    return False


class GuardedRedis(redis.Redis):
    """The client of the cache."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        with asking_redis():
            return super().execute_command(*args, **options)


def one_more_attempt() -> Retry:
    """For a connection that turns out to be closed, as after a restart; after a wait in vain there
    is none.
    """
    return Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
