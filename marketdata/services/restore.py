"""Fill in market data of another installation where this one has none."""

import time
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby

from django.db import transaction
from django.db.models import Model

from financeproj.core.db.rows import insert_as_they_are
from financeproj.core.identifiers import MAX_TICKER_LENGTH
from financeproj.users.models import User
from marketdata.models import (
    CurrencyPair,
    HistoricalExchangeRate,
    HistoricalStockPrice,
    StockDividend,
    StockMetadata,
    StockQuote,
    StockSplit,
)
from marketdata.services.prices import record_dividends, record_prices, record_quote, record_splits
from marketdata.services.rates import record_rates
from marketdata.sources import Quote

# A day's value and who gave it.
Sourced = tuple[date, Decimal, str]


@transaction.atomic
def restore_instrument(
    *, user: User, row: StockMetadata, has_closes: Callable[[], bool]
) -> StockMetadata:
    """Return the instrument here that a user's archive means by `row`.

    It is the shared one where there is one, whose prices are known here. Otherwise `row` becomes
    the user's own: the archive's word is not a fact for others. If the shared one is in another
    currency, the user prices it by hand. `has_closes` says whether the archive has any of it.
    Raises ValidationError.
    """
    row.clean_fields(exclude=["owner", "exchange_timezone"])
    if not row.is_manual:
        shared = StockMetadata.objects.filter(ticker=row.ticker, owner__isnull=True).first()
        if shared is not None and shared.currency != row.currency:
            row.source = StockMetadata.MANUAL
            row.described_currency = shared.currency
        elif shared is not None and (_has_history(shared) or not has_closes()):
            return shared
    row.owner = user
    row.ticker = _free_ticker(user, row.ticker)
    # A version for which no process keeps prices of the same id.
    row.version = int(time.time())
    insert_as_they_are(StockMetadata, [row])
    return StockMetadata.objects.get(pk=row.pk)


def _has_history(stock: StockMetadata) -> bool:
    return stock.history_fetched_at is not None or stock.prices.exists()


def _free_ticker(user: User, ticker: str) -> str:
    """Return the ticker, with a number where the user has another instrument of it."""
    free, number = ticker, 1
    while StockMetadata.objects.filter(owner=user, ticker=free).exists():
        number += 1
        ending = f"-{number}"
        free = ticker[: MAX_TICKER_LENGTH - len(ending)] + ending
    return free


def restore_prices(*, stock: StockMetadata, rows: Sequence[Sourced]) -> None:
    """Store closes of days that have none."""
    _fill(
        HistoricalStockPrice,
        stock,
        rows,
        lambda new, source: record_prices(stock=stock, closes=new, source=source),
    )


def restore_splits(*, stock: StockMetadata, rows: Sequence[Sourced]) -> None:
    """Store splits of days that have none; they are booked as any other."""
    _fill(
        StockSplit,
        stock,
        rows,
        lambda new, source: record_splits(stock=stock, splits=new, source=source),
    )


def restore_dividends(*, stock: StockMetadata, rows: Sequence[Sourced]) -> None:
    """Store dividends of days that have none."""
    _fill(
        StockDividend,
        stock,
        rows,
        lambda new, source: record_dividends(stock=stock, dividends=new, source=source),
    )


def _fill(
    model: type[Model],
    stock: StockMetadata,
    rows: Sequence[Sourced],
    record: Callable[[list[tuple[date, Decimal]], str], object],
) -> None:
    days = [day for day, _, _ in rows]
    stored = model._default_manager.filter(stock=stock, date__gte=min(days), date__lte=max(days))
    _record_unknown(set(stored.values_list("date", flat=True)), rows, record)


def _record_unknown(
    known: set[date],
    rows: Sequence[Sourced],
    record: Callable[[list[tuple[date, Decimal]], str], object],
) -> None:
    for source, group in groupby(rows, key=lambda row: row[2]):
        new = [(day, value) for day, value, _ in group if day not in known]
        if new:
            record(new, source)


@transaction.atomic
def restore_quote(*, row: StockQuote) -> None:
    """Store a quote unless the one here was fetched later."""
    held = StockQuote.objects.filter(stock=row.stock_id).first()
    if held is None or held.fetched_at < row.fetched_at:
        quote = Quote(row.price, row.previous_close, row.as_of, row.day)
        record_quote(stock=row.stock, quote=quote, source=row.source, fetched_at=row.fetched_at)


@transaction.atomic
def restore_rates(
    *, base: str, target: str, rows: Sequence[Sourced], fetched_at: datetime | None
) -> None:
    """Store rates of days that have none.

    `fetched_at` is when a source was asked for the pair; it counts if the pair is new here.
    """
    held = CurrencyPair.objects.filter(base=base, target=target).first()
    if held is not None:
        fetched_at = held.fetched_at
    if rows:
        days = [day for day, _, _ in rows]
        stored = HistoricalExchangeRate.objects.filter(
            pair__base=base, pair__target=target, date__gte=min(days), date__lte=max(days)
        )
        _record_unknown(
            set(stored.values_list("date", flat=True)),
            rows,
            lambda new, source: record_rates(base=base, target=target, rates=new, source=source),
        )
    pair, _ = CurrencyPair.objects.get_or_create(base=base, target=target)
    CurrencyPair.objects.filter(pk=pair.pk).update(fetched_at=fetched_at)
