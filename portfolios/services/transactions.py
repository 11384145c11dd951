"""Record, change and delete one transaction. Each replays its holding."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from financeproj.core.db.rows import by_pk, fields_of, pks_of
from financeproj.core.errors import Conflict, DomainError
from financeproj.core.money import ZERO
from financeproj.history.services import record
from marketdata import services as marketdata
from marketdata.models import StockMetadata
from portfolios.calc.kinds import ENTERED_TYPES, RULES
from portfolios.models import Portfolio, Transaction, TransactionGroup, TransactionSource
from portfolios.services.given_rates import rate_of_the_day, refuse_impossible_rate
from portfolios.services.history import transaction_fields, transaction_object
from portfolios.services.holdings import holding_for
from portfolios.services.ledger_rows import lock_portfolio, lock_portfolios, next_sequence
from portfolios.services.openings import keep_openings
from portfolios.services.repeated_splits import refuse_repeated_split
from portfolios.services.replay import InsufficientQuantity, replay_holding
from portfolios.services.split_booking import dismiss

Written = TypeVar("Written", Transaction, TransactionGroup)
# What the formula for the money of a transaction reads.
FIELDS_OF_THE_FORMULA = ("type", "quantity", "price", "commission", "tax", "exchange_rate")


class Stood(NamedTuple):
    """What a transaction had before a change, and may keep where it could not be entered now."""

    charge: tuple[str, Decimal, Decimal]  # type, commission, tax
    exchange_rate: Decimal | None


def commit_at_once(recorded: object) -> None:
    """Do nothing with what was recorded, before it is committed."""


def record_transaction(
    *,
    portfolio: Portfolio,
    stock: StockMetadata,
    type: str,
    date: date,
    quantity: Decimal,
    price: Decimal | None = None,
    commission: Decimal = ZERO,
    tax: Decimal = ZERO,
    exchange_rate: Decimal | None = None,
    settlement_currency: str | None = None,
    settlement_amount: Decimal | None = None,
    booked_on: date | None = None,
    note: str = "",
    external_id: str | None = None,
    company_name: str = "",
    force: bool = False,
    before_commit: Callable[[Transaction], None] = commit_at_once,
) -> Transaction:
    """Add one transaction to the portfolio's holding of `stock` and replay the holding.

    The holding is created if needed. `quantity` is in shares (for a split: new shares for each old
    one), `price`, `commission` and `tax` in the instrument's currency. `exchange_rate` converts
    these into the portfolio's currency; without it the rate of the day is looked up, outside of the
    database transaction. `settlement_amount` is the broker's own signed amount in
    `settlement_currency`, by default the portfolio's. `force` records a split
    that the user has already. `before_commit` sees the row before it is committed, and may roll it
    back. Raises InsufficientQuantity, naming the transaction and the date, if any sale would exceed
    what is held, Conflict on a repeated external id or split, else DomainError or ValidationError.
    Nothing is written then.
    """
    row = Transaction(
        type=type,
        date=date,
        quantity=quantity,
        price=price,
        commission=commission,
        tax=tax,
        exchange_rate=exchange_rate,
        settlement_currency=settlement_currency,
        settlement_amount=settlement_amount,
        booked_on=booked_on,
        note=note,
        external_id=external_id or None,
        source=TransactionSource.MANUAL,
    )
    complete(row, portfolio=portfolio, stock=stock)

    @transaction.atomic
    def write() -> Transaction:
        locked = locked_as_read(portfolio)
        marketdata.keep_instruments(stocks=[stock])
        row.portfolio = locked
        holding = holding_for(portfolio=locked, stock=stock, company_name=company_name)
        row.holding = holding
        row.sequence = next_sequence(locked)
        validate(row)
        row.save(force_insert=True)
        if not force:
            refuse_repeated_split(row)
        replay_holding(holding, cause=row)
        keep_openings(locked)
        record("created", transaction_object(row), after=transaction_fields(row))
        stored = fresh(row)
        before_commit(stored)
        return stored

    return with_source_splits(write, stock)


def update_transaction(*, row: Transaction, force: bool = False, **changes: object) -> Transaction:
    """Change fields of one transaction and replay its holding.

    An `exchange_rate` of None is looked up again. A change of what the formula reads clears the
    broker's amount, unless another one comes with it. `force` is as in
    record_transaction. Raises as record_transaction does; nothing is written then.
    """
    stock = row.own_holding.stock
    _refuse_leg(row)
    _refuse_worked_out(row, changes)
    stood = Stood(_charge_of(row), row.exchange_rate)
    _change(row, changes)
    complete(row, portfolio=row.portfolio, stock=stock, stood=stood)

    @transaction.atomic
    def write() -> Transaction:
        portfolio = locked_as_read(row.portfolio)
        # Read again under the lock: another request can have changed other fields.
        current = Transaction.objects.select_related("holding__stock").get(pk=row.pk)
        _refuse_leg(current)
        _refuse_worked_out(current, changes)
        holding = current.own_holding
        current.portfolio = holding.portfolio = portfolio
        before = transaction_fields(current)
        stood = Stood(_charge_of(current), current.exchange_rate)
        if current.source == TransactionSource.MARKET_DATA:
            # An edited split of the source becomes the user's own, and the source's must not be
            # booked again next to it.
            dismiss(current)
            current.source = TransactionSource.MANUAL
        _change(current, changes)
        current.exchange_rate = current.exchange_rate or row.exchange_rate  # as looked up above
        complete(current, portfolio=portfolio, stock=stock, stood=stood)
        if not RULES[current.type].can_realise:
            current.realised_gain = None  # it was of a sale
        validate(current)
        current.save(force_update=True)
        is_other = any(name in changes for name in ("type", "date", "quantity"))
        if is_other and not force:
            refuse_repeated_split(current)
        replay_holding(holding, cause=current)
        keep_openings(portfolio)
        record(
            "changed",
            transaction_object(current),
            before=before,
            after=transaction_fields(current),
        )
        return fresh(current)

    return with_source_splits(write, stock)


# What of an opening of shares follows from the files.
WORKED_OUT = ("type", "date", "quantity", "booked_on")


def _refuse_worked_out(row: Transaction, changes: Mapping[str, object]) -> None:
    """Raise Conflict (`derived_row`) for a change of what is worked out of an opening."""
    if not row.is_derived:
        return
    for name in WORKED_OUT:
        if name in changes and changes[name] != getattr(row, name):
            raise _derived_row()


def _derived_row() -> Conflict:
    return Conflict(
        "These shares were there before the imported files begin, and their number follows from "
        "the files. Only the price can be changed; undoing the import takes them away.",
        code="derived_row",
    )


def _refuse_leg(row: Transaction) -> None:
    """Raise Conflict for a leg of a group, which changes and goes with its group."""
    if row.group_id is not None:
        raise Conflict(
            "This transaction is part of a group. Change or delete the group.",
            code="part_of_group",
        )


def _change(row: Transaction, changes: dict[str, object]) -> None:
    """Set fields; what the formula reads differently clears the broker's amount."""
    before = fields_of(row, FIELDS_OF_THE_FORMULA)
    amount = row.settlement_amount
    for field, value in changes.items():
        setattr(row, field, value)
    if amount is None or _brings_another(amount, changes.get("settlement_amount")):
        return
    for field, value in before.items():
        given = changes.get(field)
        if given is not None and given != value:
            row.settlement_amount = None


