"""Cache values of the database by version, and store derived data without waiting."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar
from uuid import UUID

from django.db import connection, transaction

from financeproj.core.db.rows import by_pk


class _Versioned(Protocol):
    @property
    def pk(self) -> UUID: ...
    @property
    def version(self) -> Hashable: ...


Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Row = TypeVar("Row", bound=_Versioned)


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
        return self.get_many({key: version}).get(key)

    def get_many(self, versions: Mapping[Key, Hashable]) -> dict[Key, Any]:
        """Return the values cached at exactly these versions, by key."""
        found: dict[Key, Any] = {}
        if connection.in_atomic_block:
            return found
        with self._lock:
            for key, version in versions.items():
                cached = self._values.get(key)
                if cached is not None and cached[0] == version:
                    self._values.move_to_end(key)
                    found[key] = cached[1]
        return found

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

    def get_or_read(
        self,
        rows: Iterable[Row],
        read: Callable[[list[Row]], Mapping[UUID, Value]],
        size: Callable[[Value], int],
    ) -> dict[UUID, Value]:
        """Return the value of each row at its version; what is not cached is read at once.

        `read` is called with the rows that are not cached, if there are any, and answers for each.
        `size` says as what a value counts.
        """
        by_key = by_pk(rows)
        found = self.get_many({pk: row.version for pk, row in by_key.items()})
        unknown = [row for pk, row in by_key.items() if pk not in found]
        if unknown:
            values = read(unknown)
            for row in unknown:
                value = values[row.pk]
                found[row.pk] = value
                self.put(row.pk, row.version, value, size(value))
        return found

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
