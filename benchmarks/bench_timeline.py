"""Measure timelines over REST on SQLite and, if DATABASE_URL names one, on PostgreSQL."""

import json
import math
import os
import subprocess
import sys

SIZES = ("S", "M", "L")
LIMITS = {("M", "warm"): 12, ("L", "warm"): 6, ("M", "cold"): 40}
HOLDINGS_LIMIT = 4
CASH_LIMIT = 1.5
MEMORY_LIMIT_MB = 400
# Instruments x weekdays + the cost of the transactions in the same unit: S, L.
WORK = {"S": 20 * 783 + 20 * 500, "L": 500 * 5220 + 20 * 100_000}


def main() -> bool:
    """Print a line per figure and database. Return whether all are within their limits."""
    own = os.environ.get("DATABASE_URL", "")
    databases = {"sqlite": ""} | ({"postgresql": own} if own.startswith("postgres") else {})
    held = [_measured_on(name, url) for name, url in databases.items()]
    return all(held)


def _measured_on(name: str, url: str) -> bool:
    found = {size: _measured(size, url) for size in SIZES}
    for (size, way), limit in LIMITS.items():
        print(f"timeline_{size}_{way}: {found[size][way]:.1f} x floor (limit {limit}) on {name}")
    growth = math.log(found["L"]["seconds"] / found["S"]["seconds"]) / math.log(
        WORK["L"] / WORK["S"]
    )
    print(f"timeline_growth: exponent {growth:.2f} from S to L (1 is linear) on {name}")
    holdings, megabytes = found["M"]["holdings"], found["L"]["megabytes"]
    print(
        f"holdings_M: {holdings:.1f} x an empty authenticated view "
        f"(limit {HOLDINGS_LIMIT}) on {name}"
    )
    with_cash = found["M"]["with_cash"]
    print(f"timeline_M_with_cash: {with_cash:.2f} x without (limit {CASH_LIMIT}) on {name}")
    print(f"peak_rss_L: {megabytes:.0f} MB (limit {MEMORY_LIMIT_MB}) on {name}")
    held = all(found[size][way] <= limit for (size, way), limit in LIMITS.items())
    held = held and with_cash <= CASH_LIMIT
    return held and holdings <= HOLDINGS_LIMIT and megabytes <= MEMORY_LIMIT_MB


def _measured(size: str, url: str) -> dict[str, float]:
    """Run in a separate process on a temporary database on the server of `url` (none: SQLite)."""
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "REDIS_URL": "",
        "LOG_LEVEL": "ERROR",
        "THROTTLE_USER": "1000000/min",
        "DJANGO_SETTINGS_MODULE": "financeproj.settings",
    }
    command = [sys.executable, "-m", "benchmarks.timeline", size]
    printed = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=environment
    ).stdout
    found: dict[str, float] = json.loads(printed.splitlines()[-1])
    return found


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
