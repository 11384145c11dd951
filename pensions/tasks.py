from celery import shared_task

from marketdata import tasks as marketdata
from pensions import selectors


@shared_task
def refresh_rates() -> None:
    """Ask for the rate of every pair that somebody's pensions need."""
    for base, target in selectors.needed_pairs():
        marketdata.refresh_pair.delay(base, target)
