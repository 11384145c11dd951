from celery import shared_task
from django.core.management import call_command


@shared_task
def flush_tokens() -> None:
    """Forget refresh tokens that have expired, used or not, and old sign-in sessions. Safe to run
    twice.
    """
    call_command("flushexpiredtokens")
    call_command("clearsessions")
