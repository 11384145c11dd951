"""What a holding and a portfolio are worth now. docs/definitions.md, "A holding today". Plain
Decimal.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext

from msgspec import Struct

from financeproj.core.json_types import ReadOnlyDecimal
from financeproj.core.money import EXACT, ZERO, round_for_display

# Cost and average are stored with 15 digits: their quotient differs from the rate that was paid by
# no more than this.
ROUNDING = Decimal("1e-13")


@dataclass(slots=True)
class Valuation:
    """The priced numbers of a holding in the portfolio's currency; all None where price or rate is
    unknown.
    """

    market_value: Decimal | None = None
    unrealised_gain: Decimal | None = None
    unrealised_gain_pct: Decimal | None = None
    price_effect: Decimal | None = None
    fx_effect: Decimal | None = None
    total_gain: Decimal | None = None
    day_change: Decimal | None = None
    day_change_pct: Decimal | None = None


def rounded(value: Decimal | None) -> Decimal | None:
    """A derived number as it is shown: 15 significant digits, without trailing zeros."""
    return None if value is None else round_for_display(value)


def fraction(part: Decimal | None, whole: Decimal | None) -> Decimal | None:
    """`part / whole`, None where either is unknown or `whole` is 0."""
    return None if part is None or not whole else EXACT.divide(part, whole)


def value_holding(
    *,
    quantity: Decimal,
    average_cost: Decimal | None,
    cost_basis: Decimal,
    realised_gain: Decimal,
    income: Decimal,
    charges: Decimal,
    price: Decimal | None,
    previous_close: Decimal | None,
    rate: Decimal | None,
) -> Valuation:
    """Value one holding.

    `average_cost`, `price` and `previous_close` are in the instrument's currency, `rate` turns that
    into the portfolio's, the rest is in the portfolio's. A closed holding is worth 0 and needs no
    price. To be called within the context `money.EXACT`, which costs as much as the arithmetic to
    enter.
    """
    booked = realised_gain + income - charges
    if not quantity:
        return Valuation(
            market_value=ZERO,
            unrealised_gain=ZERO,
            price_effect=ZERO,
            fx_effect=ZERO,
            total_gain=rounded(booked),
            day_change=ZERO,
        )
    if price is None or rate is None or average_cost is None:
        return Valuation()
    cost_c = quantity * average_cost
    # A share that cost nothing has no rate at which it was paid: then no currency effect.
    paid_rate = cost_basis / cost_c if cost_c else rate
    if abs(paid_rate - rate) < rate * ROUNDING:
        paid_rate = rate
    market_value = quantity * price * rate
    gain = market_value - cost_basis
    fx_effect = quantity * price * (rate - paid_rate)
    day_change = None if previous_close is None else quantity * (price - previous_close) * rate
    return Valuation(
        market_value=rounded(market_value),
        unrealised_gain=rounded(gain),
        unrealised_gain_pct=rounded(fraction(gain, cost_basis)),
        price_effect=rounded(
            gain - fx_effect
        ),  # q·(P − average)·paid rate, so that the two always make the gain
        fx_effect=rounded(fx_effect),
        total_gain=rounded(gain + booked),
        day_change=rounded(day_change),
        day_change_pct=None
        if day_change is None
        else rounded(fraction(day_change, market_value - day_change)),
    )


@dataclass(slots=True)
class Line:
    """What a summary needs of one holding."""

    ticker: str
    is_closed: bool
    cost_basis: Decimal
    realised_gain: Decimal
    income: Decimal
    charges: Decimal
    valuation: Valuation
    price_as_of: datetime | None
    is_stale: bool
    is_doubtful: bool  # by a split that its transactions or its price lack


class Summary(Struct, frozen=True):
    """The sums of a portfolio, in its currency; the field names are the contract's."""

    market_value: ReadOnlyDecimal
    net_value: ReadOnlyDecimal
    cost_basis: ReadOnlyDecimal
    unrealised_gain: ReadOnlyDecimal
    unrealised_gain_pct: ReadOnlyDecimal | None
    realised_gain: ReadOnlyDecimal
    income: ReadOnlyDecimal
    charges: ReadOnlyDecimal
    total_gain: ReadOnlyDecimal
    day_change: ReadOnlyDecimal
    day_change_pct: ReadOnlyDecimal | None
    as_of: datetime | None
    stale: bool
    missing: list[str]


def _sum(values: Iterable[Decimal | None]) -> Decimal:
    return sum((value for value in values if value is not None), ZERO)


def summarise(lines: Sequence[Line], *, cash: Decimal, used_credit: Decimal) -> Summary:
    """Add up holdings. Cost, realised gain, income and charges cover all; what needs a price covers
    the priced ones, and `missing` names the rest, and those whose quantity is in doubt. `as_of` is
    the oldest price in the sum.
    """
    with localcontext(EXACT):
        priced = [line for line in lines if line.valuation.market_value is not None]
        market_value = _sum(line.valuation.market_value for line in priced)
        gain = _sum(line.valuation.unrealised_gain for line in priced)
        day_change = _sum(line.valuation.day_change for line in priced)
        seen = [line.price_as_of for line in priced if line.price_as_of and not line.is_closed]
        return Summary(
            market_value=round_for_display(market_value),
            net_value=round_for_display(market_value + cash - used_credit),
            cost_basis=round_for_display(_sum(line.cost_basis for line in lines)),
            unrealised_gain=round_for_display(gain),
            unrealised_gain_pct=rounded(fraction(gain, _sum(line.cost_basis for line in priced))),
            realised_gain=round_for_display(_sum(line.realised_gain for line in lines)),
            income=round_for_display(_sum(line.income for line in lines)),
            charges=round_for_display(_sum(line.charges for line in lines)),
            total_gain=round_for_display(_sum(line.valuation.total_gain for line in priced)),
            day_change=round_for_display(day_change),
            day_change_pct=rounded(fraction(day_change, market_value - day_change)),
            as_of=min(seen, default=None),
            stale=any(line.is_stale for line in priced if not line.is_closed),
            missing=sorted(
                line.ticker
                for line in lines
                if line.valuation.market_value is None or line.is_doubtful
            ),
        )
