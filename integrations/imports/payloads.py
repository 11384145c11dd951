"""The answers about imports."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.utils.translation import gettext
from msgspec import UNSET, Meta, Struct, UnsetType

from integrations.imports.queue import looking_up_of, progress_of
from portfolios.models import ImportBatch
from portfolios.payloads import TransactionPayload, transaction_payload
from portfolios.services.import_rows import Outcome


class FormatPayload(Struct):
    format: str
    label: str
    columns: list[str]
    example: str


class RowErrorPayload(Struct):
    row: Annotated[int, Meta(description="The line in the file; the header is 1.")]
    column: str | None
    value: str | None
    code: str
    detail: str


class CandidatePayload(Struct):
    ticker: str
    name: str
    exchange: str
    currency: str | None


class ImportedInstrumentPayload(Struct, kw_only=True):
    name: str
    isin: str | None
    symbol: Annotated[str | UnsetType | None, Meta(description="What the broker calls it.")] = UNSET
    ticker: Annotated[str | None, Meta(description="null: say which it is with `instruments`.")]
    currency: str | None
    resolved_by: str | None
    candidates: list[CandidatePayload] | UnsetType = UNSET


class IgnoredSumPayload(Struct):
    type: str
    currency: str
    count: int
    amount: str


class DivergencePayload(Struct):
    row: int
    expected: str
    got: str


class LookingUpPayload(Struct):
    done: Annotated[int, Meta(description="Instruments of the file that are identified.")]
    of: Annotated[int, Meta(description="Instruments of the file.")]


class ImportWarningPayload(Struct):
    """What may be a mistake in a file. `row` is its line, `field` the field of its transaction."""

    code: str
    detail: str
    row: int | UnsetType = UNSET
    field: str | UnsetType = UNSET


class ImportPayload(Struct):
    id: UUID | None
    portfolio_id: UUID
    file_name: str
    format: str
    encoding: str
    delimiter: str
    dry_run: bool
    state: ImportBatch.State
    progress: float
    rows: int
    created: int
    duplicates: int
    ignored: int
    failed: int
    ignored_sums: Annotated[
        list[IgnoredSumPayload], Meta(description="What the ignored rows add up to.")
    ]
    checkpoints: Annotated[
        int, Meta(description="Balances and numbers of shares that the file states for a day.")
    ]
    reconciled: bool | None
    first_divergence: DivergencePayload | None
    errors: Annotated[list[RowErrorPayload], Meta(description="At most 1,000.")]
    warnings: list[ImportWarningPayload]
    instruments: list[ImportedInstrumentPayload]
    looking_up: Annotated[
        LookingUpPayload | None,
        Meta(
            description="Set while instruments are being identified. A worker goes on, and the "
            "same file sent again knows more."
        ),
    ]
    preview: Annotated[
        list[TransactionPayload],
        Meta(description="The first 50 transactions, without ids in a dry run; empty in a list."),
    ]
    created_at: datetime | None


def row_error_payload(entry: Mapping[str, Any]) -> RowErrorPayload:
    """Show an entry of `ImportBatch.errors` in the language of the request."""
    detail = gettext(entry["detail"])
    if entry.get("params"):
        detail = gettext(entry["message"]) % entry["params"]
    return RowErrorPayload(entry["row"], entry["column"], entry["value"], entry["code"], detail)


def import_payload(import_batch: ImportBatch) -> ImportPayload:
    """Show a saved import, without a preview."""
    return ImportPayload(
        id=import_batch.pk,
        portfolio_id=import_batch.portfolio_id,
        file_name=import_batch.file_name,
        format=import_batch.format,
        encoding=import_batch.encoding,
        delimiter=import_batch.delimiter,
        dry_run=False,
        state=ImportBatch.State(import_batch.state),
        progress=progress_of(import_batch),
        rows=import_batch.rows,
        created=import_batch.created,
        duplicates=import_batch.duplicates,
        ignored=import_batch.ignored,
        failed=import_batch.failed,
        ignored_sums=msgspec.convert(import_batch.ignored_sums, list[IgnoredSumPayload]),
        checkpoints=import_batch.checkpoint_count,
        reconciled=import_batch.reconciled,
        first_divergence=msgspec.convert(import_batch.first_divergence, DivergencePayload | None),
        errors=[row_error_payload(entry) for entry in import_batch.errors],
        warnings=_warnings(import_batch.warnings),
        instruments=msgspec.convert(import_batch.instruments, list[ImportedInstrumentPayload]),
        looking_up=_looking_up_payload(looking_up_of(import_batch)),
        preview=[],
        created_at=import_batch.created_at,
    )


def _warnings(entries: Iterable[object]) -> list[ImportWarningPayload]:
    """Show the entries of ImportBatch.warnings; those of earlier releases are texts alone."""
    warnings = []
    for entry in entries:
        if isinstance(entry, str):
            entry = {"code": "note", "detail": entry}
        warnings.append(msgspec.convert(entry, ImportWarningPayload))
    return warnings


def outcome_payload(outcome: Outcome, *, dry_run: bool) -> ImportPayload:
    """Show what an import did, or would do, in the language of the request; what was not saved has
    no id.
    """
    payload = import_payload(outcome.import_batch)
    payload.errors = [row_error_payload(problem.as_entry()) for problem in outcome.problems]
    payload.dry_run = dry_run
    payload.looking_up = _looking_up_payload(outcome.looking_up)
    payload.preview = [
        transaction_payload(row, outcome.doubts.get(row.pk, ())) for row in outcome.preview
    ]
    if not outcome.is_saved:
        payload.id = None
        for shown in payload.preview:
            shown.id = shown.holding_id = shown.import_id = None
    return payload


def _looking_up_payload(counts: tuple[int, int] | None) -> LookingUpPayload | None:
    if counts is None:
        return None
    return LookingUpPayload(*counts)
