"""What the API shows of pensions."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from financeproj.core.money import strip_zeros
from pensions.models import ContributionPlan, PensionAccount, PensionValueEntry


class AccountPayload(Struct, frozen=True):
    """A pension account. `current_value` is in `currency`."""

    id: UUID
    name: str
    currency: str
    ynab_account_id: str | None
    current_value: Decimal | None
    current_value_date: date | None
    created_at: datetime


class ValuePayload(Struct, frozen=True):
    """What an account was worth on a day, in its currency."""

    id: UUID
    date: date
    value: Decimal
    source: Literal["manual", "ynab", "import"]


class ContributionPayload(Struct, frozen=True):
    """Regular payments into an account. `growth` is a yearly fraction."""

    id: UUID
    amount: Decimal
    frequency: Literal["monthly", "quarterly", "yearly"]
    start: date
    end: date | None
    growth: Decimal


class ProjectionGoalPayload(Struct, frozen=True):
    """How the retirement goal fares in a projection. `probability` needs simulations."""

    amount: Decimal | None
    year: int | None
    projected_value: Decimal | None
    shortfall: Decimal | None
    on_track: bool | None
    required_monthly_contribution: Decimal | None
    probability: float | UnsetType | None = UNSET


class GoalPayload(Struct, frozen=True):
    """How the retirement goal fares with all wealth.

    `progress` is net worth ÷ goal; `reached_in` is the first year that reaches it at this pace.
    """

    amount: Decimal | None
    year: int | None
    progress: Decimal | None
    projected_value: Decimal | None
    on_track: bool | None
    shortfall: Decimal | None
    required_monthly_contribution: Decimal | None
    probability: float | None
    reached_in: int | None
    currency: str
    stale: bool
    missing: list[str]
    reasons: dict[str, str]


class AssumptionsPayload(Struct, frozen=True):
    """What a projection assumed. `monthly_contribution` null: the accounts' plans."""

    months: int
    monthly_contribution: Decimal | None
    contributions_from: Literal["plans", "monthly_contribution"]
    contribution_growth: Decimal
    annual_return: Decimal
    inflation: Decimal
    account_id: UUID | None
    include_portfolios: bool
    volatility: Decimal | None
    portfolio_return: Decimal | None
    portfolio_volatility: Decimal | None
    simulations: int
    seed: int | None


class ProjectionPoint(Struct, frozen=True, gc=False):
    """One month. `contributions` is paid in since the start, `real_value` in today's money.

    Percentiles (p5 … p95) are nominal and need simulations.
    """

    date: date
    contributions: float
    value: float
    real_value: float
    p5: float | UnsetType = UNSET
    p25: float | UnsetType = UNSET
    p50: float | UnsetType = UNSET
    p75: float | UnsetType = UNSET
    p95: float | UnsetType = UNSET


class ProjectionPayload(Struct, frozen=True):
    """A projection in the base currency; `reasons` says why a value is null."""

    currency: str
    start_date: date
    start_value: Decimal | None
    assumptions: AssumptionsPayload
    points: list[ProjectionPoint]
    goal: ProjectionGoalPayload | None
    stale: bool
    missing: list[str]
    reasons: dict[str, str]


def account_payload(account: PensionAccount) -> AccountPayload:
    """Show an account that was read with its current value."""
    value = account.current_value
    return AccountPayload(
        id=account.pk,
        name=account.name,
        currency=account.currency,
        ynab_account_id=account.ynab_account_id or None,
        current_value=None if value is None else strip_zeros(value),
        current_value_date=account.current_value_date,
        created_at=account.created_at,
    )


def value_payload(entry: PensionValueEntry) -> ValuePayload:
    return ValuePayload(
        id=entry.pk,
        date=entry.date,
        value=strip_zeros(entry.value),
        source=entry.source,
    )


def contribution_payload(plan: ContributionPlan) -> ContributionPayload:
    return ContributionPayload(
        id=plan.pk,
        amount=strip_zeros(plan.amount),
        frequency=plan.frequency,
        start=plan.start,
        end=plan.end,
        growth=strip_zeros(plan.growth),
    )
