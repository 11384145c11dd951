"""Undo the reversals of an import: put back what it took back."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db.models import F

from portfolios.calc.taken_back import Entry, entries_of
from portfolios.models import Holding, ImportBatch, KnownRows, Transaction, TransactionGroup
from portfolios.services.kept_rows import read, store
from portfolios.services.ledger_rows import next_sequence
from portfolios.services.taking_back import REVERSED_KEY

# The id of a row that is gone, and what is kept of it.
Gone = tuple[str, Entry]


def put_back(import_batch: ImportBatch) -> list[Holding]:
    """Put back what an import took back, and return the holdings to replay.

    What another import has a reversal of too stays away, and is then that import's. So does a row
    whose own import was undone, unless another import has it. The legs of a group come back
    together or not at all.
    """
    units = _units(entries_of(import_batch.completed_rows))
    if not units:
        return []
    others = list(
        KnownRows.objects.filter(
            import_batch__portfolio=import_batch.portfolio_id,
            import_batch__state=ImportBatch.State.DONE,
        )
        .exclude(import_batch=import_batch)
        .select_related("import_batch")
        .order_by("import_batch__created_at")
    )
    restored: set[UUID] = set()
    for unit in units:
        if _hand_over(unit, import_batch, others):
            continue
        rows = [read(Transaction, entry.columns) for _pk, entry in unit]
        if _find_holdings(rows, unit) and _find_owner(rows, others):
            _store(rows, unit)
            restored |= {row.holding_id for row in rows if row.holding_id is not None}
    holdings = Holding.objects.filter(pk__in=restored)
    return list(holdings.select_related("stock").order_by("pk"))


def _units(entries: dict[str, Entry]) -> list[list[Gone]]:
    """Return the rows that come back together: those of one group, others alone."""
    units: dict[str, list[Gone]] = {}
    for pk, entry in entries.items():
        name = entry.columns.get("group_id") or pk
        units.setdefault(name, []).append((pk, entry))
    return list(units.values())


def _hand_over(
    unit: Sequence[Gone], import_batch: ImportBatch, others: Iterable[KnownRows]
) -> bool:
    """Let the oldest other import that has the same reversals have taken the rows back."""
    reversals = {pk for pk, entry in unit if entry.by}
    if not reversals:
        return False
    for other in others:
        lines = _lines(other, [REVERSED_KEY + pk for pk in reversals])
        if lines is None:
            continue
        batch = other.import_batch
        for pk, _entry in unit:
            batch.completed_rows[pk] = import_batch.completed_rows[pk]
        batch.save(update_fields=["completed_rows", "updated_at"])
        _count_as_created(batch.pk, lines)
        for pk in reversals:
            del other.rows[REVERSED_KEY + pk]
        other.save(update_fields=["rows"])
        return True
    return False


def _find_owner(rows: Sequence[Transaction], others: Iterable[KnownRows]) -> bool:
    """Give rows to their import, or to another that has them; return whether one stands."""
    owner = rows[0].import_batch_id
    if owner is None:
        return True
    if ImportBatch.objects.filter(pk=owner, state=ImportBatch.State.DONE).exists():
        return True
    for other in others:
        lines = _lines(other, [str(row.pk) for row in rows])
        if lines is not None:
            for row in rows:
                row.import_batch_id = other.import_batch_id
            _count_as_created(other.import_batch_id, lines)
            return True
    return False


def _lines(known: KnownRows, keys: Sequence[str]) -> set[int] | None:
    """Return the lines of the file that have these rows; None unless it has all of them."""
    if not known.rows.keys() >= set(keys):
        return None
    return {known.rows[key] for key in keys}


def _count_as_created(pk: UUID, lines: set[int]) -> None:
    ImportBatch.objects.filter(pk=pk).update(
        created=F("created") + len(lines), duplicates=F("duplicates") - len(lines)
    )


def _find_holdings(rows: Sequence[Transaction], unit: Sequence[Gone]) -> bool:
    """Let rows be of the holdings of their instruments as they are now; return whether all have
    one.
    """
    for row, (_pk, entry) in zip(rows, unit, strict=True):
        if not entry.ticker:
            continue
        holdings = Holding.objects.filter(portfolio=row.portfolio_id, stock__ticker=entry.ticker)
        row.holding_id = holdings.values_list("pk", flat=True).first()
        if row.holding_id is None:
            return False
    return True


def _store(rows: Sequence[Transaction], unit: Sequence[Gone]) -> None:
    """Store rows with their group, at their places in the order of entry if these are free."""
    columns = unit[0][1].group
    if columns is not None:
        group = read(TransactionGroup, columns)
        group.import_batch_id = rows[0].import_batch_id
        store(group)
    for row in rows:
        places = Transaction.objects.filter(portfolio=row.portfolio_id, sequence=row.sequence)
        if places.exists():
            row.sequence = next_sequence(row.portfolio)
        store(row)
