"""Writes about pensions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from financeproj.core.db.names import name_key
from financeproj.core.db.rows import insert_as_they_are
from financeproj.core.errors import Conflict, NotFound
from financeproj.core.money import strip_zeros
from financeproj.users.models import User
from marketdata import services as marketdata
from pensions.models import ContributionPlan, PensionAccount, PensionValueEntry
from portfolios.selectors import portfolios_of

Row = TypeVar("Row")


def create_account(
    *, user: User, name: str, currency: str, ynab_account_id: str = ""
) -> PensionAccount:
    """Open an account.

    Raises Conflict (`duplicate_name`), ValidationError, and what `check_link` raises; nothing is
    written then.
    """
    check_link(user=user, ynab_account_id=ynab_account_id, currency=currency)
    with transaction.atomic():
        account = PensionAccount(
            user=_locked_user(user),
            name=name.strip(),
            currency=currency,
            ynab_account_id=ynab_account_id,
        )
        _save_account(account)
    return account


def update_account(*, account: PensionAccount, **changes: Any) -> PensionAccount:
    """Set `name`, `currency`, `ynab_account_id`.

    Raises Conflict (`duplicate_name`; `currency_fixed` once there are values or contributions,
    whose amounts would silently become other money), ValidationError, and what `check_link` raises.
    """
    wanted = {"currency": account.currency, "ynab_account_id": account.ynab_account_id} | changes
    if (wanted["currency"], wanted["ynab_account_id"]) != (
        account.currency,
        account.ynab_account_id,
    ):
        check_link(
            user=account.user,
            ynab_account_id=wanted["ynab_account_id"],
            currency=wanted["currency"],
        )
    with transaction.atomic():
        _locked_user(account.user)
        account = _locked_account(account.pk)
        if changes.get("currency", account.currency) != account.currency and (
            account.values.exists() or account.contributions.exists()
        ):
            raise Conflict(
                "The currency of an account with values or contributions can't change.",
                attr="currency",
                code="currency_fixed",
            )
        for field, value in changes.items():
            setattr(account, field, value.strip())
        _save_account(account)
    return account


def delete_account(*, account: PensionAccount) -> None:
    """Delete an account with its values and contributions."""
    account.delete()


def check_link(*, user: User, ynab_account_id: str, currency: str) -> None:
    """Ask whoever keeps the balances (settings.PENSION_LINK_CHECK) whether an account may be
    linked.

    Raises DomainError (`unknown_ynab_account`, `currency_mismatch`). May wait for a third party:
    call it outside of transactions.
    """
    if ynab_account_id and settings.PENSION_LINK_CHECK:
        import_string(settings.PENSION_LINK_CHECK)(
            user=user, ynab_account_id=ynab_account_id, currency=currency
        )


def _locked_user(user: User) -> User:
    """One writer of a user's account names at a time."""
    return User.objects.select_for_update().get(pk=user.pk)


def _save_account(account: PensionAccount) -> None:
    same_name = PensionAccount.objects.filter(user=account.user, name_key=name_key(account.name))
    if same_name.exclude(pk=account.pk).exists():
        raise Conflict(
            "There is a pension account of this name already.", attr="name", code="duplicate_name"
        )
    account.full_clean(exclude=["user"])
    account.save()


# --- Values ---------------------------------------------------------------------------------------


def record_value(
    *,
    account: PensionAccount,
    on: date,
    value: Decimal,
    source: str = PensionValueEntry.Source.MANUAL,
) -> PensionValueEntry:
    """Add what the account was worth on a day, in its currency, 0 or more.

    Raises Conflict (`duplicate_date`) and ValidationError (`future_date`, a value that can't be
    kept).
    """
    with transaction.atomic():
        account = _locked_account(account.pk)
        entry = PensionValueEntry(account=account, date=on, value=value, source=source)
        _save_value(entry)
    return entry


def update_value(*, entry: PensionValueEntry, **changes: Any) -> PensionValueEntry:
    """Set `date` and `value`; what was changed by hand is a manual value from then on. Raises as
    `record_value`.
    """
    with transaction.atomic():
        _locked_account(entry.account_id)
        entry = _still_there(PensionValueEntry.objects.filter(pk=entry.pk).first())
        for field, value in changes.items():
            setattr(entry, field, value)
        entry.source = PensionValueEntry.Source.MANUAL
        _save_value(entry)
    return entry


@dataclass(frozen=True, slots=True)
class ImportedValues:
    """How many values were new, replaced, and known already."""

    created: int
    replaced: int
    unchanged: int


