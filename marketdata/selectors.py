"""What is known about instruments, prices and rates. Nobody outside is asked, and every query count
is constant.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Subquery, When
from django.utils import timezone

from financeproj.core.db.fields import latest_day
from financeproj.core.money import EXACT, ONE, round_for_storage
from marketdata.calc.rates import FoundRate as RateNow
from marketdata.calc.rates import Leg, Pair, find_rate, pairs_needed
from marketdata.calc.sanity import split_factor
from marketdata.models import (
    CurrencyPair,
    HistoricalExchangeRate,
    HistoricalStockPrice,
    StockMetadata,
    StockQuote,
    StockSplit,
)

# A quote that the background refreshes at the end of the cache time is not stale while that is
# under way.
GRACE = 4 / 3


@dataclass(frozen=True, slots=True)
class PriceNow:
    """The latest known price of an instrument, in its currency and in today's shares.

    Today's wherever it is latest: where that is after our today, `ahead` new shares of a split were
    one of ours. `day` is the trading day of `price`. `previous_close` is the last close before it,
    in the same shares, None when there is none. `fetched_at` is None for a price entered by hand.
    """

    price: Decimal
    previous_close: Decimal | None
    day: date
    as_of: datetime
    fetched_at: datetime | None
    source: str
    stale: bool
    ahead: Decimal = ONE


def is_fresh(fetched_at: datetime | None, *, grace: float = 1) -> bool:
    """Whether an answer of that time still is within the cache time."""
    if fetched_at is None:
        return False
    return timezone.now() - fetched_at <= timedelta(
        seconds=settings.MARKET_DATA_CACHE_SECONDS * grace
    )


def instruments_visible_to(user: Any) -> QuerySet[StockMetadata]:
    """The instruments that sources know, and the user's own."""
    return StockMetadata.objects.filter(Q(owner__isnull=True) | Q(owner=user))


def instrument_for(*, user: Any, ticker: str) -> StockMetadata | None:
    """The instrument that `ticker` (in any case) means to this user: their own before the shared
    one.
    """
    found = instruments_visible_to(user).filter(ticker=ticker.strip().upper())
    return found.order_by(F("owner").asc(nulls_last=True)).first()


def splits_of(
    stock_ids: Iterable[UUID], *, after: date | None = None
) -> dict[UUID, list[tuple[date, Decimal]]]:
    """Splits (date, new shares per old one) by instrument, oldest first; instruments without any
    are absent.
    """
    rows = StockSplit.objects.filter(stock_id__in=list(stock_ids))
    if after is not None:
        rows = rows.filter(date__gt=after)
    found: dict[UUID, list[tuple[date, Decimal]]] = defaultdict(list)
    for stock_id, day, ratio in rows.order_by("date").values_list("stock_id", "date", "ratio"):
        found[stock_id].append((day, ratio))
    return dict(found)


def prices_now(stock_ids: Iterable[UUID]) -> dict[UUID, PriceNow]:
    """The latest known price of each instrument: the quote, or the last stored close where that is
    newer.

    Instruments without any price are absent. A price from before a split is divided by its ratio.
    One of a day that has not begun anywhere is no price yet.
    """
    begun = HistoricalStockPrice.objects.filter(stock=OuterRef("pk"), date__lte=latest_day())
    closes = begun.order_by("-date").values("date")
    stocks = list(
        StockMetadata.objects.filter(pk__in=list(stock_ids))
        .select_related("quote")
        .annotate(last_day=Subquery(closes[:1]))
        .annotate(day_before=Subquery(closes.filter(date__lt=OuterRef("last_day"))[:1]))
    )
    days = {day for stock in stocks for day in (stock.last_day, stock.day_before) if day}
    rows = HistoricalStockPrice.objects.filter(
        stock__in=[stock.pk for stock in stocks], date__in=days
    )
    known = {(stock_id, day): (close, source) for stock_id, day, close, source in rows.values_list(
        "stock_id", "date", "close", "source"
    )}  # fmt: skip
    splits = splits_of([stock.pk for stock in stocks], after=min(days, default=date.min))
    today = timezone.localdate()
    found = {}
    for stock in stocks:
        price = _price_of(stock, known, splits.get(stock.pk, []), today)
        if price is not None:
            found[stock.pk] = price
    return found


