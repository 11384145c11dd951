"""Read files crafted to be slow: ten times the size may take at most twelve times as long."""

import gc
import sys
import time
from contextlib import suppress
from datetime import date
from itertools import pairwise

from financeproj.core.currencies import is_currency
from integrations.statements.base import FileProblem, Options
from integrations.statements.registry import read_statement
from integrations.statements.tests.hostile import KINDS

SIZES = (100_000, 1_000_000, 10_000_000)
LIMIT = 12  # x the time of the previous file
SHORT_SECONDS = 0.25  # any file may take this long, whatever the smaller ones take
ATTEMPTS = 5
OPTIONS = Options(
    today=date(2025, 6, 30), number_problem=lambda value: None, is_currency=is_currency
)


def seconds_for(data: bytes) -> float:
    """Return the CPU time of this process for reading the file once, in seconds."""
    start = time.process_time()
    with suppress(FileProblem):  # refusing a file must be as fast
        read_statement(data, OPTIONS)
    return time.process_time() - start


def main() -> bool:
    """Print how the time of each kind grows. Return whether all grow linearly."""
    gc.disable()  # The garbage collector's time depends on the other objects in the process.
    held = True
    for kind, make in KINDS.items():
        files = [make(size) for size in SIZES]
        fastest = [float("inf")] * len(files)
        for _ in range(ATTEMPTS):
            for index, data in enumerate(files):
                fastest[index] = min(fastest[index], seconds_for(data))
            pairs = list(pairwise(fastest))
            is_linear = all(after <= max(SHORT_SECONDS, LIMIT * before) for before, after in pairs)
            if is_linear:
                break
        held = held and is_linear
        ratios = " ".join(f"{after / before:.1f}" for before, after in pairs)
        print(
            f"hostile_{kind}: {ratios} x the time for ten times the size (limit {LIMIT}),"
            f" 10 MB in {fastest[-1]:.2f} s",
            flush=True,
        )
    return held


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
