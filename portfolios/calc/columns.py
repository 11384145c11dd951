"""Rows of Python objects as arrays."""

from collections.abc import Collection, Hashable, Iterable
from operator import attrgetter
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", bound=Hashable)
Scalar = TypeVar("Scalar", np.float64, np.int64)


def column(rows: Collection[object], name: str, dtype: type[Scalar]) -> NDArray[Scalar]:
    """Return the attribute `name` of each row. The name may have dots: "row.amount"."""
    return np.fromiter(map(attrgetter(name), rows), dtype, len(rows))


def padded(row: object, names: Iterable[str], days: int) -> dict[str, NDArray[np.float64]]:
    """Return the arrays `names` of a row with `days` zeros before each."""
    return {name: np.concatenate((np.zeros(days), getattr(row, name))) for name in names}


def sums_of(
    rows: Iterable[object], names: Collection[str], days: int
) -> dict[str, NDArray[np.float64]]:
    """Add up the arrays `names` [day] of the rows, by name."""
    sums = {name: np.zeros(days) for name in names}
    for row in rows:
        for name in names:
            sums[name] += getattr(row, name)
    return sums


def positions_of(values: Iterable[Value]) -> dict[Value, int]:
    """Return the different values in the order in which they come, each with its position."""
    return {value: position for position, value in enumerate(dict.fromkeys(values))}
