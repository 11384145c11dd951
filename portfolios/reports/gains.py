"""Realised gains of sales, returns of capital and exchanges with cash."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

from financeproj.core.json_types import DoubleDecimal
from financeproj.core.money import EXACT, round_for_display, strip_zeros
from portfolios.calc import fifo
from portfolios.calc.kinds import RULES
from portfolios.calc.ledger import cash_effect, replay
from portfolios.models import Portfolio, Transaction

Method: TypeAlias = Literal["average", "fifo"]
METHODS: tuple[Method, ...] = ("average", "fifo")


class LotPayload(Struct):
    bought_on: date
    quantity: DoubleDecimal
    cost: DoubleDecimal


GainKind: TypeAlias = Literal["sale", "return_of_capital", "action"]


class RealisedGainPayload(Struct):
    """What realised a gain; amounts are in the portfolio's currency.

    `quantity` is null where no share left, and the lots then have 0 shares.
    """

    transaction_id: UUID
    ticker: str
    date: date
    kind: GainKind
    quantity: DoubleDecimal | None
    proceeds: DoubleDecimal
    cost: DoubleDecimal
    gain: DoubleDecimal
    lots: list[LotPayload]


@dataclass(frozen=True, slots=True)
class _Sale:
    """A sale with its proceeds and cost, unrounded, and the lots that it used, if they count."""

    row: Transaction
    proceeds: Decimal
    cost: Decimal
    lots: Sequence[fifo.Lot] = ()


def realised_gains(
    portfolio: Portfolio, *, year: int | None, method: Method
) -> list[RealisedGainPayload]:
    """Return all that realised a gain (in `year`, else in all years), oldest first. One query.

    Amounts are in the portfolio's currency. `lots` are the purchases that were used, for `fifo`; at
    average cost there are none.
    """
    ledgers: dict[UUID, list[Transaction]] = defaultdict(list)
    rows = Transaction.objects.filter(portfolio=portfolio, holding__isnull=False)
    rows = rows.select_related("holding__stock")
    for row in rows:
        ledgers[row.own_holding.pk].append(row)
    sales: list[_Sale] = []
    for ledger in ledgers.values():
        if method == "fifo":
            sales += _sales_by_lots(ledger)
        else:
            sales += _sales_at_average_cost(ledger)
    sales.sort(key=lambda sale: (sale.row.date, sale.row.sequence))
    return [_payload(sale) for sale in sales if year is None or sale.row.date.year == year]


def _sales_by_lots(ledger: list[Transaction]) -> Iterator[_Sale]:
    for sale in fifo.sales(ledger):
        yield _Sale(sale.entry, sale.proceeds, sale.cost, sale.lots)


def _sales_at_average_cost(ledger: list[Transaction]) -> Iterator[_Sale]:
    _, steps = replay(ledger)
    for step in steps:
        if step.realised_p is not None:
            proceeds = cash_effect(step.entry)
            yield _Sale(step.entry, proceeds, EXACT.subtract(proceeds, step.realised_p))


def _payload(sale: _Sale) -> RealisedGainPayload:
    row = sale.row
    return RealisedGainPayload(
        transaction_id=row.pk,
        ticker=row.own_holding.stock.ticker,
        date=row.date,
        kind=_kind_of(row),
        quantity=_shares_that_left(row),
        proceeds=round_for_display(sale.proceeds),
        cost=round_for_display(sale.cost),
        gain=round_for_display(EXACT.subtract(sale.proceeds, sale.cost)),
        lots=[_lot_payload(lot) for lot in sale.lots],
    )


def _kind_of(row: Transaction) -> GainKind:
    rules = RULES[row.type]
    if rules.returns_cost:
        return "return_of_capital"
    return "action" if rules.is_exchange else "sale"


def _shares_that_left(row: Transaction) -> Decimal | None:
    """Return None for a return of capital, and for a spin-off, which has the quantity 0."""
    if RULES[row.type].returns_cost or not row.quantity:
        return None
    return strip_zeros(row.quantity)


def _lot_payload(lot: fifo.Lot) -> LotPayload:
    return LotPayload(
        bought_on=lot.bought_on,
        quantity=round_for_display(lot.quantity),
        cost=round_for_display(lot.cost),
    )
