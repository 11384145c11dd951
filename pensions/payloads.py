"""The shapes of the answers about pensions."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from financeproj.core.money import strip_zeros
from pensions.models import ContributionPlan, PensionAccount, PensionValueEntry


class AccountPayload(Struct, frozen=True):
    """A pension account. `current_value` is in `currency`."""

    id: UUID
    name: str
    currency: str
    ynab_account_id: Annotated[str | None, Meta(extra_json_schema={"readOnly": True})]
    current_value: Decimal | None
    current_value_date: date | None
    created_at: datetime


class ValuePayload(Struct, frozen=True):
    """What an account was worth on a day, in its currency."""

    id: UUID
    date: date
    value: Decimal
    source: PensionValueEntry.Source


class ContributionPayload(Struct, frozen=True):
    """Regular payments into an account. `growth` is a yearly fraction."""

    id: UUID
    amount: Decimal
    frequency: ContributionPlan.Frequency
    start: date
    end: date | None
    growth: Decimal


class ProjectionGoalPayload(Struct, frozen=True):
    """How the retirement goal fares in a projection."""

    amount: Decimal | None
    year: int | None
    projected_value: Decimal | None
    shortfall: Decimal | None
    on_track: bool | None
    required_monthly_contribution: Decimal | None
    probability: Annotated[float | UnsetType | None, Meta(description="Only with simulations.")] = (
        UNSET
    )


class GoalPayload(Struct, frozen=True):
    """How the retirement goal fares with all wealth."""

    amount: Decimal | None
    year: int | None
    progress: Annotated[Decimal | None, Meta(description="Net worth ÷ goal.")]
    projected_value: Decimal | None
    on_track: bool | None
    shortfall: Decimal | None
    required_monthly_contribution: Decimal | None
    probability: float | None
    reached_in: Annotated[
        int | None, Meta(description="The first year that reaches it at this pace.")
    ]
    currency: str
    stale: bool
    missing: list[str]
    missing_why: dict[str, str]
    reasons: dict[str, str]


class AssumptionsPayload(Struct, frozen=True):
    """What a projection assumed; rates are yearly fractions."""

    months: int
    monthly_contribution: Annotated[Decimal | None, Meta(description="null: the accounts' plans.")]
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


class ProjectionPointPayload(Struct, frozen=True, gc=False):
    """One month, in the base currency; percentiles (nominal) only with simulations."""

    date: date
    contributions: Annotated[float, Meta(description="Paid in since the start.")]
    value: float
    real_value: Annotated[float, Meta(description="In today's money.")]
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
    points: list[ProjectionPointPayload]
    goal: ProjectionGoalPayload | None
    stale: bool
    missing: list[str]
    missing_why: dict[str, str]
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
        source=PensionValueEntry.Source(entry.source),
    )


def contribution_payload(plan: ContributionPlan) -> ContributionPayload:
    return ContributionPayload(
        id=plan.pk,
        amount=strip_zeros(plan.amount),
        frequency=ContributionPlan.Frequency(plan.frequency),
        start=plan.start,
        end=plan.end,
        growth=strip_zeros(plan.growth),
    )
