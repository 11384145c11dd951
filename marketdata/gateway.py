"""The one door to a third party: single flight, rate limit, circuit breaker, a hard deadline.

What several processes must agree on goes through `core.locks`, so a fault of the shared cache
leaves every limit in force within each process. Answers are not kept here: each call says how its
answer is stored and whether a fresh one already is, so that whoever waited for somebody else's call
finds it where it is kept.

A call runs in a thread of its own, because a third party's code may hang for minutes whatever
time-out it is given: after MARKET_DATA_TIMEOUT_SECONDS, or at the asker's deadline, it is
abandoned. The number of such threads is bounded.
"""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.conf import settings

from financeproj.core.shared.locks import change, lease, release
from marketdata import sources
from marketdata.limits import (
    ABANDONED_SECONDS,
    CircuitOpen,
    Party,
    TooBusy,
    admit,
    change_circuit,
    count_in_hour,
    forget_probe,
    note_failure,
    note_success,
    parties,
    party_of,
    take_token,
)
from marketdata.sources import (
    BadAnswer,
    KeyRefused,
    SourceError,
    SourceTimeout,
    SourceUnavailable,
    UnknownTicker,
)

log = structlog.get_logger(__name__)

# A web process has 8 threads: half of them may wait for third parties at once, the others answer
# what is known.
WAITING_AT_ONCE = 4
# Threads of this process inside third parties' code, the abandoned ones included.
CALLS_AT_ONCE = 8
# Calls of one asker under way at once.
ASKED_AT_ONCE = 4

POLL_SECONDS = 0.1

