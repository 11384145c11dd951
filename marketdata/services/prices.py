"""Write prices, splits, dividends and quotes.

Every function locks the instrument, writes what differs, and moves `StockMetadata.version` in the
same transaction if anything did: a vector with an older version is never read.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal

import structlog
from django.db import transaction
from django.db.models import F, Model
from django.utils import timezone

from financeproj.core.db.rows import fields_of
from financeproj.core.errors import NotFound
from financeproj.core.money import ONE, is_storable, round_for_storage
from financeproj.history.services import record
from marketdata.calc.price_belief import OTHER_NAME
from marketdata.calc.sanity import Doubt
from marketdata.history import instrument_object
from marketdata.models import (
    HeldBack,
    HistoricalStockPrice,
    StockDividend,
    StockMetadata,
    StockQuote,
    StockSplit,
    StockVector,
)
from marketdata.services.believing import (
    closes_of,
    doubts_about_later,
    judge_closes,
    judge_quote,
)
from marketdata.services.confirming import confirmed
from marketdata.services.days import DailyRow, check_entered, put_days
from marketdata.services.dividends import sync_dividends
from marketdata.services.events import sync_splits
from marketdata.services.held_back import Kind, believe, hold_back, rows_about
from marketdata.signals import splits_recorded
from marketdata.sources import History, Quote

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

MANUAL = StockMetadata.MANUAL
# How the history calls rows by hand.
NOUNS = {HistoricalStockPrice: "price", StockSplit: "split", StockDividend: "dividend"}
# Columns that the history leaves out.
HIDDEN = {"id", "stock", "created_at", "updated_at"}
# What a source may fill in of an instrument.
DESCRIPTION = ("company_name", "exchange", "exchange_timezone", "sector", "country", "isin")


def locked(stock: StockMetadata) -> StockMetadata:
    """Return the instrument's row, locked until the transaction ends."""
    # no_key: a request that adds a holding of it meanwhile does not wait for us.
    return StockMetadata.objects.select_for_update(no_key=True).get(pk=stock.pk)


def _bump(stock: StockMetadata, *, vector_holds: bool = False) -> None:
    """Move the version, and with `vector_holds` that of the vector, which has not changed."""
    StockMetadata.objects.filter(pk=stock.pk).update(version=F("version") + 1)
    if vector_holds:
        StockVector.objects.filter(stock=stock, version=stock.version).update(
            version=F("version") + 1
        )
    stock.version += 1


def _upsert(
    model: type[DailyRow],
    stock: StockMetadata,
    column: str,
    values: Sequence[tuple[date, Decimal]],
    source: str,
) -> int:
    """Store `values` by day; return how many rows changed.

    Rows entered by hand stay, unless these values are by hand too.
    """
    wanted = dict(values)
    if not wanted:
        return 0
    rows = model._default_manager.filter(stock=stock, date__gte=min(wanted), date__lte=max(wanted))
    known = {day: (value, by) for day, value, by in rows.values_list("date", column, "source")}
    changed = {}
    for day, value in wanted.items():
        stored_value, stored_source = known.get(day, (None, ""))
        is_same = (stored_value, stored_source) == (value, source)
        is_protected = stored_source == MANUAL and source != MANUAL
        if not is_same and not is_protected:
            changed[day] = value
    put_days(model, "stock", stock.pk, column, changed, known=known, source=source)
    return len(changed)


@transaction.atomic
def record_prices(
    *, stock: StockMetadata, closes: Sequence[tuple[date, Decimal]], source: str
) -> int:
    """Store closes as traded, in the major unit; return how many rows changed. Safe to repeat."""
    stock = locked(stock)
    changed = _upsert(HistoricalStockPrice, stock, "close", closes, source)
    if changed:
        believe(thing=stock, kind=Kind.PRICE, values=closes)
        _bump(stock)
    return changed


@transaction.atomic
def record_splits(
    *, stock: StockMetadata, splits: Sequence[tuple[date, Decimal]], source: str
) -> int:
    """Store splits (new shares per old one, to 15 digits) and send `splits_recorded`.

    Returns how many rows changed. A ratio of 1 is left out.
    """
    stock = locked(stock)
    if not splits:
        return 0
    before = set(stock.splits.values_list("date", "ratio", "source"))
    if source == MANUAL:
        changed = _upsert(StockSplit, stock, "ratio", _rounded(splits), source)
        if changed:
            splits_recorded.send(sender=StockSplit, stock=stock, by_hand=False)
    else:
        since = min(day for day, _ in splits)
        sync_splits(stock=stock, said=splits, source=source, since=since, withdraws=False)
    changed = len(before ^ set(stock.splits.values_list("date", "ratio", "source")))
    if changed:
        _bump(stock)
    return changed


