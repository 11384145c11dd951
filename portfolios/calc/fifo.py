"""Realised gains lot by lot, first in first out. docs/definitions.md, "Realised gains"."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from typing import Generic

from financeproj.core.money import EXACT, ONE, ZERO, in_new_shares
from portfolios.calc.kinds import RULES, takes_all
from portfolios.calc.ledger import AnyEntry, E, Entry, cash_effect, charge_of, order


@dataclass(slots=True)
class Lot:
    """Shares bought or transferred in together.

    `quantity` is what is left of them, in today's shares; `cost` what that part cost, in the
    portfolio's currency.
    """

    bought_on: date
    quantity: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Sale(Generic[AnyEntry]):
    """One sale with the lots that it used, oldest first.

    Amounts are in the portfolio's currency and unrounded.
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
    """Return every sale of a holding, in the order of effect. `entries` come in any order.

    A lot costs (quantity x price + charge) x rate of its purchase. A split scales all lots, a
    transfer in makes a lot, and a transfer out takes the oldest ones.
    """
    lots: deque[Lot] = deque()
    found: list[Sale[E]] = []
    was_split = False
    with localcontext(EXACT):
        for entry in sorted(entries, key=order):
            rules = RULES[entry.type]
            if rules.is_ratio:
                was_split = True
                for lot in lots:
                    lot.quantity = in_new_shares(lot.quantity, entry.quantity)
            elif rules.shares > 0:
                lots.append(Lot(entry.effective_date, entry.quantity, _cost(entry)))
            elif rules.shares < 0:
                used = _take(lots, entry.quantity, was_split=was_split)
                if rules.is_sale:
                    found.append(Sale(entry, cash_effect(entry), used))
    return found


def _cost(entry: Entry) -> Decimal:
    """Return what the shares that came in cost, in the portfolio's currency."""
    gross = entry.quantity * (entry.price or ZERO)
    rate = ONE if entry.exchange_rate is None else entry.exchange_rate
    return (gross + charge_of(entry)) * rate


def _take(lots: deque[Lot], quantity: Decimal, *, was_split: bool) -> list[Lot]:
    """Remove the oldest `quantity` shares from `lots` and return them."""
    if was_split:
        held = sum((lot.quantity for lot in lots), ZERO)
        if takes_all(held, quantity, was_split=True):
            everything = list(lots)
            lots.clear()
            return everything
    taken = []
    while quantity > 0 and lots:
        lot = lots[0]
        if lot.quantity <= quantity:
            taken.append(lots.popleft())
            quantity -= lot.quantity
            continue
        cost = lot.cost * (quantity / lot.quantity)
        taken.append(Lot(lot.bought_on, quantity, cost))
        lot.quantity -= quantity
        lot.cost -= cost
        break
    return taken
