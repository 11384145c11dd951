"""What an import would write, worked out under the portfolio's lock before any of it is written.

The rows of the file go through steps, each a function from rows to the rows that go on and the
problems of the others: usable → new → rated → replayed. Rows of money alone need no rate and no
replay: they are taken as they are.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from itertools import chain
from uuid import UUID, uuid4

from financeproj.core.errors import DomainError
from financeproj.core.money import ONE, ZERO
from marketdata.models import StockMetadata
from marketdata.selectors import known_splits
from portfolios.calc.carried import Brought
from portfolios.calc.duplicates import Matches, fingerprint_of
from portfolios.calc.import_rows import ImportRow, RowProblem, gettext_noop
from portfolios.calc.kinds import RULES, TransactionType
from portfolios.models import DismissedSplit, Holding, Portfolio, TransactionSource
from portfolios.services.completing import Completion, find_completions
from portfolios.services.holding_changes import (
    HoldingChange,
    ImportedLeg,
    NewRow,
    Problems,
    fit_rows,
)
from portfolios.services.import_groups import (
    INCOMPLETE,
    FoundGroups,
    find_groups,
    is_leg,
    key_of,
)
from portfolios.services.import_money import FoundRow, NewMoney, Rates, fit_money
from portfolios.services.known_rows import Key, match_known
from portfolios.services.ledger_rows import LedgerRow, next_sequence, stored_rows
from portfolios.services.repeated_splits import repeated_splits
from portfolios.services.replay import InsufficientQuantity
from portfolios.services.share_openings import FileSays, ShareOpening, openings_with_file
from portfolios.services.split_booking import Dismissed
from portfolios.services.taking_back import (
    NO_REVERSALS,
    Reversals,
    TakenBack,
    find_reversals,
)
from portfolios.services.usable_rows import (
    Instruments,
    closes_of_unpriced,
    rated_rows,
    settled_rows,
    shares_and_money,
    usable_rows,
)

# Brokers round shares to so many decimals or more; fewer are whole shares, or a mistake.
LEAST_DECIMALS = 2


def lines_of(rows: Iterable[NewRow]) -> set[int]:
    """Return the lines of the file that `rows` stand on; openings stand on none."""
    return {one.file_row.row for one in rows if not one.is_opening}


@dataclass(slots=True)
class ImportPlan:
    """Everything that an import would write.

    `duplicate_lines` are the lines whose transactions the portfolio has already, `known` the lines
    by transaction. `adopted` gives stored transactions the external id that the file has.
    `short_of_shares` are the instruments of which the file sells more than is held; `left_out` are
    rows that cannot be recorded therefore.
    `rows_after` are all rows of the changed holdings, by instrument; the lists after it are those
    of HoldingChange, of all holdings. `money` are new rows of money alone. `completions` are what
    the file says more of rows that the portfolio has, but not of those on `edited_lines`, which
    were edited since. `unknown_costs` are the lines of shares that came in without a price.
    `taken` are what the file reverses of earlier ones, and `kept_groups` the problems of lines that
    reverse groups of which a leg must stay. On `ignored_lines` are rows that the file itself
    reverses.
    `openings` are the shares that stood before the file, those that are not booked too; `reopened`
    are rows of openings that change. `groups` are those of shares.
    """

    holdings: dict[UUID, Holding]
    duplicate_lines: set[int] = field(default_factory=set)
    adopted: dict[UUID, str] = field(default_factory=dict)
    known: dict[UUID | str, int] = field(default_factory=dict)
    problems: Problems = field(default_factory=list)
    short_of_shares: list[StockMetadata] = field(default_factory=list)
    changed_holdings: list[Holding] = field(default_factory=list)
    rows_after: dict[UUID, list[LedgerRow]] = field(default_factory=dict)
    added: list[NewRow] = field(default_factory=list)
    left_out: list[NewRow] = field(default_factory=list)
    money: list[NewMoney] = field(default_factory=list)
    completions: list[Completion] = field(default_factory=list)
    edited_lines: list[int] = field(default_factory=list)
    unknown_costs: list[int] = field(default_factory=list)
    openings: list[ShareOpening] = field(default_factory=list)
    reopened: list[ShareOpening] = field(default_factory=list)
    splits: list[LedgerRow] = field(default_factory=list)
    changed: list[LedgerRow] = field(default_factory=list)
    gone: list[LedgerRow] = field(default_factory=list)
    groups: FoundGroups = field(default_factory=FoundGroups)
    taken: list[TakenBack] = field(default_factory=list)
    kept_groups: dict[int, RowProblem] = field(default_factory=dict)
    ignored_lines: set[int] = field(default_factory=set)
    tells_something_new: bool = False

    def refusals(self) -> dict[int, RowProblem]:
        """Return the problems of rows that cannot be without others that were refused, by line."""
        return self._partial_groups() | self.kept_groups

    def _partial_groups(self) -> dict[int, RowProblem]:
        """Return the problems of legs whose other sides were refused, by line."""
        added = {key_of(one.file_row) for one in self.added if not one.is_opening}
        partial = {name for key, name in self.groups.names.items() if key not in added}
        found: dict[int, RowProblem] = {}
        for key, name in self.groups.names.items():
            if name in partial and key in added:
                found[key[0]] = INCOMPLETE.at(key[0], "group", None)
        return found

    @property
    def leaves_something(self) -> bool:
        """Whether it creates rows, or tells a checkpoint that no other import tells."""
        has_rows = self.added or self.money or self.completions or self.taken
        return bool(has_rows or self.tells_something_new)

    @property
    def created_lines(self) -> set[int]:
        """The lines of which a transaction is made, or that take one of an earlier file back."""
        made = lines_of(self.added)
        made.update(one.line for one in self.taken if one.by)
        made.update(one.file_row.row for one in self.money)
        return made

    def keep(self, pks: Collection[UUID], error: DomainError) -> None:
        """Take nothing of these back, as a later sale needs their shares, nor of their groups."""
        problem = RowProblem(error.code, error.message, error.params)
        groups = {one.row.group_id for one in self.taken if one.row.pk in pks} - {None}
        taken, self.taken = self.taken, []
        for one in taken:
            if one.row.group_id in groups:
                self.kept_groups[one.line] = problem.at(one.line, "quantity", one.row.quantity)
            if one.row.pk in pks:
                self.problems.append(problem.at(one.line, "quantity", one.row.quantity))
            else:
                self.taken.append(one)

    def include(self, change: HoldingChange) -> None:
        self.changed_holdings.append(change.holding)
        self.rows_after[change.holding.stock_id] = change.rows
        self.added += change.added
        self.splits += change.splits
        self.changed += change.changed
        self.gone += change.gone


def make_plan(
    portfolio: Portfolio,
    rows: Sequence[ImportRow],
    instruments: Instruments,
    rates: Rates,
    says: FileSays,
    on_progress: Callable[[float], None],
    reversals: Reversals = NO_REVERSALS,
) -> ImportPlan:
    """Work out what importing `rows` into the locked `portfolio` would write.

    `on_progress` is called with the fraction of this that is done.
    """
    refused: dict[int, RowProblem] = {}
    while True:
        plan = _plan_without(
            refused, portfolio, rows, instruments, rates, says, on_progress, reversals
        )
        refusals = plan.refusals()
        if not refusals:
            return plan
        refused |= refusals


def _plan_without(
    refused: Mapping[int, RowProblem],
    portfolio: Portfolio,
    rows: Sequence[ImportRow],
    instruments: Instruments,
    rates: Rates,
    says: FileSays,
    on_progress: Callable[[float], None],
    reversals: Reversals,
) -> ImportPlan:
    """Make the plan without the rows on the lines of `refused`, which have these problems."""
    usable, unusable = usable_rows(rows, instruments)
    keys = [(row.known_as or fingerprint_of(row), row.external_id) for row in usable]
    matches = match_known(portfolio, usable, keys, reversals)
    found = find_reversals(portfolio, reversals, set(matches.pairs.values()), refused)
    matches.release({one.row.pk for one in found.taken})
    sequence = next_sequence(portfolio)
    new, contradicted = _new_rows(usable, keys, matches, sequence)
    new, repeated = _without_known_groups(new, usable, matches)
    new = _without_lines(new, refused)
    groups = find_groups(portfolio, new, instruments, rates)
    bad = {problem.row for problem in groups.problems}
    shares, alone = shares_and_money(_without_lines(new, bad))
    settled, unsettled = settled_rows(shares, instruments, portfolio.currency)
    rated, unrated = rated_rows(settled, instruments, rates, portfolio.currency)
    holdings = {one.stock_id: one for one in Holding.objects.filter(portfolio=portfolio)}
    plan = ImportPlan(holdings, adopted=matches.adopted)
    plan.duplicate_lines = {usable[position].row for position in matches.duplicates} | repeated
    plan.groups = groups
    plan.known = {pk: usable[position].row for position, pk in matches.pairs.items()}
    plan.ignored_lines = reversals.ignored_lines
    plan.taken = found.taken
    plan.duplicate_lines |= found.duplicate_lines
    plan.known |= found.known
    plan.completions, plan.edited_lines = find_completions(portfolio, usable, matches)
    plan.money, misfits = fit_money(portfolio, alone, rates)
    plan.problems = [*unusable, *contradicted, *unsettled, *unrated, *misfits]
    plan.problems += [*groups.problems, *refused.values(), *found.problems]
    costs = closes_of_unpriced(rated, instruments)
    by_holding: dict[UUID, list[NewRow]] = defaultdict(list)
    for (row, print_, place), rate in rated:
        stock = instruments[row.ticker]
        assert isinstance(stock, StockMetadata)  # nosec B101  # for mypy: the others are unusable
        holding = _holding(holdings, portfolio, stock, row.company_name)
        entry = _ledger_row(row, holding, rate, place)
        if row.is_cost_unknown:
            entry.price = costs.get((stock.pk, row.date), ZERO)
            plan.unknown_costs.append(row.row)
        leg = groups.legs.get(key_of(row)) if is_leg(row) else None
        if leg is not None:
            _become_leg(entry, leg)
        by_holding[holding.pk].append(NewRow(row, print_, entry, holding, leg))
    sequence += len(usable)
    known = {ticker: one for ticker, one in instruments.items() if isinstance(one, StockMetadata)}
    new_rows = chain.from_iterable(by_holding.values())
    plan.openings = openings_with_file(portfolio, says, new_rows, known, rates)
    for opening in plan.openings:
        if opening.is_booked and opening.standing is None:
            holding = _holding(holdings, portfolio, opening.stock, "")
            by_holding[holding.pk].append(_opening_row(opening, holding, sequence))
            plan.unknown_costs.append(opening.line)
            sequence += 1
    _replay_all(plan, portfolio, by_holding, _half_unit(rows), on_progress)
    for place, split in enumerate(plan.splits, start=sequence):
        split.sequence = place
    return plan


def _become_leg(entry: LedgerRow, leg: ImportedLeg) -> None:
    """Set of an entry what it has as a leg; the replay of the chain says what it costs."""
    entry.carried = leg.carried
    entry.exchange_rate = leg.exchange_rate
    if leg.takes_all:
        entry.quantity = ONE  # until the replay says how many there are
    if isinstance(leg.carried, Brought):
        entry.price = ZERO


def _without_lines(found: Iterable[FoundRow], lines: Container[int]) -> list[FoundRow]:
    return [one for one in found if one.row.row not in lines]


def _without_known_groups(
    new: list[FoundRow], usable: Sequence[ImportRow], matches: Matches[UUID]
) -> tuple[list[FoundRow], set[int]]:
    """Leave out the legs of groups of which the portfolio has a leg already, and their lines."""
    known = {usable[position].group for position in matches.duplicates if is_leg(usable[position])}
    known.discard("")
    if not known:
        return new, set()
    left: list[FoundRow] = []
    lines: set[int] = set()
    for one in new:
        if is_leg(one.row) and one.row.group in known:
            lines.add(one.row.row)
        else:
            left.append(one)
    return left, lines.difference(one.row.row for one in left)


def _opening_row(opening: ShareOpening, holding: Holding, sequence: int) -> NewRow:
    """Make the row that books the shares that stood before the file."""
    row = ImportRow(
        row=opening.line,
        type=TransactionType.TRANSFER_IN,
        date=opening.day,
        ticker=opening.ticker,
        quantity=opening.quantity,
        price=opening.price,
    )
    entry = _ledger_row(row, holding, opening.rate, sequence)
    entry.source = TransactionSource.DERIVED
    return NewRow(
        row,
        opening.imported_as,
        entry,
        holding,
        is_opening=True,
        import_id=opening.import_id,
    )


def _half_unit(rows: Iterable[ImportRow]) -> Decimal:
    """Return half a unit of the last decimal that the file writes of shares; 0 below two decimals.

    After a split, shares are rounded so when they are sold. Ratios of splits are no shares.
    """
    decimals = 0
    for row in rows:
        exponent = row.quantity.as_tuple().exponent
        if not RULES[row.type].is_ratio and isinstance(exponent, int):
            decimals = max(decimals, -exponent)
    if decimals < LEAST_DECIMALS:
        return ZERO
    return Decimal(5).scaleb(-decimals - 1)


def _replay_all(
    plan: ImportPlan,
    portfolio: Portfolio,
    by_holding: Mapping[UUID, list[NewRow]],
    half_unit: Decimal,
    on_progress: Callable[[float], None],
) -> None:
    """Add to `plan` what the new rows change in their holdings."""
    reopened = _changed_openings(plan)
    for one in reopened.values():
        _holding(plan.holdings, portfolio, one.stock, "")
    taken = _taken_of(plan)
    changing = by_holding.keys() | reopened.keys() | taken.keys()
    touched = [holding for holding in plan.holdings.values() if holding.pk in changing]
    stored = stored_rows(touched)
    stock_ids = [holding.stock_id for holding in touched]
    splits = known_splits(stock_ids, user_id=portfolio.user_id)
    dismissed = _dismissed_splits(touched)
    for done, holding in enumerate(touched):
        on_progress(done / len(touched))
        old, added = stored[holding.pk], by_holding.get(holding.pk, [])
        opening = reopened.get(holding.pk)
        closed: list[LedgerRow] = []
        if opening is not None:
            old, closed = _reopen(old, opening)
        entries = [one.entry for one in added]
        repeated = repeated_splits([*old, *entries], entries)
        plan.duplicate_lines |= {one.file_row.row for one in added if one.entry.pk in repeated}
        added = [one for one in added if one.entry.pk not in repeated]
        fit = partial(
            fit_rows,
            holding,
            added=added,
            known=splits[holding.stock_id],
            dismissed=dismissed[holding.pk],
            half_unit=half_unit,
        )
        gone = {one.row.pk for one in taken.get(holding.pk, ())}
        left = [row for row in old if row.pk not in gone]
        try:
            fitted = fit(left, is_reopened=opening is not None or bool(gone))
        except InsufficientQuantity as error:
            if not gone:
                raise
            plan.keep(gone, error)
            fitted = fit(old, is_reopened=opening is not None)
        plan.problems += fitted.problems
        if fitted.is_short:
            plan.short_of_shares.append(holding.stock)
        recorded = {one.entry.pk for one in fitted.change.added} if fitted.change else set()
        plan.left_out += [one for one in added if one.entry.pk not in recorded]
        if fitted.change is None:
            continue
        plan.include(fitted.change)
        plan.gone += closed
        if opening is not None and opening.quantity:
            plan.reopened.append(opening)


def _taken_of(plan: ImportPlan) -> dict[UUID, list[TakenBack]]:
    """Return what is taken back, by holding."""
    taken: dict[UUID, list[TakenBack]] = defaultdict(list)
    for one in plan.taken:
        if one.row.holding_id is not None:
            taken[one.row.holding_id].append(one)
    return taken


def _changed_openings(plan: ImportPlan) -> dict[UUID, ShareOpening]:
    """Return the openings whose rows stand and change or go, by holding."""
    changed: dict[UUID, ShareOpening] = {}
    for one in plan.openings:
        row = one.standing
        if row is None or row.holding_id is None:
            continue
        if (row.quantity, row.date) != (one.quantity, one.day):
            changed[row.holding_id] = one
    return changed


def _reopen(
    rows: Iterable[LedgerRow], opening: ShareOpening
) -> tuple[list[LedgerRow], list[LedgerRow]]:
    """Return the stored rows with the opening as it is now, and its row if that goes."""
    assert opening.standing is not None  # nosec B101  # for mypy
    kept: list[LedgerRow] = []
    closed: list[LedgerRow] = []
    for row in rows:
        if row.pk != opening.standing.pk:
            kept.append(row)
        elif not opening.quantity:
            closed.append(row)
        else:
            row.date = row.effective_date = opening.day
            row.quantity, row.price = opening.quantity, opening.price
            row.exchange_rate = opening.rate
            kept.append(row)
    return kept, closed


def _new_rows(
    rows: list[ImportRow], keys: list[Key], matches: Matches[UUID], sequence: int
) -> tuple[list[FoundRow], Problems]:
    """Keep the rows that the portfolio does not have yet; they are entered from `sequence` on."""
    new: list[FoundRow] = []
    problems: Problems = []
    for position, (row, (print_, external_id)) in enumerate(zip(rows, keys, strict=True)):
        if position in matches.contradicted:
            message = gettext_noop(
                "An earlier row of the file has the id %(id)s too, but other content."
            )
            problem = RowProblem("duplicate_external_id", message, {"id": external_id or ""})
            problems.append(problem.at(row.row, "external_id", external_id))
        elif position not in matches.duplicates:
            new.append(FoundRow(row, print_, sequence + position))
    return new, problems


def _holding(
    holdings: dict[UUID, Holding], portfolio: Portfolio, stock: StockMetadata, company_name: str
) -> Holding:
    """Return the holding of `stock`, made and put into `holdings` if it is new."""
    holding = holdings.get(stock.pk)
    if holding is None:
        holding = holdings[stock.pk] = Holding(portfolio=portfolio, stock=stock)
    elif "stock" not in holding._state.fields_cache:
        holding.portfolio, holding.stock = portfolio, stock
    is_unnamed = holding._state.adding and not holding.company_name
    if is_unnamed and company_name and company_name != stock.company_name:
        holding.company_name = company_name
    return holding


def _ledger_row(row: ImportRow, holding: Holding, rate: Decimal | None, sequence: int) -> LedgerRow:
    return LedgerRow(
        pk=uuid4(),
        holding_id=holding.pk,
        type=row.type,
        effective_date=row.date,
        date=row.date,
        sequence=sequence,
        quantity=row.quantity,
        price=row.price,
        commission=row.commission or ZERO,
        tax=row.tax or ZERO,
        exchange_rate=rate,
        source=TransactionSource.IMPORT,
        is_new=True,
    )


def _dismissed_splits(holdings: list[Holding]) -> dict[UUID, list[Dismissed]]:
    """Read the splits that the user deleted in each holding."""
    dismissed: dict[UUID, list[Dismissed]] = defaultdict(list)
    rows = DismissedSplit.objects.filter(holding__in=holdings)
    for holding_id, day, ratio in rows.values_list("holding_id", "date", "ratio"):
        dismissed[holding_id].append((day, ratio))
    return dismissed
