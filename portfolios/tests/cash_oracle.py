"""docs/definitions.md, "With cash", worked out the slow way: Decimal, day by day, row by row.

Nothing here is shared with the code under test. Securities are those of `portfolios.tests.oracle`;
here is what they are together with money.
"""

import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from portfolios.tests.oracle import D0, History, Kind, Ledger, Trade

DEPOSITED = ("deposit", "withdrawal")
CASH_PARTS = (
    "start_value",
    "entered",
    "deposits",
    "withdrawals",
    "adjustments",
    "from_securities",
    "interest",
    "fees",
    "taxes",
    "fx_effect",
    "end_value",
)


@dataclass
class Row:
    """A row that moves money. `trade` is that of a row with a holding, whose type is "trade".

    `other` is the currency of the other leg of a conversion.
    """

    currency: int
    day: int
    type: str
    amount: Decimal
    trade: Trade | None = None
    other: int | None = None


def formula(trade: Trade) -> Decimal:
    """F of a transaction, in the portfolio's currency."""
    gross, fee, rate = trade.quantity * trade.price, trade.commission, trade.rate
    if trade.kind in (Kind.BUY, Kind.FEE, Kind.TAX):
        return -(gross + fee) * rate
    if trade.kind in (Kind.SELL, Kind.DIVIDEND, Kind.INTEREST):
        return (gross - fee) * rate
    return D0


