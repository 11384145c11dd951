"""The daily numbers of a period: of one portfolio in its currency, or of all in the user's base
currency.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

import numpy as np
from django.utils import timezone

from financeproj.core.api.serializers import EARLIEST_DATE
from financeproj.core.errors import DomainError
from marketdata import series
from marketdata.calc.rates import FRESH_DAYS, Pair
from marketdata.selectors import PriceNow
from portfolios.calc.performance import AMOUNTS, Daily, Floats, Ints, Market, combined, daily
from portfolios.models import Holding, Portfolio
from portfolios.reports.vectors import TradeVector, day_number, trades_of
from portfolios.valuation import doubtful_from
from portfolios.valuation.holdings_and_prices import read_holdings_and_prices


@dataclass(frozen=True, slots=True)
class Period:
    """All days from `start` to `end`. Column 0 of its arrays is the day before `start`."""

    start: date
    end: date

    @property
    def day_before(self) -> date:
        return self.start - timedelta(days=1)

    @property
    def first_day(self) -> int:
        """The day number of column 0."""
        return day_number(self.start) - 1

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1

    @property
    def columns(self) -> int:
        return self.days + 1


def period_of(*, start: date | None, end: date | None, first_on: date | None) -> Period:
    """The period asked for: from the first transaction and until today unless said otherwise, never
    beyond today.

    Raises DomainError when `start` is after `end`, or before the earliest day that is kept.
    """
    today = timezone.localdate()
    end = min(end or today, today)
    if start is None:
        start = min(first_on or end, end)
    if start > end:
        raise DomainError(
            f"start ({start}) is after end ({end}).", attr="start", code="start_after_end"
        )
    if start < EARLIEST_DATE:
        raise DomainError(
            f"Days before {EARLIEST_DATE} are not kept.", attr="start", code="out_of_range"
        )
    return Period(start, end)


@dataclass(frozen=True, slots=True)
class Instrument:
    """What the numbers need to know of a holding."""

    holding_id: UUID
    stock_id: UUID
    ticker: str
    currency: str
    is_held: bool
    has_history: bool
    version: int
    doubtful_from: date | None


@dataclass(frozen=True, slots=True)
class Book:
    """A portfolio with its transactions; `instruments` stand in the order of
    `vector.holding_ids`.
    """

    portfolio: Portfolio
    vector: TradeVector
    instruments: Sequence[Instrument]

    @property
    def pairs(self) -> list[Pair]:
        """From each instrument's currency to the portfolio's, by currency."""
        return [
            (code, self.portfolio.currency)
            for code in sorted({one.currency for one in self.instruments})
        ]


@dataclass(frozen=True, slots=True)
class Shelf:
    """Books with the latest prices of what is in them; `stamp` changes whenever their answers
    may.
    """

    books: Sequence[Book]
    prices: Mapping[UUID, PriceNow]
    stamp: str

    @property
    def without_history(self) -> set[UUID]:
        """Instruments that a source prices and whose history was never fetched."""
        return {
            one.stock_id for book in self.books for one in book.instruments if not one.has_history
        }


def shelf_of(portfolios: Sequence[Portfolio]) -> Shelf:
    """One query for what this process has read before, else also what changed since; without
    deleted portfolios.
    """
    inputs = read_holdings_and_prices(portfolios)
    if empty := [portfolio.pk for portfolio in portfolios if portfolio.pk not in inputs.holdings]:
        there = set(Portfolio.objects.filter(pk__in=empty).values_list("pk", flat=True))
        portfolios = [one for one in portfolios if one.pk in inputs.holdings or one.pk in there]
    vectors = trades_of(portfolios, inputs.holdings)
    books = []
    for portfolio in portfolios:
        known = {holding.pk: holding for holding in inputs.holdings.get(portfolio.pk, ())}
        vector = vectors[portfolio.pk]
        books.append(
            Book(
                portfolio,
                vector,
                [_instrument(known[pk], inputs.prices) for pk in vector.holding_ids],
            )
        )
    return Shelf(books, inputs.prices, inputs.stamp)


def _instrument(holding: Holding, prices: Mapping[UUID, PriceNow]) -> Instrument:
    stock = holding.stock
    return Instrument(
        holding_id=holding.pk,
        stock_id=holding.stock_id,
        ticker=stock.ticker,
        currency=stock.currency,
        is_held=bool(holding.current_quantity),
        has_history=stock.history_fetched_at is not None or stock.owner_id is not None,
        version=stock.version,
        doubtful_from=doubtful_from(holding, prices.get(holding.stock_id)),
    )


def first_transaction_on(books: Iterable[Book]) -> date | None:
    return min((book.vector.first_on for book in books if book.vector.first_on), default=None)


@dataclass(frozen=True, slots=True)
class Figures:
    """The daily numbers of `period` in `currency`; `missing` are the tickers without a price or
    rate on some day.
    """

    period: Period
    currency: str
    daily: Daily
    missing: list[str]
    stale: bool


def cut_to_history(book: Book, period: Period) -> tuple[Period, int]:
    """`period` without the days before the first transaction, and how many those are: decades may
    be asked for.
    """
    begin = min(max(period.start, book.vector.first_on or period.end), period.end)
    return Period(begin, period.end), (begin - period.start).days


def market_of(
    book: Book, period: Period, prices: Mapping[UUID, PriceNow], known_from: int = 0
) -> tuple[Market, bool]:
    """Closes and rates of the book's instruments on the columns of `period`, and whether a rate at
    its end is old.
    """
    pairs = book.pairs
    row = {base: index for index, (base, _) in enumerate(pairs)}
    rates, ages = series.rates_with_age(pairs, period.day_before, period.end)
    market = Market(
        first_day=period.first_day,
        close=series.closes(
            [one.stock_id for one in book.instruments],
            period.day_before,
            period.end,
            latest=prices,
            versions={one.stock_id: one.version for one in book.instruments},
        ),
        currency=np.array([row[one.currency] for one in book.instruments], dtype=np.int64),
        rates=rates,
        known_from=known_from,
    )
    return market, _is_old(ages)


def _is_old(ages: series.Ages) -> bool:
    """Whether a rate of the last column is known and stale."""
    last = ages[:, -1]
    return bool(((last > FRESH_DAYS) & (last < series.NEVER)).any())


def figures_of(
    book: Book, period: Period, prices: Mapping[UUID, PriceNow], known_from: int = 0
) -> Figures:
    """One portfolio, in its currency. Before column `known_from` it counts as unpriced."""
    shorter, skipped = cut_to_history(book, period)
    market, old_rates = market_of(book, shorter, prices, max(0, known_from - skipped))
    numbers = daily(book.vector.trades, market)
    return Figures(
        period=period,
        currency=book.portfolio.currency,
        daily=_padded(numbers, skipped),
        missing=names_of(book, numbers.missing, period),
        stale=old_rates or _has_stale(book, period, prices),
    )


def names_of(book: Book, unpriced: Ints, period: Period) -> list[str]:
    """The tickers of what has no price on some day, and of what a split makes doubtful."""
    unpriced_tickers = {book.instruments[index].ticker for index in unpriced.tolist()}
    doubtful = {
        one.ticker
        for one in book.instruments
        if one.doubtful_from and one.doubtful_from <= period.end
    }
    return sorted(unpriced_tickers | doubtful)


def _has_stale(book: Book, period: Period, prices: Mapping[UUID, PriceNow]) -> bool:
    """Whether something that is still held was not priced lately; of no concern to a period in the
    past.
    """
    if period.end < timezone.localdate():
        return False
    return any(
        one.is_held and one.stock_id in prices and prices[one.stock_id].stale
        for one in book.instruments
    )


def _padded(numbers: Daily, days: int) -> Daily:
    """`numbers` with `days` empty columns before them."""
    if not days:
        return numbers
    padded = {name: np.concatenate((np.zeros(days), getattr(numbers, name))) for name in AMOUNTS}
    return replace(
        numbers, **padded, invested=np.concatenate((np.zeros(days, dtype=bool), numbers.invested))
    )


def figures_of_all(
    books: Sequence[Book], currency: str, period: Period, prices: Mapping[UUID, PriceNow]
) -> Figures:
    """All portfolios together in `currency`: each converted day by day from its own."""
    rates, stale = rates_into(currency, [book.portfolio.currency for book in books], period)
    parts: list[Daily] = []
    missing: set[str] = set()
    for book in books:
        rate = rates[book.portfolio.currency]
        figures = figures_of(book, period, prices, known_from=int(np.isnan(rate).sum()))
        parts.append(figures.daily.converted(rate))
        missing.update(figures.missing)
        stale = stale or figures.stale
    return Figures(period, currency, combined(parts, period.columns), sorted(missing), stale)


def rates_into(
    currency: str, others: Iterable[str], period: Period
) -> tuple[dict[str, Floats], bool]:
    """[column] units of `currency` for one of each of the others, NaN before the first known;
    whether one is old.
    """
    codes = sorted(set(others))
    rates, ages = series.rates_with_age(
        [(code, currency) for code in codes], period.day_before, period.end
    )
    return dict(zip(codes, rates, strict=True)), _is_old(ages)
