"""The latest prices, closes of a day, and price histories."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from financeproj.core.db.fields import latest_day
from financeproj.core.db.rows import pks_of
from financeproj.core.money import EXACT, ONE, round_for_storage
from marketdata.calc.sanity import split_factor
from marketdata.models import HeldBack, HistoricalStockPrice, StockMetadata, StockQuote
from marketdata.selectors.instruments import splits_of

# A price this old is stale although its source was asked just now: it had nothing newer.
IDLE_AFTER = timedelta(days=10)
# The background refreshes a quote at the end of the cache time; until that is done the quote is
# not stale.
GRACE = 4 / 3

# A change of the day compares a recent price with the close of the trading day before it. Four and
# six days leave room for weekends and holidays, but not for funds that are priced weekly.
MAX_DAYS_SINCE_PRICE = 4
MAX_DAYS_BETWEEN_CLOSES = 6

READ_AT_ONCE = 2000

Splits = list[tuple[date, Decimal]]


@dataclass(frozen=True, slots=True)
class PriceNow:
    """The latest known price of an instrument, in its currency and in today's shares.

    Where an exchange's day has begun before ours, `price` is in that day's shares: `ahead` of them
    were one of ours before a split. `day` is the trading day of `price`. `previous_close` is the
    last close before it, in the same shares, None when there is none, and `previous_day` its day,
    None where only the source knows it. `fetched_at` is None for a price entered by hand.
    `first_close_on` is the day of the first stored close, `held_back_on` that of the last price
    that is held back.
    """

    price: Decimal
    previous_close: Decimal | None
    day: date
    as_of: datetime
    fetched_at: datetime | None
    source: str
    stale: bool
    ahead: Decimal = ONE
    previous_day: date | None = None
    first_close_on: date | None = None
    held_back_on: date | None = None

    def has_day_change(self, today: date) -> bool:
        """Return whether the price is recent enough, and comparable, for a change of the day."""
        if self.previous_close is None or (today - self.day).days > MAX_DAYS_SINCE_PRICE:
            return False
        if self.previous_day is None:
            return True
        return (self.day - self.previous_day).days <= MAX_DAYS_BETWEEN_CLOSES


def is_fresh(fetched_at: datetime | None, *, grace: float = 1) -> bool:
    """Return whether an answer of that time still is within `grace` times the cache time."""
    return fetched_at is not None and timezone.now() - fetched_at <= _cache_time(grace)


def _cache_time(grace: float) -> timedelta:
    return timedelta(seconds=settings.MARKET_DATA_CACHE_SECONDS * grace)


# --- The latest price -----------------------------------------------------------------------------


class _Quote(NamedTuple):
    """The columns of an instrument's quote."""

    day: date
    price: Decimal
    previous_close: Decimal | None
    as_of: datetime
    fetched_at: datetime
    source: str


class _Stored(NamedTuple):
    """What is stored of an instrument: its quote, the first and the last two days with a close."""

    quote: _Quote | None
    pk: UUID
    source: str
    history_fetched_at: datetime | None
    first_day: date | None
    last_day: date | None
    day_before: date | None
    held_back_on: date | None


@dataclass(frozen=True, slots=True)
class _LatestRow:
    """The stored row that gives the latest price, before splits are applied to it.

    `previous_close` is in the shares of `previous_day`, or of `day` where that is None.
    """

    price: Decimal
    day: date
    as_of: datetime
    fetched_at: datetime | None
    source: str
    previous_close: Decimal | None
    previous_day: date | None


def prices_now(stock_ids: Iterable[UUID]) -> dict[UUID, PriceNow]:
    """Return the latest known price of each instrument.

    It is the quote, or the last stored close where that is newer. Instruments without any price
    are absent. A price from before a split is divided by its ratio. Prices of a day that has not
    begun anywhere do not count.
    """
    stocks = _read_stored(stock_ids)
    days = _days_read(stocks)
    ids = pks_of(stocks)
    closes_by_day = _closes_by_day(ids, days)
    splits = splits_of(ids, after=min(days, default=date.min))
    found = {}
    for stock in stocks:
        row = _latest_row(stock, closes_by_day)
        if row is not None:
            found[stock.pk] = _price_now(stock, row, splits.get(stock.pk, []))
    return found


