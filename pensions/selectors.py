"""Reads about pensions."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from financeproj.core.errors import NotFound
from financeproj.core.money import EXACT, ONE, ZERO, strip_zeros
from financeproj.users.models import User
from marketdata import selectors as marketdata
from pensions.models import ContributionPlan, PensionAccount, PensionAccounts, PensionValueEntry


def accounts_of(user: User) -> PensionAccounts:
    """The user's accounts, the oldest first, each with its current value: one query."""
    return PensionAccount.objects.filter(user=user).with_current_value()


def linked_accounts_of(user: User) -> PensionAccounts:
    """The user's accounts that are linked to one at YNAB."""
    return PensionAccount.objects.filter(user=user).exclude(ynab_account_id="")


def account_of(user: User, pk: uuid.UUID) -> PensionAccount:
    """One account of the user with its current value. Raises NotFound."""
    account = accounts_of(user).filter(pk=pk).first()
    if account is None:
        raise NotFound("There is no such pension account.")
    return account


def value_of(user: User, account_pk: uuid.UUID, pk: uuid.UUID) -> PensionValueEntry:
    """One value of an account of the user. Raises NotFound."""
    value = PensionValueEntry.objects.filter(account__user=user, account=account_pk, pk=pk).first()
    if value is None:
        raise NotFound("There is no such pension value.")
    return value


def contribution_of(user: User, account_pk: uuid.UUID, pk: uuid.UUID) -> ContributionPlan:
    """One contribution plan of an account of the user. Raises NotFound."""
    plan = ContributionPlan.objects.filter(account__user=user, account=account_pk, pk=pk).first()
    if plan is None:
        raise NotFound("There is no such contribution plan.")
    return plan


# --- In one currency ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PensionsValue:
    """Accounts' latest values in one currency; None where `missing` names a pair without a known
    rate.

    Accounts without a value count nothing. `stale` is whether a rate was.
    """

    value: Decimal | None
    missing: list[str]
    stale: bool


def value_of_accounts(accounts: Iterable[PensionAccount], currency: str) -> PensionsValue:
    """What `accounts` (with their current values) are worth together, at the latest rates."""
    valued = [account for account in accounts if account.current_value is not None]
    rates = Rates({account.currency for account in valued}, currency)
    if rates.missing:
        return PensionsValue(None, rates.missing, rates.stale)
    total = ZERO
    for account in valued:
        total = EXACT.add(total, rates.convert(account.current_value, account.currency))
    return PensionsValue(strip_zeros(total), [], rates.stale)


class Rates:
    """The latest rates from some currencies to one. `missing` names the pairs without any."""

    def __init__(self, currencies: Iterable[str], target: str) -> None:
        pairs = {(base, target) for base in currencies if base != target}
        self._target = target
        self._known = marketdata.rates_now(pairs)
        self.missing = sorted(
            f"{base}/{target}" for base, target in pairs if (base, target) not in self._known
        )
        self.stale = any(rate.stale for rate in self._known.values())

    def convert(self, amount: Decimal, currency: str) -> Decimal:
        """`amount` in the target currency, exactly; only for currencies that are not missing."""
        rate = ONE if currency == self._target else self._known[currency, self._target].rate
        return EXACT.multiply(amount, rate)


def needed_pairs() -> set[tuple[str, str]]:
    """The currency pairs that anybody's pensions need: from the account's to the base currency."""
    pairs = (
        PensionAccount.objects.order_by().values_list("currency", "user__base_currency").distinct()
    )
    return {(base, target) for base, target in pairs if base != target}
