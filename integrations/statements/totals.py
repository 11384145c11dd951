"""Lines of totals and of text after the last row of a table whose columns have our names."""

import re
from collections.abc import Mapping, Sequence

from integrations.statements.base import Statement, Table

# What a line of totals begins with, in the languages of the brokers' files.
_TOTALS = {
    *("total", "totals", "totalt", "totale", "totaal", "subtotal"),
    *("sum", "summe", "summa", "gesamt", "yhteensä", "razem"),
}
_DIGIT = re.compile(r"\d")


def take_ends(table: Table, positions: Mapping[str, int]) -> dict[int, str]:
    """Remove the text and the totals after the last row, and return the first text of each line of
    totals, by line.

    Lines of totals have no date, no type and no instrument. The first line is always a row, so that
    a wrong mapping does not hide a whole file.
    """
    found: dict[int, str] = {}
    while True:
        if len(table.records) > 1 and _is_total(table, positions):
            record = table.records.pop()
            found[table.lines.pop()] = next(filter(None, map(str.strip, record)))
            table.ends_in_a_line = True
            continue
        count = len(table.records)
        table.drop_notes(positions["date"])
        if len(table.records) == count:
            return found


def ignore_totals(statement: Statement, totals: Mapping[int, str]) -> None:
    for line, word in totals.items():
        statement.ignore(word, line=line)


def _is_total(table: Table, positions: Mapping[str, int]) -> bool:
    """Return whether the last line has totals."""
    record = table.records[-1]
    day = positions["date"]
    is_cut_off = not table.ends_in_a_line and len(record) < len(table.header)
    if is_cut_off and day > 0:
        return False  # Its date may be missing.
    date_cell = _cell(record, day)
    if _DIGIT.search(date_cell) and not names_total(date_cell):
        return False
    for name in ("type", "ticker", "isin"):
        cell = _cell(record, positions.get(name))
        if cell and not names_total(cell):
            return False
    return any(map(names_total, record)) or any(map(_DIGIT.search, record))


def _cell(record: Sequence[str], position: int | None) -> str:
    if position is None or position >= len(record):
        return ""
    return record[position].strip()


def names_total(cell: str) -> bool:
    """Return whether a cell begins with a word for a total."""
    words = cell.casefold().split(maxsplit=1)
    return bool(words) and words[0].rstrip(":") in _TOTALS
