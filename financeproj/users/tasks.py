from celery import shared_task
from django.core.management import call_command


@shared_task
def flush_tokens() -> None:
    """Delete expired refresh tokens and sessions. Safe to run twice."""
    call_command("flushexpiredtokens")
    call_command("clearsessions")
