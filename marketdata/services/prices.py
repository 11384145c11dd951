"""The only writers of prices, splits, dividends and quotes.

Each locks the instrument, writes what differs, and moves `StockMetadata.version` in the same
transaction when something did: a vector that carries an older version is never read.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.db import transaction
from django.db.models import F, Model
from django.utils import timezone

from financeproj.core.errors import Conflict
from financeproj.core.money import ONE, round_for_storage
from marketdata.calc.sanity import LARGEST_JUMP, HeldBack, is_near, sift, split_factor
from marketdata.models import (
    HeldBackPrice,
    HistoricalStockPrice,
    StockDividend,
    StockMetadata,
    StockQuote,
    StockSplit,
    StockVector,
)
from marketdata.services.days import check_entered, put_days
from marketdata.signals import splits_recorded
from marketdata.sources import BadAnswer, History, Quote

log = structlog.get_logger(__name__)

MANUAL = StockMetadata.MANUAL


def locked(stock: StockMetadata) -> StockMetadata:
    """The instrument's row, locked until the transaction ends: one writer an instrument."""
    # no_key: whoever adds a holding of it meanwhile does not wait for us.
    return StockMetadata.objects.select_for_update(no_key=True).get(pk=stock.pk)


def _bump(stock: StockMetadata, *, vector_holds: bool = False) -> None:
    """Move the version. `vector_holds`: nothing in the vector has changed, so it moves along."""
    StockMetadata.objects.filter(pk=stock.pk).update(version=F("version") + 1)
    if vector_holds:
        StockVector.objects.filter(stock=stock, version=stock.version).update(
            version=F("version") + 1
        )
    stock.version += 1


def _upsert(
    model: type[Model],
    stock: StockMetadata,
    column: str,
    values: Sequence[tuple[date, Decimal]],
    source: str,
) -> int:
    """Make the rows of `values` so; how many were not. What was entered by hand stays, unless this
    is by hand too.
    """
    wanted = dict(values)
    if not wanted:
        return 0
    rows = model.objects.filter(stock=stock, date__gte=min(wanted), date__lte=max(wanted))
    known = {day: (value, by) for day, value, by in rows.values_list("date", column, "source")}
    changed = {
        day: value
        for day, value in wanted.items()
        if known.get(day) != (value, source)
        and (source == MANUAL or known.get(day, (0, ""))[1] != MANUAL)
    }
    put_days(model, "stock", stock.pk, column, changed, known=known, source=source)
    return len(changed)


@transaction.atomic
def record_prices(
    *, stock: StockMetadata, closes: Sequence[tuple[date, Decimal]], source: str
) -> int:
    """Store closes as traded, in the major unit; returns how many rows changed. Safe to repeat."""
    stock = locked(stock)
    changed = _upsert(HistoricalStockPrice, stock, "close", closes, source)
    if changed:
        days = {
            day for day, _ in closes
        }  # thousands: too many for the database to look up one by one
        held_back = HeldBackPrice.objects.filter(stock=stock).values_list("pk", "date")
        HeldBackPrice.objects.filter(pk__in=[pk for pk, day in held_back if day in days]).delete()
        _bump(stock)
    return changed


@transaction.atomic
def record_splits(
    *, stock: StockMetadata, splits: Sequence[tuple[date, Decimal]], source: str
) -> int:
    """Store splits (new shares per old one, to 15 digits) and send `splits_recorded`; returns how
    many rows changed.
    """
    stock = locked(stock)
    rounded = [(day, round_for_storage(ratio)) for day, ratio in splits]
    changed = _upsert(StockSplit, stock, "ratio", [one for one in rounded if one[1] != ONE], source)
    if changed:
        _bump(stock)
        splits_recorded.send(sender=StockSplit, stock=stock, by_hand=False)
    return changed


