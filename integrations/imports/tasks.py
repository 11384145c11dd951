"""Files imported: small ones at once, big ones by a worker from a queue of their own."""

from uuid import UUID

from celery import shared_task

from financeproj.core.shared.enqueue import enqueue_on_commit
from integrations import heartbeat
from integrations.imports import queue
from integrations.imports.options import ImportOptions
from integrations.imports.pipeline import new_import_batch, read_file, record_statement
from marketdata.tasks import fetch_history
from portfolios.models import ImportBatch, Portfolio
from portfolios.services.import_rows import Outcome


def submit_import(
    *,
    portfolio: Portfolio,
    data: bytes,
    file_name: str,
    options: ImportOptions,
    dry_run: bool = False,
) -> ImportBatch | Outcome:
    """Import a file and return the outcome. A big one goes to a worker, if one runs: then the
    running import is returned.

    Raises as `read_file`.
    """
    read = read_file(data, options)
    is_big = len(read.rows) + read.failed + read.ignored > queue.ROWS_IN_A_REQUEST
    if is_big and not dry_run and heartbeat.worker_is_alive():
        queued = queue.queue_import(
            portfolio=portfolio, data=data, file_name=file_name, read=read, options=options
        )
        enqueue_on_commit(run_import, str(queued.pk))
        return queued
    import_batch = new_import_batch(portfolio=portfolio, data=data, file_name=file_name, read=read)
    outcome = record_statement(
        import_batch=import_batch, read=read, options=options, dry_run=dry_run
    )
    if outcome.is_saved:
        for stock_id in outcome.without_history:
            enqueue_on_commit(fetch_history, str(stock_id))
    return outcome


@shared_task(acks_late=True, ignore_result=True, soft_time_limit=3500, time_limit=3600)
def run_import(import_id: str) -> None:
    """Do one waiting import. Safe to run twice, and to kill: `resume_imports` starts it again."""
    outcome = queue.run_import(UUID(import_id))
    if outcome is None:
        return
    for stock_id in outcome.without_history:
        fetch_history.delay(str(stock_id))


@shared_task(ignore_result=True)
def resume_imports() -> None:
    """Start every waiting import; the lease of one that is being done keeps others away."""
    for pk in queue.waiting_imports():
        run_import.delay(str(pk))
