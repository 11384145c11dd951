"""The ledger of one holding, replayed in Decimal. docs/definitions.md, "The ledger of a holding".

Symbols: `_c` is in the instrument's currency, `_p` in the portfolio's; `rate` turns the first into
  the second.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, localcontext
from typing import Generic, Protocol, TypeVar

from financeproj.core.money import EXACT, ONE, ZERO, in_new_shares

# What comes first on one day; within a rank the order of entry decides.
RANK = {
    "split": 0,
    "transfer_in": 1,
    "buy": 2,
    "dividend": 3,
    "interest": 3,
    "fee": 3,
    "tax": 3,
    "sell": 4,
    "transfer_out": 5,
}
OPENING = ("buy", "transfer_in")
CLOSING = ("sell", "transfer_out")


class Entry(Protocol):
    """What a replay reads of a transaction; `effective_date` is the day on which it counts."""

    type: str
    effective_date: date
    sequence: int
    quantity: Decimal
    price: Decimal | None
    commission: Decimal
    exchange_rate: Decimal | None


E = TypeVar("E", bound=Entry)


@dataclass(slots=True)
class Position:
    """The state of a holding: `quantity` in shares, costs and results unrounded (50 digits)."""

    quantity: Decimal = ZERO
    cost_c: Decimal = ZERO
    cost_p: Decimal = ZERO
    realised_c: Decimal = ZERO
    realised_p: Decimal = ZERO
    income_p: Decimal = ZERO
    charges_p: Decimal = ZERO

    @property
    def average_c(self) -> Decimal | None:
        """Cost of a share, commission included; None for a closed position."""
        return EXACT.divide(self.cost_c, self.quantity) if self.quantity else None


@dataclass(frozen=True, slots=True)
class Step(Generic[E]):
    """What one entry did: the average cost that stands beside it, and the gain in `_p` if it was a
    sale.
    """

    entry: E
    average_c: Decimal | None
    realised_p: Decimal | None


class Oversold(Exception):
    """`entry` takes out more than is `held` on its day."""

    def __init__(self, entry: Entry, held: Decimal) -> None:
        super().__init__(f"{entry.quantity} requested, {held} held on {entry.effective_date}")
        self.entry = entry
        self.held = held


def order(entry: Entry) -> tuple[date, int, int]:
    """The key by which entries take effect."""
    return entry.effective_date, RANK[entry.type], entry.sequence


def replay(
    entries: Iterable[E], *, leave_out: Callable[[Oversold], bool] | None = None
) -> tuple[Position, list[Step[E]]]:
    """The position after all `entries` (any order), and what each did, in the order in which they
    took effect.

    Raises Oversold at the first entry that takes out more than is held, unless `leave_out` says to
    go on without it.
    """
    position = Position()
    steps: list[Step[E]] = []
    with localcontext(EXACT):
        for entry in sorted(entries, key=order):
            try:
                average, realised = _apply(position, entry)
            except Oversold as error:
                if leave_out is None or not leave_out(error):
                    raise
                continue
            steps.append(Step(entry, average, realised))
    return position, steps


def states(entries: Iterable[E]) -> Iterator[tuple[E, Position]]:
    """Each of `entries` (any order) in the order in which they took effect, with a copy of the
    position after it.
    """
    position = Position()
    for entry in sorted(entries, key=order):
        with localcontext(EXACT):
            _apply(position, entry)
        yield entry, replace(position)


def _apply(position: Position, entry: Entry) -> tuple[Decimal | None, Decimal | None]:
    kind, quantity = entry.type, entry.quantity
    if kind == "split":
        position.quantity = in_new_shares(position.quantity, quantity)
        return _average(position), None
    if kind in CLOSING:
        if quantity > position.quantity:
            raise Oversold(entry, position.quantity)
        average_c = position.cost_c / position.quantity
        cost_p = quantity * (position.cost_p / position.quantity)
        realised_p = None
        if kind == "sell":
            proceeds_c = quantity * _price(entry) - entry.commission
            realised_p = proceeds_c * _rate(entry) - cost_p
            position.realised_c += proceeds_c - quantity * average_c
            position.realised_p += realised_p
        if quantity == position.quantity:
            position.quantity = position.cost_c = position.cost_p = ZERO
        else:
            position.quantity -= quantity
            position.cost_c -= quantity * average_c
            position.cost_p -= cost_p
        return average_c, realised_p
    gross = quantity * _price(entry)
    if kind in OPENING:
        cost_c = gross + entry.commission
        position.quantity += quantity
        position.cost_c += cost_c
        position.cost_p += cost_c * _rate(entry)
    elif kind in ("dividend", "interest"):
        position.income_p += (gross - entry.commission) * _rate(entry)
    else:
        position.charges_p += (gross + entry.commission) * _rate(entry)
    return _average(position), None


def _average(position: Position) -> Decimal | None:
    return position.cost_c / position.quantity if position.quantity else None


def _price(entry: Entry) -> Decimal:
    return ZERO if entry.price is None else entry.price


def _rate(entry: Entry) -> Decimal:
    return ONE if entry.exchange_rate is None else entry.exchange_rate


def cash_effect(entry: Entry) -> Decimal:
    """What `entry` does to the cash, in the portfolio's currency: a buy is negative, splits and
    transfers are 0.
    """
    if entry.type in ("split", *(kind for kind in RANK if kind.startswith("transfer"))):
        return ZERO
    with localcontext(EXACT):
        gross = entry.quantity * _price(entry)
        if entry.type in ("buy", "fee", "tax"):
            return -(gross + entry.commission) * _rate(entry)
        return (gross - entry.commission) * _rate(entry)


def quantities(entries: Iterable[Entry]) -> list[tuple[date, Decimal]]:
    """(day, shares held at its end) for every day on which something happened, oldest first."""
    held: dict[date, Decimal] = {}
    quantity = ZERO
    with localcontext(EXACT):
        for entry in sorted(entries, key=order):
            if entry.type in OPENING:
                quantity += entry.quantity
            elif entry.type in CLOSING:
                quantity -= entry.quantity
            elif entry.type == "split":
                quantity = in_new_shares(quantity, entry.quantity)
            held[entry.effective_date] = quantity
    return list(held.items())
