"""The rows of a ledger: read for a replay, and stored after it."""

from collections.abc import Collection, Iterable
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db.models import F
from django.utils import timezone
from msgspec import Struct

from financeproj.core.db.rows import by_pk
from financeproj.core.errors import Conflict
from portfolios.calc.agreement import BookedRow
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

    Portfolios that shares may have come from or gone to are locked with it. SQLite has no row
    locks; there the immediate transaction has shut other writers out already. Raises
    Portfolio.DoesNotExist, Conflict as lock_portfolios does.
    """
    locked = lock_portfolios([portfolio.pk])
    if portfolio.pk not in locked:
        raise Portfolio.DoesNotExist
    return locked[portfolio.pk]


def lock_portfolios(pks: Iterable[UUID]) -> dict[UUID, Portfolio]:
    """Lock portfolios, with all that may be in a chain with one of them, and return them by id.

    Always in the order of their ids, so that two calls never wait for each other: call it once in a
    database transaction, for all that it writes. A portfolio that was deleted is left out. Raises
    Conflict (`try_again`) if another request connected more portfolios meanwhile.
    """
    asked = Portfolio.objects.filter(pk__in=list(pks))
    users = asked.filter(is_linked=True).values("user")
    linked = Portfolio.objects.filter(is_linked=True, user__in=users)
    both = asked.order_by().values("pk").union(linked.order_by().values("pk"))
    wanted = Portfolio.objects.filter(pk__in=both)
    # no_key: rows that merely refer to the portfolio need not wait.
    rows = wanted.select_for_update(no_key=True).order_by("pk")
    locked = by_pk(rows)
    linked_users = {row.user_id for row in locked.values() if row.is_linked}
    if linked_users:
        linked = Portfolio.objects.filter(is_linked=True, user__in=linked_users)
        if linked.exclude(pk__in=list(locked)).exists():
            raise Conflict(
                "Shares were moved between your portfolios just now. Try again.", code="try_again"
            )
    return locked


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


def holding_ids_of(rows: Iterable[Transaction]) -> set[UUID]:
    """Return the holdings that `rows` belong to; money alone has none."""
    return {row.holding_id for row in rows if row.holding_id is not None}


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


def booked_row(entry: LedgerRow, ticker: str) -> BookedRow:
    """Return what a row that is not stored yet moves."""
    return BookedRow(
        pk=entry.pk,
        ticker=ticker,
        type=entry.type,
        date=entry.date,
        effective_date=entry.effective_date,
        sequence=entry.sequence,
        quantity=entry.quantity,
        price=entry.price,
        commission=entry.commission,
        tax=entry.tax,
        exchange_rate=entry.exchange_rate,
        settlement_currency=None,
        settlement_amount=None,
        booked_on=None,
        carried=entry.carried,
        source=entry.source,
        import_id=None,
    )


def keep_as_imported(row: Transaction, portfolio: Portfolio) -> None:
    """Keep in an imported `row` (not saved) what it moves and when it was booked."""
    row.imported_currency, row.imported_amount = money_of(row, portfolio.currency)
    row.imported_on = row.booked_on or row.date
