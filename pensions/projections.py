"""The projection of a person's pensions, or of all their wealth, and how the retirement goal fares
in it.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
from django.utils import timezone

from financeproj.core.money import EXACT, round_for_storage, strip_zeros
from financeproj.users.models import User
from pensions import selectors
from pensions.calc import projection as calc
from pensions.models import ContributionPlan, PensionAccount
from portfolios.selectors import ValuedPortfolio, net_value_of, portfolios_of, valued

LONGEST_YEARS = 100
LONGEST_MONTHS = 12 * LONGEST_YEARS
DEFAULT_YEARS = 30
DEFAULT_VOLATILITY = Decimal("0.15")
SHOWN_DECIMALS = 8  # of money that was computed in floats


@dataclass(slots=True)
class Assumptions:
    """What a projection is made of; rates are yearly fractions above -1, amounts are in the base
    currency.

    `months` None: until the goal's year, else 30 years. `monthly_contribution` None: the accounts'
    plans.
    """

    months: int | None = None
    monthly_contribution: Decimal | None = None
    contribution_growth: Decimal = Decimal(0)
    annual_return: Decimal = Decimal("0.05")
    inflation: Decimal = Decimal("0.02")
    account: PensionAccount | None = None
    include_portfolios: bool = False
    volatility: Decimal | None = None
    portfolio_return: Decimal | None = None
    portfolio_volatility: Decimal | None = None
    simulations: int = 0
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.simulations:
            self.volatility = DEFAULT_VOLATILITY if self.volatility is None else self.volatility
            self.seed = secrets.randbelow(2**32) if self.seed is None else self.seed
        if self.include_portfolios:
            self.portfolio_return = (
                self.annual_return if self.portfolio_return is None else self.portfolio_return
            )
            if self.portfolio_volatility is None:
                self.portfolio_volatility = self.volatility

    def as_json(self) -> dict[str, Any]:
        shown = {
            "months": self.months,
            "monthly_contribution": self.monthly_contribution,
            "contributions_from": "plans"
            if self.monthly_contribution is None
            else "monthly_contribution",
            "contribution_growth": self.contribution_growth,
            "annual_return": self.annual_return,
            "inflation": self.inflation,
            "account_id": self.account.pk if self.account else None,
            "include_portfolios": self.include_portfolios,
            "volatility": self.volatility,
            "portfolio_return": self.portfolio_return if self.include_portfolios else None,
            "portfolio_volatility": self.portfolio_volatility if self.include_portfolios else None,
            "simulations": self.simulations,
            "seed": self.seed,
        }
        return {
            name: strip_zeros(value) if isinstance(value, Decimal) else value
            for name, value in shown.items()
        }


@dataclass(slots=True)
class _Start:
    """What there is today, in the base currency: None where `reasons` says why it can't be
    known.
    """

    pensions: Decimal | None
    portfolios: Decimal | None
    contributions: calc.Floats | None
    missing: list[str] = field(default_factory=list)
    stale: bool = False
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> Decimal | None:
        if self.pensions is None or self.portfolios is None:
            return None
        return strip_zeros(EXACT.add(self.pensions, self.portfolios))


def projection_of(
    user: User, assumptions: Assumptions, portfolios: Sequence[ValuedPortfolio] | None = None
) -> dict[str, Any]:
    """The answer of `GET /pension/projection`, in the contract's words: money in the user's base
    currency.

    `portfolios` are all of the user's, for a caller who has valued them already. Where a rate is
    missing, `start_value` and what follows from it is None, `points` is empty, and `reasons` says
    why.
    """
    today = timezone.localdate()
    if assumptions.months is None:
        assumptions.months = default_months(user, today)
    start = _start_of(user, assumptions, today, portfolios)
    goal = _goal_of(user, assumptions, today, start)
    points: list[dict[str, Any]] = []
    if start.total is not None and start.contributions is not None:
        points = _points(assumptions, today, start, goal.simulation)
    return {
        "currency": user.base_currency,
        "start_date": today,
        "start_value": start.total,
        "assumptions": assumptions.as_json(),
        "points": points,
        "goal": goal.for_projection(assumptions) if has_goal(user) else None,
        "stale": start.stale,
        "missing": start.missing,
        "reasons": start.reasons | (goal.reasons if has_goal(user) else {}),
    }


def goal_of(user: User) -> dict[str, Any]:
    """The answer of `GET /goal`: the projection with portfolios, volatility 0.15, 2,000
    simulations, seed 1.
    """
    assumptions = Assumptions(months=0, include_portfolios=True, simulations=2000, seed=1)
    today = timezone.localdate()
    start = _start_of(user, assumptions, today)
    goal = _goal_of(user, assumptions, today, start)
    return goal.for_goal() | {
        "currency": user.base_currency,
        "stale": start.stale,
        "missing": start.missing,
        "reasons": start.reasons | goal.reasons,
    }


def has_goal(user: User) -> bool:
    return user.retirement_goal_amount is not None and user.retirement_goal_year is not None


def default_months(user: User, today: date) -> int:
    """Until the goal's year, else 30 years; never more than 100 years."""
    months = (
        months_until_year(user.retirement_goal_year, today) if user.retirement_goal_year else -1
    )
    return min(months, LONGEST_MONTHS) if months >= 0 else 12 * DEFAULT_YEARS


