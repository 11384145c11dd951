"""Groups: transactions that are entered, changed and deleted together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from financeproj.core.errors import Conflict, DomainError
from financeproj.core.money import ZERO
from financeproj.history.services import record
from portfolios.calc.kinds import TransactionType
from portfolios.models import Portfolio, Transaction, TransactionGroup, TransactionSource
from portfolios.services.history import group_fields, group_object
from portfolios.services.ledger_rows import touch
from portfolios.services.money import complete_money, insert_money
from portfolios.services.openings import keep_openings
from portfolios.services.transactions import fresh, locked_as_read, validate

Kind = TransactionGroup.Kind


@dataclass(frozen=True, slots=True)
class Leg:
    """What one transaction of a group moves: a signed `amount` of money."""

    portfolio: Portfolio
    type: str
    currency: str
    amount: Decimal


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


def record_group(
    *, kind: str, legs: Sequence[Leg], date: date, booked_on: date | None = None, note: str = ""
) -> TransactionGroup:
    """Record a group with its legs. Raises DomainError; nothing is written then."""
    rows: list[Transaction] = []
    for leg in legs:
        row = Transaction(source=TransactionSource.MANUAL, portfolio=leg.portfolio, type=leg.type)
        _set_leg(row, leg, date, booked_on, note)
        rows.append(row)
    with transaction.atomic():
        portfolios = _locked([leg.portfolio for leg in legs])
        group = TransactionGroup(portfolio=portfolios[legs[0].portfolio.pk], kind=kind, note=note)
        group.full_clean(exclude=["portfolio"])
        group.save(force_insert=True)
        for row in rows:
            row.portfolio = portfolios[row.portfolio_id]
            row.group = group
            insert_money(row)
        _keep_openings(portfolios)
        record("created", group_object(group), after=group_fields(group, rows))
    return group


def update_group(
    *,
    group: TransactionGroup,
    legs: Sequence[Leg],
    date: date,
    booked_on: date | None = None,
    note: str = "",
) -> TransactionGroup:
    """Change a group with all its legs. Raises as record_group does."""
    rows = legs_of(group)
    if [row.portfolio_id for row in rows] != [leg.portfolio.pk for leg in legs]:
        raise DomainError(
            "A group cannot move to another portfolio. Delete it and record it there.",
            attr="portfolio_id",
            code="holding_fixed",
        )
    before = group_fields(group, rows)
    for row, leg in zip(rows, legs, strict=True):
        _set_leg(row, leg, date, booked_on, note)
    with transaction.atomic():
        portfolios = _locked([leg.portfolio for leg in legs])
        _require_legs(group, rows)
        group.note = note
        group.full_clean(exclude=["portfolio"])
        group.save(force_update=True)
        for row in rows:
            validate(row)
            row.save(force_update=True)
        _keep_openings(portfolios)
        record("changed", group_object(group), before=before, after=group_fields(group, rows))
    return group


def update_leg(*, row: Transaction, **changes: object) -> Transaction:
    """Change a leg: its amount is its own, date, booking day and note are the group's."""
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
        currency = stored.settlement_currency or stored.portfolio.currency
        legs.append(Leg(stored.portfolio, stored.type, currency, amount))
    for name in ("date", "booked_on", "note"):
        setattr(row, name, changes.get(name, getattr(row, name)))
    update_group(group=group, legs=legs, date=row.date, booked_on=row.booked_on, note=row.note)
    return fresh(row)


@transaction.atomic
def delete_group(*, group: TransactionGroup) -> None:
    """Delete a group with its legs."""
    portfolios = _locked([row.portfolio for row in legs_of(group)] or [group.portfolio])
    rows = legs_of(group)
    deleted, before = group_object(group), group_fields(group, rows)
    Transaction.objects.filter(pk__in=[row.pk for row in rows]).delete()
    group.delete()
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


def _locked(portfolios: Sequence[Portfolio]) -> dict[UUID, Portfolio]:
    """Lock portfolios, always in the order of their ids, so that two calls never deadlock."""
    by_id = {portfolio.pk: portfolio for portfolio in portfolios}
    return {pk: locked_as_read(by_id[pk]) for pk in sorted(by_id)}


def _require_legs(group: TransactionGroup, rows: Sequence[Transaction]) -> None:
    """Raise Conflict if another request changed the group since it was read."""
    stored = TransactionGroup.objects.filter(pk=group.pk, updated_at=group.updated_at)
    count = Transaction.objects.filter(group=group, pk__in=[row.pk for row in rows]).count()
    if not stored.exists() or count != len(rows):
        raise Conflict("The group was changed just now. Try again.", code="try_again")


def _keep_openings(portfolios: dict[UUID, Portfolio]) -> None:
    for portfolio in portfolios.values():
        touch(portfolio)
        keep_openings(portfolio)
