"""Detect the encoding and the delimiter of a file, and cut it into cells."""

import csv
import io
import re
from collections.abc import Iterator

from integrations.statements.base import (
    MAX_BYTES,
    MAX_CELL,
    MAX_COLUMNS,
    MAX_ROWS,
    FileProblem,
    FileTooLarge,
    Table,
)

DELIMITERS = (",", ";", "\t")
# More than any statement needs. It limits the memory for a file without line ends or with an open
# quote.
MAX_LINE = 100_000
TITLE_LINES = 20
# Marks a cell that was shortened. It is in no number, date, currency or ticker, so a shortened one
# is an error of its row.
CUT_OFF = "…"

_PICTURE = "This is a picture. Export the statement as CSV."
_OTHER_FILES = {
    b"PK\x03\x04": "This is an Excel workbook or a ZIP archive. Save it as CSV, or unpack it.",
    b"\xd0\xcf\x11\xe0": "This is an old Excel workbook. Save it as CSV.",
    b"%PDF": "This is a PDF. Export the statement as CSV.",
    b"\x89PNG": _PICTURE,
    b"\xff\xd8\xff": _PICTURE,
    b"\x1f\x8b": "This is a compressed file. Unpack it.",
}
_ASCII = bytes(range(128))
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_NAMED_DELIMITER = re.compile(r'"?sep=([,;\t])"?', re.IGNORECASE)


def read_table(data: bytes) -> Table:
    """Cut a file into cells. Raises FileProblem.

    The header is the first line that is not blank; the registry looks for it further down if that
    is a title. A line `sep=;` before it, as Excel writes, names the delimiter.
    """
    if len(data) > MAX_BYTES:
        raise FileTooLarge(f"Files are limited to {MAX_BYTES // 1_000_000} MB.")
    text, encoding = decode(data)
    first = _first_line(text)
    named = _NAMED_DELIMITER.fullmatch(first)
    delimiter = named[1] if named else find_delimiter(_widest_line(text, first))

    header: list[str] | None = None
    header_line = 0
    lines: list[int] = []
    records: list[list[str]] = []
    try:
        for line, record in _records(text, delimiter):
            if not any(record):
                continue
            if header is None:
                if named and record[0].casefold().startswith("sep="):
                    continue
                if sum(map(bool, record)) > MAX_COLUMNS:
                    raise _Unreadable(f"The header has more than {MAX_COLUMNS} columns.")
                header, header_line = record, line
                continue
            if len(records) == MAX_ROWS:
                raise FileTooLarge(f"Files are limited to {MAX_ROWS:,} rows.")
            lines.append(line)
            records.append(record)
    except _Unreadable as problem:
        raise FileProblem("unreadable_file", str(problem)) from problem
    if header is None:
        raise FileProblem("empty_file", "The file has no header. Export it with column names.")
    return Table(
        encoding, delimiter, header_line, header, lines, records, text.endswith(("\n", "\r"))
    )


def decode(data: bytes) -> tuple[str, str]:
    """Return the text of a file and its encoding.

    It may be UTF-8, UTF-16 (each with or without BOM) or Windows-1252. Raises FileProblem.
    """
    if not data.strip():
        raise FileProblem("empty_file", "The file is empty.")
    for start, message in _OTHER_FILES.items():
        if data.startswith(start):
            raise FileProblem("unreadable_file", message)
    encoding = _encoding_of(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise FileProblem(
            "unreadable_file",
            f"The file is not valid {encoding.upper()} (at byte {error.start}). Save it as UTF-8.",
        ) from error
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise FileProblem("empty_file", "The file is empty.")
    if _has_control_characters(text):
        raise FileProblem(
            "unreadable_file", "This is not a text file. Export the statement as CSV."
        )
    if encoding.startswith("utf-16"):
        return text, "utf-16"
    return text, encoding.removesuffix("-sig")


def _has_control_characters(text: str) -> bool:
    """Return whether the first line has control characters, or a tenth of the beginning is."""
    if _CONTROL.search(_first_line(text)[:MAX_LINE]):
        return True
    sample = text[:65_536]
    return len(_CONTROL.findall(sample)) > len(sample) / 10


def _encoding_of(data: bytes) -> str:
    if data.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        raise FileProblem("unreadable_file", "The file is UTF-32. Save it as UTF-8.")
    if data.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    if data.startswith(b"\xff\xfe"):
        return "utf-16-le"
    if data.startswith(b"\xfe\xff"):
        return "utf-16-be"
    # Statements are mostly ASCII, and then every second byte of UTF-16 is zero.
    start = data[:4096]
    even = start[::2].count(0)
    odd = start[1::2].count(0)
    pairs = max(1, len(start) // 2)
    if odd > pairs / 2 and even < pairs / 10:
        return "utf-16-le"
    if even > pairs / 2 and odd < pairs / 10:
        return "utf-16-be"
    try:
        data.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError as error:
        if _is_nearly_utf8(data):
            raise FileProblem(
                "unreadable_file",
                f"The file is not valid UTF-8 (at byte {error.start}). Save it as UTF-8 again.",
            ) from error
        return "windows-1252"


def _is_nearly_utf8(data: bytes) -> bool:
    """Return whether the bytes beyond ASCII are mostly UTF-8.

    Windows-1252 text hardly ever has characters in a row that are also valid UTF-8.
    """
    proper = data.decode("utf-8", errors="ignore")
    ascii_count = len(proper.encode("ascii", errors="ignore"))
    proper_characters = len(proper) - ascii_count
    proper_bytes = len(proper.encode()) - ascii_count
    stray_bytes = len(data.translate(None, _ASCII)) - proper_bytes
    return 0 < proper_characters >= stray_bytes


def find_delimiter(header: str) -> str:
    """Return the delimiter that gives the most cells. A comma if none occurs in the header."""
    best = DELIMITERS[0]
    most = 0
    for delimiter in DELIMITERS:
        count = len(_cells(header, delimiter))
        if count > most:
            best = delimiter
            most = count
    return best


def _widest_line(text: str, first: str) -> str:
    """Return the first line, or the widest of the first ones if it has only one cell: a title."""
    if len(_cells(first, find_delimiter(first))) > 1:
        return first
    head = text[:MAX_LINE].splitlines()[:TITLE_LINES]
    return max([first, *head], key=lambda line: len(_cells(line, find_delimiter(line))))


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return line.split(delimiter)


def _first_line(text: str) -> str:
    """Return the first line that is not blank, empty if it is not near the beginning."""
    head = text[: MAX_LINE * 2]
    blank = len(head) - len(head.lstrip())
    start = 1 + max(head.rfind("\n", 0, blank), head.rfind("\r", 0, blank))
    return head[start:].replace("\r", "\n").partition("\n")[0]


class _Unreadable(Exception):
    """Raised while lines are read; csv.reader does not catch it."""


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line on which it begins, cells) of every record. A quoted cell may span lines."""
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    line = 1
    try:
        for record in reader:
            if max(map(len, record), default=0) > MAX_CELL:
                record = [_capped(cell) for cell in record]
            yield line, record
            line = reader.line_num + 1
    except csv.Error as error:
        raise _Unreadable(
            f"Could not cut the record that begins on line {line} into cells: {error}. "
            'Check that every quote (") is closed.'
        ) from error


def _capped(cell: str) -> str:
    if len(cell) <= MAX_CELL:
        return cell
    return cell[:MAX_CELL] + CUT_OFF


def _lines(text: str) -> Iterator[str]:
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        if len(line) > MAX_LINE:
            raise _Unreadable(f"Line {number} is longer than {MAX_LINE:,} characters.")
        yield line
