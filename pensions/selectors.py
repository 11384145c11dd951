"""Reads about pensions."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from financeproj.core.errors import NotFound
from financeproj.core.missing import gravest, with_rate_held_back, without_rate
from financeproj.core.money import EXACT, ZERO, strip_zeros
from financeproj.users.models import User
from marketdata import selectors as marketdata
from pensions.models import ContributionPlan, PensionAccount, PensionAccounts, PensionValueEntry


def accounts_of(user: User) -> PensionAccounts:
    """Return the user's accounts, oldest first, each with its current value: one query."""
    return PensionAccount.objects.filter(user=user).with_current_value()


def linked_accounts_of(user: User) -> PensionAccounts:
    """Return the user's accounts that are linked to YNAB."""
    return PensionAccount.objects.filter(user=user).exclude(ynab_account_id="")


def account_of(user: User, pk: UUID) -> PensionAccount:
    """Return one account of the user with its current value. Raises NotFound."""
    account = accounts_of(user).filter(pk=pk).first()
    if account is None:
        raise NotFound("Pension account not found.")
    return account


def value_of(user: User, account_pk: UUID, pk: UUID) -> PensionValueEntry:
    """Return one value of an account of the user. Raises NotFound."""
    value = PensionValueEntry.objects.filter(account__user=user, account=account_pk, pk=pk).first()
    if value is None:
        raise NotFound("Pension value not found.")
    return value


def contribution_of(user: User, account_pk: UUID, pk: UUID) -> ContributionPlan:
    """Return one contribution plan of an account of the user. Raises NotFound."""
    plan = ContributionPlan.objects.filter(account__user=user, account=account_pk, pk=pk).first()
    if plan is None:
        raise NotFound("Contribution plan not found.")
    return plan


# --- Over time ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ValuedAccount:
    """An account with its values, oldest first."""

    account: PensionAccount
    values: Sequence[PensionValueEntry]

    @property
    def entries(self) -> list[tuple[date, Decimal]]:
        """The values by day, oldest first."""
        return [(entry.date, entry.value) for entry in self.values]

    def value_on(self, day: date) -> PensionValueEntry | None:
        """Return the value last entered by `day`, None before the first."""
        for entry in reversed(self.values):
            if entry.date <= day:
                return entry
        return None


def accounts_with_values(user: User) -> list[ValuedAccount]:
    """Return the user's accounts, each with all its values: two queries."""
    values: dict[UUID, list[PensionValueEntry]] = defaultdict(list)
    for entry in PensionValueEntry.objects.filter(account__user=user).order_by("date"):
        values[entry.account_id].append(entry)
    accounts = PensionAccount.objects.filter(user=user)
    return [ValuedAccount(account, values[account.pk]) for account in accounts]


# --- In one currency ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PensionsValue:
    """The sum of accounts' latest values in one currency; None if a rate is missing.

    `missing_why` names the pairs without a rate or with one in doubt, `stale` says whether a rate
    is old. Accounts without a value count as 0.
    """

    value: Decimal | None
    missing_why: Mapping[str, str]
    stale: bool


def value_of_accounts(accounts: Iterable[PensionAccount], currency: str) -> PensionsValue:
    """Add up `accounts` (with their current values) in `currency`, at the latest rates."""
    values = [
        (account.current_value, account.currency)
        for account in accounts
        if account.current_value is not None
    ]
    rates = marketdata.Conversion({code for _, code in values}, currency)
    missing_why = gravest(without_rate(rates.missing), with_rate_held_back(rates.in_doubt))
    if rates.missing:
        return PensionsValue(None, missing_why, rates.stale)
    total = ZERO
    for value, code in values:
        total = EXACT.add(total, rates.convert(value, code))
    return PensionsValue(strip_zeros(total), missing_why, rates.stale)


def needed_pairs() -> set[tuple[str, str]]:
    """Return every (account currency, base currency) pair that pensions need."""
    pairs = (
        PensionAccount.objects.order_by().values_list("currency", "user__base_currency").distinct()
    )
    return {(base, target) for base, target in pairs if base != target}
