"""Pension values from a CSV of the columns `date` and `value`, read as carefully as statements
are.
"""

from datetime import date
from decimal import Decimal

from integrations.statements.base import Fault, FileProblem, Options, RowError, column_key
from integrations.statements.detect import read_table
from integrations.statements.values import read_dates, read_numbers

COLUMNS = ("date", "value")
MISSING = Fault("required", "This is missing.")


def read_pension_values(
    data: bytes, options: Options
) -> tuple[list[tuple[int, date, Decimal]], list[RowError]]:
    """(line, date, value) of every good row in file order, and what is wrong with the others.

    Other columns are left alone. Raises FileProblem.
    """
    table = read_table(data)
    table.require_distinct_columns()
    keys = [column_key(name) for name in table.header]
    absent = [name for name in COLUMNS if name not in keys]
    if absent:
        raise FileProblem(
            "unknown_format", f"The file has no column {absent[0]}: it needs date and value."
        )
    table.require_rectangle()
    date_at, value_at = (keys.index(name) for name in COLUMNS)
    dates = read_dates(
        {record[date_at] for record in table.records if record[date_at].strip()}, options
    )
    values = read_numbers(
        {record[value_at] for record in table.records}, delimiter=table.delimiter, options=options
    )
    rows: list[tuple[int, date, Decimal]] = []
    errors: list[RowError] = []
    first_line: dict[date, int] = {}
    for line, record in zip(table.lines, table.records, strict=True):
        day, value = dates.get(record[date_at], MISSING), values.get(record[value_at], MISSING)
        if isinstance(value, Decimal) and value < 0:
            value = Fault("too_small", "A pension value must be 0 or more.")
        if isinstance(day, date) and first_line.setdefault(day, line) != line:
            day = Fault(
                "duplicate_date", f"Line {first_line[day]} has a value for this date already."
            )
        for name, text, read in (
            ("date", record[date_at], day),
            ("value", record[value_at], value),
        ):
            if isinstance(read, Fault):
                errors.append(RowError(line, name, text, read.code, read.detail))
        if isinstance(day, date) and isinstance(value, Decimal):
            rows.append((line, day, value))
    return rows, errors
