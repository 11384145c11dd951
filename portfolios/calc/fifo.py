"""Realised gains lot by lot, first in first out. docs/definitions.md, "Realised gains"."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from typing import Generic

from financeproj.core.money import EXACT, ONE, ZERO, in_new_shares
from portfolios.calc.carried import Brought, Taken
from portfolios.calc.kinds import RULES, takes_all
from portfolios.calc.ledger import (
    AnyEntry,
    E,
    Entry,
    cash_effect,
    cash_part,
    charge_of,
    order,
    returned_part,
)


@dataclass(slots=True)
class Lot:
    """Shares bought or transferred in together.

    `quantity` is what is left of them, in today's shares; `cost` what that part cost, in the
    portfolio's currency, `cost_c` the same in the instrument's.
    """

    bought_on: date
    quantity: Decimal
    cost: Decimal
    cost_c: Decimal

    def part(self, share: Decimal, quantity: Decimal) -> "Lot":
        """Take `share` of the cost and `quantity` shares out into a lot of their own."""
        taken = Lot(self.bought_on, quantity, self.cost * share, self.cost_c * share)
        self.quantity -= quantity
        self.cost -= taken.cost
        self.cost_c -= taken.cost_c
        return taken


@dataclass(frozen=True, slots=True)
class Sale(Generic[AnyEntry]):
    """What realised a gain, with the lots that it used, oldest first.

    It is a sale, a return of capital, or an exchange with cash; where no share left, the lots have
    quantity 0. Amounts are in the portfolio's currency and unrounded.
    """

    entry: AnyEntry
    proceeds: Decimal
    lots: list[Lot]

    @property
    def cost(self) -> Decimal:
        with localcontext(EXACT):
            return sum((lot.cost for lot in self.lots), ZERO)

    @property
    def gain(self) -> Decimal:
        return EXACT.subtract(self.proceeds, self.cost)


def sales(entries: Iterable[E]) -> list[Sale[E]]:
    """Return all that realised a gain in a holding, in the order of effect.

    `entries` come in any order. A lot costs (quantity x price + charge) x rate of its purchase. A
    split scales all lots, a transfer in makes a lot, and a transfer out takes the oldest ones.
    """
    lots = Lots()
    found: list[Sale[E]] = []
    with localcontext(EXACT):
        for entry in sorted(entries, key=order):
            used = lots.apply(entry)
            rules = RULES[entry.type]
            if rules.is_sale or rules.returns_cost:
                found.append(Sale(entry, cash_effect(entry), used))
            elif isinstance(entry.carried, Taken) and entry.carried.cash_p > 0:
                answered = [_cash_lot(entry.carried, lot) for lot in used]
                found.append(Sale(entry, cash_effect(entry), answered))
    return found


def _cash_lot(taken: Taken, lot: Lot) -> Lot:
    """Return the part of a lot that moved for which the received cash answers."""
    cost, cost_c = cash_part(taken, lot.cost), cash_part(taken, lot.cost_c)
    return Lot(lot.bought_on, lot.quantity, cost, cost_c)


class Lots:
    """The lots of one holding, oldest first."""

    def __init__(self) -> None:
        self.lots: deque[Lot] = deque()
        self.was_split = False

    def apply(self, entry: Entry) -> list[Lot]:
        """Change the lots by one entry, in the context `money.EXACT`, and return what left."""
        rules = RULES[entry.type]
        self.was_split = self.was_split or rules.leaves_dust
        if rules.is_ratio:
            for lot in self.lots:
                lot.quantity = in_new_shares(lot.quantity, entry.quantity)
        elif rules.returns_cost:
            gross_c = entry.quantity * (entry.price or ZERO)
            cost_c = sum((lot.cost_c for lot in self.lots), ZERO)
            part = returned_part(gross_c - charge_of(entry), cost_c)
            return self._part_of_each(part)
        elif isinstance(entry.carried, Brought):
            for one in entry.carried.lots:
                self.lots.append(Lot(one.bought_on, one.quantity, one.cost_p, one.cost_c))
            self.lots = deque(sorted(self.lots, key=_bought_on))
        elif rules.shares > 0:
            cost_c = entry.quantity * (entry.price or ZERO) + charge_of(entry)
            rate = ONE if entry.exchange_rate is None else entry.exchange_rate
            lot = Lot(entry.effective_date, entry.quantity, cost_c * rate, cost_c)
            self.lots.append(lot)
        elif rules.shares < 0:
            return self._take_out(entry)
        return []

    def _take_out(self, entry: Entry) -> list[Lot]:
        taken = entry.carried if isinstance(entry.carried, Taken) else Taken()
        if taken.takes_all:
            return self._take_everything()
        if entry.quantity:
            return self._take(entry.quantity)
        return self._part_of_each(taken.share)

    def _part_of_each(self, share: Decimal) -> list[Lot]:
        """Take `share` of the cost of every lot, but no shares."""
        return [lot.part(share, ZERO) for lot in self.lots]

    def _take_everything(self) -> list[Lot]:
        everything = list(self.lots)
        self.lots.clear()
        return everything

    def _take(self, quantity: Decimal) -> list[Lot]:
        """Remove the oldest `quantity` shares and return them."""
        if self.was_split:
            held = sum((lot.quantity for lot in self.lots), ZERO)
            if takes_all(held, quantity, was_split=True):
                return self._take_everything()
        taken: list[Lot] = []
        while quantity > 0 and self.lots:
            lot = self.lots[0]
            if lot.quantity <= quantity:
                taken.append(self.lots.popleft())
                quantity -= lot.quantity
            else:
                taken.append(lot.part(quantity / lot.quantity, quantity))
                break
        return taken


def _bought_on(lot: Lot) -> date:
    return lot.bought_on
