"""Our own CSV: what we write, and what a person makes in a spreadsheet."""

import csv
import difflib
import io
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from financeproj.core.money import strip_zeros
from integrations.statements.base import (
    FileProblem,
    Format,
    Options,
    Statement,
    StatementRow,
    Table,
    column_key,
)
from integrations.statements.checks import problems_of, unknown_currency
from integrations.statements.values import read_dates, read_numbers
from portfolios.calc.import_rows import RowProblem
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = (
    "date",
    "type",
    "ticker",
    "company_name",
    "quantity",
    "price",
    "currency",
    "commission",
    "exchange_rate",
    "note",
    "external_id",
)
REQUIRED = ("date", "type", "ticker", "quantity", "price")
# The fields of a StatementRow after its line, in their order.
VALUES = ("type", "date", "ticker", "quantity", "price", "commission", "exchange_rate", "currency")
NUMBERS = ("quantity", "price", "commission", "exchange_rate")
EXAMPLE = (
    "date,type,ticker,company_name,quantity,price,currency,commission,exchange_rate,note,external_id\r\n"
    "2024-03-01,buy,EQNR.OL,Equinor ASA,10,281.35,NOK,29,,,\r\n"
    "2024-05-15,dividend,EQNR.OL,,10,3.68,NOK,,,,\r\n"
)

# A spreadsheet takes a cell that begins so for a formula; an apostrophe before it says that it is
# text.
_ACTIVE = re.compile(r"\A'*+[=+\-@\t\r]")


def guarded(text: str) -> str:
    """`text` as a cell that no spreadsheet calculates; `unguarded` gives it back."""
    return f"'{text}" if _ACTIVE.match(text) else text


def unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _ACTIVE.match(cell) else cell


def recognises(table: Table) -> bool:
    return set(REQUIRED) <= {column_key(name) for name in table.header}


def read(table: Table, options: Options, *, name: str = "generic") -> Statement:
    """Raises FileProblem. Every fault of every row is reported, not only the first."""
    columns = _columns(table)
    table.require_rectangle()
    statement = Statement(name, table.encoding, table.delimiter)
    by_position = list(zip(*table.records, strict=True)) or [()] * len(table.header)
    statement.unread = [
        theirs.strip()
        for theirs, cells in zip(table.header, by_position, strict=True)
        if theirs.strip() and column_key(theirs) not in COLUMNS and any(map(str.strip, cells))
    ]
    absent = ("",) * len(table.records)
    cells = {name: by_position[columns[name]] if name in columns else absent for name in COLUMNS}

    numbers: dict[str, Any] = {"": None}
    distinct = {text for name in NUMBERS for text in cells[name]}
    numbers |= dict.fromkeys(distinct) | read_numbers(
        distinct, delimiter=table.delimiter, options=options
    )
    converted: dict[str, dict[str, Any]] = {
        "date": {"": None} | read_dates((text for text in cells["date"] if text.strip()), options),
        "type": {text: text.strip().casefold() for text in set(cells["type"])},
        "ticker": {text: _capitals(unguarded(text.strip())) for text in set(cells["ticker"])},
        "currency": {text: _currency(text.strip(), options) for text in set(cells["currency"])},
        "company_name": {text: unguarded(text.strip()) for text in set(cells["company_name"])},
    } | dict.fromkeys(NUMBERS, numbers)

    values = [map(converted[name].get, cells[name]) for name in (*VALUES, "company_name")]
    notes = map(unguarded, cells["note"])
    external_ids = (unguarded(text.strip()) or None for text in cells["external_id"])
    for index, fields in enumerate(zip(table.lines, *values, notes, external_ids, strict=True)):
        row = StatementRow(*fields)
        problems = problems_of(row)
        if problems:
            statement.failed += 1
            for problem in problems:
                column = problem.column or ""
                cell = cells[column][index] if column in columns else None
                statement.problems.append(problem.at(row.row, column, cell))
        else:
            statement.rows.append(row)
    return statement


def _columns(table: Table) -> dict[str, int]:
    """Column → its position. Raises FileProblem(unknown_format, duplicate_column)."""
    table.require_distinct_columns()
    positions = {column_key(name): position for position, name in enumerate(table.header)}
    if missing := [name for name in REQUIRED if name not in positions]:
        raise FileProblem("unknown_format", f"The header lacks {', '.join(missing)}.")
    # A misspelt optional column would lose its numbers without a word.
    for name in positions.keys() - set(COLUMNS):
        for near in difflib.get_close_matches(name, COLUMNS, n=1, cutoff=0.8):
            if near not in positions:
                raise FileProblem("unknown_format", f"The header has {name}: is {near} meant?")
    return {name: position for name, position in positions.items() if name in COLUMNS}


def _capitals(text: str) -> str:
    """In capitals, unless that makes other letters of it: SS of ß, I of the dotless ı."""
    return text.upper() if text.isascii() else text


def _currency(text: str, options: Options) -> str | RowProblem | None:
    if not text:
        return None
    # GBp and the like are hundredths, and prices here are in the major unit: never read one for the
    # other.
    if text[:2].isupper() and text[2:].islower():
        message = _(
            "%(currency)s is a hundredth of a currency. Give prices in the currency itself."
        )
        return RowProblem("unknown_currency", message, {"currency": text})
    code = _capitals(text)
    return code if options.is_currency(code) else unknown_currency(text)


def write(rows: Iterable[StatementRow]) -> Iterator[str]:
    """The lines of a generic CSV: comma, decimal point, ISO dates, CRLF. `read` gives back the same
    rows.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(
            [
                row.date.isoformat(),
                row.type,
                guarded(row.ticker),
                guarded(row.company_name),
                _digits(row.quantity),
                _digits(row.price),
                row.currency,
                _digits(row.commission),
                _digits(row.exchange_rate),
                guarded(row.note),
                guarded(row.external_id or ""),
            ]
        )
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _digits(value: Decimal | None) -> str:
    return "" if value is None else format(strip_zeros(value), "f")


FORMATS = (
    Format(
        name="generic",
        label="Generic CSV",
        columns=COLUMNS,
        example=EXAMPLE,
        recognises=recognises,
        read=read,
        reports_missing_columns=True,
    ),
)
