"""State shared between processes: leases and counters, in Redis or in the embedded cache.

If the shared cache fails, the state is kept within this process instead.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, transaction

from financeproj.core.shared.embedded_cache import ALIAS

Value = TypeVar("Value")
Step: TypeAlias = Callable[[Value | None], Value | None]

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_local: dict[str, tuple[float, Any]] = {}
_local_lock = threading.Lock()


def change(key: str, function: Step[Value], *, timeout_seconds: float) -> Value | None:
    """Replace the value at `key` by `function(value)` atomically, and return the new value.

    `function` gets None for a missing key, can run more than once, and must be quick. Values must
    be JSON. None deletes the key. A changed value expires after `timeout_seconds`; an unchanged one
    keeps its expiry.
    """
    change_shared = _change_in_redis if settings.REDIS_URL else _change_embedded
    faults: tuple[type[Exception], ...] = (DatabaseError, OSError, *_redis_errors())
    try:
        return change_shared(key, function, timeout_seconds)
    except faults:
        log.warning("shared_state_unavailable", key=key)
        return _change_here(key, function, timeout_seconds)


def lease(key: str, *, seconds: float) -> str | None:
    """Take the lease `key` for `seconds`; return a token, or None if it is held."""
    token = secrets.token_hex(8)
    holder = change(f"lease:{key}", lambda held: held or token, timeout_seconds=seconds)
    if holder != token:
        return None
    return token


def release(key: str, token: str) -> None:
    """End a lease early, if `token` still holds it."""

    def without_token(held: str | None) -> str | None:
        return None if held == token else held

    change(f"lease:{key}", without_token, timeout_seconds=60)


def _redis_errors() -> tuple[type[Exception], ...]:
    if not settings.REDIS_URL:
        return ()
    from redis.exceptions import RedisError

    return (RedisError,)


def _change_in_redis(key: str, function: Step[Value], timeout_seconds: float) -> Value | None:
    from django_redis import get_redis_connection

    from financeproj.core.shared.redis_outage import asking_redis

    name = cache.make_key(f"shared:{key}")
    outcome: list[Value | None] = []

    def step(pipe: Any) -> None:
        """Run after WATCH; redis-py repeats it if another process wrote in between."""
        found = pipe.get(name)
        held = json.loads(found) if found else None
        value = function(held)
        outcome[:] = [value]
        pipe.multi()
        if value is None:
            pipe.delete(name)
        elif value != held:
            pipe.set(name, json.dumps(value), px=max(1, int(timeout_seconds * 1000)))

    with asking_redis():
        get_redis_connection("default").transaction(step, name)
    return outcome[0]


def _change_embedded(key: str, function: Step[Value], timeout_seconds: float) -> Value | None:
    name = f"shared:{key}"
    with transaction.atomic(using=ALIAS):  # IMMEDIATE: no other process writes until the end
        held = cache.get(name)
        value = function(held)
        if value is None:
            cache.delete(name)
        elif value != held:
            cache.set(name, value, timeout=timeout_seconds)
    return value


def _change_here(key: str, function: Step[Value], timeout_seconds: float) -> Value | None:
    with _local_lock:
        now = time.monotonic()
        if len(_local) > 10_000:
            expired = [name for name, (end, _) in _local.items() if end <= now]
            for name in expired:
                del _local[name]
        expires_at, held = _local.get(key, (0.0, None))
        if expires_at <= now:
            held = None
        value = function(held)
        if value is None:
            _local.pop(key, None)
        elif value != held:
            _local[key] = (now + timeout_seconds, value)
    return value
