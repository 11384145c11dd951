"""Move holdings of an instrument that only its user described to the shared one."""

from collections.abc import Collection
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef

from financeproj.core.errors import DomainError
from financeproj.history.models import Door
from financeproj.history.services import record
from marketdata.models import StockMetadata
from marketdata.selectors import instruments_to_settle
from marketdata.services import delete_instrument, leave_to_user
from portfolios.models import Checkpoint, Holding, Portfolio, Transaction
from portfolios.services.history import holding_object
from portfolios.services.ledger_rows import lock_portfolios
from portfolios.services.replay import replay_holding

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def settle_instruments(*, stock_ids: Collection[UUID] | None = None) -> None:
    """Move the holdings of unconfirmed instruments (of all by default) to the shared ones.

    One whose shared one is in another currency stays the user's, who prices it by hand. Safe to run
    twice; one that cannot be moved stays as it is, and the others are moved.
    """
    for own, shared in instruments_to_settle(stock_ids):
        if own.currency != shared.currency:
            leave_to_user(stock=own, described_currency=shared.currency)
            continue
        try:
            _move_to_shared(own, shared)
        except DomainError as error:
            log.warning("instrument_not_settled", ticker=own.ticker, detail=error.detail)


@transaction.atomic
def _move_to_shared(own: StockMetadata, shared: StockMetadata) -> None:
    """Move every holding of `own` to the shared instrument, replay it, and delete `own`.

    Raises DomainError; nothing is written then.
    """
    # All of the user's portfolios: a trade that is being recorded may add a holding of it.
    lock_portfolios(Portfolio.objects.filter(user=own.owner_id).values_list("pk", flat=True))
    if not StockMetadata.objects.filter(pk=own.pk, owner=own.owner_id).exists():
        return  # another process was first
    holdings = Holding.objects.filter(stock=own).select_related("portfolio")
    for holding in holdings.order_by("portfolio_id"):
        move_holding(holding, shared)
    _move_checkpoints(own, shared)
    delete_instrument(stock=own)


def _move_checkpoints(own: StockMetadata, shared: StockMetadata) -> None:
    """Let what files say of the instrument be said of the shared one, where they do not already."""
    said = Checkpoint.objects.filter(stock=shared, import_batch__portfolio__user=own.owner_id)
    known = said.filter(import_batch=OuterRef("import_batch"), day=OuterRef("day"))
    Checkpoint.objects.filter(~Exists(known), stock=own).update(stock=shared)


def move_holding(holding: Holding, stock: StockMetadata) -> None:
    """Move a holding to another instrument, and replay it."""
    target = Holding.objects.filter(portfolio=holding.portfolio_id, stock=stock).first()
    if target is None:
        Holding.objects.filter(pk=holding.pk).update(stock=stock)
        target_id = holding.pk
    else:
        target_id = target.pk
        Transaction.objects.filter(holding=holding).update(holding=target)
        known = list(target.dismissed_splits.values_list("date", flat=True))
        holding.dismissed_splits.exclude(date__in=known).update(holding=target)
        holding.delete()
    moved = Holding.objects.select_related("portfolio", "stock").get(pk=target_id)
    replay_holding(moved)
    if stock.owner_id is None:
        record("moved_to_shared_instrument", holding_object(moved), door=Door.SOURCE)
    else:
        record("moved_to_own_instrument", holding_object(moved))
