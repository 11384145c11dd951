"""Where savings head, deterministic and Monte Carlo, by the month: docs/definitions.md, "Projection
of pensions".

Money is float64 in one currency; rates are yearly fractions above -1 (0.05 is 5 %). Month 0 is the
start; arrays over time have one entry a month, so `months + 1` with the start and `months` without
it.
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
BLOCK = 2_000_000  # normal draws held at once: 16 MB, and as much again for the percentiles


@dataclass(frozen=True, slots=True)
class Pot:
    """Money that grows at one rate. `volatility` is the yearly standard deviation of its log
    returns.
    """

    start: float
    annual_return: float
    volatility: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """`amount` every `step_months` from `start` to `end` (inclusive), growing by `growth` every
    full year.
    """

    amount: float
    step_months: int
    start: date
    end: date | None = None
    growth: float = 0.0


@dataclass(frozen=True, slots=True)
class Simulation:
    """Nominal values. `percentiles`: shape (5, months + 1), in the order of PERCENTILES; `watched`:
    shape (paths,).
    """

    percentiles: Floats
    watched: Floats

    def share_reaching(self, value: float) -> float:
        """The share of the watched paths that are worth `value` or more."""
        return float(np.count_nonzero(self.watched >= value) / len(self.watched))


# --- Months ---------------------------------------------------------------------------------------


def add_months(day: date, months: int) -> date:
    """`day` that many months later; the 31st becomes the last of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def months_until(start: date, last: date) -> int:
    """How many whole monthly steps from `start` end on or before `last`; negative before
    `start`.
    """
    months = (last.year - start.year) * 12 + last.month - start.month
    return months - (add_months(start, months) > last)


# --- Contributions --------------------------------------------------------------------------------


