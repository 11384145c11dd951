"""Projections of a user's pensions, or of all their wealth, and of the retirement goal."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

import numpy as np
from django.utils import timezone
from msgspec import UNSET

from financeproj.core.missing import NO_RATE, gravest, with_rate_held_back, without_rate
from financeproj.core.money import EXACT, round_for_display, round_for_storage, strip_zeros
from financeproj.users.models import User
from marketdata.selectors import Conversion
from pensions import selectors
from pensions.calc import projection as calc
from pensions.models import ContributionPlan, PensionAccount
from pensions.payloads import (
    AssumptionsPayload,
    GoalPayload,
    ProjectionGoalPayload,
    ProjectionPayload,
    ProjectionPointPayload,
)
from portfolios.selectors import portfolios_of
from portfolios.valuation import ValuedPortfolio, net_value_of, valued

MAX_YEARS = 100
MAX_MONTHS = 12 * MAX_YEARS
DEFAULT_YEARS = 30
DEFAULT_VOLATILITY = Decimal("0.15")
SHOWN_DECIMALS = 8  # of money that was computed in floats


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a projection assumes: yearly fractions above -1, and money in the base currency.

    `monthly_contribution` None: the accounts' plans. `account` None: all accounts. `with_defaults`
    fills in volatility, seed and portfolio rates.
    """

    months: int
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


def with_defaults(assumptions: Assumptions) -> Assumptions:
    """Choose the volatility, seed and portfolio rates that a request left out but needs."""
    volatility, seed = assumptions.volatility, assumptions.seed
    if assumptions.simulations:
        if volatility is None:
            volatility = DEFAULT_VOLATILITY
        if seed is None:
            seed = secrets.randbelow(2**32)
    portfolio_return = portfolio_volatility = None
    if assumptions.include_portfolios:
        portfolio_return = assumptions.portfolio_return
        if portfolio_return is None:
            portfolio_return = assumptions.annual_return
        portfolio_volatility = assumptions.portfolio_volatility
        if portfolio_volatility is None:
            portfolio_volatility = volatility
    return replace(
        assumptions,
        volatility=volatility,
        seed=seed,
        portfolio_return=portfolio_return,
        portfolio_volatility=portfolio_volatility,
    )


def _assumptions_payload(assumptions: Assumptions) -> AssumptionsPayload:
    uses_plans = assumptions.monthly_contribution is None
    return AssumptionsPayload(
        months=assumptions.months,
        monthly_contribution=_stripped(assumptions.monthly_contribution),
        contributions_from="plans" if uses_plans else "monthly_contribution",
        contribution_growth=strip_zeros(assumptions.contribution_growth),
        annual_return=strip_zeros(assumptions.annual_return),
        inflation=strip_zeros(assumptions.inflation),
        account_id=assumptions.account.pk if assumptions.account else None,
        include_portfolios=assumptions.include_portfolios,
        volatility=_stripped(assumptions.volatility),
        portfolio_return=_stripped(assumptions.portfolio_return),
        portfolio_volatility=_stripped(assumptions.portfolio_volatility),
        simulations=assumptions.simulations,
        seed=assumptions.seed,
    )


def _stripped(value: Decimal | None) -> Decimal | None:
    return None if value is None else strip_zeros(value)


@dataclass(slots=True)
class _Start:
    """What there is today, in the base currency; None where `reasons` says why it is unknown.

    `contributions` has the amount paid in each of MAX_MONTHS months.
    """

    pensions: Decimal | None
    portfolios: Decimal | None
    contributions: calc.Floats | None
    missing_why: Mapping[str, str] = field(default_factory=dict)
    stale: bool = False
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> Decimal | None:
        if self.pensions is None or self.portfolios is None:
            return None
        return strip_zeros(EXACT.add(self.pensions, self.portfolios))


def projection_of(
    user: User, assumptions: Assumptions, portfolios: Sequence[ValuedPortfolio] | None = None
) -> ProjectionPayload:
    """Project month by month, in the user's base currency.

    Pass `portfolios`, all of the user's, if they are valued already. If a rate is missing,
    `start_value` and what follows from it is None, `points` is empty, and `reasons` says why.
    """
    today = timezone.localdate()
    assumptions = with_defaults(assumptions)
    start = _start_of(user, assumptions, today, portfolios)
    progress = _goal_progress(user, assumptions, today, start)
    reasons = start.reasons
    goal = None
    if has_goal(user):
        reasons = reasons | progress.reasons
        goal = _projection_goal_payload(progress, assumptions)
    points: list[ProjectionPointPayload] = []
    if start.total is not None and start.contributions is not None:
        points = _points(assumptions, today, start, start.contributions, progress.simulation)
    return ProjectionPayload(
        currency=user.base_currency,
        start_date=today,
        start_value=start.total,
        assumptions=_assumptions_payload(assumptions),
        points=points,
        goal=goal,
        stale=start.stale,
        missing=sorted(start.missing_why),
        missing_why=dict(start.missing_why),
        reasons=reasons,
    )


