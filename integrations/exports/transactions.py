"""Transactions as lines of the generic CSV format."""

from collections.abc import Iterator

from django.db.models import QuerySet

from financeproj.users.models import User
from integrations.statements import generic
from integrations.statements.base import StatementRow
from portfolios import selectors
from portfolios.models import Portfolio, Transaction

EXPORT_CHUNK = 2000


def export_transactions(*, user: User, portfolio: Portfolio | None = None) -> Iterator[str]:
    """The user's transactions, or those of one portfolio, as lines of the generic format, in the
    order of entry.

    Read in chunks while they are taken, so that any number of them needs little memory.
    """
    rows = selectors.transactions_visible_to(user)
    return exported_lines(rows if portfolio is None else rows.filter(portfolio=portfolio))


def exported_lines(rows: QuerySet[Transaction]) -> Iterator[str]:
    """`rows` as lines of the generic format, the header first."""
    rows = rows.select_related("holding__stock").order_by("portfolio_id", "date", "sequence")
    return generic.write(_exported(row) for row in rows.iterator(EXPORT_CHUNK))


def _exported(row: Transaction) -> StatementRow:
    stock = row.holding.stock
    return StatementRow(
        row=0,
        type=row.type,
        date=row.date,
        ticker=stock.ticker,
        quantity=row.quantity,
        price=row.price,
        commission=row.commission,
        exchange_rate=row.exchange_rate,
        currency=stock.currency,
        company_name=row.holding.name,
        note=row.note,
        external_id=row.external_id,
    )
