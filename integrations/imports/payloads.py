"""The answers about imports."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
from django.utils.translation import gettext
from msgspec import UNSET, Meta, Struct, UnsetType

from financeproj.core.json_types import ReadOnlyDecimal
from integrations.imports.queue import looking_up_of, progress_of
from portfolios.calc.import_rows import gettext_noop as _
from portfolios.models import ImportBatch, ImportMapping
from portfolios.payloads import TransactionPayload, transaction_payload
from portfolios.services.import_report import Outcome
from portfolios.services.import_warnings import ERRORS_LISTED

ERRORS_IN_LISTS = 20


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


class ProblemPayload(Struct, kw_only=True):
    """Errors of rows that have one answer: those of one instrument, or of one unknown word."""

    code: str
    detail: Annotated[str, Meta(description="Of the first of these rows.")]
    column: str | None
    value: str | None
    count: Annotated[int, Meta(description="How many rows have it.")]
    rows: Annotated[list[int], Meta(description="Their lines in the file, the first 20.")]
    sample: Annotated[str, Meta(description="The first of the rows, as text.")]
    instrument: Annotated[
        str | UnsetType,
        Meta(
            description="The ticker, ISIN or name; `ISIN:currency` if the file trades several "
            "listings of it."
        ),
    ] = UNSET
    candidates: list[CandidatePayload] | UnsetType = UNSET
    group: Annotated[
        str | UnsetType, Meta(description="What the rows belong to, such as a merger.")
    ] = UNSET
    hint: Annotated[str, Meta(description="What to do.")]


class MappingPayload(Struct):
    name: str
    format: str
    mapping: dict[str, Any]


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
    """What may be a mistake in a file. `row` is its line, `field` the field of its transaction.

    `transaction_id` names shares whose group is to be completed.
    """

    code: str
    detail: str
    row: int | UnsetType = UNSET
    field: str | UnsetType = UNSET
    transaction_id: UUID | UnsetType = UNSET


class OpeningPayload(Struct, omit_defaults=True):
    """Money in a currency, or shares of an instrument, at the end of `date`."""

    date: date
    currency: str | UnsetType = UNSET
    amount: ReadOnlyDecimal | UnsetType = UNSET
    ticker: str | UnsetType = UNSET
    quantity: ReadOnlyDecimal | UnsetType = UNSET


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
    created: Annotated[int, Meta(description="Rows of the file that became transactions.")]
    money_created: Annotated[
        int, Meta(description="Transactions of money alone that were made of them.")
    ]
    groups_created: Annotated[int, Meta(description="Groups, such as conversions, likewise.")]
    duplicates: int
    completed: Annotated[
        int,
        Meta(description="Duplicates of which the file says more, such as tax: it was taken over."),
    ]
    ignored: int
    failed: int
    ignored_sums: Annotated[
        list[IgnoredSumPayload], Meta(description="What the ignored rows add up to.")
    ]
    checkpoints: Annotated[
        int, Meta(description="Balances and numbers of shares that the file states for a day.")
    ]
    opening: Annotated[
        list[OpeningPayload],
        Meta(
            description="What stood before the rows of the file and was not booked. "
            "`accept_opening=true` books the shares; money is booked by itself."
        ),
    ]
    cash_from: Annotated[
        date | None,
        Meta(
            description="The day from which the portfolio's cash follows from its transactions, "
            "after this import."
        ),
    ]
    reconciled: bool | None
    first_divergence: DivergencePayload | None
    errors: Annotated[
        list[RowErrorPayload], Meta(description="At most 1,000; in a list at most 20.")
    ]
    problems: Annotated[
        list[ProblemPayload],
        Meta(
            description="The errors put together: one for an instrument, one for an unknown word. "
            "At most 200; in a list at most 20."
        ),
    ]
    warnings: Annotated[list[ImportWarningPayload], Meta(description="In a list at most 20.")]
    instruments: list[ImportedInstrumentPayload]
    first_day: Annotated[
        date | None,
        Meta(description="In a dry run, the earliest day of the rows that could be read."),
    ]
    mapping_name: Annotated[
        str | None, Meta(description="The saved mapping by which the file was read.")
    ]
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
    detail = _detail_of(entry)
    return RowErrorPayload(entry["row"], entry["column"], entry["value"], entry["code"], detail)


def _detail_of(entry: Mapping[str, Any]) -> str:
    if entry.get("params"):
        return gettext(entry["message"]) % entry["params"]
    return gettext(entry["detail"])


# What to do about a problem. The texts fit the page, the API and the command line.
_HINTS = {
    "unresolved": _("Choose its ticker, or have it priced by hand."),
    "unknown_ticker": _("Choose another ticker, or have it priced by hand."),
    "unknown_type": _("Say what the word means, or ignore its rows."),
    "currency_required": _("Say which currency it is in."),
    "insufficient_quantity": _("Import the files with the earlier purchases first."),
    "amount_differs": _("Compare the row with the broker's note. Enter it by hand if it is right."),
    "exchange_rate_required": _("Enter the row by hand with its exchange rate."),
    "unpaired_reversal": _("Skip the row, and delete the transaction that it takes back."),
    "unpaired_conversion": _("Export the file with all currencies of the account."),
    "unsupported_instrument": _("Skip these rows: this kind of instrument cannot be recorded."),
}
_OTHER_HINT = _("Skip these rows, and enter them by hand.")


def problem_payloads(import_batch: ImportBatch) -> list[ProblemPayload]:
    """Show the problems of a file in the language of the request."""
    candidates: dict[str, list[CandidatePayload]] = {}
    for one in import_batch.instruments:
        if one.get("candidates"):
            name = one.get("isin") or one.get("symbol") or one["name"]
            shown = msgspec.convert(one["candidates"], list[CandidatePayload])
            candidates[name] = shown
            candidates[f"{name}:{one['currency']}"] = shown  # if it is one of several listings
    problems: list[ProblemPayload] = []
    for entry in import_batch.problems:
        instrument = entry.get("instrument", UNSET)
        problems.append(
            ProblemPayload(
                code=entry["code"],
                detail=_detail_of(entry),
                column=entry["column"],
                value=entry["value"],
                count=entry["count"],
                rows=entry["rows"],
                sample=entry["sample"],
                instrument=instrument,
                candidates=candidates.get(instrument, UNSET),
                group=entry.get("group", UNSET),
                hint=gettext(_HINTS.get(entry["code"], _OTHER_HINT)),
            )
        )
    return problems


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
        money_created=import_batch.money_created,
        groups_created=import_batch.groups_created,
        duplicates=import_batch.duplicates,
        completed=import_batch.completed,
        ignored=import_batch.ignored,
        failed=import_batch.failed,
        ignored_sums=msgspec.convert(import_batch.ignored_sums, list[IgnoredSumPayload]),
        checkpoints=import_batch.checkpoint_count,
        opening=[_opening_payload(entry) for entry in import_batch.opening],
        cash_from=import_batch.portfolio.cash_from,
        reconciled=import_batch.reconciled,
        first_divergence=msgspec.convert(import_batch.first_divergence, DivergencePayload | None),
        errors=[row_error_payload(entry) for entry in import_batch.errors],
        problems=problem_payloads(import_batch),
        warnings=_warnings(import_batch.warnings),
        instruments=msgspec.convert(import_batch.instruments, list[ImportedInstrumentPayload]),
        first_day=None,
        mapping_name=import_batch.mapping_name or None,
        looking_up=_looking_up_payload(looking_up_of(import_batch)),
        preview=[],
        created_at=import_batch.created_at,
    )


def listed_import_payload(import_batch: ImportBatch) -> ImportPayload:
    """Show a saved import in a list, with its first errors and warnings alone."""
    payload = import_payload(import_batch)
    del payload.errors[ERRORS_IN_LISTS:]
    del payload.problems[ERRORS_IN_LISTS:]
    del payload.warnings[ERRORS_IN_LISTS:]
    return payload


def mapping_payload(row: ImportMapping) -> MappingPayload:
    return MappingPayload(row.name, row.format, row.mapping)


def _opening_payload(entry: Mapping[str, str]) -> OpeningPayload:
    day = date.fromisoformat(entry["date"])
    if "ticker" in entry:
        return OpeningPayload(day, ticker=entry["ticker"], quantity=Decimal(entry["quantity"]))
    return OpeningPayload(day, currency=entry["currency"], amount=Decimal(entry["amount"]))


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
    listed = outcome.problems[:ERRORS_LISTED]
    payload.errors = [row_error_payload(problem.as_entry()) for problem in listed]
    payload.dry_run = dry_run
    payload.first_day = outcome.first_day if dry_run else None
    payload.looking_up = _looking_up_payload(outcome.looking_up)
    payload.preview = [
        transaction_payload(row, outcome.doubts.get(row.pk, ())) for row in outcome.preview
    ]
    if not outcome.is_saved:
        payload.id = None
        for shown in payload.preview:
            shown.id = shown.holding_id = shown.import_id = shown.group_id = None
    return payload


def _looking_up_payload(counts: tuple[int, int] | None) -> LookingUpPayload | None:
    if counts is None:
        return None
    return LookingUpPayload(*counts)
