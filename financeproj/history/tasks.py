from celery import shared_task

from financeproj.history import services


@shared_task
def prune_history() -> None:
    """Delete what is older than HISTORY_DAYS. Safe to run twice, and to kill."""
    services.prune_history()
