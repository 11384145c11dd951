from celery import shared_task
from django.db import OperationalError

from integrations.ynab import sync


@shared_task(autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def sync_pensions() -> None:
    """Take the balances of every linked pension account from YNAB. One value a day: safe to run
    twice.
    """
    sync.sync_everybody()
