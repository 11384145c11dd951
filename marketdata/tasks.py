"""Background tasks that ask the sources; each may be lost or run twice without harm."""

from typing import Any

from celery import shared_task
from django.db import OperationalError

from marketdata import series, services

# Past its time a message is dropped: beat sends the next one anyway.
options: dict[str, Any] = {
    "acks_late": True,
    "ignore_result": True,
    "soft_time_limit": 120,
    "time_limit": 150,
    "autoretry_for": (OperationalError,),
    "retry_backoff": True,
    "max_retries": 3,
    "expires": 3600,
}


@shared_task(**options)
def fetch_history(stock_id: str) -> None:
    """Fetch what the stored history of one instrument lacks, all of it if there is none."""
    services.refresh_history(stock_id)
    series.prepare([stock_id])


@shared_task(**options)
def refresh_stock(stock_id: str) -> None:
    """Fetch the latest price of one instrument, with the closes since the last stored one."""
    services.refresh_quotes([stock_id])
    series.prepare([stock_id])


@shared_task(**options)
def refresh_pair(base: str, target: str) -> None:
    """Fetch the latest rates of one pair of currencies."""
    services.refresh_rates([(base, target)])


@shared_task(**options)
def learn_isin(stock_id: str, isin: str) -> None:
    """Store the ISIN of a shared instrument, if its source finds the instrument by it."""
    services.learn_isin(stock_id=stock_id, isin=isin)
