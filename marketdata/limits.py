"""How often and whether a third party is asked, shared by all processes.

A circuit breaker stops asking after failures, and a rate limit bounds the calls.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import structlog

from financeproj.core.shared.locks import change
from marketdata.sources import RateLimited, SourceError, SourceUnavailable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# The circuit opens after this many failures in a row about as many different things, since one
# thing alone may be at fault; or after more failures about whatever.
FAILURES_TO_OPEN = 5
THINGS_TO_OPEN = 3
FAILURES_ABOUT_FEWER_THINGS = 10
OPEN_SECONDS = 30
RATE_LIMITED_SECONDS = 60
LONGEST_OPEN_SECONDS = 3600
# How long after its deadline an abandoned call still counts as under way.
ABANDONED_SECONDS = 2


class CircuitOpen(SourceUnavailable):
    """Not asked: it failed too often just now, or is rate-limiting us."""


class TooBusy(SourceUnavailable):
    """Not asked: too many requests are waiting already, or our own rate limit is used up."""


@dataclass(frozen=True, slots=True)
class Party:
    """A third party and how often it may be asked.

    `calls_per_second` on average, `burst` at once after a pause, and never more than
    `calls_per_hour` in any hour.
    """

    name: str
    calls_per_second: float = 1
    burst: int = 20
    calls_per_hour: int | None = None

    def __post_init__(self) -> None:
        parties[self.name] = self


parties: dict[str, Party] = {}


def party_of(source: Any) -> Party:
    """Return the party behind a source; sources of one name share one."""
    return parties.get(source.name) or Party(source.name)


# --- Circuit breaker ------------------------------------------------------------------------------


# The shared state of a circuit; it is absent while all is well. `open_until` and `probe_until` are
# times, 0 for none; `period` is how long it was last open for a rate limit, `probe` the one call
# that is let through when that time is over. `things` are keys of calls that failed in a row, only
# as many as are needed to open it; `since` is when the first of them failed.
class Circuit(TypedDict):
    failures: int
    since: float
    things: list[str]
    open_until: float
    period: float
    probe: str
    probe_until: float
    reason: str


_NO_FAILURES: Circuit = {
    "failures": 0,
    "since": 0,
    "things": [],
    "open_until": 0,
    "period": 0,
    "probe": "",
    "probe_until": 0,
    "reason": "",
}


def _change_circuit(
    party: Party, step: Callable[[Circuit | None], Circuit | None]
) -> Circuit | None:
    return change(f"circuit:{party.name}", step, timeout_seconds=2 * LONGEST_OPEN_SECONDS)


def _is_open(circuit: Circuit | None) -> bool:
    return bool(circuit and circuit["open_until"])


@dataclass(frozen=True, slots=True)
class PartyStatus:
    """Whether a third party answers: `state` is `ok`, `limited` (it asks for fewer calls) or
    `unavailable`.

    `since` is when the first of its failures in a row was, `next_try` when it is asked again,
    None for the next question. Both are times of day in seconds.
    """

    name: str
    state: Literal["ok", "limited", "unavailable"] = "ok"
    since: float | None = None
    next_try: float | None = None
    reason: str | None = None


def status_of(party: Party) -> PartyStatus:
    """Return whether the party answered when it was last asked."""
    circuit = _change_circuit(party, lambda held: held)
    if circuit is None or not circuit["failures"]:
        return PartyStatus(party.name)
    return PartyStatus(
        name=party.name,
        state="limited" if circuit["period"] else "unavailable",
        since=circuit.get("since") or None,
        next_try=max(circuit["open_until"], circuit["probe_until"]) or None,
        reason=circuit["reason"],
    )


def circuit_state(party: Party) -> dict[str, Any]:
    """Return `state`, `failures`, `retry_after_seconds` and `reason` of the party's circuit."""
    circuit = _change_circuit(party, lambda held: held) or _NO_FAILURES
    seconds = max(0, round(circuit["open_until"] - time.time()))
    state = "closed"
    if _is_open(circuit):
        state = "open" if seconds else "half_open"
    return {
        "state": state,
        "failures": circuit["failures"],
        "retry_after_seconds": seconds,
        "reason": circuit["reason"],
    }