def _read_stored(stock_ids: Iterable[UUID]) -> list[_Stored]:
    """Read the instruments' quotes and days with closes. Days that have not begun do not count."""
    begun = HistoricalStockPrice.objects.filter(stock=OuterRef("pk"), date__lte=latest_day())
    closes = begun.order_by("-date").values("date")
    held_back = HeldBack.objects.filter(
        stock=OuterRef("pk"), kind=HeldBack.Kind.PRICE, state=HeldBack.State.HELD_BACK
    )
    rows = (
        StockMetadata.objects.filter(pk__in=list(stock_ids))
        .annotate(first_day=Subquery(begun.order_by("date").values("date")[:1]))
        .annotate(last_day=Subquery(closes[:1]))
        .annotate(held_back_on=Subquery(held_back.order_by("-date").values("date")[:1]))
        .annotate(day_before=Subquery(closes.filter(date__lt=OuterRef("last_day"))[:1]))
    )
    of_quote = [f"quote__{name}" for name in _Quote._fields]
    found = []
    # Columns, because building the models takes as long as the query.
    for row in rows.values_list(*of_quote, *_Stored._fields[1:]):
        quote = None if row[0] is None else _Quote(*row[: len(of_quote)])
        found.append(_Stored(quote, *row[len(of_quote) :]))
    return found


def _days_read(stocks: Iterable[_Stored]) -> set[date]:
    days: set[date] = set()
    for stock in stocks:
        days.update(day for day in (stock.last_day, stock.day_before) if day)
    return days


def _closes_by_day(
    stock_ids: list[UUID], days: set[date]
) -> dict[tuple[UUID, date], tuple[Decimal, str]]:
    """Return (close, source) by instrument and day."""
    rows = HistoricalStockPrice.objects.filter(stock__in=stock_ids, date__in=days)
    found = {}
    for stock_id, day, close, source in rows.values_list("stock_id", "date", "close", "source"):
        found[stock_id, day] = (close, source)
    return found


def _latest_row(
    stock: _Stored, closes: Mapping[tuple[UUID, date], tuple[Decimal, str]]
) -> _LatestRow | None:
    quote = stock.quote
    if quote is not None and _is_latest(quote, stock.last_day):
        return _row_of_quote(stock, quote, closes)
    if stock.last_day is None:
        return None
    close, source = closes[stock.pk, stock.last_day]
    previous = None
    if stock.day_before:
        previous = closes[stock.pk, stock.day_before][0]
    return _LatestRow(
        price=close,
        day=stock.last_day,
        as_of=datetime.combine(stock.last_day, time.min, tzinfo=UTC),
        fetched_at=_close_fetched_at(stock, source),
        source=source,
        previous_close=previous,
        previous_day=stock.day_before,
    )


def _is_latest(quote: _Quote, last_day: date | None) -> bool:
    has_begun = quote.day <= latest_day()
    return has_begun and (last_day is None or quote.day >= last_day)


def _row_of_quote(
    stock: _Stored, quote: _Quote, closes: Mapping[tuple[UUID, date], tuple[Decimal, str]]
) -> _LatestRow:
    previous = None
    previous_day = stock.last_day
    if stock.last_day == quote.day:
        previous_day = stock.day_before
    if previous_day:
        previous = closes[stock.pk, previous_day][0]
    elif quote.previous_close is not None:
        previous = quote.previous_close  # the source has made it comparable with its price
    return _LatestRow(
        price=quote.price,
        day=quote.day,
        as_of=quote.as_of,
        fetched_at=quote.fetched_at,
        source=quote.source,
        previous_close=previous,
        previous_day=previous_day,
    )


def _close_fetched_at(stock: _Stored, source: str) -> datetime | None:
    """Return when a source last confirmed the latest close; None for a close by hand."""
    if source == StockMetadata.MANUAL:
        return None
    times = [stock.history_fetched_at]
    if stock.quote is not None:
        times.append(stock.quote.fetched_at)
    return max(filter(None, times), default=None)


