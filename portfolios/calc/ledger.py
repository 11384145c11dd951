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
from portfolios.calc.carried import Brought, Carried, Taken
from portfolios.calc.kinds import RULES, rank_of, shares_after, takes_all


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
    @property
    def carried(self) -> Carried | None: ...


E = TypeVar("E", bound=Entry)
# Without the bound, which mypy checks before it knows that fields of a model are their values.
AnyEntry = TypeVar("AnyEntry", covariant=True)


@dataclass(slots=True)
class Position:
    """The state of a holding: `quantity` in shares, costs and results unrounded (50 digits).

    `was_split` says whether it ever had a split or an exchange.
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
    """What one entry did: the average cost shown with it, and the gain in `_p` that it realised."""

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
    return entry.effective_date, rank_of(entry.type, entry.quantity), entry.sequence


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
                average, realised = apply(position, entry)
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
            apply(position, entry)
        yield entry, replace(position)


def apply(position: Position, entry: Entry) -> tuple[Decimal | None, Decimal | None]:
    """Change `position` by one entry, in the context `money.EXACT`.

    Returns the average cost that the step shows and the realised gain in `_p`, None where the entry
    cannot realise one. Raises Oversold.
    """
    rules = RULES[entry.type]
    position.was_split = position.was_split or rules.leaves_dust
    if rules.is_ratio:
        position.quantity = in_new_shares(position.quantity, entry.quantity)
        return _average(position), None
    if rules.shares < 0:
        return _take_out(position, entry)
    gross_c = entry.quantity * _price(entry)
    if rules.shares > 0:
        position.quantity += entry.quantity
        if isinstance(entry.carried, Brought):
            position.cost_c += entry.carried.cost_c
            position.cost_p += entry.carried.cost_p
        else:
            cost_c = gross_c + charge_of(entry)
            position.cost_c += cost_c
            position.cost_p += cost_c * _rate(entry)
    elif rules.returns_cost:
        realised_p = _return_cost(position, gross_c - charge_of(entry), _rate(entry))
        return _average(position), realised_p
    elif rules.money > 0:
        position.income_p += (gross_c - charge_of(entry)) * _rate(entry)
    else:
        position.charges_p += (gross_c + charge_of(entry)) * _rate(entry)
    return _average(position), None


def returned_part(returned_c: Decimal, cost_c: Decimal) -> Decimal:
    """Return the part of a cost that a return of capital takes away."""
    return min(ONE, returned_c / cost_c) if cost_c else ONE


def _return_cost(position: Position, returned_c: Decimal, rate: Decimal) -> Decimal:
    """Take a return of capital out of the cost, and return the gain in `_p`."""
    part = returned_part(returned_c, position.cost_c)
    cost_c, cost_p = part * position.cost_c, part * position.cost_p
    realised_p = returned_c * rate - cost_p
    position.cost_c -= cost_c
    position.cost_p -= cost_p
    position.realised_c += returned_c - cost_c
    position.realised_p += realised_p
    return realised_p


def _take_out(position: Position, entry: Entry) -> tuple[Decimal | None, Decimal | None]:
    """Remove what a sale, transfer out or exchange takes, at average cost. Raises Oversold."""
    taken = entry.carried if isinstance(entry.carried, Taken) else Taken()
    held = position.quantity
    quantity = held if taken.takes_all else entry.quantity
    closes = quantity > 0 and takes_all(held, quantity, was_split=position.was_split)
    if (quantity > held and not closes) or not held:
        raise Oversold(entry, held, was_split=position.was_split)
    average_c = position.cost_c / held
    cost_c, cost_p = position.cost_c, position.cost_p
    if not quantity:
        cost_c, cost_p = taken.share * cost_c, taken.share * cost_p
    elif not closes:
        cost_c = quantity * average_c
        cost_p = quantity * (cost_p / held)
    realised_p = None
    if RULES[entry.type].money > 0:
        proceeds_c = quantity * _price(entry) - charge_of(entry)
        realised_p = proceeds_c * _rate(entry) - cost_p
        position.realised_c += proceeds_c - cost_c
        position.realised_p += realised_p
    elif taken.cash_p > 0:
        realised_p = taken.cash_p - cash_part(taken, cost_p)
        position.realised_p += realised_p
    if closes:
        position.quantity = position.cost_c = position.cost_p = ZERO
    else:
        position.quantity -= quantity
        position.cost_c -= cost_c
        position.cost_p -= cost_p
    return average_c, realised_p


def cash_part(taken: Taken, moved: Decimal) -> Decimal:
    """Return the part of a cost that moved for which the received cash answers."""
    if not taken.cash_share or not taken.share:
        return ZERO
    return moved * (taken.cash_share / taken.share)


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

    A purchase is negative, splits and transfers are 0. An exchange has the cash of what goes.
    """
    if isinstance(entry.carried, Taken):
        return entry.carried.cash_p
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
            was_split = was_split or RULES[entry.type].leaves_dust
            held_on[entry.effective_date] = held
    return list(held_on.items())