def unpriced_and_old(
    stock_ids: Iterable[UUID], *, before: datetime
) -> tuple[list[StockMetadata], list[StockMetadata]]:
    """Those of the instruments without any price, and those whose quote was fetched `before` then,
    by ticker.

    Instruments priced by hand are never old. Two queries.
    """
    stocks = StockMetadata.objects.filter(pk__in=set(stock_ids)).order_by("ticker")
    has_close = Exists(HistoricalStockPrice.objects.filter(stock=OuterRef("pk")))
    unpriced = stocks.filter(~has_close, quote__isnull=True)
    old = stocks.filter(quote__fetched_at__lt=before).exclude(source=StockMetadata.MANUAL)
    return list(unpriced), list(old)


def with_staleness_of_now(prices: Mapping[UUID, PriceNow]) -> dict[UUID, PriceNow]:
    """`prices`, read a while ago, as stale as they have become since."""
    oldest = timezone.now() - timedelta(seconds=settings.MARKET_DATA_CACHE_SECONDS * GRACE)
    manual = StockMetadata.MANUAL

    def has_aged(price: PriceNow) -> bool:
        return price.fetched_at is not None and price.fetched_at < oldest and price.source != manual

    return {
        pk: replace(price, stale=True) if has_aged(price) else price for pk, price in prices.items()
    }


def _price_of(
    stock: Any,
    known: dict[tuple[UUID, date], tuple[Decimal, str]],
    splits: list[tuple[date, Decimal]],
    today: date,
) -> PriceNow | None:
    quote = getattr(stock, "quote", None)
    if (
        quote is not None
        and quote.day <= latest_day()
        and (stock.last_day is None or quote.day >= stock.last_day)
    ):
        day, as_of, price, source = quote.day, quote.as_of, quote.price, quote.source
        fetched_at: datetime | None = quote.fetched_at
        day_before = stock.day_before if stock.last_day == day else stock.last_day
        previous = known[stock.pk, day_before][0] if day_before else None
        if previous is None and quote.previous_close is not None:
            previous, day_before = quote.previous_close, day  # the source has made it comparable
    elif stock.last_day is not None:
        day, day_before = stock.last_day, stock.day_before
        as_of = datetime.combine(day, time.min, tzinfo=UTC)
        price, source = known[stock.pk, day]
        fetched_at = None if source == stock.MANUAL else max(
            (at for at in (stock.history_fetched_at, quote and quote.fetched_at) if at), default=None
        )  # fmt: skip
        previous = known[stock.pk, day_before][0] if day_before else None
    else:
        return None
    later = split_factor(splits, day, latest_day())
    return PriceNow(
        price=_divided(price, later),
        previous_close=previous
        if previous is None or day_before is None
        else _divided(previous, EXACT.multiply(later, split_factor(splits, day_before, day))),
        day=day,
        as_of=as_of,
        fetched_at=fetched_at,
        source=source,
        stale=not stock.is_manual
        and source != stock.MANUAL
        and not is_fresh(fetched_at, grace=GRACE),
        ahead=split_factor(splits, today, latest_day()),
    )


def _divided(price: Decimal, factor: Decimal) -> Decimal:
    return price if factor == ONE else round_for_storage(EXACT.divide(price, factor))


# --- Exchange rates -------------------------------------------------------------------------------


# The last leg of a pair on a day, by (pair, day) and stamped with the pair's version: asked for
# with every valuation.
_kept_legs: dict[tuple[int, date], tuple[int, Leg | None]] = {}
MOST_LEGS_KEPT = 5000


def forget_legs() -> None:
    """Keep nothing any more."""
    _kept_legs.clear()


def _legs(pairs: Iterable[Pair], day: date) -> dict[Pair, Leg]:
    """The last rate on or before `day` of every stored pair that the lookup of `pairs` may need:
    one query.

    A small one for what this process keeps at the pair's version.
    """
    needed = {leg for base, target in pairs if base != target for leg in pairs_needed(base, target)}
    if not needed:
        return {}
    stored_pairs = CurrencyPair.objects.order_by().filter(
        base__in={base for base, _ in needed}, target__in={target for _, target in needed}
    )
    if connection.in_atomic_block:
        # A version may be rolled back and come again with other rows: nothing is kept of it.
        return {
            pair: leg for pair, _, leg in _last_legs(stored_pairs, day).values() if leg is not None
        }
    state = list(stored_pairs.values_list("pk", "version", "base", "target"))
    found = {(pk, day): _kept_legs.get((pk, day), (-1, None)) for pk, _, _, _ in state}
    behind = [pk for pk, version, _, _ in state if found[pk, day][0] != version]
    if behind:
        read = _last_legs(CurrencyPair.objects.filter(pk__in=behind), day)
        found |= {(pk, day): (version, leg) for pk, (_, version, leg) in read.items()}
        if len(_kept_legs) > MOST_LEGS_KEPT:
            _kept_legs.clear()
        _kept_legs.update(found)
    return {
        (base, target): leg
        for pk, _, base, target in state
        if (leg := found[pk, day][1]) is not None
    }