def _price_now(stock: _Stored, row: _LatestRow, splits: Splits) -> PriceNow:
    until = latest_day()
    later = split_factor(splits, row.day, until)
    previous = row.previous_close
    if previous is not None:
        between = split_factor(splits, row.previous_day or row.day, row.day)
        previous = _divided(previous, EXACT.multiply(later, between))
    by_hand = StockMetadata.MANUAL in (stock.source, row.source)
    is_idle = row.day < timezone.localdate() - IDLE_AFTER
    is_current = is_fresh(row.fetched_at, grace=GRACE) and not is_idle
    return PriceNow(
        price=_divided(row.price, later),
        previous_close=previous,
        day=row.day,
        as_of=row.as_of,
        fetched_at=row.fetched_at,
        source=row.source,
        stale=not by_hand and not is_current,
        ahead=split_factor(splits, timezone.localdate(), until),
        previous_day=row.previous_day,
        first_close_on=stock.first_day,
        held_back_on=stock.held_back_on,
    )


def _divided(price: Decimal, factor: Decimal) -> Decimal:
    if factor == ONE:
        return price
    return round_for_storage(EXACT.divide(price, factor))


def with_staleness_of_now(prices: Mapping[UUID, PriceNow]) -> dict[UUID, PriceNow]:
    """Return `prices`, read a while ago, with `stale` as it is by now."""
    oldest = timezone.now() - _cache_time(GRACE)
    found = dict(prices)
    for stock_id, price in prices.items():
        if price.fetched_at is None or price.source == StockMetadata.MANUAL:
            continue
        if price.fetched_at < oldest:
            found[stock_id] = replace(price, stale=True)
    return found


# --- Closes of a day, and histories ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CloseOn:
    """The close that stands on a day: that of `date`, in the shares of the day asked for."""

    price: Decimal
    date: date
    source: str


def closes_on(stock_ids: Iterable[UUID], day: date) -> dict[UUID, CloseOn]:
    """Return the last close on or before `day` of each instrument.

    Instruments without one are absent. Two queries.
    """
    known = HistoricalStockPrice.objects.filter(stock=OuterRef("pk"), date__lte=day)
    last = known.order_by("-date")
    rows = (
        StockMetadata.objects.filter(pk__in=set(stock_ids))
        .annotate(
            day=Subquery(last.values("date")[:1]),
            close=Subquery(last.values("close")[:1]),
            by=Subquery(last.values("source")[:1]),
        )
        .filter(day__isnull=False)
        .values_list("pk", "day", "close", "by")
    )
    closes = list(rows)
    earliest = min((row[1] for row in closes), default=day)
    splits = splits_of([row[0] for row in closes], after=earliest)
    found = {}
    for stock_id, close_day, close, source in closes:
        factor = split_factor(splits.get(stock_id, []), close_day, day)
        found[stock_id] = CloseOn(_divided(close, factor), close_day, source)
    return found


def closes_on_days(
    wanted: Iterable[tuple[UUID, date]], *, max_age_days: int
) -> dict[tuple[UUID, date], CloseOn]:
    """Return the last close on or before each (instrument, day), in the shares of that day.

    Those whose last close is older than `max_age_days` are absent. Two queries.
    """
    days_of: dict[UUID, set[date]] = defaultdict(set)
    for stock_id, day in wanted:
        days_of[stock_id].add(day)
    if not days_of:
        return {}
    first = min(min(days) for days in days_of.values()) - timedelta(days=max_age_days)
    last = max(max(days) for days in days_of.values())
    rows = HistoricalStockPrice.objects.filter(stock__in=days_of, date__range=(first, last))
    ordered = rows.order_by("stock", "date").values_list("stock_id", "date", "close", "source")
    splits = splits_of(days_of, after=first)
    found = {}
    for stock_id, group in groupby(ordered.iterator(READ_AT_ONCE), key=lambda row: row[0]):
        closes = list(group)
        for day in days_of[stock_id]:
            place = bisect_right(closes, day, key=lambda row: row[1])
            if not place:
                continue
            _, close_day, close, source = closes[place - 1]
            if (day - close_day).days <= max_age_days:
                factor = split_factor(splits.get(stock_id, []), close_day, day)
                found[stock_id, day] = CloseOn(_divided(close, factor), close_day, source)
    return found


def prices_on_days(
    wanted: Iterable[tuple[UUID, date]], *, max_age_days: int
) -> dict[tuple[UUID, date], Decimal]:
    """Return what `closes_on_days` does, the prices alone."""
    closes = closes_on_days(wanted, max_age_days=max_age_days)
    return {key: close.price for key, close in closes.items()}


