"""One transaction: recorded, changed, deleted; each time its holding is replayed."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from financeproj.core.errors import Conflict, DomainError
from financeproj.core.money import ONE, ZERO
from marketdata import queries
from marketdata import services as marketdata
from marketdata.models import StockMetadata
from portfolios.calc.kinds import RULES
from portfolios.models import Portfolio, Transaction, TransactionSource
from portfolios.services.holdings import holding_for
from portfolios.services.replay import (
    InsufficientQuantity,
    dismiss,
    lock_portfolio,
    next_sequence,
    replay_holding,
)


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
    """Add one transaction to the portfolio's holding of `stock`, which is made if it is new, and
    replay it.

    `quantity` in shares (for a split: new shares per old one), `price` and `commission` in the
    instrument's currency, `exchange_rate` its price in the portfolio's; left out it is looked up,
    outside of the database transaction. Raises InsufficientQuantity naming the transaction and date
    if any sale would exceed what is held, Conflict on a repeated external id, DomainError or
    ValidationError otherwise; nothing is written then.
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
        return _fresh(row)

    return _with_source_splits(write, stock)


def update_transaction(*, row: Transaction, **changes: Any) -> Transaction:
    """Change fields of one transaction and replay its holding; an `exchange_rate` of None is looked
    up again.

    Raises as record_transaction does; nothing is written then.
    """
    stock = row.holding.stock
    _change(row, changes)
    complete(row, portfolio=row.portfolio, stock=stock)

    @transaction.atomic
    def write() -> Transaction:
        portfolio = _locked_as_read(row.portfolio)
        # Read again under the lock: another request may have changed other fields meanwhile.
        current = Transaction.objects.select_related("holding__stock").get(pk=row.pk)
        current.portfolio = current.holding.portfolio = portfolio
        if current.source == TransactionSource.MARKET_DATA:
            # An edited split of the source is the user's from now on; the source's own must not
            # come back beside it.
            dismiss(current)
            current.source = TransactionSource.MANUAL
        _change(current, changes)
        current.exchange_rate = current.exchange_rate or row.exchange_rate  # as looked up above
        complete(current, portfolio=portfolio, stock=stock)
        if not RULES[current.type].is_sale:
            current.realised_gain = None  # of the sale that it was
        _validate(current)
        current.save(force_update=True)
        replay_holding(current.holding, cause=current)
        return _fresh(current)

    return _with_source_splits(write, stock)


def _change(row: Transaction, changes: dict[str, Any]) -> None:
    for field, value in changes.items():
        setattr(row, field, value)


def _locked_as_read(portfolio: Portfolio) -> Portfolio:
    """The portfolio's locked row. Raises Conflict if its currency, into which rates were looked up,
    has changed.
    """
    locked = lock_portfolio(portfolio)
    if locked.currency != portfolio.currency:
        raise Conflict(
            "The portfolio's currency was changed at this moment. Try again.",
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
    row.delete()
    try:
        replay_holding(holding)
    except InsufficientQuantity as error:
        raise Conflict(error.detail, code=error.code) from error


def complete(row: Transaction, *, portfolio: Portfolio, stock: StockMetadata) -> None:
    """Check what needs no lock, and look up what was left out. Raises DomainError. May ask the
    sources.
    """
    if row.date > timezone.localdate():
        raise DomainError(f"The date {row.date} is in the future.", attr="date", code="future_date")
    row.effective_date = row.date
    if row.type not in RULES:
        raise DomainError(f"There is no type {row.type}.", attr="type", code="invalid_choice")
    rules = RULES[row.type]
    if rules.is_ratio and row.quantity == 1:
        raise DomainError("A split of 1 for 1 changes nothing.", attr="quantity", code="invalid")
    if not rules.is_priced:
        return
    if row.price is None:
        raise DomainError("A price is needed.", attr="price", code="required")
    if row.exchange_rate is None:
        row.exchange_rate = (
            ONE
            if stock.currency == portfolio.currency
            else queries.exchange_rate_for_trade(
                base=stock.currency, target=portfolio.currency, day=row.date
            )
        )
    if row.exchange_rate is None:
        raise DomainError(
            f"No rate from {stock.currency} to {portfolio.currency} is known on {row.date}: give exchange_rate.",
            attr="exchange_rate",
            code="exchange_rate_required",
        )


def _validate(row: Transaction) -> None:
    try:
        row.full_clean(exclude=["holding", "import_batch"])
    except ValidationError as error:
        codes = {one.code for errors in error.error_dict.values() for one in errors}
        if "duplicate_external_id" in codes:
            raise _repeated(row) from error
        raise


def _repeated(row: Transaction) -> Conflict:
    return Conflict(
        f"The portfolio has a transaction with the external id {row.external_id} already.",
        attr="external_id",
        code="duplicate_external_id",
    )


def _fresh(row: Transaction) -> Transaction:
    """With the derived columns as stored: the replay worked on other instances of the row."""
    return Transaction.objects.select_related("holding__stock", "portfolio").get(pk=row.pk)


def _with_source_splits(write: Any, stock: StockMetadata) -> Transaction:
    """Write; before a sale is refused for want of shares, ask the source whether it knows of a
    split.
    """
    is_new = stock._state.adding
    try:
        return write()
    except InsufficientQuantity:
        if is_new or stock.is_manual or not marketdata.learn_splits(stock=stock):
            raise
    return write()
