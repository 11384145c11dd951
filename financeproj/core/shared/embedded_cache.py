"""The embedded cache for installations without Redis: one table in an SQLite file of its own.

In the main database every `set` would wait for a running import. Django's DatabaseCache stores
pickles, which would run the code of anyone who can write the file.
"""

import math
import time
from collections.abc import Sequence
from typing import Any

import structlog
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.db import DatabaseError, connections, transaction

from financeproj.core.shared.json_values import from_json, to_json

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ALIAS = "cache"
# Run by each connection (settings), so that the table exists also after the file was deleted.
# `expires` in seconds since 1970. Earlier releases kept pickles in embedded_cache.
TABLE = """
DROP TABLE IF EXISTS embedded_cache;
CREATE TABLE IF NOT EXISTS cached (
    name varchar(255) NOT NULL PRIMARY KEY, value text NOT NULL, expires real NOT NULL
);
CREATE INDEX IF NOT EXISTS cached_expires ON cached (expires);
"""
SELECT = "SELECT value FROM cached WHERE name = %s AND expires > %s"
SET = """
INSERT INTO cached (name, value, expires) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, expires = excluded.expires
"""
ADD = f"{SET} WHERE cached.expires <= %s"
TOUCH = "UPDATE cached SET expires = %s WHERE name = %s AND expires > %s"
DELETE = "DELETE FROM cached WHERE name = %s"
CLEAR = "DELETE FROM cached"
COUNT = "SELECT COUNT(*) FROM cached"
DELETE_EXPIRED = "DELETE FROM cached WHERE expires <= %s"
DELETE_FIRST_TO_EXPIRE = """
DELETE FROM cached WHERE name IN (SELECT name FROM cached ORDER BY expires LIMIT %s)
"""


class EmbeddedCacheRouter:
    """Keep migrations out of the cache file."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        if db == ALIAS:
            return False
        return None


class EmbeddedCache(BaseCache):
    """Store values as JSON; treat a broken or locked file as an empty cache, never as an error."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        name = self.make_and_validate_key(key, version=version)
        try:
            with connections[ALIAS].cursor() as cursor:
                cursor.execute(SELECT, [name, time.time()])
                row = cursor.fetchone()
        except DatabaseError:
            log.warning("cache_unavailable", exc_info=True)
            return default
        value = from_json(row[0]) if row else None
        return default if value is None else value

    def set(
        self,
        key: str,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> None:
        name = self.make_and_validate_key(key, version=version)
        self._store(SET, [name, to_json(value), self._end(timeout)])

    def add(
        self,
        key: str,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        name = self.make_and_validate_key(key, version=version)
        return self._store(ADD, [name, to_json(value), self._end(timeout), time.time()])

    def touch(
        self,
        key: str,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        name = self.make_and_validate_key(key, version=version)
        return self._write(TOUCH, [self._end(timeout), name, time.time()])

    def delete(self, key: str, version: int | None = None) -> bool:
        return self._write(DELETE, [self.make_and_validate_key(key, version=version)])

    def clear(self) -> None:
        self._write(CLEAR, [])

    def _end(self, timeout: float | None) -> float:
        end = self.get_backend_timeout(timeout)
        return math.inf if end is None else end

    def _store(self, sql: str, parameters: Sequence[Any]) -> bool:
        """Write a row; first make room if there are too many."""
        return self._write(sql, parameters, makes_room=True)

    def _write(self, sql: str, parameters: Sequence[Any], *, makes_room: bool = False) -> bool:
        """Return whether a row was written."""
        try:
            with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
                if makes_room:
                    self._make_room(cursor)
                cursor.execute(sql, parameters)
                return bool(cursor.rowcount)
        except DatabaseError:
            log.warning("cache_unavailable", exc_info=True)
            return False

    def _make_room(self, cursor: Any) -> None:
        """Delete what has expired, then the first to expire, if there are too many rows."""
        cursor.execute(COUNT)
        count = cursor.fetchone()[0]
        if count < self._max_entries:
            return
        cursor.execute(DELETE_EXPIRED, [time.time()])
        left = count - cursor.rowcount
        if left >= self._max_entries:
            cursor.execute(DELETE_FIRST_TO_EXPIRE, [left // self._cull_frequency])
