"""Undo an import as a whole."""

from django.db import transaction

from financeproj.core.errors import Conflict
from financeproj.history.models import Door
from financeproj.history.services import record
from portfolios.models import Holding, ImportBatch, Transaction
from portfolios.services.history import import_counts, import_object
from portfolios.services.imported_openings import keep_imported_openings
from portfolios.services.ledger_rows import lock_portfolio, touch
from portfolios.services.openings import keep_openings
from portfolios.services.replay import InsufficientQuantity, replay_holding


@transaction.atomic
def undo_import(*, import_batch: ImportBatch) -> ImportBatch:
    """Delete the transactions of one import and replay their holdings.

    Holdings that the import created and that are now empty are deleted too. The record stays, with
    the state "undone". Raises Conflict when there is nothing to undo, or (`insufficient_quantity`)
    when a later sale needs the rows.
    """
    portfolio = lock_portfolio(import_batch.portfolio)
    import_batch = ImportBatch.objects.select_for_update().get(pk=import_batch.pk)
    if import_batch.state != ImportBatch.State.DONE:
        raise Conflict(
            f"The import is {import_batch.state}: there is nothing to undo.",
            code="not_undoable",
        )
    rows = Transaction.objects.filter(import_batch=import_batch)
    holdings = list(
        Holding.objects.filter(pk__in=rows.exclude(holding=None).values("holding").distinct())
        .select_related("stock")
        .order_by("pk")
    )
    deleted = rows.count()
    rows.delete()
    for pk, external_id in import_batch.adopted.items():
        Transaction.objects.filter(pk=pk, external_id=external_id).update(external_id=None)
    for holding in holdings:
        holding.portfolio = portfolio
        try:
            replay_holding(holding)
        except InsufficientQuantity as error:
            raise Conflict(error.detail, code=error.code) from error
        if holding.created_at >= import_batch.created_at and not holding.transactions.exists():
            holding.delete()
    import_batch.state = ImportBatch.State.UNDONE
    import_batch.save(update_fields=["state", "updated_at"])
    touch(portfolio)
    keep_openings(portfolio)
    keep_imported_openings(portfolio)
    import_batch.portfolio = portfolio
    record(
        "undone",
        import_object(import_batch),
        before={"state": ImportBatch.State.DONE.value},
        after={"state": import_batch.state},
        counts={"transactions": deleted, "holdings": len(holdings)},
        door=Door.IMPORT,
    )
    return import_batch


@transaction.atomic
def delete_import(*, import_batch: ImportBatch) -> None:
    """Delete what is known of an import. Raises ProtectedError while transactions name it."""
    deleted, counts = import_object(import_batch), import_counts(import_batch)
    import_batch.delete()
    touch(import_batch.portfolio)
    record("deleted", deleted, counts=counts)
