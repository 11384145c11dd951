"""The daily figures of a period, of one portfolio or of several together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from django.utils import timezone

from marketdata import series
from marketdata.calc.rates import FRESH_DAYS
from portfolios.calc.layout import Flags, Floats, Ints, Market
from portfolios.calc.performance import AMOUNTS, Daily, combined, daily
from portfolios.reports.histories import PortfolioHistory
from portfolios.reports.periods import Period
from portfolios.reports.vectors import day_of


@dataclass(frozen=True, slots=True)
class Figures:
    """The daily figures of `period` in `currency`.

    `missing` are the tickers without a price or rate on some day; `stale` is whether a day is
    valued at an old rate, or the last one at an old price.
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
    history: PortfolioHistory, period: Period, known: Flags | None = None
) -> tuple[Market, bool]:
    """Return closes and rates of the instruments, and whether anything was valued at an old rate.

    The columns are those of `period`; on days that are not `known` everything counts as unpriced.
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
        known=known,
    )
    return market, _has_old_rate(history, market, ages)


def _is_old(ages: series.Ages) -> Flags:
    """Return whether each rate is known and stale."""
    return (ages > FRESH_DAYS) & (ages < series.NEVER)


def _has_old_rate(history: PortfolioHistory, market: Market, ages: series.Ages) -> bool:
    """Return whether something was held on a day whose rate was stale."""
    is_old = _is_old(ages)
    for currency in np.flatnonzero(is_old.any(axis=1)).tolist():
        columns = np.flatnonzero(is_old[currency])
        for stretch in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1):
            first, last = (
                day_of(market.first_day + stretch[0]),
                day_of(market.first_day + stretch[-1]),
            )
            held = history.vector.held_between(first, last)
            if (market.currency[held] == currency).any():
                return True
    return False


def figures_of(history: PortfolioHistory, period: Period, known: Flags | None = None) -> Figures:
    """Return the figures of one portfolio, in its currency.

    On days of the period that are not `known` [column] it counts as unpriced.
    """
    shorter, skipped = cut_to_history(history, period)
    if known is not None:
        known = known[skipped:]
    market, has_old_rates = market_of(history, shorter, known)
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
        figures = figures_of(history, period, known=~np.isnan(rate))
        parts.append(figures.daily.converted(rate))
        missing.update(figures.missing)
        stale = stale or figures.stale
    return Figures(period, currency, combined(parts, period.columns), sorted(missing), stale)


def rates_into(
    currency: str, others: Iterable[str], period: Period
) -> tuple[dict[str, Floats], bool]:
    """Return the rates from each currency into `currency`, and whether one is old on some day.

    [column] units of `currency` for one of the other; NaN where unknown.
    """
    codes = sorted(set(others))
    pairs = [(code, currency) for code in codes]
    rates, ages = series.rates_with_age(pairs, period.day_before, period.end)
    return dict(zip(codes, rates, strict=True)), bool(_is_old(ages).any())
