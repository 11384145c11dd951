"""The daily figures of a period, of one portfolio or of several together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from django.utils import timezone

from marketdata import series
from marketdata.calc.rates import FRESH_DAYS
from portfolios.calc.performance import AMOUNTS, Daily, Floats, Ints, Market, combined, daily
from portfolios.reports.histories import PortfolioHistory
from portfolios.reports.periods import Period


@dataclass(frozen=True, slots=True)
class Figures:
    """The daily figures of `period` in `currency`.

    `missing` are the tickers without a price or rate on some day; `stale` is whether the last day
    is valued at an old price or rate.
    """

    period: Period
    currency: str
    daily: Daily
    missing: list[str]
    stale: bool


def cut_to_history(history: PortfolioHistory, period: Period) -> tuple[Period, int]:
    """Return `period` without the days before the first transaction, and how many those are.

    Requests may ask for decades.
    """
    begin = max(period.start, history.vector.first_on or period.end)
    begin = min(begin, period.end)
    return Period(begin, period.end), (begin - period.start).days


def market_of(
    history: PortfolioHistory, period: Period, known_from: int = 0
) -> tuple[Market, bool]:
    """Return closes and rates of the instruments, and whether a rate of the last day is old.

    The columns are those of `period`; before column `known_from` everything counts as unpriced.
    """
    row_of = {base: row for row, (base, _) in enumerate(history.pairs)}
    currency_rows = [row_of[instrument.currency] for instrument in history.instruments]
    rates, ages = series.rates_with_age(history.pairs, period.day_before, period.end)
    closes = series.closes(
        history.stock_ids,
        period.day_before,
        period.end,
        latest=history.prices,
        versions={instrument.stock_id: instrument.version for instrument in history.instruments},
    )
    market = Market(
        first_day=period.first_day,
        close=closes,
        currency=np.array(currency_rows, dtype=np.int64),
        rates=rates,
        known_from=known_from,
    )
    return market, _is_old(ages)


def _is_old(ages: series.Ages) -> bool:
    """Return whether a rate of the last column is known and stale."""
    last = ages[:, -1]
    return bool(((last > FRESH_DAYS) & (last < series.NEVER)).any())


def figures_of(history: PortfolioHistory, period: Period, known_from: int = 0) -> Figures:
    """Return the figures of one portfolio, in its currency.

    Before column `known_from` it counts as unpriced.
    """
    shorter, skipped = cut_to_history(history, period)
    market, has_old_rates = market_of(history, shorter, max(0, known_from - skipped))
    numbers = daily(history.vector.trades, market)
    return Figures(
        period=period,
        currency=history.portfolio.currency,
        daily=_padded(numbers, skipped),
        missing=missing_tickers(history, numbers.missing, period),
        stale=has_old_rates or _has_stale_price(history, period),
    )


def missing_tickers(history: PortfolioHistory, unpriced: Ints, period: Period) -> list[str]:
    """Return the tickers of unpriced instruments and of those that a split makes doubtful."""
    tickers = {history.instruments[index].ticker for index in unpriced.tolist()}
    for instrument in history.instruments:
        if instrument.doubtful_from and instrument.doubtful_from <= period.end:
            tickers.add(instrument.ticker)
    return sorted(tickers)


def _has_stale_price(history: PortfolioHistory, period: Period) -> bool:
    """Return whether the price of something still held is stale.

    It does not matter for a period in the past.
    """
    if period.end < timezone.localdate():
        return False
    for instrument in history.instruments:
        price = history.prices.get(instrument.stock_id)
        if instrument.is_held and price is not None and price.stale:
            return True
    return False


def _padded(numbers: Daily, days: int) -> Daily:
    """Put `days` empty columns before `numbers`."""
    if not days:
        return numbers
    padded = {name: np.concatenate((np.zeros(days), getattr(numbers, name))) for name in AMOUNTS}
    invested = np.concatenate((np.zeros(days, dtype=bool), numbers.invested))
    return replace(numbers, **padded, invested=invested)


def figures_of_all(histories: Sequence[PortfolioHistory], currency: str, period: Period) -> Figures:
    """Return the figures of several portfolios together, each converted day by day."""
    currencies = [history.portfolio.currency for history in histories]
    rates, stale = rates_into(currency, currencies, period)
    parts: list[Daily] = []
    missing: set[str] = set()
    for history in histories:
        rate = rates[history.portfolio.currency]
        figures = figures_of(history, period, known_from=int(np.isnan(rate).sum()))
        parts.append(figures.daily.converted(rate))
        missing.update(figures.missing)
        stale = stale or figures.stale
    return Figures(period, currency, combined(parts, period.columns), sorted(missing), stale)


def rates_into(
    currency: str, others: Iterable[str], period: Period
) -> tuple[dict[str, Floats], bool]:
    """Return the rates from each currency into `currency`, and whether one is old on the last day.

    [column] units of `currency` for one of the other; NaN before the first known.
    """
    codes = sorted(set(others))
    pairs = [(code, currency) for code in codes]
    rates, ages = series.rates_with_age(pairs, period.day_before, period.end)
    return dict(zip(codes, rates, strict=True)), _is_old(ages)
