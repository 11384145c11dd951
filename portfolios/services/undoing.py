"""Undo an import as a whole."""

from django.db import transaction
from django.db.models import QuerySet

from financeproj.core.db.rows import pks_of
from financeproj.core.errors import Conflict
from financeproj.history.models import Door
from financeproj.history.services import record
from portfolios.models import Holding, ImportBatch, Transaction, TransactionGroup
from portfolios.services.completing import revert
from portfolios.services.handing_over import hand_over
from portfolios.services.history import import_counts, import_object
from portfolios.services.imported_cash import keep_imported_cash
from portfolios.services.imported_openings import keep_imported_openings
from portfolios.services.ledger_rows import lock_portfolio, touch
from portfolios.services.links import holdings_of, release, replay_left
from portfolios.services.openings import keep_openings
from portfolios.services.putting_back import put_back
from portfolios.services.replay import InsufficientQuantity, replay_holding
from portfolios.services.share_openings import keep_share_openings


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
    hand_over(import_batch)
    rows = Transaction.objects.filter(import_batch=import_batch)
    holdings = list(
        Holding.objects.filter(pk__in=rows.exclude(holding=None).values("holding").distinct())
        .select_related("stock")
        .order_by("pk")
    )
    groups = list(rows.exclude(group=None).values_list("group_id", flat=True).distinct())
    deleted = rows.count()
    released = _release_groups(rows)
    TransactionGroup.objects.filter(is_linked=True, transactions__in=rows).delete()
    rows.delete()
    reopened = keep_share_openings(portfolio, import_batch)
    TransactionGroup.objects.filter(pk__in=groups, transactions=None).delete()
    for pk, external_id in import_batch.adopted.items():
        Transaction.objects.filter(pk=pk, external_id=external_id).update(external_id=None)
    known = set(pks_of(holdings))
    reopened += [holding for holding in put_back(import_batch) if holding not in reopened]
    holdings += [holding for holding in reopened if holding.pk not in known]
    holdings = _with_reverted(import_batch, holdings)
    for holding in holdings:
        holding.portfolio = portfolio
        try:
            replay_holding(holding)
        except InsufficientQuantity as error:
            raise Conflict(error.detail, code=error.code) from error
        if holding.created_at >= import_batch.created_at and not holding.transactions.exists():
            holding.delete()
    replay_left(released)
    import_batch.state = ImportBatch.State.UNDONE
    import_batch.save(update_fields=["state", "updated_at"])
    touch(portfolio)
    keep_openings(portfolio)
    keep_imported_openings(portfolio)
    keep_imported_cash(portfolio)
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


def _release_groups(rows: "QuerySet[Transaction]") -> list[Holding]:
    """Take apart the groups of shares that `rows` belong to, and return the other holdings."""
    groups = TransactionGroup.objects.filter(
        transactions__in=rows.filter(holding__isnull=False)
    ).distinct()
    pks = list(groups.values_list("pk", flat=True))
    if not pks:
        return []
    others = Transaction.objects.filter(group__in=pks).exclude(pk__in=rows.values("pk"))
    left = list(others)
    release(left)
    TransactionGroup.objects.filter(pk__in=pks).delete()
    return holdings_of(left)


def _with_reverted(import_batch: ImportBatch, holdings: list[Holding]) -> list[Holding]:
    """Take back what the import completed; add the holdings of it to `holdings`."""
    reverted = revert(import_batch) - set(pks_of(holdings))
    others = Holding.objects.filter(pk__in=reverted).select_related("stock").order_by("pk")
    return [*holdings, *others]


@transaction.atomic
def delete_import(*, import_batch: ImportBatch) -> None:
    """Delete what is known of an import. Raises ProtectedError while transactions name it."""
    deleted, counts = import_object(import_batch), import_counts(import_batch)
    import_batch.delete()
    touch(import_batch.portfolio)
    record("deleted", deleted, counts=counts)
