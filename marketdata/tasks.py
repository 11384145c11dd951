"""Background tasks that ask the sources; each may be lost or run twice without harm."""

from typing import Any

from celery import Task, shared_task
from django.db import OperationalError

from marketdata import series, services
from marketdata.services import look_ups
from marketdata.sources import KeyRefused, Refusal, SourceError

# The pauses before a history is asked for again: about a day in all.
FIRST_PAUSE_SECONDS = 30
LONGEST_PAUSE_SECONDS = 2 * 3600
MOST_RETRIES = 20
LOOK_UP_SECONDS = 90.0

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


@shared_task(bind=True, **options)
def fetch_history(self: Task, stock_id: str) -> None:
    """Fetch what the stored history of one instrument lacks, all of it if there is none.

    If the source cannot be asked, try again after half a minute, then after ever longer pauses.
    """
    error = services.refresh_history(stock_id)
    series.prepare([stock_id])
    if error is not None and not isinstance(error, Refusal | KeyRefused):
        _try_again(self, error)


def _try_again(task: Task, error: SourceError) -> None:
    """Send the task again after a pause, at least as long as the source asks for."""
    tried = task.request.retries
    if task.request.is_eager or tried >= MOST_RETRIES:
        return
    pause = min(FIRST_PAUSE_SECONDS * 2**tried, LONGEST_PAUSE_SECONDS)
    pause = max(pause, error.retry_after_seconds or 0)
    raise task.retry(countdown=pause, expires=pause + 3600, max_retries=MOST_RETRIES)


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


@shared_task(**options)
def look_up_instruments() -> None:
    """Ask the sources about the instruments of files that wait. Safe to run twice, and to kill."""
    if look_ups.answer_waiting(seconds=LOOK_UP_SECONDS):
        look_up_instruments.delay()


@shared_task(ignore_result=True)
def forget_old_look_ups() -> None:
    """Delete old answers, and look-ups that no worker did."""
    look_ups.forget_old_look_ups()
