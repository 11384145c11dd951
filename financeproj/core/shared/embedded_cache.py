"""The embedded cache for installations without Redis: DatabaseCache in its own SQLite file.

In the main database every `set` would wait for a running import.
"""

from typing import Any

import structlog
from django.core.cache.backends.db import DatabaseCache
from django.db import DatabaseError, transaction

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ALIAS = "cache"


class EmbeddedCacheRouter:
    """Route only DatabaseCache's table to the cache file."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        if model._meta.app_label == "django_cache":
            return ALIAS
        return None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        if db == ALIAS:
            return False
        return None


class EmbeddedCache(DatabaseCache):
    """Treat a broken or locked file as an empty cache, never as an error."""

    def get_many(self, keys: Any, version: Any = None) -> dict[Any, Any]:
        try:
            return super().get_many(keys, version=version)
        except DatabaseError:
            log.warning("cache_unavailable", exc_info=True)
            return {}

    def _base_set(self, mode: str, key: str, value: Any, timeout: Any = None) -> bool:
        try:
            # One transaction around Django's count, select and insert makes `add` atomic between
            # processes.
            with transaction.atomic(using=ALIAS):
                return super()._base_set(mode, key, value, timeout)  # type: ignore[misc]
        except DatabaseError:
            log.warning("cache_unavailable", exc_info=True)
            return False

    def _base_delete_many(self, keys: Any) -> bool:
        try:
            return super()._base_delete_many(keys)  # type: ignore[misc]
        except DatabaseError:
            log.warning("cache_unavailable", exc_info=True)
            return False