def months_until_year(year: int, today: date) -> int:
    """Monthly steps from `today` to the end of `year`."""
    return calc.months_until(today, date(min(year, 9998), 12, 31))


# --- Today ----------------------------------------------------------------------------------------


def _start_of(
    user: User,
    assumptions: Assumptions,
    today: date,
    valued_portfolios: Sequence[ValuedPortfolio] | None = None,
) -> _Start:
    account = assumptions.account
    accounts = [account] if account else list(selectors.accounts_of(user))
    pensions = selectors.value_of_accounts(accounts, user.base_currency)
    start = _Start(pensions.value, Decimal(0), None, pensions.missing, pensions.stale)
    if assumptions.include_portfolios:
        if valued_portfolios is None:
            valued_portfolios = valued(portfolios_of(user))
        portfolios = net_value_of(valued_portfolios, user.base_currency)
        start.portfolios = portfolios.net_value
        start.missing = sorted({*start.missing, *portfolios.missing})
        start.stale |= portfolios.stale
    if start.total is None:
        pairs = [name for name in start.missing if "/" in name]
        start.reasons["start_value"] = f"There is no known exchange rate: {', '.join(pairs)}."
    _add_contributions(start, user, accounts, assumptions, today)
    return start


def _add_contributions(
    start: _Start,
    user: User,
    accounts: Sequence[PensionAccount],
    assumptions: Assumptions,
    today: date,
) -> None:
    """Contributions of 100 years: for the points, the goal, and the year in which it is reached."""
    growth = float(assumptions.contribution_growth)
    if assumptions.monthly_contribution is not None:
        start.contributions = calc.level_contributions(
            float(assumptions.monthly_contribution), growth, LONGEST_MONTHS
        )
        return
    currency_of = {account.pk: account.currency for account in accounts}
    plans = list(ContributionPlan.objects.filter(account__in=currency_of))
    rates = selectors.Rates({currency_of[plan.account_id] for plan in plans}, user.base_currency)
    start.stale |= rates.stale
    if rates.missing:
        start.missing = sorted({*start.missing, *rates.missing})
        start.reasons["contributions"] = (
            f"There is no known exchange rate: {', '.join(rates.missing)}."
        )
        return
    planned = [
        calc.Plan(
            amount=float(rates.convert(plan.amount, currency_of[plan.account_id])),
            step_months=plan.months,
            start=plan.start,
            end=plan.end,
            growth=float(plan.growth),
        )
        for plan in plans
    ]
    paid = calc.planned_contributions(planned, today, LONGEST_MONTHS)
    start.contributions = paid * calc.level_contributions(1.0, growth, LONGEST_MONTHS)


def _pots(start: _Start, assumptions: Assumptions) -> list[calc.Pot]:
    volatility = float(assumptions.volatility or 0)
    pots = [calc.Pot(float(start.pensions or 0), float(assumptions.annual_return), volatility)]
    if assumptions.include_portfolios:
        assert assumptions.portfolio_return is not None  # nosec B101  # for mypy
        own_volatility = float(assumptions.portfolio_volatility or 0)
        pots.append(
            calc.Pot(
                float(start.portfolios or 0), float(assumptions.portfolio_return), own_volatility
            )
        )
    return pots


# --- The goal -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Goal:
    """How the goal fares. None where it can't be known, with `reasons`; all None without a goal."""

    amount: Decimal | None
    year: int | None
    progress: Decimal | None = None
    projected_value: Decimal | None = None
    shortfall: Decimal | None = None
    on_track: bool | None = None
    required_monthly_contribution: Decimal | None = None
    probability: float | None = None
    reached_in: int | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    simulation: calc.Simulation | None = None

    def for_goal(self) -> dict[str, Any]:
        names = ("amount", "year", "progress", "projected_value", "on_track", "shortfall")
        more = ("required_monthly_contribution", "probability", "reached_in")
        return {name: getattr(self, name) for name in (*names, *more)}

    def for_projection(self, assumptions: Assumptions) -> dict[str, Any]:
        names = (
            "amount",
            "year",
            "projected_value",
            "shortfall",
            "on_track",
            "required_monthly_contribution",
        )
        shown = {name: getattr(self, name) for name in names}
        return shown | ({"probability": self.probability} if assumptions.simulations else {})


