"""Bound the threads of this process that wait, which leaves some for quick requests."""

import threading
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.conf import settings

# Threads of a web process that never wait for third parties or for a lease.
KEPT_FREE = 2


class Slots:
    """A number of slots, of which each owner may hold two thirds. None owns without this limit."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.count_per_owner = max(1, count * 2 // 3)
        self._held: Counter[Hashable] = Counter()
        self._lock = threading.Lock()

    @property
    def free(self) -> int:
        return self.count - self._held.total()

    def take(self, owner: Hashable) -> bool:
        """Take one slot; return False if none is free for `owner`."""
        with self._lock:
            has_enough = owner is not None and self._held[owner] >= self.count_per_owner
            if self.free <= 0 or has_enough:
                return False
            self._held[owner] += 1
            return True

    def give_back(self, owner: Hashable) -> None:
        with self._lock:
            self._held[owner] -= 1
            if not self._held[owner]:
                del self._held[owner]


slots = Slots(settings.WEB_THREADS - KEPT_FREE)
_has_slot: ContextVar[bool] = ContextVar("has_waiting_slot", default=False)


@contextmanager
def waiting_slot(owner: Hashable) -> Iterator[bool]:
    """Let this thread wait inside, and yield whether it may.

    A thread that has a slot already needs no second one.
    """
    if _has_slot.get():
        yield True
        return
    pool = slots
    if not pool.take(owner):
        yield False
        return
    token = _has_slot.set(True)
    try:
        yield True
    finally:
        _has_slot.reset(token)
        pool.give_back(owner)