def _brings_another(amount: Decimal, given: object) -> bool:
    """Whether `given` is an amount of its own: clients send back what they read as a float."""
    return isinstance(given, Decimal) and float(given) != float(amount)


def locked_as_read(portfolio: Portfolio) -> Portfolio:
    """Lock the portfolio. Raises Conflict if its currency changed after rates were looked up."""
    locked = lock_portfolio(portfolio)
    _require_currency(portfolio, locked)
    return locked


def all_locked_as_read(portfolios: Iterable[Portfolio]) -> dict[UUID, Portfolio]:
    """Lock several portfolios as locked_as_read does, and return them by id."""
    by_id = by_pk(portfolios)
    locked = lock_portfolios(by_id)
    for pk, portfolio in by_id.items():
        if pk not in locked:
            raise Portfolio.DoesNotExist
        _require_currency(portfolio, locked[pk])
    return {pk: locked[pk] for pk in by_id}


class _InPortfolio(Protocol):
    @property
    def portfolio(self) -> Portfolio: ...


def lock_portfolios_of(rows: Iterable[_InPortfolio]) -> dict[UUID, Portfolio]:
    """Lock the portfolios of transactions or legs as locked_as_read does."""
    return all_locked_as_read(row.portfolio for row in rows)


def _require_currency(read: Portfolio, locked: Portfolio) -> None:
    if locked.currency != read.currency:
        raise Conflict(
            "The portfolio's currency was changed just now. Try again.",
            code="currency_changed",
        )


@transaction.atomic
def delete_transaction(*, row: Transaction) -> None:
    """Delete one transaction and replay its holding.

    Raises Conflict (`insufficient_quantity`) if a later sale needs it. A deleted split of the
    source is not booked again.
    """
    portfolio = lock_portfolio(row.portfolio)
    row = Transaction.objects.select_related("holding__stock").get(pk=row.pk)
    _refuse_leg(row)
    if row.is_derived:
        raise _derived_row()
    holding = row.own_holding
    row.portfolio = holding.portfolio = portfolio
    if row.source == TransactionSource.MARKET_DATA:
        dismiss(row)
    deleted = transaction_object(row)
    row.delete()
    try:
        replay_holding(holding)
    except InsufficientQuantity as error:
        raise Conflict(error.detail, code=error.code) from error
    keep_openings(portfolio)
    record("deleted", deleted, before=transaction_fields(row))


