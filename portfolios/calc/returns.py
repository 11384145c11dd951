"""Rates of return and risk of a period, from its daily numbers."""

from dataclasses import dataclass

import numpy as np

from portfolios.calc.performance import Daily, Flags, Floats
from portfolios.calc.xirr import InternalRate, internal_rate

TRADING_DAYS_A_YEAR = 252
# Index values that are closer than this are equal: the last digits of a product of thousands of
# floats are noise.
_SAME = 1e-12


def daily_returns(daily: Daily) -> Floats:
    """Return the return of each day as a fraction, [day]; column 0 is 0.

    Inflows count from the start of the day, outflows until its end.
    """
    value, result = daily.value, np.zeros(len(daily.value))
    start = value[:-1] + daily.inflow[1:]
    at_work = (start > 0) & ((value[:-1] > 0) | daily.invested[1:])
    np.divide(value[1:] + daily.outflow[1:], start, out=result[1:], where=at_work)
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
    if days < 365 or total_return < -1:
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
    """Return the internal rate of the dated amounts; `first_day` is the day number of column 0."""
    amounts = dated_amounts(daily)
    return internal_rate(np.arange(first_day, first_day + len(amounts)), amounts)


def invested_weekdays(daily: Daily, first_day: int) -> Flags:
    """Return the Mondays to Fridays of the period on which something was invested, [day]."""
    weekday = (np.arange(first_day, first_day + len(daily.value)) + 3) % 7  # day 0 was a Thursday
    chosen = daily.invested | np.concatenate(([False], daily.value[:-1] > 0))
    chosen[:1] = False
    return chosen & (weekday < 5)


def volatility(daily: Daily, returns: Floats, first_day: int) -> float | None:
    """Return the yearly standard deviation of the logarithmic daily returns.

    None with fewer than 2 days, or after a total loss.
    """
    chosen = returns[invested_weekdays(daily, first_day)]
    if len(chosen) < 2 or (chosen <= -1).any():
        return None
    return float(np.std(np.log1p(chosen), ddof=1) * np.sqrt(TRADING_DAYS_A_YEAR))


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
