"""What a holding and a portfolio are worth now. docs/definitions.md, "A holding today"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, localcontext

from msgspec import Struct

from financeproj.core.json_types import ReadOnlyDecimal
from financeproj.core.money import EXACT, ZERO, round_for_display

# Cost and average cost are stored with 15 digits. Their quotient differs from the rate that was
# paid by at most this fraction.
ROUNDING = Decimal("1e-13")


@dataclass(slots=True)
class Valuation:
    """The figures of a holding that need a price, in the portfolio's currency.

    All are None where the price or the rate is unknown.
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
    """Round a derived number for display, as `round_for_display` does; None stays None."""
    return None if value is None else round_for_display(value)


def fraction(part: Decimal | None, whole: Decimal | None) -> Decimal | None:
    """Return `part / whole`, None where either is unknown or `whole` is 0."""
    if part is None or not whole:
        return None
    return EXACT.divide(part, whole)


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
    into the portfolio's, the rest is in the portfolio's. `previous_close` is None where it cannot
    be compared with the price. A closed holding is worth 0 and needs no price. Call it in the
    context `money.EXACT`: entering that costs as much as the arithmetic.
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
    paid_rate = _paid_rate(quantity * average_cost, cost_basis, rate)
    market_value = quantity * price * rate
    gain = market_value - cost_basis
    fx_effect = quantity * price * (rate - paid_rate)
    valuation = Valuation(
        market_value=rounded(market_value),
        unrealised_gain=rounded(gain),
        unrealised_gain_pct=rounded(fraction(gain, cost_basis)),
        # quantity × (price − average cost) × paid rate; as a difference, the two effects always
        # add up to the gain.
        price_effect=rounded(gain - fx_effect),
        fx_effect=rounded(fx_effect),
        total_gain=rounded(gain + booked),
    )
    if previous_close is not None:
        day_change = quantity * (price - previous_close) * rate
        valuation.day_change = rounded(day_change)
        valuation.day_change_pct = rounded(fraction(day_change, market_value - day_change))
    return valuation


def _paid_rate(cost_c: Decimal, cost_p: Decimal, rate: Decimal) -> Decimal:
    """Return the average exchange rate at which the cost was paid.

    It is today's `rate` where shares cost nothing (then there is no currency effect), and where the
    two differ by rounding alone.
    """
    if not cost_c:
        return rate
    paid = cost_p / cost_c
    if abs(paid - rate) < rate * ROUNDING:
        return rate
    return paid


@dataclass(slots=True)
class SummaryLine:
    """What a summary needs of one holding.

    `why` is the code of what is missing of it: `no_price`, `no_rate`; `split_unbooked` or
    `currency_differs`, which are in the sums. None if nothing is.
    """

    ticker: str
    is_closed: bool
    cost_basis: Decimal
    realised_gain: Decimal
    income: Decimal
    charges: Decimal
    valuation: Valuation
    price_as_of: datetime | None
    price_day: date | None
    is_stale: bool
    why: str | None

    @property
    def has_day_change(self) -> bool:
        """Whether the holding is open and its change of the day known."""
        return not self.is_closed and self.valuation.day_change is not None


class Summary(Struct, frozen=True):
    """The sums of a portfolio, in its currency, with the field names of the API."""

    market_value: ReadOnlyDecimal
    net_value: ReadOnlyDecimal
    cost_basis: ReadOnlyDecimal
    unrealised_gain: ReadOnlyDecimal
    unrealised_gain_pct: ReadOnlyDecimal | None
    realised_gain: ReadOnlyDecimal
    income: ReadOnlyDecimal
    charges: ReadOnlyDecimal
    total_gain: ReadOnlyDecimal
    day_change: ReadOnlyDecimal | None
    day_change_pct: ReadOnlyDecimal | None
    day_change_on: date | None
    day_change_missing: list[str]
    as_of: datetime | None
    stale: bool
    missing: list[str]
    missing_why: dict[str, str]


