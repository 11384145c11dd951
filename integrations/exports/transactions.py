"""Transactions as lines of the generic CSV format."""

from collections.abc import Iterator

from django.db.models import QuerySet

from financeproj.core.money import ZERO
from financeproj.users.models import User
from integrations.statements import generic
from integrations.statements.base import StatementRow
from portfolios import selectors
from portfolios.models import ACTION_KINDS, Portfolio, Transaction
from portfolios.services import make_plain

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
    rows = rows.select_related("holding__stock", "portfolio", "group").order_by(
        "portfolio_id", "date", "sequence"
    )
    return generic.write(map(_statement_row, rows.iterator(CHUNK)))


def _statement_row(row: Transaction) -> StatementRow:
    holding = row.holding
    if holding is not None and row.group is not None and row.group.kind not in ACTION_KINDS:
        make_plain(row)  # its other side is in another portfolio
    ticker, name, currency = "", "", row.settlement_currency
    if holding is not None:
        ticker, name, currency = holding.stock.ticker, holding.name, holding.stock.currency
    group_kind, group_label = "", ""
    if row.group is not None:
        group_kind, group_label = row.group.kind, row.group.label
    quantity = row.quantity
    if row.takes_all:
        quantity = ZERO
    return StatementRow(
        row=0,
        type=row.type,
        date=row.date,
        ticker=ticker,
        quantity=quantity,
        price=row.price,
        commission=row.commission,
        exchange_rate=row.exchange_rate,
        currency=currency,
        company_name=name,
        note=row.note,
        external_id=row.external_id,
        tax=row.tax,
        settlement_currency=row.settlement_currency,
        settlement_amount=row.settlement_amount,
        booked_on=row.booked_on,
        group=str(row.group_id or ""),
        group_kind=group_kind,
        group_label=group_label,
        cost_share=row.cost_share,
    )
