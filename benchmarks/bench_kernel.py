"""Compare the full calculations on arrays with the floor, and measure growth with the size."""

import sys
from typing import Any

import numpy as np

from benchmarks.floor import arrays, floor
from benchmarks.floor import main as show_floor
from benchmarks.generate import SIZES, generate
from benchmarks.measure import fastest_seconds
from portfolios.calc import returns
from portfolios.calc.layout import Market, Trades
from portfolios.calc.performance import daily


def kernel(trades: Trades, market: Market) -> dict[str, Any]:
    """Calculate all figures of a timeline and of a performance answer."""
    numbers = daily(trades, market)
    of_day = returns.daily_returns(numbers)
    index = returns.twr_index(of_day)
    counted = returns.days_counted(numbers, market.first_day, weekends=False)
    return {
        "numbers": numbers,
        "twr": index[-1] / 100 - 1,
        "gain": numbers.value[-1] - numbers.value[0] - numbers.net_flow.sum(),
        "xirr": returns.money_weighted(numbers, market.first_day),
        "volatility": returns.volatility(of_day, counted, weekends=False),
        "drawdown": returns.max_drawdown(index),
    }


LIMIT = 2  # x floor, for M and L


def main() -> bool:
    """Print the floor's speed, the kernel's multiples of it and their growth.

    Return whether the limit holds.
    """
    show_floor()
    work, seconds, held = [], [], True
    for size in SIZES:
        data = generate(size)
        bare, market = arrays(data), data.market()
        ours, theirs = kernel(data.trades, market), floor(bare)
        assert np.isclose(ours["numbers"].value[-1], theirs["value"][-1], rtol=1e-9)
        assert np.isclose(ours["numbers"].cost_basis[-1], theirs["cost"][-1], rtol=1e-9)
        taken, lowest = fastest_seconds(
            lambda data=data, market=market: kernel(data.trades, market),
            lambda bare=bare: floor(bare),
        )
        work.append(market.close.size + 20 * len(data.trades))
        seconds.append(taken)
        limit = "" if size == "S" else f" (limit {LIMIT})"
        held = held and (size == "S" or taken / lowest <= LIMIT)
        print(f"kernel_{size}: {taken / lowest:.2f} x floor{limit}", flush=True)
    # Prices and transactions grow together. A price costs about a twentieth of a transaction.
    exponent = np.polyfit(np.log(work), np.log(seconds), 1)[0]
    print(f"kernel_growth: exponent {exponent:.2f} over S, M, L (1 is linear)")
    return held


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