def _last_legs(
    stored_pairs: QuerySet[CurrencyPair], day: date
) -> dict[int, tuple[Pair, int, Leg | None]]:
    """By pk: the pair, its version, and its last rate by `day`."""
    latest = HistoricalExchangeRate.objects.filter(pair=OuterRef("pk"), date__lte=day).order_by(
        "-date"
    )
    rows = stored_pairs.annotate(
        day=Subquery(latest.values("date")[:1]),
        rate=Subquery(latest.values("rate")[:1]),
        source=Subquery(latest.values("source")[:1]),
    ).values_list("pk", "base", "target", "version", "day", "rate", "source")
    return {
        pk: ((base, target), version, None if when is None else Leg(when, rate, source))
        for pk, base, target, version, when, rate, source in rows
    }


def rates_on(pairs: Iterable[Pair], day: date) -> dict[Pair, RateNow]:
    """The rate of each (base, target) on `day` by the lookup rule; pairs without any are absent."""
    pairs = set(pairs)
    legs = _legs(pairs, day)
    found = {pair: find_rate(*pair, day, legs) for pair in pairs}
    return {pair: rate for pair, rate in found.items() if rate is not None}


def rates_now(pairs: Iterable[Pair]) -> dict[Pair, RateNow]:
    """The latest known rate of each (base, target): units of target for one of base."""
    return rates_on(pairs, timezone.localdate())


def rate_on(*, base: str, target: str, day: date) -> RateNow | None:
    """The rate of one pair on `day`, None if none is known."""
    return rates_on([(base, target)], day).get((base, target))


def rates_on_days(wanted: Iterable[tuple[str, str, date]]) -> dict[tuple[str, str, date], RateNow]:
    """The rate of each (base, target, day) by the lookup rule; those without any are absent. One
    query.
    """
    wanted = list(set(wanted))
    needed = {
        leg for base, target, _ in wanted if base != target for leg in pairs_needed(base, target)
    }
    series = _series_of(needed, until=max((day for _, _, day in wanted), default=date.min))
    found = {}
    for base, target, day in wanted:
        legs = {}
        for pair in pairs_needed(base, target):
            if pair in series:
                days, rows = series[pair]
                if position := bisect_right(days, day):
                    legs[pair] = rows[position - 1]
        rate = find_rate(base, target, day, legs)
        if rate is not None:
            found[base, target, day] = rate
    return found


def _series_of(pairs: set[Pair], until: date) -> dict[Pair, tuple[list[date], list[Leg]]]:
    if not pairs:
        return {}
    rows = HistoricalExchangeRate.objects.filter(
        pair__base__in={base for base, _ in pairs},
        pair__target__in={target for _, target in pairs},
        date__lte=until,
    )
    series: dict[Pair, tuple[list[date], list[Leg]]] = defaultdict(lambda: ([], []))
    for base, target, day, rate, source in rows.order_by("date").values_list(
        "pair__base", "pair__target", "date", "rate", "source"
    ):
        days, legs = series[base, target]
        days.append(day)
        legs.append(Leg(day, rate, source))
    return dict(series)


@dataclass(frozen=True, slots=True)
class RateHistory:
    """(day, units of target for one base), oldest first; `source` is `mixed` when there are
    several.
    """

    points: list[tuple[date, Decimal]]
    source: str


def rate_history(*, base: str, target: str, start: date | None, end: date) -> RateHistory:
    """The rates of the days that have one of their own, by the lookup rule. One query."""
    if base == target:
        return RateHistory([(end, ONE)], "identity")
    series = _series_of(set(pairs_needed(base, target)), until=end)
    by_day: dict[date, dict[Pair, Leg]] = defaultdict(dict)
    for pair, (days, legs) in series.items():
        for day, leg in zip(days, legs, strict=True):
            by_day[day][pair] = leg
    known: dict[Pair, Leg] = {}
    points, sources = [], set()
    for day in sorted(by_day):
        known |= by_day[day]
        if start is None or day >= start:
            rate = find_rate(base, target, day, known)
            if rate is not None and rate.date == day:
                points.append((day, rate.rate))
                sources.add(rate.source)
    return RateHistory(points, sources.pop() if len(sources) == 1 else "mixed" if sources else "")


