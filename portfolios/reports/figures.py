"""The daily figures of a period, of one portfolio or of several together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from django.utils import timezone

from financeproj.core.missing import (
    CURRENCY_DIFFERS,
    HISTORY_PENDING,
    NO_PRICE,
    NO_RATE,
    PRICE_HELD_BACK,
    SPLIT_HELD_BACK,
    SPLIT_UNBOOKED,
    gravest,
)
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

    `missing_why` has the reason by ticker of what has no price or rate on some day, or is in doubt;
    `stale` is whether a day is valued at an old rate, or the last one at an old price.
    """

    period: Period
    currency: str
    daily: Daily
    missing_why: dict[str, str]
    stale: bool

    @property
    def missing(self) -> list[str]:
        return sorted(self.missing_why)


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
    _add_trades(history, closes, period)
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
        missing_why=why_missing(history, numbers.missing, market, period),
        stale=has_old_rates or _has_stale_price(history, period),
    )


def _add_trades(history: PortfolioHistory, closes: Floats, period: Period) -> None:
    """Write what the user paid or got into `closes`, where no close stands.

    The columns are those of `period`. Today's stays the latest known price.
    """
    ends_today = period.end >= timezone.localdate()
    for row, instrument in zip(closes, history.instruments, strict=True):
        own = history.trades.get(instrument.stock_id)
        if own is None:
            continue
        if not instrument.has_known_closes:
            row[:] = np.nan
        own.fill(row, period.day_before)
        price = history.prices.get(instrument.stock_id)
        if ends_today and price is not None:
            row[-1] = float(price.price * price.ahead)


def why_missing(
    history: PortfolioHistory, unpriced: Ints, market: Market, period: Period
) -> dict[str, str]:
    """Return the reason by ticker why instruments are missing from the figures, or in doubt."""
    held = [
        history.instruments[index]
        for index in history.vector.held_between(period.day_before, period.end)
    ]
    pending = [instrument.ticker for instrument in held if not instrument.has_history]
    waiting = [instrument.ticker for instrument in held if instrument.has_waiting_split]
    differing = [instrument.ticker for instrument in held if instrument.is_described_otherwise]
    reasons = [
        dict.fromkeys(pending, HISTORY_PENDING),
        dict.fromkeys(waiting, SPLIT_HELD_BACK),
        dict.fromkeys(differing, CURRENCY_DIFFERS),
    ]
    for instrument in history.instruments:
        doubtful_from = instrument.doubtful_from or date.max
        if doubtful_from <= period.end:
            reasons.append({instrument.ticker: SPLIT_UNBOOKED})
    reasons.append(dict.fromkeys(_held_back(history, period), PRICE_HELD_BACK))
    for index in unpriced.tolist():
        without_price = np.isnan(market.close[index]).sum()
        without_rate = np.isnan(market.rates[market.currency[index]]).sum()
        code = NO_PRICE
        if without_rate > without_price:
            code = NO_RATE
        reasons.append({history.instruments[index].ticker: code})
    return gravest(*reasons)


def _held_back(history: PortfolioHistory, period: Period) -> list[str]:
    """Return the tickers held on a day on which a later price than the standing one waits."""
    found = []
    for index, instrument in enumerate(history.instruments):
        for first, last in history.held_back.get(instrument.stock_id, ()):
            first, last = max(first, period.start), min(last, period.end)
            if first <= last and index in history.vector.held_between(first, last):
                found.append(instrument.ticker)
    return found


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
    reasons: list[dict[str, str]] = []
    for history in histories:
        rate = rates[history.portfolio.currency]
        figures = figures_of(history, period, known=~np.isnan(rate))
        parts.append(figures.daily.converted(rate))
        reasons.append(figures.missing_why)
        stale = stale or figures.stale
    return Figures(period, currency, combined(parts, period.columns), gravest(*reasons), stale)


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
