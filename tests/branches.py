"""The floor for branches alone, with which `COVERAGE=1 make test` ends.

`fail_under` of coverage counts them together with lines.
"""

import json
import sys
from pathlib import Path

FLOOR = 90  # per cent


def main(report: Path) -> str | None:
    """Return the problem with coverage's JSON report, if any."""
    totals = json.loads(report.read_text())["totals"]
    share = 100 * totals["covered_branches"] / totals["num_branches"]
    sys.stdout.write(f"{share:.2f} % of {totals['num_branches']} branches are covered.\n")
    return None if share >= FLOOR else f"At least {FLOOR} % must be."


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
