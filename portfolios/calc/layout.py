"""Place transactions in the columns of a period, and tell priced days from unpriced ones.

Days are columns: column 0 is the day before the period, column 1 its first day. No loop runs over
transactions or days.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portfolios.calc.kinds import codes_where

Floats = NDArray[np.float64]
Ints = NDArray[np.integer]  # type: ignore[explicit-any]  # of any width
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]  # of kinds, as `Rules.code` has them


PURCHASES = codes_where(lambda rules: rules.is_purchase)
SALES = codes_where(lambda rules: rules.is_sale or rules.returns_cost)
RETURNS = codes_where(lambda rules: rules.returns_cost)
INCOME = codes_where(lambda rules: rules.is_income)
CHARGES = codes_where(lambda rules: rules.is_charge)
SPLITS = codes_where(lambda rules: rules.is_ratio)
SHARES_IN = codes_where(lambda rules: rules.shares > 0)
SHARES_OUT = codes_where(lambda rules: rules.shares < 0)
EXCHANGES_IN = codes_where(lambda rules: rules.is_exchange and rules.shares > 0)
EXCHANGES_OUT = codes_where(lambda rules: rules.is_exchange and rules.shares < 0)
TRANSFERS_IN = codes_where(lambda rules: rules.is_transfer and rules.shares > 0)
TRANSFERS_OUT = codes_where(lambda rules: rules.is_transfer and rules.shares < 0)

BLOCK_BYTES = 1 << 20  # holdings x days at a time: fits the second-level cache


@dataclass(frozen=True, slots=True)
class Trades:
    """Transactions by instrument, day, rank and order of entry: one array a column, of one length.

    `instrument` is a row of the market's closes, `day` a day number (1970-01-01 is 0). `quantity`
    in shares (the ratio of a split), `price` and `commission` in the instrument's currency, `rate`
    units of the portfolio's currency for one of the instrument's; 0 where a kind has none. `held`
    is the quantity right after the transaction, from the exact ledger: sums of floats would leave
    1e-17 shares of a holding that was sold completely. `share` is the part of the cost that leaves
    beyond that of the shares which leave: 0 but for returns of capital and exchanges. The cash of
    an exchange is a row of its own, a sale or a purchase that moves no shares. `group` is the same
    number for all rows of an exchange, else 0.
    """

    instrument: NDArray[np.int32]
    day: NDArray[np.int32]
    kind: Codes
    quantity: Floats
    price: Floats
    commission: Floats
    rate: Floats
    held: Floats
    share: Floats
    group: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.day)

    def take(self, chosen: Flags | Ints) -> "Trades":
        return Trades(*(getattr(self, name)[chosen] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Market:
    """Closes as traded [instrument, day] and rates into the portfolio's currency [currency, day].

    Days are calendar days, column 0 is `first_day`. A close is NaN before the first known one and
    never after it, a rate on any day without one. `currency` is the row of `rates` of each
    instrument; instruments of one currency are next to each other. On days that are not `known`
    [day] the whole portfolio counts as unpriced: its currency has no rate into the one of the
    report. None stands for all days.
    """

    first_day: int
    close: Floats
    currency: NDArray[np.int64]
    rates: Floats
    known: Flags | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the transactions fall in a period of `days` columns, and what is held in between.

    `column` [trade] is 0 for all that came before the period. Runs are stretches of days with an
    unchanged quantity: `run_at` is instrument x days + column of the first, `run_length` and
    `run_held` go with it, `first_run` is the run with which each instrument begins, and one past
    the end. `priced_from` [instrument] is the first column with a price and a rate, `days` if there
    is none; `complete` says that every instrument has both from column 0 on. `priced` [instrument,
    day] is given where an instrument lacks one of them again later, which is rare.
    """

    days: int
    trades: Trades
    column: Ints
    before: Floats
    run_at: Ints
    run_length: Ints
    run_held: Floats
    first_run: Ints
    priced_from: Ints
    complete: bool
    priced: Flags | None

    @property
    def is_priced(self) -> Flags:
        """[trade] Whether the day of each transaction has a price and a rate."""
        if self.priced is not None:
            return self.priced[self.trades.instrument, self.column]
        return self.column >= self.priced_from[self.trades.instrument]


def is_one_of(kind: Codes, codes: Sequence[int]) -> Flags:
    """[trade] whether its kind is one of `codes`; a comparison each is faster than np.isin."""
    found = np.zeros(len(kind), dtype=np.bool_)
    for code in codes:
        found |= kind == code
    return found


