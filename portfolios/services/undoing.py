"""A whole import taken out of a portfolio again."""

from django.db import transaction

from financeproj.core.errors import Conflict
from portfolios.models import Holding, Import, Transaction
from portfolios.services.replay import InsufficientQuantity, lock_portfolio, replay_holding, touch


@transaction.atomic
def undo_import(*, statement: Import) -> Import:
    """Delete the transactions of one import and replay their holdings; those that it made and that
    are empty go too.

    The record stays, with the state "undone". Raises Conflict when it was undone before, or
    (`insufficient_quantity`) when a later sale needs its rows.
    """
    portfolio = lock_portfolio(statement.portfolio)
    statement = Import.objects.select_for_update().get(pk=statement.pk)
    if statement.state != Import.State.DONE:
        raise Conflict(
            f"The import is {statement.state}: there is nothing to undo.", code="not_undoable"
        )
    rows = Transaction.objects.filter(statement=statement)
    holdings = list(
        Holding.objects.filter(pk__in=rows.values("holding").distinct())
        .select_related("stock")
        .order_by("pk")
    )
    rows.delete()
    for pk, external_id in statement.adopted.items():
        Transaction.objects.filter(pk=pk, external_id=external_id).update(external_id=None)
    for holding in holdings:
        holding.portfolio = portfolio
        try:
            replay_holding(holding)
        except InsufficientQuantity as error:
            raise Conflict(error.detail, code=error.code) from error
        if holding.created_at >= statement.created_at and not holding.transactions.exists():
            holding.delete()
    statement.state = Import.State.UNDONE
    statement.save(update_fields=["state", "updated_at"])
    touch(portfolio)
    return statement