def complete(
    row: Transaction, *, portfolio: Portfolio, stock: StockMetadata, stood: Stood | None = None
) -> None:
    """Check what needs no lock, and look up a missing exchange rate. May ask the sources.

    A charge or rate that `stood` before may stay where a new one is refused. Raises DomainError.
    """
    refuse_future(row.date)
    row.effective_date = row.date
    if row.type not in ENTERED_TYPES:
        raise DomainError(
            f'"{row.type}" is not a type of a holding. Use one of {", ".join(ENTERED_TYPES)}.',
            attr="type",
            code="invalid_choice",
        )
    rules = RULES[row.type]
    if rules.is_ratio and row.quantity == 1:
        raise DomainError(
            "A split of 1 for 1 changes nothing. Enter another ratio.",
            attr="quantity",
            code="invalid",
        )
    if rules.brings_cost and (stood is None or _charge_of(row) != stood.charge):
        _refuse_charge(row)
    is_new_rate = stood is None or row.exchange_rate != stood.exchange_rate
    if is_new_rate and not rules.brings_cost:
        refuse_impossible_rate(
            row.exchange_rate, stock.currency, portfolio.currency, "exchange_rate"
        )
    _check_settlement(row, portfolio=portfolio, stock=stock)
    if not rules.is_priced:
        return
    if row.price is None:
        raise DomainError("A price is required.", attr="price", code="required")
    if row.exchange_rate is None:
        row.exchange_rate = rate_of_the_day(
            stock.currency, portfolio.currency, row.date, "exchange_rate"
        )


def _charge_of(row: Transaction) -> tuple[str, Decimal, Decimal]:
    return row.type, row.commission, row.tax


def _refuse_charge(row: Transaction) -> None:
    """Raise DomainError (`no_charge`) where a charge is given."""
    for attr, charge in (("commission", row.commission), ("tax", row.tax)):
        if charge:
            raise DomainError(
                f"A {row.type} has no {attr}: add it to the price, which is the average cost that "
                "the shares bring along.",
                attr=attr,
                code="no_charge",
            )


def refuse_future(day: date) -> None:
    if day > timezone.localdate():
        raise DomainError(f"The date {day} is in the future.", attr="date", code="future_date")


def _check_settlement(row: Transaction, *, portfolio: Portfolio, stock: StockMetadata) -> None:
    """Check what went through the account. Raises DomainError."""
    if row.settlement_currency == portfolio.currency:
        row.settlement_currency = None  # which means the portfolio's
    amount = row.settlement_amount
    if amount is None:
        if row.settlement_currency not in (None, stock.currency):
            raise DomainError(
                f"The amount in {row.settlement_currency} does not follow from the price. "
                "Enter settlement_amount.",
                attr="settlement_amount",
                code="settlement_amount_required",
            )
        return
    money = RULES[row.type].money
    if amount and not money:
        raise DomainError(
            f"A {row.type} moves no money. Leave out settlement_amount.",
            attr="settlement_amount",
            code="invalid",
        )
    if amount > 0 and money < 0:
        raise DomainError(
            f"A {row.type} is paid: settlement_amount must be below 0.",
            attr="settlement_amount",
            code="wrong_sign",
        )


def validate(row: Transaction) -> None:
    """Check the columns and constraints of a row.

    Raises Conflict for a repeated external id or a second opening, else ValidationError.
    """
    try:
        row.full_clean(exclude=["holding", "import_batch", "group"])
    except ValidationError as error:
        problems = chain.from_iterable(error.error_dict.values())
        codes = {problem.code for problem in problems}
        if "duplicate_external_id" in codes:
            raise repeated_external_id(row.external_id) from error
        if "duplicate_opening" in codes:
            raise duplicate_opening(row.settlement_currency or "") from error
        raise


def duplicate_opening(currency: str) -> Conflict:
    return Conflict(
        f"The portfolio already has an opening in {currency}. Change or delete that one.",
        attr="currency",
        code="duplicate_opening",
    )


def repeated_external_id(external_id: str | None) -> Conflict:
    return Conflict(
        f"The portfolio already has a transaction with the external id {external_id}.",
        attr="external_id",
        code="duplicate_external_id",
    )


def fresh(row: Transaction) -> Transaction:
    """Read the row with its derived columns: the replay changed other instances of it."""
    [read] = all_fresh([row])
    return read


def all_fresh(rows: Sequence[Transaction]) -> list[Transaction]:
    """Read the rows with their derived columns, in their order. One query."""
    stored = Transaction.objects.select_related("holding__stock", "portfolio", "group")
    found = stored.in_bulk(pks_of(rows))
    return [found[row.pk] for row in rows]


def with_source_splits(write: Callable[[], Written], stock: StockMetadata) -> Written:
    """Call `write`, and once more if shares were missing and the source then reports a split."""
    is_new = stock._state.adding
    try:
        return write()
    except InsufficientQuantity:
        if is_new or stock.is_manual or not marketdata.learn_splits(stock=stock):
            raise
    return write()
