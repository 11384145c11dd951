"""DEGIRO: what the account statement and the list of transactions have alike.

Their headers are known by which columns have a name. A text that is too wide for its column goes on
in the next line.
"""

from collections.abc import Sequence

from integrations.statements.base import MAX_CELL, Table

MAX_ORDER_ID = 200
_MARKS = {True: "n", False: "_"}


def form_of(header: Sequence[str]) -> str:
    """Return the form of a header: n for each column with a name, _ for each without."""
    return "".join(_MARKS[bool(name)] for name in header)


def join_wrapped_rows(table: Table, wrapped: Sequence[int]) -> None:
    """Join the rest of a row whose texts were wrapped onto lines of their own: only the columns
    `wrapped` and the last one, the number of the order, have something there.
    """
    width = len(table.header)
    others = set(range(width)) - {*wrapped, width - 1}
    lines: list[int] = []
    records: list[list[str]] = []
    for line, record in zip(table.lines, table.records, strict=True):
        is_rest = len(record) == width and not any(record[place].strip() for place in others)
        if records and is_rest and len(records[-1][-1]) <= MAX_ORDER_ID:
            before = records[-1]
            for position in wrapped:
                parts = (before[position].strip(), record[position].strip())
                before[position] = " ".join(filter(None, parts))[:MAX_CELL]
            before[-1] = before[-1].strip() + record[-1].strip()
        else:
            lines.append(line)
            records.append(record)
    table.lines[:], table.records[:] = lines, records
