"""What looks like a mistake in a file, or is not known of it."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from portfolios.calc.kinds import TransactionType
from portfolios.calc.plausibility import PlausibilityWarning
from portfolios.services.actions import COST_SHARE_UNKNOWN
from portfolios.services.holding_changes import NewRow
from portfolios.services.import_plan import ImportPlan

# A file of nothing but mistakes would fill the database with them; `failed` counts them all.
ERRORS_LISTED = 1000
ROWS_NAMED = 20
UNPAIRED_ACTION = (
    "These shares came without what they came for, so they have no cost. If they came for others, "
    "complete the group on the page of the holding that they came from."
)
COST_SHARE_LEFT_OUT = (
    "The file does not say which part of the cost these shares take over. Change the group if you "
    "know it; the totals are right with any part."
)


def warnings_of_rows(
    added: Sequence[NewRow], doubts: Mapping[UUID, Sequence[PlausibilityWarning]]
) -> list[dict[str, object]]:
    """Return entries of `ImportBatch.warnings`, in the order of the file.

    Each detail begins with the ticker, by which the page and the command group them: an instrument
    in pence or with a split has many rows with one cause.
    """
    entries: list[dict[str, object]] = []
    for one in sorted(added, key=lambda one: one.file_row.row):
        for doubt in doubts.get(one.entry.pk, ()):
            detail = f"{one.file_row.ticker}: {doubt.detail()}"
            entry = {"code": doubt.code, "detail": detail, "field": doubt.field}
            entries.append({**entry, "row": one.file_row.row})
    return entries[:ERRORS_LISTED]


def warnings_of_costs(plan: ImportPlan) -> list[dict[str, object]]:
    """Return warnings of the new rows whose shares have no cost in the file."""
    detail = (
        "The file does not say what these shares cost. They came in at the close of the day, or "
        "at 0 where none is known. Edit the price of the transaction if you know it."
    )
    lines = _added(plan, plan.unknown_costs)
    return _warnings("cost_unknown", detail, lines[:ROWS_NAMED])


def warnings_of_renames(plan: ImportPlan) -> list[dict[str, object]]:
    """Say which new rows are booked on the instrument that another became."""
    entries: list[dict[str, object]] = []
    renamed = [one.file_row for one in plan.added if one.file_row.renamed_from]
    for row in sorted(renamed, key=lambda row: row.row)[:ROWS_NAMED]:
        detail = (
            f"{row.renamed_from} became {row.ticker} in this portfolio, so this row is booked "
            "there. If it is another share, enter the transaction by hand."
        )
        entries.append({"code": "renamed", "detail": detail, "row": row.row})
    return entries


def warnings_of_groups(plan: ImportPlan, *, is_written: bool) -> list[dict[str, object]]:
    """Say which shares came without a cost, or with a part of the cost that is not known.

    With `is_written` each names its transaction, whose group is then completed or changed.
    """
    unpaired = _added(plan, plan.groups.unpaired)
    unknown = _added(plan, plan.groups.unknown)
    ids: dict[int, UUID] = {}
    if is_written and (unpaired or unknown):
        came = [one for one in plan.added if one.entry.type == TransactionType.EXCHANGE_IN]
        ids = {one.file_row.row: one.entry.pk for one in came}
    entries = _warnings("unpaired_action", UNPAIRED_ACTION, unpaired, ids)
    entries += _warnings(COST_SHARE_UNKNOWN, COST_SHARE_LEFT_OUT, unknown, ids)
    return entries[:ERRORS_LISTED]


def warnings_of_rates(plan: ImportPlan) -> list[dict[str, object]]:
    """Return warnings of shares that were accepted and cannot be booked for want of a rate."""
    detail = (
        "These shares were there before the file begins. No exchange rate is known for the day "
        "before, so they were not booked. Enter a transfer in by hand."
    )
    lines = [one.line for one in plan.openings if one.import_id and one.quantity and not one.rate]
    return _warnings("exchange_rate_required", detail, lines)


def warnings_of_edits(lines: Sequence[int]) -> list[dict[str, object]]:
    detail = (
        "This row is recorded, and was edited since. What the file says more of it was not taken "
        "over. Delete it and import again to have it as the file says."
    )
    return _warnings("edited_since", detail, lines[:ROWS_NAMED])


def warnings_of_reversals(plan: ImportPlan) -> list[dict[str, object]]:
    """Name the transactions of earlier imports that the file takes back."""
    entries: list[dict[str, object]] = []
    for one in plan.taken[:ROWS_NAMED]:
        row = one.row
        of = f" of {row.holding.stock.ticker}" if row.holding else ""
        detail = (
            f"The broker reversed the {row.type}{of} on {row.date}. It is taken out of the "
            "portfolio; undoing this import puts it back."
        )
        entries.append({"code": "reversed", "detail": detail, "row": one.line})
    return entries


def _added(plan: ImportPlan, lines: Sequence[int]) -> list[int]:
    """Return those of `lines` that are recorded."""
    if not lines:
        return []
    added = {one.file_row.row for one in plan.added}
    return [line for line in lines if line in added]


def _warnings(
    code: str, detail: str, lines: Iterable[int], ids: Mapping[int, UUID] | None = None
) -> list[dict[str, object]]:
    """Return an entry for each of `lines`; `ids` are the transactions to name, by line."""
    entries: list[dict[str, object]] = []
    for line in lines:
        entry: dict[str, object] = {"code": code, "detail": detail, "row": line}
        if ids:
            entry["transaction_id"] = str(ids[line])
        entries.append(entry)
    return entries
