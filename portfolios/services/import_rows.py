"""The rows of a file recorded in a portfolio at once."""

import heapq
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from financeproj.core.db.rows import reading, update_rows
from financeproj.core.errors import DomainError
from financeproj.history.models import Door
from financeproj.history.services import record
from financeproj.users.models import User
from marketdata import services as marketdata
from marketdata.models import StockMetadata
from marketdata.queries import exchange_rates_for_import
from portfolios.calc.agreement import Agreement
from portfolios.calc.import_rows import Checkpoint, ImportRow, RowProblem
from portfolios.calc.kinds import RULES
from portfolios.calc.plausibility import PlausibilityWarning
from portfolios.models import Holding, ImportBatch, PendingImport, Portfolio, Transaction
from portfolios.services.checkpoints import (
    agreement_after,
    agreement_with_plan,
    store_checkpoints,
    tells_something_new,
    usable_checkpoints,
)
from portfolios.services.history import import_counts, import_object
from portfolios.services.holding_changes import NewRow
from portfolios.services.import_plan import ImportPlan, Instruments, make_plan
from portfolios.services.imported_openings import keep_imported_openings
from portfolios.services.ledger_rows import (
    keep_as_imported,
    lock_portfolio,
    to_transaction,
    touch,
)
from portfolios.services.openings import keep_openings
from portfolios.services.plausibility import Checked, plausibility_warnings
from portfolios.services.replay import DERIVED
from portfolios.services.splits import catch_up
from portfolios.valuation import compare_import

BATCH = 2000
PREVIEW = 50
WORKER_SECONDS = 90.0  # for which an import in the worker asks the sources about its tickers
PLANNED = 0.3  # of the work is done when it is known what to write
# A file of nothing but mistakes would fill the database with them; `failed` counts them all.
ERRORS_LISTED = 1000
RUNNING = ImportBatch.State.RUNNING

OnProgress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file, or would become of it in a dry run.

    `import_batch` is saved only if it created transactions, or tells a checkpoint that no other
    import tells. `preview` has the first transactions, and `problems` are those in
    `import_batch.errors`.
    `without_history` are the instruments whose past prices were never asked for. `unanswered` are
    the tickers about which the sources have not answered yet, with their currencies where the file
    gives them. `looking_up` are how many of the file's instruments are identified, and of how many;
    None if nothing more is being looked up. `doubts` are what looks like a mistake in the
    transactions, by their id.
    """

    import_batch: ImportBatch
    is_saved: bool
    is_refused: bool
    problems: list[RowProblem]
    preview: list[Transaction]
    without_history: list[UUID]
    unanswered: Mapping[str, str] = field(default_factory=dict)
    looking_up: tuple[int, int] | None = None
    doubts: Mapping[UUID, Sequence[PlausibilityWarning]] = field(default_factory=dict)


class AlreadyDone(Exception):
    """Another worker has finished this import meanwhile, or it was deleted."""


def import_rows(
    *,
    import_batch: ImportBatch,
    rows: Sequence[ImportRow],
    problems: Sequence[RowProblem] = (),
    on_error: str = "abort",
    dry_run: bool = False,
    checkpoints: Sequence[Checkpoint] = (),
    on_progress: OnProgress = lambda done: None,
    identified: Container[str] = (),
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
    contradicts itself. A dry run locks nothing, and asks no source about `identified` tickers.
    """
    portfolio = import_batch.portfolio
    seconds = None
    if not import_batch._state.adding:
        seconds = WORKER_SECONDS
    instruments = _instruments(portfolio.user, rows, identified, dry_run=dry_run, seconds=seconds)
    rates = _rates(portfolio, rows, instruments)
    asked_for_splits = False
    while True:
        with _reading_or_writing(portfolio, dry_run=dry_run) as current:
            _require_unfinished(import_batch)
            plan = make_plan(
                current, rows, instruments, rates, lambda done: on_progress(PLANNED * done)
            )
            short = [stock for stock in plan.short_of_shares if _has_source(stock)]
            if asked_for_splits or not short:
                by_line = sorted([*problems, *plan.problems], key=lambda problem: problem.row)
                listed = by_line[:ERRORS_LISTED]
                _describe(import_batch, plan, instruments, listed)
                doubts = _doubts(current, plan.added)
                import_batch.warnings += _warnings_of_rows(plan.added, doubts)
                is_refused = on_error == "abort" and import_batch.failed > 0
                is_written = not dry_run and not is_refused
                kept = usable_checkpoints(checkpoints, instruments)
                import_batch.checkpoint_count = len(kept)
                plan.tells_something_new = is_written and tells_something_new(current, kept)
                outcome = _record(
                    current, import_batch, plan, listed, doubts, is_refused, is_written, on_progress
                )
                if outcome.is_saved and is_written:
                    store_checkpoints(import_batch, kept, instruments)
                    keep_imported_openings(current)
                _compare(outcome, plan, kept, is_written=is_written)
                return replace(outcome, unanswered=marketdata.unanswered(instruments))
        # Before a sale is refused for want of shares the sources are asked for splits; outside the
        # transaction.
        asked_for_splits = True
        marketdata.refresh_stocks(short, full=True)


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