@dataclass(slots=True)
class _Totals:
    """Sums over holdings.

    Those of the second group cover the holdings with a price, those of the third the ones with a
    change of the day; `value_before` is what these were worth at the previous close.
    """

    cost_basis: Decimal = ZERO
    realised_gain: Decimal = ZERO
    income: Decimal = ZERO
    charges: Decimal = ZERO

    priced_cost: Decimal = ZERO
    market_value: Decimal = ZERO
    unrealised_gain: Decimal = ZERO

    day_change: Decimal = ZERO
    value_before: Decimal = ZERO
    day_change_on: date | None = None

    def add(self, line: SummaryLine) -> None:
        self.cost_basis += line.cost_basis
        self.realised_gain += line.realised_gain
        self.income += line.income
        self.charges += line.charges
        valuation = line.valuation
        if valuation.market_value is None:
            return
        self.priced_cost += line.cost_basis
        self.market_value += valuation.market_value
        self.unrealised_gain += valuation.unrealised_gain or ZERO
        if line.has_day_change:
            self._add_day_change(line)

    def _add_day_change(self, line: SummaryLine) -> None:
        change = line.valuation.day_change or ZERO
        self.day_change += change
        self.value_before += (line.valuation.market_value or ZERO) - change
        day = line.price_day
        if day is not None and (self.day_change_on is None or day > self.day_change_on):
            self.day_change_on = day


def summarise(
    lines: Sequence[SummaryLine],
    *,
    cash: Decimal,
    used_credit: Decimal,
    of_money: Mapping[str, str] | None = None,
) -> Summary:
    """Add up holdings. `of_money` says why currencies of cash are left out, or in doubt.

    Cost, realised gain, income and charges cover all holdings; figures that need a price cover
    those with one. `missing` names the others, and holdings whose quantity or price is in doubt,
    `missing_why` the reason by ticker. `as_of` is the time of the oldest price in the sum. The
    total gain is the sum of the parts as they are shown. The change of the day covers the holdings
    that have one, and is None without any; `day_change_missing` names the other open ones, and
    `day_change_on` is the latest day of the prices in it.
    """
    totals = _Totals()
    missing_why: dict[str, str] = {}
    without_day_change: set[str] = set()
    price_times: list[datetime] = []
    is_stale = False
    with localcontext(EXACT):
        for line in lines:
            totals.add(line)
            is_priced = line.valuation.market_value is not None
            if line.why is not None:
                missing_why[line.ticker] = line.why
            if not line.is_closed and not line.has_day_change:
                without_day_change.add(line.ticker)
            if is_priced and not line.is_closed:
                is_stale = is_stale or line.is_stale
                if line.price_as_of is not None:
                    price_times.append(line.price_as_of)
        missing_why.update(of_money or {})
        unrealised_gain = round_for_display(totals.unrealised_gain)
        realised_gain = round_for_display(totals.realised_gain)
        income = round_for_display(totals.income)
        charges = round_for_display(totals.charges)
        total_gain = unrealised_gain + realised_gain + income - charges
        day_change = None if totals.day_change_on is None else totals.day_change
        return Summary(
            market_value=round_for_display(totals.market_value),
            net_value=round_for_display(totals.market_value + cash - used_credit),
            cost_basis=round_for_display(totals.cost_basis),
            unrealised_gain=unrealised_gain,
            unrealised_gain_pct=rounded(fraction(totals.unrealised_gain, totals.priced_cost)),
            realised_gain=realised_gain,
            income=income,
            charges=charges,
            total_gain=round_for_display(total_gain),
            day_change=rounded(day_change),
            day_change_pct=rounded(fraction(day_change, totals.value_before)),
            day_change_on=totals.day_change_on,
            day_change_missing=sorted(without_day_change),
            as_of=min(price_times, default=None),
            stale=is_stale,
            missing=sorted(missing_why),
            missing_why=dict(sorted(missing_why.items())),
        )
