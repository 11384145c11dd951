"""How pension accounts, their values and plans appear in the history."""

from financeproj.core.db.rows import fields_of
from financeproj.core.money import strip_zeros
from financeproj.history.services import HistoryObject
from pensions.models import ContributionPlan, PensionAccount, PensionValueEntry

ACCOUNT_FIELDS = ("name", "currency", "ynab_account_id")
VALUE_FIELDS = ("date", "value", "source")
PLAN_FIELDS = ("amount", "frequency", "start", "end", "growth")


def account_object(account: PensionAccount) -> HistoryObject:
    return HistoryObject(
        type="pension_account", id=account.pk, label=account.name, owner_id=account.user_id
    )


def account_fields(account: PensionAccount) -> dict[str, object]:
    return fields_of(account, ACCOUNT_FIELDS)


def value_object(entry: PensionValueEntry) -> HistoryObject:
    """An entry about a value belongs to its account."""
    account = entry.account
    return HistoryObject(
        type="pension_value",
        id=entry.pk,
        label=f"{account.name} {entry.date}",
        owner_id=account.user_id,
        within_id=account.pk,
    )


def value_fields(entry: PensionValueEntry) -> dict[str, object]:
    return fields_of(entry, VALUE_FIELDS)


def plan_object(plan: ContributionPlan) -> HistoryObject:
    account = plan.account
    return HistoryObject(
        type="contribution_plan",
        id=plan.pk,
        label=f"{account.name}: {strip_zeros(plan.amount):f} {plan.frequency}",
        owner_id=account.user_id,
        within_id=account.pk,
    )


def plan_fields(plan: ContributionPlan) -> dict[str, object]:
    return fields_of(plan, PLAN_FIELDS)
