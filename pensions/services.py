"""Writes to pensions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TypedDict, TypeVar, Unpack
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from financeproj.core.db.names import name_key
from financeproj.core.db.rows import insert_as_they_are
from financeproj.core.errors import Conflict, NotFound
from financeproj.core.money import strip_zeros
from financeproj.history.models import Door
from financeproj.history.services import record
from financeproj.users.models import User
from marketdata import services as marketdata
from pensions.history import (
    account_fields,
    account_object,
    plan_fields,
    plan_object,
    value_fields,
    value_object,
)
from pensions.models import ContributionPlan, PensionAccount, PensionValueEntry
from portfolios.selectors import portfolios_of

Row = TypeVar("Row")


class AccountChanges(TypedDict, total=False):
    name: str
    currency: str
    ynab_account_id: str


class ValueChanges(TypedDict, total=False):
    date: date
    value: Decimal


class ContributionFields(TypedDict, total=False):
    """The fields of a ContributionPlan; `growth` is a yearly fraction."""

    amount: Decimal
    frequency: str
    start: date
    end: date | None
    growth: Decimal


def create_account(
    *, user: User, name: str, currency: str, ynab_account_id: str = ""
) -> PensionAccount:
    """Create an account.

    Raises Conflict (`duplicate_name`), ValidationError and the errors of `check_link`; nothing is
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
        record("created", account_object(account), after=account_fields(account))
    return account


def update_account(*, account: PensionAccount, **changes: Unpack[AccountChanges]) -> PensionAccount:
    """Set `name`, `currency` and `ynab_account_id`.

    Raises Conflict (`duplicate_name`, `currency_fixed`), ValidationError and the errors of
    `check_link`. The currency is fixed once there are values or contributions, whose amounts would
    silently become another currency's.
    """
    currency = changes.get("currency", account.currency)
    link = changes.get("ynab_account_id", account.ynab_account_id)
    if (currency, link) != (account.currency, account.ynab_account_id):
        check_link(user=account.user, ynab_account_id=link, currency=currency)
    with transaction.atomic():
        _locked_user(account.user)
        account = _locked_account(account.pk)
        before = account_fields(account)
        has_amounts = account.values.exists() or account.contributions.exists()
        if has_amounts and changes.get("currency", account.currency) != account.currency:
            raise Conflict(
                "The currency cannot change once the account has values or contributions.",
                attr="currency",
                code="currency_fixed",
            )
        for field, value in changes.items():
            setattr(account, field, str(value).strip())
        _save_account(account)
        record("changed", account_object(account), before=before, after=account_fields(account))
    return account


@transaction.atomic
def delete_account(*, account: PensionAccount) -> None:
    """Delete an account with its values and contributions."""
    deleted = account_object(account)
    counts = {
        "values": account.values.count(),
        "contributions": account.contributions.count(),
    }
    account.delete()
    record("deleted", deleted, before=account_fields(account), counts=counts)


def check_link(*, user: User, ynab_account_id: str, currency: str) -> None:
    """Check with settings.PENSION_LINK_CHECK that the account can be linked to YNAB.

    Raises DomainError (`unknown_ynab_account`, `currency_mismatch`). Can wait for a third party, so
    call it outside transactions.
    """
    if ynab_account_id and settings.PENSION_LINK_CHECK:
        import_string(settings.PENSION_LINK_CHECK)(
            user=user, ynab_account_id=ynab_account_id, currency=currency
        )


def _locked_user(user: User) -> User:
    """Lock the user, so that one request at a time writes their account names."""
    return User.objects.select_for_update().get(pk=user.pk)