def goal_of(user: User) -> GoalPayload:
    """Project the goal: with portfolios, volatility 0.15, 2,000 simulations and seed 1."""
    today = timezone.localdate()
    assumptions = with_defaults(
        Assumptions(months=0, include_portfolios=True, simulations=2000, seed=1)
    )
    start = _start_of(user, assumptions, today)
    progress = _goal_progress(user, assumptions, today, start)
    return GoalPayload(
        amount=progress.amount,
        year=progress.year,
        progress=progress.progress,
        projected_value=progress.projected_value,
        on_track=progress.on_track,
        shortfall=progress.shortfall,
        required_monthly_contribution=progress.required_monthly_contribution,
        probability=progress.probability,
        reached_in=progress.reached_in,
        currency=user.base_currency,
        stale=start.stale,
        missing=sorted(start.missing_why),
        missing_why=dict(start.missing_why),
        reasons=start.reasons | progress.reasons,
    )


def has_goal(user: User) -> bool:
    return user.retirement_goal_amount is not None and user.retirement_goal_year is not None


def default_months(user: User, today: date) -> int:
    """Return the months until the goal's year, else 30 years; never more than 100 years."""
    months = -1
    if user.retirement_goal_year:
        months = months_until_year(user.retirement_goal_year, today)
    if months < 0:
        return 12 * DEFAULT_YEARS
    return min(months, MAX_MONTHS)


def months_until_year(year: int, today: date) -> int:
    """Count monthly steps from `today` to the end of `year`."""
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
    start = _Start(pensions.value, Decimal(0), None, pensions.missing_why, pensions.stale)
    if assumptions.include_portfolios:
        if valued_portfolios is None:
            valued_portfolios = valued(portfolios_of(user))
        portfolios = net_value_of(valued_portfolios, user.base_currency)
        start.portfolios = portfolios.net_value
        start.missing_why = gravest(start.missing_why, portfolios.missing_why)
        start.stale |= portfolios.stale
    if start.total is None:
        start.reasons["start_value"] = _unknown_rates(_without_rate(start.missing_why))
    _add_contributions(start, user, accounts, assumptions, today)
    return start


def _without_rate(missing_why: Mapping[str, str]) -> list[str]:
    """Return the pairs of currencies, such as "USD/NOK", that have no rate."""
    return [name for name, code in missing_why.items() if code == NO_RATE and "/" in name]


def _unknown_rates(pairs: Sequence[str]) -> str:
    return f"The exchange rate is unknown: {', '.join(pairs)}."


def _add_contributions(
    start: _Start,
    user: User,
    accounts: Sequence[PensionAccount],
    assumptions: Assumptions,
    today: date,
) -> None:
    """Add contributions of 100 years: for the points, the goal, and the year it is reached."""
    growth = float(assumptions.contribution_growth)
    if assumptions.monthly_contribution is not None:
        monthly = float(assumptions.monthly_contribution)
        start.contributions = calc.level_contributions(monthly, growth, MAX_MONTHS)
        return
    currency_of = {account.pk: account.currency for account in accounts}
    plans = list(ContributionPlan.objects.filter(account__in=currency_of))
    rates = Conversion({currency_of[plan.account_id] for plan in plans}, user.base_currency)
    start.stale |= rates.stale
    start.missing_why = gravest(start.missing_why, with_rate_held_back(rates.in_doubt))
    if rates.missing:
        start.missing_why = gravest(start.missing_why, without_rate(rates.missing))
        start.reasons["contributions"] = _unknown_rates(rates.missing)
        return
    plans_in_base = []
    for plan in plans:
        amount = rates.convert(plan.amount, currency_of[plan.account_id])
        plan_in_base = calc.Plan(
            amount=float(amount),
            step_months=plan.months,
            start=plan.start,
            end=plan.end,
            growth=float(plan.growth),
        )
        plans_in_base.append(plan_in_base)
    paid = calc.planned_contributions(plans_in_base, today, MAX_MONTHS)
    start.contributions = paid * calc.level_contributions(1.0, growth, MAX_MONTHS)


