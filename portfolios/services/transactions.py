"""Record, change and delete one transaction. Each replays its holding."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from itertools import chain

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from financeproj.core.errors import Conflict, DomainError
from financeproj.core.money import ONE, ZERO
from financeproj.history.services import record
from marketdata import queries
from marketdata import services as marketdata
from marketdata.models import StockMetadata
from portfolios.calc.kinds import ENTERED_TYPES, RULES
from portfolios.models import Portfolio, Transaction, TransactionSource
from portfolios.services.history import transaction_fields, transaction_object
from portfolios.services.holdings import holding_for
from portfolios.services.ledger_rows import lock_portfolio, next_sequence
from portfolios.services.openings import keep_openings
from portfolios.services.repeated_splits import refuse_repeated_split
from portfolios.services.replay import InsufficientQuantity, replay_holding
from portfolios.services.split_booking import dismiss

# What the formula for the money of a transaction reads.
FIELDS_OF_THE_FORMULA = ("type", "quantity", "price", "commission", "tax", "exchange_rate")


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
) -> Transaction:
    """Add one transaction to the portfolio's holding of `stock` and replay the holding.

    The holding is created if needed. `quantity` is in shares (for a split: new shares for each old
    one), `price`, `commission` and `tax` in the instrument's currency. `exchange_rate` converts
    these into the portfolio's currency; without it the rate of the day is looked up, outside of the
    database transaction. `settlement_amount` is the broker's own signed amount in
    `settlement_currency`, by default the portfolio's. `force` records a split
    that the user has already. Raises InsufficientQuantity, naming the transaction and the date, if
    any sale would exceed what is held, Conflict on a repeated external id or split, else
    DomainError or ValidationError. Nothing is written then.
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
        return fresh(row)

    return _with_source_splits(write, stock)


def update_transaction(*, row: Transaction, force: bool = False, **changes: object) -> Transaction:
    """Change fields of one transaction and replay its holding.

    An `exchange_rate` of None is looked up again. A change of what the formula reads clears the
    broker's amount, unless another one comes with it. `force` is as in
    record_transaction. Raises as record_transaction does; nothing is written then.
    """
    stock = row.own_holding.stock
    _change(row, changes)
    complete(row, portfolio=row.portfolio, stock=stock)

    @transaction.atomic
    def write() -> Transaction:
        portfolio = locked_as_read(row.portfolio)
        # Read again under the lock: another request can have changed other fields.
        current = Transaction.objects.select_related("holding__stock").get(pk=row.pk)
        holding = current.own_holding
        current.portfolio = holding.portfolio = portfolio
        before = transaction_fields(current)
        if current.source == TransactionSource.MARKET_DATA:
            # An edited split of the source becomes the user's own, and the source's must not be
            # booked again next to it.
            dismiss(current)
            current.source = TransactionSource.MANUAL
        _change(current, changes)
        current.exchange_rate = current.exchange_rate or row.exchange_rate  # as looked up above
        complete(current, portfolio=portfolio, stock=stock)
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

    return _with_source_splits(write, stock)


def _change(row: Transaction, changes: dict[str, object]) -> None:
    """Set fields; what the formula reads differently clears the broker's amount."""
    before = {field: getattr(row, field) for field in FIELDS_OF_THE_FORMULA}
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
    if locked.currency != portfolio.currency:
        raise Conflict(
            "The portfolio's currency was changed just now. Try again.",
            code="currency_changed",
        )
    return locked


@transaction.atomic
def delete_transaction(*, row: Transaction) -> None:
    """Delete one transaction and replay its holding.

    Raises Conflict (`insufficient_quantity`) if a later sale needs it. A deleted split of the
    source is not booked again.
    """
    portfolio = lock_portfolio(row.portfolio)
    row = Transaction.objects.select_related("holding__stock").get(pk=row.pk)
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


def complete(row: Transaction, *, portfolio: Portfolio, stock: StockMetadata) -> None:
    """Check what needs no lock, and look up a missing exchange rate. May ask the sources.

    Raises DomainError.
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
    _check_settlement(row, portfolio=portfolio, stock=stock)
    if not rules.is_priced:
        return
    if row.price is None:
        raise DomainError("A price is required.", attr="price", code="required")
    if row.exchange_rate is None:
        row.exchange_rate = _rate_of_the_day(stock.currency, portfolio.currency, row.date)


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


def _rate_of_the_day(base: str, target: str, day: date) -> Decimal:
    """Look up the rate of `day`. Raises DomainError if none is known. May ask the sources."""
    if base == target:
        return ONE
    rate = queries.exchange_rate_for_trade(base=base, target=target, day=day)
    if rate is None:
        raise DomainError(
            f"No exchange rate from {base} to {target} is known on {day}. Enter exchange_rate.",
            attr="exchange_rate",
            code="exchange_rate_required",
        )
    return rate


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
            raise _repeated_external_id(row) from error
        if "duplicate_opening" in codes:
            raise duplicate_opening(row.settlement_currency or "") from error
        raise


def duplicate_opening(currency: str) -> Conflict:
    return Conflict(
        f"The portfolio already has an opening in {currency}. Change or delete that one.",
        attr="currency",
        code="duplicate_opening",
    )


def _repeated_external_id(row: Transaction) -> Conflict:
    return Conflict(
        f"The portfolio already has a transaction with the external id {row.external_id}.",
        attr="external_id",
        code="duplicate_external_id",
    )


def fresh(row: Transaction) -> Transaction:
    """Read the row with its derived columns: the replay changed other instances of it."""
    rows = Transaction.objects.select_related("holding__stock", "portfolio", "group")
    return rows.get(pk=row.pk)


def _with_source_splits(write: Callable[[], Transaction], stock: StockMetadata) -> Transaction:
    """Call `write`, and once more if shares were missing and the source then reports a split."""
    is_new = stock._state.adding
    try:
        return write()
    except InsufficientQuantity:
        if is_new or stock.is_manual or not marketdata.learn_splits(stock=stock):
            raise
    return write()
