from datetime import date, timedelta

import numpy as np
import pytest
import pyxirr
from hypothesis import given, settings
from hypothesis import strategies as st

from portfolios.calc.xirr import internal_rate

YEAR = 365


def rate(*flows):
    """Return the rate of (day, amount) pairs."""
    days, amounts = zip(*flows, strict=True)
    return internal_rate(np.array(days), np.array(amounts, dtype=float))


def test_the_spreadsheet_example_gives_the_documented_rate():
    # The example in the documentation of Excel's XIRR function: 37.336 %.
    dates = [
        date(2008, 1, 1),
        date(2008, 3, 1),
        date(2008, 10, 30),
        date(2009, 2, 15),
        date(2009, 4, 1),
    ]
    amounts = [-10000, 2750, 4250, 3250, 2750]
    found = rate(*[(day.toordinal(), amount) for day, amount in zip(dates, amounts, strict=True)])
    assert found.annual == pytest.approx(0.373362535, abs=1e-8)  # it iterates to 1e-8


def test_one_payment_that_grows_by_a_tenth_in_a_year_has_a_rate_of_a_tenth():
    found = rate((0, -100), (YEAR, 110))
    assert found.annual == pytest.approx(0.1, abs=1e-14)
    assert found.period == pytest.approx(0.1, abs=1e-14)


def test_the_rate_of_the_period_is_not_annualised():
    assert rate((0, -100), (1, 101)).period == pytest.approx(0.01, abs=1e-14)


def test_a_growth_that_no_float_can_hold_in_a_year_has_a_rate_for_the_period_only():
    found = rate((0, -1), (1, 10))
    assert found.annual is None
    assert found.period == pytest.approx(9, abs=1e-11)
    assert found.reason is None


@pytest.mark.parametrize(
    ("flows", "reason"),
    [
        ([(0, 0), (1, 0)], "no_flows"),
        ([(0, -100), (10, -5), (YEAR, 0)], "no_root"),
        ([(0, 100), (YEAR, 5)], "no_root"),
        ([(0, -100), (0, 100)], "no_root"),
        # 100 - 101 x + 100 x^2 has no real root.
        ([(0, 100), (YEAR, -101), (2 * YEAR, 100)], "no_root"),
    ],
)
def test_where_no_rate_exists_the_reason_is_given(flows, reason):
    found = rate(*flows)
    assert (found.annual, found.period, found.reason) == (None, None, reason)


def test_of_two_rates_the_one_nearest_0_is_taken():
    # -100 (x - 1.1)(x - 1.2): 10 % and 20 %.
    assert rate((0, -100), (YEAR, 230), (2 * YEAR, -132)).annual == pytest.approx(0.1, abs=1e-9)
    # (x - 1.3)(x - 0.9): 30 % and -10 %.
    assert rate((0, 100), (YEAR, -220), (2 * YEAR, 117)).annual == pytest.approx(-0.1, abs=1e-9)
    # (x - 0.4)(x - 1.7): 70 % is farther in logarithms than it is in rates, -60 % wins.
    assert rate((0, 1), (YEAR, -2.1), (2 * YEAR, 0.68)).annual == pytest.approx(-0.6, abs=1e-9)


def test_the_first_rate_found_is_not_taken_for_the_nearest():
    # -(x - 0.6)(x - 1.5): Newton comes to 50 % first, -40 % is nearer.
    assert rate((0, -1), (YEAR, 2.1), (2 * YEAR, -0.9)).annual == pytest.approx(-0.4, abs=1e-9)


def test_of_three_rates_the_middle_one_is_found_when_it_is_nearest():
    # (x - 0.5)(x - 1.05)(x - 2)
    flows = np.poly([0.5, 1.05, 2])
    found = rate(*[(index * YEAR, amount) for index, amount in enumerate(flows)])
    assert found.annual == pytest.approx(0.05, abs=1e-9)


def test_a_double_root_counts():
    # (x - 1.25)^2 touches 0 without crossing it.
    found = rate((0, 1), (YEAR, -2.5), (2 * YEAR, 1.5625))
    assert found.annual == pytest.approx(0.25, abs=1e-6)


def test_a_nearly_total_loss_has_a_rate():
    found = rate((0, -1000), (10 * YEAR, 1e-6))
    assert (1 + found.annual) ** 10 == pytest.approx(1e-9, rel=1e-9)


amounts = st.integers(-100_000, 100_000).map(lambda cents: cents / 100)


def balance(days, paid, growth):
    """What is left over at a growth of e^growth over the whole span, as a share of all that went in
    and out.
    """
    left = (days[-1] - np.array(days)) / max(1, days[-1] - days[0])
    grown = np.array(paid) * np.exp(np.outer(np.atleast_1d(growth), left))
    return grown.sum(axis=1) / np.maximum(np.abs(grown).sum(axis=1), 1e-300)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.integers(0, 4000), amounts, min_size=2, max_size=12))
def test_the_rate_balances_any_flows_and_is_the_nearest_to_0(flows):
    days = sorted(flows)
    paid = [flows[day] for day in days]
    years = (days[-1] - days[0]) / YEAR
    found = rate(*[(day, flows[day]) for day in days])
    if found.period is None:
        probes = balance(days, paid, np.linspace(-8, 8, 400))
        assert probes.min() >= -1e-12 or probes.max() <= 1e-12
        return
    if found.period < -0.9999:
        return  # too little of the capital is left to work back from a float
    growth = np.log1p(found.period)
    assert abs(balance(days, paid, growth)[0]) < 1e-9
    distance = np.expm1(min(700, abs(growth) / years)) if growth > 0 else -np.expm1(growth / years)
    nearer = np.linspace(np.log1p(-min(distance, 0.999)) * years, np.log1p(distance) * years, 200)[
        1:-1
    ]
    left_over = balance(days, paid, nearer)
    assert len(set(np.sign(left_over[np.abs(left_over) > 1e-9]))) <= 1


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1_000, 100_000),
    st.dictionaries(st.integers(1, 3999), amounts, max_size=30),
    st.integers(1_000, 200_000),
)
def test_where_the_rate_is_unique_it_equals_pyxirr(first, between, last):
    flows = {0: -first, **between, 4000: last}
    days = sorted(flows)
    paid = [flows[day] for day in days]
    sides = np.sign(balance(days, paid, np.linspace(-20, 20, 2000)))
    if (np.diff(sides) != 0).sum() == 1:
        theirs = pyxirr.xirr([date(2000, 1, 1) + timedelta(day) for day in days], paid)
        found = rate(*[(day, flows[day]) for day in days])
        assert found.annual == pytest.approx(theirs, abs=1e-9, rel=1e-9)
