"""What runs in the background, and which third parties answer, for a user."""

from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from financeproj.users.models import User
from integrations.heartbeat import worker_is_alive
from marketdata import gateway
from marketdata.limits import PartyStatus
from portfolios.models import ImportBatch
from portfolios.reports.held_back import held_back_for
from portfolios.selectors import imports_visible_to


class SourceStatusPayload(Struct):
    """Whether a third party answers: `limited` if it asks for fewer calls.

    `since` is when its failures in a row began, `next_try` null if the next question is asked.
    """

    name: str
    state: Literal["ok", "limited", "unavailable"]
    since: datetime | None
    next_try: datetime | None
    reason: str | None


class StatusPayload(Struct):
    """`worker` is whether one is running; the counts are those of the user."""

    worker: bool
    sources: list[SourceStatusPayload]
    imports_running: int
    held_back: int


def status_for(user: User) -> StatusPayload:
    """Return the state of the installation, and what waits for the user."""
    running = imports_visible_to(user).filter(state=ImportBatch.State.RUNNING)
    return StatusPayload(
        worker=worker_is_alive(),
        sources=list(map(_source_status, gateway.status())),
        imports_running=running.count(),
        held_back=len(held_back_for(user)),
    )


def _source_status(party: PartyStatus) -> SourceStatusPayload:
    return SourceStatusPayload(
        name=party.name,
        state=party.state,
        since=_moment(party.since),
        next_try=_moment(party.next_try),
        reason=party.reason,
    )


def _moment(seconds: float | None) -> datetime | None:
    """Return a time of day in whole seconds; None stays None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(int(seconds), UTC)