def level_contributions(monthly: float, growth: float, months: int) -> Floats:
    """monthly·(1 + growth)^⌊(m − 1)/12⌋ for m = 1 … months."""
    return monthly * (1 + growth) ** (np.arange(months) // 12).astype(np.float64)


def planned_contributions(plans: Iterable[Plan], start: date, months: int) -> Floats:
    """What the plans pay in each month m = 1 … months: the days after start + (m − 1) months up to
    start + m months.

    A payment on the day of the start belongs to the past. Days are compared before a short month
    cuts them off, so that a monthly plan of the 31st pays once in every step.
    """
    paid = np.zeros(months)
    for plan in plans:
        first = (
            (plan.start.year - start.year) * 12
            + plan.start.month
            - start.month
            + (plan.start.day > start.day)
        )
        count = -(-max(0, 1 - first) // plan.step_months)  # payments before month 1
        while (month := first + count * plan.step_months) <= months:
            since = count * plan.step_months
            if plan.end is not None and add_months(plan.start, since) > plan.end:
                break
            paid[month - 1] += plan.amount * (1 + plan.growth) ** (since // 12)
            count += 1
    return paid


# --- Deterministic --------------------------------------------------------------------------------


def monthly_rate(annual: float) -> float:
    """i = (1 + annual)^(1/12) − 1, exact also for rates near 0."""
    return math.expm1(math.log1p(annual) / 12)


def project(pots: Sequence[Pot], contributions: Floats) -> Floats:
    """The sum of the pots at months 0 … len(contributions): value·(1 + i) + contribution, each
    month.

    Contributions are paid at the end of a month into the first pot.
    """
    total = np.zeros(len(contributions) + 1)
    for number, pot in enumerate(pots):
        value, growth = pot.start, 1 + monthly_rate(pot.annual_return)
        total[0] += value
        for month, paid in enumerate(contributions.tolist(), start=1):
            value = value * growth + (0.0 if number else paid)
            total[month] += value
    return total


def deflator(inflation: float, months: int) -> Floats:
    """(1 + inflation)^(m/12) for m = 0 … months: what real values are divided by."""
    return (1 + inflation) ** (np.arange(months + 1) / 12)


def annuity(annual_return: float, growth: float, months: int) -> float:
    """What contributions of 1 a month, `growth` more every year, are worth at the end of month
    `months`.

    The closed form: within a year an ordinary annuity ((1 + i)^n − 1)/i, over the years a geometric
    sum (Bodie, Kane & Marcus, "Investments", chapter on the time value of money).
    """
    rate = monthly_rate(annual_return)
    years, rest = divmod(months, 12)

    def year_of(payments: int) -> float:
        return (
            math.expm1(payments * math.log1p(annual_return) / 12) / rate
            if rate
            else float(payments)
        )

    last_years_growth = (1 + growth) ** years
    total = last_years_growth * year_of(rest)
    if years:
        # Σ (1 + growth)^k·(1 + annual_return)^(years − 1 − k), k = 0 … years − 1
        apart = math.log1p(growth) - math.log1p(annual_return)
        ratio = math.expm1(years * apart) / math.expm1(apart) if apart else float(years)
        total += year_of(12) * (1 + annual_return) ** (years - 1 + rest / 12) * ratio
    return total


def required_monthly_contribution(
    pots: Sequence[Pot], *, goal: float, inflation: float, growth: float, months: int
) -> float | None:
    """The first year's monthly contribution that makes the real value reach `goal` after `months`;
    0 if none is needed.

    None if no contribution can: there is no month left to pay in, or what is paid melts away.
    """
    grown = sum(pot.start * (1 + pot.annual_return) ** (months / 12) for pot in pots)
    lacking = goal * (1 + inflation) ** (months / 12) - grown
    if lacking <= 0:
        return 0.0
    worth = annuity(pots[0].annual_return, growth, months) if months > 0 else 0.0
    return lacking / worth if worth else None


def first_month_reaching(real_values: Floats, goal: float) -> int | None:
    """The first month whose real value is at least `goal`."""
    reached = np.flatnonzero(real_values >= goal)
    return int(reached[0]) if len(reached) else None


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
    """`paths` random paths: their percentiles at months 0 … `shown_months`, and all of them at
    `watched_month`.

    Both default to the last month that has a contribution. A month's log return is normal with mean
    ln(1 + annual_return)/12 − s²/2 and standard deviation s = volatility/√12, so that the expected
    yearly growth is 1 + annual_return. Pots move together: one draw a month and path serves them
    all, so that two pots with the same rates are one. Draws are in the order of (month, path),
    whatever the size of a block: a seed gives the same answer.
    """
    shown = len(contributions) if shown_months is None else shown_months
    watched_month = len(contributions) if watched_month is None else watched_month
    pots = _merged(pots)
    generator = np.random.default_rng(seed)
    values = [np.full(paths, pot.start, dtype=np.float64) for pot in pots]
    watched = np.sum(values, axis=0)
    percentiles = np.empty((len(PERCENTILES), shown + 1))
    percentiles[:, 0] = watched[0]
    last = max(shown, watched_month)
    rows = max(1, BLOCK // paths)
    for first in range(1, last + 1, rows):
        count = min(rows, last + 1 - first)
        block = generator.standard_normal((count, paths))
        growths = [
            _growth(pot, block, reuse=number == len(pots) - 1) for number, pot in enumerate(pots)
        ]
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
    """One pot where all grow alike."""
    first = pots[0]
    if all(
        (pot.annual_return, pot.volatility) == (first.annual_return, first.volatility)
        for pot in pots
    ):
        return [Pot(sum(pot.start for pot in pots), first.annual_return, first.volatility)]
    return list(pots)


def _growth(pot: Pot, normals: Floats, *, reuse: bool) -> Floats:
    """(1 + annual_return)^(1/12)·e^(s·z − s²/2) for normals z; into the same memory with
    `reuse`.
    """
    s = pot.volatility / math.sqrt(12)
    growth = np.multiply(normals, s, out=normals if reuse else None)
    growth -= s * s / 2
    np.exp(growth, out=growth)
    # A factor, not a term of the exponent: without volatility this is the deterministic growth to
    # the last bit.
    growth *= 1 + monthly_rate(pot.annual_return)
    return growth


def _percentiles(rows: Floats) -> Floats:
    """PERCENTILES of each row, interpolated linearly between order statistics; the rows are
    reordered in place.
    """
    last = rows.shape[1] - 1
    places = [last * percent / 100 for percent in PERCENTILES]
    below = [int(place) for place in places]
    above = [min(place + 1, last) for place in below]
    rows.partition(sorted({*below, *above}), axis=1)
    share = np.array(places) - below
    low, high = rows[:, below], rows[:, above]
    return (low + (high - low) * share).T
