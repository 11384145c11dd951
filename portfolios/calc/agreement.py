"""Compare what a broker's files say stood on a day with what the ledger adds up to.

docs/definitions.md, "Agreement with the broker". Days are booking days.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from itertools import takewhile
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

from financeproj.core.money import EXACT, ZERO
from portfolios.calc.carried import Carried
from portfolios.calc.duplicates import read_fingerprint, written_alike
from portfolios.calc.import_rows import Checkpoint
from portfolios.calc.kinds import RULES, TransactionType, shares_after
from portfolios.calc.ledger import order
from portfolios.calc.money import money_of

SEVERAL_ACCOUNTS, NO_CHECKPOINTS = "several_accounts", "no_checkpoints"
Day = date  # within a class that has a field `date`


class Thing(NamedTuple):
    """A currency, or an instrument by its ticker. Money sorts before shares."""

    is_instrument: bool
    name: str


class BookedRow(Struct, frozen=True, gc=False):
    """The columns of a transaction that say what it moved, and what it moved as imported.

    `ticker` is empty for a row of money alone.
    """

    pk: UUID
    ticker: str | None
    type: str
    date: date
    effective_date: Day
    sequence: int
    quantity: Decimal
    price: Decimal | None
    commission: Decimal
    tax: Decimal
    exchange_rate: Decimal | None
    settlement_currency: str | None
    settlement_amount: Decimal | None
    booked_on: Day | None
    carried: Carried | None
    source: str
    import_id: UUID | None
    imported_as: str = ""
    imported_currency: str | None = None
    imported_amount: Decimal | None = None
    imported_on: Day | None = None

    @property
    def day(self) -> Day:
        """The day on which the broker booked it."""
        return self.booked_on or self.date

    @property
    def is_derived(self) -> bool:
        """Whether it is an opening that follows from other rows or from checkpoints."""
        return self.source == "derived"

    @property
    def is_split_of_source(self) -> bool:
        """Whether it is a split that was booked because the source knows it."""
        return self.type == "split" and self.source == "market_data"


class Stated(Struct, frozen=True):
    """A checkpoint and the import that left it."""

    checkpoint: Checkpoint
    import_id: UUID

    @property
    def thing(self) -> Thing:
        ticker = self.checkpoint.ticker
        return Thing(bool(ticker), ticker or self.checkpoint.currency)


class Compared(Struct, frozen=True):
    """A checkpoint and what the ledger has on its day."""

    stated: Stated
    got: Decimal

    @property
    def day(self) -> date:
        return self.stated.checkpoint.day

    @property
    def agrees(self) -> bool:
        """Whether both are equal, rounded to as many decimals as the file writes."""
        checkpoint = self.stated.checkpoint
        half_unit = Decimal(5).scaleb(-checkpoint.decimals - 1)
        return abs(EXACT.subtract(self.got, checkpoint.amount)) <= half_unit


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a portfolio's ledger agrees with its broker's files.

    `agrees_until` is the last day with a checkpoint before the first day with a difference, None if
    there is none. `compared` are the checkpoints that count, by thing and day. `is_comparable` is
    False where the files are of several accounts: then nothing was compared. `culprit` is the row
    to look at for the first difference, if one can be named.
    """

    compared: Mapping[tuple[Thing, date], Compared]
    agrees_until: date | None = None
    first_difference: Compared | None = None
    culprit: UUID | None = None
    checkpoints: int = 0
    is_comparable: bool = True

    @property
    def reason(self) -> str | None:
        """Why nothing was compared, None if something was."""
        if not self.is_comparable:
            return SEVERAL_ACCOUNTS
        return None if self.checkpoints else NO_CHECKPOINTS

    def of_import(self, checkpoints: Iterable[Checkpoint]) -> list[Compared]:
        """Compare an import's own `checkpoints`, by day, money first.

        One is left out where a better one of the same day tells another figure.
        """
        own = [self._compared(checkpoint) for checkpoint in checkpoints]
        return sorted((one for one in own if one is not None), key=_by_day)

    def _compared(self, checkpoint: Checkpoint) -> Compared | None:
        ticker = checkpoint.ticker
        thing = Thing(bool(ticker), ticker or checkpoint.currency)
        found = self.compared.get((thing, checkpoint.day))
        if found is None or found.stated.checkpoint.amount != checkpoint.amount:
            return None
        return Compared(Stated(checkpoint, found.stated.import_id), found.got)


