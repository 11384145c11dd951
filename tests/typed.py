"""The limit for expressions of the type Any, which `make check` holds.

Its argument is the folder that mypy's `--any-exprs-report` wrote.
"""

import sys
from pathlib import Path

LIMIT = 4  # per cent


def main(folder: Path) -> str | None:
    """Return what is wrong with the report, if anything."""
    total = (folder / "any-exprs.txt").read_text().strip().splitlines()[-1]
    _, any_count, count, _ = total.split()
    share = 100 * int(any_count) / int(count)
    sys.stdout.write(f"{share:.2f} % of {count} expressions are Any.\n")
    return None if share < LIMIT else f"Less than {LIMIT} % may be. The report has every module's."


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
