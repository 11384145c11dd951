"""Files taken in, small ones at once and big ones in a queue of their own; and the nightly
backup.
"""

import threading
from pathlib import Path
from typing import Any
from uuid import UUID

from celery import shared_task
from celery.signals import after_task_publish, beat_init, worker_ready, worker_shutdown
from django.conf import settings
from django.db import connections

from financeproj.core.shared.enqueue import enqueue_on_commit
from financeproj.core.shared.locks import lease
from integrations import background, services
from integrations.backups.services import NIGHTLY_KEPT, make_backup
from marketdata.tasks import fetch_history
from portfolios.models import ImportBatch, Portfolio
from portfolios.services.importing import Outcome

_stopping = threading.Event()


def submit_import(
    *,
    portfolio: Portfolio,
    data: bytes,
    file_name: str,
    options: services.ImportOptions,
    dry_run: bool = False,
) -> ImportBatch | Outcome:
    """What came of a file; or, when a worker does it, as it does big ones, the import that is
    running now.

    Raises as `services.read_file`.
    """
    read = services.read_file(data, options)
    is_big = len(read.rows) + read.failed + read.ignored > background.ROWS_IN_A_REQUEST
    if is_big and not dry_run and background.worker_is_alive():
        queued = background.queue_import(
            portfolio=portfolio, data=data, file_name=file_name, read=read, options=options
        )
        enqueue_on_commit(run_import, str(queued.pk))
        return queued
    import_batch = services.new_import(
        portfolio=portfolio, data=data, file_name=file_name, read=read
    )
    outcome = services.carry_out(
        import_batch=import_batch, read=read, options=options, dry_run=dry_run
    )
    if outcome.is_saved:
        for stock_id in outcome.without_history:
            enqueue_on_commit(fetch_history, str(stock_id))
    return outcome


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=3500, time_limit=3600)
def run_import(import_id: str) -> None:
    """Do one import that is waiting. Safe to run twice, and to kill: `resume_imports` takes it up
    again.
    """
    outcome = background.run_import(UUID(import_id))
    for stock_id in outcome.without_history if outcome else ():
        fetch_history.delay(str(stock_id))


@shared_task(ignore_result=True)
def resume_imports() -> None:
    """Wake somebody for every import that is waiting; one that is being done is left alone by its
    lease.
    """
    for pk in background.waiting_imports():
        run_import.delay(str(pk))


@shared_task(ignore_result=True, soft_time_limit=3500, time_limit=3600)
def back_up() -> None:
    """The nightly backup into BACKUP_DIR. A second one within the hour does nothing: two beats, or
    a repeated message.

    Its lease is kept, for the same reason; one that was killed is made good by the next night's.
    """
    if settings.BACKUP_DIR and lease("nightly-backup", seconds=3600):
        make_backup(folder=Path(settings.BACKUP_DIR), keep=NIGHTLY_KEPT)


@worker_ready.connect
def _show_signs_of_life(**kwargs: Any) -> None:
    """Requests give big files to a worker only while there is one."""

    def beat() -> None:
        while not _stopping.is_set():
            background.note_worker()
            connections.close_all()
            _stopping.wait(background.HEARTBEAT_SECONDS / 3)

    _stopping.clear()
    threading.Thread(target=beat, name="signs-of-life", daemon=True).start()


@worker_shutdown.connect
def _fall_silent(**kwargs: Any) -> None:
    _stopping.set()


@beat_init.connect
def _show_that_beat_lives(**kwargs: Any) -> None:
    """For the doctor: as long as beat sends tasks, it is well."""

    def note(**kwargs: Any) -> None:
        background.note_beat()
        connections.close_all()

    note()
    after_task_publish.connect(note, weak=False)
