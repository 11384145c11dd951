"""The answers about the link to YNAB."""

from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec import Struct

from financeproj.core.money import strip_zeros
from integrations.models import SyncRun, YnabBudget
from integrations.ynab.plans import ReadablePlan
from integrations.ynab.queries import Balance


class SyncLinePayload(Struct):
    account_id: str
    name: str
    outcome: str
    detail: str


class SyncRunPayload(Struct):
    started_at: datetime
    finished_at: datetime | None
    trigger: SyncRun.Trigger
    outcome: SyncRun.Outcome
    detail: str
    accounts: list[SyncLinePayload]


class YnabSettingsPayload(Struct):
    budget_id: str | None
    budget_name: str | None
    verified: bool
    api_key_configured: bool
    last_sync: SyncRunPayload | None


class YnabPlanPayload(Struct):
    id: str
    name: str
    currency: str | None


class YnabAccountPayload(Struct):
    id: str
    name: str
    type: str
    balance: Decimal
    currency: str | None
    closed: bool
    deleted: bool
    stale: bool


class YnabBalancePayload(Struct):
    account_id: str
    name: str
    balance: Decimal
    cleared_balance: Decimal
    uncleared_balance: Decimal
    currency: str | None
    as_of: datetime
    stale: bool


def settings_payload(
    budget: YnabBudget | None, *, api_key_configured: bool, last_run: SyncRun | None
) -> YnabSettingsPayload:
    budget_id = budget_name = None
    if budget is not None:
        budget_id, budget_name = budget.pk, budget.name or None
    return YnabSettingsPayload(
        budget_id=budget_id,
        budget_name=budget_name,
        verified=budget is not None and budget.verified,
        api_key_configured=api_key_configured,
        last_sync=_run_payload(last_run) if last_run else None,
    )


def _run_payload(run: SyncRun) -> SyncRunPayload:
    return SyncRunPayload(
        started_at=run.started_at,
        finished_at=run.finished_at,
        trigger=SyncRun.Trigger(run.trigger),
        outcome=SyncRun.Outcome(run.outcome),
        detail=run.detail,
        accounts=msgspec.convert(run.accounts, list[SyncLinePayload]),
    )


def plan_payload(plan: ReadablePlan) -> YnabPlanPayload:
    return YnabPlanPayload(id=plan.id, name=plan.name, currency=plan.currency)


def account_payload(balance: Balance) -> YnabAccountPayload:
    return YnabAccountPayload(
        id=balance.id,
        name=balance.name,
        type=balance.type,
        balance=strip_zeros(balance.balance),
        currency=balance.currency,
        closed=balance.closed,
        deleted=balance.deleted,
        stale=balance.stale,
    )


def balance_payload(balance: Balance) -> YnabBalancePayload:
    return YnabBalancePayload(
        account_id=balance.id,
        name=balance.name,
        balance=strip_zeros(balance.balance),
        cleared_balance=strip_zeros(balance.cleared_balance),
        uncleared_balance=strip_zeros(balance.uncleared_balance),
        currency=balance.currency,
        as_of=balance.as_of,
        stale=balance.stale,
    )
