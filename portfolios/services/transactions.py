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
from portfolios.calc.kinds import RULES
from portfolios.models import Portfolio, Transaction, TransactionSource
from portfolios.services.history import transaction_fields, transaction_object
from portfolios.services.holdings import holding_for
from portfolios.services.ledger_rows import lock_portfolio, next_sequence
from portfolios.services.replay import InsufficientQuantity, replay_holding
from portfolios.services.split_booking import dismiss


def record_transaction(
    *,
    portfolio: Portfolio,
    stock: StockMetadata,
    type: str,
    date: date,
    quantity: Decimal,
    price: Decimal | None = None,
    commission: Decimal = ZERO,
    exchange_rate: Decimal | None = None,
    note: str = "",
    external_id: str | None = None,
    company_name: str = "",
) -> Transaction:
    """Add one transaction to the portfolio's holding of `stock` and replay the holding.

    The holding is created if needed. `quantity` is in shares (for a split: new shares for each old
    one), `price` and `commission` in the instrument's currency. `exchange_rate` converts these into
    the portfolio's currency; without it the rate of the day is looked up, outside of the database
    transaction. Raises InsufficientQuantity, naming the transaction and the date, if any sale would
    exceed what is held, Conflict on a repeated external id, else DomainError or ValidationError.
    Nothing is written then.
    """
    row = Transaction(
        type=type,
        date=date,
        quantity=quantity,
        price=price,
        commission=commission,
        exchange_rate=exchange_rate,
        note=note,
        external_id=external_id or None,
        source=TransactionSource.MANUAL,
    )
    complete(row, portfolio=portfolio, stock=stock)

    @transaction.atomic
    def write() -> Transaction:
        locked = _locked_as_read(portfolio)
        marketdata.keep_instruments(stocks=[stock])
        row.portfolio = locked
        row.holding = holding_for(portfolio=locked, stock=stock, company_name=company_name)
        row.sequence = next_sequence(locked)
        _validate(row)
        row.save(force_insert=True)
        replay_holding(row.holding, cause=row)
        record("created", transaction_object(row), after=transaction_fields(row))
        return _fresh(row)

    return _with_source_splits(write, stock)


def update_transaction(*, row: Transaction, **changes: object) -> Transaction:
    """Change fields of one transaction and replay its holding.

    An `exchange_rate` of None is looked up again. Raises as record_transaction does; nothing is
    written then.
    """
    stock = row.holding.stock
    _change(row, changes)
    complete(row, portfolio=row.portfolio, stock=stock)

    @transaction.atomic
    def write() -> Transaction:
        portfolio = _locked_as_read(row.portfolio)
        # Read again under the lock: another request can have changed other fields.
        current = Transaction.objects.select_related("holding__stock").get(pk=row.pk)
        current.portfolio = current.holding.portfolio = portfolio
        before = transaction_fields(current)
        if current.source == TransactionSource.MARKET_DATA:
            # An edited split of the source becomes the user's own, and the source's must not be
            # booked again next to it.
            dismiss(current)
            current.source = TransactionSource.MANUAL
        _change(current, changes)
        current.exchange_rate = current.exchange_rate or row.exchange_rate  # as looked up above
        complete(current, portfolio=portfolio, stock=stock)
        if not RULES[current.type].is_sale:
            current.realised_gain = None  # it was of a sale
        _validate(current)
        current.save(force_update=True)
        replay_holding(current.holding, cause=current)
        record(
            "changed",
            transaction_object(current),
            before=before,
            after=transaction_fields(current),
        )
        return _fresh(current)

    return _with_source_splits(write, stock)


def _change(row: Transaction, changes: dict[str, object]) -> None:
    for field, value in changes.items():
        setattr(row, field, value)


def _locked_as_read(portfolio: Portfolio) -> Portfolio:
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
    holding = row.holding
    holding.portfolio = portfolio
    if row.source == TransactionSource.MARKET_DATA:
        dismiss(row)
    deleted = transaction_object(row)
    row.delete()
    try:
        replay_holding(holding)
    except InsufficientQuantity as error:
        raise Conflict(error.detail, code=error.code) from error
    record("deleted", deleted, before=transaction_fields(row))


def complete(row: Transaction, *, portfolio: Portfolio, stock: StockMetadata) -> None:
    """Check what needs no lock, and look up a missing exchange rate. May ask the sources.

    Raises DomainError.
    """
    if row.date > timezone.localdate():
        raise DomainError(f"The date {row.date} is in the future.", attr="date", code="future_date")
    row.effective_date = row.date
    if row.type not in RULES:
        raise DomainError(
            f'"{row.type}" is not a type. Use one of {", ".join(RULES)}.',
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
    if not rules.is_priced:
        return
    if row.price is None:
        raise DomainError("A price is required.", attr="price", code="required")
    if row.exchange_rate is None:
        row.exchange_rate = _rate_of_the_day(stock.currency, portfolio.currency, row.date)


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


def _validate(row: Transaction) -> None:
    try:
        row.full_clean(exclude=["holding", "import_batch"])
    except ValidationError as error:
        problems = chain.from_iterable(error.error_dict.values())
        if any(problem.code == "duplicate_external_id" for problem in problems):
            raise _repeated_external_id(row) from error
        raise


def _repeated_external_id(row: Transaction) -> Conflict:
    return Conflict(
        f"The portfolio already has a transaction with the external id {row.external_id}.",
        attr="external_id",
        code="duplicate_external_id",
    )


def _fresh(row: Transaction) -> Transaction:
    """Read the row with its derived columns: the replay changed other instances of it."""
    return Transaction.objects.select_related("holding__stock", "portfolio").get(pk=row.pk)


def _with_source_splits(write: Callable[[], Transaction], stock: StockMetadata) -> Transaction:
    """Call `write`, and once more if shares were missing and the source then reports a split."""
    is_new = stock._state.adding
    try:
        return write()
    except InsufficientQuantity:
        if is_new or stock.is_manual or not marketdata.learn_splits(stock=stock):
            raise
    return write()
