"""The daily figures of a period, of one portfolio or of several together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import numpy as np
from django.utils import timezone

from financeproj.core.missing import (
    CURRENCY_DIFFERS,
    HISTORY_PENDING,
    NO_PRICE,
    NO_RATE,
    PRICE_HELD_BACK,
    RATE_HELD_BACK,
    SPLIT_HELD_BACK,
    SPLIT_UNBOOKED,
    gravest,
    with_rate_held_back,
    without_rate,
)
from marketdata import series
from marketdata.calc.rates import FRESH_DAYS, pairs_into
from portfolios.calc.cash import (
    CashDaily,
    CashMarket,
    MoneyRows,
    cash_daily,
    cash_padded,
    combined_cash,
    has_money_on,
    invested_with_cash,
    with_cash,
)
from portfolios.calc.columns import padded, positions_of
from portfolios.calc.layout import Flags, Floats, Ints, Market, unpriced_somewhere
from portfolios.calc.performance import AMOUNTS, Daily, combined, daily
from portfolios.reports.histories import PortfolioHistory
from portfolios.reports.periods import Period
from portfolios.reports.vectors import day_of


@dataclass(frozen=True, slots=True)
class Figures:
    """The daily figures of `period` in `currency`.

    `securities` [column] is the part of the daily values that is not money. `missing_why` has the
    reason by ticker, or currency of money, of what has no price or rate on some day, or is in
    doubt; `stale` is whether a day is valued at an old rate, or the last one at an old price.
    """

    period: Period
    currency: str
    daily: Daily
    securities: Floats
    missing_why: dict[str, str]
    stale: bool

    @property
    def missing(self) -> list[str]:
        return sorted(self.missing_why)


def cut_to_history(history: PortfolioHistory, period: Period) -> tuple[Period, int]:
    """Return `period` without the days before the first transaction, and how many those are.

    Requests may ask for decades.
    """
    begin = max(period.start, history.begins_on or period.end)
    begin = min(begin, period.end)
    return Period(begin, period.end), (begin - period.start).days


def market_of(
    history: PortfolioHistory, period: Period, known: Flags | None = None
) -> tuple[Market, bool]:
    """Return closes and rates of the instruments, and whether anything was valued at an old rate.

    The columns are those of `period`; on days that are not `known` everything counts as unpriced.
    """
    row_of = positions_of(base for base, _ in history.pairs)
    currency_rows: list[int] = []
    versions: dict[UUID, int] = {}
    for instrument in history.instruments:
        currency_rows.append(row_of[instrument.currency])
        versions[instrument.stock_id] = instrument.version
    rates, ages = series.rates_with_age(history.pairs, period.day_before, period.end)
    closes = series.closes(
        history.stock_ids,
        period.day_before,
        period.end,
        latest=history.prices,
        versions=versions,
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


def figures_of(history: PortfolioHistory, period: Period) -> Figures:
    """Return the figures of one portfolio, in its currency."""
    part = _part_of(history, period, history.portfolio.currency, None)
    numbers = part.securities
    if part.cash is not None:
        numbers = with_cash(numbers, part.cash)
    return Figures(
        period=period,
        currency=history.portfolio.currency,
        daily=numbers,
        securities=part.securities.value,
        missing_why=part.missing_why,
        stale=part.stale,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """What one portfolio adds to figures: its securities, and its money where that counts."""

    securities: Daily
    cash: CashDaily | None
    missing_why: dict[str, str]
    stale: bool


def _part_of(
    history: PortfolioHistory, period: Period, currency: str, into: Floats | None
) -> _Part:
    """Return the part of one portfolio in figures in `currency`.

    `into` [column] is the rate from the portfolio's currency into that of the figures, None if they
    are the same. On days without one the portfolio counts as unpriced.
    """
    shorter, skipped = cut_to_history(history, period)
    known = None
    if into is not None:
        into = into[skipped:]
        known = ~np.isnan(into)
    market, stale = market_of(history, shorter, known)
    cash_from = None
    if history.money is not None:
        cash_from = column_of_cash(history, shorter)
    securities = daily(history.vector.trades, market, cash_from)
    missing_why = why_missing(history, securities.missing, market, period, currency)
    if into is not None:
        securities = securities.converted(into)
    cash = None
    if cash_from is not None:
        rows, money_market, has_old_rate = money_of_period(history, shorter, market, into)
        cash = cash_daily(rows, money_market)
        securities = invested_with_cash(securities, cash, cash_from)
        missing_why = gravest(
            missing_why, why_money_missing(history, cash.missing, period, currency)
        )
        stale = stale or has_old_rate
        cash = cash_padded(cash, skipped)
    return _Part(
        securities=_padded(securities, skipped),
        cash=cash,
        missing_why=missing_why,
        stale=stale or _has_stale_price(history, period),
    )


def column_of_cash(history: PortfolioHistory, period: Period) -> int:
    """Return the column from which on the money of a portfolio counts; 0 if from before on."""
    cash_from = history.portfolio.cash_from or period.day_before
    return max((cash_from - period.day_before).days, 0)


def money_of_period(
    history: PortfolioHistory, period: Period, market: Market, into: Floats | None
) -> tuple[MoneyRows, CashMarket, bool]:
    """Return a portfolio's money and its rates, and whether some stood at an old rate.

    `into` [column] is the rate of the portfolio's currency in that of the figures, None for 1.
    """
    if history.money is None:
        raise ValueError("The money of the portfolio was not read.")
    rows = history.money.rows_for(history.vector.holding_ids)
    rates, ages = series.rates_with_age(history.money_pairs, period.day_before, period.end)
    own = np.ones(period.columns)
    if into is not None:
        rates, own = rates * into, into
    found = CashMarket(
        first_day=period.first_day,
        rates=rates,
        own=own,
        since=column_of_cash(history, period),
        priced=unpriced_somewhere(market),
    )
    return rows, found, has_money_on(rows, found, _is_old(ages))


def why_money_missing(
    history: PortfolioHistory, unrated: Ints, period: Period, currency: str
) -> dict[str, str]:
    """Return the reason why currencies of a portfolio's money are missing from figures in
    `currency` (`unrated`, as indexes), or in doubt.
    """
    if history.money is None:
        return {}
    own, doubtful = history.portfolio.currency, []
    codes = history.money.currencies
    for index, code in enumerate(codes):
        stretches = [
            *history.rates_held_back.get((code, own), ()),
            *history.rates_held_back.get((own, currency), ()),
        ]
        for begin, end in stretches:
            first, last = max(begin, period.start), min(end, period.end)
            if first <= last and history.money.stands_between(index, first, last):
                doubtful.append(code)
    return gravest(
        without_rate(codes[index] for index in unrated.tolist()), with_rate_held_back(doubtful)
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
    history: PortfolioHistory, unpriced: Ints, market: Market, period: Period, currency: str
) -> dict[str, str]:
    """Return the reason by ticker why instruments are missing from the figures, which are in
    `currency`, or in doubt.
    """
    reasons: list[dict[str, str]] = []
    for index in history.vector.held_between(period.day_before, period.end):
        instrument = history.instruments[index]
        if not instrument.has_history:
            reasons.append({instrument.ticker: HISTORY_PENDING})
        if instrument.has_waiting_split:
            reasons.append({instrument.ticker: SPLIT_HELD_BACK})
        if instrument.is_described_otherwise:
            reasons.append({instrument.ticker: CURRENCY_DIFFERS})
    for instrument in history.instruments:
        unbooked_on = instrument.unbooked_split_on or date.max
        if unbooked_on <= period.end:
            reasons.append({instrument.ticker: SPLIT_UNBOOKED})
    for index, instrument in enumerate(history.instruments):
        prices = history.held_back.get(instrument.stock_id, ())
        if _is_held_on(history, index, prices, period):
            reasons.append({instrument.ticker: PRICE_HELD_BACK})
        own = history.portfolio.currency
        rates = [
            *history.rates_held_back.get((instrument.currency, own), ()),
            *history.rates_held_back.get((own, currency), ()),
        ]
        if _is_held_on(history, index, rates, period):
            reasons.append({instrument.ticker: RATE_HELD_BACK})
    for index in unpriced.tolist():
        without_price = np.isnan(market.close[index]).sum()
        without_rate = np.isnan(market.rates[market.currency[index]]).sum()
        code = NO_PRICE
        if without_rate > without_price:
            code = NO_RATE
        reasons.append({history.instruments[index].ticker: code})
    return gravest(*reasons)


def _is_held_on(
    history: PortfolioHistory, index: int, stretches: Sequence[tuple[date, date]], period: Period
) -> bool:
    """Return whether the instrument is held on a day of `stretches` within the period."""
    for begin, end in stretches:
        first, last = max(begin, period.start), min(end, period.end)
        if first <= last and index in history.vector.held_between(first, last):
            return True
    return False


def _has_stale_price(history: PortfolioHistory, period: Period) -> bool:
    """Return whether the price of something held at the end is stale.

    For a period in the past, only what a trade of the user says is.
    """
    if period.end < timezone.localdate():
        return _ends_at_a_trade(history, period.end)
    for instrument in history.instruments:
        price = history.prices.get(instrument.stock_id)
        if instrument.is_held and price is not None and price.stale:
            return True
    return False


def _ends_at_a_trade(history: PortfolioHistory, day: date) -> bool:
    """Return whether something held on `day` is worth what was last paid for it."""
    if not history.trades:
        return False
    for index in history.vector.held_between(day, day):
        own = history.trades.get(history.instruments[index].stock_id)
        if own is not None and own.on(day) is not None:
            return True
    return False


def _padded(numbers: Daily, days: int) -> Daily:
    """Put `days` empty columns before `numbers`."""
    if not days:
        return numbers
    invested = np.concatenate((np.zeros(days, dtype=bool), numbers.invested))
    amounts = padded(numbers, AMOUNTS, days)
    return Daily(**amounts, invested=invested, missing=numbers.missing)


def figures_of_all(histories: Sequence[PortfolioHistory], currency: str, period: Period) -> Figures:
    """Return the figures of several portfolios together, each converted day by day."""
    currencies = [history.portfolio.currency for history in histories]
    rates, stale = rates_into(currency, currencies, period)
    of_each: list[Daily] = []
    money: list[CashDaily] = []
    reasons: list[dict[str, str]] = []
    for history in histories:
        part = _part_of(history, period, currency, rates[history.portfolio.currency])
        of_each.append(part.securities)
        if part.cash is not None:
            money.append(part.cash)
        reasons.append(part.missing_why)
        stale = stale or part.stale
    securities = combined(of_each, period.columns)
    numbers = securities
    if money:
        numbers = with_cash(securities, combined_cash(money, period.columns))
    return Figures(
        period=period,
        currency=currency,
        daily=numbers,
        securities=securities.value,
        missing_why=gravest(*reasons),
        stale=stale,
    )


def rates_into(
    currency: str, others: Iterable[str], period: Period
) -> tuple[dict[str, Floats], bool]:
    """Return the rates from each currency into `currency`, and whether one is old on some day.

    [column] units of `currency` for one of the other; NaN where unknown.
    """
    codes = sorted(set(others))
    pairs = pairs_into(currency, codes)
    rates, ages = series.rates_with_age(pairs, period.day_before, period.end)
    return dict(zip(codes, rates, strict=True)), bool(_is_old(ages).any())
