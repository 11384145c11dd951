"""Projections by month, deterministic and Monte Carlo.

docs/definitions.md, "Projection of pensions", has the formulas. Money is float64 in one currency;
rates are yearly fractions above -1 (0.05 is 5 %). Month 0 is the start: arrays over time have
`months + 1` entries with the start, `months` without it.
"""

import calendar
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PERCENTILES = (5, 25, 50, 75, 95)
DRAWS_PER_BLOCK = 2_000_000  # 16 MB, and as much again for the percentiles


@dataclass(frozen=True, slots=True)
class Pot:
    """Money that grows at one rate. `volatility`: yearly standard deviation of log returns."""

    start: float
    annual_return: float
    volatility: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Payments of `amount` every `step_months` from `start` to `end` (inclusive).

    The amount grows by the fraction `growth` after every full year.
    """

    amount: float
    step_months: int
    start: date
    end: date | None = None
    growth: float = 0.0


@dataclass(frozen=True, slots=True)
class Simulation:
    """Nominal values of simulated paths.

    `percentiles` has the shape (5, months + 1), in the order of PERCENTILES. `watched` has the
    shape (paths,): the values in the month of the goal.
    """

    percentiles: Floats
    watched: Floats

    def share_reaching(self, value: float) -> float:
        """Return the fraction of the watched paths that are worth `value` or more."""
        return float(np.count_nonzero(self.watched >= value) / len(self.watched))


# --- Months ---------------------------------------------------------------------------------------


def add_months(day: date, months: int) -> date:
    """Add months to a date; the 31st becomes the last day of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def months_until(start: date, last: date) -> int:
    """Count the whole months from `start` to `last`; negative if `last` is before `start`."""
    months = (last.year - start.year) * 12 + last.month - start.month
    return months - (add_months(start, months) > last)


# --- Contributions --------------------------------------------------------------------------------


