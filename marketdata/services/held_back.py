"""Write what a source says and is not believed (the model `HeldBack`).

For checks of prices and rates:

- `hold_back(thing, kind, doubts, source)` stores what is not believed now. What a person accepted
  or dismissed before keeps that state. A repeated call changes `seen_at` alone.
- `believe(thing, kind, values)` ends the doubt about the days of `values`: a held-back row of the
  same value becomes `believed`, one of another value `withdrawn`.
- `dismissed(thing, kind)` and `accepted(thing, kind)` give what a person decided, as
  `{(day, value)}`; `is_dismissed(thing, kind, day, value)` asks for one.

`thing` is the locked instrument, or the pair where `kind` is a rate. None of them writes the series
or moves a version: the caller does that in the same transaction.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

import structlog
from django.db.models import QuerySet
from django.utils import timezone

from marketdata.calc.price_belief import Doubted
from marketdata.calc.sanity import Doubt
from marketdata.models import CurrencyPair, HeldBack, StockMetadata

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

State = HeldBack.State
Kind = HeldBack.Kind
Value = tuple[date, Decimal]
DECIDED = (State.ACCEPTED, State.DISMISSED)


def rows_about(thing: StockMetadata | CurrencyPair, kind: str) -> QuerySet[HeldBack]:
    """Return the rows of an instrument or pair that the source still says."""
    rows = HeldBack.objects.filter(kind=kind).exclude(state=State.WITHDRAWN)
    if isinstance(thing, CurrencyPair):
        return rows.filter(pair=thing)
    return rows.filter(stock=thing)


def accepted_and_doubted(rows: QuerySet[HeldBack]) -> tuple[set[date], dict[date, Doubted]]:
    """Return the days that a person accepted, and what is dismissed or held back, by day.

    `rows` are of one instrument or pair and one kind. A dismissed value counts before a held-back
    one of the same day.
    """
    accepted: set[date] = set()
    doubted: dict[date, Doubted] = {}
    for row in rows.exclude(state=State.BELIEVED):
        if row.state == State.ACCEPTED:
            accepted.add(row.date)
        elif row.state == State.DISMISSED:
            doubted[row.date] = Doubted(row.value, row.reason, is_dismissed=True)
        else:
            doubted.setdefault(row.date, Doubted(row.value, row.reason))
    return accepted, doubted


def hold_back(
    *,
    thing: StockMetadata | CurrencyPair,
    kind: str,
    doubts: Sequence[Doubt],
    source: str,
) -> int:
    """Store `doubts`, at most one a day, and return how many were not held back before.

    An undecided doubt about the same day takes the new value: the source says something else now.
    """
    if not doubts:
        return 0
    now = timezone.now()
    by_value: dict[Value, HeldBack] = {}
    undecided: dict[date, HeldBack] = {}
    for stored in rows_about(thing, kind):
        by_value[stored.date, stored.value] = stored
        if stored.state == State.HELD_BACK:
            undecided[stored.date] = stored
    new: list[HeldBack] = []
    changed: list[HeldBack] = []
    news = 0
    for doubt in doubts:
        known = by_value.get((doubt.date, doubt.value)) or undecided.get(doubt.date)
        if known is not None:
            row = known
            changed.append(row)
        else:
            row = HeldBack(kind=kind, date=doubt.date, value=doubt.value, source=source)
            if isinstance(thing, CurrencyPair):
                row.pair = thing
            else:
                row.stock = thing
            new.append(row)
            news += 1
        row.seen_at = now
        if row.state in DECIDED:
            continue
        if row.state != State.HELD_BACK:
            row.state = State.HELD_BACK
            news += 1
        row.value = doubt.value
        row.reason = doubt.reason
        row.before = doubt.before
    columns = ["state", "value", "reason", "before", "seen_at"]
    HeldBack.objects.bulk_update(changed, columns, batch_size=500)
    HeldBack.objects.bulk_create(new, batch_size=500)
    if news:
        days = sorted({str(doubt.date) for doubt in doubts})
        log.warning("held_back", kind=kind, thing=str(thing), days=days)
    return news


def believe(
    *, thing: StockMetadata | CurrencyPair, kind: str, values: Iterable[Value]
) -> list[HeldBack]:
    """End the doubt about the days of `values`, which are believed now; return the changed rows."""
    said = dict(values)
    changed = []
    for row in rows_about(thing, kind).filter(state=State.HELD_BACK):
        if row.date not in said:
            continue
        if row.value == said[row.date]:
            row.state = State.BELIEVED
        else:
            row.state = State.WITHDRAWN
        changed.append(row)
    HeldBack.objects.bulk_update(changed, ["state"], batch_size=500)
    return changed


def dismissed(thing: StockMetadata | CurrencyPair, kind: str) -> set[Value]:
    """Return what a person dismissed: never to be believed by itself."""
    return _decided(thing, kind, State.DISMISSED)


def accepted(thing: StockMetadata | CurrencyPair, kind: str) -> set[Value]:
    """Return what a person accepted: never to be held back again."""
    return _decided(thing, kind, State.ACCEPTED)


def is_dismissed(
    *, thing: StockMetadata | CurrencyPair, kind: str, day: date, value: Decimal
) -> bool:
    """Return whether a person dismissed `value` of `day`."""
    return (day, value) in dismissed(thing, kind)


def _decided(thing: StockMetadata | CurrencyPair, kind: str, state: str) -> set[Value]:
    return set(rows_about(thing, kind).filter(state=state).values_list("date", "value"))
