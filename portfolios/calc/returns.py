"""Rates of return and risk of a period, from its daily numbers."""

from dataclasses import dataclass

import numpy as np

from portfolios.calc.layout import Flags, Floats
from portfolios.calc.performance import NOISE, Daily
from portfolios.calc.xirr import InternalRate, internal_rate

TRADING_DAYS_A_YEAR = 252
DAYS_A_YEAR = 365
# Index values that are closer than this are equal: the last digits of a product of thousands of
# floats are noise.
_SAME = 1e-12


def daily_returns(daily: Daily) -> Floats:
    """Return the return of each day as a fraction, [day]; column 0 is 0.

    Inflows count from the start of the day, outflows until its end. What only changed places is
    neither. With money a value can be below 0: such a day has no return.
    """
    value, result = daily.value, np.zeros(len(daily.value))
    switched = daily.switched
    start = value[:-1] + (daily.inflow - switched)[1:]
    end = value[1:] + (daily.outflow - switched)[1:]
    at_work = start > NOISE * (value[:-1] + daily.inflow[1:])
    at_work &= end >= -NOISE * (value[1:] + daily.outflow[1:])
    at_work &= (value[:-1] > 0) | (daily.invested[1:] & (value[:-1] == 0))
    np.divide(end, start, out=result[1:], where=at_work)
    result[1:] -= at_work
    return result


def twr_index(returns: Floats) -> Floats:
    """Return an index [day] that is 100 the day before the period and grows by `returns` [day]."""
    index = 1 + returns
    index[:1] = 100.0
    return np.cumprod(index, out=index)


def annualised(total_return: float, days: int) -> float | None:
    """Return the yearly rate of a return over `days`.

    None below 365 days, or when more than everything was lost.
    """
    if days < DAYS_A_YEAR or total_return < -1:
        return None
    return float((1 + total_return) ** (365 / days) - 1)


def dated_amounts(daily: Daily) -> Floats:
    """Return what the investor receives (positive) and pays, [day].

    The value before the period and the net flows are paid, the end value is received.
    """
    amounts = -daily.net_flow
    amounts[:1] -= daily.value[:1]
    amounts[-1:] += daily.value[-1:]
    return amounts


def money_weighted(daily: Daily, first_day: int) -> InternalRate:
    """Return the internal rate of the dated amounts; `first_day` is the day number of column 0.

    Its period is from the first of them to the last.
    """
    dated = np.flatnonzero(_has_amounts(daily))
    if not len(dated):
        return internal_rate(np.zeros(0, dtype=np.int64), np.zeros(0))
    first, last = int(dated[0]), int(dated[-1])
    amounts = dated_amounts(daily)[first : last + 1]
    return internal_rate(np.arange(first_day + first, first_day + last + 1), amounts)


def _has_amounts(daily: Daily) -> Flags:
    """Return the days with a net flow, and the ends of the period where they have a value, [day].

    Amounts of a day that cancel still date it.
    """
    dated = daily.net_flow != 0
    dated[:1] |= daily.value[:1] > 0
    dated[-1:] |= daily.value[-1:] > 0
    return dated


def invested_days(daily: Daily) -> Flags:
    """Return the days of the period on which something was invested, [day].

    Something was held the evening before, or bought, transferred in or priced for the first time.
    """
    invested = daily.invested.copy()
    invested[1:] |= daily.value[:-1] > 0
    invested[:1] = False
    return invested


def days_below_zero(daily: Daily) -> Flags:
    """Return the days of the period that begin or end with a value below 0, [day]."""
    below = daily.value < 0
    below[1:] |= daily.value[:-1] < 0
    below[:1] = False
    return below


def days_counted(daily: Daily, first_day: int, *, weekends: bool) -> Flags:
    """Return the invested days that count for the volatility, [day].

    Mondays to Fridays alone, unless something held trades on weekends too. Days that begin or end
    below 0 do not count.
    """
    invested = invested_days(daily)
    invested &= ~days_below_zero(daily)
    if weekends:
        return invested
    weekday = (np.arange(first_day, first_day + len(invested)) + 3) % 7  # day 0 was a Thursday
    return invested & (weekday < 5)


def volatility(returns: Floats, counted: Flags, *, weekends: bool) -> float | None:
    """Return the yearly standard deviation of the logarithmic returns of the days that count.

    None with fewer than 2 days, or after a total loss.
    """
    chosen = returns[counted]
    if len(chosen) < 2 or (chosen <= -1).any():
        return None
    deviation = np.std(np.log1p(chosen), ddof=1)
    return float(deviation * np.sqrt(days_a_year(weekends=weekends)))


def days_a_year(*, weekends: bool) -> int:
    """Return how many days of a year count for the volatility."""
    return DAYS_A_YEAR if weekends else TRADING_DAYS_A_YEAR


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The largest fall as a negative fraction, with the columns of its peak and trough.

    0 and None if the index never fell.
    """

    value: float
    peak: int | None
    trough: int | None


def max_drawdown(index: Floats) -> Drawdown:
    """Return the largest fall of `index` [day] from a running maximum; of equal falls the first."""
    highest = np.maximum.accumulate(index)
    fall = np.divide(index, highest, out=np.ones_like(index), where=highest > 0) - 1
    deepest = float(fall.min(initial=0.0))
    if deepest > -_SAME:
        return Drawdown(0.0, None, None)
    trough = int(np.argmax(fall <= deepest + _SAME))
    peak = int(np.argmax(index >= highest[trough] * (1 - _SAME)))
    return Drawdown(deepest, peak, trough)
