"""What moved a portfolio's value over a period, per holding."""

from dataclasses import dataclass

import numpy as np

from portfolios.calc.exchanges import exchanged
from portfolios.calc.layout import (
    CHARGES,
    INCOME,
    PURCHASES,
    SALES,
    TRANSFERS_IN,
    TRANSFERS_OUT,
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

PARTS = (
    "start_value",
    "net_flow",
    "price_effect",
    "fx_effect",
    "income",
    "charges",
    "commissions",
    "end_value",
)


@dataclass(frozen=True, slots=True)
class Bridge:
    """The PARTS, [instrument], in the portfolio's currency; `missing` are unpriced instruments.

    Start + net flow + price effect + fx effect + income - charges - commissions = end; flows,
    income, charges and commissions are those of priced days.
    """

    start_value: Floats
    net_flow: Floats
    price_effect: Floats
    fx_effect: Floats
    income: Floats
    charges: Floats
    commissions: Floats
    end_value: Floats
    missing: Ints

    def total(self) -> dict[str, float]:
        """Return the sum over instruments of each part."""
        return {name: float(getattr(self, name).sum()) for name in PARTS}

    def largest(self) -> float:
        """Return the largest absolute amount of all parts and instruments."""
        largest = 0.0
        for name in PARTS:
            largest = max(largest, float(np.abs(getattr(self, name)).max(initial=0.0)))
        return largest


def bridge(trades: Trades, market: Market) -> Bridge:
    """Calculate the bridge from the end of column 0 to the end of the last column.

    docs/definitions.md, "The bridge".
    """
    placed = layout(trades, market)
    start, end, carried = _values_and_currency_moves(placed, market)

    trades = placed.trades
    counted = np.flatnonzero(placed.is_priced & (placed.column > 0))
    instrument, kind, column = (
        trades.instrument[counted],
        trades.kind[counted],
        placed.column[counted],
    )
    rate = trades.rate[counted]
    rate_of_day = market.rates[market.currency[instrument], column]
    # The cash of an exchange is in the portfolio's currency.
    is_cash = (trades.group[counted] != 0) & is_one_of(kind, PURCHASES + SALES)
    rate_of_day = np.where(is_cash, rate, rate_of_day)
    gross = trades.quantity[counted] * trades.price[counted]
    cost = trades.commission[counted] * rate

    def of(chosen: Ints, amounts: Floats) -> Floats:
        return summed(instrument[chosen], amounts[chosen], len(start))

    bought = np.flatnonzero(is_one_of(kind, PURCHASES))
    sold = np.flatnonzero(is_one_of(kind, SALES))
    earned = np.flatnonzero(is_one_of(kind, INCOME))
    charged = np.flatnonzero(is_one_of(kind, CHARGES))
    traded = of(bought, gross * rate) - of(sold, gross * rate)
    traded_at_close = of(bought, gross * rate_of_day) - of(sold, gross * rate_of_day)
    commissions = of(bought, cost) + of(sold, cost)
    income = of(earned, gross * rate - cost)
    charges = of(charged, gross * rate + cost)

    moved = np.zeros(len(counted))
    transfers = np.flatnonzero(is_one_of(kind, TRANSFERS_IN + TRANSFERS_OUT))
    sign = np.where(is_one_of(kind[transfers], TRANSFERS_IN), 1.0, -1.0)
    moved[transfers] = sign * worth_at(placed, market, counted[transfers]) * rate_of_day[transfers]
    late, entry_column, worth = entries(placed, market)
    moved_in = of(transfers, moved)
    moved_in += summed(late, worth * market.rates[market.currency[late], entry_column], len(start))
    lost, exit_column, worth = exits(placed, market)
    currency = market.currency[lost]
    rate_before = market.rates[currency, exit_column - 1]
    moved_in -= summed(lost, worth * rate_before, len(start))
    # It left at that rate, so the change to the next one moves nothing.
    change = np.nan_to_num(market.rates[currency, exit_column] - rate_before)
    carried = carried - summed(lost, worth * change, len(start))

    exchanges = exchanged(placed, market)
    if exchanges is not None:
        moved_in += summed(exchanges.instrument, exchanges.worth, len(start))

    return Bridge(
        start_value=start,
        net_flow=traded + moved_in + commissions + charges - income,
        price_effect=end - start - carried - traded_at_close - moved_in,
        fx_effect=carried + traded_at_close - traded,
        income=income,
        charges=charges,
        commissions=commissions,
        end_value=end,
        missing=unpriced_instruments(placed),
    )


def _values_and_currency_moves(placed: Layout, market: Market) -> tuple[Floats, Floats, Floats]:
    """Return first values, last values and currency moves, [instrument].

    A currency move is the sum over days of yesterday's value x the change of the rate.
    """
    start, end, carried = np.zeros((3, len(market.currency)))
    rates = np.nan_to_num(market.rates)
    # Without a rate nothing moves: the value leaves or comes at the rate that it has.
    moves = np.nan_to_num(np.diff(market.rates, axis=1))
    for first, stop in blocks(placed, market):
        block = block_values(placed, market, first, stop)
        if block is None:
            continue
        currency = market.currency[first]
        start[first:stop] = block[:, 0] * rates[currency, 0]
        end[first:stop] = block[:, -1] * rates[currency, -1]
        carried[first:stop] = block[:, :-1] @ moves[currency]
    return start, end, carried
