"""Test that a day's return is the rate that every krone earned, whatever moved that day.

Random days are made from rates and amounts, and the trades and closes follow from them: purchases
and paid fees count from the morning, sales, transfers and income until the evening, and what is
sold for something else, or reinvested, changes places in the evening. Days that bring new money
into one holding and take money out of another for good are left out: they look the same as a
switch.
"""

import random

import numpy as np
import pytest

from portfolios.calc.kinds import RULES
from portfolios.calc.layout import Market, Trades
from portfolios.calc.performance import combined, daily
from portfolios.calc.returns import daily_returns, twr_index

FIRST_DAY = 10_000
HOLDINGS = 4
SEGMENT = 10  # days from a first purchase until everything is sold


class Made:
    """Days made one after the other; `rates` [day] is what every krone earned."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.shares = [0.0] * HOLDINGS
        self.price = [100.0] * HOLDINGS
        self.closes = [list(self.price)]
        self.rates = [0.0]
        self.rows = []
        self.seen = dict.fromkeys(("first", "partial sale", "switch", "income", "fee", "move"), 0)

    @property
    def day(self):
        return FIRST_DAY + len(self.closes)

    def make(self, position):
        """Add a day; `position` is its place in the segment."""
        pick = self.random
        self.rate = pick.uniform(-0.1, 0.1)
        self.morning = [a * b for a, b in zip(self.shares, self.price, strict=True)]
        self.came = [0.0] * HOLDINGS  # in the morning
        self.today = []  # (holding, kind, amount, shares) of the evening
        held = [one for one in range(HOLDINGS) if self.morning[one] > 0]
        if position == 0:
            self.seen["first"] += 1
            self.price = [100.0] * HOLDINGS  # nothing is held
            self.pay_in(pick.sample(range(HOLDINGS), pick.randint(1, 2)))
        elif position == SEGMENT - 1:
            self.take_out(held, everything=True)
        else:
            self.some_day(held)
        self.finish()

    def some_day(self, held):
        pick = self.random
        free = set(range(HOLDINGS))
        if pick.random() < 0.5:
            source = pick.choice(held)
            target = pick.choice(sorted(free - {source}))
            self.switch(source, target)
            free -= {source, target}
        extra = pick.random()
        if extra < 0.3 and free:
            self.pay_in(pick.sample(sorted(free), 1))
        elif extra < 0.6:
            self.take_out([one for one in held if one in free], everything=False)

    def pay_in(self, holdings):
        """Buy in the morning, with a fee now and then; sell a part of one of them again."""
        pick = self.random
        for one in holdings:
            amount = pick.uniform(500, 5000)
            self.came[one] += amount
            self.row(one, "buy", amount, amount / self.price[one] * pick.uniform(0.8, 1.2))
            if pick.random() < 0.2:
                fee = pick.uniform(1, 20)
                self.came[one] += fee
                self.row(one, "fee", fee, 1)
                self.seen["fee"] += 1
            if pick.random() < 0.4:
                self.seen["partial sale"] += 1
                # Not more than came in, unless it is the only holding that anything came into.
                most = 0.9 if len(holdings) == 1 and self.morning[one] == 0 else 0.5
                worth = min(self.worth(one), amount) if len(holdings) > 1 else self.worth(one)
                if sum(self.morning) > 0:
                    worth = min(worth, amount)
                self.leave(one, "sell", worth * pick.uniform(0.1, most))

    def take_out(self, holdings, *, everything):
        pick = self.random
        for one in holdings:
            worth = self.worth(one)
            if pick.random() < 0.3:
                income = worth * pick.uniform(0.001, 0.05)
                self.leave(one, "dividend", income)
                self.seen["income"] += 1
                worth -= income
            kind = pick.choice(("sell", "transfer_out"))
            if everything:
                self.leave(one, kind, worth, all_of_it=True)
            elif pick.random() < 0.5:
                self.leave(one, kind, worth * pick.uniform(0.1, 0.9))

    def switch(self, source, target):
        """Sell, move or pay out in the evening, and put the same amount into another holding."""
        pick = self.random
        kind = pick.choice(("sell", "transfer_out", "dividend"))
        share = pick.uniform(0.001, 0.05) if kind == "dividend" else pick.uniform(0.1, 0.9)
        amount = self.worth(source) * share
        self.leave(source, kind, amount)
        into = pick.choice(("buy", "transfer_in", "fee"))
        self.seen["switch" if into == "buy" else "fee" if into == "fee" else "move"] += 1
        self.today.append((target, into, amount, False))

    def worth(self, one):
        """Return what is in a holding in the evening, before anything leaves."""
        left = sum(amount for holding, kind, amount, _ in self.today if holding == one)
        return (self.morning[one] + self.came[one]) * (1 + self.rate) - left

    def leave(self, one, kind, amount, all_of_it=False):
        self.today.append((one, kind, amount, all_of_it))

    def row(self, one, kind, amount, shares, commission=0.0):
        sign = 1 if kind in ("sell", "dividend") else -1
        price = (amount + sign * commission) / shares
        rank = RULES[kind].rank
        self.rows.append([one, self.day, rank, RULES[kind].code, shares, price, commission])
        if kind == "buy":
            self.shares[one] += shares

    def finish(self):
        """Turn the amounts of the evening into shares, and find the closes that fit."""
        for one in range(HOLDINGS):
            value = (self.morning[one] + self.came[one]) * (1 + self.rate)
            arrivals = [row for row in self.today if row[0] == one and row[1] in COMES]
            leaving = [row for row in self.today if row[0] == one and row[1] not in COMES]
            for _, kind, amount, all_of_it in sorted(leaving, key=lambda row: row[1] != "dividend"):
                if kind == "dividend":
                    self.row(one, kind, amount, 1, commission=0.25)
                else:
                    shares = self.shares[one]
                    shares *= 1 if all_of_it else amount / value
                    self.row(one, kind, amount, shares)
                    self.shares[one] = 0.0 if all_of_it else self.shares[one] - shares
                value = 0.0 if all_of_it else value - amount
                if all_of_it and kind == "transfer_out":
                    self.price[one] = amount / shares
            close = value / self.shares[one] if self.shares[one] else self.price[one]
            for _, kind, amount, _ in arrivals:
                if kind == "fee" and not self.shares[one]:
                    kind = "buy"  # a fee of something that is not held
                if kind == "transfer_in":
                    shares = amount / close
                    self.row(one, kind, amount, shares)
                    self.shares[one] += shares
                elif kind == "buy":
                    self.row(one, kind, amount, amount / close * 1.1, commission=0.5)
                else:
                    self.row(one, kind, amount, 1)
                value += amount
                close = value / self.shares[one]
            self.price[one] = close
        self.closes.append(list(self.price))
        self.rates.append(self.rate)


COMES = ("buy", "transfer_in", "fee")


def made(days, seed):
    one = Made(seed)
    for number in range(days):
        one.make(number % SEGMENT)
    return one


def figures(one, holdings, first=0, last=None):
    """Return the daily figures of some holdings from column `first` to `last`."""
    rows = sorted((row for row in one.rows if row[0] in holdings), key=lambda row: row[:3])
    held, after = 0.0, []
    current = None
    for holding, _, _, code, shares, *_ in rows:
        if holding != current:
            current, held = holding, 0.0
        sign = next(rules.shares for rules in RULES.values() if rules.code == code)
        held += sign * shares
        if abs(held) < 1e-9 * shares:
            held = 0.0
        after.append(held)
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    place = {holding: number for number, holding in enumerate(holdings)}
    trades = Trades(
        instrument=np.array([place[row[0]] for row in rows], dtype=np.int32),
        day=columns[1].astype(np.int32),
        kind=columns[3].astype(np.int8),
        quantity=columns[4],
        price=columns[5],
        commission=columns[6],
        rate=np.ones(len(rows)),
        held=np.array(after),
        share=np.zeros(len(after)),
        group=np.zeros(len(after), dtype=np.int64),
    )
    close = np.array(one.closes).T[list(holdings)][:, first:last]
    market = Market(
        first_day=FIRST_DAY + first,
        close=close,
        currency=np.zeros(len(holdings), dtype=np.int64),
        rates=np.ones((1, close.shape[1])),
    )
    return daily(trades, market)


@pytest.fixture(scope="module")
def many():
    return made(100_000, seed=20)


def test_the_return_of_a_day_is_the_rate_that_every_krone_earned(many):
    assert min(many.seen.values()) > 5_000
    returns = daily_returns(figures(many, range(HOLDINGS)))
    assert np.abs(returns - many.rates).max() < 1e-8


def test_it_is_so_over_several_portfolios(many):
    parts = [figures(many, (0, 1)), figures(many, (2, 3))]
    returns = daily_returns(combined(parts, len(many.closes)))
    assert np.abs(returns - many.rates).max() < 1e-8


def test_the_returns_of_parts_chain_to_that_of_the_whole():
    one = made(400, seed=7)
    whole = twr_index(daily_returns(figures(one, range(HOLDINGS))))[-1] / 100
    pick = random.Random(8)
    for _ in range(20):
        first, second = sorted(pick.sample(range(1, 400), 2))
        product = 1.0
        for begin, end in ((0, first), (first, second), (second, 400)):
            part = figures(one, range(HOLDINGS), begin, end + 1)
            product *= twr_index(daily_returns(part))[-1] / 100
        assert product == pytest.approx(whole, rel=1e-10)
