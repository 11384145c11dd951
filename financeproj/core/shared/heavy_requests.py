"""Leases for requests that need much time or memory: a few at once, over all processes.

A lease ends with its block. It also ends a few seconds after its process was killed, because it is
renewed while the block runs, and after LONGEST_SECONDS. Work in the worker takes none.
"""

import secrets
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from django.db import connections

from financeproj.core.errors import TooManyAtOnce
from financeproj.core.shared.locks import change
from financeproj.core.shared.waiting import waiting_slot

AT_ONCE = 4
# The second one of a user needs two free leases: the last one is for another user.
AT_ONCE_PER_USER = 2
WAIT_SECONDS = 5.0
POLL_SECONDS = 0.1
RETRY_AFTER_SECONDS = 5
RENEWED_EVERY_SECONDS = 2.0
LEASE_SECONDS = 6.0
LONGEST_SECONDS = 180.0

# By token: the user, and until when (time.time()) the lease holds.
Leases: TypeAlias = dict[str, tuple[str, float]]

_KEY = "heavy-requests"


@contextmanager
def heavy_request(user_id: Hashable) -> Iterator[None]:
    """Hold a lease inside; wait for one up to WAIT_SECONDS. Raises TooManyAtOnce."""
    with waiting_slot(user_id) as may_wait:
        if not may_wait:
            raise _too_many()
        lease = _Lease(str(user_id))
        lease.wait_for_it()
        threading.Thread(target=lease.keep, name="heavy-request-lease", daemon=True).start()
        try:
            yield
        finally:
            lease.end()


class _Lease:
    def __init__(self, user: str) -> None:
        self._user = user
        self._token = secrets.token_hex(8)
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def wait_for_it(self) -> None:
        until = time.monotonic() + WAIT_SECONDS
        while not self._take():
            if time.monotonic() >= until:
                raise _too_many()
            time.sleep(POLL_SECONDS)

    def keep(self) -> None:
        """Renew the lease until it ends; runs in a thread of its own."""
        until = time.monotonic() + LONGEST_SECONDS
        try:
            while not self._ended.wait(RENEWED_EVERY_SECONDS) and time.monotonic() < until:
                self._renew()
        finally:
            connections.close_all()

    def end(self) -> None:
        with self._lock:
            self._ended.set()
            _change(lambda held: _without(held, self._token))

    def _take(self) -> bool:
        def step(held: Leases) -> Leases:
            if not _has_room(held, self._user):
                return held
            return {**held, self._token: self._held_now()}

        return self._token in _change(step)

    def _renew(self) -> None:
        with self._lock:
            if not self._ended.is_set():
                _change(lambda held: {**held, self._token: self._held_now()})

    def _held_now(self) -> tuple[str, float]:
        return self._user, time.time() + LEASE_SECONDS


def _has_room(held: Leases, user: str) -> bool:
    own = [holder for holder, _ in held.values() if holder == user]
    if not own:
        return len(held) < AT_ONCE
    return len(own) < AT_ONCE_PER_USER and len(held) <= AT_ONCE - 2


def _without(held: Leases, token: str) -> Leases:
    return {key: value for key, value in held.items() if key != token}


def _change(step: Callable[[Leases], Leases]) -> Leases:
    """Change the leases that have not run out in one atomic step."""

    def on_current(stored: Leases | None) -> Leases | None:
        now = time.time()
        held: Leases = {}
        for token, (user, until) in (stored or {}).items():
            # A later end than any lease has now was written before the clock was set back.
            if now < until <= now + LEASE_SECONDS + 1:
                held[token] = (user, until)
        return step(held) or None

    return change(_KEY, on_current, timeout_seconds=LEASE_SECONDS) or {}


def _too_many() -> TooManyAtOnce:
    return TooManyAtOnce(
        "Too many costly requests are running. Try again in a few seconds.",
        retry_after=RETRY_AFTER_SECONDS,
    )
