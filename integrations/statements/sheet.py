"""Read a broker's file row by row: find cells by column, and add, ignore or refuse each row."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.base import Options, Statement, StatementRow, Table
from integrations.statements.checks import REQUIRED, problems_of, unknown_currency
from integrations.statements.values import checked_day, read_numbers
from portfolios.calc.import_rows import RowProblem
from portfolios.calc.import_rows import gettext_noop as _

WRONG_DATE_FORM = RowProblem(
    "invalid",
    _(
        "This broker writes dates differently. If a spreadsheet changed this one, import the file "
        "as it was downloaded."
    ),
)


class BadRow(Exception):
    """This row cannot be used; `problem` says why."""

    def __init__(self, problem: RowProblem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def bad_row(column: str | None, value: Any, code: str, message: str, **params: Any) -> BadRow:
    """Make the error of the row that is being read; `message` has placeholders for `params`."""
    texts = {name: str(param) for name, param in params.items()}
    return BadRow(RowProblem(code, message, texts).at(0, column, value))


def unpaired_reversal(column: str, amount: Decimal) -> BadRow:
    """Make the error of a row that reverses another, or a part of it, which is not in the file."""
    message = _(
        "This row reverses all or part of an earlier one that is not in this file. Delete or "
        "correct that transaction, then import again and skip this row."
    )
    return bad_row(column, amount, "unpaired_reversal", message)


class RawRow:
    """One row of the file. `raw["Kurs"]` is the stripped text, empty if the column is missing."""

    __slots__ = ("_sheet", "cells", "line")

    def __init__(self, sheet: "Sheet", line: int, cells: list[str]) -> None:
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


class Sheet:
    """A broker's file. Iterating gives its rows.

    Each row is added, ignored or refused within `collect_problem`.
    """

    def __init__(
        self,
        format_name: str,
        table: Table,
        options: Options,
        *,
        read_day: Callable[[str], date | None],
        decimal: str | None = None,
        columns: Mapping[str, int] | None = None,
        numbers: Iterable[str] = (),
    ) -> None:
        """Prepare the rows and read all numbers of the columns `numbers`.

        `decimal` is the broker's decimal separator: point or comma. Left out, the broker is known
        to mix them: each number is read in the only way possible, or else in the style of the file.
        """
        self.statement = Statement(format_name, table.encoding, table.delimiter)
        self.options = options
        self.read_day = read_day
        self.columns = columns or _first_positions(table.header)
        self.rows: list[RawRow] = []
        for line, cells in zip(table.lines, table.records, strict=True):
            self.rows.append(RawRow(self, line, cells))
        self._labels: dict[str, str] = {}
        for name, position in self.columns.items():
            self._labels[name] = table.header[position].strip()
        self._delimiter = table.delimiter
        self._options = replace(options, decimal=options.decimal or decimal)
        self._is_mixed = decimal is None
        self._numbers = self._read({raw[column] for raw in self.rows for column in numbers})

    def __iter__(self) -> Iterator[RawRow]:
        return iter(self.rows)

    def set_account(self, column: str) -> None:
        """Set the account of the statement, unless the rows are of several accounts."""
        accounts = {raw[column] for raw in self.rows} - {""}
        if len(accounts) == 1:
            self.statement.account = accounts.pop()

    def sort_oldest_first(self, *columns: str) -> list[RawRow]:
        """Sort the rows by the day in the first of `columns`, then by the text in the others.

        Brokers put the newest row first, also within a day. A file in the opposite order keeps it.
        """
        day_column, *text_columns = columns

        def sort_key(raw: RawRow) -> tuple[date | str, ...]:
            texts = [raw[column] for column in text_columns]
            return (self._day_or_earliest(raw, day_column), *texts)

        if not self._is_oldest_first(day_column):
            self.rows.reverse()
        self.rows.sort(key=sort_key)
        return self.rows

    def _is_oldest_first(self, day_column: str) -> bool:
        if not self.rows:
            return False
        first = self._day_or_earliest(self.rows[0], day_column)
        return first < self._day_or_earliest(self.rows[-1], day_column)

    def _day_or_earliest(self, raw: RawRow, column: str) -> date:
        return self.read_day(raw[column]) or date.min

    def number(self, text: str) -> Decimal | RowProblem:
        """Return the number in a text that is not empty, or what is wrong with it."""
        if text not in self._numbers:
            self._numbers |= self._read([text])
        return self._numbers[text]

    def _read(self, texts: Iterable[str]) -> dict[str, Decimal | RowProblem]:
        return read_numbers(
            texts, delimiter=self._delimiter, options=self._options, mixed=self._is_mixed
        )

    @contextmanager
    def collect_problem(self, raw: RawRow) -> Iterator[None]:
        """Turn a BadRow into a problem of `raw`."""
        try:
            yield
        except BadRow as error:
            problem = error.problem
            column = self._labels.get(problem.column or "") or problem.column
            self.statement.failed += 1
            self.statement.problems.append(problem.at(raw.line, column, problem.value))

    def add(self, raw: RawRow, **fields: Any) -> StatementRow | None:
        """Add a transaction. Returns None, and reports the problems, if it has any."""
        made = StatementRow(row=raw.line, **{"ticker": ""} | fields)
        problems = problems_of(made)
        for name in ("quantity", "price", "commission", "exchange_rate"):
            value = getattr(made, name)
            if isinstance(value, Decimal) and (problem := self.options.number_problem(value)):
                problems.append(problem.at(made.row, name, value))
        for name in ("currency", "price_in", "commission_in", "rate_currency"):
            code = getattr(made, name)
            if code and not self.options.is_currency(code):
                problems.append(unknown_currency(code).at(made.row, name, code))
        if not problems:
            self.statement.rows.append(made)
            return made
        self.statement.failed += 1
        self.statement.problems += problems
        return None

    def add_net(
        self, raw: RawRow, *, commission: Decimal, commission_in: str | None = None, **fields: Any
    ) -> None:
        """Add a transaction whose commission may be negative, as with a tax refund or a rebate.

        A recorded commission is 0 or more. What was paid back beyond it becomes `interest` of the
        instrument, with an id of its own.
        """
        if commission >= 0:
            self.add(raw, commission=commission, commission_in=commission_in, **fields)
            return
        if self.add(raw, commission=ZERO, **fields) is None:
            return
        trade_id = fields.get("external_id")
        repaid = {
            "type": "interest",
            "quantity": ONE,
            "price": -commission,
            "price_in": commission_in,
            "external_id": trade_id and f"{trade_id}:back",
            "note": "More was paid back than charged.",
        }
        self.add(raw, **fields | repaid)

    def ignore(self, raw: RawRow, kind: str, amount: Decimal = ZERO, currency: str = "") -> None:
        """Count a row that concerns cash alone, or that the broker reversed."""
        self.statement.ignored += 1
        key = (kind[:100].replace("\x00", ""), currency[:20].replace("\x00", ""))
        count, total = self.statement.ignored_sums.get(key, (0, ZERO))
        self.statement.ignored_sums[key] = (count + 1, EXACT.add(total, amount))

    def ignore_reversed(self, raw: RawRow, kind: str, *external_ids: str) -> None:
        """Ignore a row that the broker reversed.

        Keeps its ids: an earlier file may have had the row before it was reversed.
        """
        self.ignore(raw, kind)
        for external_id in external_ids:
            # PostgreSQL refuses a query with a null character, and no such id was ever recorded.
            if external_id and "\x00" not in external_id:
                self.statement.reversed_ids[external_id] = raw.line

    def unknown_type(self, column: str, text: str) -> BadRow:
        """Make the error of a row whose type is not known."""
        if not text:
            return bad_row(
                column, text, "unknown_type", _("The type is empty. Fill it in, or skip this row.")
            )
        message = _(
            "%(type)s is not a known type of this format. Enter the transaction by hand and skip "
            "this row."
        )
        return bad_row(column, text, "unknown_type", message, type=text)


def _first_positions(header: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for position, name in enumerate(header):
        found.setdefault(name.strip(), position)
    return found


def has_columns(*names: str) -> Callable[[Table], bool]:
    """Return a test of whether a table's header has all of `names`."""
    required = frozenset(names)

    def recognises(table: Table) -> bool:
        return required <= {name.strip() for name in table.header}

    return recognises
