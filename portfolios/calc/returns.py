"""Rates of return and risk of a period, from its daily numbers."""

from dataclasses import dataclass

import numpy as np

from portfolios.calc.performance import Daily, Flags, Floats
from portfolios.calc.xirr import InternalRate, internal_rate

TRADING_DAYS_A_YEAR = 252
# Two index values closer than this are the same peak: the last digits of a product of thousands of
# floats are noise.
_SAME = 1e-12


def daily_returns(daily: Daily) -> Floats:
    """[day] return of each day as a fraction; inflows count from its start, outflows until its end.
    Column 0 is 0.
    """
    value, result = daily.value, np.zeros(len(daily.value))
    start = value[:-1] + daily.inflow[1:]
    at_work = (start > 0) & ((value[:-1] > 0) | daily.invested[1:])
    np.divide(value[1:] + daily.outflow[1:], start, out=result[1:], where=at_work)
    result[1:] -= at_work
    return result


def twr_index(returns: Floats) -> Floats:
    """[day] 100 the day before the period, grown by `returns` [day]."""
    index = 1 + returns
    index[:1] = 100.0
    return np.cumprod(index, out=index)


def annualised(total_return: float, days: int) -> float | None:
    """A return over `days` as a yearly one; None under 365 days, or when more than everything was
    lost.
    """
    return (
        None if days < 365 or total_return < -1 else float((1 + total_return) ** (365 / days) - 1)
    )


def dated_amounts(daily: Daily) -> Floats:
    """[day] what the investor gets: the value before the period and each net flow are paid, the end
    value is got.
    """
    amounts = -daily.net_flow
    amounts[:1] -= daily.value[:1]
    amounts[-1:] += daily.value[-1:]
    return amounts


def money_weighted(daily: Daily, first_day: int) -> InternalRate:
    """The internal rate of the dated amounts; `first_day` is the day number of column 0."""
    amounts = dated_amounts(daily)
    return internal_rate(np.arange(first_day, first_day + len(amounts)), amounts)


def invested_weekdays(daily: Daily, first_day: int) -> Flags:
    """[day] Mondays to Fridays of the period on which something was invested."""
    weekday = (np.arange(first_day, first_day + len(daily.value)) + 3) % 7  # day 0 was a Thursday
    chosen = daily.invested | np.concatenate(([False], daily.value[:-1] > 0))
    chosen[:1] = False
    return chosen & (weekday < 5)


def volatility(daily: Daily, returns: Floats, first_day: int) -> float | None:
    """Yearly standard deviation of the logarithmic daily returns; None with fewer than 2 days or a
    total loss.
    """
    chosen = returns[invested_weekdays(daily, first_day)]
    if len(chosen) < 2 or (chosen <= -1).any():
        return None
    return float(np.std(np.log1p(chosen), ddof=1) * np.sqrt(TRADING_DAYS_A_YEAR))


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The largest fall as a negative fraction, with the columns of its peak and trough; 0 and None
    if it never fell.
    """

    value: float
    peak: int | None
    trough: int | None


def max_drawdown(index: Floats) -> Drawdown:
    """The largest fall of `index` [day] from a running maximum; of equal ones the earliest."""
    highest = np.maximum.accumulate(index)
    fall = np.divide(index, highest, out=np.ones_like(index), where=highest > 0) - 1
    deepest = float(fall.min(initial=0.0))
    if deepest > -_SAME:
        return Drawdown(0.0, None, None)
    trough = int(np.argmax(fall <= deepest + _SAME))
    peak = int(np.argmax(index >= highest[trough] * (1 - _SAME)))
    return Drawdown(deepest, peak, trough)
