"""How portfolios, holdings, transactions and imports appear in the history."""

from collections.abc import Iterable

from financeproj.core.db.rows import fields_of
from financeproj.core.money import ZERO, strip_zeros
from financeproj.history.services import HistoryObject
from portfolios.calc.kinds import RULES
from portfolios.models import (
    DismissedSplit,
    Holding,
    ImportBatch,
    ImportMapping,
    InstrumentAlias,
    Portfolio,
    Transaction,
    TransactionGroup,
)

PORTFOLIO_FIELDS = (
    "name",
    "brokerage_firm",
    "currency",
    "used_credit",
    "cash",
    "position",
    "cash_from",
)
TRANSACTION_FIELDS = (
    "type",
    "date",
    "quantity",
    "price",
    "commission",
    "tax",
    "exchange_rate",
    "settlement_currency",
    "settlement_amount",
    "booked_on",
    "note",
    "external_id",
    "source",
)


def portfolio_object(portfolio: Portfolio) -> HistoryObject:
    return HistoryObject(
        type="portfolio",
        id=portfolio.pk,
        label=portfolio.name,
        owner_id=portfolio.user_id,
        portfolio_id=portfolio.pk,
    )


def portfolio_fields(portfolio: Portfolio) -> dict[str, object]:
    return fields_of(portfolio, PORTFOLIO_FIELDS)


def holding_object(holding: Holding) -> HistoryObject:
    """`holding` must have its portfolio and instrument at hand."""
    return HistoryObject(
        type="holding",
        id=holding.pk,
        label=holding.stock.ticker,
        owner_id=holding.portfolio.user_id,
        portfolio_id=holding.portfolio_id,
    )


def dismissed_split_object(row: DismissedSplit) -> HistoryObject:
    holding = row.holding
    return HistoryObject(
        type="dismissed_split",
        id=row.pk,
        label=f"{holding.stock.ticker} {row.date}",
        owner_id=holding.portfolio.user_id,
        portfolio_id=holding.portfolio_id,
        within_id=holding.pk,
    )


def transaction_object(row: Transaction) -> HistoryObject:
    """`row` must have its portfolio at hand, and its holding with the instrument."""
    if row.holding is None:
        amount = strip_zeros(row.settlement_amount or ZERO)
        moved = f"{amount:f} {row.settlement_currency}"
    else:
        moved = f"{strip_zeros(row.quantity):f} {row.holding.stock.ticker}"
    return HistoryObject(
        type="transaction",
        id=row.pk,
        label=f"{row.type} {moved} {row.date}",
        owner_id=row.portfolio.user_id,
        portfolio_id=row.portfolio_id,
        within_id=row.holding_id,
    )


def transaction_fields(row: Transaction) -> dict[str, object]:
    return fields_of(row, TRANSACTION_FIELDS)


def group_object(group: TransactionGroup) -> HistoryObject:
    """`group` must have its portfolio at hand."""
    return HistoryObject(
        type="transaction_group",
        id=group.pk,
        label=str(group),
        owner_id=group.portfolio.user_id,
        portfolio_id=group.portfolio_id,
    )


def group_fields(group: TransactionGroup, legs: Iterable[Transaction]) -> dict[str, object]:
    """Return the fields of a group and, of each leg, what it moves."""
    fields: dict[str, object] = {"kind": group.kind, "note": group.note}
    for row in legs:
        if row.holding is not None:
            fields |= _fields_of_shares(row, row.holding.stock.ticker)
            fields["label"], fields["external_id"] = group.label, group.external_id
            continue
        side = "amount_in" if (row.settlement_amount or ZERO) > 0 else "amount_out"
        fields[side] = row.settlement_amount
        fields["date"], fields["booked_on"] = row.date, row.booked_on
    return fields


def _fields_of_shares(row: Transaction, ticker: str) -> dict[str, object]:
    """Return what a leg with shares moves; those of a target begin with its ticker."""
    fields: dict[str, object] = {"date": row.date, "booked_on": row.booked_on}
    if RULES[row.type].shares > 0:
        fields[f"{ticker}.quantity"] = row.quantity
        fields[f"{ticker}.rate"] = row.exchange_rate
        if row.cost_share is not None:
            fields[f"{ticker}.cost_share"] = row.cost_share
        return fields
    fields["quantity_out"] = None if row.takes_all else row.quantity
    if row.settlement_amount is not None:
        fields["cash"] = row.settlement_amount
        fields["cash_currency"] = row.settlement_currency or row.portfolio.currency
        fields["cash_share"] = row.cost_share
    return fields


def import_object(import_batch: ImportBatch) -> HistoryObject:
    return HistoryObject(
        type="import",
        id=import_batch.pk,
        label=import_batch.file_name,
        owner_id=import_batch.portfolio.user_id,
        portfolio_id=import_batch.portfolio_id,
    )


def import_counts(import_batch: ImportBatch) -> dict[str, int]:
    return {
        "rows": import_batch.rows,
        "created": import_batch.created,
        "duplicates": import_batch.duplicates,
        "ignored": import_batch.ignored,
        "failed": import_batch.failed,
    }


def mapping_object(mapping: ImportMapping) -> HistoryObject:
    return HistoryObject(
        type="import_mapping", id=mapping.pk, label=mapping.name, owner_id=mapping.user_id
    )


def alias_object(alias: InstrumentAlias) -> HistoryObject:
    return HistoryObject(
        type="instrument_alias", id=alias.pk, label=alias.key, owner_id=alias.user_id
    )
