"""What a benchmark measures of its own process."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def fastest_seconds(
    *functions: Callable[[], Any], at_least_seconds: float = 2.0, rounds: int = 7
) -> list[float]:
    """Seconds of the fastest run of each of `functions`, run in turns: what else the machine does
    only adds.
    """
    fastest = [float("inf")] * len(functions)
    begun, done = time.perf_counter(), 0
    while done <= rounds or time.perf_counter() - begun < at_least_seconds:
        for index, function in enumerate(functions):
            start = time.perf_counter()
            function()
            fastest[index] = min(fastest[index], time.perf_counter() - start)
        done += 1
    return fastest


def peak_megabytes() -> float:
    """The most memory this process has held since it began.

    From /proc rather than getrusage, whose maximum a new process inherits from whoever started it.
    """
    status = Path("/proc/self/status").read_text()
    return (
        int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
        / 1024
    )
