"""Keep the stored splits and dividends of a source equal to what it says now.

A split of a source has a row in `HeldBack`, whose state says whether it is booked. `StockSplit` has
those that count wherever closes of different days are compared: booked ones and price factors.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from financeproj.core.db.fields import latest_day
from financeproj.core.money import ONE
from marketdata.calc.events import (
    SPLIT_DAYS,
    Event,
    is_booked_by_itself,
    is_known_by_hand,
    is_visible,
    lacks_split,
    pair_events,
    read_ratio,
    shows_split,
)
from marketdata.calc.sanity import Doubt, split_factor
from marketdata.models import HeldBack, HistoricalStockPrice, StockMetadata, StockSplit
from marketdata.services.days import put_days
from marketdata.services.held_back import hold_back, rows_about
from marketdata.signals import splits_recorded

MANUAL = StockMetadata.MANUAL
# A replaced close may be this far from what the changed splits make of the stored one.
EXPLAINED_WITHIN = Decimal("0.05")
# A source says a split in time if it does so this soon after its day.
SAID_IN_TIME = timedelta(days=4)

State = HeldBack.State
Reason = HeldBack.Reason
Kind = HeldBack.Kind
COLUMNS = ("date", "value", "before", "reason", "state", "absent_since")


@dataclass(slots=True)
class SplitChange:
    """The splits that a source moved, corrected, withdrew or said again, before and after that."""

    before: list[Event] = field(default_factory=list)
    after: list[Event] = field(default_factory=list)
    is_changed: bool = False

    def explains(self, day: date, stored: Decimal, said: Decimal) -> bool:
        """Return whether the change of splits makes `said` of the `stored` close of `day`."""
        old = split_factor(self.before, day, date.max)
        new = split_factor(self.after, day, date.max)
        if old == new or not stored:
            return False
        return abs(said / stored * old / new - ONE) <= EXPLAINED_WITHIN


def split_rows(stock: StockMetadata, source: str) -> list[HeldBack]:
    """Return what the source says of splits; stored ones without a row get one (unsaved)."""
    rows = list(rows_about(stock, Kind.SPLIT).filter(source=source).order_by("date"))
    known = {row.date for row in rows}
    stored = StockSplit.objects.filter(stock=stock, source=source).exclude(date__in=known)
    for split in stored:
        row = _new_row(stock, Kind.SPLIT, (split.date, split.ratio), source)
        _judge(row, is_shown=True)
        rows.append(row)
    return rows


def differs(*, stock: StockMetadata, said: Sequence[Event], source: str, since: date) -> bool:
    """Return whether the splits of an answer differ from the stored ones of its days."""
    stored = {(row.date, row.value) for row in split_rows(stock, source) if row.date >= since}
    return stored != set(_read_splits(said))


def has_absent_events(stock: StockMetadata) -> bool:
    """Return whether an answer of an earlier day lacked a split or dividend that is stored."""
    today = timezone.localdate()
    lacking = HeldBack.objects.filter(stock=stock, absent_since__lt=today)
    if lacking.exclude(state=State.WITHDRAWN).exists():
        return True
    return stock.dividends.filter(absent_since__lt=today).exists()


@transaction.atomic
def sync_splits(
    *,
    stock: StockMetadata,
    said: Sequence[Event],
    source: str,
    since: date,
    withdraws: bool,
    closes: Sequence[Event] = (),
) -> SplitChange:
    """Make the splits of `source` equal to those `said` from `since` on; `stock` is locked.

    With `withdraws` a split that is gone is withdrawn once an answer of another day lacks it too.
    `closes` are those of the answer, as traded, in which a large new split has to show. Sends
    `splits_recorded` where anything changed.
    """
    rows = split_rows(stock, source)
    stored = {row.pk: _columns_of(row) for row in rows if not row._state.adding}
    change = SplitChange()
    news = _read_splits(said)
    moves: list[tuple[Event, Event]] = []
    change.is_changed = any(row._state.adding for row in rows)
    pairing = pair_events(_events(rows), news, days=SPLIT_DAYS, since=since)
    for one, other in pairing.pairs:
        row, event = rows[one], news[other]
        row.absent_since = None
        old = (row.date, row.value)
        if old == event:
            continue
        moves.append((old, event))
        change.before.append(old)
        change.after.append(event)
        if row.value != event[1]:
            row.before = row.value
        row.date, row.value = event
        if row.reason != Reason.NOT_SHOWN and row.state != State.DISMISSED:
            was_seen = row.state == State.BELIEVED and is_visible(old[1])
            _judge(row, is_shown=was_seen or not _is_lacking(row, stock, closes))
    for other in pairing.new:
        change.is_changed = True
        row = _row_of_new_split(stock, news[other], source, closes)
        if not row._state.adding or _was_missing(row, stock, closes):
            change.after.append(news[other])
        rows.append(row)
    if withdraws:
        for one in pairing.gone:
            if _note_absence(rows[one]):
                change.is_changed = True
                change.before.append((rows[one].date, rows[one].value))
    for row in rows:
        if _show(row, stock, closes):
            change.is_changed = True
            if _was_missing(row, stock, closes):
                change.after.append((row.date, row.value))
    changed = [row for row in rows if stored.get(row.pk) != _columns_of(row)]
    HeldBack.objects.bulk_update(
        [row for row in changed if not row._state.adding], COLUMNS, batch_size=500
    )
    HeldBack.objects.bulk_create([row for row in changed if row._state.adding])
    change.is_changed |= _project(stock, rows, source)
    change.is_changed |= bool(moves)
    if change.is_changed:
        splits_recorded.send(sender=StockSplit, stock=stock, by_hand=False, moves=moves)
    return change


def _events(rows: Sequence[HeldBack]) -> list[Event]:
    return [(row.date, row.value) for row in rows if row.state != State.WITHDRAWN]


def _read_splits(said: Sequence[Event]) -> list[Event]:
    """Return the splits among `said` whose day has begun, one a day, oldest first."""
    read = {}
    last = latest_day()
    for day, ratio in said:
        stored = read_ratio(ratio)
        if stored is not None and day <= last:
            read[day] = stored
    return sorted(read.items())


def _new_row(stock: StockMetadata, kind: str, event: Event, source: str) -> HeldBack:
    day, value = event
    return HeldBack(kind=kind, stock=stock, date=day, value=value, source=source)


def _judge(row: HeldBack, *, is_shown: bool) -> None:
    """Set state and reason of a split by its ratio, and whether the closes show it."""
    row.state, row.reason = State.BELIEVED, ""
    if not is_shown:
        row.state, row.reason = State.HELD_BACK, Reason.NOT_SHOWN
    elif not is_booked_by_itself(row.value):
        row.state, row.reason = State.HELD_BACK, Reason.PRICE_FACTOR


def _row_of_new_split(
    stock: StockMetadata, event: Event, source: str, closes: Sequence[Event]
) -> HeldBack:
    """Return the row of a split that the source did not say before; a withdrawn one comes back."""
    withdrawn = HeldBack.objects.filter(
        kind=Kind.SPLIT,
        stock=stock,
        source=source,
        state=State.WITHDRAWN,
        date=event[0],
        value=event[1],
    ).first()
    if withdrawn is not None:
        withdrawn.absent_since = None
        was_shown = withdrawn.reason != Reason.NOT_SHOWN
        _judge(withdrawn, is_shown=was_shown or not _is_lacking(withdrawn, stock, closes))
        return withdrawn
    row = _new_row(stock, Kind.SPLIT, event, source)
    _judge(row, is_shown=not _is_lacking(row, stock, closes))
    return row


def _is_lacking(row: HeldBack, stock: StockMetadata, closes: Sequence[Event]) -> bool:
    """Return whether the first close on or after the day of a large split stands as before it."""
    after = [close for day, close in closes if day >= row.date and close > 0]
    if not after or not is_visible(row.value):
        return False
    before = _close_before(row, stock, closes)
    return before is not None and lacks_split(before, after[0])


def _close_before(row: HeldBack, stock: StockMetadata, closes: Sequence[Event]) -> Decimal | None:
    """Return the last close before the day of a split: the stored one, which was traded before it.

    That of the answer where none is stored, or where the split was said late: the stored closes
    come from answers that did not have it then.
    """
    said = [close for close in closes if close[0] < row.date and close[1] > 0]
    stored = _stored_closes(stock).filter(date__lt=row.date)
    latest = stored.order_by("-date").values_list("date", "close").first()
    if not said:
        return None if latest is None else latest[1]
    if latest is None or latest[0] < said[-1][0] or _is_late(row, stock):
        return said[-1][1]
    return latest[1]


def _is_late(row: HeldBack, stock: StockMetadata) -> bool:
    """Return whether closes of the split's day or later were stored before its source said it."""
    stored = _stored_closes(stock).filter(date__gte=row.date).exclude(source=MANUAL)
    if not row._state.adding:
        stored = stored.filter(date__lt=timezone.localdate(row.since) - SAID_IN_TIME)
    return stored.exists()


