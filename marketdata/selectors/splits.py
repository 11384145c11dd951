"""The splits that the source knows, with whether they count for one user's holdings."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db.models import OuterRef, Subquery

from marketdata.calc.events import Event, is_booked_by_itself, is_known_by_hand
from marketdata.models import HeldBack, HeldBackAnswer, StockMetadata, StockSplit

State = HeldBack.State


@dataclass(frozen=True, slots=True)
class KnownSplit:
    """A split of the source, or one entered by hand for the instrument.

    `state` is that of `HeldBack`, with the user's answer; `pk` is its row, None without one.
    """

    date: date
    ratio: Decimal
    state: str = State.BELIEVED
    reason: str = ""
    pk: UUID | None = None


def known_splits(stock_ids: Collection[UUID], *, user_id: UUID) -> dict[UUID, list[KnownSplit]]:
    """Return the splits of each instrument, oldest first, withdrawn ones too. Two queries."""
    known: dict[UUID, list[KnownSplit]] = defaultdict(list)
    with_row = set()
    answer = HeldBackAnswer.objects.filter(held_back=OuterRef("pk"), user=user_id)
    rows = HeldBack.objects.filter(kind=HeldBack.Kind.SPLIT, stock__in=stock_ids)
    rows = rows.annotate(answer=Subquery(answer.values("accepted")[:1]))
    by_hand: dict[UUID | None, list[Event]] = defaultdict(list)
    splits = list(StockSplit.objects.filter(stock__in=stock_ids))
    for split in splits:
        if split.source == StockMetadata.MANUAL:
            by_hand[split.stock_id].append((split.date, split.ratio))
            known[split.stock_id].append(KnownSplit(split.date, split.ratio))
    for row in rows:
        known_by_hand = is_known_by_hand((row.date, row.value), by_hand[row.stock_id])
        if row.stock_id is None or known_by_hand:
            continue
        if row.state != State.WITHDRAWN:
            with_row.add((row.stock_id, row.date))
        state = _state_for(row.state, row.answer)
        known[row.stock_id].append(KnownSplit(row.date, row.value, state, row.reason, row.pk))
    for split in splits:
        is_judged = (split.stock_id, split.date) in with_row
        if split.source != StockMetadata.MANUAL and not is_judged:
            known[split.stock_id].append(_unjudged(split))
    for found in known.values():
        found.sort(key=lambda split: split.date)
    return known


def _state_for(state: str, accepted: bool | None) -> str:
    """Return the state of a split for a user whose answer is `accepted` (None: not answered)."""
    if accepted is False:
        return State.DISMISSED
    if accepted and state != State.WITHDRAWN:
        return State.ACCEPTED
    return state


def _unjudged(split: StockSplit) -> KnownSplit:
    """Judge a split that was stored before splits were held back."""
    if is_booked_by_itself(split.ratio):
        return KnownSplit(split.date, split.ratio)
    reason = HeldBack.Reason.PRICE_FACTOR
    return KnownSplit(split.date, split.ratio, State.HELD_BACK, reason)
