"""A period's daily numbers as they are shown: sampled by week or month, without the noise of
floats.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from portfolios.calc.performance import Flags, Floats

Interval: TypeAlias = Literal["day", "week", "month"]
INTERVALS: tuple[Interval, ...] = ("day", "week", "month")


@dataclass(frozen=True, slots=True)
class Sample:
    """Which columns of a period stand in an answer: `last` [point] ends each interval, `first`
    begins it.
    """

    first: NDArray[np.integer]
    last: NDArray[np.integer]

    def levels(self, series: Floats) -> Floats:
        """[point] the value at the end of each interval."""
        return series[self.last]

    def sums(self, flows: Floats) -> Floats:
        """[point] the sum over the days of each interval."""
        return (
            flows[self.last]
            if len(self.last) == len(flows) - 1
            else np.add.reduceat(flows, self.first)
        )


def sample(first_day: int, columns: int, interval: Interval) -> Sample:
    """The last days of ISO weeks or of months, and the last column; `first_day` is the day of
    column 0, not sampled.
    """
    day = np.arange(first_day + 1, first_day + columns)
    ends: Flags
    if interval == "week":
        ends = (day + 3) % 7 == 6
    elif interval == "month":
        ends = np.diff(
            np.append(day, day[-1:] + 1).astype("datetime64[D]").astype("datetime64[M]")
        ).astype(bool)
    else:
        ends = np.ones(len(day), dtype=bool)
    ends[-1:] = True
    last = np.flatnonzero(ends) + 1
    return Sample(first=np.concatenate(([1], last[:-1] + 1))[: len(last)], last=last)


def tidy(series: Floats, scale: float | None = None) -> Floats:
    """`series` without the last digits that floats make up: 13 digits are kept of the largest (or
    of `scale`).
    """
    largest = float(np.abs(series).max(initial=0.0)) if scale is None else scale
    if not 0 < largest < np.inf:
        return series
    return np.round(series, 13 - int(np.ceil(np.log10(largest)))) + 0.0  # + 0.0 turns -0 into 0


def tidy_index(index: Floats) -> Floats:
    """`index` with 13 digits of each value: a product is as exact where it is small as where it is
    large.
    """
    with np.errstate(divide="ignore"):
        size = np.where(index != 0, np.floor(np.log10(np.abs(index))), 0.0)
    scale = 10.0 ** (12 - np.clip(size, -200, 200))
    tidied = np.round(index * scale) / scale
    return np.where(np.isfinite(tidied), tidied, index)


def tidy_amount(amount: float, scale: float) -> float:
    """One amount as `tidy` shows a series of that scale."""
    return float(tidy(np.array([amount]), scale)[0])


def tidy_fraction(value: float) -> float:
    """A rate of return without the noise of floats: 0.1 rather than 0.10000000000000009."""
    return round(value, 12) + 0.0 if abs(value) < 1e3 else float(f"{value:.15g}")