def admit(party: Party, probe: str, seconds: float) -> None:
    """Let a call through while the circuit is closed, and one probe when its time is over.

    The probe may take `seconds`. Raises CircuitOpen.
    """
    now = time.time()

    def step(held: Circuit | None) -> Circuit | None:
        if held is None or not _is_open(held):
            return held
        if now < held["open_until"] or now < held["probe_until"]:
            return held
        return {**held, "probe": probe, "probe_until": now + seconds + ABANDONED_SECONDS}

    circuit = _change_circuit(party, step)
    if circuit is not None and _is_open(circuit) and circuit["probe"] != probe:
        wait_seconds = max(circuit["open_until"] - now, 0) or circuit["probe_until"] - now
        detail = f"{party.name} is not asked for now: {circuit['reason']}"
        raise CircuitOpen(detail, max(wait_seconds, 1))


def forget_probe(party: Party, probe: str) -> None:
    """Let another call be the probe: this one was not made."""

    def step(held: Circuit | None) -> Circuit | None:
        if held is not None and held["probe"] == probe:
            return {**held, "probe": "", "probe_until": 0}
        return held

    _change_circuit(party, step)


def note_success(party: Party, probe: str) -> None:
    """Close the circuit, unless the answer is to a call from before it opened."""

    def step(held: Circuit | None) -> Circuit | None:
        if held is not None and _is_open(held) and held["probe"] != probe:
            return held
        return None

    _change_circuit(party, step)


def note_refusal(party: Party, probe: str) -> None:
    """Close an open circuit if this refused question was the probe: the party answers.

    Else nothing changes: a refusal neither counts as a failure nor ends a row of them.
    """

    def step(held: Circuit | None) -> Circuit | None:
        if held is not None and _is_open(held) and held["probe"] == probe:
            return None
        return held

    _change_circuit(party, step)


def note_failure(party: Party, probe: str, thing: str, error: SourceError) -> None:
    """Count a failure to learn `thing`, and open the circuit after too many or a rate limit.

    Where it is open then, `error.retry_after_seconds` becomes how long it stays open.
    """
    now = time.time()
    jitter = 1 + random.uniform(0, 0.01)  # nosec B311  # spreads the calls, no secret

    def step(held: Circuit | None) -> Circuit:
        circuit = held or _NO_FAILURES
        was_open = _is_open(circuit)
        if was_open and circuit["probe"] != probe:
            return circuit
        failures = circuit["failures"] + 1
        things = sorted({*circuit.get("things", []), thing})[:THINGS_TO_OPEN]
        changed: Circuit = {
            **_NO_FAILURES,
            "failures": failures,
            "since": circuit.get("since") or now,
            "things": things,
            "reason": str(error),
        }
        if isinstance(error, RateLimited):
            period = _rate_limited_seconds(error, circuit)
            changed["period"] = period
            changed["open_until"] = now + period * jitter
        elif was_open or _are_too_many(failures, things):
            changed["open_until"] = now + OPEN_SECONDS * jitter
        return changed

    circuit = _change_circuit(party, step) or _NO_FAILURES
    left = circuit["open_until"] - now
    if left > 0:
        error.retry_after_seconds = left
    log.warning(
        "source_failed",
        party=party.name,
        error=type(error).__name__,
        detail=str(error),
        circuit=circuit,
    )


def _are_too_many(failures: int, things: list[str]) -> bool:
    if failures >= FAILURES_ABOUT_FEWER_THINGS:
        return True
    return failures >= FAILURES_TO_OPEN and len(things) >= THINGS_TO_OPEN


def _rate_limited_seconds(error: RateLimited, circuit: Circuit) -> float:
    """Return how long to stay away: what the party asks for, at least twice the last time."""
    seconds = error.retry_after_seconds or RATE_LIMITED_SECONDS
    if _is_open(circuit):
        seconds = max(seconds, 2 * circuit["period"])
    return min(LONGEST_OPEN_SECONDS, seconds)


# --- Rate limit -----------------------------------------------------------------------------------


# How long an asker that had to wait counts as waiting, after its turn.
WAITING_SECONDS = 10.0


