"""The one door to a third party: single flight, rate limit, circuit breaker, a hard deadline.

What several processes must agree on goes through `core.shared.locks`, so a fault of the shared
cache leaves every limit in force within each process. Answers are not kept here: each call states
how its answer is stored and whether a fresh one already is, so that those who waited for another
request's call find it where it is kept.

A call is abandoned after MARKET_DATA_TIMEOUT_SECONDS, or at the asker's deadline.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings

from financeproj.core.shared.waiting import waiting_slot
from financeproj.history.context import current_actor_id
from marketdata import flights, sources
from marketdata.flights import Call, Flight
from marketdata.limits import (
    ABANDONED_SECONDS,
    CircuitOpen,
    InLine,
    Party,
    PartyStatus,
    TooBusy,
    admit,
    circuit_state,
    count_in_hour,
    forget_probe,
    note_failure,
    note_refusal,
    note_success,
    parties,
    party_of,
    status_of,
    take_token,
)
from marketdata.sources import (
    BadAnswer,
    KeyRefused,
    RateLimited,
    Refusal,
    SourceError,
    SourceTimeout,
    SourceUnavailable,
)

__all__ = ["Call", "CircuitOpen", "Party", "TooBusy", "ask", "ask_all", "party_of", "state"]

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# Calls of one asker under way at once.
ASKED_AT_ONCE = 4

POLL_SECONDS = 0.1
# The pauses after which a request that may not wait looks whether another one asks for the same.
LOOKS_FOR_CALL = (0.02, 0.05, 0.1)
# The worker and commands, as askers of a third party.
NO_USER = "worker"
STILL_RUNNING = "Another request for the same data is still running."


def ask(call: Call, *, seconds: float, patience: float | None = None) -> None:
    """Have `call` answered and kept within `seconds`. Raises the SourceError that prevented it."""
    error = ask_all([call], seconds=seconds, patience=patience)[call.key]
    if error is not None:
        raise error


def ask_all(
    calls: Sequence[Call], *, seconds: float, patience: float | None = None
) -> dict[str, SourceError | None]:
    """Have all `calls` answered and kept within `seconds` in all.

    Returns by key the error that prevented it, else None. A call for the same that another request
    has under way is waited for at most `patience` seconds (default: to the end).
    """
    outcomes = _answers(calls, seconds, patience)
    for call in calls:
        error = outcomes[call.key]
        if error is not None and not isinstance(error, Refusal | KeyRefused):
            note_unasked(call.party, error)
    return outcomes


def _answers(
    calls: Sequence[Call], seconds: float, patience: float | None
) -> dict[str, SourceError | None]:
    if not calls:
        return {}
    budget = _budget.get()
    fair_seconds = min(seconds, settings.MARKET_DATA_TIMEOUT_SECONDS)
    if budget is not None:
        if budget.left <= 0:
            spent = SourceTimeout("This request has waited long enough.")
            return {call.key: spent for call in calls}
        seconds = min(seconds, budget.left)
    with _slot_for(calls) as may_wait:
        if not may_wait:
            detail = "Too many requests are waiting for third parties."
            busy = TooBusy(detail, retry_after_seconds=1)
            return {call.key: busy for call in calls}
        begun = time.monotonic()
        try:
            return _Asker(seconds, patience, fair_seconds).answers(calls)
        finally:
            seconds = time.monotonic() - begun
            _log_wait(seconds)
            if budget is not None:
                budget.left -= seconds


@contextmanager
def _slot_for(calls: Sequence[Call]) -> Iterator[bool]:
    """Let this thread wait for `calls` inside, and yield whether it may.

    Those who wait for what is under way already take nothing from their user's share, because they
    all end with that one call.
    """
    for pause in (*LOOKS_FOR_CALL, None):
        owner = current_actor_id()
        if flights.are_under_way(calls):
            owner = None
        with waiting_slot(owner) as may_wait:
            if may_wait or pause is None:
                yield may_wait
                return
        time.sleep(pause)  # the request that has just taken a slot may be about to ask


def _log_wait(seconds: float) -> None:
    """Add to what this request's log line says about its time."""
    bound = structlog.contextvars.get_contextvars()
    if "request_id" in bound:
        waited = bound.get("waited_ms", 0) + round(seconds * 1000, 1)
        structlog.contextvars.bind_contextvars(waited_ms=waited)


@dataclass(slots=True)
class _Budget:
    left: float


