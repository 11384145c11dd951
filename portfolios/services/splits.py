"""Splits that the source of market data reports, booked into the holdings of the instrument."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import structlog
from django.core.exceptions import ObjectDoesNotExist
from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from financeproj.core.errors import DomainError
from marketdata.models import StockMetadata, StockSplit
from portfolios.models import Holding, Transaction, TransactionType
from portfolios.services.replay import lock_portfolio, repair_holding, replay_holding, touch

log = structlog.get_logger(__name__)


@transaction.atomic
def book_splits(*, stock: StockMetadata, by_hand: bool = False) -> None:
    """Replay every holding of `stock`, so that each of its splits is booked where it belongs. Safe
    to run twice.

    A holding that can't take them keeps what it has and is named in `missing`: nobody else's prices
    wait for it. Where a person changed a split (`by_hand`), DomainError is raised instead, and the
    caller's transaction rolled back.
    """
    # In one order always, so that two of these never wait for each other.
    for holding in (
        Holding.objects.filter(stock=stock)
        .select_related("portfolio", "stock")
        .order_by("portfolio_id")
    ):
        try:
            holding.portfolio = lock_portfolio(holding.portfolio)
            holding.refresh_from_db()
        except ObjectDoesNotExist:  # deleted meanwhile
            continue
        try:
            with transaction.atomic():
                replay_holding(holding)
        except DomainError as error:
            if by_hand:
                raise
            log.warning(
                "splits_not_booked",
                ticker=stock.ticker,
                holding_id=str(holding.pk),
                detail=error.detail,
            )
            holding.refresh_from_db()
            holding.unbooked_split_on = StockSplit.objects.filter(stock=stock).latest("date").date
            holding.version += 1
            holding.save()
            touch(holding.portfolio)


def catch_up(holdings: Iterable[Holding]) -> None:
    """Once this transaction is committed, book the splits that were stored meanwhile in new
    `holdings`.

    Whoever stores a split books it in the holdings that are committed by then, and on PostgreSQL
    does not wait for others. SQLite lets only one write at a time.
    """
    new = [holding.pk for holding in holdings]
    if new and connection.features.has_select_for_update:
        transaction.on_commit(lambda: _book_missed(new), robust=True)


def _book_missed(new: list[UUID]) -> None:
    in_holding = Transaction.objects.filter(
        holding=OuterRef(OuterRef("pk")), effective_date=OuterRef("date")
    )
    after = StockSplit.objects.filter(
        stock=OuterRef("stock_id"), date__gt=OuterRef("first_transaction_on")
    )
    missed = after.exclude(Exists(in_holding.filter(type=TransactionType.SPLIT)))
    for pk in Holding.objects.filter(Exists(missed), pk__in=new).values_list("pk", flat=True):
        repair_holding(pk)


def on_splits_recorded(sender: Any, stock: StockMetadata, by_hand: bool, **kwargs: Any) -> None:
    book_splits(stock=stock, by_hand=by_hand)
