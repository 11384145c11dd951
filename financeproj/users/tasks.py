from celery import shared_task
from django.core.management import call_command

from financeproj.users.services import prune_token_families
from financeproj.users.sign_ins import prune_sign_ins


@shared_task
def flush_tokens() -> None:
    """Delete expired refresh tokens, sessions and rows of sign-ins. Safe to run twice."""
    call_command("flushexpiredtokens")
    call_command("clearsessions")
    prune_token_families()
    prune_sign_ins()
