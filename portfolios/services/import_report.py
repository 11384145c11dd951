"""What became of a file: its counts, its instruments, and whether it agrees with the broker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID

from financeproj.core.money import strip_zeros
from marketdata.models import StockMetadata
from portfolios.calc.agreement import Agreement
from portfolios.calc.import_problems import group_problems
from portfolios.calc.import_rows import Checkpoint, ImportRow, RowProblem
from portfolios.calc.plausibility import PlausibilityWarning
from portfolios.models import ImportBatch, Portfolio, Transaction
from portfolios.services.checkpoints import agreement_after, agreement_with_plan, rows_after
from portfolios.services.holding_changes import NewRow
from portfolios.services.import_plan import ImportPlan
from portfolios.services.import_warnings import ERRORS_LISTED
from portfolios.services.imported_cash import ImportedCash, imported_cash_after, keep_imported_cash
from portfolios.services.plausibility import Checked, plausibility_warnings
from portfolios.services.usable_rows import Instruments
from portfolios.valuation import compare_import


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file, or would become of it in a dry run.

    `import_batch` is saved only if it created transactions, or tells a checkpoint that no other
    import tells. `preview` has the first transactions, and `problems` are all of the
    rows, by line.
    `without_history` are the instruments whose past prices were never asked for. `unanswered` are
    the tickers about which the sources have not answered yet, with their currencies where the file
    gives them. `looking_up` are how many of the file's instruments are identified, and of how many;
    None if nothing more is being looked up. `doubts` are what looks like a mistake in the
    transactions, by their id. `first_day` is the earliest of the file's rows that could be read.
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
    first_day: date | None = None


def describe(
    import_batch: ImportBatch,
    plan: ImportPlan,
    instruments: Instruments,
    problems: Sequence[RowProblem],
    rows: Sequence[ImportRow],
) -> None:
    """Put counts, problems and instruments into `import_batch` (not saved).

    Each row of the file counts once, whatever becomes of it. `problems` are all, by line.
    """
    created = plan.created_lines
    failed = {problem.row for problem in plan.problems} - created
    import_batch.created = len(created)
    import_batch.failed += len(failed)
    import_batch.ignored -= len(failed & plan.ignored_lines)
    import_batch.duplicates = len(plan.duplicate_lines - created - failed)
    import_batch.money_created = len(plan.money)
    import_batch.completed = len(plan.completions)
    import_batch.groups_created = len({one.group_id for one in plan.money} - {None})
    made = {one.leg.group_id for one in plan.added if one.leg is not None}
    import_batch.groups_created += len(made)
    import_batch.rows = (
        import_batch.created + import_batch.duplicates + import_batch.ignored + import_batch.failed
    )
    import_batch.errors = [problem.as_entry() for problem in problems[:ERRORS_LISTED]]
    import_batch.problems = group_problems(problems, rows)
    import_batch.instruments = _listed_instruments(import_batch, instruments)
    import_batch.adopted = {str(pk): external_id for pk, external_id in plan.adopted.items()}


def tell_cash(
    outcome: Outcome,
    portfolio: Portfolio,
    plan: ImportPlan,
    checkpoints: Sequence[Checkpoint],
    *,
    is_written: bool,
) -> None:
    """Let cash follow from the transactions where the imports allow it, now or in a dry run; else
    warn of the lowest balance.
    """
    import_batch = outcome.import_batch
    if outcome.is_refused:
        cash = ImportedCash(portfolio.cash_from)
    elif not is_written:
        cash = imported_cash_after(
            portfolio,
            rows_after(portfolio, plan),
            account=import_batch.account,
            tells_balances=any(one.currency for one in checkpoints),
            format_name=import_batch.format,
        )
    elif outcome.is_saved:
        cash = keep_imported_cash(portfolio)
    else:
        cash = ImportedCash(portfolio.cash_from)
    import_batch.portfolio.cash_from = cash.cash_from
    if cash.lowest is not None:
        import_batch.warnings = [*import_batch.warnings, _incomplete(*cash.lowest)]


def _incomplete(currency: str, lowest: Decimal) -> dict[str, object]:
    detail = (
        "Cash does not follow from the transactions: the files do not have all deposits. With "
        f"these rows alone the lowest balance would be {strip_zeros(lowest):f} {currency}."
    )
    return {"code": "cash_incomplete", "detail": detail}


def compare_with_broker(
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
        import_batch.save(
            update_fields=["reconciled", "first_divergence", "warnings", "updated_at"]
        )


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


def doubts_of(
    portfolio: Portfolio, added: Sequence[NewRow]
) -> Mapping[UUID, Sequence[PlausibilityWarning]]:
    """Return what looks like a mistake in the new transactions, by their id."""
    checked = []
    for one in added:
        entry = one.entry
        if one.leg is not None:
            continue  # a leg has the rate of its group
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