_waiting = threading.BoundedSemaphore(WAITING_AT_ONCE)
_calls = threading.BoundedSemaphore(CALLS_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Call:
    """One thing to ask. `key` names it: two calls of one key are never under way at once.

    `run` asks, in a thread of its own, and touches no database. `keep` stores its answer, in the
    asker's thread, before anybody who waits is told. `is_kept` is whether a fresh answer is stored.
    """

    key: str
    party: Party
    run: Callable[[], Any]
    keep: Callable[[Any], None]
    is_kept: Callable[[], bool]


@dataclass(slots=True)
class _Flight:
    """A call of this process under way; `error` is valid once `done` is set."""

    call: Call
    started: float
    done: threading.Event = field(default_factory=threading.Event)
    error: SourceError | None = None
    lease: str | None = None
    probe: str = field(default_factory=lambda: secrets.token_hex(6))
    future: "Future[Any] | None" = None
    ends: float = 0.0  # by the monotonic clock: when it is abandoned


_flights: dict[str, _Flight] = {}
_abandoned: dict[str, _Flight] = {}  # still running: their leases end with them
_flights_lock = threading.Lock()


def ask(call: Call, *, seconds: float, patience: float | None = None) -> None:
    """Have `call` answered and kept within `seconds`. Raises the SourceError that stood in the
    way.
    """
    error = ask_all([call], seconds=seconds, patience=patience)[call.key]
    if error is not None:
        raise error


def ask_all(
    calls: Sequence[Call], *, seconds: float, patience: float | None = None
) -> dict[str, SourceError | None]:
    """Have all `calls` answered and kept within `seconds` in all: what stood in the way by key,
    None where nothing.

    Somebody else's call for the same thing is waited for at most `patience` seconds (default: to
    the end).
    """
    if not calls:
        return {}
    budget = _budget.get()
    if budget is not None and budget.left <= 0:
        return {call.key: SourceTimeout("This request has waited long enough.") for call in calls}
    if not _waiting.acquire(blocking=False):
        busy = TooBusy("Too many requests are waiting for third parties.", retry_after_seconds=1)
        return {call.key: busy for call in calls}
    begun = time.monotonic()
    try:
        return _Asker(seconds if budget is None else min(seconds, budget.left), patience).answers(
            calls
        )
    finally:
        _waiting.release()
        if budget is not None:
            budget.left -= time.monotonic() - begun


@dataclass(slots=True)
class _Budget:
    left: float


_budget: ContextVar[_Budget | None] = ContextVar("budget", default=None)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Everything asked inside waits for `seconds` in all, however many questions it takes."""
    token = _budget.set(_Budget(seconds))
    try:
        yield
    finally:
        _budget.reset(token)


class _Asker:
    """One `ask_all`: leads its own calls, follows those that others lead."""

    def __init__(self, seconds: float, patience: float | None) -> None:
        self.started = time.monotonic()
        self.deadline = self.started + seconds
        self.follow_until = (
            self.deadline if patience is None else min(self.deadline, self.started + patience)
        )
        self.outcomes: dict[str, SourceError | None] = {}
        self.leading: list[_Flight] = []
        self.elsewhere: list[_Flight] = []  # under way in another process
        self.following: list[_Flight] = []  # under way in another thread
        self.refused: dict[str, SourceError] = {}  # parties that may not be asked now, and why

    @property
    def left(self) -> float:
        return self.deadline - time.monotonic()

    def answers(self, calls: Sequence[Call]) -> dict[str, SourceError | None]:
        queue = deque(calls)
        try:
            while queue or self.leading or self.elsewhere or self.following:
                if self.left <= 0:
                    break
                while queue and len(self.leading) < ASKED_AT_ONCE:
                    self._begin(queue.popleft())
                self._wait()
                self._follow()
        finally:
            self._give_up(queue)
        return self.outcomes

    def _begin(self, call: Call) -> None:
        if (refusal := self.refused.get(call.party.name)) is not None:
            # It holds for all that is left: thousands need not find out one by one.
            self.outcomes[call.key] = refusal
            return
        flight = _Flight(call, time.time())
        with _flights_lock:
            theirs = _flights.get(call.key)
            if theirs is None:
                _flights[call.key] = flight
        if theirs is not None:
            self.following.append(theirs)
        elif not self._lead(flight):
            self.elsewhere.append(flight)

    def _lead(self, flight: _Flight) -> bool:
        """Start the call, unless another process has it under way (then False)."""
        call = flight.call
        _release_ended(call.key)
        longest = min(max(self.left, 0), settings.MARKET_DATA_TIMEOUT_SECONDS)
        flight.lease = lease(f"flight:{call.key}", seconds=longest + ABANDONED_SECONDS)
        if flight.lease is None:
            return False
        try:
            if call.is_kept():
                self._finish(flight, None)
                return True
            if error := _failure_since(call.key, flight.started):
                self._finish(flight, error)
                return True
            admit(call.party, flight.probe, self.left)
            try:
                delay = take_token(call.party, at_most=self.left / 2)
                count_in_hour(call.party)
                if delay:
                    flight.lease = _extended(
                        f"flight:{call.key}", flight.lease, longest + delay + ABANDONED_SECONDS
                    )
                flight.ends = min(
                    self.deadline, time.monotonic() + delay + settings.MARKET_DATA_TIMEOUT_SECONDS
                )
                flight.future = _start(call.run, delay)
            except SourceError:
                forget_probe(call.party, flight.probe)
                raise
        except SourceError as error:
            self.refused[call.party.name] = error
            self._finish(flight, error)
        except BaseException:
            self._finish(flight, SourceUnavailable("The call was interrupted."))
            raise
        else:
            self.leading.append(flight)
        return True

    def _wait(self) -> None:
        """Until one of our calls is answered, or it is time to look at the others'."""
        if self.leading:
            seconds = min(flight.ends for flight in self.leading) - time.monotonic()
            if self.elsewhere or self.following:
                seconds = min(POLL_SECONDS, seconds)
            done, _ = wait(
                [f.future for f in self.leading if f.future],
                max(seconds, 0),
                return_when=FIRST_COMPLETED,
            )
            for flight in [flight for flight in self.leading if flight.future in done]:
                self.leading.remove(flight)
                self._land(flight)
            for flight in [flight for flight in self.leading if time.monotonic() >= flight.ends]:
                self.leading.remove(flight)
                self._abandon(flight)
        elif self.following:
            self.following[0].done.wait(max(0, min(POLL_SECONDS, self.left)))
        elif self.elsewhere:
            time.sleep(max(0, min(POLL_SECONDS, self.left)))

    def _follow(self) -> None:
        for flight in [flight for flight in self.following if flight.done.is_set()]:
            self.following.remove(flight)
            self.outcomes[flight.call.key] = flight.error
        for flight in [flight for flight in self.elsewhere if self._lead(flight)]:
            self.elsewhere.remove(flight)
        if time.monotonic() >= self.follow_until:
            for flight in self.elsewhere:
                self._finish(
                    flight, SourceTimeout("Somebody else's call for the same is still under way.")
                )
            for flight in self.following:
                self.outcomes[flight.call.key] = SourceTimeout(
                    "Somebody else's call for the same is still under way."
                )
            self.elsewhere, self.following = [], []

    def _land(self, flight: _Flight) -> None:
        assert flight.future is not None  # nosec B101  # for mypy
        error: SourceError | None = None
        try:
            answer = flight.future.result()
            note_success(flight.call.party, flight.probe)
            flight.call.keep(answer)
        except SourceError as raised:
            error = raised
            if isinstance(raised, UnknownTicker | KeyRefused):
                note_success(flight.call.party, flight.probe)
            elif flight.future.exception() is raised:
                note_failure(flight.call.party, flight.probe, raised)
        except BaseException as raised:
            if flight.future.exception() is not raised:
                self._finish(flight, SourceUnavailable("The answer could not be stored."))
                raise
            log.warning(
                "source_call_failed",
                party=flight.call.party.name,
                key=flight.call.key,
                exc_info=raised,
            )
            error = BadAnswer(f"{type(raised).__name__} while reading the answer.")
            note_failure(flight.call.party, flight.probe, error)
        self._finish(flight, error)

    def _finish(
        self, flight: _Flight, error: SourceError | None, *, abandoned: bool = False
    ) -> None:
        """Tell everybody who waits; an abandoned call keeps its lease until that ends."""
        call = flight.call
        if error is not None and flight.lease is not None:
            _remember_failure(call.key, error)
        if flight.lease is not None and not abandoned:
            release(f"flight:{call.key}", flight.lease)
        with _flights_lock:
            if abandoned:
                for key in [
                    key
                    for key, old in _abandoned.items()
                    if old.future is None or old.future.done()
                ]:
                    del _abandoned[key]  # its lease has ended by now, or soon will
                _abandoned[call.key] = flight
            if _flights.get(call.key) is flight:
                del _flights[call.key]
        flight.error = error
        self.outcomes[call.key] = error
        flight.done.set()

    def _abandon(self, flight: _Flight) -> None:
        error = SourceTimeout(f"{flight.call.party.name} did not answer in time.")
        note_failure(flight.call.party, flight.probe, error)
        self._finish(flight, error, abandoned=True)

    def _give_up(self, queue: "deque[Call]") -> None:
        """At the deadline: what is still under way is abandoned."""
        for flight in self.leading:
            self._abandon(flight)
        for flight in self.elsewhere:
            self._finish(flight, SourceTimeout(f"{flight.call.party.name} did not answer in time."))
        for flight in self.following:
            self.outcomes[flight.call.key] = SourceTimeout(
                f"{flight.call.party.name} did not answer in time."
            )
        for call in queue:
            self.outcomes[call.key] = SourceTimeout("There was no time left to ask.")


def _extended(key: str, token: str, seconds: float) -> str | None:
    """A lease of ours made to last `seconds` from now; its new token, None if it had ended."""
    renewed = secrets.token_hex(8)
    holder = change(
        f"lease:{key}", lambda held: renewed if held == token else held, timeout_seconds=seconds
    )
    return renewed if holder == renewed else None


def _release_ended(key: str) -> None:
    """Give back the lease of a call that this process abandoned, once it has ended after all."""
    with _flights_lock:
        flight = _abandoned.get(key)
        if flight is None or flight.future is None or not flight.future.done():
            return
        del _abandoned[key]
    if flight.lease is not None:
        release(f"flight:{key}", flight.lease)


def _start(run: Callable[[], Any], delay: float) -> "Future[Any]":
    """Run in a daemon thread: one that hangs must not keep the process from ending, as a pool's
    would.
    """
    if not _calls.acquire(blocking=False):
        raise TooBusy("Too many calls to third parties hang.", retry_after_seconds=5)
    future: Future[Any] = Future()

    def work() -> None:
        try:
            if delay:
                time.sleep(delay)
            future.set_result(run())
        except BaseException as error:  # noqa: BLE001  handed to whoever waits
            future.set_exception(error)
        finally:
            _calls.release()

    threading.Thread(target=work, name="third-party", daemon=True).start()
    return future


# --- What followers learn of a failure ------------------------------------------------------------


def _remember_failure(key: str, error: SourceError) -> None:
    entry = [type(error).__name__, str(error), error.retry_after_seconds, time.time()]
    change(f"failure:{key}", lambda _: entry, timeout_seconds=60)


def _failure_since(key: str, started: float) -> SourceError | None:
    """The failure of a call that ended after `started`: whoever waited for it does not repeat
    it.
    """
    entry = change(f"failure:{key}", lambda held: held, timeout_seconds=60)
    if not entry or entry[3] < started:
        return None
    known = {kind.__name__: kind for kind in (CircuitOpen, TooBusy)} | vars(sources)
    return known.get(entry[0], SourceUnavailable)(entry[1], entry[2])


# --- For /readyz and the admin --------------------------------------------------------------------


def state() -> dict[str, dict[str, Any]]:
    """Each third party's circuit: `state` closed, open or half_open, failures in a row, seconds to
    wait, reason.
    """
    configured: list[Any] = [*sources.registry().prices, *sources.registry().rates]
    for source in configured:
        if not source.offline:
            party_of(source)
    now = time.time()
    found = {}
    for party in list(parties.values()):
        held = change_circuit(party, lambda value: value)
        seconds = max(0, round(held["open_until"] - now)) if held else 0
        found[party.name] = {
            "state": "closed"
            if not held or not held["open_until"]
            else "open"
            if seconds
            else "half_open",
            "failures": held["failures"] if held else 0,
            "retry_after_seconds": seconds,
            "reason": held["reason"] if held else "",
        }
    return found
