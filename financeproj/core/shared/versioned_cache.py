"""What a process keeps of the database by version, and what is stored beside the rows without
making anybody wait.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction


class VersionedCache:
    """Values by key and version, the least lately used dropped when they pass `most` together.

    Within a transaction nothing is kept or found: a version may be rolled back, and come again with
    other rows.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = 0
        self._values: OrderedDict[Hashable, tuple[Hashable, Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, version: Hashable) -> Any:
        """The value kept for `key` at just this version, else None."""
        if connection.in_atomic_block:
            return None
        with self._lock:
            found = self._values.get(key)
            if found is None or found[0] != version:
                return None
            self._values.move_to_end(key)
            return found[1]

    def put(self, key: Hashable, version: Hashable, value: Any, size: int) -> None:
        """Keep `value`, which counts for `size`."""
        if connection.in_atomic_block:
            return
        with self._lock:
            old = self._values.pop(key, None)
            self._values[key] = version, value, size
            self.size += size - (old[2] if old else 0)
            while self.size > self.most and self._values:
                _, (_, _, dropped) = self._values.popitem(last=False)
                self.size -= dropped

    def clear(self) -> None:
        with self._lock:
            self._values.clear()
            self.size = 0


@contextmanager
def write_of_a_read() -> Iterator[None]:
    """A transaction for what a read stores on the side: on SQLite it fails at once where another
    write is under way.

    Raises DatabaseError then, which the caller takes for "not stored".
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