@transaction.atomic
def record_dividends(
    *, stock: StockMetadata, dividends: Sequence[tuple[date, Decimal]], source: str
) -> int:
    """Store dividends per share as paid; returns how many rows changed."""
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
    *, stock: StockMetadata, answer: History, source: str, full: bool = False
) -> None:
    """Store one answer: splits (booked before the prices), dividends, believable closes, the quote.

    `full` says that the answer reaches back to the beginning. Prices that make no sense yet are
    held back, and a held-back quote leaves the old one, which grows stale. Raises BadAnswer when
    the answer is in another currency than the instrument.
    """
    stock = locked(stock)
    if answer.info.currency and answer.info.currency != stock.currency:
        raise BadAnswer(
            f"{source} quotes {stock.ticker} in {answer.info.currency}, not in {stock.currency}."
        )
    _describe(stock, answer)
    record_splits(stock=stock, splits=answer.splits, source=source)
    record_dividends(
        stock=stock, dividends=[one for one in answer.dividends if one[1] > 0], source=source
    )
    splits = list(
        StockSplit.objects.filter(stock=stock).order_by("date").values_list("date", "ratio")
    )
    kept, held = _sifted(stock, answer, splits)
    record_prices(stock=stock, closes=kept, source=source)
    if answer.quote is not None:
        doubt = _doubt(stock, answer.quote, splits)
        if doubt is None:
            record_quote(stock=stock, quote=answer.quote, source=source)
        else:
            held = [one for one in held if one.date != doubt.date] + [doubt]
    _hold_back(stock, held, source)
    if full or stock.history_fetched_at:
        StockMetadata.objects.filter(pk=stock.pk).update(history_fetched_at=timezone.now())


def _describe(stock: StockMetadata, answer: History) -> None:
    """Fill what is not known of the instrument yet; what a person has put right stays."""
    known = {"company_name", "exchange", "exchange_timezone", "sector", "country", "isin"}
    news = {name: getattr(answer.info, name) for name in known if not getattr(stock, name)}
    news = {name: value for name, value in news.items() if value}
    if news:
        StockMetadata.objects.filter(pk=stock.pk).update(**news)
        _bump(stock, vector_holds=True)


def _sifted(
    stock: StockMetadata, answer: History, splits: list[tuple[date, Decimal]]
) -> tuple[list[tuple[date, Decimal]], list[HeldBack]]:
    if not answer.closes:
        return [], []
    first, latest = answer.closes[0][0], answer.closes[-1][0]
    rows = HistoricalStockPrice.objects.filter(stock=stock)
    last = (
        rows.filter(date__lt=first, close__gt=0)
        .order_by("-date")
        .values_list("date", "close")
        .first()
    )
    believed = dict(rows.filter(date__gte=first, date__lte=latest).values_list("date", "close"))
    return sift(answer.closes, splits=splits, last=last, believed=believed)


def _doubt(
    stock: StockMetadata, quote: Quote, splits: list[tuple[date, Decimal]]
) -> HeldBack | None:
    """Why the quote is not believed, None if it is: near the last close or the quote that
    stands.
    """
    if quote.price <= 0:
        return HeldBack(quote.day, quote.price, "not_positive", None)
    rows = HistoricalStockPrice.objects.filter(stock=stock, date__lte=quote.day, close__gt=0)
    references = list(rows.order_by("-date").values_list("date", "close")[:1])
    references += StockQuote.objects.filter(
        stock=stock, day__lte=quote.day, price__gt=0
    ).values_list("day", "price")
    expected = [close / split_factor(splits, day, quote.day) for day, close in references]
    if not expected or any(is_near(quote.price, one, LARGEST_JUMP) for one in expected):
        return None
    return HeldBack(quote.day, quote.price, "jump", expected[0])


def _hold_back(stock: StockMetadata, held: list[HeldBack], source: str) -> None:
    for one in held:
        HeldBackPrice.objects.update_or_create(
            stock=stock,
            date=one.date,
            defaults={
                "close": one.close,
                "reason": one.reason,
                "previous": one.previous,
                "source": source,
            },
        )
    if held:
        log.warning("prices_held_back", ticker=stock.ticker, days=[str(one.date) for one in held])