class _Move(NamedTuple):
    """What one row added to a currency or an instrument, on its booking day."""

    day: date
    sequence: int
    amount: Decimal
    row: BookedRow


def counting(stated: Iterable[Stated]) -> dict[tuple[Thing, date], Stated]:
    """Choose for each thing and day the checkpoint that counts; the oldest import comes first.

    It is that of the file with the most rows of the day, of equals the newest import's.
    """
    chosen: dict[tuple[Thing, date], Stated] = {}
    for one in stated:
        key = one.thing, one.checkpoint.day
        known = chosen.get(key)
        if known is None or one.checkpoint.rows_of_day >= known.checkpoint.rows_of_day:
            chosen[key] = one
    return chosen


def compare(
    stated: Iterable[Stated], rows: Iterable[BookedRow], portfolio_currency: str
) -> Agreement:
    """Compare the checkpoints that count with the ledger; `stated` has the oldest import first.

    `rows` come in any order.
    """
    chosen = counting(stated)
    moves = _moves(list(rows), portfolio_currency)
    points: dict[Thing, list[Stated]] = defaultdict(list)
    for one in chosen.values():
        points[one.thing].append(one)
    compared: list[Compared] = []
    for thing, of_thing in points.items():
        compared += _compare_one(of_thing, moves.get(thing, ()))
    compared.sort(key=_by_day)
    agreeing = list(takewhile(lambda one: one.agrees, compared))
    by_thing_and_day = {(one.stated.thing, one.day): one for one in compared}
    if len(agreeing) == len(compared):
        until = compared[-1].day if compared else None
        return Agreement(by_thing_and_day, until, checkpoints=len(compared))
    first = compared[len(agreeing)]
    before = [one.day for one in compared if one.day < first.day]
    thing = first.stated.thing
    since = max((one.day for one in agreeing if one.stated.thing == thing), default=date.min)
    return Agreement(
        by_thing_and_day,
        agrees_until=max(before, default=None),
        first_difference=first,
        culprit=_culprit(thing, moves.get(thing, ()), since, first.day, portfolio_currency),
        checkpoints=len(compared),
    )


def _by_day(one: Compared) -> tuple[date, Thing]:
    return one.day, one.stated.thing


def _compare_one(points: Sequence[Stated], moves: Sequence[_Move]) -> list[Compared]:
    """Add up the moves of one thing, which are by day, and compare at each checkpoint."""
    compared: list[Compared] = []
    total, position = ZERO, 0
    with localcontext(EXACT):
        for one in sorted(points, key=lambda one: one.checkpoint.day):
            while position < len(moves) and moves[position].day <= one.checkpoint.day:
                total += moves[position].amount
                position += 1
            compared.append(Compared(one, total))
    return compared


def _moves(rows: Sequence[BookedRow], portfolio_currency: str) -> dict[Thing, list[_Move]]:
    """Return what each row moved, by thing, in the order in which the broker booked.

    A row that was imported with another currency is a move of 0 there.
    """
    moves: dict[Thing, list[_Move]] = defaultdict(list)
    of_instruments: dict[str, list[BookedRow]] = defaultdict(list)
    for row in rows:
        currency, amount = money_of(row, portfolio_currency)
        moves[Thing(False, currency)].append(_Move(row.day, row.sequence, amount, row))
        if row.imported_currency not in (None, currency):
            was = Thing(False, row.imported_currency or "")
            moves[was].append(_Move(row.day, row.sequence, ZERO, row))
        if row.ticker:
            of_instruments[row.ticker].append(row)
    for ticker, of_instrument in of_instruments.items():
        moves[Thing(True, ticker)] += _shares_added(of_instrument)
    for of_thing in moves.values():
        of_thing.sort(key=lambda move: move[:2])
    return moves


