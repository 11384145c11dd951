"""Calls to third parties under way, in this process and by lease in the others.

A call runs in a thread of its own, because a third party's code may hang for minutes whatever
time-out it is given. The number of such threads is bounded.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from financeproj.core.shared.locks import change, lease, release
from financeproj.core.shared.waiting import Slots
from financeproj.history.context import current_actor_id
from marketdata import sources
from marketdata.limits import CircuitOpen, Party, TooBusy
from marketdata.sources import SourceError, SourceUnavailable

# Threads of this process inside third parties' code, the abandoned ones included.
CALLS_AT_ONCE = 16
# How long the failure of a call is known to those who waited for it.
FAILURE_SECONDS = 60

_threads = Slots(CALLS_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Call:
    """One thing to ask. Two calls of one `key` are never under way at once.

    `run` asks, in a thread of its own, and must not touch the database. `keep` stores its answer,
    in the asker's thread, before those who wait continue. `is_kept` returns whether a fresh answer
    is stored.
    """

    key: str
    party: Party
    run: Callable[[], Any]
    keep: Callable[[Any], None]
    is_kept: Callable[[], bool]

    @property
    def lease_key(self) -> str:
        return f"flight:{self.key}"

    def too_late(self) -> str:
        return f"{self.party.name} did not answer in time."


@dataclass(slots=True)
class Flight:
    """A call of this process under way; `error` is valid once `done` is set.

    `started` is a time of day that other processes share; `begins` and `ends` are when the party is
    asked and when the call is abandoned, by the monotonic clock.
    """

    call: Call
    started: float
    done: threading.Event = field(default_factory=threading.Event)
    error: SourceError | None = None
    lease: str | None = None
    probe: str = field(default_factory=lambda: secrets.token_hex(6))
    future: "Future[Any] | None" = None
    begins: float = 0.0
    ends: float = 0.0

    @property
    def has_ended(self) -> bool:
        return self.future is None or self.future.done()

    def take_lease(self, seconds: float) -> bool:
        """Reserve the call for `seconds`, unless another process has it under way."""
        _release_ended(self.call.key)
        self.lease = lease(self.call.lease_key, seconds=seconds)
        return self.lease is not None

    def extend_lease(self, seconds: float) -> None:
        """Make the lease end `seconds` from now, unless it has ended already."""
        held_token, renewed = self.lease, secrets.token_hex(8)

        def step(held: str | None) -> str | None:
            if held == held_token:
                return renewed
            return held

        holder = change(f"lease:{self.call.lease_key}", step, timeout_seconds=seconds)
        self.lease = None
        if holder == renewed:
            self.lease = renewed


_flights: dict[str, Flight] = {}
# Abandoned calls that still run: their leases end with them.
_abandoned: dict[str, Flight] = {}
_lock = threading.Lock()


def join_or_open(call: Call) -> tuple[Flight, bool]:
    """Return the flight of the call's key in this process, and whether it was opened just now."""
    opened = Flight(call, time.time())
    with _lock:
        flight = _flights.setdefault(call.key, opened)
    return flight, flight is opened


def are_under_way(calls: Iterable[Call]) -> bool:
    """Return whether this process waits for all `calls` already."""
    with _lock:
        return all(call.key in _flights for call in calls)


def close(flight: Flight, error: SourceError | None, *, abandoned: bool = False) -> None:
    """Let all who wait for `flight` continue; an abandoned call keeps its lease until it ends."""
    call = flight.call
    if flight.lease is not None:
        if error is not None:
            remember_failure(call.key, error)
        if not abandoned:
            release(call.lease_key, flight.lease)
    with _lock:
        if abandoned:
            _forget_ended()
            _abandoned[call.key] = flight
        if _flights.get(call.key) is flight:
            del _flights[call.key]
    flight.error = error
    flight.done.set()


def _forget_ended() -> None:
    """Drop abandoned calls that have ended; their leases have too, or soon will."""
    ended = [key for key, flight in _abandoned.items() if flight.has_ended]
    for key in ended:
        del _abandoned[key]


def _release_ended(key: str) -> None:
    """Give back the lease of a call that this process abandoned, once it has ended after all."""
    with _lock:
        flight = _abandoned.get(key)
        if flight is None or flight.future is None or not flight.future.done():
            return
        del _abandoned[key]
    if flight.lease is not None:
        release(flight.call.lease_key, flight.lease)


def start(run: Callable[[], Any], delay: float) -> "Future[Any]":
    """Run after `delay` seconds in a daemon thread. Raises TooBusy.

    A pool's thread that hangs would keep the process from ending.
    """
    owner = current_actor_id()
    if not _threads.take(owner):
        raise TooBusy("Too many calls to third parties hang.", retry_after_seconds=5)
    future: Future[Any] = Future()

    def work() -> None:
        try:
            if delay:
                time.sleep(delay)
            future.set_result(run())
        except BaseException as error:  # noqa: BLE001  handed to those who wait
            future.set_exception(error)
        finally:
            _threads.give_back(owner)

    threading.Thread(target=work, name="third-party", daemon=True).start()
    return future


# --- Failures, shared with those who waited in other processes ------------------------------------

_SHARED_ERRORS: dict[str, type[SourceError]] = {
    error.__name__: error
    for error in (
        CircuitOpen,
        TooBusy,
        sources.Refusal,
        sources.UnknownTicker,
        sources.NoData,
        sources.KeyRefused,
        sources.RateLimited,
        sources.SourceTimeout,
        sources.BadAnswer,
    )
}


def remember_failure(key: str, error: SourceError) -> None:
    """Share the failure of a call with the other processes for FAILURE_SECONDS."""
    entry = [type(error).__name__, str(error), error.retry_after_seconds, time.time()]
    change(f"failure:{key}", lambda _: entry, timeout_seconds=FAILURE_SECONDS)


def failure_since(key: str, started: float) -> SourceError | None:
    """Return the failure of a call that ended after `started`, for those who waited for it."""
    entry = change(f"failure:{key}", lambda held: held, timeout_seconds=FAILURE_SECONDS)
    if not entry:
        return None
    name, detail, retry_after_seconds, failed_at = entry
    if failed_at < started:
        return None
    return _SHARED_ERRORS.get(name, SourceUnavailable)(detail, retry_after_seconds)
