"""A row of a broker's file, whose cells are found by column, and the errors of one."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from financeproj.core.money import ZERO
from integrations.statements.base import Options
from integrations.statements.checks import REQUIRED
from integrations.statements.values import checked_day
from portfolios.calc.import_rows import RowProblem
from portfolios.calc.import_rows import gettext_noop as _

WRONG_DATE_FORM = RowProblem(
    "invalid",
    _(
        "This broker writes dates differently. If a spreadsheet changed this one, import the file "
        "as it was downloaded."
    ),
)
UNPAIRED = "unpaired_reversal"
UNSUPPORTED = _("Options, futures and CFDs are not imported, only shares, funds and bonds.")


class Cells(Protocol):
    """How the cells of a file are read: where each column stands, and what a text means."""

    columns: Mapping[str, int]
    read_day: Callable[[str], date | None]
    options: Options

    def number(self, text: str) -> Decimal | RowProblem: ...


REVERSES = _(
    "This row reverses all or part of an earlier one that is not in this file. Delete or correct "
    "that transaction, then import again and skip this row."
)


class BadRow(Exception):
    """This row cannot be used; `problem` says why.

    `reversal` is what the row that it reverses had, if it reverses one.
    """

    def __init__(self, problem: RowProblem, reversal: dict[str, Any] | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.reversal = reversal


def bad_row(column: str | None, value: Any, code: str, message: str, **params: Any) -> BadRow:
    """Make the error of the row that is being read; `message` has placeholders for `params`."""
    texts = {name: str(param) for name, param in params.items()}
    return BadRow(RowProblem(code, message, texts).at(0, column, value))


def unsupported_instrument(column: str, text: str) -> BadRow:
    return bad_row(column, text, "unsupported_instrument", UNSUPPORTED)


def unpaired_reversal(column: str, amount: Decimal, **reversal: Any) -> BadRow:
    """Make the error of a row that reverses another, or a part of it, which is not in the file.

    `reversal` are the fields of that row; left out, `Sheet.for_words` says where they stand.
    """
    error = bad_row(column, amount, UNPAIRED, REVERSES)
    return BadRow(error.problem, reversal or None)


class RawRow:
    """One row of the file. `raw["Kurs"]` is the stripped text, empty if the column is missing."""

    __slots__ = ("_sheet", "cells", "line")

    def __init__(self, sheet: Cells, line: int, cells: list[str]) -> None:
        self._sheet, self.line, self.cells = sheet, line, cells

    def __getitem__(self, column: str) -> str:
        position = self._sheet.columns.get(column)
        if position is None or position >= len(self.cells):
            return ""
        return self.cells[position].strip()

    def number(self, column: str) -> Decimal | None:
        """Return the number, None for an empty cell. Raises BadRow if it is not a number."""
        text = self[column]
        if not text:
            return None
        value = self._sheet.number(text)
        if isinstance(value, RowProblem):
            raise BadRow(value.at(0, column, text))
        return value

    def required_number(self, column: str) -> Decimal:
        """Return the number. Raises BadRow if the cell is empty or not a number."""
        value = self.number(column)
        if value is None:
            raise BadRow(REQUIRED.at(0, column, None))
        return value

    def number_or_zero(self, column: str) -> Decimal:
        """Return the number, 0 for an empty cell. Raises BadRow if it is not a number."""
        return self.number(column) or ZERO

    def day(self, column: str) -> date:
        """Return the day. Raises BadRow if it is missing or may not stand in a statement."""
        text = self[column]
        if not text:
            raise BadRow(REQUIRED.at(0, column, None))
        read = self._sheet.read_day(text)
        if read is None:
            raise BadRow(WRONG_DATE_FORM.at(0, column, text))
        found = checked_day(read, self._sheet.options)
        if isinstance(found, RowProblem):
            raise BadRow(found.at(0, column, text))
        return found
