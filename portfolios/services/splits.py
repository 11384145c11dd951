"""Splits that the source of market data reports, booked into the holdings of the instrument."""

from typing import Any

from django.db import transaction

from marketdata.models import StockMetadata
from portfolios.models import Holding
from portfolios.services.replay import lock_portfolio, replay_holding


@transaction.atomic
def book_splits(*, stock: StockMetadata) -> None:
    """Replay every holding of `stock`, so that each of its splits is booked where it belongs. Safe to run twice."""
    # In one order always, so that two of these never wait for each other.
    for holding in Holding.objects.filter(stock=stock).select_related("portfolio", "stock").order_by("portfolio_id"):
        holding.portfolio = lock_portfolio(holding.portfolio)
        holding.refresh_from_db()
        replay_holding(holding)


def on_splits_recorded(sender: Any, stock: StockMetadata, **kwargs: Any) -> None:
    book_splits(stock=stock)