def _was_missing(row: HeldBack, stock: StockMetadata, closes: Sequence[Event]) -> bool:
    """Return whether earlier answers lacked a split that this one has: its closes show the split,
    the stored ones do not. It then explains closes that are said again.
    """
    if row.reason == Reason.NOT_SHOWN:
        return False
    said = [close for close in closes if close[1] > 0]
    stored = list(_stored_closes(stock).order_by("date").values_list("date", "close"))
    return _shows(row, said) is True and _shows(row, stored) is False


def _shows(row: HeldBack, closes: Sequence[Event]) -> bool | None:
    """Return whether the closes around the day of a split show it; None where there are none."""
    before = [close for day, close in closes if day < row.date]
    after = [close for day, close in closes if day >= row.date]
    if not before or not after:
        return None
    return shows_split(before[-1], after[0], row.value)


def _stored_closes(stock: StockMetadata) -> QuerySet[HistoricalStockPrice]:
    return HistoricalStockPrice.objects.filter(stock=stock, close__gt=0)


def _note_absence(row: HeldBack) -> bool:
    """Note that an answer lacks a split, and withdraw it on the second day; whether that is so."""
    today = timezone.localdate()
    if row.absent_since is None:
        row.absent_since = today
    elif row.absent_since < today:
        row.state, row.absent_since = State.WITHDRAWN, None
        return True
    return False