def _rounded(splits: Sequence[tuple[date, Decimal]]) -> list[tuple[date, Decimal]]:
    rounded = []
    for day, ratio in splits:
        stored_ratio = round_for_storage(ratio)
        if stored_ratio != ONE:
            rounded.append((day, stored_ratio))
    return rounded


@transaction.atomic
def record_dividends(
    *, stock: StockMetadata, dividends: Sequence[tuple[date, Decimal]], source: str
) -> int:
    """Store dividends per share as paid; return how many rows changed."""
    stock = locked(stock)
    changed = _upsert(StockDividend, stock, "amount", dividends, source)
    if changed:
        _bump(stock, vector_holds=True)
    return changed


@transaction.atomic
def record_quote(
    *, stock: StockMetadata, quote: Quote, source: str, fetched_at: datetime | None = None
) -> StockQuote:
    """Store the last known price. The version moves only with the price or its day."""
    stock = locked(stock)
    held = StockQuote.objects.filter(stock=stock).first()
    fields = {
        "price": quote.price,
        "previous_close": quote.previous_close,
        "as_of": quote.as_of,
        "day": quote.day,
        "fetched_at": fetched_at or timezone.now(),
        "source": source,
    }
    stored, _ = StockQuote.objects.update_or_create(stock=stock, defaults=fields)
    if held is None or (held.price, held.day) != (quote.price, quote.day):
        _bump(stock, vector_holds=True)
    return stored


# --- A whole answer of a source -------------------------------------------------------------------


@transaction.atomic
def record_history(
    *,
    stock: StockMetadata,
    answer: History,
    source: str,
    full: bool = False,
    since: date | None = None,
) -> None:
    """Store one answer: splits (booked before the prices), dividends, plausible closes, the quote.

    `full` states that the history is known afterwards, `since` is the first day that the answer
    covers (default: its first close, or all days where it is whole). Prices that are not plausible
    yet are held back; a held-back quote leaves the old one, which grows stale. Nothing is believed
    of an answer in another currency than the shared instrument. An instrument that is not
    confirmed becomes the shared one, or stays the user's, who then gets nothing of the answer.
    """
    has_own_splits = stock.is_unconfirmed and stock.splits.exists()
    shared = confirmed(locked(stock), answer, is_whole=full)
    if shared is None:
        return
    stock = shared
    if answer.info.currency and answer.info.currency != stock.currency:
        _refuse_currency(stock, answer, source)
        return
    _describe(stock, answer)
    since = since or _first_day_of(answer)
    is_changed = _sync_events(stock, answer, source, since)
    if has_own_splits and not is_changed:
        # The holdings have booked splits of the user's archive that the source does not have.
        splits_recorded.send(sender=StockSplit, stock=stock, by_hand=False)
    _judge_prices(stock, answer, source)
    if full or stock.history_fetched_at:
        StockMetadata.objects.filter(pk=stock.pk).update(history_fetched_at=timezone.now())


def _first_day_of(answer: History) -> date:
    if answer.is_whole:
        return date.min
    days = [day for day, _ in (*answer.closes, *answer.splits, *answer.dividends)]
    return min(days, default=date.max)


def _sync_events(stock: StockMetadata, answer: History, source: str, since: date) -> bool:
    """Store the splits and dividends of an answer, and the closes that changed with a split.

    Returns whether any split changed.
    """
    closes = closes_of(answer)
    shown = list(closes)
    quote = answer.quote
    is_price = quote is not None and quote.price.is_finite() and quote.price > 0
    if quote is not None and is_price and (not closes or closes[-1][0] < quote.day):
        shown.append((quote.day, quote.price))
    change = sync_splits(
        stock=stock,
        said=answer.splits,
        source=source,
        since=since,
        withdraws=answer.is_whole,
        closes=shown,
    )
    if sync_dividends(stock=stock, said=answer.dividends, source=source, since=since, closes=shown):
        _bump(stock, vector_holds=True)
    if change.is_changed:
        _bump(stock)
        stored = dict(stock.prices.filter(source=source).values_list("date", "close"))
        replaced = [
            (day, close)
            for day, close in closes
            if day in stored and change.explains(day, stored[day], close)
        ]
        record_prices(stock=stock, closes=replaced, source=source)
    return change.is_changed


