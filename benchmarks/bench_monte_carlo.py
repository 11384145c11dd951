"""Compare the Monte Carlo projection with drawing its random numbers alone."""

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measure import peak_megabytes
from pensions.calc.projection import Pot, level_contributions, simulate

PATHS, MONTHS = 10_000, 480
LIMIT = 4
MEMORY_LIMIT_MB = 400


def fastest(function: Callable[[], Any], rounds: int = 5) -> float:
    """Return the seconds of the fastest round, which the machine disturbed least."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def draw() -> None:
    np.random.default_rng(1).standard_normal((PATHS, MONTHS)).cumsum(axis=1)


def simulation(paths: int = PATHS) -> None:
    simulate([Pot(1e6, 0.05, 0.15)], level_contributions(5000, 0.02, MONTHS), paths=paths, seed=1)


def main() -> bool:
    """Print the ratio and the memory of a separate process.

    Return whether both are within their limits.
    """
    ratio = fastest(simulation) / fastest(draw)
    print(f"monte_carlo: {ratio:.2f} x draw (limit {LIMIT})", flush=True)
    measured = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench_monte_carlo", "memory"], check=False
    )
    return ratio <= LIMIT and measured.returncode == 0


def memory() -> bool:
    """Print the peak memory of this process after simulating 100,000 paths.

    Return whether it is within the limit.
    """
    simulation(100_000)
    peak = peak_megabytes()
    print(f"monte_carlo memory: {peak:.0f} MB at 100,000 paths (limit {MEMORY_LIMIT_MB})")
    return peak <= MEMORY_LIMIT_MB


if __name__ == "__main__":
    sys.exit(not (memory() if sys.argv[1:] == ["memory"] else main()))
