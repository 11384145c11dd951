"""Realised gains, sale by sale."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

from financeproj.core.json_types import DoubleDecimal
from financeproj.core.money import EXACT, round_for_display, strip_zeros
from portfolios.calc import fifo
from portfolios.calc.ledger import cash_effect, replay
from portfolios.models import Portfolio, Transaction

Method: TypeAlias = Literal["average", "fifo"]
METHODS: tuple[Method, ...] = ("average", "fifo")


class LotPayload(Struct):
    bought_on: date
    quantity: DoubleDecimal
    cost: DoubleDecimal


class RealisedGainPayload(Struct):
    """A sale; amounts are in the portfolio's currency."""

    transaction_id: UUID
    ticker: str
    date: date
    quantity: DoubleDecimal
    proceeds: DoubleDecimal
    cost: DoubleDecimal
    gain: DoubleDecimal
    lots: list[LotPayload]


def realised_gains(
    portfolio: Portfolio, *, year: int | None, method: Method
) -> list[RealisedGainPayload]:
    """Each sale (of `year`, else of all) oldest first, in the portfolio's currency; one query.

    `lots` are the purchases that a sale used up, for `fifo`; at average cost there are none.
    """
    by_holding: dict[UUID, list[Transaction]] = defaultdict(list)
    rows = Transaction.objects.filter(portfolio=portfolio).select_related("holding__stock")
    for row in rows:
        by_holding[row.holding_id].append(row)
    sales = [
        sale
        for ledger in by_holding.values()
        for sale in (_by_lots if method == "fifo" else _average)(ledger)
    ]
    sales = [sale for sale in sales if year is None or sale[0].date.year == year]
    sales.sort(key=lambda sale: (sale[0].date, sale[0].sequence))
    return [_shown(*sale) for sale in sales]


Sale = tuple[Transaction, Decimal, Decimal, Sequence[fifo.Lot]]


def _by_lots(ledger: list[Transaction]) -> list[Sale]:
    return [(sale.entry, sale.proceeds, sale.cost, sale.lots) for sale in fifo.sales(ledger)]


def _average(ledger: list[Transaction]) -> list[Sale]:
    _, steps = replay(ledger)
    sales = [
        (step.entry, cash_effect(step.entry), step.realised_p)
        for step in steps
        if step.realised_p is not None
    ]
    return [(row, proceeds, EXACT.subtract(proceeds, gain), ()) for row, proceeds, gain in sales]


def _shown(
    row: Transaction, proceeds: Decimal, cost: Decimal, lots: Sequence[fifo.Lot]
) -> RealisedGainPayload:
    return RealisedGainPayload(
        transaction_id=row.pk,
        ticker=row.holding.stock.ticker,
        date=row.date,
        quantity=strip_zeros(row.quantity),
        proceeds=round_for_display(proceeds),
        cost=round_for_display(cost),
        gain=round_for_display(EXACT.subtract(proceeds, cost)),
        lots=[
            LotPayload(
                bought_on=lot.bought_on,
                quantity=round_for_display(lot.quantity),
                cost=round_for_display(lot.cost),
            )
            for lot in lots
        ],
    )
