"""docs/definitions.md, "Performance of a period", worked out the slow way: Decimal, day by day,
sentence by sentence.

Days are numbers from 1970-01-01, as in portfolios.calc. Nothing here is shared with the code under
test.
"""

import itertools
from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext
from enum import IntEnum

D0 = Decimal(0)


class Kind(IntEnum):
    """The kinds with the codes that stored arrays have, in the order in which one day's count."""

    SPLIT = 0
    TRANSFER_IN = 1
    BUY = 2
    DIVIDEND = 3
    INTEREST = 4
    FEE = 5
    TAX = 6
    SELL = 7
    TRANSFER_OUT = 8


@dataclass
class Trade:
    instrument: int
    day: int
    kind: Kind
    quantity: Decimal
    price: Decimal = D0
    commission: Decimal = D0
    rate: Decimal = Decimal(1)


@dataclass
class History:
    """`closes[instrument][day]` and `rates[currency][day]` as known on each day, None where
    unknown.
    """

    currency: list[int]
    closes: list[dict[int, Decimal | None]]
    rates: list[dict[int, Decimal | None]]
    trades: list[Trade] = field(default_factory=list)
    known_from: int = -(10**9)
    unknown: set[int] = field(default_factory=set)

    def is_known(self, day: int) -> bool:
        """Return whether the portfolio's currency has a rate into that of the report."""
        return day >= self.known_from and day not in self.unknown

    def close(self, instrument: int, day: int) -> Decimal | None:
        return self.closes[instrument].get(day)

    def rate(self, instrument: int, day: int) -> Decimal | None:
        return self.rates[self.currency[instrument]].get(day)

    def is_priced(self, instrument: int, day: int) -> bool:
        return (
            self.is_known(day)
            and self.close(instrument, day) is not None
            and self.rate(instrument, day) is not None
        )

    def of_day(self, instrument: int, day: int) -> list[Trade]:
        """Split, transfer in, buy, income and charges, sell, transfer out; within a type the order
        of entry.
        """
        return sorted(
            (trade for trade in self.trades if trade.instrument == instrument and trade.day == day),
            key=lambda trade: trade.kind,
        )


@dataclass
class Ledger:
    """One holding, after "The ledger of a holding"."""

    quantity: Decimal = D0
    cost: Decimal = D0
    was_split: bool = False

    def apply(self, trade: Trade) -> Decimal:
        """Book `trade`. Return the realised gain in the portfolio's currency."""
        gross, rate = trade.quantity * trade.price, trade.rate
        if trade.kind is Kind.SPLIT:
            self.quantity *= trade.quantity
            self.was_split = True
        elif trade.kind in (Kind.BUY, Kind.TRANSFER_IN):
            self.quantity += trade.quantity
            self.cost += (gross + trade.commission) * rate
        elif trade.kind in (Kind.SELL, Kind.TRANSFER_OUT):
            rest = self.quantity - trade.quantity
            if self.was_split and abs(rest) <= Decimal("1e-13") * self.quantity:
                rest = D0
            assert rest >= 0
            leaving = trade.quantity * self.cost / self.quantity if rest else self.cost
            self.quantity = rest
            self.cost = self.cost - leaving if self.quantity else D0
            if trade.kind is Kind.SELL:
                return (gross - trade.commission) * rate - leaving
        return D0


@dataclass
class Day:
    value: Decimal = D0
    cost_basis: Decimal = D0
    inflow: Decimal = D0
    outflow: Decimal = D0
    exited: Decimal = D0
    bought: Decimal = D0
    released: Decimal = D0
    income: Decimal = D0
    charges: Decimal = D0
    realised_gain: Decimal = D0
    invested: bool = False
    daily_return: Decimal = D0
    index: Decimal = Decimal(100)

    @property
    def net_flow(self) -> Decimal:
        return self.inflow - self.outflow


BRIDGE = (
    "start_value",
    "net_flow",
    "price_effect",
    "fx_effect",
    "income",
    "charges",
    "commissions",
    "end_value",
)


@dataclass
class Answer:
    """`days[0]` is the day before the period. `bridge[instrument]` has the keys of BRIDGE."""

    days: list[Day]
    bridge: list[dict[str, Decimal]]
    missing: set[int]

    @property
    def scale(self) -> Decimal:
        """Return the scale for errors: the largest of start, end and the sum of all flows."""
        flows = sum((day.inflow + day.outflow for day in self.days), D0)
        return max(self.days[0].value, self.days[-1].value, flows, Decimal("1e-6"))


def answer(history: History, start: int, end: int) -> Answer:
    with localcontext(prec=50):
        return _answer(history, start, end)


