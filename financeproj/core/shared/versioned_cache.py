"""Cache values of the database by version, and store derived data without waiting."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction


class VersionedCache:
    """Cache values by key and version, the most recently used up to `max_size` in total.

    Inside a transaction nothing is cached or found: its version can be rolled back and then be
    reused for other rows.
    """

    def __init__(self, max_size: int) -> None:
        self.max_size = max_size
        self.size = 0
        self._values: OrderedDict[Hashable, tuple[Hashable, Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, version: Hashable) -> Any:
        """Return the value cached for `key` at exactly this version, else None."""
        if connection.in_atomic_block:
            return None
        with self._lock:
            found = self._values.get(key)
            if found is None or found[0] != version:
                return None
            self._values.move_to_end(key)
            return found[1]

    def put(self, key: Hashable, version: Hashable, value: Any, size: int) -> None:
        """Cache `value`, which counts as `size`."""
        if connection.in_atomic_block:
            return
        with self._lock:
            old = self._values.pop(key, None)
            if old is not None:
                self.size -= old[2]
            self._values[key] = version, value, size
            self.size += size
            while self.size > self.max_size and self._values:
                _, (_, _, dropped) = self._values.popitem(last=False)
                self.size -= dropped

    def clear(self) -> None:
        with self._lock:
            self._values.clear()
            self.size = 0


@contextmanager
def write_of_a_read() -> Iterator[None]:
    """Open a transaction for data that a read stores; on SQLite fail at once if another writes.

    It then raises DatabaseError, which means "not stored" to the caller.
    """
    if connection.vendor != "sqlite":
        with transaction.atomic():
            yield
        return
    seconds = connection.settings_dict["OPTIONS"].get("timeout", 5)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 0")
    try:
        with transaction.atomic():
            yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
