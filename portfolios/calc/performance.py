"""Daily values, flows and cost of one portfolio from arrays. docs/definitions.md defines them.

Everything is float64 in the portfolio's currency. Days are columns: column 0 is the day before the
period, column 1 its first day. Flows begin in column 1. No loop runs over transactions or days.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from portfolios.calc.columns import sums_of
from portfolios.calc.exchanges import exchanged
from portfolios.calc.kinds import RULES
from portfolios.calc.layout import (
    CHARGES,
    EXCHANGES_IN,
    EXCHANGES_OUT,
    INCOME,
    PURCHASES,
    RETURNS,
    SALES,
    SHARES_IN,
    SHARES_OUT,
    TRANSFERS_IN,
    TRANSFERS_OUT,
    Flags,
    Floats,
    Ints,
    Layout,
    Market,
    Trades,
    block_values,
    blocks,
    entries,
    exits,
    is_one_of,
    layout,
    summed,
    unpriced_instruments,
    worth_at,
)

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


# A sum that is smaller than this part of what it was added up from is the noise of floats.
NOISE = 1e-12
CODES = 1 + max(rules.code for rules in RULES.values())
_ROW = _flow_rows()
_COMMISSION_SIGN = _commission_signs()


@dataclass(frozen=True, slots=True)
class Daily:
    """One number a day, [day]; flows, gains and charges of column 0 are 0.

    `inflow` and `outflow` are both positive; `exited` is what became unpriced and is in `outflow`,
    at the value of the evening before. `invested` marks days with a buy, a transfer in or an entry.
    `bought` is what each holding took in beyond what left it that day, with fees and taxes;
    `released` is what left each holding beyond what it took in, with income. `income`, `charges`
    and `realised_gain` cover every holding, the others those with a price. `missing` are the
    instruments that were held or traded on a day without one. With money, which
    `portfolios.calc.cash` adds, the value can be below 0.
    """

    value: Floats
    cost_basis: Floats
    inflow: Floats
    outflow: Floats
    exited: Floats
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
        """Return every amount times that day's `rate` [day]; a day without one (NaN) has 0.

        What became unpriced counts at the rate of the evening before.
        """
        rate = np.nan_to_num(rate)
        amounts = {name: getattr(self, name) * rate for name in AMOUNTS}
        if self.exited.any():
            exited = np.zeros_like(self.exited)
            exited[1:] = self.exited[1:] * rate[:-1]
            amounts["outflow"] = (self.outflow - self.exited) * rate + exited
            amounts["exited"] = exited
        return replace(self, **amounts)


AMOUNTS = (
    "value",
    "cost_basis",
    "inflow",
    "outflow",
    "exited",
    "bought",
    "released",
    "income",
    "charges",
    "realised_gain",
)


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
    leaves = is_one_of(trades.kind, SHARES_OUT + RETURNS)
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
    shares = trades.share[moves]
    kept = np.ones(len(moves))
    np.divide(held, before, out=kept, where=leaves & (before > 0))
    if shares.any():
        kept *= 1 - shares
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


def daily(trades: Trades, market: Market, cash_from: int | None = None) -> Daily:
    """Return all daily figures of a portfolio's securities over the columns of `market`.

    From the column `cash_from` on, their money goes into and out of the portfolio's own money: it
    is not a flow then. `portfolios.calc.cash` has the rest.
    """
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

    priced = np.ones(len(column), dtype=bool)
    costs_more = cash < 0  # a sale or payment that costs more than it brings is money paid in
    if not placed.complete or costs_more.any():
        priced = placed.is_priced
        row = np.where(costs_more, _CHARGED, row)
        row = np.where(priced, row, _NO_CASH)
        by_row = _sum_by_day(row, column, np.abs(cash), days)
    if cash_from is not None:
        by_row = np.where(np.arange(days) < cash_from, by_row, 0.0)
    inflow = by_row[_BOUGHT] + by_row[_CHARGED]
    outflow = by_row[_SOLD] + by_row[_EARNED]
    invested = np.bincount(column[is_one_of(trades.kind, PURCHASES) & priced], minlength=days) > 0
    _add_transfers(placed, market, priced, inflow, outflow, invested)
    moved = exchanged(placed, market)
    if cash_from is not None:
        is_transfer = is_one_of(trades.kind, TRANSFERS_IN + TRANSFERS_OUT)
        priced = priced & (is_transfer | (column < cash_from))
    passed_through = _passed_through(placed, market, priced, cash)
    bought, released = inflow - passed_through, outflow - passed_through
    exited = np.zeros(days)
    missing: Ints = np.zeros(0, dtype=np.int64)
    if not placed.complete:
        _add_entries(placed, market, inflow, invested)
        exited = _exited(placed, market)
        outflow += exited
        missing = unpriced_instruments(placed)
    if moved is not None:
        inflow += moved.enters
        outflow += moved.leaves
        invested |= moved.came
    for flow in (inflow, outflow, bought, released, income, charges, realised):
        flow[:1] = 0.0
    invested[:1] = False
    return Daily(
        value=values(placed, market),
        cost_basis=_priced_cost(placed, market, cost, cost_change),
        inflow=inflow,
        outflow=outflow,
        exited=exited,
        bought=bought,
        released=released,
        income=income,
        charges=charges,
        realised_gain=realised,
        invested=invested,
        missing=missing,
    )


def _priced_cost(placed: Layout, market: Market, cost: Floats, change: Floats) -> Floats:
    """Return the cost basis of the priced holdings, [day].

    `cost` [trade] is that of the holding after each transaction, `change` by how much it changed.
    """
    trades, days = placed.trades, placed.days
    if placed.priced is not None:
        return _cost_of_priced_days(placed, market, cost)
    # The cost of unpriced days counts from the first priced one on; one column more for what is
    # never priced.
    column = placed.column
    if not placed.complete:
        column = np.maximum(column, placed.priced_from[trades.instrument])
    opened = (trades.held > 0).astype(np.float64) - (placed.before > 0)
    open_holdings = np.cumsum(summed(column, opened, days + 1))[:days]
    cost_basis = np.cumsum(summed(column, change, days + 1))[:days]
    cost_basis[open_holdings < 0.5] = 0.0
    return cost_basis


def _cost_of_priced_days(placed: Layout, market: Market, cost: Floats) -> Floats:
    """Return the same where holdings become unpriced and priced again."""
    total = np.zeros(placed.days)
    at = placed.trades.instrument * np.int64(placed.days) + placed.column
    if placed.priced is None or not len(at):
        return total
    latest = np.searchsorted(at, placed.run_at, side="right") - 1
    has_begun = (latest >= 0) & (at[latest] == placed.run_at)
    run_cost = np.where(has_begun & (placed.run_held > 0), cost[latest], 0.0)
    for start, stop in blocks(placed, market):
        runs = slice(placed.first_run[start], placed.first_run[stop])
        costs = np.repeat(run_cost[runs], placed.run_length[runs]).reshape(-1, placed.days)
        total += np.where(placed.priced[start:stop], costs, 0.0).sum(axis=0)
    return total


def _exited(placed: Layout, market: Market) -> Floats:
    """Return what became unpriced, at the value of the evening before, [day]."""
    instrument, column, worth = exits(placed, market)
    rate = market.rates[market.currency[instrument], column - 1]
    return summed(column, worth * rate, placed.days)


def _sum_by_day(row: Ints, column: Ints, amounts: Floats, days: int) -> Floats:
    return summed(row * days + column, amounts, (_NO_CASH + 1) * days).reshape(-1, days)


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
    sells = is_one_of(trades.kind, SALES) & ~is_one_of(trades.kind, RETURNS)
    adds = is_one_of(trades.kind, SHARES_IN) | (sells & (cash < 0))
    moving = adds | is_one_of(trades.kind, SHARES_OUT)
    moving &= ~is_one_of(trades.kind, EXCHANGES_IN + EXCHANGES_OUT)
    moves = np.flatnonzero(moving & priced)
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


def _add_entries(placed: Layout, market: Market, inflow: Floats, invested: Flags) -> None:
    late, column, worth = entries(placed, market)
    inflow += summed(column, worth * market.rates[market.currency[late], column], placed.days)
    invested[column] = True


def combined(parts: Sequence[Daily], days: int) -> Daily:
    """Add up several portfolios, each already `converted`; `missing` is left to the caller."""
    sums = sums_of(parts, AMOUNTS, days)
    invested = np.zeros(days, dtype=bool)
    for part in parts:
        invested |= part.invested
    return Daily(**sums, invested=invested, missing=np.zeros(0, dtype=np.int64))
