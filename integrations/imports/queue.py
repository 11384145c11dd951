"""Big files, imported by a worker. The job is a row in the database; a message only wakes somebody.

Whoever begins holds a lease that ends soon after its last sign of progress, so that a worker that
was killed is followed by another. The lease saves work, no more: what is recorded once is recorded
because everything an import writes, with its state and the end of the job, is one database
transaction under the portfolio's lock.
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
from integrations.imports.options import ImportOptions
from integrations.imports.pipeline import carry_out, new_import, read_file
from integrations.statements.base import Statement
from portfolios.models import ImportBatch, PendingImport, Portfolio
from portfolios.services.importing import AlreadyDone, Outcome, row_error

log = structlog.get_logger(__name__)

ROWS_IN_A_REQUEST = 5000
LEASE_SECONDS = 60
ATTEMPTS = 3


@transaction.atomic
def queue_import(
    *, portfolio: Portfolio, data: bytes, file_name: str, read: Statement, options: ImportOptions
) -> ImportBatch:
    """Keep the file for a worker; the import is in the state "running" from now on."""
    import_batch = new_import(portfolio=portfolio, data=data, file_name=file_name, read=read)
    import_batch.state, import_batch.progress = ImportBatch.State.RUNNING, 0
    import_batch.save(force_insert=True)
    PendingImport.objects.create(import_batch=import_batch, content=data, options=asdict(options))
    return import_batch


def waiting_imports() -> list[UUID]:
    """The imports that no worker has done yet, oldest first."""
    return list(
        PendingImport.objects.order_by("import_batch__created_at").values_list("pk", flat=True)
    )


def progress_of(import_batch: ImportBatch) -> float:
    """From 0 to 1. What a worker reports is not in the database, whose import is one
    transaction.
    """
    if import_batch.state != ImportBatch.State.RUNNING:
        return import_batch.progress
    return cache.get(_progress_key(import_batch.pk)) or 0


def run_import(pk: UUID) -> Outcome | None:
    """Do a waiting import; None if it is done already, another worker is at it, or it was given up.

    After ATTEMPTS that ended in no end it is given up, with the state "failed".
    """
    token = secrets.token_hex(8)
    if not _hold(pk, token):
        return None
    try:
        pending = (
            PendingImport.objects.select_related("import_batch__portfolio__user")
            .filter(pk=pk)
            .first()
        )
        if pending is None:
            return None
        if pending.attempts >= ATTEMPTS:
            _give_up(
                pending, "gave_up", "The import could not be finished. Try it in smaller files."
            )
            return None
        PendingImport.objects.filter(pk=pk).update(attempts=pending.attempts + 1)
        try:
            options = ImportOptions(**pending.options)
            return carry_out(
                import_batch=pending.import_batch,
                read=read_file(bytes(pending.content), options),
                options=options,
                on_progress=lambda done: _note_progress(pk, token, done),
            )
        except DomainError as problem:
            _give_up(pending, getattr(problem, "code", "too_large"), str(problem.detail))
        except (AlreadyDone, Portfolio.DoesNotExist):
            log.info("import_was_done_elsewhere", import_id=str(pk))
        return None
    finally:
        change(
            _lease_key(pk),
            lambda held: None if held and held[0] == token else held,
            timeout_seconds=60,
        )


def _hold(pk: UUID, token: str) -> bool:
    """Take the lease of an import, or make ours last longer; False if somebody else has it."""

    def ours(held: list[Any] | None) -> list[Any]:
        return [token, time.time()] if held is None or held[0] == token else held

    return change(_lease_key(pk), ours, timeout_seconds=LEASE_SECONDS)[0] == token


def _note_progress(pk: UUID, token: str, done: float) -> None:
    cache.set(_progress_key(pk), done, LEASE_SECONDS)
    _hold(pk, token)


@transaction.atomic
def _give_up(pending: PendingImport, code: str, detail: str) -> None:
    import_batch = pending.import_batch
    import_batch.state = ImportBatch.State.FAILED
    import_batch.errors = [row_error(0, None, None, code, detail)]
    import_batch.save(update_fields=["state", "errors", "updated_at"])
    pending.delete()


def _lease_key(pk: UUID) -> str:
    return f"import-lease:{pk}"


def _progress_key(pk: UUID) -> str:
    return f"import-progress:{pk}"
