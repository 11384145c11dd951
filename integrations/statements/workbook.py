"""Cut the sheets of an Excel workbook (.xlsx) into cells of text, like those of a CSV file."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TypeAlias

from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum

from financeproj.core.money import strip_zeros
from integrations.statements.base import (
    MAX_BYTES,
    MAX_CELL,
    MAX_COLUMNS,
    WORKBOOK,
    FileProblem,
    FileTooLarge,
    Table,
)
from integrations.statements.totals import names_total
from integrations.statements.workbook_parts import CheckedWorkbook, check_workbook
from portfolios.calc.import_rows import RowProblem
from portfolios.calc.import_rows import gettext_noop as _

Value: TypeAlias = int | float | str | bool | time | date | datetime | timedelta

DIGITS = 15  # that a spreadsheet keeps of a number
_TOO_LONG = 10**DIGITS
# Text that is 1234 or 1.234, depending on who wrote it.
_OPEN_NUMBER = re.compile(r"[+-]?\d{1,3}[.,]\d{3}", re.ASCII)

NUMBER_AMONG_DATES = RowProblem(
    "invalid",
    _("This is a number in a column of dates. Format the cell as a date, or correct it."),
)
LOST_DIGITS = RowProblem(
    "invalid",
    _(
        "A spreadsheet keeps 15 digits of a number, so the end of this one is lost. Import the "
        "file as it was downloaded."
    ),
)
OPEN_NUMBER = RowProblem(
    "ambiguous_numbers",
    _(
        "This number is written as text and could have a thousands separator or a decimal one. "
        "Set decimal=point or comma."
    ),
)


def is_workbook(data: bytes) -> bool:
    """Return whether a file begins like a workbook; it may be another archive."""
    return data.startswith(b"PK\x03\x04")


def read_workbook(data: bytes, *, decimal: str | None, sheet: str | None = None) -> list[Table]:
    """Return the sheets that have a header, or the one named `sheet`. Raises FileProblem.

    Numbers are written with the decimal separator `decimal` (point, comma), and dates as
    2024-12-31.
    """
    if len(data) > MAX_BYTES:
        raise FileTooLarge(f"Files are limited to {MAX_BYTES // 1_000_000} MB.")
    checked = check_workbook(data)
    try:
        workbook = CalamineWorkbook.from_filelike(checked.content)
        return list(_tables(workbook, checked, decimal, sheet))
    except FileProblem:
        raise
    except BaseException as error:
        # A fault within the library is not an Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        message = "The workbook could not be read. Save it as CSV."
        raise FileProblem("unreadable_file", message) from error


def values_of_sheet(data: bytes, sheet: str) -> Iterator[tuple[int, Sequence[Value]]]:
    """Yield the rows of a sheet that was read before, each with its number, as values.

    Empty rows, and empty cells at the end of a row, are left out.
    """
    workbook = CalamineWorkbook.from_filelike(check_workbook(data).content)
    for number, values in _rows_of(workbook.get_sheet_by_name(sheet)):
        row = list(values)
        while row and not str(row[-1]).strip():
            row.pop()
        if row:
            yield number, row


def _tables(
    workbook: CalamineWorkbook, checked: CheckedWorkbook, decimal: str | None, sheet: str | None
) -> Iterator[Table]:
    with_cells = [one for one in workbook.sheets_metadata if one.typ == SheetTypeEnum.WorkSheet]
    names = [one.name for one in with_cells if sheet in (None, one.name)]
    if sheet is not None and not names:
        listed = ", ".join(workbook.sheet_names[:20])
        message = f"The workbook has no sheet {sheet[:100]}. It has {listed}."
        raise FileProblem("unknown_sheet", message, sheets=[one.name for one in with_cells])
    for name in names:
        sums = checked.sums.get(name, {})
        fault = checked.faults.get(name) or _unfinished(workbook.get_sheet_by_name(name), sums)
        if fault:
            readable = [one.name for one in with_cells if one.name not in {*checked.faults, name}]
            message = _in_sheet(fault, name, workbook)
            raise FileProblem("unreadable_file", message, sheets=readable)
    found = 0
    for name in names:
        table = _SheetReader(workbook.get_sheet_by_name(name), decimal).table()
        if table is not None:
            found += 1
            yield table
    if not found:
        message = "The workbook has no header. Export it with column names."
        raise FileProblem("empty_file", message)


def _unfinished(sheet: CalamineSheet, sums: Mapping[int, str]) -> str:
    """Return why a sheet cannot be read, empty if it can.

    `sums` are its lines that have sums without a result. In a line of totals they do no harm.
    """
    if sums:
        for line, values in _rows_of(sheet):
            if line in sums and not _is_totals(values):
                return sums[line]
    return ""


def _is_totals(values: Sequence[Value]) -> bool:
    """Return whether a line has nothing but a word for a total, and numbers after it."""
    filled = [value for value in values if value != ""]
    if not filled:
        return True
    first, *others = filled
    if not isinstance(first, str) or not names_total(first):
        return False
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in others)


def _in_sheet(fault: str, name: str, workbook: CalamineWorkbook) -> str:
    if len(workbook.sheet_names) == 1:
        return fault
    return (
        f"Sheet {name[:100]}: {fault} Or name the sheet to read with "
        'mapping={"sheet": "its name"}.'
    )


@dataclass(slots=True)
class _Column:
    """What the cells of a column are."""

    dates: int = 0
    numbers: int = 0


class _SheetReader:
    """Turn the cells of one sheet into text, and note those that cannot be relied on."""

    def __init__(self, sheet: CalamineSheet, decimal: str | None) -> None:
        self._sheet = sheet
        self._decimal = decimal
        self._columns: dict[int, _Column] = {}
        self._has_fractions = False
        self._refused: dict[int, tuple[int, str, RowProblem]] = {}

    def table(self) -> Table | None:
        """Return the table below the first row that is not empty; None for an empty sheet."""
        self._survey()
        header: list[str] | None = None
        header_line = 0
        lines: list[int] = []
        records: list[list[str]] = []
        for line, values in _rows_of(self._sheet):
            record = self._record(line, values)
            if not record:
                continue
            if header is None:
                header, header_line = record, line
                continue
            lines.append(line)
            records.append(record)
        if header is None:
            return None
        if sum(map(bool, header)) > MAX_COLUMNS:
            message = f"The header has more than {MAX_COLUMNS} columns."
            raise FileProblem("unreadable_file", message)
        return Table(
            WORKBOOK,
            "",
            header_line,
            header,
            lines,
            records,
            sheet=self._sheet.name,
            has_fractions=self._has_fractions,
            refused=self._refused,
        )

    def _survey(self) -> None:
        """Count the dates and numbers of each column."""
        for _line, values in _rows_of(self._sheet):
            for position, value in enumerate(values):
                if isinstance(value, str | bool):
                    continue
                column = self._columns.setdefault(position, _Column())
                if isinstance(value, date):
                    column.dates += 1
                elif isinstance(value, int | float):
                    column.numbers += 1
                    self._has_fractions |= value % 1 != 0

    def _record(self, line: int, values: Iterable[Value]) -> list[str]:
        """Return the cells of a row as text, without the empty ones at its end."""
        record: list[str] = []
        for position, value in enumerate(values):
            text = self._text(value)
            record.append(text)
            problem = self._problem(position, value)
            if problem is not None:
                self._refused.setdefault(line, (position, text, problem))
        while record and not record[-1].strip():
            record.pop()
        return record

    def _text(self, value: Value) -> str:
        if isinstance(value, str):
            return value if len(value) <= MAX_CELL else value[:MAX_CELL] + "…"
        if isinstance(value, bool):
            return str(value).upper()
        if isinstance(value, int | float):
            text = number_text(value)
            return text.replace(".", ",") if self._decimal == "comma" else text
        if isinstance(value, datetime) and value.time() == time.min:
            return value.date().isoformat()
        return str(value)

    def _problem(self, position: int, value: Value) -> RowProblem | None:
        """Return why the value of a cell cannot be relied on."""
        column = self._columns.get(position)
        if column is None or isinstance(value, bool):
            return None
        if isinstance(value, int | float):
            if column.dates > column.numbers:
                return NUMBER_AMONG_DATES
            return LOST_DIGITS if abs(value) >= _TOO_LONG else None
        is_open = isinstance(value, str) and _OPEN_NUMBER.fullmatch(value.strip())
        if is_open and column.numbers and self._has_fractions and self._decimal is None:
            return OPEN_NUMBER
        return None


def _rows_of(sheet: CalamineSheet) -> Iterator[tuple[int, Sequence[Value]]]:
    """Yield the number of each row, 1 for the first of the sheet, and its values."""
    start = sheet.start
    if start is None:
        return
    before: list[Value] = [""] * start[1]
    # The rows begin with the first of the sheet, but their cells with the first that is filled.
    for line, values in enumerate(sheet.iter_rows(), start=1):
        yield line, before + values


def number_text(value: float) -> str:
    """Return the digits that a spreadsheet keeps of a number, without an exponent."""
    if abs(value) >= _TOO_LONG:
        return format(value, ".0f")
    if value % 1 == 0:
        return str(int(value))
    shortest = repr(value)
    if len(shortest) <= DIGITS and "e" not in shortest:
        return shortest
    number = Decimal(format(value, f".{DIGITS}g"))
    return format(strip_zeros(number), "f")
