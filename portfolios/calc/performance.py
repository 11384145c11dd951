"""Daily values, flows and cost of one portfolio from arrays. docs/definitions.md defines them.

Everything is float64 in the portfolio's currency. Days are columns: column 0 is the day before the
period, column 1 its first day. Flows begin in column 1. No loop runs over transactions or days.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from portfolios.calc.kinds import RULES, codes_where

Floats = NDArray[np.float64]
Ints = NDArray[np.integer]  # type: ignore[explicit-any]  # of any width
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]  # of kinds, as `Rules.code` has them


PURCHASES = codes_where(lambda rules: rules.is_purchase)
SALES = codes_where(lambda rules: rules.is_sale)
INCOME = codes_where(lambda rules: rules.is_income)
CHARGES = codes_where(lambda rules: rules.is_charge)
SPLITS = codes_where(lambda rules: rules.is_ratio)
SHARES_IN = codes_where(lambda rules: rules.shares > 0)
SHARES_OUT = codes_where(lambda rules: rules.shares < 0)
TRANSFERS_IN = codes_where(lambda rules: rules.is_transfer and rules.shares > 0)
TRANSFERS_OUT = codes_where(lambda rules: rules.is_transfer and rules.shares < 0)

# Rows of one bincount over (row, day), so that the flows of all kinds are summed in one pass.
_BOUGHT, _CHARGED, _SOLD, _EARNED, _NO_CASH = range(5)


def _flow_rows() -> Ints:
    """[code] the row of that bincount for each kind."""
    rows = np.full(CODES, _NO_CASH, dtype=np.int64)
    rows[list(PURCHASES)] = _BOUGHT
    rows[list(CHARGES)] = _CHARGED
    rows[list(SALES)] = _SOLD
    rows[list(INCOME)] = _EARNED
    return rows


def _commission_signs() -> Floats:
    """[code] the sign with which a commission counts towards gross."""
    signs = np.zeros(CODES)
    for rules in RULES.values():
        signs[rules.code] = rules.commission_sign
    return signs


CODES = 1 + max(rules.code for rules in RULES.values())
_ROW = _flow_rows()
_COMMISSION_SIGN = _commission_signs()

BLOCK_BYTES = 1 << 20  # holdings x days at a time: fits the second-level cache


@dataclass(frozen=True, slots=True)
class Trades:
    """Transactions by instrument, day, rank and order of entry: one array a column, of one length.

    `instrument` is a row of the market's closes, `day` a day number (1970-01-01 is 0). `quantity`
    in shares (the ratio of a split), `price` and `commission` in the instrument's currency, `rate`
    units of the portfolio's currency for one of the instrument's; 0 where a kind has none. `held`
    is the quantity right after the transaction, from the exact ledger: sums of floats would leave
    1e-17 shares of a holding that was sold completely.
    """

    instrument: NDArray[np.int32]
    day: NDArray[np.int32]
    kind: Codes
    quantity: Floats
    price: Floats
    commission: Floats
    rate: Floats
    held: Floats

    def __len__(self) -> int:
        return len(self.day)

    def take(self, chosen: Flags | Ints) -> "Trades":
        return Trades(*(getattr(self, name)[chosen] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Market:
    """Closes as traded [instrument, day] and rates into the portfolio's currency [currency, day].

    Days are calendar days, column 0 is `first_day`. A row is NaN before its first known value,
    never after it. `currency` is the row of `rates` of each instrument; instruments of one currency
    are next to each other. Before column `known_from` the whole portfolio counts as unpriced: its
    currency has no rate into the one of the report.
    """

    first_day: int
    close: Floats
    currency: NDArray[np.int64]
    rates: Floats
    known_from: int = 0


@dataclass(frozen=True, slots=True)
class Daily:
    """One number a day, [day]; flows, gains and charges of column 0 are 0.

    `inflow` and `outflow` are both positive; `invested` marks days with a buy, a transfer in or an
    entry. `bought` is what each holding took in beyond what left it that day, with fees and taxes;
    `released` is what left each holding beyond what it took in, with income. `income`, `charges`
    and `realised_gain` cover every holding, the others those with a price. `missing` are the
    instruments that were held or traded on a day without one.
    """

    value: Floats
    cost_basis: Floats
    inflow: Floats
    outflow: Floats
    bought: Floats
    released: Floats
    income: Floats
    charges: Floats
    realised_gain: Floats
    invested: Flags
    missing: Ints

    @property
    def net_flow(self) -> Floats:
        return self.inflow - self.outflow

    @property
    def switched(self) -> Floats:
        """What only changed places: one holding was sold for another, or income reinvested."""
        return np.minimum(self.bought, self.released)

    def converted(self, rate: Floats) -> "Daily":
        """Return every amount times that day's `rate` [day]; a day without one (NaN) has 0."""
        rate = np.nan_to_num(rate)
        return replace(self, **{name: getattr(self, name) * rate for name in AMOUNTS})


