"""Read workbooks crafted to take all memory: each in a process of its own."""

import resource
import subprocess
import sys
import time
from contextlib import suppress

from benchmarks.bench_hostile_files import OPTIONS
from integrations.statements.base import FileProblem
from integrations.statements.registry import read_statement
from integrations.statements.tests.workbooks import MAIN, workbook, workbook_of

MEGABYTES = 60
SECONDS = 5


def _with_last_cell(reference: str) -> bytes:
    cells = f'<row r="1"><c r="A1"><v>1</v></c></row><row><c r="{reference}"><v>1</v></c></row>'
    return workbook_of(
        {"S": f'<worksheet xmlns="{MAIN}"><sheetData>{cells}</sheetData></worksheet>'}
    )


KINDS = {
    "last_row": lambda: _with_last_cell("Z1048576"),
    "last_column": lambda: _with_last_cell("XFD1048576"),
    "corner": lambda: _with_last_cell("IV200000"),
    "largest_area": lambda: _with_last_cell("E200000"),
    "bomb": lambda: workbook({"S": [["a"]]}, **{"xl/theme.xml": f"<a>{' ' * 24_000_000}</a>"}),
    "long_text": lambda: workbook({"S": [["a"], ["x" * 1_000_000]]}),
}


def measure(kind: str) -> None:
    """Print the megabytes and the seconds of CPU time that reading one workbook takes."""
    data = KINDS[kind]()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    with suppress(FileProblem):
        read_statement(data, OPTIONS)
    taken = time.process_time() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print((after - before) / 1024, taken)


def main() -> bool:
    """Print what each workbook takes. Return whether all stay below the limits."""
    held = True
    for kind in KINDS:
        command = [sys.executable, "-m", "benchmarks.bench_workbooks", kind]
        output = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        megabytes, seconds = map(float, output.split())
        held = held and megabytes <= MEGABYTES and seconds <= SECONDS
        print(
            f"workbook_{kind}: {megabytes:.0f} MB (limit {MEGABYTES}), {seconds:.2f} s "
            f"(limit {SECONDS})",
            flush=True,
        )
    return held


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1])
    else:
        sys.exit(0 if main() else 1)
