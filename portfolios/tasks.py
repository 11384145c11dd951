"""Refresh what is held: one task of marketdata for each instrument or pair."""

from celery import shared_task

from financeproj.history.context import acting
from financeproj.history.models import Door
from marketdata import tasks as marketdata
from portfolios import selectors
from portfolios.services import settle_instruments


@shared_task
def refresh_quotes() -> None:
    """Ask for the price of every held instrument, after those that a source has described since
    became shared ones.

    Safe to run twice: a fresh quote is not asked for again.
    """
    with acting(door=Door.SOURCE):
        settle_instruments()
    for stock_id in selectors.held_stock_ids():
        marketdata.refresh_stock.delay(str(stock_id))


@shared_task
def learn_isins() -> None:
    """Ask the sources for the ISINs that users gave for shared instruments without one.

    Safe to run twice: the same is asked once a month at most.
    """
    for stock_id, isin in selectors.isins_to_learn():
        marketdata.learn_isin.delay(str(stock_id), isin)


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
