"""The rows in arrays of a holding whose costs do not follow from prices and quantities alone.

Returns of capital take a part of the cost, spin-offs do too, and legs of groups bring a cost that
was paid elsewhere. Here these parts are worked out by the exact ledger, as fractions and prices
that arrays can use.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal, localcontext
from typing import NamedTuple

from financeproj.core.money import EXACT, ONE, ZERO
from portfolios.calc.carried import Brought, Taken
from portfolios.calc.kinds import RULES, TransactionType
from portfolios.calc.ledger import E, Entry, Position, cash_part, charge_of, states


class CostRow(NamedTuple):
    """A row of `portfolios.calc.layout.Trades`, but for its instrument and day.

    `share` is the part of the cost that leaves beyond that of the shares which leave.
    """

    type: str
    quantity: Decimal
    price: float
    commission: float
    rate: float
    held: float
    share: float


def cost_rows(entries: Iterable[E]) -> Iterator[tuple[E, list[CostRow]]]:
    """Yield each entry in the order of effect with its rows. `entries` come in any order.

    The cash of an exchange is a row of its own before that of the shares: a sale of what was
    received, a purchase of what was paid.
    """
    before = Position()
    for entry, after in states(entries):
        with localcontext(EXACT):
            rows = _rows_of(entry, before, after)
        yield entry, rows
        before = replace(after)


def _rows_of(entry: Entry, before: Position, after: Position) -> list[CostRow]:
    rules = RULES[entry.type]
    price, rate, commission = entry.price or ZERO, entry.exchange_rate or ZERO, charge_of(entry)
    share = 0.0
    if isinstance(entry.carried, Brought):
        cost_c, cost_p = entry.carried.cost_c, entry.carried.cost_p
        price = cost_c / entry.quantity
        rate = cost_p / cost_c if cost_c else ONE
        commission = ZERO
    elif isinstance(entry.carried, Taken) and rules.is_exchange:
        return _rows_of_exchange(entry, entry.carried, before, after)
    elif rules.returns_cost and before.cost_p:
        share = float(ONE - after.cost_p / before.cost_p)
    row = CostRow(
        type=entry.type,
        quantity=entry.quantity,
        price=float(price),
        commission=float(commission),
        rate=float(rate),
        held=float(after.quantity),
        share=share,
    )
    return [row]


def _rows_of_exchange(
    entry: Entry, taken: Taken, before: Position, after: Position
) -> list[CostRow]:
    """Return the row of the cash, if there is any, and the row of the shares."""
    cost = before.cost_p
    rows: list[CostRow] = []
    if taken.cash_p:
        is_received = taken.cash_p > 0
        answered = cash_part(taken, cost - after.cost_p) if is_received else taken.cash_p
        row = CostRow(
            type=TransactionType.SELL if is_received else TransactionType.BUY,
            quantity=ONE,
            price=float(abs(taken.cash_p)),
            commission=0.0,
            rate=1.0,
            held=float(before.quantity),
            share=float(answered / cost) if is_received and cost else 0.0,
        )
        rows.append(row)
        cost -= answered
    kept = after.quantity / before.quantity if before.quantity else ZERO
    share = ZERO
    if cost and kept:
        share = ONE - after.cost_p / cost / kept
    row = CostRow(
        type=entry.type,
        quantity=before.quantity - after.quantity,
        price=0.0,
        commission=0.0,
        rate=0.0,
        held=float(after.quantity),
        share=float(share),
    )
    return [*rows, row]