def _save_account(account: PensionAccount) -> None:
    same_name = PensionAccount.objects.filter(user=account.user, name_key=name_key(account.name))
    if same_name.exclude(pk=account.pk).exists():
        raise Conflict(
            "A pension account with this name already exists.", attr="name", code="duplicate_name"
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
    """Add the account's value on a day, in its currency, 0 or more.

    Raises Conflict (`duplicate_date`) and ValidationError (`future_date`, an invalid value).
    """
    with transaction.atomic():
        account = _locked_account(account.pk)
        entry = PensionValueEntry(account=account, date=on, value=value, source=source)
        _save_value(entry)
        record("created", value_object(entry), after=value_fields(entry))
    return entry


def update_value(*, entry: PensionValueEntry, **changes: Unpack[ValueChanges]) -> PensionValueEntry:
    """Set `date` and `value`, which makes it a manual value. Raises as `record_value`."""
    with transaction.atomic():
        account = _locked_account(entry.account_id)
        entry = _existing(account.values.filter(pk=entry.pk).first())
        before = value_fields(entry)
        for field, value in changes.items():
            setattr(entry, field, value)
        entry.source = PensionValueEntry.Source.MANUAL
        _save_value(entry)
        record("changed", value_object(entry), before=before, after=value_fields(entry))
    return entry


@dataclass(frozen=True, slots=True)
class ImportedValues:
    """How many values were new, replaced and unchanged."""

    created: int
    replaced: int
    unchanged: int


def import_values(
    *, account: PensionAccount, values: Iterable[tuple[date, Decimal]], replace: bool = False
) -> ImportedValues:
    """Write the values of a file, all or none; equal values are left unchanged.

    A different value on the same date is overwritten with `replace`, otherwise it raises Conflict
    (`duplicate_date`). Raises ValidationError.
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
                raise _different_value(entry, value)
            if entry is None:
                entry = PensionValueEntry(account=account, date=on)
                created.append(entry)
            else:
                replaced.append(entry)
            entry.value = value
            entry.source = PensionValueEntry.Source.IMPORT
            entry.updated_at = timezone.now()
            entry.clean_fields(exclude=["account"])
        PensionValueEntry.objects.bulk_create(created, batch_size=500)
        PensionValueEntry.objects.bulk_update(
            replaced, ["value", "source", "updated_at"], batch_size=200
        )
        if created or replaced:
            counts = {"created": len(created), "replaced": len(replaced), "unchanged": unchanged}
            record("imported", account_object(account), counts=counts, door=Door.IMPORT)
    return ImportedValues(len(created), len(replaced), unchanged)


def _different_value(entry: PensionValueEntry, value: Decimal) -> Conflict:
    return Conflict(
        f"The account already has {strip_zeros(entry.value)} on {entry.date},"
        f" not {strip_zeros(value)}.",
        attr="date",
        code="duplicate_date",
    )


def record_balance(
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
        before = None if is_new else value_fields(entry)
        entry.value = value
        _save_value(entry)
        action = "created" if is_new else "changed"
        record(action, value_object(entry), before=before, after=value_fields(entry))
    return entry, is_new


def record_balance_if_changed(*, account: PensionAccount, on: date, value: Decimal) -> str:
    """Write a fetched balance if it changed, or if no value covers the latest month end.

    Returns `written`, `unchanged`, or `kept` if the day has a value from another source. Safe to
    run again: it writes one value a day, and makes up for a missed month end.
    """
    with transaction.atomic():
        account = _locked_account(account.pk)
        latest = account.values.filter(date__lte=on).order_by("-date").first()
        if latest and latest.date == on and latest.source != PensionValueEntry.Source.YNAB:
            return "kept"
        if latest and latest.value == value and latest.date >= last_month_end(on):
            return "unchanged"
        record_balance(account=account, on=on, value=value)
    return "written"


def last_month_end(day: date) -> date:
    """Return the latest last day of a month on or before `day`."""
    one_day = timedelta(days=1)
    if (day + one_day).day == 1:
        return day
    return day.replace(day=1) - one_day


@transaction.atomic
def delete_value(*, entry: PensionValueEntry) -> None:
    deleted = value_object(entry)
    entry.delete()
    record("deleted", deleted, before=value_fields(entry))


def _locked_account(pk: UUID) -> PensionAccount:
    """Lock the account, so that one request at a time writes it and its rows.

    Raises NotFound if it has just been deleted.
    """
    account = PensionAccount.objects.select_for_update().filter(pk=pk).first()
    if account is None:
        raise NotFound("Pension account not found.")
    return account


def _existing(row: Row | None) -> Row:
    """Return the row. Raises NotFound if another request has just deleted it."""
    if row is None:
        raise NotFound("It has just been deleted.")
    return row


def _save_value(entry: PensionValueEntry) -> None:
    same_date = PensionValueEntry.objects.filter(account=entry.account_id, date=entry.date)
    if same_date.exclude(pk=entry.pk).exists():
        raise Conflict(
            f"The account already has a value on {entry.date}.", attr="date", code="duplicate_date"
        )
    entry.full_clean(exclude=["account"])
    entry.save()


# --- Contributions --------------------------------------------------------------------------------


def create_contribution(
    *, account: PensionAccount, **fields: Unpack[ContributionFields]
) -> ContributionPlan:
    """Add a plan; `fields` are those of ContributionPlan. Raises ValidationError."""
    with transaction.atomic():
        plan = ContributionPlan(account=_locked_account(account.pk), **fields)
        plan.full_clean(exclude=["account"])
        plan.save()
        record("created", plan_object(plan), after=plan_fields(plan))
    return plan


def update_contribution(
    *, plan: ContributionPlan, **changes: Unpack[ContributionFields]
) -> ContributionPlan:
    """Set fields of a plan. Raises ValidationError."""
    with transaction.atomic():
        account = _locked_account(plan.account_id)
        plan = _existing(account.contributions.filter(pk=plan.pk).first())
        before = plan_fields(plan)
        for field, value in changes.items():
            setattr(plan, field, value)
        plan.full_clean(exclude=["account"])
        plan.save()
        record("changed", plan_object(plan), before=before, after=plan_fields(plan))
    return plan


@transaction.atomic
def delete_contribution(*, plan: ContributionPlan) -> None:
    deleted = plan_object(plan)
    plan.delete()
    record("deleted", deleted, before=plan_fields(plan))


@transaction.atomic
def restore_accounts(
    *,
    user: User,
    accounts: Iterable[PensionAccount],
    values: Iterable[PensionValueEntry],
    contributions: Iterable[ContributionPlan],
) -> None:
    """Store the accounts of another installation with all their rows, exactly as they are."""
    _locked_user(user)
    insert_as_they_are(PensionAccount, accounts)
    insert_as_they_are(PensionValueEntry, values)
    insert_as_they_are(ContributionPlan, contributions)


# --- Rates ----------------------------------------------------------------------------------------


def ensure_rates(*, user: User) -> None:
    """Fetch missing rates into the base currency, within the time limit.

    Covers portfolios and pensions. A source that fails is ignored.
    """
    of_pensions = user.pension_accounts.order_by().values_list("currency", flat=True)
    of_portfolios = portfolios_of(user).order_by().values_list("currency", flat=True)
    currencies = {*of_pensions, *of_portfolios} - {user.base_currency}
    marketdata.ensure_rates(pairs={(code, user.base_currency) for code in currencies})