def _answer(history: History, start: int, end: int) -> Answer:
    first = min([trade.day for trade in history.trades] + [start - 1])
    days: dict[int, Day] = {}
    bridges = []
    missing: set[int] = set()
    for day in range(start - 1, end + 1):
        days[day] = Day()
    for instrument in range(len(history.currency)):
        ledger = Ledger()
        row = dict.fromkeys(BRIDGE, D0)
        value_before = D0  # in the instrument's currency, 0 while unpriced
        was_priced = False
        for day in range(first, end + 1):
            counts = day >= start
            numbers = days.get(day, Day())
            priced = history.is_priced(instrument, day)
            close, rate = history.close(instrument, day), history.rate(instrument, day)
            trades = history.of_day(instrument, day)
            quantity_held = ledger.quantity
            came = left = D0  # into and out of this holding, in the portfolio's currency
            invested = D0  # signed gross of the day in the instrument's currency
            in_portfolio_currency = D0  # the same at the rates paid
            for trade in trades:
                if trade.kind is Kind.SPLIT:
                    quantity_held *= trade.quantity
            if was_priced and not priced and counts:
                worth = value_before * history.rate(instrument, day - 1)
                numbers.outflow += worth
                numbers.exited += worth
                row["net_flow"] -= worth
            if priced and not was_priced and counts and quantity_held:
                worth = quantity_held * close
                invested += worth
                in_portfolio_currency += worth * rate
                row["net_flow"] += worth * rate
                numbers.inflow += worth * rate
                numbers.invested = True
            for trade in trades:
                realised = ledger.apply(trade)
                if not counts:
                    continue
                gross, fee, r = trade.quantity * trade.price, trade.commission, trade.rate
                numbers.realised_gain += realised
                if trade.kind in (Kind.DIVIDEND, Kind.INTEREST):
                    numbers.income += (gross - fee) * r
                if trade.kind in (Kind.FEE, Kind.TAX):
                    numbers.charges += (gross + fee) * r
                if not priced:
                    missing.add(instrument)
                    continue
                flow = D0
                if trade.kind is Kind.BUY:
                    flow = (gross + fee) * r
                    invested += gross
                    in_portfolio_currency += gross * r
                    row["commissions"] += fee * r
                    numbers.invested = True
                elif trade.kind is Kind.SELL:
                    flow = -(gross - fee) * r
                    invested -= gross
                    in_portfolio_currency -= gross * r
                    row["commissions"] += fee * r
                elif trade.kind in (Kind.TRANSFER_IN, Kind.TRANSFER_OUT):
                    sign = 1 if trade.kind is Kind.TRANSFER_IN else -1
                    worth = sign * trade.quantity * close
                    flow = worth * rate
                    invested += worth
                    in_portfolio_currency += worth * rate
                    numbers.invested |= sign > 0
                elif trade.kind in (Kind.DIVIDEND, Kind.INTEREST):
                    flow = -(gross - fee) * r
                    row["income"] += (gross - fee) * r
                elif trade.kind in (Kind.FEE, Kind.TAX):
                    flow = (gross + fee) * r
                    row["charges"] += (gross + fee) * r
                row["net_flow"] += flow
                if flow > 0:
                    numbers.inflow += flow
                else:
                    numbers.outflow -= flow
                if trade.kind in (Kind.BUY, Kind.SELL, Kind.TRANSFER_IN, Kind.TRANSFER_OUT):
                    came += max(flow, D0)
                    left += max(-flow, D0)
                else:
                    numbers.bought += max(flow, D0)
                    numbers.released += max(-flow, D0)
            numbers.bought += max(came - left, D0)
            numbers.released += max(left - came, D0)
            if not priced and ledger.quantity and day >= start - 1:
                missing.add(instrument)
            value = ledger.quantity * close if priced else D0
            was_priced = priced
            if priced and counts:
                row["price_effect"] += (value - value_before - invested) * rate
                rate_before = history.rate(instrument, day - 1)
                if value_before:
                    row["fx_effect"] += value_before * (rate - rate_before)
                row["fx_effect"] += invested * rate - in_portfolio_currency
            if priced:
                numbers.value += value * rate
                numbers.cost_basis += ledger.cost
            if day == start - 1:
                row["start_value"] = value * rate if priced else D0
            if day == end:
                row["end_value"] = value * rate if priced else D0
            value_before = value
        bridges.append(row)
    listed = [days[day] for day in range(start - 1, end + 1)]
    grow(listed)
    return Answer(days=listed, bridge=bridges, missing=missing)


def grow(days: list[Day]) -> None:
    """Calculate daily returns and the chained index from values and flows."""
    for before, day in itertools.pairwise(days):
        netted = min(day.bought, day.released)
        base = before.value + day.inflow - netted
        idle = before.value == 0 and not day.invested
        day.daily_return = D0
        if base > 0 and not idle:
            day.daily_return = (day.value + day.outflow - netted) / base - 1
        day.index = before.index * (1 + day.daily_return)


def with_trade_prices(history: History) -> History:
    """Return the history with what was paid or got as closes, before the first known close."""
    closes = []
    for instrument, known in enumerate(history.closes):
        filled, price, is_traded = dict(known), None, False
        for day in sorted(filled):
            for trade in history.of_day(instrument, day):
                if trade.kind is Kind.SPLIT and price is not None:
                    price = price / trade.quantity
                elif trade.kind is Kind.SELL or (trade.kind is Kind.BUY and trade.price):
                    price, is_traded = trade.price, True
                elif trade.kind is Kind.TRANSFER_IN and trade.price and not is_traded:
                    price = trade.price
            if filled[day] is None:
                filled[day] = price
        closes.append(filled)
    return replace(history, closes=closes)
