from celery import shared_task

from marketdata import tasks as marketdata
from pensions import selectors


@shared_task
def refresh_rates() -> None:
    """Refresh the rate of every currency pair that pensions need. Safe to run twice."""
    for base, target in selectors.needed_pairs():
        marketdata.refresh_pair.delay(base, target)
