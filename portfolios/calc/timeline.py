"""Sample daily figures by week or month, and round away the noise of floats."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from portfolios.calc.layout import Flags, Floats, Ints

Interval: TypeAlias = Literal["day", "week", "month"]
INTERVALS: tuple[Interval, ...] = ("day", "week", "month")


@dataclass(frozen=True, slots=True)
class Sample:
    """The columns of a period that begin (`first`) and end (`last`) each interval, [point]."""

    first: Ints
    last: Ints

    def levels(self, series: Floats) -> Floats:
        """Return the value at the end of each interval, [point]."""
        return series[self.last]

    def sums(self, flows: Floats) -> Floats:
        """Return the sum over the days of each interval, [point]."""
        is_daily = len(self.last) == len(flows) - 1
        if is_daily:
            return flows[self.last]
        return np.add.reduceat(flows, self.first)


def sample(first_day: int, columns: int, interval: Interval) -> Sample:
    """Choose the last days of ISO weeks or of months, and the last column.

    `first_day` is the day number of column 0, which is not sampled.
    """
    day = np.arange(first_day + 1, first_day + columns)
    ends: Flags
    if interval == "week":
        ends = (day + 3) % 7 == 6
    elif interval == "month":
        with_next = np.append(day, day[-1:] + 1).astype("datetime64[D]")
        ends = np.diff(with_next.astype("datetime64[M]")).astype(bool)
    else:
        ends = np.ones(len(day), dtype=bool)
    ends[-1:] = True
    last = np.flatnonzero(ends) + 1
    return Sample(first=np.concatenate(([1], last[:-1] + 1))[: len(last)], last=last)


def tidy(series: Floats, scale: float | None = None) -> Floats:
    """Round to 13 digits of the largest value (or of `scale`): later digits are float noise.

    NaN stays.
    """
    if scale is None:
        scale = float(np.fmax.reduce(np.abs(series), initial=0.0))
    if not 0 < scale < np.inf:
        return series
    places = 13 - int(np.ceil(np.log10(scale)))
    return np.round(series, places) + 0.0  # turns -0 into 0


def tidy_series(series: Floats) -> Floats:
    """Round as `tidy`, then each value to 12 significant digits: 3.98, not 3.980000000000005."""
    return significant(tidy(series), 12)


def tidy_index(index: Floats) -> Floats:
    """Round each value to 12 significant digits: all values of a product are equally exact."""
    return significant(index, 12)


def significant(series: Floats, digits: int) -> Floats:
    """Round each value to so many significant digits; what is not finite stays."""
    with np.errstate(divide="ignore"):
        size = np.where(series != 0, np.floor(np.log10(np.abs(series))), 0.0)
    places = digits - 1 - np.clip(size, -200, 200)
    # Powers of ten above 1 are exact, those below are not: 3.98 is 398 / 100, not 398 x 0.01.
    up, down = 10.0 ** np.maximum(places, 0), 10.0 ** np.maximum(-places, 0)
    tidied = np.round(series * up / down) * down / up
    return np.where(np.isfinite(tidied), tidied, series)


def tidy_amount(amount: float, scale: float) -> float:
    """Round one amount as `tidy` rounds a series of that scale."""
    return float(tidy(np.array([amount]), scale)[0])


def tidy_fraction(value: float) -> float:
    """Round a rate of return: 0.1 rather than 0.10000000000000009."""
    if abs(value) < 1e3:
        return round(value, 12) + 0.0
    return float(f"{value:.15g}")