def layout(trades: Trades, market: Market) -> Layout:
    """Place `trades` in the columns of `market`; later ones are left out."""
    instruments, days = market.close.shape
    column = trades.day.astype(np.int64) - market.first_day
    if len(column) and column.max() >= days:
        inside = column < days
        trades, column = trades.take(inside), column[inside]
    np.maximum(column, 0, out=column)

    at = trades.instrument * np.int64(days) + column
    last_of_day = np.empty(len(at), dtype=bool)
    last_of_day[-1:] = True
    np.not_equal(at[1:], at[:-1], out=last_of_day[:-1])
    run_at, run_held = at[last_of_day], trades.held[last_of_day]
    beginnings = np.arange(instruments, dtype=np.int64) * days
    first_run = np.searchsorted(run_at, beginnings)
    run_at = np.insert(run_at, first_run, beginnings)  # nothing is held until the first transaction
    run_held = np.insert(run_held, first_run, 0.0)

    before = np.empty_like(trades.held)
    before[:1] = 0
    before[1:] = trades.held[:-1]
    before[1:][trades.instrument[1:] != trades.instrument[:-1]] = 0

    priced_from = first_priced_column(market)
    priced = _priced_days(market, priced_from)
    return Layout(
        days=days,
        trades=trades,
        column=column,
        before=before,
        run_at=run_at,
        run_length=np.diff(run_at, append=instruments * days),
        run_held=run_held,
        first_run=np.append(first_run + np.arange(instruments), len(run_at)),
        priced_from=priced_from,
        complete=priced is None and not priced_from.any(),
        priced=priced,
    )


def first_priced_column(market: Market) -> Ints:
    """Return the first column with a close and a rate, [instrument]; one past the last if none."""
    instruments, days = market.close.shape
    first = np.zeros(instruments, dtype=np.int64)
    if not days:
        return first
    without_close = np.flatnonzero(np.isnan(market.close[:, 0]))
    if len(without_close):
        first[without_close] = _first_known(market.close, without_close)
    rated = _rated_days(market)
    if rated[:, 0].all():
        return first
    first_rated = np.where(rated.any(axis=1), rated.argmax(axis=1), days)
    return np.maximum(first, first_rated[market.currency])


def priced_days(market: Market) -> Flags:
    """Return whether each day has a close and a rate, [instrument, day]."""
    priced_from = first_priced_column(market)
    priced = _priced_days(market, priced_from)
    if priced is None:
        priced = np.arange(market.close.shape[1]) >= priced_from[:, None]
    return priced


def unpriced_somewhere(market: Market) -> Flags | None:
    """Return the same; None where every instrument has both on every day."""
    priced = _priced_days(market, first_priced_column(market))
    if priced is not None:
        return priced
    priced = priced_days(market)
    return None if priced.all() else priced


def _rated_days(market: Market) -> Flags:
    """Return whether a day has a rate into the currency of the figures, [currency, day]."""
    rated = ~np.isnan(market.rates)
    if market.known is not None:
        rated &= market.known
    return rated


def _priced_days(market: Market, priced_from: Ints) -> Flags | None:
    """Return whether each day has a close and a rate, [instrument, day].

    None where every instrument has both from its first priced day on.
    """
    rated = _rated_days(market)
    has_gap = (rated[:, :-1] > rated[:, 1:]).any()
    if not has_gap:
        return None
    return rated[market.currency] & (np.arange(rated.shape[1]) >= priced_from[:, None])


def _first_known(rows: Floats, chosen: Ints) -> Ints:
    """Return the first column of each row that is not NaN, [chosen].

    NaN comes first in a row, so all rows are bisected at once.
    """
    low = np.zeros(len(chosen), dtype=np.int64)
    high = np.full(len(chosen), rows.shape[1], dtype=np.int64)
    for _ in range(rows.shape[1].bit_length()):
        middle = (low + high) // 2
        unknown = (low < high) & np.isnan(rows[chosen, np.minimum(middle, rows.shape[1] - 1)])
        low, high = np.where(unknown, middle + 1, low), np.where(unknown, high, middle)
    return low


