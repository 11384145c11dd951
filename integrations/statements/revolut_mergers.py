"""Revolut: which rows of a merger belong together.

One row takes the old shares, others bring new ones or money, all on one day.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from integrations.statements.exchanges import Moved, find_exchanges
from integrations.statements.raw_rows import BadRow, RawRow
from integrations.statements.values import single_spaced

STOCK, CASH = "MERGER - STOCK", "MERGER - CASH"
DAY = 10  # characters of a moment


@dataclass(slots=True)
class Mergers:
    """`exchanges` is the name of its exchange for each line that is a leg, `cash` the row with the
    money of an exchange. `taken` is how many shares a row with money paid for, and `with_other` are
    the lines that are read with another.
    """

    exchanges: dict[int, str] = field(default_factory=dict)
    cash: dict[str, RawRow] = field(default_factory=dict)
    taken: dict[int, Decimal] = field(default_factory=dict)
    with_other: set[int] = field(default_factory=set)


def kind_of(raw: RawRow) -> str:
    return in_capitals(raw["Type"])


def in_capitals(kind: str) -> str:
    """Return a type in capitals; files of 2021 have CUSTODY_FEE."""
    return single_spaced(kind.upper().replace("_", " "))


def find_mergers(rows: Iterable[RawRow]) -> Mergers:
    moves: list[Moved] = []
    taken: dict[tuple[str, str], list[Moved]] = defaultdict(list)
    paid: dict[tuple[str, str], list[RawRow]] = defaultdict(list)
    for raw in rows:
        day = raw["Date"][:DAY]
        key = (day, raw["Ticker"])
        try:
            shares = raw.number_or_zero("Quantity")
        except BadRow:
            continue  # It is a problem of its row.
        if kind_of(raw) == STOCK and shares:
            move = Moved(day, raw["Ticker"], shares, raw.line)
            moves.append(move)
            taken[key].append(move)
        elif kind_of(raw) == CASH and not shares:
            paid[key].append(raw)
    found = Mergers(exchanges=find_exchanges(moves).names)
    for key, payments in paid.items():
        if len(payments) == 1 and len(taken[key]) == 1:
            _pair(found, taken[key][0], payments[0])
    return found


def _pair(found: Mergers, move: Moved, payment: RawRow) -> None:
    """Note that a payment came with the shares of an exchange, or for shares that went."""
    name = found.exchanges.get(move.line)
    if name and move.shares < 0:
        found.cash[name] = payment
        found.with_other.add(payment.line)
    elif not name and move.shares < 0:
        found.taken[payment.line] = -move.shares
        found.with_other.add(move.line)