def _pots(start: _Start, assumptions: Assumptions) -> list[calc.Pot]:
    volatility = float(assumptions.volatility or 0)
    pots = [calc.Pot(float(start.pensions or 0), float(assumptions.annual_return), volatility)]
    if assumptions.portfolio_return is not None:
        portfolio_return = float(assumptions.portfolio_return)
        portfolio_volatility = float(assumptions.portfolio_volatility or 0)
        portfolios = float(start.portfolios or 0)
        pots.append(calc.Pot(portfolios, portfolio_return, portfolio_volatility))
    return pots


# --- The goal -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _GoalProgress:
    """How the goal fares. None where `reasons` says why it is unknown; all None without a goal.

    `simulation` serves the goal and the points.
    """

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


def _projection_goal_payload(
    progress: _GoalProgress, assumptions: Assumptions
) -> ProjectionGoalPayload:
    return ProjectionGoalPayload(
        amount=progress.amount,
        year=progress.year,
        projected_value=progress.projected_value,
        shortfall=progress.shortfall,
        on_track=progress.on_track,
        required_monthly_contribution=progress.required_monthly_contribution,
        probability=progress.probability if assumptions.simulations else UNSET,
    )


def _goal_progress(
    user: User, assumptions: Assumptions, today: date, start: _Start
) -> _GoalProgress:
    """Project the goal to the end of its year, whatever the horizon of the points."""
    amount, year = user.retirement_goal_amount, user.retirement_goal_year
    progress = _GoalProgress(_stripped(amount), year)
    if start.total is None or start.contributions is None:
        return progress
    months = None if year is None else months_until_year(year, today)
    if months is not None and not 0 <= months <= MAX_MONTHS:
        problem = "over" if months < 0 else "more than 100 years away"
        progress.reasons["goal"] = f"The goal's year {year} is {problem}."
        months = None
    pots = _pots(start, assumptions)
    if assumptions.seed is not None and assumptions.simulations:
        last = max(assumptions.months, months or 0)
        progress.simulation = calc.simulate(
            pots,
            start.contributions[:last],
            paths=assumptions.simulations,
            seed=assumptions.seed,
            shown_months=assumptions.months,
            watched_month=last if months is None else months,
        )
    if amount is None:
        return progress
    # Absurd but allowed rates overflow a float; the answer is then null.
    with np.errstate(over="ignore"):
        nominal = calc.project(pots, start.contributions)
        real = nominal / calc.deflator(float(assumptions.inflation), MAX_MONTHS)
    progress.progress = round_for_storage(EXACT.divide(start.total, amount))
    reached = calc.first_month_reaching(real, float(amount))
    if reached is not None:
        progress.reached_in = calc.add_months(today, reached).year
    if months is not None:
        _judge(progress, float(amount), float(real[months]), pots, assumptions, months)
    return progress


def _judge(
    progress: _GoalProgress,
    amount: float,
    projected: float,
    pots: list[calc.Pot],
    assumptions: Assumptions,
    months: int,
) -> None:
    """Compare the real value projected for the goal's year with the goal."""
    inflation = float(assumptions.inflation)
    progress.projected_value = _decimal(projected)
    progress.shortfall = _decimal(max(0.0, amount - projected))
    progress.on_track = projected >= amount
    required = calc.required_monthly_contribution(
        pots,
        goal=amount,
        inflation=inflation,
        growth=float(assumptions.contribution_growth),
        months=months,
    )
    if required is None:
        progress.reasons["required_monthly_contribution"] = (
            "No contribution can reach the goal any more."
        )
    else:
        progress.required_monthly_contribution = _decimal(required)
    if progress.simulation is not None:
        nominal = amount * float(calc.deflator(inflation, months)[months])
        progress.probability = progress.simulation.share_reaching(nominal)


def _decimal(value: float) -> Decimal | None:
    """Round to 15 significant digits; None for infinity and NaN."""
    if not np.isfinite(value):
        return None
    return round_for_display(Decimal(repr(value)))


# --- Points ---------------------------------------------------------------------------------------


def _points(
    assumptions: Assumptions,
    today: date,
    start: _Start,
    contributions: calc.Floats,
    simulation: calc.Simulation | None,
) -> list[ProjectionPointPayload]:
    """Return one point a month from today; `contributions` is cumulative."""
    months = assumptions.months
    paid = contributions[:months]
    values = calc.project(_pots(start, assumptions), paid)
    with np.errstate(over="ignore"):
        real_values = values / calc.deflator(float(assumptions.inflation), months)
    columns = [np.concatenate([[0.0], paid.cumsum()]), values, real_values]
    if simulation is not None:
        columns.extend(simulation.percentiles)
    with np.errstate(over="ignore"):
        rows = np.round(np.array(columns), SHOWN_DECIMALS).T.tolist()
    return [
        ProjectionPointPayload(calc.add_months(today, month), *row)
        for month, row in enumerate(rows)
    ]