def _describe(stock: StockMetadata, answer: History) -> None:
    """Fill in what is not known of the instrument yet; corrections by hand stay.

    The ticker under which the source lists it is that of the last answer.
    """
    news = {}
    if answer.info.renamed_to != stock.renamed_to:
        news["renamed_to"] = answer.info.renamed_to
    for name in DESCRIPTION:
        value = getattr(answer.info, name)
        if value and not getattr(stock, name):
            news[name] = value
    if news:
        StockMetadata.objects.filter(pk=stock.pk).update(**news)
        _bump(stock, vector_holds=True)


def _judge_prices(stock: StockMetadata, answer: History, source: str) -> None:
    """Store the prices of an answer that are believed, and hold the others back."""
    stored_splits = StockSplit.objects.filter(stock=stock).order_by("date")
    splits = list(stored_splits.values_list("date", "ratio"))
    verdict = judge_closes(stock, answer, splits)
    doubts = dict(verdict.held)
    said = list(verdict.believed.items())
    changed = record_prices(stock=stock, closes=said, source=source)
    if not changed and believe(thing=stock, kind=Kind.PRICE, values=said):
        _bump(stock, vector_holds=True)
    if verdict.taken_back:
        take_out(stock=stock, days=verdict.taken_back)
    name = answer.info.company_name
    if answer.quote is not None:
        doubt = judge_quote(stock, answer.quote, splits, name)
        if doubt is None:
            record_quote(stock=stock, quote=answer.quote, source=source)
        else:
            doubts.setdefault(doubt.date, doubt)
    _hold_prices(stock, list(doubts.values()), source)
    is_doubted = any(doubt.reason == OTHER_NAME for doubt in doubts.values())
    is_believed = bool(said or answer.quote) and not is_doubted
    if name and is_believed and name != stock.believed_name:
        StockMetadata.objects.filter(pk=stock.pk).update(believed_name=name)


def _hold_prices(stock: StockMetadata, doubts: Sequence[Doubt], source: str) -> None:
    if hold_back(thing=stock, kind=Kind.PRICE, doubts=doubts, source=source):
        _bump(stock, vector_holds=True)


def _refuse_currency(stock: StockMetadata, answer: History, source: str) -> None:
    """Hold back the latest price of an answer in another currency, which is believed in nothing."""
    latest = closes_of(answer)[-1:]
    quote = answer.quote
    if quote is not None and is_storable(quote.price):
        latest = [(quote.day, quote.price)]
    doubts = [Doubt(day, price, HeldBack.Reason.OTHER_CURRENCY) for day, price in latest]
    _hold_prices(stock, doubts, source)
    log.warning(
        "another_currency", ticker=stock.ticker, currency=answer.info.currency, source=source
    )


@transaction.atomic
def hold_later_closes(*, stock: StockMetadata, after: date, source: str) -> None:
    """Hold back the stored closes of a source that follow one which a person has dismissed.

    Those up to the first that is believed without it.
    """
    stock = locked(stock)
    rows = HistoricalStockPrice.objects.filter(stock=stock, source=source)
    later = list(rows.filter(date__gt=after).order_by("date").values_list("date", "close"))
    doubts = doubts_about_later(stock, after, later)
    if doubts:
        take_out(stock=stock, days={doubt.date for doubt in doubts})
        _hold_prices(stock, doubts, source)


@transaction.atomic
def take_out(*, stock: StockMetadata, days: Collection[date]) -> None:
    """Take the closes of `days` out of the series, and a quote of such a day; not those by hand."""
    stock = locked(stock)
    rows = HistoricalStockPrice.objects.filter(stock=stock, date__gte=min(days))
    stored = rows.exclude(source=MANUAL).values_list("pk", "date")
    gone = [pk for pk, day in stored if day in days]
    HistoricalStockPrice.objects.filter(pk__in=gone).as_service().delete()
    StockQuote.objects.filter(stock=stock, day__in=days).exclude(source=MANUAL).delete()
    _bump(stock)


@transaction.atomic
def forget_close(*, stock: StockMetadata, day: date, close: Decimal, source: str) -> None:
    """Take a close of a source that a person dismissed out of the series, and out of the quote."""
    stock = locked(stock)
    rows = HistoricalStockPrice.objects.filter(stock=stock, date=day, close=close, source=source)
    rows.as_service().delete()
    StockQuote.objects.filter(stock=stock, day=day, price=close, source=source).delete()
    _bump(stock)


@transaction.atomic
def forget_dividend(*, stock: StockMetadata, day: date, amount: Decimal, source: str) -> None:
    """Take a dividend of a source that a person dismissed out of the series."""
    stock = locked(stock)
    rows = StockDividend.objects.filter(stock=stock, date=day, amount=amount, source=source)
    rows.as_service().delete()
    _bump(stock)


# --- Single rows entered by hand ------------------------------------------------------------------


