"""Failed rows as a file of their own: in the layout of their file, with a column that says why.

The file is read like any other. What its rows mean can depend on others, such as the fee of an
order, so it is read before it is given away, and has more rows where it must.
"""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from msgspec.structs import replace
from xlsxwriter.exceptions import InvalidWorksheetName

from financeproj.core.errors import DomainError
from integrations.statements import generic
from integrations.statements.base import REASONS, WORKBOOK, Statement
from integrations.statements.detect import read_table
from integrations.statements.workbook import Value, values_of_sheet
from integrations.statements.workbook_writing import write_workbook

# Rows that share a cell such as the number of an order belong together.
LONG_ENOUGH = 6  # characters of such a cell
MOST_SHARING = (3, 20)  # rows
_LINE_END = re.compile(r"\r\n|\r|\n")

# What a line became: its rows, problems, or that it is ignored.
Meanings: TypeAlias = dict[int, list[object]]


class NoExcerpt(Exception):
    """The failed rows of this file mean something else without the others."""


class _Line(NamedTuple):
    number: int
    cells: Sequence[Value]


def excerpt(
    data: bytes, whole: Statement, reasons: Mapping[int, str], read: Callable[[bytes], Statement]
) -> bytes:
    """Return a file of the lines that have `reasons`, with what they need to mean the same.

    `whole` is what was read of `data`; `read` reads another file in the same way. A text file is
    in UTF-8. Raises NoExcerpt.
    """
    if whole.encoding != WORKBOOK and not whole.delimiter:
        raise NoExcerpt
    lines = _lines(data, whole)
    meanings = _meanings(whole)
    for wanted in _choices(lines, whole, reasons.keys(), meanings.keys()):
        chosen = [line for line in lines if line.number in wanted]
        content = _written(chosen, whole, reasons)
        try:
            again = _meanings(read(content))
        except DomainError:
            continue
        expected = [meanings[line.number] for line in chosen if line.number in meanings]
        if expected == [again[number] for number in sorted(again)]:
            return content
    raise NoExcerpt


def _lines(data: bytes, whole: Statement) -> list[_Line]:
    """Return all lines of the file, or of the sheet that was read, that are not empty."""
    if whole.encoding == WORKBOOK:
        return [_Line(*row) for row in values_of_sheet(data, whole.sheet)]
    table = read_table(data).without_reasons()
    records = zip(table.lines, table.records, strict=True)
    return [_Line(table.header_line, table.header), *(_Line(*record) for record in records)]


def _meanings(statement: Statement) -> Meanings:
    meanings: Meanings = defaultdict(list)
    for row in (*statement.rows, *statement.reversals):
        # The names of groups have line numbers in them.
        meanings[row.row].append(replace(row, row=0, group=row.group_kind))
    for problem in statement.problems:
        meanings[problem.row].append((problem.code, problem.column, problem.value))
    for number in statement.ignored_lines:
        meanings[number].append("ignored")
    return meanings


def _choices(
    lines: Sequence[_Line], whole: Statement, failed: Collection[int], known: Collection[int]
) -> Iterator[set[int]]:
    """Yield the lines to try: those that failed, with lines that are not rows, with those that
    share a cell with them, and all.
    """
    head = {line.number for line in lines if line.number <= whole.header_line}
    numbers = {line.number for line in lines}
    yield head.union(failed)
    yield numbers.difference(known).union(failed)
    for most in MOST_SHARING:
        yield head | _sharing(lines, failed, most)
    yield numbers


def _sharing(lines: Sequence[_Line], failed: Collection[int], most: int) -> set[int]:
    """Return `failed` with the lines that share a cell that `most` have, or fewer."""
    sharing: dict[str, set[int]] = defaultdict(set)
    for line in lines:
        for cell in line.cells:
            text = str(cell).strip()
            if len(text) >= LONG_ENOUGH:
                sharing[text].add(line.number)
    found = set(failed)
    for numbers in sharing.values():
        if len(numbers) <= most and not numbers.isdisjoint(failed):
            found |= numbers
    return found


def _written(lines: Sequence[_Line], whole: Statement, reasons: Mapping[int, str]) -> bytes:
    """Write lines with the column of reasons, which comes after the longest."""
    width = max(len(line.cells) for line in lines)
    rows: list[_Line] = []
    for number, cells in lines:
        if number == whole.header_line:
            cells = [*cells, *[REASONS] * (width + 1 - len(cells))]
        elif number in reasons:
            padding = [""] * (width - len(cells))
            cells = [*cells, *padding, generic.guarded(reasons[number])]
        rows.append(_Line(number, cells))
    if whole.encoding == WORKBOOK:
        try:
            return write_workbook(whole.sheet, _numbered(rows, whole.header_line))
        except InvalidWorksheetName as error:
            raise NoExcerpt from error
    return _text(rows, whole)


def _numbered(rows: Sequence[_Line], header_line: int) -> Iterator[_Line]:
    """Number the rows again from below the header, whose place a request may name."""
    number = 0
    for row in rows:
        number = row.number if row.number <= header_line else number + 1
        yield _Line(number, row.cells)


def _text(rows: Sequence[_Line], whole: Statement) -> bytes:
    """Write lines of text; empty ones above the header stay."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=whole.delimiter)
    for row in rows:
        if row.number <= whole.header_line:
            ended = len(_LINE_END.findall(buffer.getvalue()))
            buffer.write("\r\n" * (row.number - 1 - ended))
        writer.writerow(row.cells)
    return buffer.getvalue().encode("utf-8-sig")
