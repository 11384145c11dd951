"""Read a JSON file into a table: the objects of its longest list are the records.

A list inside an object, such as the lots of a sale, gives records of its own after it. The time and
memory that reading takes grow with the size of the file.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from integrations.statements.base import (
    MAX_BYTES,
    MAX_CELL,
    MAX_COLUMNS,
    MAX_ROWS,
    FileProblem,
    FileTooLarge,
    Table,
)
from integrations.statements.detect import CUT_OFF, decode

MAX_BLANKS = 200_000  # before the object, in bytes
MAX_VALUES = 10 * MAX_ROWS
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Fractions stay as they are written.
_DECODER = msgspec.json.Decoder(float_hook=str)


def is_json(data: bytes) -> bool:
    """Return whether a file begins like a JSON object, in UTF-8 or UTF-16."""
    start = (
        data[:MAX_BLANKS].replace(b"\x00", b"").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    )
    text = start.decode("utf-8", "ignore").removeprefix("\ufeff").lstrip()
    return text[:1] == "{" and text[1:].lstrip()[:1] in ('"', "}")


def read_json(data: bytes) -> Table:
    """Parse a file. Records are numbered from 2, as if the names stood in line 1.

    Raises FileProblem.
    """
    if len(data) > MAX_BYTES:
        raise FileTooLarge(f"Files are limited to {MAX_BYTES // 1_000_000} MB.")
    text, encoding = decode(data)
    if text.count("{") + text.count("[") > MAX_ROWS:
        raise FileTooLarge(f"Files are limited to {MAX_ROWS:,} rows.")
    if text.count(",") > MAX_VALUES:
        raise FileTooLarge(f"Files are limited to {MAX_VALUES:,} values.")
    try:
        found = _DECODER.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise FileProblem(
            "unreadable_file", "The file is not valid JSON. Export it again."
        ) from error
    records = list(_records(_longest_list(found)))
    columns: dict[str, None] = {}
    for record in records:
        columns |= dict.fromkeys(record)
    if not columns:
        raise FileProblem("unknown_format", "The file has no list of transactions.")
    if len(columns) > MAX_COLUMNS:
        raise FileProblem("unreadable_file", f"The file has more than {MAX_COLUMNS} columns.")
    cells = [_cells(record, columns) for record in records]
    lines = list(range(2, len(cells) + 2))
    return Table(encoding, "", 1, list(columns), lines, cells)


def _cells(record: Mapping[str, str], columns: Iterable[str]) -> list[str]:
    return [record.get(name, "") for name in columns]


def _longest_list(found: object) -> list[object]:
    """Return the longest list of the file. Raises FileProblem if it has none."""
    lists: list[list[object]] = []
    if isinstance(found, dict):
        lists = [value for value in found.values() if isinstance(value, list)]
    if not lists:
        raise FileProblem("unknown_format", "The file has no list of transactions.")
    return max(lists, key=len)


def _records(objects: list[object]) -> Iterator[dict[str, str]]:
    """Yield the values of each object by name, then those of the objects in its lists.

    An object that only wraps another, `{"Detail": {…}}`, gives the values of that one. Those of an
    object inside have the names of both: `price.amount`.
    """
    for one in objects:
        if not isinstance(one, dict):
            continue
        values = one
        if len(one) == 1:
            (wrapped,) = one.values()
            values = wrapped if isinstance(wrapped, dict) else one
        record: dict[str, str] = {}
        inner: list[object] = []
        for name, value in values.items():
            if isinstance(value, list):
                inner += value
            elif isinstance(value, dict):
                for key, each in value.items():
                    record[_text(f"{name}.{key}")] = _text(each)
            else:
                record[_text(name)] = _text(value)
        if record:
            yield record
        yield from _records(inner)


def _text(value: object) -> str:
    if value is None:
        return ""
    text = _CONTROL.sub(" ", str(value))
    return text if len(text) <= MAX_CELL else text[:MAX_CELL] + CUT_OFF
