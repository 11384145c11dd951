"""What a file says more of rows that the portfolio has already: tax, the broker's amount …"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from msgspec import Struct

from financeproj.core.db.rows import update_rows
from financeproj.core.money import ZERO
from portfolios.calc.duplicates import Matches, fingerprint, fingerprint_of
from portfolios.calc.import_rows import ImportRow
from portfolios.calc.kinds import RULES
from portfolios.calc.taken_back import TAKEN_BACK
from portfolios.models import Holding, ImportBatch, Portfolio, Transaction
from portfolios.services.ledger_rows import holding_ids_of, keep_as_imported
from portfolios.services.replay import replay_holding

READ_AT_ONCE = 2000
OF_SHARES = ("price", "commission", "tax", "exchange_rate")
OF_MONEY = ("settlement_currency", "settlement_amount", "booked_on")
AS_IMPORTED = ("imported_as", "imported_currency", "imported_amount", "imported_on")
COLUMNS = (*OF_SHARES, *OF_MONEY, *AS_IMPORTED)
DAYS = ("booked_on", "imported_on")
TEXTS = ("settlement_currency", "imported_as", "imported_currency")


class Completion(Struct, frozen=True):
    """New values of some columns of a transaction, as a file on `line` says them."""

    pk: UUID
    line: int
    values: Mapping[str, object]


def find_completions(
    portfolio: Portfolio, rows: Sequence[ImportRow], matches: Matches[UUID]
) -> tuple[list[Completion], list[int]]:
    """Return what `rows` say more of the transactions that they are paired with, and the lines
    of those that were edited since they were imported, which stay as they are.

    One query, if any row is paired. A row entered by hand takes the broker's amount and the booking
    day alone.
    """
    by_pk = {pk: rows[position] for position, pk in matches.pairs.items()}
    if not by_pk:
        return [], []
    found: list[Completion] = []
    edited: list[int] = []
    stored = Transaction.objects.filter(portfolio=portfolio).select_related("holding__stock")
    for transaction in stored.iterator(READ_AT_ONCE):
        row = by_pk.get(transaction.pk)
        if row is None or transaction.is_derived or not _is_same(transaction, row):
            continue
        if transaction.group_id is not None and transaction.holding_id is not None:
            continue  # it follows from its group
        if RULES[transaction.type].brings_cost and transaction.commission + transaction.tax:
            continue  # an earlier version recorded it so
        said = _said(transaction, row, portfolio.currency)
        values = {name: value for name, value in said.items() if _differs(transaction, name, value)}
        if not values:
            continue
        if _is_edited(transaction):
            if _says_more_than_before(transaction, row):
                edited.append(row.row)
            continue
        found.append(Completion(transaction.pk, row.row, values))
    return found, sorted(edited)


def _is_same(stored: Transaction, row: ImportRow) -> bool:
    """Whether both move the same number of shares in the same way."""
    is_alike = (stored.type, stored.date, stored.quantity) == (row.type, row.date, row.quantity)
    return is_alike and stored.is_money_alone == row.is_money_alone


def _said(stored: Transaction, row: ImportRow, currency: str) -> dict[str, object]:
    """Return the columns of which the row says something."""
    said: dict[str, object] = {}
    if row.settlement_amount is not None and not row.is_money_alone:
        own = row.settlement_currency in (None, currency)
        said["settlement_currency"] = None if own else row.settlement_currency
        said["settlement_amount"] = row.settlement_amount
    if row.booked_on is not None and row.booked_on != row.date:
        said["booked_on"] = row.booked_on
    has_reading = bool(stored.imported_as)
    is_comparable = not row.is_converted or fingerprint_of(row) == stored.imported_as
    if has_reading and is_comparable and not row.is_money_alone:
        said["price"] = row.price
        said["commission"] = row.commission or ZERO
        said["tax"] = row.tax or ZERO
        if row.exchange_rate is not None:
            said["exchange_rate"] = row.exchange_rate
    if not has_reading:
        said = {name: value for name, value in said.items() if getattr(stored, name) is None}
    return said


def _differs(stored: Transaction, name: str, value: object) -> bool:
    return bool(getattr(stored, name) != value)


def _is_edited(stored: Transaction) -> bool:
    """Whether an imported row was changed after its import; False for one entered by hand."""
    if not stored.imported_as or stored.is_money_alone:
        return False
    as_now = fingerprint(
        stored.own_holding.stock.ticker,
        stored.date,
        stored.type,
        stored.quantity,
        stored.price,
        stored.commission + stored.tax,
    )
    has_other_amount = (
        stored.settlement_amount is not None and stored.settlement_amount != stored.imported_amount
    )
    return as_now != stored.imported_as or has_other_amount


def _says_more_than_before(stored: Transaction, row: ImportRow) -> bool:
    """Whether the file says something else than when the row was imported."""
    knew_amount = stored.imported_amount is not None
    is_new_amount = row.settlement_amount is not None and (
        not knew_amount or stored.imported_amount != row.settlement_amount
    )
    is_new_tax = bool(row.tax) and not stored.tax
    return fingerprint_of(row) != stored.imported_as or is_new_amount or is_new_tax


def complete(import_batch: ImportBatch, completions: Sequence[Completion]) -> None:
    """Store `completions` and replay their holdings, under the portfolio's lock.

    The batch keeps what was there before. Raises InsufficientQuantity.
    """
    if not completions:
        return
    values = {one.pk: one.values for one in completions}
    rows = _rows_of(import_batch.portfolio, values)
    for row in rows:
        import_batch.completed_rows[str(row.pk)] = _written(row)
        for name, value in values[row.pk].items():
            setattr(row, name, value)
        if row.imported_as and row.holding is not None:
            row.imported_as = fingerprint(
                row.holding.stock.ticker,
                row.date,
                row.type,
                row.quantity,
                row.price,
                row.commission + row.tax,
            )
            keep_as_imported(row, import_batch.portfolio)
    update_rows(Transaction, rows, COLUMNS)
    import_batch.save(update_fields=["completed_rows", "updated_at"])
    _replay(import_batch.portfolio, rows)


def revert(import_batch: ImportBatch) -> set[UUID]:
    """Put back what the import completed, as far as it still stands; return the holdings to replay.

    Rows that were edited or deleted since stay as they are.
    """
    before = {
        pk: columns
        for pk, columns in import_batch.completed_rows.items()
        if TAKEN_BACK not in columns
    }
    rows = _rows_of(import_batch.portfolio, {UUID(pk) for pk in before})
    reverted: list[Transaction] = []
    for row in rows:
        if _is_edited(row):
            continue
        reverted.append(row)
        for name, text in before[str(row.pk)].items():
            setattr(row, name, _read(name, text))
    update_rows(Transaction, reverted, COLUMNS)
    return holding_ids_of(reverted)


def _rows_of(portfolio: Portfolio, pks: Collection[UUID]) -> list[Transaction]:
    """Read some of the portfolio's rows; one query, however many they are."""
    if not pks:
        return []
    stored = Transaction.objects.filter(portfolio=portfolio).select_related("holding__stock")
    return [row for row in stored.iterator(READ_AT_ONCE) if row.pk in pks]


def _replay(portfolio: Portfolio, rows: Sequence[Transaction]) -> None:
    holdings = Holding.objects.filter(pk__in=holding_ids_of(rows))
    for holding in holdings.select_related("stock").order_by("pk"):
        holding.portfolio = portfolio
        replay_holding(holding)


def _written(row: Transaction) -> dict[str, str | None]:
    """Return the columns that a completion can change, as JSON keeps them."""
    written: dict[str, str | None] = {}
    for name in COLUMNS:
        value = getattr(row, name)
        written[name] = None if value is None else str(value)
    return written


def _read(name: str, text: str | None) -> str | date | Decimal | None:
    if text is None or name in TEXTS:
        return text
    if name in DAYS:
        return date.fromisoformat(text)
    return Decimal(text)
