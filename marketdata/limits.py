"""How often and whether a third party is asked: the circuit breaker and the rate limit, shared by
all processes.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from financeproj.core.shared.locks import change
from marketdata.sources import RateLimited, SourceError, SourceUnavailable

log = structlog.get_logger(__name__)

FAILURES_TO_OPEN = 5
OPEN_SECONDS = 30
RATE_LIMITED_SECONDS = 60
LONGEST_OPEN_SECONDS = 3600
# How long after its deadline an abandoned call still counts as under way.
ABANDONED_SECONDS = 2


class CircuitOpen(SourceUnavailable):
    """Not asked: it failed too often just now, or asked for patience."""


class TooBusy(SourceUnavailable):
    """Not asked: too many are waiting already, or our own rate limit is used up."""


@dataclass(frozen=True, slots=True)
class Party:
    """A third party: what it may be asked.

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
    """The party behind a source; sources of one name share one."""
    return parties.get(source.name) or Party(source.name)


# --- Circuit breaker
# ---------------------------------------------------------------------------------------------- The
# shared value is absent while all is well, else {failures, open_until, period, probe, probe_until,
# reason}.


def _circuit_key(party: Party) -> str:
    return f"circuit:{party.name}"


def change_circuit(
    party: Party, function: Callable[[dict[str, Any] | None], dict[str, Any] | None]
) -> Any:
    return change(_circuit_key(party), function, timeout_seconds=2 * LONGEST_OPEN_SECONDS)


def admit(party: Party, probe: str, seconds: float) -> None:
    """Let a call through while the circuit is closed, and one probe when its time is over. Raises
    CircuitOpen.
    """
    now = time.time()

    def step(held: dict[str, Any] | None) -> dict[str, Any] | None:
        if held and held["open_until"] and now >= held["open_until"] and now >= held["probe_until"]:
            return {**held, "probe": probe, "probe_until": now + seconds + ABANDONED_SECONDS}
        return held

    held = change_circuit(party, step)
    if held and held["open_until"] and held["probe"] != probe:
        wait_for = max(held["open_until"] - now, 0) or held["probe_until"] - now
        raise CircuitOpen(f"{party.name} is not asked for now: {held['reason']}", max(wait_for, 1))


def forget_probe(party: Party, probe: str) -> None:
    def step(held: dict[str, Any] | None) -> dict[str, Any] | None:
        return {**held, "probe": "", "probe_until": 0} if held and held["probe"] == probe else held

    change_circuit(party, step)


def note_success(party: Party, probe: str) -> None:
    """One answered probe closes the circuit; an answer to a call from before it opened says
    nothing.
    """

    def step(held: dict[str, Any] | None) -> dict[str, Any] | None:
        return held if held and held["open_until"] and held["probe"] != probe else None

    change_circuit(party, step)


def note_failure(party: Party, probe: str, error: SourceError) -> None:
    """Count the failure; where the circuit is open after it, `error` says how long it stays so."""
    now = time.time()
    jitter = 1 + random.uniform(0, 0.01)  # nosec B311  # spreads the calls, no secret

    def step(held: dict[str, Any] | None) -> dict[str, Any]:
        held = held or {
            "failures": 0,
            "open_until": 0,
            "period": 0,
            "probe": "",
            "probe_until": 0,
            "reason": "",
        }
        was_open = bool(held["open_until"])
        if was_open and held["probe"] != probe:
            return held
        failures = held["failures"] + 1
        period: float = 0
        if isinstance(error, RateLimited):
            asked = error.retry_after_seconds or RATE_LIMITED_SECONDS
            period = min(LONGEST_OPEN_SECONDS, max(asked, 2 * held["period"] if was_open else 0))
        elif was_open or failures >= FAILURES_TO_OPEN:
            period = OPEN_SECONDS
        return {
            "failures": failures,
            "open_until": now + period * jitter if period else 0,
            "period": period if isinstance(error, RateLimited) else 0,
            "probe": "",
            "probe_until": 0,
            "reason": str(error),
        }

    held = change_circuit(party, step)
    if (left := held["open_until"] - now) > 0:
        error.retry_after_seconds = left
    log.warning(
        "source_failed",
        party=party.name,
        error=type(error).__name__,
        detail=str(error),
        circuit=held,
    )


# --- Rate limit -----------------------------------------------------------------------------------


def take_token(party: Party, at_most: float) -> float:
    """Take one call from the party's bucket: the seconds to wait before it. Raises TooBusy if more
    than `at_most`.
    """
    now = time.time()
    outcome: dict[str, float] = {}

    def step(held: list[float] | None) -> list[float]:
        tokens, at = held or (float(party.burst), now)
        tokens = min(float(party.burst), tokens + max(0.0, now - at) * party.calls_per_second) - 1
        outcome["delay"] = max(0.0, -tokens / party.calls_per_second)
        return [tokens + 1 if outcome["delay"] > at_most else tokens, now]

    change(
        f"tokens:{party.name}", step, timeout_seconds=(party.burst + 10) / party.calls_per_second
    )
    if outcome["delay"] > at_most:
        raise TooBusy(f"{party.name} has been asked too often just now.", outcome["delay"])
    return outcome["delay"]


def count_in_hour(party: Party) -> None:
    """Count one call against the party's ceiling. Raises TooBusy when the last hour has had them
    all.
    """
    if party.calls_per_hour is None:
        return
    now = time.time()
    ceiling = party.calls_per_hour
    outcome: list[float] = []

    def step(held: list[float] | None) -> list[float]:
        made = [at for at in held or [] if at > now - 3600]
        outcome[:] = [made[0] + 3600 - now] if len(made) >= ceiling else []
        return made if outcome else [*made, now]

    change(f"hour:{party.name}", step, timeout_seconds=3600)
    if outcome:
        raise TooBusy(
            f"{party.name} has been asked {ceiling} times in an hour, which is our own limit.",
            outcome[0],
        )