def import_values(
    *, account: PensionAccount, values: Iterable[tuple[date, Decimal]], replace: bool = False
) -> ImportedValues:
    """Write values of a file, all or none. A value that the account has is left as it is.

    A date with another value is overwritten if `replace`; else Conflict (`duplicate_date`) names
    the first of them. Raises ValidationError.
    """
    created, replaced, unchanged = [], [], 0
    with transaction.atomic():
        account = _locked_account(account.pk)
        known = {entry.date: entry for entry in account.values.all()}
        for on, value in values:
            entry = known.get(on)
            if entry is not None and entry.value == value:
                unchanged += 1
                continue
            if entry is not None and not replace:
                raise Conflict(
                    f"The account has {strip_zeros(entry.value)} on {on} already, not {strip_zeros(value)}.",
                    attr="date",
                    code="duplicate_date",
                )
            if entry is None:
                entry = PensionValueEntry(account=account, date=on)
                created.append(entry)
            else:
                replaced.append(entry)
            entry.value, entry.source, entry.updated_at = (
                value,
                PensionValueEntry.Source.IMPORT,
                timezone.now(),
            )
            entry.clean_fields(exclude=["account"])
        PensionValueEntry.objects.bulk_create(created, batch_size=500)
        PensionValueEntry.objects.bulk_update(
            replaced, ["value", "source", "updated_at"], batch_size=200
        )
    return ImportedValues(len(created), len(replaced), unchanged)


def take_balance(
    *, account: PensionAccount, on: date, value: Decimal
) -> tuple[PensionValueEntry, bool]:
    """Write what a linked account was worth on a day, and whether that is a new entry.

    A fetched value of that day is replaced. Raises Conflict (`duplicate_date`) if that day has
    another one, which is kept, and ValidationError.
    """
    with transaction.atomic():
        account = _locked_account(account.pk)
        entry = account.values.filter(date=on, source=PensionValueEntry.Source.YNAB).first()
        is_new = entry is None
        if entry is None:
            entry = PensionValueEntry(
                account=account, date=on, source=PensionValueEntry.Source.YNAB
            )
        entry.value = value
        _save_value(entry)
    return entry, is_new


def take_balance_if_news(*, account: PensionAccount, on: date, value: Decimal) -> str:
    """Write a fetched balance if it changed, or if the last month end that has passed by `on` has
    no value yet.

    The outcome: `written`, `unchanged`, or `kept` when the day has a value from elsewhere. One
    value a day, so that it is safe to run again. A month end that was missed is made good on the
    next day that this runs.
    """
    with transaction.atomic():
        account = _locked_account(account.pk)
        latest = account.values.filter(date__lte=on).order_by("-date").first()
        if latest and latest.date == on and latest.source != PensionValueEntry.Source.YNAB:
            return "kept"
        if latest and latest.value == value and latest.date >= last_month_end(on):
            return "unchanged"
        take_balance(account=account, on=on, value=value)
    return "written"


def last_month_end(day: date) -> date:
    """The latest last day of a month on or before `day`."""
    return day if (day + timedelta(days=1)).day == 1 else day.replace(day=1) - timedelta(days=1)


def delete_value(*, entry: PensionValueEntry) -> None:
    entry.delete()


def _locked_account(pk: Any) -> PensionAccount:
    """One writer of an account and its rows at a time. Raises NotFound if somebody has just deleted
    it.
    """
    account = PensionAccount.objects.select_for_update().filter(pk=pk).first()
    if account is None:
        raise NotFound("There is no such pension account.")
    return account


def _still_there(row: Row | None) -> Row:
    if row is None:
        raise NotFound("It has just been deleted.")
    return row


def _save_value(entry: PensionValueEntry) -> None:
    same_date = PensionValueEntry.objects.filter(account=entry.account_id, date=entry.date)
    if same_date.exclude(pk=entry.pk).exists():
        raise Conflict(
            f"The account has a value on {entry.date} already.", attr="date", code="duplicate_date"
        )
    entry.full_clean(exclude=["account"])
    entry.save()


# --- Contributions --------------------------------------------------------------------------------


def create_contribution(*, account: PensionAccount, **fields: Any) -> ContributionPlan:
    """Add a plan; `fields` are those of ContributionPlan. Raises ValidationError."""
    with transaction.atomic():
        plan = ContributionPlan(account=_locked_account(account.pk), **fields)
        plan.full_clean(exclude=["account"])
        plan.save()
    return plan


def update_contribution(*, plan: ContributionPlan, **changes: Any) -> ContributionPlan:
    """Set fields of a plan. Raises ValidationError."""
    with transaction.atomic():
        _locked_account(plan.account_id)
        plan = _still_there(ContributionPlan.objects.filter(pk=plan.pk).first())
        for field, value in changes.items():
            setattr(plan, field, value)
        plan.full_clean(exclude=["account"])
        plan.save()
    return plan


def delete_contribution(*, plan: ContributionPlan) -> None:
    plan.delete()


@transaction.atomic
def restore_accounts(
    *,
    user: User,
    accounts: Iterable[PensionAccount],
    values: Iterable[PensionValueEntry],
    contributions: Iterable[ContributionPlan],
) -> None:
    """Store accounts that another installation had, with what is in them, as they are."""
    _locked_user(user)
    insert_as_they_are(PensionAccount, accounts)
    insert_as_they_are(PensionValueEntry, values)
    insert_as_they_are(ContributionPlan, contributions)


# --- Rates ----------------------------------------------------------------------------------------


def ensure_rates(*, user: User) -> None:
    """Fetch, within the time limit, the rates into the base currency that the user's wealth lacks.

    A source that fails is no error here.
    """
    currencies = {
        *user.pension_accounts.order_by().values_list("currency", flat=True),
        *portfolios_of(user).order_by().values_list("currency", flat=True),
    }
    marketdata.ensure_rates(
        pairs={(code, user.base_currency) for code in currencies if code != user.base_currency}
    )