AMOUNTS = (
    "value",
    "cost_basis",
    "inflow",
    "outflow",
    "bought",
    "released",
    "income",
    "charges",
    "realised_gain",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the transactions fall in a period of `days` columns, and what is held in between.

    `column` [trade] is 0 for all that came before the period. Runs are stretches of days with an
    unchanged quantity: `run_at` is instrument x days + column of the first, `run_length` and
    `run_held` go with it, `first_run` is the run with which each instrument begins, and one past
    the end. `priced_from` [instrument] is the first column with a price and a rate, `days` if there
    is none; `complete` says that every instrument has both from column 0 on.
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

    @property
    def is_priced(self) -> Flags:
        """[trade] Whether the day of each transaction has a price and a rate."""
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
        complete=not priced_from.any(),
    )


def first_priced_column(market: Market) -> Ints:
    """Return the first column with a close and a rate, [instrument]; one past the last if none."""
    instruments, days = market.close.shape
    first = np.full(instruments, min(market.known_from, days), dtype=np.int64)
    if not days:
        return first
    without_close = np.flatnonzero(np.isnan(market.close[:, 0]))
    first[without_close] = np.maximum(
        first[without_close], _first_known(market.close, without_close)
    )
    return np.maximum(first, np.isnan(market.rates).sum(axis=1)[market.currency])


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
    if not placed.complete and placed.priced_from[start:stop].any():
        values[np.arange(placed.days) < placed.priced_from[start:stop, None]] = 0.0
    return values


def values(placed: Layout, market: Market) -> Floats:
    """Return the market value of all priced holdings, [day]."""
    total = np.zeros((len(market.rates), placed.days))
    for start, stop in blocks(placed, market):
        block = block_values(placed, market, start, stop)
        if block is not None:
            total[market.currency[start]] += block.sum(axis=0)
    return np.einsum("cd,cd->d", total, np.nan_to_num(market.rates))


def running_cost(placed: Layout, paid: Floats) -> Floats:
    """Return the cost basis right after each transaction, at average cost, [trade].

    `paid` [trade] is the cost that a purchase or transfer in adds. Cost after = cost before x share
    kept + cost added is a linear recurrence, solved by doubling (Hillis and Steele 1986): log2
    passes over all holdings at once.
    """
    trades = placed.trades
    adds = is_one_of(trades.kind, SHARES_IN)
    leaves = is_one_of(trades.kind, SHARES_OUT)
    moves_shares = adds | leaves
    moves = np.flatnonzero(moves_shares)
    if not len(moves):
        return np.zeros(len(trades))
    instrument, leaves, held, before = (
        trades.instrument[moves],
        leaves[moves],
        trades.held[moves],
        placed.before[moves],
    )
    kept = np.ones(len(moves))
    np.divide(held, before, out=kept, where=leaves & (before > 0))
    kept[before == 0] = 0.0  # cost starts again at 0, also for the next instrument
    cost = np.where(leaves, 0.0, paid[moves])
    step = 1
    while step < len(moves):
        cost[step:] += kept[step:] * cost[:-step]
        kept[step:] *= kept[:-step]
        step *= 2
        if not kept[step:].any():
            break
    if len(moves) == len(trades):
        return cost
    latest = np.cumsum(moves_shares) - 1  # between moves the cost stands
    carried = cost[np.maximum(latest, 0)]
    carried[(latest < 0) | (instrument[np.maximum(latest, 0)] != trades.instrument)] = 0.0
    return carried


