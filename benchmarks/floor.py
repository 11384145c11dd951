"""Calculate value, flows, average cost, TWR and XIRR on existing arrays: the floor of the
benchmarks.

The floor handles no gaps, splits, transfers or checks, has one column per weekday, and places flows
at the end of the day. It measures what NumPy can do, not the definitions.
"""

import itertools
from typing import Any

import numpy as np

from benchmarks.generate import SIZES, Generated, generate
from benchmarks.kinds import Kind
from benchmarks.measure import fastest_seconds

_CACHE_BYTES = 1 << 19


def arrays(data: Generated) -> dict[str, np.ndarray]:
    """The floor's input: transactions in chronological order, prices on weekdays."""
    trades = data.trades
    order = np.lexsort((trades.instrument, trades.day))
    return {
        "days": data.days,
        "price": data.close,
        "fx": data.rates,
        "currency": data.currency,
        "instrument": trades.instrument[order],
        "at": np.searchsorted(data.days, trades.day)[order].astype(np.int32),
        "kind": trades.kind[order],
        "quantity": trades.quantity[order],
        "paid": trades.price[order],
        "fee": trades.commission[order],
    }


def floor(a: dict[str, np.ndarray]) -> dict[str, Any]:
    price, fx, currency, at, instrument = (
        a["price"],
        a["fx"],
        a["currency"],
        a["at"],
        a["instrument"],
    )
    instruments, days = price.shape
    buys, sells = a["kind"] == Kind.BUY, a["kind"] == Kind.SELL
    gross, rate = a["quantity"] * a["paid"], fx[currency[instrument], at]
    cash = np.where(buys, gross + a["fee"], a["fee"] - gross) * rate
    shares = np.where(buys, a["quantity"], np.where(sells, -a["quantity"], 0.0))
    flow = np.bincount(at, cash, days)

    # The average cost is a linear recurrence per instrument, solved by doubling.
    moves = np.flatnonzero(buys | sells)
    order = moves[np.argsort(instrument[moves].astype(np.int16), kind="stable")]
    of, day, change, paid = instrument[order], at[order], shares[order], cash[order]
    begins = np.flatnonzero(np.diff(of, prepend=-1))
    total = np.cumsum(change)
    held = total - np.repeat((total - change)[begins], np.diff(begins, append=len(of)))
    grows = change > 0
    kept, cost = np.ones(len(of)), np.where(grows, paid, 0.0)
    np.divide(held, held - change, out=kept, where=~grows)
    kept[begins] = 0.0
    step = 1
    while step < len(of):
        cost[step:] += kept[step:] * cost[:-step]
        kept[step:] *= kept[:-step]
        step *= 2
        if not kept[step:].any():
            break
    cost_change = cost.copy()
    cost_change[1:] -= cost[:-1]
    cost_change[begins[1:]] += cost[begins[1:] - 1]
    dividends = a["kind"] == Kind.DIVIDEND
    realised = np.bincount(day, np.where(grows, 0.0, cost_change - paid), days)
    realised += np.bincount(at[dividends], -cash[dividends], days)

    # Values are calculated in blocks of holdings x days that fit in the CPU cache.
    rows = max(1, _CACHE_BYTES // (8 * days))
    edges = np.searchsorted(of, np.arange(0, instruments + rows, rows))
    value, buffer = np.zeros(days), np.empty((rows, days))
    for block, (start, stop) in enumerate(itertools.pairwise(edges)):
        first = block * rows
        count = min(rows, instruments - first)
        if start == stop:
            continue
        places = (of[start:stop] - first).astype(np.int64) * days + day[start:stop]
        steps = np.bincount(places, change[start:stop], count * days).reshape(count, days)
        worth = np.cumsum(steps, axis=1, out=buffer[:count])
        worth *= price[first : first + count]
        of_block = currency[first : first + count]
        for code in np.unique(of_block):
            value += (worth if (of_block == code).all() else worth[of_block == code]).sum(
                axis=0
            ) * fx[code]

    growth = np.ones(days)
    np.divide(value[1:] - flow[1:], value[:-1], out=growth[1:], where=value[:-1] > 0)
    return {
        "value": value,
        "flow": flow,
        "cost": np.cumsum(np.bincount(day, cost_change, days)),
        "realised": np.cumsum(realised),
        "twr": np.cumprod(growth),
        "xirr": xirr(a["days"], flow, value[-1]),
    }


def xirr(days: np.ndarray, flow: np.ndarray, end_value: float) -> float:
    """Solve for the rate with Newton's method on its logarithm, over flows netted per day."""
    chosen = flow != 0
    years, paid = (days[-1] - days[chosen]) / 365.0, flow[chosen]
    logarithm = float(np.log1p(0.1))
    for _ in range(50):
        grown = paid * np.exp(years * logarithm)
        step = (grown.sum() - end_value) / (years * grown).sum()
        logarithm -= step
        if abs(step) < 1e-13:
            break
    return float(np.expm1(logarithm))


def main() -> bool:
    """Print the speed of the floor, so that a slow one is visible. It has no limit."""
    for size in SIZES:
        data = generate(size)
        a = arrays(data)
        seconds, read = fastest_seconds(lambda a=a: floor(a), data.close.sum)
        print(f"floor_{size}: {seconds * 1e3:.2f} ms, {seconds / read:.0f} x price.sum()")
    return True


if __name__ == "__main__":
    main()
