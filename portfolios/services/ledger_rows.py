"""The rows of a ledger: read for a replay, and stored after it."""

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db.models import F
from django.utils import timezone
from msgspec import Struct

from portfolios.calc.carried import Carried
from portfolios.calc.money import money_of
from portfolios.models import Holding, Portfolio, Transaction

READ_AT_ONCE = 2000


class LedgerRow(Struct, eq=False, gc=False):
    """A transaction as a replay reads it and changes it: a model's instance takes ten times as long
    to make.

    A row that `is_new` is not stored yet. One that `is_shifted` counts on another day than stored.
    """

    pk: UUID
    holding_id: UUID
    type: str
    effective_date: date
    date: date
    sequence: int
    quantity: Decimal
    price: Decimal | None
    commission: Decimal
    tax: Decimal
    exchange_rate: Decimal | None
    source: str
    carried: Carried | None = None
    average_cost_per_share_at_transaction: Decimal | None = None
    realised_gain: Decimal | None = None
    is_new: bool = False
    is_shifted: bool = False


_STORED = LedgerRow.__struct_fields__[:-2]


def lock_portfolio(portfolio: Portfolio) -> Portfolio:
    """Return the portfolio's row, locked until the transaction ends: other writers wait here.

    SQLite has no row locks; there the immediate transaction has shut other writers out already.
    """
    # no_key: rows that merely refer to the portfolio need not wait.
    return Portfolio.objects.select_for_update(no_key=True).get(pk=portfolio.pk)


def touch(portfolio: Portfolio) -> None:
    """Move the version that vectors of the portfolio's transactions carry."""
    Portfolio.objects.filter(pk=portfolio.pk).update(
        version=F("version") + 1, updated_at=timezone.now()
    )


def stored_rows(
    holdings: Collection[Holding], *, using: str | None = None
) -> dict[UUID, list[LedgerRow]]:
    """Read the transactions of each of `holdings`, in no order."""
    found: dict[UUID, list[LedgerRow]] = {holding.pk: [] for holding in holdings}
    rows = Transaction.objects.using(using).filter(holding__in=list(found))
    for values in rows.values_list(*_STORED).iterator(READ_AT_ONCE):
        row = LedgerRow(*values)
        found[row.holding_id].append(row)
    return found


def next_sequence(portfolio: Portfolio) -> int:
    """Return the next number in the portfolio's order of entry; only under its lock."""
    newest = Transaction.objects.filter(portfolio=portfolio).order_by("-sequence")
    last = newest.values_list("sequence", flat=True).first()
    return (last or 0) + 1


def to_transaction(row: LedgerRow, *, portfolio: Portfolio, **fields: object) -> Transaction:
    """Make the model's instance of a new row, with further `fields`. Stores nothing."""
    return Transaction(
        # Ids, not objects: Django's bookkeeping of relations costs as much as the rest of the row.
        id=row.pk,
        holding_id=row.holding_id,
        portfolio_id=portfolio.pk,
        type=row.type,
        date=row.date,
        effective_date=row.effective_date,
        sequence=row.sequence,
        quantity=row.quantity,
        price=row.price,
        commission=row.commission,
        tax=row.tax,
        exchange_rate=row.exchange_rate,
        source=row.source,
        average_cost_per_share_at_transaction=row.average_cost_per_share_at_transaction,
        realised_gain=row.realised_gain,
        **fields,
    )


def keep_as_imported(row: Transaction, portfolio: Portfolio) -> None:
    """Keep in an imported `row` (not saved) what it moves and when it was booked."""
    row.imported_currency, row.imported_amount = money_of(row, portfolio.currency)
    row.imported_on = row.booked_on or row.date
