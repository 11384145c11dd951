"""What the new rows of an import change in one holding, worked out before anything is written."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

from financeproj.core.errors import DomainError
from financeproj.core.money import round_for_storage, strip_zeros
from marketdata.selectors import KnownSplit
from portfolios.calc.carried import Carried
from portfolios.calc.import_rows import ImportRow, RowProblem
from portfolios.calc.kinds import RULES
from portfolios.calc.ledger import Oversold, Position, Step, order, replay
from portfolios.models import Holding, TransactionSource
from portfolios.services.ledger_rows import LedgerRow
from portfolios.services.replay import InsufficientQuantity, derive, store_position
from portfolios.services.split_booking import Dismissed, settle_splits

Problems = list[RowProblem]


class ImportedLeg(Struct, frozen=True):
    """What a row has as a leg of the group that its import makes."""

    group_id: UUID
    carried: Carried
    exchange_rate: Decimal | None = None
    cost_share: Decimal | None = None
    takes_all: bool = False
    cash_rate: Decimal | None = None


class NewRow(Struct, frozen=True):
    """A row of the file that the portfolio does not have yet, and its entry in the ledger of
    `holding`.

    One that `is_opening` stands for no row of the file: it books what was held before. `import_id`
    is then the import that accepted it.
    """

    file_row: ImportRow
    fingerprint: str
    entry: LedgerRow
    holding: Holding
    leg: ImportedLeg | None = None
    is_opening: bool = False
    import_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class HoldingChange:
    """One holding after the import: all its rows, what is new in it, and what changed of what it
    had. `splits` are new ones of the source, `gone` those that it has withdrawn.
    """

    holding: Holding
    rows: list[LedgerRow]
    added: list[NewRow]
    splits: list[LedgerRow]
    changed: list[LedgerRow]
    gone: list[LedgerRow]


class FittedRows(NamedTuple):
    """A holding with as many of its new rows as its shares allow, and the problems of the
    others.
    """

    change: HoldingChange | None
    problems: Problems
    is_short: bool


def fit_rows(
    holding: Holding,
    old: list[LedgerRow],
    added: list[NewRow],
    known: list[KnownSplit],
    dismissed: list[Dismissed],
    half_unit: Decimal,
    *,
    is_reopened: bool = False,
) -> FittedRows:
    """Replay `holding` with the rows `added`; as long as shares lack, without some of them.

    Without any it is replayed if it `is_reopened`: a row of `old` is another than is stored. After
    a split, a row may take `half_unit` more than is held: it then takes all.
    """
    problems: Problems = []
    taken_back = 1
    while added or is_reopened:
        entries = [one.entry for one in added]
        rows, gone = settle_splits(holding, [*old, *entries], known=known, dismissed=dismissed)
        try:
            position, steps, refused = _replay_leaving_out(holding, rows, half_unit)
        except InsufficientQuantity as problem:
            # A sale that was there before lacks shares now: the last of the new rows that took
            # some have to go. Twice as many each time, so that no history takes more than some
            # twenty replays.
            taking = list(_taking_before(problem.entry, entries))
            if not taking:
                raise
            refused = dict.fromkeys(taking[-taken_back:], problem)
            taken_back *= 2
        else:
            if not refused:
                change, out_of_range = _change(holding, position, steps, rows, added, gone)
                return FittedRows(change, problems + out_of_range, is_short=bool(problems))
        kept: list[NewRow] = []
        for one in added:
            if one.entry.pk in refused:
                problems.append(_row_problem(one, "quantity", refused[one.entry.pk]))
            else:
                kept.append(one)
        if not old and all(one.is_opening for one in kept):
            kept = []  # shares of no other row
        added = kept
    return FittedRows(None, problems, is_short=bool(problems))


def _taking_before(sale: LedgerRow, entries: list[LedgerRow]) -> Iterator[UUID]:
    """Yield those of `entries` before `sale` that can have taken its shares, by order of effect."""
    for entry in sorted(entries, key=order):
        if order(entry) < order(sale) and RULES[entry.type].can_reduce_shares:
            yield entry.pk


def _replay_leaving_out(
    holding: Holding, rows: list[LedgerRow], half_unit: Decimal
) -> tuple[Position, list[Step[LedgerRow]], dict[UUID, InsufficientQuantity]]:
    """Replay `rows`, leaving out new ones that take more than is held: these are the last of what
    is returned. Raises InsufficientQuantity for a stored one.
    """
    ticker = holding.stock.ticker
    refused: dict[UUID, InsufficientQuantity] = {}
    has_rounded = False

    def leave_out(error: Oversold) -> bool:
        nonlocal has_rounded
        entry = error.entry
        assert isinstance(entry, LedgerRow)  # nosec B101  # for mypy
        excess = entry.quantity - error.held
        if entry.is_new and error.was_split and error.held > 0 and excess <= half_unit:
            entry.quantity = round_for_storage(error.held)  # within the dust of what is held
            has_rounded = True
        elif entry.is_new:
            refused[entry.pk] = InsufficientQuantity(error, ticker=ticker, cause=entry)
        return entry.is_new

    try:
        position, steps = replay(rows, leave_out=leave_out)
    except Oversold as error:
        raise InsufficientQuantity(error, ticker=ticker) from error
    if has_rounded:
        return _replay_leaving_out(holding, rows, half_unit)
    return position, steps, refused


def _change(
    holding: Holding,
    position: Position,
    steps: list[Step[LedgerRow]],
    rows: list[LedgerRow],
    added: list[NewRow],
    gone: list[LedgerRow],
) -> tuple[HoldingChange | None, Problems]:
    """Put the outcome of a replay into `holding` (not saved). With figures out of range all rows
    `added` fail: which of them is at fault is unknown.
    """
    changed = [step.entry for step in steps if derive(step) and not step.entry.is_new]
    try:
        store_position(holding, position, rows)
    except DomainError as error:
        return None, [_row_problem(one, error.attr, error) for one in added]
    splits = [row for row in rows if row.is_new and row.source == TransactionSource.MARKET_DATA]
    return HoldingChange(holding, rows, added, splits, changed, gone), []


def _row_problem(new: NewRow, column: str | None, error: DomainError) -> RowProblem:
    problem = RowProblem(error.code, error.message, error.params)
    return problem.at(new.file_row.row, column, strip_zeros(new.file_row.quantity))
