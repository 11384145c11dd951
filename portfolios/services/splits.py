"""Splits that the source of market data reports, booked into the holdings of the instrument."""

from typing import Any

import structlog
from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction

from financeproj.core.errors import DomainError
from marketdata.models import StockMetadata, StockSplit
from portfolios.models import Holding
from portfolios.services.replay import lock_portfolio, replay_holding, touch

log = structlog.get_logger(__name__)


@transaction.atomic
def book_splits(*, stock: StockMetadata, by_hand: bool = False) -> None:
    """Replay every holding of `stock`, so that each of its splits is booked where it belongs. Safe to run twice.

    A holding that can't take them keeps what it has and is named in `missing`: nobody else's prices wait for it. Where
    a person changed a split (`by_hand`), DomainError is raised instead, and the caller's transaction rolled back.
    """
    # In one order always, so that two of these never wait for each other.
    for holding in Holding.objects.filter(stock=stock).select_related("portfolio", "stock").order_by("portfolio_id"):
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
            log.warning("splits_not_booked", ticker=stock.ticker, holding_id=str(holding.pk), detail=error.detail)
            holding.refresh_from_db()
            holding.unbooked_split_on = StockSplit.objects.filter(stock=stock).latest("date").date
            holding.version += 1
            holding.save()
            touch(holding.portfolio)


def on_splits_recorded(sender: Any, stock: StockMetadata, by_hand: bool, **kwargs: Any) -> None:
    book_splits(stock=stock, by_hand=by_hand)
