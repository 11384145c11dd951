"""Test turning rows into arrays."""

from dataclasses import dataclass
from decimal import Decimal as D

import numpy as np

from portfolios.calc.columns import column, padded, positions_of, sums_of


@dataclass
class Amount:
    amount: D
    count: int


@dataclass
class Row:
    money: Amount


def test_a_column_is_an_attribute_of_each_row():
    rows = [Row(Amount(D("1.25"), 3)), Row(Amount(D(-2), 1 << 62))]
    amounts = column(rows, "money.amount", np.float64)
    assert (amounts.tolist(), amounts.dtype) == ([1.25, -2.0], np.float64)
    counts = column(rows, "money.count", np.int64)
    assert (counts.tolist(), counts.dtype) == ([3, 1 << 62], np.int64)
    assert len(column([], "money.amount", np.float64)) == 0


def test_values_get_positions_in_the_order_in_which_they_come():
    assert list(positions_of(["SEK", "NOK", "SEK"]).items()) == [("SEK", 0), ("NOK", 1)]
    assert positions_of([]) == {}


@dataclass
class Figures:
    paid: np.ndarray
    got: np.ndarray


def test_arrays_are_added_up_and_padded_by_name():
    one = Figures(paid=np.array([1.0, 2.0]), got=np.array([0.5, 0.0]))
    other = Figures(paid=np.array([10.0, 20.0]), got=np.array([5.0, 5.0]))
    sums = sums_of([one, other], ("paid", "got"), 2)
    assert (sums["paid"].tolist(), sums["got"].tolist()) == ([11.0, 22.0], [5.5, 5.0])
    assert sums_of([], ("paid",), 2)["paid"].tolist() == [0.0, 0.0]
    assert {name: values.tolist() for name, values in padded(one, ("got",), 2).items()} == {
        "got": [0.0, 0.0, 0.5, 0.0]
    }
