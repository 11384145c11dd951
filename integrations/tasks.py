"""The nightly backup."""

from pathlib import Path

from celery import shared_task
from django.conf import settings

from financeproj.core.shared.locks import lease
from integrations.backups.services import NIGHTLY_KEPT, make_backup


@shared_task(ignore_result=True, soft_time_limit=3500, time_limit=3600)
def back_up() -> None:
    """The nightly backup into BACKUP_DIR. A second one within the hour does nothing: two beats, or
    a repeated message.

    Its lease is kept, for the same reason; one that was killed is made good by the next night's.
    """
    if settings.BACKUP_DIR and lease("nightly-backup", seconds=3600):
        make_backup(folder=Path(settings.BACKUP_DIR), keep=NIGHTLY_KEPT)