def daily(trades: Trades, market: Market) -> Daily:
    """Return all daily figures of a portfolio over the columns of `market`."""
    placed = layout(trades, market)
    trades, column, days = placed.trades, placed.column, placed.days
    gross = trades.quantity * trades.price
    cash = (gross + _COMMISSION_SIGN[trades.kind] * trades.commission) * trades.rate
    row = _ROW[trades.kind]

    by_row = _sum_by_day(row, column, cash, days)
    income, charges = by_row[_EARNED], by_row[_CHARGED]
    cost = running_cost(placed, cash)
    cost_change = cost.copy()
    cost_change[1:] -= np.where(trades.instrument[1:] == trades.instrument[:-1], cost[:-1], 0.0)
    sold = is_one_of(trades.kind, SALES)
    realised = summed(column[sold], (cash + cost_change)[sold], days)

    cost_column, priced = column, np.ones(len(column), dtype=bool)
    costs_more = cash < 0  # a sale or payment that costs more than it brings is money paid in
    if not placed.complete or costs_more.any():
        priced = placed.is_priced
        row = np.where(costs_more, _CHARGED, row)
        row = np.where(priced, row, _NO_CASH)
        by_row = _sum_by_day(row, column, np.abs(cash), days)
        cost_column = np.maximum(column, placed.priced_from[trades.instrument])
    opened = (trades.held > 0).astype(np.float64) - (placed.before > 0)
    # One column more for what is never priced.
    open_holdings = np.cumsum(summed(cost_column, opened, days + 1))[:days]
    cost_basis = np.cumsum(summed(cost_column, cost_change, days + 1))[:days]
    cost_basis[open_holdings < 0.5] = 0.0

    inflow = by_row[_BOUGHT] + by_row[_CHARGED]
    outflow = by_row[_SOLD] + by_row[_EARNED]
    invested = np.bincount(column[is_one_of(trades.kind, PURCHASES) & priced], minlength=days) > 0
    _add_transfers(placed, market, priced, inflow, outflow, invested)
    passed_through = _passed_through(placed, market, priced, cash)
    bought, released = inflow - passed_through, outflow - passed_through
    missing: Ints = np.zeros(0, dtype=np.int64)
    if not placed.complete:
        _add_entries(placed, market, inflow, invested)
        missing = unpriced_instruments(placed)
    for flow in (inflow, outflow, bought, released, income, charges, realised):
        flow[:1] = 0.0
    invested[:1] = False
    return Daily(
        value=values(placed, market),
        cost_basis=cost_basis,
        inflow=inflow,
        outflow=outflow,
        bought=bought,
        released=released,
        income=income,
        charges=charges,
        realised_gain=realised,
        invested=invested,
        missing=missing,
    )


def summed(place: Ints, amounts: Floats, places: int) -> Floats:
    """Return the sum of the amounts at each place. (bincount of nothing would be integers.)"""
    return np.bincount(place, amounts, places).astype(np.float64, copy=False)


def _sum_by_day(row: Ints, column: Ints, amounts: Floats, days: int) -> Floats:
    return summed(row * days + column, amounts, (_NO_CASH + 1) * days).reshape(-1, days)


def worth_at(placed: Layout, market: Market, chosen: Ints) -> Floats:
    """Return quantity x that day's close, in the instrument's currency, [chosen trade]."""
    trades = placed.trades
    return trades.quantity[chosen] * market.close[trades.instrument[chosen], placed.column[chosen]]


def _add_transfers(
    placed: Layout, market: Market, priced: Flags, inflow: Floats, outflow: Floats, invested: Flags
) -> None:
    """Add transfers, which count at market value, whatever their own price is."""
    kind = placed.trades.kind
    for codes, flow in ((TRANSFERS_IN, inflow), (TRANSFERS_OUT, outflow)):
        chosen = np.flatnonzero(is_one_of(kind, codes) & priced)
        if len(chosen):
            column = placed.column[chosen]
            rate = market.rates[market.currency[placed.trades.instrument[chosen]], column]
            flow += summed(column, worth_at(placed, market, chosen) * rate, placed.days)
            if codes is TRANSFERS_IN:
                invested[column] = True


