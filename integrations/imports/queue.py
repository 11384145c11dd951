"""Big files, imported by a worker. The job is a row in the database; a message only starts it.

A worker holds a lease that ends soon after its last sign of progress, so that another takes over
from one that was killed. The lease only saves work: rows are recorded once because everything an
import writes, with its state and the end of the job, is one database transaction under the
portfolio's lock.
"""

import secrets
import time
from dataclasses import asdict
from typing import Any
from uuid import UUID

import structlog
from django.core.cache import cache
from django.db import transaction

from financeproj.core.errors import DomainError
from financeproj.core.shared.locks import change
from financeproj.history.context import acting, current_actor_id
from financeproj.history.models import Door
from financeproj.history.services import record
from integrations.imports.options import ImportOptions
from integrations.imports.pipeline import (
    describe_file,
    new_import_batch,
    read_file,
    record_statement,
)
from integrations.statements.base import Statement
from portfolios.calc.import_problems import group_problems
from portfolios.calc.import_rows import RowProblem
from portfolios.calc.import_rows import gettext_noop as _
from portfolios.models import ImportBatch, PendingImport, Portfolio
from portfolios.services.history import import_object
from portfolios.services.import_report import Outcome
from portfolios.services.import_rows import AlreadyDone

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ROWS_IN_A_REQUEST = 5000
LEASE_SECONDS = 60
ATTEMPTS = 3


@transaction.atomic
def queue_import(
    *,
    portfolio: Portfolio,
    data: bytes,
    file_name: str,
    read: Statement | None,
    options: ImportOptions,
) -> ImportBatch:
    """Store the file for a worker; from now on the import is in the state "running".

    `read` is None for a file that nothing has read yet.
    """
    import_batch = new_import_batch(portfolio=portfolio, data=data, file_name=file_name, read=read)
    import_batch.state, import_batch.progress = ImportBatch.State.RUNNING, 0
    import_batch.save(force_insert=True)
    PendingImport.objects.create(
        import_batch=import_batch,
        content=data,
        options=asdict(options),
        requested_by_id=current_actor_id(),
    )
    record("import_queued", import_object(import_batch), door=Door.IMPORT)
    return import_batch


def waiting_imports() -> list[UUID]:
    """Return the imports that no worker has done yet, oldest first."""
    return list(
        PendingImport.objects.order_by("import_batch__created_at").values_list("pk", flat=True)
    )


def progress_of(import_batch: ImportBatch) -> float:
    """Return how much of an import is done, from 0 to 1.

    What a worker reports is in the cache: an import is one database transaction.
    """
    if import_batch.state != ImportBatch.State.RUNNING:
        return import_batch.progress
    return cache.get(_progress_key(import_batch.pk)) or 0


def looking_up_of(import_batch: ImportBatch) -> tuple[int, int] | None:
    """Return how many instruments of a running import are identified, and of how many.

    None once it does something else.
    """
    if import_batch.state != ImportBatch.State.RUNNING or progress_of(import_batch):
        return None
    noted = cache.get(_looking_up_key(import_batch.pk))
    if noted is None or noted[0] == noted[1]:
        return None
    return noted[0], noted[1]


def run_import(pk: UUID) -> Outcome | None:
    """Do a waiting import; return None if it is done already, another worker is doing it, or it was
    given up.

    After ATTEMPTS that did not finish it is given up, with the state "failed".
    """
    token = secrets.token_hex(8)
    if not _hold(pk, token):
        return None
    try:
        return _attempt(pk, token)
    finally:
        change(_lease_key(pk), lambda held: _released(held, token), timeout_seconds=60)


def _attempt(pk: UUID, token: str) -> Outcome | None:
    waiting = PendingImport.objects.select_related("import_batch__portfolio__user")
    pending = waiting.filter(pk=pk).first()
    if pending is None:
        return None
    if pending.attempts >= ATTEMPTS:
        message = _("The import could not be finished. Try it in smaller files.")
        _give_up(pending, RowProblem("gave_up", message))
        return None
    PendingImport.objects.filter(pk=pk).update(attempts=pending.attempts + 1)
    options = ImportOptions(**pending.options)
    try:
        read = read_file(bytes(pending.content), options, pending.import_batch.portfolio.user)
        describe_file(pending.import_batch, read)
        with acting(door=Door.IMPORT, actor_id=pending.requested_by_id):
            return record_statement(
                import_batch=pending.import_batch,
                read=read,
                options=options,
                on_progress=lambda done: _note_progress(pk, token, done),
                on_looking_up=lambda done, of: _note_looking_up(pk, token, done, of),
            )
    except DomainError as error:
        _give_up(pending, RowProblem(error.code, error.message, error.params))
    except (AlreadyDone, Portfolio.DoesNotExist):
        log.info("import_was_done_elsewhere", import_id=str(pk))
    return None


def _hold(pk: UUID, token: str) -> bool:
    """Take the lease of an import, or renew ours; return False if another worker has it."""

    def renewed(held: list[Any] | None) -> list[Any]:
        if held is not None and held[0] != token:
            return held
        return [token, time.time()]

    held = change(_lease_key(pk), renewed, timeout_seconds=LEASE_SECONDS)
    return held is not None and held[0] == token


def _released(held: list[Any] | None, token: str) -> list[Any] | None:
    if held is not None and held[0] == token:
        return None
    return held


def _note_progress(pk: UUID, token: str, done: float) -> None:
    cache.set(_progress_key(pk), done, LEASE_SECONDS)
    _hold(pk, token)


def _note_looking_up(pk: UUID, token: str, done: int, of: int) -> None:
    cache.set(_looking_up_key(pk), [done, of], LEASE_SECONDS)
    _hold(pk, token)


@transaction.atomic
def _give_up(pending: PendingImport, problem: RowProblem) -> None:
    import_batch = pending.import_batch
    import_batch.state = ImportBatch.State.FAILED
    import_batch.errors = [problem.as_entry()]
    import_batch.problems = group_problems([problem], [])
    import_batch.save(update_fields=["state", "errors", "problems", "updated_at"])
    with acting(door=Door.IMPORT, actor_id=pending.requested_by_id):
        record("import_failed", import_object(import_batch))
    pending.delete()


def _lease_key(pk: UUID) -> str:
    return f"import-lease:{pk}"


def _progress_key(pk: UUID) -> str:
    return f"import-progress:{pk}"


def _looking_up_key(pk: UUID) -> str:
    return f"import-looking-up:{pk}"
