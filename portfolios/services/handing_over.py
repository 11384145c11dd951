"""Rows that several imports have: when one is undone, they go over to another."""

from collections.abc import Mapping
from uuid import UUID

from django.db.models import F, QuerySet

from portfolios.calc.taken_back import TAKEN_BACK
from portfolios.models import ImportBatch, KnownRows, Transaction, TransactionGroup


def keep_known(import_batch: ImportBatch, known: Mapping[UUID | str, int]) -> None:
    """Store which rows of a saved import were there before: transaction → line of the file.

    A key that is not an id says which transaction a reversal had taken back.
    """
    if known:
        lines = {str(pk): line for pk, line in known.items()}
        KnownRows.objects.create(import_batch=import_batch, rows=lines)


def hand_over(import_batch: ImportBatch) -> None:
    """Let rows of an import that is being undone go over to the oldest other that has them too.

    Call it under the portfolio's lock. That import then counts them as created, not as duplicates,
    and has what this one completed of them.
    """
    own = Transaction.objects.filter(import_batch=import_batch)
    left = {str(pk) for pk in own.values_list("pk", flat=True)}
    for other in _others(import_batch):
        lines = other.known_rows.rows
        taken = left & lines.keys()
        left -= taken
        _take(other, own.filter(pk__in=[UUID(pk) for pk in taken]), {lines[pk] for pk in taken})
        _take_completions(import_batch, other)
    KnownRows.objects.filter(import_batch=import_batch).delete()


def _others(import_batch: ImportBatch) -> list[ImportBatch]:
    """Return the other imports of the portfolio that stand and have known rows, oldest first."""
    others = ImportBatch.objects.filter(
        portfolio=import_batch.portfolio_id,
        state=ImportBatch.State.DONE,
        known_rows__isnull=False,
    ).exclude(pk=import_batch.pk)
    return list(others.select_related("known_rows").order_by("created_at", "pk"))


def _take(other: ImportBatch, rows: QuerySet[Transaction], lines: set[int]) -> None:
    if not lines:
        return
    groups = list(rows.exclude(group=None).values_list("group_id", flat=True))
    rows.update(import_batch=other)
    TransactionGroup.objects.filter(pk__in=groups).update(import_batch=other)
    ImportBatch.objects.filter(pk=other.pk).update(
        created=F("created") + len(lines), duplicates=F("duplicates") - len(lines)
    )


def _take_completions(import_batch: ImportBatch, other: ImportBatch) -> None:
    """Let an import that came later have what this one completed of the rows that it knows."""
    if other.created_at < import_batch.created_at:
        return
    known = import_batch.completed_rows.keys() & other.known_rows.rows.keys()
    taken = [pk for pk in known if TAKEN_BACK not in import_batch.completed_rows[pk]]
    for pk in taken:
        other.completed_rows.setdefault(pk, import_batch.completed_rows.pop(pk))
    if taken:
        other.save(update_fields=["completed_rows", "updated_at"])
