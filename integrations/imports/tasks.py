"""Files imported: small ones at once, big ones by a worker from a queue of their own."""

from uuid import UUID

from celery import shared_task
from django.core.files.uploadedfile import UploadedFile

from financeproj.core.errors import TooManyAtOnce
from financeproj.core.shared.enqueue import enqueue_on_commit
from financeproj.core.shared.heavy_requests import heavy_request
from integrations import heartbeat
from integrations.imports import queue
from integrations.imports.options import ImportOptions
from integrations.imports.pipeline import new_import_batch, read_file, record_statement
from integrations.statements.base import Statement
from marketdata.tasks import fetch_history, look_up_instruments
from portfolios.models import ImportBatch, Portfolio
from portfolios.services.import_report import Outcome


def submit_import(
    *,
    portfolio: Portfolio,
    file: UploadedFile,
    options: ImportOptions,
    dry_run: bool = False,
) -> ImportBatch | Outcome:
    """Import a file and return the outcome, or the running import where a worker does it.

    A worker, if one runs, does the big files, and any file that gets no lease.

    Raises as `read_file`, and TooManyAtOnce.
    """
    is_worker_alive = heartbeat.worker_is_alive()
    may_queue = not dry_run and is_worker_alive
    try:
        with heavy_request(portfolio.user_id):
            # Read under the lease: those that wait for it keep no file in memory.
            data = file.read()
            return _import_or_queue(
                portfolio, data, file.name or "", options, dry_run, is_worker_alive
            )
    except TooManyAtOnce:
        if not may_queue:
            raise
        return _queue(portfolio, file.read(), file.name or "", None, options)


def _import_or_queue(
    portfolio: Portfolio,
    data: bytes,
    file_name: str,
    options: ImportOptions,
    dry_run: bool,
    is_worker_alive: bool,
) -> ImportBatch | Outcome:
    read = read_file(data, options, portfolio.user)
    is_big = len(read.rows) + read.failed + read.ignored > queue.ROWS_IN_A_REQUEST
    if is_big and is_worker_alive and not dry_run:
        return _queue(portfolio, data, file_name, read, options)
    import_batch = new_import_batch(portfolio=portfolio, data=data, file_name=file_name, read=read)
    outcome = record_statement(
        import_batch=import_batch,
        read=read,
        options=options,
        dry_run=dry_run,
        is_worker_alive=is_worker_alive,
    )
    enqueue_what_follows(outcome)
    return outcome


def enqueue_what_follows(outcome: Outcome) -> None:
    """Let the worker fetch histories, and look up the instruments that are not identified yet."""
    if outcome.is_saved:
        for stock_id in outcome.without_history:
            enqueue_on_commit(fetch_history, str(stock_id))
    if outcome.looking_up is not None:
        enqueue_on_commit(look_up_instruments)


def _queue(
    portfolio: Portfolio,
    data: bytes,
    file_name: str,
    read: Statement | None,
    options: ImportOptions,
) -> ImportBatch:
    queued = queue.queue_import(
        portfolio=portfolio, data=data, file_name=file_name, read=read, options=options
    )
    enqueue_on_commit(run_import, str(queued.pk))
    return queued


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=3500, time_limit=3600)
def run_import(import_id: str) -> None:
    """Do one waiting import. Safe to run twice, and to kill: `resume_imports` starts it again."""
    outcome = queue.run_import(UUID(import_id))
    if outcome is not None:
        enqueue_what_follows(outcome)


@shared_task(ignore_result=True)
def resume_imports() -> None:
    """Start every waiting import; the lease of one that is being done keeps others away."""
    for pk in queue.waiting_imports():
        run_import.delay(str(pk))
