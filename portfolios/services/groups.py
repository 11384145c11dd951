"""Groups: transactions that are entered, changed and deleted together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from financeproj.core.db.rows import pks_of
from financeproj.core.errors import Conflict, DomainError
from financeproj.core.money import ZERO
from financeproj.history.services import record
from portfolios.calc.kinds import TransactionType
from portfolios.models import Portfolio, Transaction, TransactionGroup, TransactionSource
from portfolios.services.history import group_fields, group_object
from portfolios.services.ledger_rows import touch
from portfolios.services.money import complete_money, insert_money
from portfolios.services.openings import keep_openings
from portfolios.services.share_groups import (
    OWN_DATES,
    PART_OF_GROUP,
    delete_share_group,
    legs_as_they_stand,
    no_pair,
    refuse_far_apart,
    refuse_one_portfolio,
    share_legs_of,
    update_share_group,
)
from portfolios.services.transactions import (
    all_locked_as_read,
    commit_at_once,
    fresh,
    lock_portfolios_of,
    validate,
)

Kind = TransactionGroup.Kind


@dataclass(frozen=True, slots=True)
class Leg:
    """What one transaction of a group moves: a signed `amount` of money.

    `row` is the transaction where it stands already.
    """

    portfolio: Portfolio
    type: str
    currency: str
    amount: Decimal
    row: Transaction | None = None


def conversion_legs(
    *, portfolio: Portfolio, currency: str, amount: Decimal, to_currency: str, to_amount: Decimal
) -> list[Leg]:
    """Return the legs of an exchange of `amount` for `to_amount`, both above 0."""
    if currency == to_currency:
        raise DomainError(
            f"A conversion needs two currencies, but both are {currency}.",
            attr="to_currency",
            code="same_currency",
        )
    return [
        Leg(portfolio, TransactionType.CONVERSION, currency, -amount),
        Leg(portfolio, TransactionType.CONVERSION, to_currency, to_amount),
    ]


def transfer_legs(
    *, portfolio: Portfolio, to_portfolio: Portfolio, currency: str, amount: Decimal
) -> list[Leg]:
    """Return the legs of money that moves from one portfolio of a user to another."""
    if portfolio.pk == to_portfolio.pk:
        raise DomainError(
            "Money cannot be transferred to the portfolio that it comes from.",
            attr="to_portfolio_id",
            code="circular_transfer",
        )
    return [
        Leg(portfolio, TransactionType.WITHDRAWAL, currency, -amount),
        Leg(to_portfolio, TransactionType.DEPOSIT, currency, amount),
    ]


def link_of_money(out: Transaction, arrives: Transaction) -> list[Leg]:
    """Return the legs of two rows that stand: money that left one portfolio for another.

    Raises DomainError where they are not two sides of one transfer.
    """
    if out.type != TransactionType.WITHDRAWAL:
        raise no_pair("out_id", "It must be a withdrawal, or a transfer_out of shares.")
    if arrives.type != TransactionType.DEPOSIT:
        raise no_pair("in_id", "It must be a deposit, or a transfer_in of shares.")
    refuse_one_portfolio(out, arrives)
    legs = [replace(_leg_of(row), row=row) for row in (out, arrives)]
    if legs[0].currency != legs[1].currency:
        raise no_pair("in_id", "The two are in different currencies.")
    if legs[0].amount != -legs[1].amount:
        raise no_pair("in_id", "The two have different amounts.")
    refuse_far_apart(out, arrives)
    return legs


def _leg_of(row: Transaction, *, amount: Decimal | None = None) -> Leg:
    """Return the leg that a stored row is, or would be with another amount."""
    currency = row.settlement_currency or row.portfolio.currency
    moved = row.settlement_amount or ZERO
    return Leg(row.portfolio, row.type, currency, moved if amount is None else amount)


def record_group(
    *,
    kind: str,
    legs: Sequence[Leg],
    date: date,
    booked_on: date | None = None,
    note: str = "",
    before_commit: Callable[[TransactionGroup], None] = commit_at_once,
) -> TransactionGroup:
    """Record a group with its legs; rows that stand keep their days.

    `before_commit` sees the group before it is committed, and may roll it back. Raises DomainError;
    nothing is written then.
    """
    rows: list[Transaction] = []
    for leg in legs:
        row = leg.row
        if row is None:
            row = Transaction(
                source=TransactionSource.MANUAL, portfolio=leg.portfolio, type=leg.type
            )
            _set_leg(row, leg, date, booked_on, note)
        rows.append(row)
    with transaction.atomic():
        portfolios = lock_portfolios_of(legs)
        group = TransactionGroup(
            portfolio=portfolios[legs[0].portfolio.pk],
            kind=kind,
            note=note,
            is_linked=legs[0].row is not None,
        )
        group.full_clean(exclude=["portfolio"])
        group.save(force_insert=True)
        for row in rows:
            row.portfolio = portfolios[row.portfolio_id]
            row.group = group
            if group.is_linked:
                _require_ungrouped(row)
                row.save(update_fields=["group", "updated_at"])
            else:
                insert_money(row)
        _keep_openings(portfolios)
        record("created", group_object(group), after=group_fields(group, rows))
        before_commit(group)
    return group


def update_group(
    *,
    group: TransactionGroup,
    legs: Sequence[Leg],
    date: date,
    booked_on: date | None = None,
    note: str = "",
    before_commit: Callable[[TransactionGroup], None] = commit_at_once,
) -> TransactionGroup:
    """Change a group with all its legs. Raises as record_group does.

    The rows of a linked transfer keep their days; `date` must be that of its last one.
    """
    rows = legs_of(group)
    if [row.portfolio_id for row in rows] != [leg.portfolio.pk for leg in legs]:
        raise DomainError(
            "A group cannot move to another portfolio. Delete it and record it there.",
            attr="portfolio_id",
            code="holding_fixed",
        )
    if group.is_linked and date != max(row.date for row in rows):
        raise DomainError(OWN_DATES, attr="date", code=PART_OF_GROUP)
    before = group_fields(group, rows)
    for row, leg in zip(rows, legs, strict=True):
        if group.is_linked:
            _set_leg(row, leg, row.date, row.booked_on, row.note)
        else:
            _set_leg(row, leg, date, booked_on, note)
    return _save_changed(group, rows, before, note, before_commit)


def _save_changed(
    group: TransactionGroup,
    rows: Sequence[Transaction],
    before: dict[str, object],
    note: str,
    before_commit: Callable[[TransactionGroup], None] = commit_at_once,
) -> TransactionGroup:
    """Save a group with its changed legs; `before` is what the history had of it."""
    with transaction.atomic():
        portfolios = lock_portfolios_of(rows)
        _require_legs(group, rows)
        group.note = note
        group.full_clean(exclude=["portfolio"])
        group.save(force_update=True)
        for row in rows:
            validate(row)
            row.save(force_update=True)
        _keep_openings(portfolios)
        record("changed", group_object(group), before=before, after=group_fields(group, rows))
        before_commit(group)
    return group


def describe_group(
    *, group: TransactionGroup, date: date, note: str, label: str | None = None
) -> TransactionGroup:
    """Change the day and the texts of a group; what its legs move stays. Raises DomainError.

    Without a `label` it stays as it is. The rows of a linked transfer have days of their own.
    """
    rows = share_legs_of(group)
    if any(row.holding_id is not None for row in rows):
        return update_share_group(
            group=group,
            legs=legs_as_they_stand(group, rows, date),
            date=date,
            booked_on=rows[0].booked_on,
            label=group.label if label is None else label,
            note=note,
            external_id=group.external_id,
        )
    legs = [_leg_of(row) for row in legs_of(group)]
    return update_group(group=group, legs=legs, date=date, booked_on=rows[0].booked_on, note=note)


def update_leg(*, row: Transaction, **changes: object) -> Transaction:
    """Change a leg: its amount is its own, date, booking day and note are the group's.

    Those of a linked transfer are its own too.
    """
    group = row.group
    if group is None:
        raise TypeError(f"The {row.type} of {row.date} is in no group.")
    for name in ("type", "settlement_currency"):
        if name in changes and changes[name] not in (None, getattr(row, name)):
            raise DomainError(
                f"This is a leg of a {group.kind}: its {name} cannot change. Change the group.",
                attr=name,
                code="part_of_group",
            )
    legs: list[Leg] = []
    for stored in legs_of(group):
        before = stored.settlement_amount or ZERO
        amount = before
        if stored.pk == row.pk and isinstance(changes.get("settlement_amount"), Decimal):
            amount = changes["settlement_amount"]  # type: ignore[assignment]
        if amount * before <= 0:
            raise DomainError(
                f"This leg of a {group.kind} must keep its sign.", attr="amount", code="wrong_sign"
            )
        legs.append(_leg_of(stored, amount=amount))
    for name in ("date", "booked_on", "note"):
        setattr(row, name, changes.get(name, getattr(row, name)))
    if group.is_linked:
        _update_linked(group, row, legs)
    else:
        update_group(group=group, legs=legs, date=row.date, booked_on=row.booked_on, note=row.note)
    return fresh(row)


def _update_linked(group: TransactionGroup, changed: Transaction, legs: Sequence[Leg]) -> None:
    """Give one row of a linked transfer the days, the note and the amount that it has now."""
    rows = legs_of(group)
    before = group_fields(group, rows)
    for row, leg in zip(rows, legs, strict=True):
        if row.pk == changed.pk:
            _set_leg(row, leg, changed.date, changed.booked_on, changed.note)
    refuse_far_apart(*rows, attr="date")
    _save_changed(group, rows, before, group.note)


def delete_group(*, group: TransactionGroup) -> None:
    """Delete a group with its legs; those that stood before it stay, as they were.

    Raises Conflict (`insufficient_quantity`) if a later sale needs the shares that came in.
    """
    if group.transactions.filter(holding__isnull=False).exists():
        delete_share_group(group=group)
    else:
        _delete_group_of_money(group)


@transaction.atomic
def _delete_group_of_money(group: TransactionGroup) -> None:
    portfolios = all_locked_as_read([row.portfolio for row in legs_of(group)] or [group.portfolio])
    rows = legs_of(group)
    deleted, before = group_object(group), group_fields(group, rows)
    if not group.is_linked:
        Transaction.objects.filter(pk__in=pks_of(rows)).delete()
    group.delete()  # which takes the rows of a linked transfer apart
    _keep_openings(portfolios)
    record("deleted", deleted, before=before)


def legs_of(group: TransactionGroup) -> list[Transaction]:
    """Return the legs of a group, what leaves first."""
    rows = Transaction.objects.filter(group=group).select_related("portfolio", "group")
    return sorted(rows, key=lambda row: (row.settlement_amount or ZERO) > 0)


def _set_leg(row: Transaction, leg: Leg, day: date, booked_on: date | None, note: str) -> None:
    row.date, row.booked_on, row.note = day, booked_on, note
    row.settlement_currency, row.settlement_amount = leg.currency, leg.amount
    complete_money(row)


def _require_ungrouped(row: Transaction) -> None:
    """Raise Conflict if another request changed or grouped a row since it was read."""
    as_read = Transaction.objects.filter(pk=row.pk, group=None, updated_at=row.updated_at)
    if not as_read.exists():
        raise Conflict("The transaction was changed just now. Try again.", code="try_again")


def _require_legs(group: TransactionGroup, rows: Sequence[Transaction]) -> None:
    """Raise Conflict if another request changed the group since it was read."""
    stored = TransactionGroup.objects.filter(pk=group.pk, updated_at=group.updated_at)
    count = Transaction.objects.filter(group=group, pk__in=pks_of(rows)).count()
    if not stored.exists() or count != len(rows):
        raise Conflict("The group was changed just now. Try again.", code="try_again")


def _keep_openings(portfolios: dict[UUID, Portfolio]) -> None:
    for portfolio in portfolios.values():
        touch(portfolio)
        keep_openings(portfolio)