_budget: ContextVar[_Budget | None] = ContextVar("budget", default=None)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Bound the time of all that is asked inside to `seconds` together, and to what is left of such
    a block around it.
    """
    outer = _budget.get()
    if outer is not None:
        seconds = min(seconds, outer.left)
    inner = _Budget(seconds)
    token = _budget.set(inner)
    try:
        yield
    finally:
        _budget.reset(token)
        if outer is not None:
            outer.left -= seconds - inner.left


# --- What could not be asked ----------------------------------------------------------------------

_unasked: ContextVar[dict[str, str] | None] = ContextVar("unasked", default=None)


@contextmanager
def noting_unasked() -> Iterator[dict[str, str]]:
    """Collect by third party why it could not be asked inside: `limited` or `unavailable`."""
    noted: dict[str, str] = {}
    token = _unasked.set(noted)
    try:
        yield noted
    finally:
        _unasked.reset(token)


def note_unasked(party: Party, error: SourceError | None = None) -> None:
    """Note that an answer lacks what `party` did not say, because of `error` or one just before."""
    noted = _unasked.get()
    if noted is None:
        return
    is_limited = isinstance(error, RateLimited | TooBusy) or status_of(party).state == "limited"
    noted[party.name] = "limited" if is_limited else "unavailable"


class _Asker:
    """One `ask_all`: leads its own calls, follows those that others lead.

    `fair_seconds` is the time that a call has when the request has not used its own up before.
    """

    def __init__(self, seconds: float, patience: float | None, fair_seconds: float) -> None:
        now = time.monotonic()
        self.fair_seconds = fair_seconds
        self.name = str(current_actor_id() or NO_USER)
        self.deadline = now + seconds
        self.follow_until = self.deadline
        if patience is not None:
            self.follow_until = min(self.deadline, now + patience)
        self.outcomes: dict[str, SourceError | None] = {}
        self.leading: list[Flight] = []
        self.elsewhere: list[Flight] = []  # under way in another process
        self.following: list[Flight] = []  # under way in another thread
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

    # --- Starting calls -------------------------------------------------------------------------

    def _begin(self, call: Call) -> None:
        refusal = self.refused.get(call.party.name)
        if refusal is not None:
            # It holds for all that is left: thousands of calls need not find out one by one.
            self.outcomes[call.key] = refusal
            return
        flight, is_ours = flights.join_or_open(call)
        if not is_ours:
            self.following.append(flight)
        elif not self._lead(flight):
            self.elsewhere.append(flight)

    def _lead(self, flight: Flight) -> bool:
        """Start the call; return False if another process has it under way."""
        call = flight.call
        longest = min(max(self.left, 0), settings.MARKET_DATA_TIMEOUT_SECONDS)
        if not flight.take_lease(longest + ABANDONED_SECONDS):
            return False
        try:
            if call.is_kept():
                self._finish(flight, None)
                return True
            error = flights.failure_since(call.key, flight.started)
            if error is not None:
                self._finish(flight, error)
                return True
            self._launch(flight, longest)
        except SourceError as error:
            self.refused[call.party.name] = error
            self._finish(flight, error)
        except BaseException:
            self._finish(flight, SourceUnavailable("The call was interrupted."))
            raise
        else:
            self.leading.append(flight)
        return True

    def _launch(self, flight: Flight, longest: float) -> None:
        """Start the call's thread if the party may be asked now. Raises a SourceError if not."""
        party = flight.call.party
        admit(party, flight.probe, self.left)
        try:
            delay = self._turn(party)
            count_in_hour(party, self.name)
            if delay:
                flight.extend_lease(longest + delay + ABANDONED_SECONDS)
            flight.begins = time.monotonic() + delay
            ends = flight.begins + settings.MARKET_DATA_TIMEOUT_SECONDS
            flight.ends = min(self.deadline, ends)
            flight.future = flights.start(flight.call.run, delay)
        except SourceError:
            forget_probe(party, flight.probe)
            raise

    def _turn(self, party: Party) -> float:
        """Take a call from the party's bucket; return the seconds to wait before it.

        Where the bucket is shared with others it waits for its place. Raises TooBusy.
        """
        while True:
            try:
                return take_token(party, at_most=self.left / 2, asker=self.name)
            except InLine as error:
                if error.retry_after_seconds is None or error.retry_after_seconds >= self.left:
                    raise
            time.sleep(POLL_SECONDS)

    # --- Waiting --------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Wait until a call of ours is answered, or it is time to look at those of others."""
        poll = max(0, min(POLL_SECONDS, self.left))
        if self.leading:
            self._wait_for_ours()
        elif self.following:
            self.following[0].done.wait(poll)
        elif self.elsewhere:
            time.sleep(poll)

    def _wait_for_ours(self) -> None:
        seconds = min(flight.ends for flight in self.leading) - time.monotonic()
        if self.elsewhere or self.following:
            seconds = min(POLL_SECONDS, seconds)
        futures = [flight.future for flight in self.leading if flight.future]
        done, _ = wait(futures, max(seconds, 0), return_when=FIRST_COMPLETED)
        for flight in list(self.leading):
            if flight.future in done:
                self.leading.remove(flight)
                self._land(flight)
        for flight in list(self.leading):
            if time.monotonic() >= flight.ends:
                self.leading.remove(flight)
                self._abandon(flight)

    def _follow(self) -> None:
        for flight in list(self.following):
            if flight.done.is_set():
                self.following.remove(flight)
                self.outcomes[flight.call.key] = flight.error
        for flight in list(self.elsewhere):
            if self._lead(flight):
                self.elsewhere.remove(flight)
        if time.monotonic() >= self.follow_until:
            self._stop_following(STILL_RUNNING)

    def _stop_following(self, detail: str = "") -> None:
        for flight in self.elsewhere:
            self._finish(flight, SourceTimeout(detail or flight.call.too_late()))
        for flight in self.following:
            error = SourceTimeout(detail or flight.call.too_late())
            self.outcomes[flight.call.key] = error
        self.elsewhere, self.following = [], []

    # --- Ending calls ---------------------------------------------------------------------------

    def _land(self, flight: Flight) -> None:
        """Store the answer of a call that has ended, or note its failure."""
        assert flight.future is not None  # nosec B101  # for mypy
        party = flight.call.party
        error: SourceError | None = None
        try:
            answer = flight.future.result()
            note_success(party, flight.probe)
            flight.call.keep(answer)
        except SourceError as raised:
            error = raised
            if isinstance(raised, Refusal):
                note_refusal(party, flight.probe)
            elif isinstance(raised, KeyRefused):
                note_success(party, flight.probe)
            elif flight.future.exception() is raised:
                note_failure(party, flight.probe, flight.call.key, raised)
        except BaseException as raised:
            if flight.future.exception() is not raised:
                self._finish(flight, SourceUnavailable("The answer could not be stored."))
                raise
            key = flight.call.key
            log.warning("source_call_failed", party=party.name, key=key, exc_info=raised)
            error = BadAnswer(f"{type(raised).__name__} while reading the answer.")
            note_failure(party, flight.probe, key, error)
        self._finish(flight, error)

    def _finish(
        self, flight: Flight, error: SourceError | None, *, abandoned: bool = False
    ) -> None:
        self.outcomes[flight.call.key] = error
        flights.close(flight, error, abandoned=abandoned)

    def _abandon(self, flight: Flight) -> None:
        call = flight.call
        error = SourceTimeout(call.too_late())
        if time.monotonic() - flight.begins >= self.fair_seconds / 2:
            note_failure(call.party, flight.probe, call.key, error)
        else:
            # Cut short by our own deadline: that the party is slow is not certain.
            forget_probe(call.party, flight.probe)
        self._finish(flight, error, abandoned=True)

    def _give_up(self, queue: "deque[Call]") -> None:
        """Abandon what is still under way at the deadline."""
        for flight in self.leading:
            self._abandon(flight)
        self._stop_following()
        for call in queue:
            self.outcomes[call.key] = SourceTimeout("There was no time left to ask.")


# --- For /readyz, /status and the admin -----------------------------------------------------------


def status() -> list[PartyStatus]:
    """Return whether each third party that is in use answers, by name."""
    _name_configured()
    return [status_of(party) for _, party in sorted(parties.items())]


def _name_configured() -> None:
    """Make the parties behind the sources of the settings that need the network."""
    configured: list[Any] = [*sources.registry().prices, *sources.registry().rates]
    for source in configured:
        if not source.offline:
            party_of(source)


def state() -> dict[str, dict[str, Any]]:
    """Return each third party's circuit.

    `state` is closed, open or half_open; then come the failures in a row, the seconds to wait and
    the reason.
    """
    _name_configured()
    return {party.name: circuit_state(party) for party in list(parties.values())}
