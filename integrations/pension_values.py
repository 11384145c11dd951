"""Read pension values from a CSV with the columns `date` and `value`."""

from datetime import date
from decimal import Decimal

from integrations.statements.base import FileProblem, Options, column_key
from integrations.statements.detect import read_table
from integrations.statements.values import read_dates, read_numbers
from portfolios.calc.import_rows import RowProblem
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = ("date", "value")
MISSING = RowProblem("required", _("This is missing."))
NEGATIVE = RowProblem("too_small", _("A pension value must be 0 or more."))


def read_pension_values(
    data: bytes, options: Options
) -> tuple[list[tuple[int, date, Decimal]], list[RowProblem]]:
    """Return (line, date, value) of every good row in file order, and the errors of the others.

    Other columns are ignored. Raises FileProblem.
    """
    table = read_table(data)
    table.require_distinct_columns()
    keys = [column_key(name) for name in table.header]
    for name in COLUMNS:
        if name not in keys:
            detail = f"The file has no column {name}: it needs date and value."
            raise FileProblem("unknown_format", detail)
    table.require_rectangle()
    date_at, value_at = keys.index("date"), keys.index("value")
    dates = read_dates(
        {record[date_at] for record in table.records if record[date_at].strip()}, options
    )
    values = read_numbers(
        {record[value_at] for record in table.records}, delimiter=table.delimiter, options=options
    )
    rows: list[tuple[int, date, Decimal]] = []
    errors: list[RowProblem] = []
    first_line: dict[date, int] = {}
    for line, record in zip(table.lines, table.records, strict=True):
        day, value = dates.get(record[date_at], MISSING), values.get(record[value_at], MISSING)
        if isinstance(value, Decimal) and value < 0:
            value = NEGATIVE
        if isinstance(day, date) and first_line.setdefault(day, line) != line:
            message = _("Line %(line)s has a value for this date already.")
            day = RowProblem("duplicate_date", message, {"line": str(first_line[day])})
        for name, text, read in (
            ("date", record[date_at], day),
            ("value", record[value_at], value),
        ):
            if isinstance(read, RowProblem):
                errors.append(read.at(line, name, text))
        if isinstance(day, date) and isinstance(value, Decimal):
            rows.append((line, day, value))
    return rows, errors
