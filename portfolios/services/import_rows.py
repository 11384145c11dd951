"""Record the rows of a file in a portfolio at once."""

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from django.db import transaction

from financeproj.core.db.rows import reading
from marketdata import services as marketdata
from marketdata.models import StockMetadata
from portfolios.calc.import_rows import Checkpoint, ImportRow, RowProblem
from portfolios.models import ImportBatch, Portfolio
from portfolios.services.checkpoints import (
    offered,
    store_checkpoints,
    tells_something_new,
    usable_checkpoints,
)
from portfolios.services.import_lookups import instruments_of, rates_of
from portfolios.services.import_plan import ImportPlan, make_plan
from portfolios.services.import_report import (
    Outcome,
    compare_with_broker,
    describe,
    doubts_of,
    tell_cash,
)
from portfolios.services.import_warnings import (
    warnings_of_costs,
    warnings_of_edits,
    warnings_of_groups,
    warnings_of_rates,
    warnings_of_renames,
    warnings_of_reversals,
    warnings_of_rows,
)
from portfolios.services.import_writing import PLANNED, OnProgress, record_outcome
from portfolios.services.imported_openings import keep_imported_openings
from portfolios.services.ledger_rows import lock_portfolio
from portfolios.services.share_openings import FileSays
from portfolios.services.taking_back import NO_REVERSALS, Reversals

WORKER_SECONDS = 90.0  # for which an import in the worker asks the sources about its tickers
RUNNING = ImportBatch.State.RUNNING


class AlreadyDone(Exception):
    """Another worker has finished this import meanwhile, or it was deleted."""


def import_rows(
    *,
    import_batch: ImportBatch,
    rows: Sequence[ImportRow],
    problems: Sequence[RowProblem] = (),
    on_error: str = "abort",
    dry_run: bool = False,
    accept_opening: bool = False,
    checkpoints: Sequence[Checkpoint] = (),
    on_progress: OnProgress = lambda done: None,
    identified: Container[str] = (),
    by_hand: Container[str] = (),
    reversals: Reversals = NO_REVERSALS,
) -> Outcome:
    """Record the new ones among `rows` in the batch's portfolio, in one database transaction.

    `import_batch` names the portfolio and the file, and counts the `failed` and `ignored` rows that
    could not be used, whose `problems` are listed with those found here. It is not saved yet,
    unless a worker does the import: then what became of it is saved in any case, in the same
    transaction, and AlreadyDone is raised if another worker was first. Rows that the portfolio has
    already are left out (`match` says which). With `on_error` "abort" nothing is written if any row
    fails, and the state is "failed"; with "skip" the others are recorded. Instruments, rates and
    splits are asked for before the database transaction begins. `on_progress` is called with the
    fraction of the work that is done. `checkpoints` are stored with the import and compared with
    the ledger after it; the first that differs becomes `first_divergence`, unless the file
    contradicts itself. With `accept_opening` the shares that must have been held before are booked
    too. A dry run locks nothing, and asks no source about `identified` tickers. New instruments
    `by_hand` are priced by hand, whatever the sources know by their tickers. What `reversals` say
    was taken back goes, and undo puts it back.
    """
    portfolio = import_batch.portfolio
    seconds = None
    if not import_batch._state.adding:
        seconds = WORKER_SECONDS
    instruments = instruments_of(
        portfolio.user, rows, identified, by_hand, dry_run=dry_run, seconds=seconds
    )
    kept = usable_checkpoints(checkpoints, instruments)
    says = FileSays(import_batch.pk, kept, import_batch.account, accept_opening)
    rates = rates_of(portfolio, rows, instruments, says)
    asked_for_splits = asked_for_closes = False
    while True:
        with _reading_or_writing(portfolio, dry_run=dry_run) as current:
            _require_unfinished(import_batch)
            plan = make_plan(
                current,
                rows,
                instruments,
                rates,
                says,
                lambda done: on_progress(PLANNED * done),
                reversals,
            )
            short, unpriced = [], []
            if not asked_for_splits:
                short = [stock for stock in plan.short_of_shares if _has_source(stock)]
            if not asked_for_closes:
                unpriced = _unpriced(plan)
            if not short and not unpriced:
                by_line = sorted([*problems, *plan.problems], key=lambda problem: problem.row)
                describe(import_batch, plan, instruments, by_line, rows)
                doubts = doubts_of(current, plan.added)
                import_batch.warnings += warnings_of_rows(plan.added, doubts)
                import_batch.warnings += warnings_of_edits(plan.edited_lines)
                import_batch.warnings += warnings_of_reversals(plan)
                import_batch.warnings += warnings_of_renames(plan)
                import_batch.warnings += warnings_of_costs(plan)
                is_refused = on_error == "abort" and import_batch.failed > 0
                is_written = not dry_run and not is_refused
                import_batch.warnings += warnings_of_groups(plan, is_written=is_written)
                import_batch.warnings += warnings_of_rates(plan)
                import_batch.checkpoint_count = len(kept)
                import_batch.accepts_opening = accept_opening
                import_batch.opening = offered(
                    current, says, plan, failed=import_batch.failed, is_written=is_written
                )
                plan.tells_something_new = is_written and tells_something_new(current, kept)
                outcome = record_outcome(
                    current,
                    import_batch,
                    plan,
                    by_line,
                    doubts,
                    is_refused,
                    is_written,
                    on_progress,
                )
                if outcome.is_saved and is_written:
                    store_checkpoints(import_batch, kept, instruments)
                    keep_imported_openings(current)
                tell_cash(outcome, current, plan, kept, is_written=is_written)
                compare_with_broker(outcome, plan, kept, is_written=is_written)
                return replace(outcome, unanswered=marketdata.unanswered(instruments))
        # Before a sale is refused for want of shares the sources are asked for splits, and for the
        # closes at which shares come in; outside the transaction.
        asked_for_splits = asked_for_splits or bool(short)
        asked_for_closes = asked_for_closes or bool(unpriced)
        marketdata.refresh_stocks(list(dict.fromkeys([*short, *unpriced])), full=True)


@contextmanager
def _reading_or_writing(portfolio: Portfolio, *, dry_run: bool) -> Iterator[Portfolio]:
    """Begin a database transaction and yield the portfolio: locked, but in a dry run, which makes
    no writer wait, however large its file is.
    """
    if dry_run:
        with reading():
            yield Portfolio.objects.get(pk=portfolio.pk)
    else:
        with transaction.atomic():
            yield lock_portfolio(portfolio)


def _require_unfinished(import_batch: ImportBatch) -> None:
    if import_batch._state.adding:
        return
    if not ImportBatch.objects.filter(pk=import_batch.pk, state=RUNNING).exists():
        raise AlreadyDone


def _unpriced(plan: ImportPlan) -> list[StockMetadata]:
    """Return the instruments whose closes were never asked for, of openings without a price and of
    groups whose cost shares are unknown.
    """
    new = [one for one in plan.openings if one.is_booked and one.standing is None]
    stocks = [one.stock for one in new if not one.price] + plan.groups.unpriced
    return [stock for stock in stocks if _has_source(stock) and stock.history_fetched_at is None]


def _has_source(stock: StockMetadata) -> bool:
    return not stock.is_manual and not stock._state.adding