def _has_source(stock: StockMetadata) -> bool:
    return not stock.is_manual and not stock._state.adding


# --- What has to be known before the database transaction begins ----------------------------------


def _instruments(
    user: User,
    rows: Iterable[ImportRow],
    identified: Container[str],
    *,
    dry_run: bool,
    seconds: float | None,
) -> Instruments:
    """Find the instrument of each ticker, or why there is none. May ask the sources for `seconds`,
    in a dry run not about those `identified`.
    """
    currencies: dict[str, str | None] = {}
    names: dict[str, str] = {}
    for row in rows:
        currencies[row.ticker] = currencies.get(row.ticker) or row.currency
        names[row.ticker] = names.get(row.ticker) or row.company_name

    def look_up(tickers: Mapping[str, str | None]) -> Instruments:
        wanted = [(ticker, currency, names[ticker]) for ticker, currency in tickers.items()]
        return marketdata.instruments_for_import(
            user=user,
            wanted=wanted,
            dry_run=dry_run,
            unasked=identified if dry_run else (),
            seconds=seconds,
        )

    found = look_up(currencies)
    # The first currency in the file is wrong: the instrument is what it is without it, and each row
    # is judged alone.
    mismatched = [ticker for ticker, stock in found.items() if _is_mismatch(stock)]
    return {**found, **look_up(dict.fromkeys(mismatched))}


def _is_mismatch(stock: StockMetadata | DomainError) -> bool:
    return isinstance(stock, DomainError) and stock.code == "currency_mismatch"


def _rates(
    portfolio: Portfolio, rows: Iterable[ImportRow], instruments: Instruments
) -> dict[tuple[str, str, date], Decimal | None]:
    """Find the rates of the days on which the file gives none."""
    wanted: set[tuple[str, str, date]] = set()
    for row in rows:
        if row.exchange_rate is not None or not RULES[row.type].is_priced:
            continue
        stock = instruments[row.ticker]
        if isinstance(stock, StockMetadata) and stock.currency != portfolio.currency:
            wanted.add((stock.currency, portfolio.currency, row.date))
    return exchange_rates_for_import(wanted) if wanted else {}


# --- What became of the file ----------------------------------------------------------------------


def _describe(
    import_batch: ImportBatch,
    plan: ImportPlan,
    instruments: Instruments,
    problems: Sequence[RowProblem],
) -> None:
    """Put counts, problems and instruments into `import_batch` (not saved)."""
    import_batch.created = len(plan.added)
    import_batch.duplicates = plan.duplicates
    import_batch.failed += len(plan.problems)
    import_batch.rows = (
        import_batch.created + import_batch.duplicates + import_batch.ignored + import_batch.failed
    )
    import_batch.errors = [problem.as_entry() for problem in problems]
    import_batch.instruments = _listed_instruments(import_batch, instruments)
    import_batch.adopted = {str(pk): external_id for pk, external_id in plan.adopted.items()}