@transaction.atomic
def enter_price(
    *, stock: StockMetadata, day: date, close: Decimal
) -> tuple[HistoricalStockPrice, bool]:
    """Store a price by hand on `day`; return the row and whether the day had none."""
    stored = HistoricalStockPrice.objects.filter(stock=locked(stock), date=day)
    before = stored.values_list("close", flat=True).first()
    record_prices(stock=stock, closes=[(day, close)], source=MANUAL)
    row = HistoricalStockPrice.objects.get(stock=stock, date=day)
    record(
        "price_entered",
        instrument_object(stock),
        before={"close": before},
        after={"close": close, "date": day},
    )
    return row, before is None


@transaction.atomic
def enter_prices(*, stock: StockMetadata, closes: Sequence[tuple[date, Decimal]]) -> int:
    """Store prices by hand, as one act; return how many are new or changed."""
    changed = record_prices(stock=stock, closes=closes, source=MANUAL)
    if changed:
        record("prices_entered", instrument_object(stock), counts={"prices": changed})
    return changed


def _save(row: HistoricalStockPrice | StockSplit | StockDividend) -> None:
    """Store one row entered by hand, validated.

    An edit that moves it to another instrument bumps both.
    """
    check_entered(row)
    rows = type(row)._default_manager.select_related("stock")
    stored = rows.filter(pk=row.pk).first() if row.pk else None
    stocks = {row.stock, stored.stock} if stored else {row.stock}
    for stock in sorted(stocks, key=lambda stock: stock.pk):
        _bump(locked(stock))
    row.save()
    before = _entered_fields(stored) if stored else None
    record(
        f"{NOUNS[type(row)]}_entered",
        instrument_object(row.stock),
        before=before,
        after=_entered_fields(row),
    )


def _delete(row: HistoricalStockPrice | StockSplit | StockDividend) -> None:
    _bump(locked(row.stock))
    before = _entered_fields(row)
    row.delete()
    record(f"{NOUNS[type(row)]}_deleted", instrument_object(row.stock), before=before)


def _entered_fields(row: Model) -> dict[str, object]:
    """Return the columns of a row by hand that a person sees."""
    names = [field.name for field in row._meta.concrete_fields if field.name not in HIDDEN]
    return fields_of(row, names)


@transaction.atomic
def save_price(row: HistoricalStockPrice) -> None:
    """Store one close by hand, which no source overwrites. Raises ValidationError."""
    row.source = MANUAL
    _save(row)


@transaction.atomic
def delete_price(row: HistoricalStockPrice) -> None:
    _delete(row)


@transaction.atomic
def delete_price_by_hand(*, stock: StockMetadata, day: date) -> None:
    """Delete the price entered by hand on `day`. Raises NotFound."""
    rows = HistoricalStockPrice.objects.filter(stock=locked(stock), date=day, source=MANUAL)
    row = rows.select_related("stock").first()
    if row is None:
        raise NotFound(f"{stock.ticker} has no price by hand on {day}.", code="unknown_price")
    _delete(row)


@transaction.atomic
def save_split(row: StockSplit) -> None:
    """Store one split by hand and send `splits_recorded`. Raises ValidationError."""
    row.source = MANUAL
    _save(row)
    splits_recorded.send(sender=StockSplit, stock=row.stock, by_hand=True)


@transaction.atomic
def delete_split(row: StockSplit) -> None:
    """Delete a split; one of a source is dismissed for all users, or it would come back."""
    rows = rows_about(row.stock, Kind.SPLIT).filter(date=row.date, source=row.source)
    rows.update(state=HeldBack.State.DISMISSED)
    _delete(row)
    splits_recorded.send(sender=StockSplit, stock=row.stock, by_hand=True)


@transaction.atomic
def save_dividend(row: StockDividend) -> None:
    row.source = MANUAL
    _save(row)


@transaction.atomic
def delete_dividend(row: StockDividend) -> None:
    _delete(row)


@transaction.atomic
def save_quote(row: StockQuote) -> None:
    """Store a quote by hand, which the source's next answer replaces. Raises ValidationError."""
    check_entered(row, day="day")
    stored = StockQuote.objects.filter(pk=row.pk).first()
    before = _entered_fields(stored) if stored else None
    _bump(locked(row.stock), vector_holds=True)
    row.save()
    record("quote_entered", instrument_object(row.stock), before=before, after=_entered_fields(row))


@transaction.atomic
def delete_quote(row: StockQuote) -> None:
    _bump(locked(row.stock), vector_holds=True)
    # The instrument is the key of its quote, so the deleted row no longer names it.
    of, before = instrument_object(row.stock), _entered_fields(row)
    row.delete()
    record("quote_deleted", of, before=before)
