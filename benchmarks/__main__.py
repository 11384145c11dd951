"""Run all benchmarks (`make bench`). Each figure is a ratio measured within this run.

Exits with 1 if a limit is exceeded. Each module prints lines `name: R x what (limit L)` and returns
whether all its limits hold.
"""

import sys
from importlib import import_module
from pathlib import Path


def main() -> int:
    wanted = sys.argv[1:] or sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    held = [import_module(f"benchmarks.{name}").main() for name in wanted]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