def _compare(
    outcome: Outcome, plan: ImportPlan, checkpoints: Sequence[Checkpoint], *, is_written: bool
) -> None:
    """Put into the import whether the ledger agrees with its checkpoints, now or in a dry run."""
    import_batch = outcome.import_batch
    if outcome.is_refused:
        agreement = Agreement({})
        import_batch.reconciled = None
    elif not checkpoints:
        agreement = Agreement({})
    elif is_written:
        agreement = agreement_after(import_batch)
    else:
        agreement = agreement_with_plan(import_batch, plan, checkpoints)
    compare_import(import_batch, checkpoints, agreement)
    if outcome.is_saved:
        import_batch.save(update_fields=["reconciled", "first_divergence", "updated_at"])


def _listed_instruments(
    import_batch: ImportBatch, instruments: Instruments
) -> list[dict[str, object]]:
    """List what the file's instruments were taken for: those that were identified before, and the
    others by their ticker.
    """
    identified = import_batch.instruments
    tickers = {one["ticker"] for one in identified}
    listed = list(identified)
    for ticker, stock in instruments.items():
        if isinstance(stock, StockMetadata) and ticker not in tickers:
            listed.append(
                {
                    "name": stock.company_name,
                    "isin": stock.isin or None,
                    "ticker": ticker,
                    "resolved_by": "ticker",
                }
            )
    del listed[ERRORS_LISTED:]
    for one in listed:
        found = instruments.get(one["ticker"])
        if isinstance(found, StockMetadata):
            one["currency"] = found.currency
    return listed


def _doubts(
    portfolio: Portfolio, added: Sequence[NewRow]
) -> Mapping[UUID, Sequence[PlausibilityWarning]]:
    """Return what looks like a mistake in the new transactions, by their id."""
    checked = []
    for one in added:
        entry = one.entry
        checked.append(
            Checked(
                pk=entry.pk,
                stock=one.holding.stock,
                currency=portfolio.currency,
                type=entry.type,
                day=entry.date,
                price=entry.price,
                rate=entry.exchange_rate,
            )
        )
    return plausibility_warnings(checked)


def _warnings_of_rows(
    added: Sequence[NewRow], doubts: Mapping[UUID, Sequence[PlausibilityWarning]]
) -> list[dict[str, object]]:
    """Return entries of `ImportBatch.warnings`, in the order of the file."""
    entries: list[dict[str, object]] = []
    for one in sorted(added, key=lambda one: one.file_row.row):
        for doubt in doubts.get(one.entry.pk, ()):
            entry = {"code": doubt.code, "detail": doubt.detail(), "field": doubt.field}
            entries.append({**entry, "row": one.file_row.row})
    return entries[:ERRORS_LISTED]


# --- Writing --------------------------------------------------------------------------------------


def _record(
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
    preview = _preview(portfolio, import_batch, plan.added)
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
    Transaction.objects.filter(pk__in=[row.pk for row in plan.gone]).delete()
    _write_holdings(plan.changed_holdings)
    _write_transactions(portfolio, import_batch, plan, preview, on_progress)
    update_rows(Transaction, plan.changed, DERIVED)
    touch(portfolio)
    keep_openings(portfolio)


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
    made = {row.pk: row for row in preview}
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
        import_batch_id=import_batch.pk,
        imported_as=one.fingerprint,
    )
    keep_as_imported(row, portfolio)
    return row


def _settled_in(row: ImportRow, portfolio: Portfolio) -> str | None:
    """Return the currency that the money went through; None means the portfolio's."""
    if row.settlement_currency == portfolio.currency:
        return None
    return row.settlement_currency


def _preview(
    portfolio: Portfolio, import_batch: ImportBatch, added: list[NewRow]
) -> list[Transaction]:
    """Make the first PREVIEW transactions of the import, in the order of the file."""
    preview: list[Transaction] = []
    for one in heapq.nsmallest(PREVIEW, added, key=lambda one: one.entry.sequence):
        made = _transaction(one, portfolio, import_batch)
        made.holding, made.portfolio = one.holding, portfolio
        preview.append(made)
    return preview


def _without_history(holdings: list[Holding]) -> Iterator[UUID]:
    """Yield the instruments whose past prices were never asked for."""
    for holding in holdings:
        if holding.stock.history_fetched_at is None and not holding.stock.is_manual:
            yield holding.stock_id