@transaction.atomic
def accept_price(*, held_back: HeldBackPrice) -> None:
    """A person believes a price that was held back: it is stored as its day's, and as the quote if
    that is older.
    """
    stock = locked(held_back.stock)
    held_back = HeldBackPrice.objects.select_related("stock").get(pk=held_back.pk)
    if held_back.close is None or held_back.close < 0:
        raise Conflict("This is no price.", attr="close")
    record_prices(stock=stock, closes=[(held_back.date, held_back.close)], source=held_back.source)
    quote = StockQuote.objects.filter(stock=stock).first()
    if quote is not None and quote.day <= held_back.date:
        seen = Quote(held_back.close, held_back.previous, held_back.seen_at, held_back.date)
        record_quote(stock=stock, quote=seen, source=held_back.source, fetched_at=held_back.seen_at)
    HeldBackPrice.objects.filter(pk=held_back.pk).delete()


@transaction.atomic
def reject_price(*, held_back: HeldBackPrice) -> None:
    """A person does not believe it: it goes, and comes back only if the source repeats it."""
    HeldBackPrice.objects.filter(pk=held_back.pk).delete()


# --- Single rows: the admin, prices by hand -------------------------------------------------------


@transaction.atomic
def enter_price(
    *, stock: StockMetadata, day: date, close: Decimal
) -> tuple[HistoricalStockPrice, bool]:
    """A price by hand on `day`, replacing the one there; returns the row and whether it is new."""
    is_new = not HistoricalStockPrice.objects.filter(stock=locked(stock), date=day).exists()
    record_prices(stock=stock, closes=[(day, close)], source=MANUAL)
    return HistoricalStockPrice.objects.get(stock=stock, date=day), is_new


def _save(row: Any) -> None:
    """One row of a person's hand, validated. An edit that moves it to another day or instrument
    bumps both.
    """
    check_entered(row)
    before = type(row).objects.filter(pk=row.pk).first() if row.pk else None
    for stock in sorted(
        {one.stock for one in (before, row) if one is not None}, key=lambda stock: stock.pk
    ):
        _bump(locked(stock))
    row.save()


def _delete(row: Any) -> None:
    _bump(locked(row.stock))
    row.delete()


@transaction.atomic
def save_price(row: HistoricalStockPrice) -> None:
    """Store one close as a person entered it, so that no source overwrites it. Raises
    ValidationError.
    """
    row.source = MANUAL
    _save(row)


@transaction.atomic
def delete_price(row: HistoricalStockPrice) -> None:
    _delete(row)


@transaction.atomic
def save_split(row: StockSplit) -> None:
    """Store one split as a person entered it and send `splits_recorded`. Raises ValidationError."""
    row.source = MANUAL
    _save(row)
    splits_recorded.send(sender=StockSplit, stock=row.stock, by_hand=True)


@transaction.atomic
def delete_split(row: StockSplit) -> None:
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
    """Store a quote as a person entered it; the next answer of the source replaces it. Raises
    ValidationError.
    """
    check_entered(row, day="day")
    _bump(locked(row.stock), vector_holds=True)
    row.save()


@transaction.atomic
def delete_quote(row: StockQuote) -> None:
    _bump(locked(row.stock), vector_holds=True)
    row.delete()


def reread_from(
    stock: StockMetadata, *, full: bool, beginning: date, short: timedelta, overlap: timedelta
) -> date:
    """From which day to ask a source: only what is missing, with the last stored days read again.

    Without a history yet: from the `beginning` if `full`, else the `short` window that a quote
    needs.
    """
    if stock.history_fetched_at is None:
        return beginning if full else timezone.localdate() - short
    rows = HistoricalStockPrice.objects.filter(stock=stock).exclude(source=MANUAL)
    last = rows.order_by("-date").values_list("date", flat=True).first()
    return last - overlap if last else beginning
