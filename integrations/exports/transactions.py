"""Transactions as lines of the generic CSV format."""

from collections.abc import Iterator

from django.db.models import QuerySet

from financeproj.users.models import User
from integrations.statements import generic
from integrations.statements.base import StatementRow
from portfolios import selectors
from portfolios.models import Portfolio, Transaction

CHUNK = 2000


def export_transactions(*, user: User, portfolio: Portfolio | None = None) -> Iterator[str]:
    """Write the user's transactions, or those of one portfolio, as lines of the generic format.

    They are in the order of entry, and read in chunks: any number of them needs little memory.
    """
    rows = selectors.transactions_visible_to(user)
    if portfolio is not None:
        rows = rows.filter(portfolio=portfolio)
    return exported_lines(rows)


def exported_lines(rows: QuerySet[Transaction]) -> Iterator[str]:
    """Write `rows` as lines of the generic format, the header first."""
    # The format has no rows of money alone yet; the export of everything has them.
    rows = rows.filter(holding__isnull=False)
    rows = rows.select_related("holding__stock").order_by("portfolio_id", "date", "sequence")
    return generic.write(map(_statement_row, rows.iterator(CHUNK)))


def _statement_row(row: Transaction) -> StatementRow:
    holding = row.holding
    return StatementRow(
        row=0,
        type=row.type,
        date=row.date,
        ticker=holding.stock.ticker if holding else "",
        quantity=row.quantity,
        price=row.price,
        commission=row.commission,
        exchange_rate=row.exchange_rate,
        currency=holding.stock.currency if holding else row.settlement_currency,
        company_name=holding.name if holding else "",
        note=row.note,
        external_id=row.external_id,
        tax=row.tax,
        settlement_currency=row.settlement_currency,
        settlement_amount=row.settlement_amount,
        booked_on=row.booked_on,
    )