def level_contributions(monthly: float, growth: float, months: int) -> Floats:
    """Return monthly·(1 + growth)^⌊(m − 1)/12⌋ for m = 1 … months."""
    return monthly * (1 + growth) ** (np.arange(months) // 12).astype(np.float64)


def planned_contributions(plans: Iterable[Plan], start: date, months: int) -> Floats:
    """Return what the plans pay in each month m = 1 … months.

    Month m has the days after start + (m − 1) months up to start + m months; a payment on the day
    of the start is in the past. Days are compared before short months cut them off, so that a
    monthly plan on the 31st pays once in every month.
    """
    paid = np.zeros(months)
    for plan in plans:
        first_month = (plan.start.year - start.year) * 12 + plan.start.month - start.month
        if plan.start.day > start.day:
            first_month += 1
        past_payments = math.ceil(max(0, 1 - first_month) / plan.step_months)
        months_since_start = past_payments * plan.step_months
        while first_month + months_since_start <= months:
            if plan.end is not None and add_months(plan.start, months_since_start) > plan.end:
                break
            growth = (1 + plan.growth) ** (months_since_start // 12)
            paid[first_month + months_since_start - 1] += plan.amount * growth
            months_since_start += plan.step_months
    return paid


# --- Deterministic --------------------------------------------------------------------------------


def monthly_rate(annual: float) -> float:
    """Return i = (1 + annual)^(1/12) − 1, also precise for rates near 0."""
    return math.expm1(math.log1p(annual) / 12)


def project(pots: Sequence[Pot], contributions: Floats) -> Floats:
    """Return the sum of the pots at months 0 … len(contributions).

    Each month a pot becomes value·(1 + i) + contribution. Contributions are paid into the first pot
    at the end of a month.
    """
    total = np.zeros(len(contributions) + 1)
    payments = contributions.tolist()
    for pot in pots:
        value, growth = pot.start, 1 + monthly_rate(pot.annual_return)
        total[0] += value
        for month, paid in enumerate(payments, start=1):
            value = value * growth + paid
            total[month] += value
        payments = [0.0] * len(payments)
    return total


def deflator(inflation: float, months: int) -> Floats:
    """Return (1 + inflation)^(m/12) for m = 0 … months, the divisor for real values."""
    return (1 + inflation) ** (np.arange(months + 1) / 12)


def annuity(annual_return: float, growth: float, months: int) -> float:
    """Return the value of contributions of 1 a month, `growth` more every year, after `months`.

    Closed form: within a year an ordinary annuity ((1 + i)^n − 1)/i, over the years a geometric
    sum (Bodie, Kane & Marcus, "Investments", chapter on the time value of money).
    """
    rate = monthly_rate(annual_return)
    years, rest = divmod(months, 12)

    def value_of_payments(count: int) -> float:
        """Return the value of `count` payments of 1 within a year, at the last of them."""
        if not rate:
            return float(count)
        return math.expm1(count * math.log1p(annual_return) / 12) / rate

    last_years_growth = (1 + growth) ** years
    total = last_years_growth * value_of_payments(rest)
    if years:
        # Σ (1 + growth)^k·(1 + annual_return)^(years − 1 − k), k = 0 … years − 1
        difference = math.log1p(growth) - math.log1p(annual_return)
        ratio = float(years)
        if difference:
            ratio = math.expm1(years * difference) / math.expm1(difference)
        total += value_of_payments(12) * (1 + annual_return) ** (years - 1 + rest / 12) * ratio
    return total


def required_monthly_contribution(
    pots: Sequence[Pot], *, goal: float, inflation: float, growth: float, months: int
) -> float | None:
    """Return the first year's monthly contribution with which the real value reaches `goal`.

    0 if none is needed after `months`. None if no contribution suffices: no month is left, or
    payments lose all their value.
    """
    grown = sum(pot.start * (1 + pot.annual_return) ** (months / 12) for pot in pots)
    lacking = goal * (1 + inflation) ** (months / 12) - grown
    if lacking <= 0:
        return 0.0
    if months <= 0:
        return None
    value_of_one = annuity(pots[0].annual_return, growth, months)
    return lacking / value_of_one if value_of_one else None


def first_month_reaching(real_values: Floats, goal: float) -> int | None:
    """Return the first month whose real value is at least `goal`, None without one."""
    reached = np.flatnonzero(real_values >= goal)
    if not len(reached):
        return None
    return int(reached[0])


# --- Monte Carlo ----------------------------------------------------------------------------------


def simulate(
    pots: Sequence[Pot],
    contributions: Floats,
    *,
    paths: int,
    seed: int,
    shown_months: int | None = None,
    watched_month: int | None = None,
) -> Simulation:
    """Simulate `paths` random paths.

    The result has percentiles at months 0 … `shown_months`, and all paths at `watched_month`; both
    default to the last month with a contribution. A month's log return is normal with mean
    ln(1 + annual_return)/12 − s²/2 and standard deviation s = volatility/√12, so that the expected
    yearly growth is 1 + annual_return. All pots use the same draw for a month and path, so that two
    pots with equal rates behave as one. Draws are ordered by (month, path) whatever the block size,
    so that a seed always gives the same answer.
    """
    shown = len(contributions) if shown_months is None else shown_months
    if watched_month is None:
        watched_month = len(contributions)
    pots = _merged(pots)
    generator = np.random.default_rng(seed)
    values = [np.full(paths, pot.start, dtype=np.float64) for pot in pots]
    watched = np.sum(values, axis=0)
    percentiles = np.empty((len(PERCENTILES), shown + 1))
    percentiles[:, 0] = watched[0]
    last = max(shown, watched_month)
    rows = max(1, DRAWS_PER_BLOCK // paths)
    for first in range(1, last + 1, rows):
        count = min(rows, last + 1 - first)
        block = generator.standard_normal((count, paths))
        growths = [_growth(pot, block) for pot in pots[:-1]]
        growths.append(_growth(pots[-1], block, reuse=True))
        for row in range(count):
            for value, growth in zip(values, growths, strict=True):
                value *= growth[row]
            values[0] += contributions[first + row - 1]
            np.copyto(block[row], values[0])
            for value in values[1:]:
                block[row] += value
            if first + row == watched_month:
                watched = block[row].copy()
        wanted = min(count, shown + 1 - first)
        if wanted > 0:
            percentiles[:, first : first + wanted] = _percentiles(block[:wanted])
    return Simulation(percentiles, watched)


def _merged(pots: Sequence[Pot]) -> list[Pot]:
    """Return one pot if all have the same rates, else the pots."""
    rates = {(pot.annual_return, pot.volatility) for pot in pots}
    if len(rates) > 1:
        return list(pots)
    total = sum(pot.start for pot in pots)
    return [Pot(total, pots[0].annual_return, pots[0].volatility)]


def _growth(pot: Pot, normals: Floats, *, reuse: bool = False) -> Floats:
    """Return (1 + annual_return)^(1/12)·e^(s·z − s²/2) for normals z.

    `reuse` overwrites `normals` with the result.
    """
    s = pot.volatility / math.sqrt(12)
    growth = np.multiply(normals, s, out=normals if reuse else None)
    growth -= s * s / 2
    np.exp(growth, out=growth)
    # A factor, not a term of the exponent: without volatility the result equals the deterministic
    # growth to the last bit.
    growth *= 1 + monthly_rate(pot.annual_return)
    return growth


def _percentiles(rows: Floats) -> Floats:
    """Return PERCENTILES of each row, interpolated linearly; reorder the rows in place."""
    last = rows.shape[1] - 1
    places = [last * percent / 100 for percent in PERCENTILES]
    below = [int(place) for place in places]
    above = [min(place + 1, last) for place in below]
    rows.partition(sorted({*below, *above}), axis=1)
    share = np.array(places) - below
    low, high = rows[:, below], rows[:, above]
    return (low + (high - low) * share).T
