"""Keep the stored dividends of a source equal to what it says now."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from financeproj.core.db.fields import latest_day
from financeproj.core.money import MAX_MAGNITUDE, round_for_storage
from marketdata.calc.events import DIVIDEND_DAYS, Event, pair_events
from marketdata.models import HeldBack, HistoricalStockPrice, StockDividend, StockMetadata
from marketdata.services.days import put_days

MANUAL = StockMetadata.MANUAL
# Of the close before the ex-date. A larger one waits for a person.
LARGEST_DIVIDEND = Decimal("0.2")

State = HeldBack.State
Kind = HeldBack.Kind


@transaction.atomic
def sync_dividends(
    *,
    stock: StockMetadata,
    said: Sequence[Event],
    source: str,
    since: date,
    closes: Sequence[Event] = (),
) -> bool:
    """Make the dividends of `source` equal to those `said` from `since` on; `stock` is locked.

    Returns whether any changed. One above 20 % of the close before its ex-date is held back. One
    that is gone goes once an answer of another day lacks it too. `closes` are those of the answer.
    """
    stored: list[StockDividend | HeldBack] = [
        *StockDividend.objects.filter(stock=stock, source=source),
        *HeldBack.objects.filter(
            kind=Kind.DIVIDEND,
            stock=stock,
            source=source,
            state__in=(State.HELD_BACK, State.DISMISSED),
        ),
    ]
    news = _read_dividends(said)
    pairing = pair_events([_event_of(row) for row in stored], news, days=DIVIDEND_DAYS, since=since)
    accepted = HeldBack.objects.filter(
        kind=Kind.DIVIDEND, stock=stock, source=source, state=State.ACCEPTED
    )
    decided = {(row.date, row.value): row for row in accepted}
    believed: dict[date, Decimal] = {}
    is_changed = False
    for one, other in pairing.pairs:
        row, event = stored[one], news[other]
        old = _event_of(row)
        if row.absent_since is not None:
            row.absent_since = None
            row.save(update_fields=["absent_since"])
        if old == event:
            continue
        is_changed = True
        if isinstance(row, HeldBack) and row.state == State.DISMISSED:
            row.date, row.value = event
            row.save(update_fields=["date", "value"])
            continue
        follows = decided.get(old)
        if follows is not None:  # a person's word moves with the dividend
            follows.date, follows.value = event
            follows.save(update_fields=["date", "value"])
        _forget(row, state=State.WITHDRAWN)
        if follows is not None or not _hold_back(stock, event, source, closes, before=old[1]):
            believed[event[0]] = event[1]
    for other in pairing.new:
        is_changed = True
        event = news[other]
        if event in decided or not _hold_back(stock, event, source, closes):
            believed[event[0]] = event[1]
    for one in pairing.gone:
        is_changed |= _note_absence(stored[one])
    if believed:
        rows = StockDividend.objects.filter(stock=stock)
        known = set(rows.values_list("date", flat=True))
        for day in rows.filter(source=MANUAL).values_list("date", flat=True):
            believed.pop(day, None)
        put_days(StockDividend, "stock", stock.pk, "amount", believed, known=known, source=source)
    return is_changed


def _read_dividends(said: Sequence[Event]) -> list[Event]:
    """Return the dividends among `said` whose day has begun, one a day, oldest first."""
    read = {}
    last = latest_day()
    for day, amount in said:
        if amount.is_finite() and 0 < amount < 10**MAX_MAGNITUDE and day <= last:
            read[day] = round_for_storage(amount)
    return sorted(read.items())


def _event_of(row: StockDividend | HeldBack) -> Event:
    if isinstance(row, HeldBack):
        return row.date, row.value
    return row.date, row.amount


def _forget(row: StockDividend | HeldBack, *, state: str) -> None:
    if isinstance(row, HeldBack):
        row.state, row.absent_since = state, None
        row.save(update_fields=["state", "absent_since"])
    else:
        StockDividend.objects.filter(pk=row.pk).as_service().delete()


def _hold_back(
    stock: StockMetadata,
    event: Event,
    source: str,
    closes: Sequence[Event],
    *,
    before: Decimal | None = None,
) -> bool:
    """Hold a dividend back that is too large for the close before it; return whether it is."""
    close = _close_before(event[0], stock, closes)
    if close is None or event[1] <= LARGEST_DIVIDEND * close:
        return False
    HeldBack.objects.create(
        kind=Kind.DIVIDEND,
        stock=stock,
        date=event[0],
        value=event[1],
        before=before,
        reason=HeldBack.Reason.LARGE_DIVIDEND,
        source=source,
    )
    return True


def _close_before(day: date, stock: StockMetadata, closes: Sequence[Event]) -> Decimal | None:
    latest = None
    for close_day, close in closes:
        if close_day < day and close > 0:
            latest = close
    if latest is not None:
        return latest
    rows = HistoricalStockPrice.objects.filter(stock=stock, date__lt=day, close__gt=0)
    return rows.order_by("-date").values_list("close", flat=True).first()


def _note_absence(row: StockDividend | HeldBack) -> bool:
    """Note that an answer lacks a dividend, and forget it on the second day; whether that is so."""
    today = timezone.localdate()
    if row.absent_since is None:
        row.absent_since = today
        row.save(update_fields=["absent_since"])
    elif row.absent_since < today:
        if isinstance(row, HeldBack) and row.state == State.DISMISSED:
            return False  # kept, or it would count when it comes back
        _forget(row, state=State.WITHDRAWN)
        return True
    return False