# --- Search and history ---------------------------------------------------------------------------


def known_instruments(*, user: Any, query: str, limit: int) -> list[StockMetadata]:
    """Instruments in the database by ticker, name or ISIN: the exact ticker first, then what begins
    with the query.
    """
    matches = (
        Q(ticker__icontains=query) | Q(company_name__icontains=query) | Q(isin__iexact=query)
    )  # fmt: skip
    rank = Case(
        When(Q(ticker__iexact=query) | Q(isin__iexact=query), then=0),
        When(ticker__istartswith=query, then=1),
        When(company_name__istartswith=query, then=2),
        default=3,
    )
    found = instruments_visible_to(user).filter(matches).annotate(rank=rank)
    best = found.order_by("rank", "ticker", F("owner").asc(nulls_last=True))[: 2 * limit]
    by_ticker: dict[str, StockMetadata] = {}
    for stock in best:
        by_ticker.setdefault(stock.ticker, stock)  # the user's own instrument hides the shared one
    return list(by_ticker.values())[:limit]


@dataclass(frozen=True, slots=True)
class PriceHistory:
    """`points` are (day, close as traded, close in today's shares), oldest first; events of the
    same days.
    """

    points: list[tuple[date, Decimal, Decimal]]
    splits: list[tuple[date, Decimal]]
    dividends: list[tuple[date, Decimal]]


def price_history(*, stock: StockMetadata, start: date | None, end: date) -> PriceHistory:
    """Closes from `start` (None: the first known) to `end`, ending with the quote where that is
    newer.
    """
    between = Q(date__lte=end) if start is None else Q(date__gte=start, date__lte=end)
    closes = list(stock.prices.filter(between).order_by("date").values_list("date", "close"))
    quote = StockQuote.objects.filter(stock=stock).values_list("day", "price").first()
    if (
        quote
        and quote[0] <= end
        and (start is None or quote[0] >= start)
        and (not closes or quote[0] > closes[-1][0])
    ):
        closes.append(quote)
    splits = splits_of([stock.pk]).get(stock.pk, [])
    factor, ahead, points = ONE, list(splits), []
    for day, close in reversed(closes):
        while ahead and ahead[-1][0] > day:
            factor = EXACT.multiply(factor, ahead.pop()[1])
        points.append((day, close, _divided(close, factor)))
    points.reverse()
    return PriceHistory(
        points=points,
        splits=[
            (day, ratio) for day, ratio in splits if day <= end and (start is None or day >= start)
        ],
        dividends=list(
            stock.dividends.filter(between).order_by("date").values_list("date", "amount")
        ),
    )


def currencies_in_use(*, user: Any) -> set[str]:
    """The user's base currency and those of their instruments: by hand, or held."""
    held = StockMetadata.objects.filter(Q(owner=user) | Q(holdings__portfolio__user=user))
    return {user.base_currency, *held.values_list("currency", flat=True)}


def sourced_instruments(tickers: Iterable[str] = ()) -> list[StockMetadata]:
    """The instruments that a source prices, or those of them with these tickers. Raises LookupError
    for an unknown.
    """
    stocks = StockMetadata.objects.filter(owner__isnull=True).order_by("ticker")
    wanted = {ticker.upper() for ticker in tickers}
    if wanted:
        stocks = stocks.filter(ticker__in=wanted)
        if unknown := wanted - {stock.ticker for stock in stocks}:
            raise LookupError(f"No source prices {', '.join(sorted(unknown))} here.")
    return list(stocks)


def asked_pairs() -> list[Pair]:
    """The pairs of currencies for which a source over the network has been asked before."""
    return list(CurrencyPair.objects.filter(fetched_at__isnull=False).values_list("base", "target"))


@dataclass(frozen=True, slots=True)
class CloseOn:
    """The close that stands on a day: that of `date`, in the shares of the day asked for."""

    price: Decimal
    date: date
    source: str


def closes_on(stock_ids: Iterable[UUID], day: date) -> dict[UUID, CloseOn]:
    """The last close on or before `day` of each instrument; instruments without one are absent. Two
    queries.
    """
    last = HistoricalStockPrice.objects.filter(stock=OuterRef("pk"), date__lte=day).order_by(
        "-date"
    )
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
    found = {pk: CloseOn(close, of, source) for pk, of, close, source in rows}
    splits = splits_of(found, after=min((close.date for close in found.values()), default=day))
    return {
        pk: replace(
            close, price=_divided(close.price, split_factor(splits.get(pk, []), close.date, day))
        )
        for pk, close in found.items()
    }
