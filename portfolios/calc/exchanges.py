"""What exchanges and spin-offs move from one holding to others.

It is not a flow of the portfolio, unless one side has no price. Amounts are in the portfolio's
currency. The cash of an exchange is a sale or a purchase of its own. docs/definitions.md,
"Performance of a period".
"""

from dataclasses import dataclass

import numpy as np

from portfolios.calc.layout import (
    EXCHANGES_IN,
    EXCHANGES_OUT,
    PURCHASES,
    SALES,
    Flags,
    Floats,
    Ints,
    Layout,
    Market,
    is_one_of,
    summed,
)


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What came into holdings (above 0) or left them, [move].

    `enters` and `leaves` [day] are flows of the portfolio: what came for something without a price,
    and what went for something without a rate. `came` [day] says on which days something priced
    came in.
    """

    instrument: Ints
    worth: Floats
    enters: Floats
    leaves: Floats
    came: Flags


def exchanged(placed: Layout, market: Market) -> Exchanged | None:
    """Return what exchanges moved on the days of the period, None without any."""
    trades = placed.trades
    kinds = EXCHANGES_IN + EXCHANGES_OUT
    if not is_one_of(trades.kind, kinds).any():
        return None
    legs = np.flatnonzero(is_one_of(trades.kind, kinds) & (placed.column > 0))
    priced = placed.is_priced[legs]
    column = placed.column[legs]
    is_in = is_one_of(trades.kind[legs], EXCHANGES_IN)
    came = np.bincount(column[is_in & priced], minlength=placed.days) > 0
    groups, place = np.unique(trades.group[legs], return_inverse=True)
    has_group = trades.group[legs] != 0
    goes = ~is_in & has_group
    giver = np.full(len(groups), -1, dtype=np.int64)
    giver[place[goes]] = legs[goes]
    of_giver = giver[place]

    worth = np.zeros(len(legs))
    worth[priced] = _worth(placed, market, legs[priced])
    comes = is_in & has_group & (of_giver >= 0)
    giver_is_priced = np.zeros(len(legs), dtype=bool)
    giver_is_priced[comes] = placed.is_priced[of_giver[comes]]
    switched = comes & priced & giver_is_priced
    entered = comes & priced & ~giver_is_priced
    lost = comes & ~priced & giver_is_priced
    worth[lost] = _worth_of_lost(placed, market, legs, place, of_giver, worth, switched, lost)

    instrument = trades.instrument[legs]
    gave = switched | lost
    return Exchanged(
        instrument=np.concatenate(
            (
                instrument[switched | entered],
                trades.instrument[of_giver[gave]],
            )
        ),
        worth=np.concatenate((worth[switched | entered], -worth[gave])),
        enters=summed(column[entered], worth[entered], placed.days),
        leaves=summed(column[lost], worth[lost], placed.days),
        came=came,
    )


def _worth(placed: Layout, market: Market, chosen: Ints) -> Floats:
    """Return quantity x that day's close x that day's rate, [chosen trade]."""
    trades = placed.trades
    instrument, column = trades.instrument[chosen], placed.column[chosen]
    rate = market.rates[market.currency[instrument], column]
    return trades.quantity[chosen] * market.close[instrument, column] * rate


def _worth_of_lost(
    placed: Layout,
    market: Market,
    legs: Ints,
    place: Ints,
    of_giver: Ints,
    worth: Floats,
    switched: Flags,
    lost: Flags,
) -> Floats:
    """Return what targets without a rate took over, [lost leg].

    It is what left at the last close before, less received cash and priced targets, plus paid cash;
    in a spin-off, the part of the holding's value that its part of the cost implies. Several share
    it by the cost that they got.
    """
    if not lost.any():
        return np.zeros(0)
    trades = placed.trades
    found = []
    for leg in np.flatnonzero(lost):
        giver = of_giver[leg]
        same = place == place[leg]
        instrument, column = trades.instrument[giver], placed.column[giver]
        rate = market.rates[market.currency[instrument], column]
        before, now = market.close[instrument, column - 1], market.close[instrument, column]
        share = trades.share[giver]
        quantity = trades.quantity[giver]
        if quantity:
            value = quantity * before * rate
        elif 0 < share < 1:
            value = trades.held[giver] * now * rate * share / (1 - share)
        else:
            value = trades.held[giver] * (before - now) * rate
        if quantity or not 0 < share < 1:
            value -= _cash(placed, giver) + worth[same & switched].sum()
        costs = _cost(placed, legs[same & lost])
        part = 1 / len(costs)
        if costs.any():
            part = _cost(placed, legs[leg : leg + 1])[0] / costs.sum()
        found.append(max(float(np.nan_to_num(value)), 0.0) * part)
    return np.array(found)


def _cost(placed: Layout, chosen: Ints) -> Floats:
    trades = placed.trades
    return trades.quantity[chosen] * trades.price[chosen] * trades.rate[chosen]


def _cash(placed: Layout, giver: int) -> float:
    """Return the cash that was received with what went, below 0 if it was paid."""
    trades = placed.trades
    same = trades.group == trades.group[giver]
    amount = trades.quantity * trades.price * trades.rate
    received = amount[same & is_one_of(trades.kind, SALES)].sum()
    return float(received - amount[same & is_one_of(trades.kind, PURCHASES)].sum())
