"""Write what an import has planned."""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from uuid import UUID

from financeproj.core.db.rows import by_pk, pks_of, update_rows
from financeproj.history.models import Door
from financeproj.history.services import record
from marketdata import services as marketdata
from portfolios.calc.import_rows import ImportRow, RowProblem
from portfolios.calc.plausibility import PlausibilityWarning
from portfolios.models import (
    Holding,
    ImportBatch,
    PendingImport,
    Portfolio,
    Transaction,
    TransactionGroup,
)
from portfolios.services.completing import complete
from portfolios.services.handing_over import keep_known
from portfolios.services.history import import_counts, import_object
from portfolios.services.holding_changes import NewRow
from portfolios.services.import_groups import new_groups
from portfolios.services.import_money import money_transaction, write_money
from portfolios.services.import_plan import ImportPlan
from portfolios.services.import_report import Outcome
from portfolios.services.ledger_rows import keep_as_imported, to_transaction, touch
from portfolios.services.openings import keep_openings
from portfolios.services.replay import DERIVED, replay_chains
from portfolios.services.share_openings import store_openings
from portfolios.services.splits import catch_up
from portfolios.services.taking_back import keep_taken

BATCH = 2000
PREVIEW = 50
PLANNED = 0.3  # of the work is done when it is known what to write
OnProgress = Callable[[float], None]


def record_outcome(
    portfolio: Portfolio,
    import_batch: ImportBatch,
    plan: ImportPlan,
    problems: list[RowProblem],
    doubts: Mapping[UUID, Sequence[PlausibilityWarning]],
    is_refused: bool,
    is_written: bool,
    on_progress: OnProgress,
) -> Outcome:
    """Write the plan and the batch as far as they are to be written."""
    is_queued = not import_batch._state.adding
    import_batch.state = ImportBatch.State.FAILED if is_refused else ImportBatch.State.DONE
    preview = _preview(portfolio, import_batch, plan)
    if is_written:
        _write(portfolio, import_batch, plan, preview, on_progress)
    if is_queued or (is_written and (plan.leaves_something or plan.adopted)):
        record(
            "imported" if is_written else "import_failed",
            import_object(import_batch),
            counts=import_counts(import_batch),
            door=Door.IMPORT,
        )
    if is_queued:
        import_batch.progress = 1
        import_batch.save()
        PendingImport.objects.filter(import_batch=import_batch).delete()
    on_progress(1)
    return Outcome(
        import_batch=import_batch,
        is_saved=is_queued or (is_written and plan.leaves_something),
        is_refused=is_refused,
        problems=problems,
        preview=preview,
        without_history=list(_without_history(plan.changed_holdings)),
        doubts=doubts,
    )


def _write(
    portfolio: Portfolio,
    import_batch: ImportBatch,
    plan: ImportPlan,
    preview: list[Transaction],
    on_progress: OnProgress,
) -> None:
    adopting = [
        Transaction(pk=pk, external_id=external_id) for pk, external_id in plan.adopted.items()
    ]
    update_rows(Transaction, adopting, ["external_id"])
    if not plan.leaves_something:
        return
    import_batch.save()
    keep_taken(import_batch, plan.taken)
    Transaction.objects.filter(pk__in=pks_of(plan.gone)).delete()
    _write_holdings(plan.changed_holdings)
    _write_groups(import_batch, plan)
    _write_transactions(portfolio, import_batch, plan, preview, on_progress)
    store_openings(plan.reopened)
    write_money(portfolio, import_batch, plan.money)
    update_rows(Transaction, plan.changed, DERIVED)
    complete(import_batch, plan.completions)
    keep_known(import_batch, plan.known)
    replay_chains(plan.changed_holdings)
    touch(portfolio)
    keep_openings(portfolio)


def _write_groups(import_batch: ImportBatch, plan: ImportPlan) -> None:
    """Store the groups of shares whose legs are written next."""
    made = {one.leg.group_id for one in plan.added if one.leg is not None}
    groups = [group for pk, group in plan.groups.groups.items() if pk in made]
    TransactionGroup.objects.bulk_create(new_groups(groups, import_batch))


def _write_holdings(holdings: list[Holding]) -> None:
    marketdata.keep_instruments(stocks=[holding.stock for holding in holdings])
    new: list[Holding] = []
    for holding in holdings:
        holding.stock = holding.stock  # it may be another's, with another key
        if holding._state.adding:
            new.append(holding)
        else:
            holding.save()
    Holding.objects.bulk_create(new, batch_size=500)
    catch_up(new)


def _write_transactions(
    portfolio: Portfolio,
    import_batch: ImportBatch,
    plan: ImportPlan,
    preview: list[Transaction],
    on_progress: OnProgress,
) -> None:
    made = by_pk(preview)
    splits = [to_transaction(row, portfolio=portfolio) for row in plan.splits]
    Transaction.objects.bulk_create(splits)
    for start in range(0, len(plan.added), BATCH):
        on_progress(PLANNED + (1 - PLANNED) * start / len(plan.added))
        rows: list[Transaction] = []
        for one in plan.added[start : start + BATCH]:
            row = made.get(one.entry.pk)
            rows.append(row or _transaction(one, portfolio, import_batch))
        Transaction.objects.bulk_create(rows)


def _transaction(one: NewRow, portfolio: Portfolio, import_batch: ImportBatch) -> Transaction:
    row = to_transaction(
        one.entry,
        portfolio=portfolio,
        settlement_currency=_settled_in(one.file_row, portfolio),
        settlement_amount=one.file_row.settlement_amount,
        booked_on=one.file_row.booked_on,
        note=one.file_row.note,
        external_id=one.file_row.external_id,
        import_batch_id=one.import_id or import_batch.pk,
        imported_as=one.fingerprint,
        **_columns_of_leg(one),
    )
    keep_as_imported(row, portfolio)
    return row


def _columns_of_leg(one: NewRow) -> dict[str, object]:
    if one.leg is None:
        return {}
    return {
        "group_id": one.leg.group_id,
        "carried": one.leg.carried,
        "cost_share": one.leg.cost_share,
        "takes_all": one.leg.takes_all,
        "cash_rate": one.leg.cash_rate,
    }


def _settled_in(row: ImportRow, portfolio: Portfolio) -> str | None:
    """Return the currency that the money went through; None means the portfolio's."""
    if row.settlement_currency == portfolio.currency:
        return None
    return row.settlement_currency


def _preview(
    portfolio: Portfolio, import_batch: ImportBatch, plan: ImportPlan
) -> list[Transaction]:
    """Make the first PREVIEW transactions of the import, in the order of the file."""
    preview: list[Transaction] = []
    for one in heapq.nsmallest(PREVIEW, plan.added, key=lambda one: one.entry.sequence):
        made = _transaction(one, portfolio, import_batch)
        made.holding, made.portfolio = one.holding, portfolio
        # A dry run stores no groups that could be read.
        made.group = None
        if one.leg is not None:
            made.group = plan.groups.groups[one.leg.group_id]
        preview.append(made)
    for money in plan.money[:PREVIEW]:
        made = money_transaction(money, portfolio, import_batch)
        made.portfolio, made.group = portfolio, None
        preview.append(made)
    preview.sort(key=lambda row: row.sequence)
    return preview[:PREVIEW]


def _without_history(holdings: list[Holding]) -> Iterator[UUID]:
    """Yield the instruments whose past prices were never asked for."""
    for holding in holdings:
        if holding.stock.history_fetched_at is None and not holding.stock.is_manual:
            yield holding.stock_id
