"""What a user paid or got for an instrument, where no other price is known.

docs/definitions.md, "Prices and rates".
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from financeproj.core.money import EXACT, ONE, round_for_storage
from portfolios.calc.kinds import RULES, rank_of

# Splits of several holdings are the same one within these bounds.
SAME_SPLIT_DAYS = timedelta(days=7)
SAME_SPLIT_RATIO = Decimal("0.001")

DayPrice = tuple[date, Decimal]
Splits = Sequence[tuple[date, Decimal]]


class Traded(Protocol):
    """The columns of a transaction that are read here; `holding_id` tells holdings apart."""

    @property
    def holding_id(self) -> Hashable: ...
    @property
    def type(self) -> str: ...
    @property
    def effective_date(self) -> date: ...
    @property
    def sequence(self) -> int: ...
    @property
    def quantity(self) -> Decimal: ...
    @property
    def price(self) -> Decimal | None: ...


@dataclass(frozen=True, slots=True)
class TradePrices:
    """The prices at which a user traded one instrument, each in the shares of its day.

    `prices` and the user's `splits` are oldest first, as are those of them that the stored closes
    know nothing of, the `own_splits`. `stored_on` are the days with a stored close, oldest first.
    With `by_hand` the later of close and trade stands, else every close comes before the trades,
    and without `own_splits` the first of `stored_on` is enough.
    """

    prices: Sequence[DayPrice] = ()
    splits: Splits = ()
    stored_on: Sequence[date] = ()
    by_hand: bool = False
    own_splits: Splits = ()

    def on(self, day: date) -> DayPrice | None:
        """Return the trade price that stands on `day`, in its shares, with the day of the trade.

        None where no trade was before, or a stored close stands.
        """
        position = bisect_right(self.prices, day, key=_day_of)
        if not position:
            return None
        traded_on, price = self.prices[position - 1]
        closes = bisect_right(self.stored_on, day)
        if closes and (not self.by_hand or self.stored_on[closes - 1] >= traded_on):
            return None
        return traded_on, self._in_shares_of(day, price, traded_on)

    def before(self, day: date) -> DayPrice | None:
        """Return the trade price that stood on the day before `day`, in the shares of `day`."""
        evening = day - timedelta(days=1)
        found = self.on(evening)
        if found is None:
            return None
        return found[0], self._in_shares_of(day, found[1], evening)

    def _in_shares_of(self, day: date, price: Decimal, priced_on: date) -> Decimal:
        return _divided(price, self.splits, priced_on, day)

    def after_own_splits(self, close: Decimal, closed_on: date, day: date) -> Decimal:
        """Return a stored close of `closed_on` in the user's shares of `day`."""
        return _divided(close, self.own_splits, closed_on, day)

    def fill(self, row: NDArray[np.float64], first_day: date) -> None:
        """Write the prices that stand into `row` [day], which begins on `first_day`.

        It has the stored closes, which are brought into the user's shares.
        """
        end = first_day + timedelta(days=len(row))
        for split_on, ratio in self.own_splits:
            next_close = bisect_left(self.stored_on, split_on)
            until = end
            if next_close < len(self.stored_on):
                until = min(end, self.stored_on[next_close])
            begin = max(split_on, first_day)
            row[(begin - first_day).days : max((until - first_day).days, 0)] /= float(ratio)
        if self.stored_on and not self.by_hand:
            end = min(end, self.stored_on[0])  # from then on closes stand
        turns = {first_day, *self.stored_on}
        turns.update(map(_day_of, self.prices))
        turns.update(map(_day_of, self.splits))
        begins = sorted(day for day in turns if first_day <= day < end)
        for day, until in pairwise([*begins, end]):
            found = self.on(day)
            if found is not None:
                row[(day - first_day).days : (until - first_day).days] = float(found[1])


def _day_of(dated: tuple[date, Decimal]) -> date:
    return dated[0]


def _divided(price: Decimal, splits: Splits, priced_on: date, day: date) -> Decimal:
    """Return a price of `priced_on` in the shares of `day`."""
    factor = ONE
    for split_on, ratio in splits:
        if priced_on < split_on <= day:
            factor = EXACT.multiply(factor, ratio)
    if factor == ONE:
        return price
    return round_for_storage(EXACT.divide(price, factor))


def trade_prices(
    rows: Iterable[Traded],
    *,
    stored_on: Sequence[date] = (),
    by_hand: bool = False,
    own_splits: Splits = (),
    came_at: Mapping[date, Decimal] | None = None,
    taken_over: Mapping[date, Decimal] | None = None,
) -> TradePrices:
    """Return the prices in a user's transactions of one instrument, in whatever portfolio.

    Purchases above 0 and sales count, of one day the last in the order of effect; before the first
    of them transfers in do. By day, `came_at` is the first close of shares that came by an action,
    which counts as a purchase, and `taken_over` what they took over, which counts as a transfer.
    """
    traded: dict[date, Decimal] = dict(came_at or {})
    transferred: dict[date, Decimal] = {}
    rows = sorted(rows, key=_effect)
    for row in rows:
        rules = RULES[row.type]
        if row.price is None or not (row.price or rules.is_sale):
            continue
        if rules.is_purchase or rules.is_sale:
            traded[row.effective_date] = row.price
        elif rules.is_transfer and rules.shares > 0:
            transferred[row.effective_date] = row.price
    transferred |= taken_over or {}
    first_trade = min(traded, default=date.max)
    before = [(day, price) for day, price in transferred.items() if day < first_trade]
    prices = sorted([*before, *traded.items()])
    return TradePrices(prices, splits_in(rows), stored_on, by_hand, own_splits)


def splits_in(rows: Iterable[Traded]) -> Splits:
    """Return the splits in a user's transactions of one instrument, each once, oldest first."""
    splits_of: dict[Hashable, list[tuple[date, Decimal]]] = defaultdict(list)
    for row in sorted(rows, key=_effect):
        if RULES[row.type].is_ratio:
            splits_of[row.holding_id].append((row.effective_date, row.quantity))
    return _each_once(splits_of.values())


def splits_unknown_to(known: Splits, splits: Splits) -> Splits:
    """Return the `splits` that are not among those which the stored closes `known` follow."""
    others = list(known)
    unknown: list[tuple[date, Decimal]] = []
    for split in splits:
        # What counts on the day of a known one is that one: brokers round the ratio.
        same = next((one for one in others if one[0] == split[0] or _are_same(split, one)), None)
        if same is None:
            unknown.append(split)
        else:
            others.remove(same)
    return unknown


def _effect(row: Traded) -> tuple[date, int, int]:
    return row.effective_date, rank_of(row.type, row.quantity), row.sequence


def _each_once(splits_of_holdings: Iterable[Splits]) -> Splits:
    """Return the splits of several holdings of one instrument, each once, oldest first."""
    known: list[tuple[date, Decimal]] = []
    for splits in splits_of_holdings:
        others = list(known)
        for split in splits:
            same = next((other for other in others if _are_same(split, other)), None)
            if same is None:
                known.append(split)
            else:
                others.remove(same)
    return sorted(known)


def _are_same(split: tuple[date, Decimal], other: tuple[date, Decimal]) -> bool:
    (day, ratio), (other_day, other_ratio) = split, other
    if abs(day - other_day) > SAME_SPLIT_DAYS:
        return False
    return abs(ratio - other_ratio) <= SAME_SPLIT_RATIO * max(ratio, other_ratio)
