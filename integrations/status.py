"""What runs in the background, and which third parties answer, for a user."""

from datetime import UTC, datetime
from typing import Literal

from django.db.models import Q
from msgspec import Struct

from financeproj.users.models import User
from integrations.heartbeat import worker_is_alive
from marketdata import gateway
from marketdata.limits import PartyStatus
from marketdata.models import HeldBack
from portfolios.models import ImportBatch
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
    """Return the state of the installation, and what waits for the user. Two queries."""
    running = imports_visible_to(user).filter(state=ImportBatch.State.RUNNING)
    return StatusPayload(
        worker=worker_is_alive(),
        sources=list(map(_source_status, gateway.status())),
        imports_running=running.count(),
        held_back=_count_held_back(user),
    )


def _count_held_back(user: User) -> int:
    """Count what waits for an answer: splits and dividends of what the user holds, and for staff
    prices and rates.
    """
    events = Q(kind__in=[HeldBack.Kind.SPLIT, HeldBack.Kind.DIVIDEND])
    waiting = events & Q(stock__holdings__portfolio__user=user)
    if user.is_staff:
        waiting |= ~events
    found = HeldBack.objects.filter(waiting, state=HeldBack.State.HELD_BACK)
    return found.exclude(answers__user=user).distinct().count()


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
