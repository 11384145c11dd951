"""Refresh what is held: one task of marketdata for each instrument or pair."""

from celery import shared_task

from marketdata import tasks as marketdata
from portfolios import selectors


@shared_task
def refresh_quotes() -> None:
    """Ask for the price of every held instrument.

    Safe to run twice: a fresh quote is not asked for again.
    """
    for stock_id in selectors.held_stock_ids():
        marketdata.refresh_stock.delay(str(stock_id))


@shared_task
def refresh_rates() -> None:
    """Ask for the rate of every pair that any user's figures need."""
    for base, target in selectors.needed_pairs():
        marketdata.refresh_pair.delay(base, target)


@shared_task
def refresh_histories() -> None:
    """Complete the closes of every held instrument. Safe to run twice."""
    for stock_id in selectors.held_stock_ids():
        marketdata.fetch_history.delay(str(stock_id))
