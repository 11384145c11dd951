"""Realised gains lot by lot, first in first out, as tax returns want them. docs/definitions.md,
"Realised gains".
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from typing import Generic

from financeproj.core.money import EXACT, ONE, ZERO, in_new_shares
from portfolios.calc.ledger import CLOSING, OPENING, E, order


@dataclass(slots=True)
class Lot:
    """Shares bought (or transferred in) together: how many are left, in today's shares, and what
    they cost in `_p`.
    """

    bought_on: date
    quantity: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Sale(Generic[E]):
    """One sale with the lots that it used up, oldest first; amounts in the portfolio's currency,
    unrounded.
    """

    entry: E
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
    """Every sale of a holding, in the order in which they took effect. `entries` come in any order.

    A lot costs (quantity x price + commission) x rate of its buy; a split scales lots, a transfer
    in makes one, a transfer out takes the oldest.
    """
    lots: deque[Lot] = deque()
    found: list[Sale[E]] = []
    with localcontext(EXACT):
        for entry in sorted(entries, key=order):
            gross = entry.quantity * (entry.price or ZERO)
            rate = ONE if entry.exchange_rate is None else entry.exchange_rate
            if entry.type in OPENING:
                lots.append(
                    Lot(entry.effective_date, entry.quantity, (gross + entry.commission) * rate)
                )
            elif entry.type == "split":
                for lot in lots:
                    lot.quantity = in_new_shares(lot.quantity, entry.quantity)
            elif entry.type in CLOSING:
                used = _take(lots, entry.quantity)
                if entry.type == "sell":
                    found.append(Sale(entry, (gross - entry.commission) * rate, used))
    return found


def _take(lots: deque[Lot], quantity: Decimal) -> list[Lot]:
    """Remove the oldest `quantity` shares."""
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
