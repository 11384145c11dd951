"""Rows of earlier imports that the broker reversed: they go from their own day. Legs of a group go
together or not at all.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import islice
from uuid import UUID

import msgspec
from django.db.models import Q
from msgspec import Struct

from financeproj.core.money import EXACT
from portfolios.calc.duplicates import fingerprint_of
from portfolios.calc.import_rows import REVERSAL, ImportRow, RowProblem, gettext_noop
from portfolios.calc.kinds import RULES
from portfolios.calc.money import money_of
from portfolios.calc.taken_back import Entry, entries_of
from portfolios.models import ImportBatch, Portfolio, Transaction, TransactionGroup
from portfolios.services.holding_changes import Problems
from portfolios.services.kept_rows import written

CENT = Decimal("0.005")
AT_ONCE = 500
# Before the id of a transaction, in KnownRows: the import has the row that reversed it.
REVERSED_KEY = "reversed:"
PART_OF_GROUP = RowProblem(
    "part_of_group",
    gettext_noop(
        "This row reverses a part of a group of transactions, and the file does not reverse the "
        "others. Change or delete the group, then import again and skip this row."
    ),
)


class Reversals(Struct, frozen=True):
    """What a file reverses: rows that take back, and ids of rows of the broker's, by line.

    `unpaired` are the problems of rows that reverse what an earlier file must have had, by line.
    """

    rows: Sequence[ImportRow] = ()
    ids: Mapping[str, int] = {}
    unpaired: Mapping[int, RowProblem] = {}

    @property
    def ignored_lines(self) -> set[int]:
        """The lines of rows that stand in the file with what reverses them."""
        lines = set(self.ids.values())
        for row in self.rows:
            if row.takes_back != REVERSAL:
                lines.add(row.row)
        return lines


NO_REVERSALS = Reversals()


class TakenBack(Struct, frozen=True):
    """A transaction that a row of the file reverses on `day`.

    `by` is empty if that row stands in a file with what it reverses; else it counts as created.
    """

    row: Transaction
    line: int
    day: date
    by: str = ""
    by_id: str | None = None


@dataclass(slots=True)
class FoundReversals:
    """What is taken back, the lines of reversals that are known, and what is wrong with others.

    `known` are the keys of KnownRows of what those took back.
    """

    taken: list[TakenBack] = field(default_factory=list)
    duplicate_lines: set[int] = field(default_factory=set)
    known: dict[UUID | str, int] = field(default_factory=dict)
    problems: Problems = field(default_factory=list)


def stored_entries(portfolio: Portfolio) -> Iterator[tuple[str, Entry]]:
    """Yield what imports that stand took back, by the id of the row that is gone. One query."""
    imports = ImportBatch.objects.filter(portfolio=portfolio, state=ImportBatch.State.DONE)
    for rows in imports.exclude(completed_rows={}).values_list("completed_rows", flat=True):
        yield from entries_of(rows).items()


def find_reversals(
    portfolio: Portfolio,
    said: Reversals,
    claimed: Collection[UUID],
    refused: Container[int] = (),
) -> FoundReversals:
    """Return which transactions the file reverses. Six queries at most, none without reversals.

    Those `claimed` stand in the file as rows of their own; a group does only with all its legs. A
    reversal takes the nearest row of its instrument, amount and currency before it. Nothing is
    taken by the lines `refused`.
    """
    found = FoundReversals()
    if not said.rows and not said.ids:
        return found
    left = _unclaimed(_candidates(portfolio, said), claimed)
    _take_reversed(found, said, left, taken_before(portfolio))
    waiting = [one for one in said.rows if one.takes_back == REVERSAL]
    known = _known(portfolio) if waiting else {}
    for one in sorted(waiting, key=lambda one: (one.date, one.row)):
        by = fingerprint_of(one)
        if known.get((by, one.external_id)):
            found.duplicate_lines.add(one.row)
            found.known[REVERSED_KEY + known[by, one.external_id].pop()] = one.row
            continue
        fitting = [row for row in left.values() if _fits(row, one, portfolio)]
        if not fitting:
            found.problems.append(said.unpaired[one.row])
            continue
        nearest = max(fitting, key=lambda row: (row.date, row.sequence))
        del left[nearest.pk]
        found.taken.append(TakenBack(nearest, one.row, one.date, by, one.external_id))
    found.taken = [one for one in found.taken if one.line not in refused]
    _keep_groups_whole(found)
    return found


def _keep_groups_whole(found: FoundReversals) -> None:
    """Leave the groups alone of which something would stay, and note what is wrong.

    What goes out of a spin-off has no shares, and goes with the others. A row that stood before it
    was grouped, and one that moves to another portfolio, has a life of its own.
    """
    taken: dict[UUID, list[TakenBack]] = defaultdict(list)
    for one in found.taken:
        if one.row.group_id is not None:
            taken[one.row.group_id].append(one)
    if not taken:
        return
    legs: dict[UUID | None, list[Transaction]] = defaultdict(list)
    stored = Transaction.objects.filter(group__in=list(taken))
    for leg in stored.select_related("holding__stock", "group"):
        legs[leg.group_id].append(leg)
    for group_id, those in taken.items():
        rest = _rest_of_group(legs[group_id], those)
        if rest is None:
            found.taken = [one for one in found.taken if one.row.group_id != group_id]
            found.problems += [PART_OF_GROUP.at(one.line, "type", one.row.type) for one in those]
        else:
            found.taken += rest


def _rest_of_group(
    legs: Sequence[Transaction], taken: Sequence[TakenBack]
) -> list[TakenBack] | None:
    """Return what goes with the legs that are taken back; None where the group must stay."""
    pks = {one.row.pk for one in taken}
    first = taken[0]
    rest: list[TakenBack] = []
    for leg in legs:
        is_moved = leg.group is not None and leg.group.kind == TransactionGroup.Kind.TRANSFER
        if is_moved or leg.stood_as is not None or not leg.imported_as:
            return None
        if leg.pk in pks:
            continue
        if not RULES[leg.type].is_exchange or leg.quantity:
            return None
        rest.append(TakenBack(leg, first.line, first.day))
    return rest


def _unclaimed(
    candidates: Iterable[Transaction], claimed: Collection[UUID]
) -> dict[UUID, Transaction]:
    """Return the rows that may be taken back, by id."""
    rows = list(candidates)
    open_groups = {row.group_id for row in rows if row.pk not in claimed} - {None}
    left: dict[UUID, Transaction] = {}
    for row in rows:
        if row.pk not in claimed or row.group_id in open_groups:
            left[row.pk] = row
    return left


def taken_before(portfolio: Portfolio) -> Counter[str]:
    """Count what imports that stand took back, by its fingerprint. One query."""
    counts: Counter[str] = Counter()
    for _pk, entry in stored_entries(portfolio):
        counts[entry.columns["imported_as"] or ""] += 1
    return counts


def _take_reversed(
    found: FoundReversals, said: Reversals, left: dict[UUID, Transaction], before: Counter[str]
) -> None:
    """Take what the file has together with its reversal, by its id or its content, unless it was
    taken `before`.
    """
    by_id: dict[str, Transaction] = {}
    by_print: dict[str, list[Transaction]] = defaultdict(list)
    for row in left.values():
        if row.external_id:
            by_id[row.external_id] = row
        by_print[row.imported_as].append(row)
    for external_id, line in said.ids.items():
        known = by_id.get(external_id)
        if known is not None and known.pk in left:
            del left[known.pk]
            found.taken.append(TakenBack(known, line, known.date))
    for one in said.rows:
        if one.takes_back == REVERSAL:
            continue
        print_ = fingerprint_of(one)
        if before[print_]:
            before[print_] -= 1
            continue
        alike = by_print[print_]
        if one.external_id:
            alike = [row for row in alike if not row.external_id]
            alike += filter(None, [by_id.get(one.external_id)])
        standing = [row for row in alike if row.pk in left]
        if standing:
            del left[standing[-1].pk]
            found.taken.append(TakenBack(standing[-1], one.row, one.date))


def _candidates(portfolio: Portfolio, said: Reversals) -> list[Transaction]:
    """Read the rows that may be meant: none that follow from others."""
    tickers: set[str] = set()
    prints: set[str] = set()
    ids = set(said.ids)
    for one in said.rows:
        if one.external_id:
            ids.add(one.external_id)
        if one.takes_back == REVERSAL:
            tickers.add(one.ticker)
        else:
            prints.add(fingerprint_of(one))
    stored = Transaction.objects.filter(portfolio=portfolio)
    found: dict[UUID, Transaction] = {}
    columns = {"holding__stock__ticker": tickers, "imported_as": prints, "external_id": ids}
    for column, values in columns.items():
        wanted = iter(sorted(filter(None, values)))
        while batch := list(islice(wanted, AT_ONCE)):
            rows = stored.filter(Q((f"{column}__in", batch)))
            rows = rows.select_related("holding__stock", "group")
            for row in rows:
                if not row.is_derived:
                    found[row.pk] = row
    return sorted(found.values(), key=lambda row: (row.date, row.sequence))


def _known(portfolio: Portfolio) -> dict[tuple[str, str | None], list[str]]:
    """Return the ids of what was taken back, by the row that did it."""
    known: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for pk, entry in stored_entries(portfolio):
        if entry.by:
            known[entry.by, entry.by_id].append(pk)
    return known


def _fits(row: Transaction, one: ImportRow, portfolio: Portfolio) -> bool:
    """Whether a stored row has the instrument, the amount and the currency of a reversal; a leg of
    a group its type and its shares.
    """
    if row.holding is None or row.holding.stock.ticker != one.ticker or row.date > one.date:
        return False
    if RULES[row.type].is_exchange or RULES[one.type].is_exchange:
        return (row.type, row.quantity) == (one.type, one.quantity)
    if one.settlement_amount is None:
        return (row.type, row.quantity, row.price) == (one.type, one.quantity, one.price)
    amount = one.settlement_amount
    return any(
        currency == (one.settlement_currency or portfolio.currency) and abs(moved - amount) < CENT
        for currency, moved in _amounts(row, portfolio.currency)
    )


def _amounts(row: Transaction, currency: str) -> Iterator[tuple[str, Decimal]]:
    """Yield what a row moved: as the broker said it, and by its price in the instrument's currency,
    without the charges and with them.
    """
    yield money_of(row, currency)
    sign = RULES[row.type].money
    if not sign or row.price is None:
        return
    own = row.own_holding.stock.currency
    gross = EXACT.multiply(row.quantity, row.price) * sign
    yield own, gross
    yield own, gross - row.commission - row.tax


def keep_taken(import_batch: ImportBatch, taken: Sequence[TakenBack]) -> None:
    """Delete what is taken back, under the portfolio's lock; the import keeps its columns."""
    if not taken:
        return
    groups = {one.row.group_id for one in taken if one.row.group_id is not None}
    for one in taken:
        import_batch.completed_rows[str(one.row.pk)] = msgspec.to_builtins(entry_of(one))
    import_batch.save(update_fields=["completed_rows", "updated_at"])
    Transaction.objects.filter(pk__in=[one.row.pk for one in taken]).delete()
    TransactionGroup.objects.filter(pk__in=groups).delete()


def entry_of(one: TakenBack) -> Entry:
    ticker = one.row.holding.stock.ticker if one.row.holding else ""
    group = written(one.row.group) if one.row.group else None
    return Entry(written(one.row), ticker, one.by, one.by_id, one.day, group)
