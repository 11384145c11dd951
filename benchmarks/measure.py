"""Measure time and memory of the current process."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def fastest_seconds(
    *functions: Callable[[], Any], at_least_seconds: float = 2.0, rounds: int = 7
) -> list[float]:
    """Return the seconds of the fastest run of each of `functions`, run in turns.

    The minimum is used because other work of the machine only adds time.
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
    """Return the peak memory of this process in MB.

    Reads /proc, because a new process inherits the maximum of getrusage from its parent.
    """
    status = Path("/proc/self/status").read_text()
    return (
        int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
        / 1024
    )