def _show(row: HeldBack, stock: StockMetadata, closes: Sequence[Event]) -> bool:
    """Believe a split that no close had shown, once one does; return whether that is so.

    The closes from its day up to that one are held back.
    """
    if row.state != State.HELD_BACK or row.reason != Reason.NOT_SHOWN or row._state.adding:
        return False
    shown_on = _shown_on(row, stock, closes)
    if shown_on is None:
        return False
    _judge(row, is_shown=True)
    wrong = HistoricalStockPrice.objects.filter(
        stock=stock, date__gte=row.date, date__lt=shown_on, source=row.source
    )
    before = _close_before(row, stock, closes)
    doubts = []
    for day, close in wrong.values_list("date", "close"):
        doubts.append(Doubt(day, close, Reason.UNADJUSTED, before))
    hold_back(thing=stock, kind=Kind.PRICE, doubts=doubts, source=row.source)
    wrong.as_service().delete()
    return True


def _shown_on(row: HeldBack, stock: StockMetadata, closes: Sequence[Event]) -> date | None:
    """Return the day of the first close that shows a split, its own day where none need show it."""
    if not is_visible(row.value):
        return row.date
    before = _close_before(row, stock, closes)
    after = [close for close in closes if close[0] >= row.date and close[1] > 0]
    if before is None or not after:
        return None
    if _is_late(row, stock) and not lacks_split(before, after[0][1]):
        return after[0][0]
    for day, close in after:
        if shows_split(before, close, row.value):
            return day
    return None


def _columns_of(row: HeldBack) -> list[object]:
    return [getattr(row, name) for name in COLUMNS]


def _project(stock: StockMetadata, rows: Sequence[HeldBack], source: str) -> bool:
    """Store in StockSplit the splits that count; return whether that changed any.

    One entered by hand, on the same day or the same split within a week, stands instead.
    """
    by_hand = list(
        StockSplit.objects.filter(stock=stock, source=MANUAL).values_list("date", "ratio")
    )
    counted: dict[date, Decimal] = {}
    # Of two on one day the one that the source still says wins.
    for row in sorted(rows, key=lambda row: row.absent_since is None):
        is_gone = row.state in (State.WITHDRAWN, State.DISMISSED)
        is_counted = not is_gone and row.reason != Reason.NOT_SHOWN
        if is_counted and not is_known_by_hand((row.date, row.value), by_hand):
            counted[row.date] = row.value
    theirs = StockSplit.objects.filter(stock=stock).exclude(source=MANUAL)
    stored = dict(theirs.values_list("date", "ratio"))
    of_source = theirs.filter(source=source)
    gone = of_source.exclude(date__in=counted)
    is_changed = gone.exists()
    gone.as_service().delete()
    changed = {day: ratio for day, ratio in counted.items() if stored.get(day) != ratio}
    put_days(StockSplit, "stock", stock.pk, "ratio", changed, known=stored, source=source)
    return is_changed or bool(changed)
