"""Test projections against closed forms, a plain loop and properties of the simulation."""

import math
import subprocess
import sys
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pensions.calc import projection
from pensions.calc.projection import (
    Plan,
    Pot,
    add_months,
    annuity,
    deflator,
    first_month_reaching,
    level_contributions,
    monthly_rate,
    months_until,
    planned_contributions,
    project,
    required_monthly_contribution,
    simulate,
)

rates = st.floats(-0.9, 1, allow_subnormal=False)
months = st.integers(1, 480)


def plain_loop(start, annual_return, monthly, growth, count):
    """Calculate a projection by the definition, in a loop without arrays."""
    i = (1 + annual_return) ** (1 / 12) - 1
    values = [start]
    for m in range(1, count + 1):
        values.append(values[-1] * (1 + i) + monthly * (1 + growth) ** ((m - 1) // 12))
    return values


# --- Closed forms ---------------------------------------------------------------------------------


def test_a_lump_sum_grows_by_the_yearly_return_every_twelve_months():
    # 100,000 at 5 % for 10 years: 100000·1.05^10 = 162,889.46 (any table of compound interest).
    values = project([Pot(100_000, 0.05)], np.zeros(120))
    assert values[12] == pytest.approx(105_000, rel=1e-13)
    assert values[120] == pytest.approx(162_889.46267774414, rel=1e-13)


def test_level_contributions_are_an_ordinary_annuity():
    # 1 % a month is (1.01^12 − 1) a year. 1,000 a month for 24 months: 1000·(1.01^24 − 1)/0.01 =
    # 26,973.46.
    values = project([Pot(0, 1.01**12 - 1)], level_contributions(1000, 0, 24))
    assert values[24] == pytest.approx(1000 * (1.01**24 - 1) / 0.01, rel=1e-12)
    assert values[24] == pytest.approx(26_973.464_85, abs=0.005)


def test_contributions_that_grow_are_a_sum_over_the_years_worked_by_hand():
    # Two years at 1 % a month, 100 a month, then 110: S = (1.01^12 − 1)/0.01 = 12.682503…
    year = (1.01**12 - 1) / 0.01
    by_hand = 100 * year * 1.01**12 + 110 * year
    values = project([Pot(0, 1.01**12 - 1)], level_contributions(100, 0.10, 24))
    assert values[24] == pytest.approx(by_hand, rel=1e-12)


def test_without_return_the_value_is_the_start_and_what_was_paid():
    assert project([Pot(500, 0)], level_contributions(10, 0, 3)).tolist() == [500, 510, 520, 530]


def test_without_contributions_and_return_nothing_moves():
    assert project([Pot(500, 0)], level_contributions(0, 0, 2)).tolist() == [500, 500, 500]


def test_inflation_above_the_return_makes_the_real_value_fall():
    real = project([Pot(1000, 0.02)], np.zeros(24)) / deflator(0.05, 24)
    assert real[24] == pytest.approx(1000 * (1.02 / 1.05) ** 2, rel=1e-13)
    assert np.all(np.diff(real) < 0)


def test_pots_grow_each_at_its_own_rate_and_the_first_is_paid_into():
    values = project([Pot(100, 0.10), Pot(50, -0.10)], level_contributions(12, 0, 12))
    alone = project([Pot(100, 0.10)], level_contributions(12, 0, 12))
    assert values[12] == pytest.approx(alone[12] + 45, rel=1e-13)


@given(start=st.floats(0, 1e9), annual=rates, monthly=st.floats(0, 1e6), growth=rates, count=months)
def test_the_projection_is_what_a_plain_loop_gives(start, annual, monthly, growth, count):
    values = project([Pot(start, annual)], level_contributions(monthly, growth, count))
    assert values == pytest.approx(
        plain_loop(start, annual, monthly, growth, count), rel=1e-9, abs=1e-6
    )


@given(
    annual=rates | st.sampled_from([0.0, 1e-12, -1e-12]), growth=rates | st.just(0.0), count=months
)
def test_the_annuity_is_the_loop_of_contributions_of_one(annual, growth, count):
    values = project([Pot(0, annual)], level_contributions(1, growth, count))
    assert annuity(annual, growth, count) == pytest.approx(values[-1], rel=1e-9)


@pytest.mark.parametrize("growth", [0.05, 0.05 + 1e-13])
def test_growth_equal_to_the_return_has_its_own_sum(growth):
    # Every year's payments are worth the same at the end: 10 years × one year's annuity × 1.05^9.
    i = monthly_rate(0.05)
    assert annuity(0.05, growth, 120) == pytest.approx(10 * (0.05 / i) * 1.05**9, rel=1e-9)


# --- Required contribution ------------------------------------------------------------------------


@given(
    start=st.floats(0, 1e6),
    other=st.floats(-1e5, 1e6),
    annual=st.floats(-0.3, 0.3),
    other_annual=st.floats(-0.3, 0.3),
    inflation=st.floats(-0.05, 0.2),
    growth=st.floats(-0.1, 0.2),
    count=st.integers(1, 480),
    goal=st.floats(1, 1e7),
)
def test_the_required_contribution_fed_back_reaches_the_goal(
    start, other, annual, other_annual, inflation, growth, count, goal
):
    pots = [Pot(start, annual), Pot(other, other_annual)]
    required = required_monthly_contribution(
        pots, goal=goal, inflation=inflation, growth=growth, months=count
    )
    real = (
        project(pots, level_contributions(required, growth, count))[-1]
        / deflator(inflation, count)[-1]
    )
    if required:
        assert real == pytest.approx(goal, abs=0.01)
    else:
        assert real >= goal - 0.01


def test_a_goal_that_is_reached_without_contributions_needs_none():
    assert (
        required_monthly_contribution(
            [Pot(1000, 0.05)], goal=1000, inflation=0.02, growth=0, months=12
        )
        == 0
    )


def test_with_no_month_left_no_contribution_helps():
    assert (
        required_monthly_contribution([Pot(1, 0.05)], goal=2, inflation=0.02, growth=0, months=0)
        is None
    )


def test_the_month_that_first_reaches_a_goal_is_found():
    assert first_month_reaching(np.array([1.0, 2.0, 3.0, 2.0]), 2.5) == 2
    assert first_month_reaching(np.array([5.0]), 5.0) == 0
    assert first_month_reaching(np.array([1.0]), 2.0) is None


# --- Months and plans -----------------------------------------------------------------------------


def test_months_end_on_the_last_day_of_shorter_ones():
    day = date(2024, 1, 31)
    assert [add_months(day, m) for m in (0, 1, 2, 11, 12, 13)] == [
        date(2024, 1, 31),
        date(2024, 2, 29),
        date(2024, 3, 31),
        date(2024, 12, 31),
        date(2025, 1, 31),
        date(2025, 2, 28),
    ]


@given(
    start=st.dates(date(1900, 1, 1), date(2200, 1, 1)),
    last=st.dates(date(1900, 1, 1), date(2300, 1, 1)),
)
def test_the_steps_until_a_day_are_as_many_as_fit(start, last):
    steps = months_until(start, last)
    assert add_months(start, steps) <= last < add_months(start, steps + 1)


def test_plans_pay_in_the_month_of_their_day():
    start = date(2024, 5, 15)
    plans = [
        Plan(100, 1, date(2020, 1, 1)),  # every month
        Plan(1000, 3, date(2024, 6, 15)),  # the last day of month 1, then every third
        Plan(7, 12, date(2024, 5, 15)),  # today's payment is past, the next in month 12
        Plan(50, 1, date(2024, 6, 16), end=date(2024, 8, 16)),  # months 2, 3, 4
    ]
    assert planned_contributions(plans, start, 12).tolist() == [
        1100, 150, 150, 1150, 100, 100, 1100, 100, 100, 1100, 100, 107,
    ]  # fmt: skip


def test_a_plan_grows_on_its_own_anniversaries():
    # 1,000 from January 2022 with 10 % a year: 1,210 from January 2024, 1,331 from January 2025.
    paid = planned_contributions(
        [Plan(1000, 1, date(2022, 1, 10), growth=0.1)], date(2024, 10, 10), 4
    )
    assert paid.tolist() == pytest.approx([1210, 1210, 1331, 1331], rel=1e-12)


@given(
    plan_day=st.dates(date(2000, 1, 1), date(2024, 12, 31)),
    start=st.dates(date(2025, 1, 1), date(2026, 12, 31)),
)
def test_a_monthly_plan_pays_once_in_every_step(plan_day, start):
    assert planned_contributions([Plan(3, 1, plan_day)], start, 50).tolist() == [3] * 50


def test_a_plan_far_in_the_future_or_long_over_pays_nothing():
    plans = [Plan(9, 1, date(9999, 12, 31)), Plan(9, 1, date(1990, 1, 1), end=date(2000, 1, 1))]
    assert not planned_contributions(plans, date(2024, 1, 1), 1200).any()


# --- Monte Carlo ----------------------------------------------------------------------------------

PAID = level_contributions(2000, 0.02, 120)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    pots = [Pot(1e5, 0.05, 0.15), Pot(5e4, 0.07, 0.2)]
    first, again = (simulate(pots, PAID, paths=500, seed=7) for _ in range(2))
    assert first.percentiles.tobytes() == again.percentiles.tobytes()
    assert first.watched.tobytes() == again.watched.tobytes()
    assert (
        simulate(pots, PAID, paths=500, seed=8).percentiles.tobytes() != first.percentiles.tobytes()
    )


def test_the_size_of_a_block_changes_no_byte(monkeypatch):
    whole = simulate([Pot(1e5, 0.05, 0.15)], PAID, paths=300, seed=7)
    monkeypatch.setattr(projection, "DRAWS_PER_BLOCK", 300 * 7)
    blocks = simulate([Pot(1e5, 0.05, 0.15)], PAID, paths=300, seed=7)
    assert whole.percentiles.tobytes() == blocks.percentiles.tobytes()


def test_without_volatility_every_path_is_the_deterministic_one():
    pot = Pot(1e5, 0.05, 0)
    simulated = simulate([pot], PAID, paths=50, seed=1)
    for row in simulated.percentiles:
        assert row.tobytes() == project([pot], PAID).tobytes()


@pytest.mark.parametrize(("annual", "volatility"), [(0.05, 0.15), (-0.1, 0.3), (0.0, 0.05)])
def test_the_mean_is_the_deterministic_value_within_four_standard_errors(annual, volatility):
    pots = [Pot(1e5, annual, volatility), Pot(3e4, 0.08, 0.2)]
    watched = simulate(pots, PAID, paths=20_000, seed=1).watched
    error = watched.std(ddof=1) / math.sqrt(len(watched))
    assert abs(watched.mean() - project(pots, PAID)[-1]) < 4 * error


def test_the_log_returns_have_the_mean_and_the_spread_of_the_definition():
    logs = np.log(simulate([Pot(1, 0.05, 0.15)], np.zeros(120), paths=20_000, seed=3).watched)
    assert logs.std(ddof=1) == pytest.approx(0.15 * math.sqrt(10), rel=0.02)
    assert logs.mean() == pytest.approx(
        10 * (math.log(1.05) - 0.15**2 / 2), abs=4 * logs.std() / math.sqrt(20_000)
    )


def test_percentiles_are_ordered_and_are_numpys():
    simulated = simulate([Pot(1e5, 0.05, 0.15)], PAID, paths=777, seed=5)
    assert np.all(np.diff(simulated.percentiles, axis=0) >= 0)
    assert simulated.percentiles[:, -1] == pytest.approx(
        np.percentile(simulated.watched, [5, 25, 50, 75, 95])
    )
    assert simulated.percentiles[:, 0].tolist() == [1e5] * 5


def test_a_single_path_is_its_own_percentile():
    simulated = simulate([Pot(1e5, 0.05, 0.15)], PAID, paths=1, seed=5)
    assert simulated.percentiles[:, -1].tolist() == [simulated.watched[0]] * 5


def test_two_pots_with_the_same_rates_are_one():
    apart = simulate([Pot(1e5, 0.05, 0.15), Pot(2e5, 0.05, 0.15)], PAID, paths=100, seed=5)
    together = simulate([Pot(3e5, 0.05, 0.15)], PAID, paths=100, seed=5)
    assert apart.percentiles.tobytes() == together.percentiles.tobytes()


def test_pots_with_different_rates_share_their_luck():
    # The same draw moves both: with twice the volatility a path's log return deviates twice as far.
    small = simulate([Pot(1, 0.0, 0.1)], np.zeros(1), paths=100, seed=5).watched
    large = simulate([Pot(1, 0.0, 0.2)], np.zeros(1), paths=100, seed=5).watched
    both = simulate([Pot(1, 0.0, 0.1), Pot(1, 0.0, 0.2)], np.zeros(1), paths=100, seed=5).watched
    assert both == pytest.approx(small + large, rel=1e-14)


@pytest.mark.parametrize(("shown", "watched"), [(24, 60), (60, 24), (60, 60), (0, 12), (12, 0)])
def test_what_is_shown_and_what_is_watched_do_not_depend_on_each_other(shown, watched):
    full = simulate([Pot(1e5, 0.05, 0.15)], PAID, paths=200, seed=9, shown_months=60)
    part = simulate(
        [Pot(1e5, 0.05, 0.15)], PAID, paths=200, seed=9, shown_months=shown, watched_month=watched
    )
    assert (
        part.percentiles.tobytes()
        == np.ascontiguousarray(full.percentiles[:, : shown + 1]).tobytes()
    )
    assert np.percentile(part.watched, [5, 25, 50, 75, 95]) == pytest.approx(
        full.percentiles[:, watched]
    )


def test_the_share_that_reaches_a_value_is_counted():
    simulated = simulate([Pot(100, 0.0, 0.2)], np.zeros(12), paths=4000, seed=2)
    middle = float(np.median(simulated.watched))
    assert simulated.share_reaching(middle) == 0.5
    assert simulated.share_reaching(0) == 1
    assert simulated.share_reaching(1e9) == 0


def test_a_hundred_thousand_paths_fit_into_400_mb():
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench_monte_carlo", "memory"],
        capture_output=True,
        text=True,
    )
    assert "MB at 100,000 paths" in finished.stdout
    assert finished.returncode == 0, finished.stdout
