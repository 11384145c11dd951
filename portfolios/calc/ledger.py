"""The ledger of one holding, replayed in Decimal. docs/definitions.md, "The ledger of a holding".

Names that end in `_c` are in the instrument's currency, in `_p` in the portfolio's. The exchange
rate converts the first into the second.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, localcontext
from typing import Generic, Protocol, TypeVar

from financeproj.core.money import EXACT, ONE, ZERO, in_new_shares
from portfolios.calc.kinds import RULES, shares_after, takes_all


class Entry(Protocol):
    """The fields of a transaction that a replay reads. It counts on its `effective_date`."""

    @property
    def type(self) -> str: ...
    @property
    def effective_date(self) -> date: ...
    @property
    def sequence(self) -> int: ...
    @property
    def quantity(self) -> Decimal: ...
    @property
    def price(self) -> Decimal | None: ...
    @property
    def commission(self) -> Decimal: ...
    @property
    def tax(self) -> Decimal: ...
    @property
    def exchange_rate(self) -> Decimal | None: ...


E = TypeVar("E", bound=Entry)
# Without the bound, which mypy checks before it knows that fields of a model are their values.
AnyEntry = TypeVar("AnyEntry", covariant=True)


@dataclass(slots=True)
class Position:
    """The state of a holding: `quantity` in shares, costs and results unrounded (50 digits).

    `was_split` says whether it ever had a split.
    """

    quantity: Decimal = ZERO
    cost_c: Decimal = ZERO
    cost_p: Decimal = ZERO
    realised_c: Decimal = ZERO
    realised_p: Decimal = ZERO
    income_p: Decimal = ZERO
    charges_p: Decimal = ZERO
    was_split: bool = False

    @property
    def average_c(self) -> Decimal | None:
        """Cost of a share, charges included; None for a closed position."""
        return EXACT.divide(self.cost_c, self.quantity) if self.quantity else None


@dataclass(frozen=True, slots=True)
class Step(Generic[AnyEntry]):
    """What one entry did: the average cost shown with it and, for a sale, the gain in `_p`."""

    entry: AnyEntry
    average_c: Decimal | None
    realised_p: Decimal | None


class Oversold(Exception):
    """`entry` takes out more than is `held` on its day, in a holding that `was_split` or not."""

    def __init__(self, entry: Entry, held: Decimal, *, was_split: bool) -> None:
        super().__init__(f"{entry.quantity} requested, {held} held on {entry.effective_date}")
        self.entry = entry
        self.held = held
        self.was_split = was_split


def order(entry: Entry) -> tuple[date, int, int]:
    """Sort key: the order in which entries take effect."""
    return entry.effective_date, RULES[entry.type].rank, entry.sequence


def replay(
    entries: Iterable[E], *, leave_out: Callable[[Oversold], bool] | None = None
) -> tuple[Position, list[Step[E]]]:
    """Return the position after all `entries`, and one step for each in the order of effect.

    `entries` come in any order. Raises Oversold at the first entry that takes out more than is
    held, unless `leave_out` returns True for it: the replay then continues without that entry.
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
    """Yield each entry in the order of effect, with a copy of the position after it.

    `entries` come in any order.
    """
    position = Position()
    for entry in sorted(entries, key=order):
        with localcontext(EXACT):
            _apply(position, entry)
        yield entry, replace(position)


def _apply(position: Position, entry: Entry) -> tuple[Decimal | None, Decimal | None]:
    """Change `position` by one entry.

    Returns the average cost that the step shows and, for a sale, the realised gain in `_p`.
    """
    rules = RULES[entry.type]
    if rules.is_ratio:
        position.quantity = in_new_shares(position.quantity, entry.quantity)
        position.was_split = True
        return _average(position), None
    if rules.shares < 0:
        return _take_out(position, entry)
    gross_c = entry.quantity * _price(entry)
    if rules.shares > 0:
        cost_c = gross_c + charge_of(entry)
        position.quantity += entry.quantity
        position.cost_c += cost_c
        position.cost_p += cost_c * _rate(entry)
    elif rules.money > 0:
        position.income_p += (gross_c - charge_of(entry)) * _rate(entry)
    else:
        position.charges_p += (gross_c + charge_of(entry)) * _rate(entry)
    return _average(position), None


def _take_out(position: Position, entry: Entry) -> tuple[Decimal, Decimal | None]:
    """Remove the shares of a sale or transfer out at average cost. Raises Oversold."""
    quantity, held = entry.quantity, position.quantity
    closes = takes_all(held, quantity, was_split=position.was_split)
    if quantity > held and not closes:
        raise Oversold(entry, held, was_split=position.was_split)
    average_c = position.cost_c / held
    cost_c, cost_p = position.cost_c, position.cost_p
    if not closes:
        cost_c = quantity * average_c
        cost_p = quantity * (position.cost_p / held)
    realised_p = None
    if RULES[entry.type].money > 0:
        proceeds_c = quantity * _price(entry) - charge_of(entry)
        realised_p = proceeds_c * _rate(entry) - cost_p
        position.realised_c += proceeds_c - cost_c
        position.realised_p += realised_p
    if closes:
        position.quantity = position.cost_c = position.cost_p = ZERO
    else:
        position.quantity -= quantity
        position.cost_c -= cost_c
        position.cost_p -= cost_p
    return average_c, realised_p


def _average(position: Position) -> Decimal | None:
    return position.cost_c / position.quantity if position.quantity else None


def charge_of(entry: Entry) -> Decimal:
    """Return what the trade cost besides its price: commission and tax, in `_c`."""
    return entry.commission + entry.tax


def _price(entry: Entry) -> Decimal:
    return ZERO if entry.price is None else entry.price


def _rate(entry: Entry) -> Decimal:
    return ONE if entry.exchange_rate is None else entry.exchange_rate


def cash_effect(entry: Entry) -> Decimal:
    """Return what `entry` does to the cash, in the portfolio's currency.

    A purchase is negative, splits and transfers are 0.
    """
    sign = RULES[entry.type].money
    if not sign:
        return ZERO
    with localcontext(EXACT):
        gross_c = entry.quantity * _price(entry)
        return (sign * gross_c - charge_of(entry)) * _rate(entry)


def quantities(entries: Iterable[Entry]) -> list[tuple[date, Decimal]]:
    """Return (day, shares held at its end) for every day with an entry, oldest first."""
    held_on: dict[date, Decimal] = {}
    held, was_split = ZERO, False
    with localcontext(EXACT):
        for entry in sorted(entries, key=order):
            held = shares_after(held, entry.type, entry.quantity, was_split=was_split)
            was_split = was_split or RULES[entry.type].is_ratio
            held_on[entry.effective_date] = held
    return list(held_on.items())