def blocks(placed: Layout, market: Market) -> list[tuple[int, int]]:
    """Return ranges of instruments of one currency, each small enough for the processor's cache."""
    instruments = len(market.currency)
    rows = max(1, BLOCK_BYTES // (8 * max(1, placed.days)))
    edges = np.flatnonzero(np.diff(market.currency)) + 1
    edges = np.unique(np.concatenate((np.arange(0, instruments, rows), edges, [instruments])))
    return [(int(start), int(stop)) for start, stop in itertools.pairwise(edges)]


def block_values(placed: Layout, market: Market, start: int, stop: int) -> Floats | None:
    """Return quantity x close of instruments `start` to `stop`, [instrument, day].

    Amounts are in their own currency; unpriced days are 0. None when none of the instruments was
    ever held.
    """
    runs = slice(placed.first_run[start], placed.first_run[stop])
    held = placed.run_held[runs]
    if not held.any():
        return None
    values = np.repeat(held, placed.run_length[runs]).reshape(stop - start, placed.days)
    values *= market.close[start:stop]
    if placed.priced is not None:
        values[~placed.priced[start:stop]] = 0.0
    elif not placed.complete and placed.priced_from[start:stop].any():
        values[np.arange(placed.days) < placed.priced_from[start:stop, None]] = 0.0
    return values


def summed(place: Ints, amounts: Floats, places: int) -> Floats:
    """Return the sum of the amounts at each place. (bincount of nothing would be integers.)"""
    return np.bincount(place, amounts, places).astype(np.float64, copy=False)


def worth_at(placed: Layout, market: Market, chosen: Ints) -> Floats:
    """Return quantity x that day's close, in the instrument's currency, [chosen trade]."""
    trades = placed.trades
    return trades.quantity[chosen] * market.close[trades.instrument[chosen], placed.column[chosen]]


def entries(placed: Layout, market: Market) -> tuple[Ints, Ints, Floats]:
    """Return what enters on a first priced day: instruments, their columns and their worth.

    The worth is in the instrument's currency. It is of what was held before that day's trades,
    after a split of that day.
    """
    if placed.priced is None:
        instrument = np.flatnonzero((placed.priced_from > 0) & (placed.priced_from < placed.days))
        column = placed.priced_from[instrument]
    else:
        instrument, column = np.nonzero(~placed.priced[:, :-1] & placed.priced[:, 1:])
        column = column + 1
    at = instrument * placed.days + column
    held = _held_before(placed, at)
    trades = placed.trades
    split = np.flatnonzero(is_one_of(trades.kind, SPLITS) & (placed.column > 0))
    if len(at) and len(split):
        split_at = trades.instrument[split] * np.int64(placed.days) + placed.column[split]
        place = np.minimum(np.searchsorted(at, split_at), len(at) - 1)
        that_day = at[place] == split_at
        np.multiply.at(held, place[that_day], trades.quantity[split[that_day]])
    instrument, column, held = instrument[held > 0], column[held > 0], held[held > 0]
    return instrument, column, held * market.close[instrument, column]


def exits(placed: Layout, market: Market) -> tuple[Ints, Ints, Floats]:
    """Return what leaves on the first unpriced day after priced ones, as `entries` does.

    The worth is that of the evening before, at its close.
    """
    if placed.priced is None:
        nothing: Ints = np.zeros(0, dtype=np.int64)
        return nothing, nothing, np.zeros(0)
    instrument, column = np.nonzero(placed.priced[:, :-1] & ~placed.priced[:, 1:])
    column = column + 1
    held = _held_before(placed, instrument * placed.days + column)
    instrument, column, held = instrument[held > 0], column[held > 0], held[held > 0]
    return instrument, column, held * market.close[instrument, column - 1]


def _held_before(placed: Layout, at: Ints) -> Floats:
    """Return the shares held on the evening before each instrument x days + column."""
    return placed.run_held[np.searchsorted(placed.run_at, at) - 1]


def unpriced_instruments(placed: Layout) -> Ints:
    """Return the instruments that were held or traded on a day of the period without a price."""
    instrument, column = np.divmod(placed.run_at, placed.days)
    if placed.priced is None:
        held = (placed.run_held > 0) & (column < placed.priced_from[instrument])
    else:
        priced_until = np.cumsum(placed.priced, axis=1)
        last = column + np.maximum(placed.run_length, 1) - 1
        priced_days = priced_until[instrument, last] - priced_until[instrument, column]
        priced_days += placed.priced[instrument, column]
        held = (placed.run_held > 0) & (priced_days < placed.run_length)
    traded = (placed.column > 0) & ~placed.is_priced
    return np.union1d(instrument[held], placed.trades.instrument[traded]).astype(np.int64)