# The bucket of a party: by asker the calls that were made and are not refilled yet, as of
# `refilled_at`, and until when an asker counts as waiting.
class Bucket(TypedDict):
    used: dict[str, float]
    refilled_at: float
    waiting: dict[str, float]


# The calls of the last hour, oldest first, each with its asker.
class Hour(TypedDict):
    made: list[tuple[float, str]]
    waiting: dict[str, float]


class InLine(TooBusy):
    """Not asked yet: the bucket is shared with other askers. The turn comes if it is waited for."""


def take_token(party: Party, at_most: float, asker: str) -> float:
    """Take one call from the party's bucket; return the seconds to wait before it.

    An asker gets at most half of the bucket while another one waits, else all of it. Raises TooBusy
    if the seconds are more than `at_most`, InLine because of others; then nothing is taken.
    """
    now = time.time()
    half = party.burst / 2
    delay = 0.0
    refusal: TooBusy | None = None

    def step(held: Bucket | None) -> Bucket:
        nonlocal delay, refusal
        used, waiting = _refilled(party, held, now), _still_waiting(held, now)
        own = used.get(asker, 0.0)
        has_less_than_half = own + 1 <= half
        is_shared = bool(waiting.keys() - {asker})
        delay = max(0.0, (sum(used.values()) + 1 - party.burst) / party.calls_per_second)
        refusal = None
        if is_shared and not has_less_than_half:
            until_half = (own + 1 - half) / party.calls_per_second
            refusal = InLine(_too_often(party), max(delay, until_half))
        elif delay > at_most:
            kind = InLine if is_shared or has_less_than_half else TooBusy
            refusal = kind(_too_often(party), delay)
        else:
            used[asker] = own + 1
        if delay or refusal:
            waiting[asker] = now + delay + WAITING_SECONDS
        return {"used": used, "refilled_at": now, "waiting": waiting}

    forgotten_after = (party.burst + 10) / party.calls_per_second + WAITING_SECONDS
    change(f"bucket:{party.name}", step, timeout_seconds=forgotten_after)
    if refusal is not None:
        raise refusal
    return delay


def _too_often(party: Party) -> str:
    return f"{party.name} has been asked too often just now."


def _refilled(party: Party, held: Bucket | None, now: float) -> dict[str, float]:
    """Return what each asker has used up; a refill gives to all in proportion."""
    if held is None:
        return {}
    total = sum(held["used"].values())
    refill = max(0.0, now - held["refilled_at"]) * party.calls_per_second
    if refill >= total:
        return {}
    return {asker: used * (1 - refill / total) for asker, used in held["used"].items()}


def _still_waiting(held: Bucket | Hour | None, now: float) -> dict[str, float]:
    if held is None:
        return {}
    return {asker: until for asker, until in held["waiting"].items() if until > now}


def count_in_hour(party: Party, asker: str) -> None:
    """Count one call against the party's limit an hour. Raises TooBusy when it is used up.

    An asker may make half of the calls while another one waits, else all of them.
    """
    if party.calls_per_hour is None:
        return
    now = time.time()
    limit = party.calls_per_hour
    wait_seconds = 0.0

    def step(held: Hour | None) -> Hour:
        nonlocal wait_seconds
        waiting = _still_waiting(held, now)
        made = [(at, by) for at, by in held["made"] if at > now - 3600] if held else []
        own = [at for at, by in made if by == asker]
        wait_seconds = 0.0
        if len(made) >= limit:
            wait_seconds = made[0][0] + 3600 - now
        elif waiting.keys() - {asker} and len(own) >= limit // 2:
            wait_seconds = own[0] + 3600 - now
        else:
            made.append((now, asker))
        if wait_seconds:
            waiting[asker] = now + wait_seconds + WAITING_SECONDS
        return {"made": made, "waiting": waiting}

    change(f"calls-in-hour:{party.name}", step, timeout_seconds=3600 + WAITING_SECONDS)
    if wait_seconds:
        detail = f"{party.name} has been asked {limit} times in an hour, which is our own limit."
        raise TooBusy(detail, wait_seconds)