def _goal_of(user: User, assumptions: Assumptions, today: date, start: _Start) -> _Goal:
    """The goal's numbers, due at the end of its year whatever the horizon; with the simulation,
    which serves both.
    """
    amount, year = user.retirement_goal_amount, user.retirement_goal_year
    goal = _Goal(None if amount is None else strip_zeros(amount), year)
    if start.total is None or start.contributions is None:
        return goal
    months = None if year is None else months_until_year(year, today)
    if months is not None and not 0 <= months <= LONGEST_MONTHS:
        past = months < 0
        goal.reasons["goal"] = (
            f"The goal's year {year} is {'over' if past else 'more than 100 years away'}."
        )
        months = None
    pots = _pots(start, assumptions)
    if assumptions.simulations:
        assert assumptions.seed is not None  # nosec B101  # for mypy
        assert assumptions.months is not None  # nosec B101  # for mypy
        last = max(assumptions.months, months or 0)
        goal.simulation = calc.simulate(
            pots,
            start.contributions[:last],
            paths=assumptions.simulations,
            seed=assumptions.seed,
            shown_months=assumptions.months,
            watched_month=last if months is None else months,
        )
    if amount is None:
        return goal
    inflation = float(assumptions.inflation)
    with np.errstate(over="ignore"):  # absurd but allowed rates: what no float can say is null
        real = calc.project(pots, start.contributions) / calc.deflator(inflation, LONGEST_MONTHS)
    goal.progress = round_for_storage(EXACT.divide(start.total, amount))
    reached = calc.first_month_reaching(real, float(amount))
    goal.reached_in = None if reached is None else calc.add_months(today, reached).year
    if months is not None:
        _judge(goal, float(amount), float(real[months]), pots, assumptions, months)
    return goal


def _judge(
    goal: _Goal,
    amount: float,
    projected: float,
    pots: list[calc.Pot],
    assumptions: Assumptions,
    months: int,
) -> None:
    inflation = float(assumptions.inflation)
    goal.projected_value = _number(projected)
    goal.shortfall = _number(max(0.0, amount - projected))
    goal.on_track = projected >= amount
    required = calc.required_monthly_contribution(
        pots,
        goal=amount,
        inflation=inflation,
        growth=float(assumptions.contribution_growth),
        months=months,
    )
    goal.required_monthly_contribution = _number(required)
    if required is None:
        goal.reasons["required_monthly_contribution"] = (
            "No contribution can reach the goal any more."
        )
    if goal.simulation is not None:
        nominal = amount * float(calc.deflator(inflation, months)[months])
        goal.probability = goal.simulation.share_reaching(nominal)


def _number(value: float | None) -> Decimal | None:
    """A computed number as it is shown: 15 significant digits; None for what is beyond a float."""
    return (
        None
        if value is None or not np.isfinite(value)
        else strip_zeros(round_for_storage(Decimal(repr(value))))
    )


# --- Points ---------------------------------------------------------------------------------------


def _points(
    assumptions: Assumptions, today: date, start: _Start, simulation: calc.Simulation | None
) -> list[dict[str, Any]]:
    """One point a month from today; `contributions` is cumulative."""
    assert assumptions.months is not None  # nosec B101  # for mypy
    assert start.contributions is not None  # nosec B101  # for mypy
    months = assumptions.months
    values = calc.project(_pots(start, assumptions), start.contributions[:months])
    with np.errstate(over="ignore"):
        real_values = values / calc.deflator(float(assumptions.inflation), months)
    columns = {
        "contributions": np.concatenate([[0.0], start.contributions[:months].cumsum()]),
        "value": values,
        "real_value": real_values,
    }
    if simulation is not None:
        columns |= {
            f"p{percent}": row
            for percent, row in zip(calc.PERCENTILES, simulation.percentiles, strict=True)
        }
    names = list(columns)
    with np.errstate(over="ignore"):
        rows = np.round(np.array(list(columns.values())), SHOWN_DECIMALS).T.tolist()
    return [
        {"date": calc.add_months(today, month), **dict(zip(names, row, strict=True))}
        for month, row in enumerate(rows)
    ]