def _shares_added(rows: Iterable[BookedRow]) -> list[_Move]:
    """Return what each row of a holding added in the order of the ledger, on its booking day."""
    added: list[_Move] = []
    held, was_split = ZERO, False
    with localcontext(EXACT):
        for row in sorted(rows, key=order):
            after = shares_after(held, row.type, row.quantity, was_split=was_split)
            was_split = was_split or RULES[row.type].leaves_dust
            added.append(_Move(row.day, row.sequence, after - held, row))
            held = after
    return added


# --- What stood before the rows -------------------------------------------------------------------


def first_balances(stated: Iterable[Stated]) -> dict[str, Checkpoint]:
    """Return the first checkpoint of each currency that counts."""
    first: dict[str, Checkpoint] = {}
    for one in counting(stated).values():
        currency, checkpoint = one.checkpoint.currency, one.checkpoint
        if currency and (currency not in first or checkpoint.day < first[currency].day):
            first[currency] = checkpoint
    return first


def openings(
    stated: Iterable[Stated], rows: Iterable[BookedRow], portfolio_currency: str
) -> dict[str, Decimal]:
    """Return by currency what must have stood there before all `rows`; never 0.

    It is the first checkpoint that counts, less all rows booked up to its day: imported ones as
    they were imported, others as they are. Derived openings among `rows` are left out.
    """
    first = first_balances(stated)
    found = {currency: checkpoint.amount for currency, checkpoint in first.items()}
    for row in rows:
        day, currency, amount = _as_imported(row, portfolio_currency)
        if currency in first and day <= first[currency].day and not row.is_derived:
            found[currency] = EXACT.subtract(found[currency], amount)
    return {currency: amount for currency, amount in found.items() if amount}


def _as_imported(row: BookedRow, portfolio_currency: str) -> tuple[date, str, Decimal]:
    """Return booking day, currency and amount of a row as imported, else as it is."""
    if row.imported_on is None or row.imported_amount is None or row.imported_currency is None:
        return row.day, *money_of(row, portfolio_currency)
    return row.imported_on, row.imported_currency, row.imported_amount


# --- The row to look at ---------------------------------------------------------------------------


def _culprit(
    thing: Thing, moves: Sequence[_Move], since: date, until: date, portfolio_currency: str
) -> UUID | None:
    """Return the first row booked after `since` up to `until` that is not as imported.

    If there is none, the first without an import; None if all are as imported.
    """
    without_import: UUID | None = None
    for move in moves:
        row = move.row
        days = (row.day, row.imported_on or row.day)
        if not any(since < day <= until for day in days):
            continue
        if row.import_id is None:
            if without_import is None and move.amount and row.type != TransactionType.OPENING:
                without_import = row.pk
        elif not _is_as_imported(row, thing, portfolio_currency):
            return row.pk
    return without_import


def _is_as_imported(row: BookedRow, thing: Thing, portfolio_currency: str) -> bool:
    """Return whether its booking day and what it moved of `thing` are as they were imported."""
    was = read_fingerprint(row.imported_as)
    if was is None:
        return True
    if row.imported_on is not None:
        is_same_day = row.day == row.imported_on
    else:
        is_same_day = row.date == was.day
    if not is_same_day:
        return False
    is_same_quantity = row.type == was.kind and written_alike(row.quantity, was.quantity)
    if thing.is_instrument:
        return is_same_quantity
    if row.imported_amount is not None:
        amount = row.imported_currency, row.imported_amount
        return money_of(row, portfolio_currency) == amount
    is_same_price = written_alike(row.price, was.price)
    is_same_charge = written_alike(row.commission + row.tax, was.charge)
    return is_same_quantity and is_same_price and is_same_charge