def _passed_through(placed: Layout, market: Market, priced: Flags, cash: Floats) -> Floats:
    """Return what both came into and left the same holding that day, [day].

    It is the smaller of the two amounts, summed over the holdings. Few days have any: only those on
    which a holding was both bought and sold are added up.
    """
    trades = placed.trades
    adds = is_one_of(trades.kind, SHARES_IN) | (is_one_of(trades.kind, SALES) & (cash < 0))
    moves = np.flatnonzero((adds | is_one_of(trades.kind, SHARES_OUT)) & priced)
    at = trades.instrument[moves] * np.int64(placed.days) + placed.column[moves]
    adds = adds[moves]
    turns = (at[1:] == at[:-1]) & (adds[1:] != adds[:-1]) & (placed.column[moves[1:]] > 0)
    both_ways = np.unique(at[1:][turns])
    if not len(both_ways):
        return np.zeros(placed.days)
    place = np.searchsorted(both_ways, at)
    chosen = both_ways[np.minimum(place, len(both_ways) - 1)] == at
    place, adds, moves = place[chosen], adds[chosen], moves[chosen]
    amount = np.abs(cash[moves])
    transferred = is_one_of(trades.kind[moves], TRANSFERS_IN + TRANSFERS_OUT)
    transfers = moves[transferred]
    rate = market.rates[market.currency[trades.instrument[transfers]], placed.column[transfers]]
    amount[transferred] = worth_at(placed, market, transfers) * rate
    came = summed(place[adds], amount[adds], len(both_ways))
    left = summed(place[~adds], amount[~adds], len(both_ways))
    return summed(both_ways % placed.days, np.minimum(came, left), placed.days)


def entries(placed: Layout, market: Market) -> tuple[Ints, Ints, Floats]:
    """Return what enters on its first priced day: instruments, their columns and their worth.

    The worth is in the instrument's currency. It is of what was held before that day's trades,
    after a split of that day.
    """
    late = np.flatnonzero((placed.priced_from > 0) & (placed.priced_from < placed.days))
    column = placed.priced_from[late]
    run = np.searchsorted(placed.run_at, late * placed.days + column) - 1
    held = placed.run_held[run]
    trades = placed.trades
    entry_day = (placed.column == placed.priced_from[trades.instrument]) & (placed.column > 0)
    split = np.flatnonzero(entry_day & is_one_of(trades.kind, SPLITS))
    np.multiply.at(held, np.searchsorted(late, trades.instrument[split]), trades.quantity[split])
    late, column, held = late[held > 0], column[held > 0], held[held > 0]
    return late, column, held * market.close[late, column]


def _add_entries(placed: Layout, market: Market, inflow: Floats, invested: Flags) -> None:
    late, column, worth = entries(placed, market)
    inflow += summed(column, worth * market.rates[market.currency[late], column], placed.days)
    invested[column] = True


def unpriced_instruments(placed: Layout) -> Ints:
    """Return the instruments that were held or traded on a day of the period without a price."""
    instrument, column = np.divmod(placed.run_at, placed.days)
    held = (placed.run_held > 0) & (column < placed.priced_from[instrument])
    traded = (placed.column > 0) & ~placed.is_priced
    return np.union1d(instrument[held], placed.trades.instrument[traded]).astype(np.int64)


def combined(parts: Sequence[Daily], days: int) -> Daily:
    """Add up several portfolios, each already `converted`; `missing` is left to the caller."""
    sums = {name: np.zeros(days) for name in AMOUNTS}
    invested = np.zeros(days, dtype=bool)
    for part in parts:
        invested |= part.invested
        for name in AMOUNTS:
            sums[name] += getattr(part, name)
    return Daily(**sums, invested=invested, missing=np.zeros(0, dtype=np.int64))