@dataclass(frozen=True, slots=True)
class PriceHistory:
    """`points` are (day, close as traded, close in today's shares), oldest first.

    `splits` and `dividends` are those of the same days.
    """

    points: list[tuple[date, Decimal, Decimal]]
    splits: Splits
    dividends: list[tuple[date, Decimal]]


def price_history(*, stock: StockMetadata, start: date | None, end: date) -> PriceHistory:
    """Return closes from `start` (None: the first known) to `end`.

    They end with the quote where that is newer.
    """
    begin = start or date.min
    between = Q(date__gte=begin, date__lte=end)
    closes = list(stock.prices.filter(between).order_by("date").values_list("date", "close"))
    quote = StockQuote.objects.filter(stock=stock).values_list("day", "price").first()
    if quote and begin <= quote[0] <= end and (not closes or quote[0] > closes[-1][0]):
        closes.append(quote)
    dividends = stock.dividends.filter(between).order_by("date").values_list("date", "amount")
    splits = splits_of([stock.pk]).get(stock.pk, [])
    return PriceHistory(
        points=_adjusted(closes, splits),
        splits=[event for event in splits if begin <= event[0] <= end],
        dividends=list(dividends),
    )


def _adjusted(
    closes: list[tuple[date, Decimal]], splits: Splits
) -> list[tuple[date, Decimal, Decimal]]:
    """Return (day, close as traded, close in today's shares) for each of `closes`."""
    factor, ahead, points = ONE, list(splits), []
    for day, close in reversed(closes):
        while ahead and ahead[-1][0] > day:
            factor = EXACT.multiply(factor, ahead.pop()[1])
        points.append((day, close, _divided(close, factor)))
    points.reverse()
    return points


# --- One instrument -------------------------------------------------------------------------------

DayClose = tuple[date, Decimal]


@dataclass(frozen=True, slots=True)
class InstrumentDetails:
    """What is stored of an instrument, oldest first; closes as traded.

    `held_back` is the number of its prices and dividends that are held back. Splits wait for each
    user (`Holding.waiting_splits`).
    """

    first_close: DayClose | None
    last_close: DayClose | None
    splits: Splits
    dividends: list[tuple[date, Decimal]]
    held_back: int


def instrument_details(stock: StockMetadata) -> InstrumentDetails:
    """Return what is stored of `stock`. Five queries."""
    closes = stock.prices.values_list("date", "close")
    dividends = stock.dividends.order_by("date").values_list("date", "amount")
    return InstrumentDetails(
        first_close=closes.order_by("date").first(),
        last_close=closes.order_by("-date").first(),
        splits=splits_of([stock.pk]).get(stock.pk, []),
        dividends=list(dividends),
        held_back=stock.held_back.filter(state="held_back").exclude(kind="split").count(),
    )


def prices_by_hand(stock: StockMetadata) -> QuerySet[HistoricalStockPrice]:
    """Return the closes of `stock` that a person entered, newest first."""
    return stock.prices.filter(source=StockMetadata.MANUAL).order_by("-date")


# --- What is held back ----------------------------------------------------------------------------


def days_in_doubt(stock_ids: Iterable[UUID]) -> dict[UUID, list[tuple[date, date]]]:
    """Return the stretches of days on which a price later than the standing one is held back.

    First and last day, by instrument: each ends the day before the next close. One query.
    """
    closes = HistoricalStockPrice.objects.filter(stock=OuterRef("stock"))
    following = closes.filter(date__gt=OuterRef("date")).order_by("date").values("date")
    rows = (
        HeldBack.objects.filter(
            stock__in=set(stock_ids), kind=HeldBack.Kind.PRICE, state=HeldBack.State.HELD_BACK
        )
        .exclude(Exists(closes.filter(date=OuterRef("date"))))
        .annotate(next_close=Subquery(following[:1]))
    )
    found: dict[UUID, list[tuple[date, date]]] = defaultdict(list)
    for stock_id, day, next_close in rows.values_list("stock_id", "date", "next_close"):
        if stock_id is not None:
            last = date.max if next_close is None else next_close - timedelta(days=1)
            found[stock_id].append((day, last))
    return dict(found)
