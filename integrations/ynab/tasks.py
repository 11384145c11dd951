from celery import shared_task
from django.db import OperationalError

from integrations.ynab import sync


@shared_task(autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def sync_pensions() -> None:
    """Take the balances of every linked pension account from YNAB.

    Safe to run twice: it stores one value a day.
    """
    sync.sync_everybody()
