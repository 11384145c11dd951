"""Put the problems of a file together for people: one for an instrument, one for a word."""

from collections.abc import Iterable

from msgspec import Struct

from portfolios.calc.import_rows import ImportRow, RowProblem, storable

ROWS_NAMED = 20
PROBLEMS_KEPT = 200
# A word whose meaning is not known, and an instrument that was not identified: the value says it.
UNKNOWN_WORD = "unknown_type"
UNRESOLVED = "unresolved"


class ProblemGroup(Struct):
    """Problems of several rows that have one answer.

    `first` is the first of them, `count` the number of rows, `rows` the first ROWS_NAMED lines.
    `instrument` and `group` are what the row of the first is about, if it could be read.
    """

    first: RowProblem
    instrument: str = ""
    group: str = ""
    sample: str = ""
    count: int = 0
    rows: list[int] = []
    last_row: int = 0

    def as_entry(self) -> dict[str, object]:
        """Return an entry of `ImportBatch.problems`."""
        entry = self.first.as_entry()
        del entry["row"]
        entry |= {"count": self.count, "rows": self.rows, "sample": storable(self.sample)}
        if self.instrument:
            entry["instrument"] = storable(self.instrument)
        if self.group:
            entry["group"] = storable(self.group)
        return entry


def group_problems(
    problems: Iterable[RowProblem], rows: Iterable[ImportRow]
) -> list[dict[str, object]]:
    """Return entries of `ImportBatch.problems` for all `problems` of a file, sorted by line.

    `rows` are the rows of the file that could be read.
    """
    known: dict[int, ImportRow] = {}
    groups: dict[tuple[str, ...], ProblemGroup] = {}
    for problem in problems:
        if not known:
            known = {row.row: row for row in rows}
        row = known.get(problem.row)
        instrument = _instrument_of(problem, row)
        key = _key_of(problem, instrument)
        group = groups.get(key)
        if group is None:
            group = groups[key] = ProblemGroup(problem, instrument, sample=problem.sample)
            if row is not None:
                group.group = row.group_label or row.group_kind
                group.sample = problem.sample or text_of(row)
        if group.count and group.last_row == problem.row:
            continue
        group.count += 1
        group.last_row = problem.row
        if len(group.rows) < ROWS_NAMED:
            group.rows.append(problem.row)
    return [group.as_entry() for group in list(groups.values())[:PROBLEMS_KEPT]]


def _instrument_of(problem: RowProblem, row: ImportRow | None) -> str:
    if problem.code == UNRESOLVED:
        return problem.value or ""
    return row.ticker if row is not None else ""


def _key_of(problem: RowProblem, instrument: str) -> tuple[str, ...]:
    """Return what problems with one answer have in common."""
    if instrument:
        return (problem.code, instrument)
    if problem.code == UNKNOWN_WORD:
        return (problem.code, problem.column or "", problem.value or "")
    return (problem.code, problem.column or "", problem.message)


def text_of(row: ImportRow) -> str:
    """Show a row whose text in the file is not at hand."""
    parts: list[object] = [row.date, row.type, row.ticker or row.company_name]
    if not row.is_money_alone:
        parts.append(f"{row.quantity:f}")
    if row.price is not None:
        parts.append(f"{row.price:f}")
    return " ".join(str(part) for part in parts if part)
