"""Record, change and delete transactions of money alone: deposits, withdrawals, interest, fees …"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from django.db import transaction

from financeproj.core.currencies import is_currency
from financeproj.core.errors import Conflict, DomainError
from financeproj.core.money import ONE, ZERO
from financeproj.history.services import record
from marketdata import queries
from portfolios.calc.kinds import MONEY_TYPES, RULES, TransactionType
from portfolios.models import OpeningBalance, Portfolio, Transaction, TransactionSource
from portfolios.services.history import transaction_fields, transaction_object
from portfolios.services.ledger_rows import lock_portfolio, next_sequence, touch
from portfolios.services.openings import keep_openings
from portfolios.services.transactions import (
    commit_at_once,
    duplicate_opening,
    fresh,
    locked_as_read,
    refuse_future,
    validate,
)

ENTERED_TYPES = tuple(kind for kind in MONEY_TYPES if kind != TransactionType.CONVERSION)


def record_money(
    *,
    portfolio: Portfolio,
    type: str,
    date: date,
    settlement_amount: Decimal,
    settlement_currency: str | None = None,
    tax: Decimal = ZERO,
    booked_on: date | None = None,
    note: str = "",
    external_id: str | None = None,
    before_commit: Callable[[Transaction], None] = commit_at_once,
) -> Transaction:
    """Add one transaction of money alone.

    `settlement_amount` is signed as it moves the balance, in `settlement_currency`, by default the
    portfolio's. `tax` is what was withheld of interest, whose amount is the net. `before_commit`
    sees the row before it is committed, and may roll it back. Raises DomainError, ValidationError,
    or Conflict on a repeated external id or a second opening in a currency.
    """
    row = Transaction(
        portfolio=portfolio,
        type=type,
        date=date,
        settlement_currency=settlement_currency or portfolio.currency,
        settlement_amount=settlement_amount,
        tax=tax,
        booked_on=booked_on,
        note=note,
        external_id=external_id or None,
        source=TransactionSource.MANUAL,
    )
    refuse_conversion(row)
    complete_money(row)
    with transaction.atomic():
        row.portfolio = locked_as_read(portfolio)
        insert_money(row)
        keep_openings(row.portfolio)
        record("created", transaction_object(row), after=transaction_fields(row))
        stored = fresh(row)
        before_commit(stored)
    return stored


def update_money(*, row: Transaction, **changes: object) -> Transaction:
    """Change fields of a transaction of money alone. Raises as record_money does."""
    refuse_derived(row)
    _change(row, changes)
    refuse_conversion(row)
    complete_money(row)
    with transaction.atomic():
        portfolio = locked_as_read(row.portfolio)
        current = Transaction.objects.get(pk=row.pk)
        refuse_derived(current)
        current.portfolio = portfolio
        before = transaction_fields(current)
        _change(current, changes)
        _complete_columns(current)
        current.exchange_rate = row.exchange_rate
        validate(current)
        current.save(force_update=True)
        touch(portfolio)
        keep_openings(portfolio)
        after = transaction_fields(current)
        record("changed", transaction_object(current), before=before, after=after)
    return fresh(current)


@transaction.atomic
def delete_money(*, row: Transaction) -> None:
    """Delete a transaction of money alone. Raises Conflict for one that follows from others."""
    portfolio = lock_portfolio(row.portfolio)
    row = Transaction.objects.get(pk=row.pk)
    refuse_derived(row)
    row.portfolio = portfolio
    deleted, before = transaction_object(row), transaction_fields(row)
    row.delete()
    touch(portfolio)
    keep_openings(portfolio)
    record("deleted", deleted, before=before)


def refuse_conversion(row: Transaction) -> None:
    if row.type == TransactionType.CONVERSION:
        raise DomainError(
            "A conversion has two legs. Enter it as a transaction group.",
            attr="type",
            code="invalid_choice",
        )


def refuse_derived(row: Transaction) -> None:
    if row.is_derived:
        raise Conflict(
            "This opening follows from the other transactions and from what was set with "
            "cash-from. Change it there.",
            code="derived_row",
        )


def insert_money(row: Transaction) -> None:
    """Check and insert a completed row of money; under the portfolio's lock."""
    is_opening = row.type == TransactionType.OPENING and not row.is_derived
    currency = row.settlement_currency or ""
    stated = OpeningBalance.objects.filter(portfolio=row.portfolio, currency=currency)
    if is_opening and stated.exists():
        raise duplicate_opening(currency)
    row.sequence = next_sequence(row.portfolio)
    validate(row)
    row.save(force_insert=True)
    touch(row.portfolio)


def complete_money(row: Transaction) -> None:
    """Check what needs no lock, and look up the rate into the portfolio's currency.

    A rate that is not known is left empty. May ask the sources. Raises DomainError.
    """
    _complete_columns(row)
    currency = row.settlement_currency or ""
    row.exchange_rate = ONE
    if currency != row.portfolio.currency:
        row.exchange_rate = queries.exchange_rate_for_trade(
            base=currency, target=row.portfolio.currency, day=row.date
        )


def _complete_columns(row: Transaction) -> None:
    """Check the columns and set those that follow from others. Raises DomainError."""
    refuse_future(row.date)
    if row.type not in MONEY_TYPES:
        raise DomainError(
            f'"{row.type}" needs an instrument. Without one, use {", ".join(ENTERED_TYPES)}.',
            attr="type",
            code="invalid_choice",
        )
    currency = row.settlement_currency or row.portfolio.currency
    if not is_currency(currency):
        raise DomainError(
            f"{currency} is not a currency in circulation (ISO 4217).",
            attr="currency",
            code="unknown_currency",
        )
    amount = row.settlement_amount or ZERO
    _check_sign(row.type, amount)
    if row.tax and row.type != TransactionType.INTEREST:
        raise DomainError(
            f"A {row.type} has no tax. Record the tax as a transaction of its own.",
            attr="tax",
            code="invalid",
        )
    row.settlement_currency = currency
    row.effective_date = row.date
    row.quantity = ONE
    row.price = abs(amount)
    row.commission = ZERO


def _check_sign(kind: str, amount: Decimal) -> None:
    sign = RULES[kind].cash
    if not amount:
        raise DomainError("The amount must not be 0.", attr="amount", code="wrong_sign")
    if sign * amount < 0:
        side = "above" if sign > 0 else "below"
        raise DomainError(
            f"The amount of a {kind} must be {side} 0.", attr="amount", code="wrong_sign"
        )


def _change(row: Transaction, changes: dict[str, object]) -> None:
    for field, value in changes.items():
        setattr(row, field, value)