@dataclass
class Day:
    value: Decimal = D0
    inflow: Decimal = D0
    outflow: Decimal = D0
    a: Decimal = D0
    b: Decimal = D0
    both_ways: Decimal = D0
    invested: bool = False
    daily_return: Decimal = D0
    index: Decimal = Decimal(100)

    @property
    def net_flow(self) -> Decimal:
        return self.inflow - self.outflow

    def add(self, amount: Decimal) -> None:
        self.inflow += max(amount, D0)
        self.outflow += max(-amount, D0)

    def include(self, other: "Day") -> None:
        for name in ("value", "inflow", "outflow", "a", "b", "both_ways"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.invested = self.invested or other.invested

    def net(self, amounts: dict[int, Decimal]) -> None:
        for amount in amounts.values():
            self.b += max(amount, D0)
            self.a += max(-amount, D0)


@dataclass
class Answer:
    """`days[0]` is the day before the period; `cash` has the keys of CASH_PARTS."""

    days: list[Day]
    cash: dict[str, Decimal]

    @property
    def scale(self) -> Decimal:
        flows = sum((day.inflow + day.outflow for day in self.days), D0)
        return max(flows, *(abs(day.value) for day in self.days), Decimal(1))


@dataclass
class Account:
    """A portfolio with its money. Before `cash_from` its securities count alone."""

    history: History
    cash_from: int
    rows: list[Row] = field(default_factory=list)

    def has_rate(self, currency: int, day: int) -> bool:
        return self.history.is_known(day) and self.history.rates[currency].get(day) is not None

    def counts(self, currency: int, day: int) -> bool:
        return day >= self.cash_from and self.has_rate(currency, day)

    def rate(self, currency: int, day: int) -> Decimal:
        rate = self.history.rates[currency][day]
        assert rate is not None
        return rate

    def balance(self, currency: int, day: int) -> Decimal:
        moved = [row.amount for row in self.rows if row.currency == currency and row.day <= day]
        return sum(moved, D0)


def answer_with_cash(account: Account, start: int, end: int) -> Answer:
    return answer_of_all([account], start, end)


def answer_of_all(accounts: list[Account], start: int, end: int) -> Answer:
    """Return the answer for several portfolios; all rates are into the currency of the answer."""
    with localcontext(prec=50):
        total = {day: Day() for day in range(start - 1, end + 1)}
        cash = dict.fromkeys(CASH_PARTS, D0)
        for account in accounts:
            days = {day: Day() for day in total}
            _add_securities(account, days, start)
            _add_money(account, days, cash, start)
            for day, numbers in days.items():
                if day >= account.cash_from:
                    numbers.invested = numbers.inflow > 0
                total[day].include(numbers)
        listed = [total[day] for day in range(start - 1, end + 1)]
        _grow(listed)
        return Answer(listed, cash)


def _add_securities(account: Account, days: dict[int, Day], start: int) -> None:
    history, end = account.history, max(days)
    first = min([trade.day for trade in history.trades] + [start - 1])
    for instrument in range(len(history.currency)):
        ledger = Ledger()
        for day in range(first, end + 1):
            trades = history.of_day(instrument, day)
            held_before = ledger.quantity
            held_in_the_morning = held_before
            for trade in trades:
                if trade.kind is Kind.SPLIT:
                    held_in_the_morning *= trade.quantity
                ledger.apply(trade)
            if day < start - 1:
                continue
            numbers = days[day]
            priced = history.is_priced(instrument, day)
            close, rate = history.close(instrument, day), history.rate(instrument, day)
            if priced:
                numbers.value += ledger.quantity * close * rate
            if day < start:
                continue
            if priced and not history.is_priced(instrument, day - 1) and held_in_the_morning:
                numbers.add(held_in_the_morning * close * rate)
                numbers.invested = True
            if not priced and history.is_priced(instrument, day - 1):
                before = history.close(instrument, day - 1) * history.rate(instrument, day - 1)
                numbers.add(-held_before * before)
            if priced:
                _add_trades(account, numbers, trades, close * rate)


def _add_trades(account: Account, numbers: Day, trades: list[Trade], worth: Decimal) -> None:
    came_or_left = D0
    for trade in trades:
        if trade.kind is Kind.SPLIT:
            continue
        if trade.kind in (Kind.TRANSFER_IN, Kind.TRANSFER_OUT):
            sign = 1 if trade.kind is Kind.TRANSFER_IN else -1
            amount = sign * trade.quantity * worth
        elif trade.day >= account.cash_from:
            continue
        else:
            amount = -formula(trade)
        numbers.add(amount)
        if trade.kind in (Kind.TRANSFER_IN, Kind.BUY):
            numbers.invested = True
        if trade.kind in (Kind.TRANSFER_IN, Kind.BUY, Kind.TRANSFER_OUT, Kind.SELL):
            came_or_left += amount
        else:
            numbers.net({0: amount})
    numbers.net({0: came_or_left})


def _add_money(
    account: Account, days: dict[int, Day], cash: dict[str, Decimal], start: int
) -> None:
    first, last = min(days), max(days)
    for currency in range(len(account.history.rates)):
        standing = {day: account.balance(currency, day) for day in range(first - 1, last + 1)}
        for day, numbers in days.items():
            if account.counts(currency, day):
                numbers.value += standing[day] * account.rate(currency, day)
            if day < start:
                continue
            before, now = account.counts(currency, day - 1), account.counts(currency, day)
            entered = D0
            if now and not before:
                entered = standing[day - 1] * account.rate(currency, day)
            if before and not now:
                entered = -standing[day - 1] * account.rate(currency, day - 1)
            if before and now:
                change = account.rate(currency, day) - account.rate(currency, day - 1)
                cash["fx_effect"] += standing[day - 1] * change
            numbers.add(entered)
            cash["entered"] += entered
        for part, day in (("start_value", first), ("end_value", last)):
            if account.counts(currency, day):
                cash[part] += standing[day] * account.rate(currency, day)
    netted: dict[int, dict[int, Decimal]] = defaultdict(lambda: defaultdict(lambda: D0))
    deposited: dict[tuple[int, int, str], Decimal] = defaultdict(lambda: D0)
    for row in account.rows:
        if start <= row.day <= last and row.day >= account.cash_from:
            _add_row(account, row, days[row.day], cash, netted[row.day])
            if row.type in DEPOSITED and account.counts(row.currency, row.day):
                worth = abs(row.amount) * account.rate(row.currency, row.day)
                deposited[row.day, row.currency, row.type] += worth
    for day, amounts in netted.items():
        days[day].net(amounts)
    for day, currency, kind in list(deposited):
        if kind == "deposit":
            withdrawn = deposited.get((day, currency, "withdrawal"), D0)
            days[day].both_ways += min(deposited[day, currency, "deposit"], withdrawn)


def _add_row(
    account: Account, row: Row, numbers: Day, cash: dict[str, Decimal], netted: dict[int, Decimal]
) -> None:
    counts = account.counts(row.currency, row.day)
    worth = row.amount * account.rate(row.currency, row.day) if counts else D0
    if row.trade is not None:
        f = formula(row.trade)
        priced = account.history.is_priced(row.trade.instrument, row.day)
        cash["from_securities"] += f
        if counts:
            cash["fx_effect"] += worth - f
        else:
            cash["entered"] -= f
        if counts and not priced:
            numbers.add(f)
            netted[row.currency] += f
        if priced and not counts:
            numbers.add(-f)
    elif not counts:
        return
    elif row.type in ("deposit", "withdrawal", "adjustment"):
        sign = -1 if row.type == "withdrawal" else 1
        cash[f"{row.type}s"] += sign * worth
        numbers.add(worth)
        netted[row.currency] += worth
    elif row.type == "opening":
        cash["entered"] += worth
        numbers.add(worth)
    elif row.type == "conversion":
        assert row.other is not None
        if account.counts(row.other, row.day):
            cash["fx_effect"] += worth
        else:
            cash["entered"] += worth
            numbers.add(worth)
    elif row.type == "interest":
        cash["interest"] += worth
    else:
        cash["fees" if row.type == "fee" else "taxes"] -= worth


def _grow(days: list[Day]) -> None:
    for before, day in itertools.pairwise(days):
        if before.value > 0:
            day.inflow -= day.both_ways
            day.outflow -= day.both_ways
        n = min(day.a, day.b)
        base, result = before.value + day.inflow - n, day.value + day.outflow - n
        is_invested = before.value > 0 or day.invested
        if is_invested and before.value >= 0 and base > 0 and result >= 0:
            day.daily_return = result / base - 1
        day.index = before.index * (1 + day.daily_return)
