"""What a file says about itself: its encoding, its delimiter, its lines and cells."""

import csv
import io
import re
from collections.abc import Iterator

from integrations.statements.base import (
    MAX_BYTES,
    MAX_COLUMNS,
    MAX_ROWS,
    FileProblem,
    FileTooLarge,
    Table,
)

DELIMITERS = (",", ";", "\t")
# More than any statement needs, less than what a file without line ends or with an open quote would
# make us hold.
MAX_LINE = 100_000
# The longest text that is kept is a note of 500 characters.
MAX_CELL = 4_000
# Ends a cell that was cut off: no number, date, currency or ticker has it, so that what is left of
# one is an error of its row.
CUT_OFF = "…"

_OTHER_FILES = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive: save it as CSV, or unpack it",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save it as CSV",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a compressed file: unpack it",
}
_ASCII = bytes(range(128))
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_NAMED_DELIMITER = re.compile(r'"?sep=([,;\t])"?', re.IGNORECASE)


def read_table(data: bytes) -> Table:
    """Cut a file into cells. Raises FileProblem.

    The header is the first line that is not blank (after Excel's `sep=;`, which names the
    delimiter).
    """
    if len(data) > MAX_BYTES:
        raise FileTooLarge("A file may have 20 MB.")
    text, encoding = decode(data)
    first = _first_line(text)
    named = _NAMED_DELIMITER.fullmatch(first)
    delimiter = named[1] if named else find_delimiter(first)

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
                raise FileTooLarge(f"A file may have {MAX_ROWS:,} rows.")
            lines.append(line)
            records.append(record)
    except _Unreadable as problem:
        raise FileProblem("unreadable_file", str(problem)) from problem
    if header is None:
        raise FileProblem("empty_file", "The file has no header.")
    return Table(
        encoding, delimiter, header_line, header, lines, records, text.endswith(("\n", "\r"))
    )


def decode(data: bytes) -> tuple[str, str]:
    """The text of a file and its encoding: UTF-8, UTF-16 (each with or without BOM) or
    Windows-1252.
    """
    if not data.strip():
        raise FileProblem("empty_file", "The file is empty.")
    for start, what in _OTHER_FILES.items():
        if data.startswith(start):
            raise FileProblem("unreadable_file", f"This is {what}.")
    encoding = _encoding_of(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise FileProblem(
            "unreadable_file",
            f"The file is not readable as {encoding.upper()} (at byte {error.start}). Save it as UTF-8.",
        ) from error
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise FileProblem("empty_file", "The file is empty.")
    sample = text[:65_536]
    if (
        _CONTROL.search(_first_line(text)[:MAX_LINE])
        or len(_CONTROL.findall(sample)) > len(sample) / 10
    ):
        raise FileProblem(
            "unreadable_file", "This is not a text file. Export the statement as CSV."
        )
    return text, "utf-16" if encoding.startswith("utf-16") else encoding.removesuffix("-sig")


def _encoding_of(data: bytes) -> str:
    if data.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        raise FileProblem("unreadable_file", "The file is UTF-32. Save it as UTF-8.")
    if data.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    if data.startswith(b"\xff\xfe"):
        return "utf-16-le"
    if data.startswith(b"\xfe\xff"):
        return "utf-16-be"
    start = data[:4096]
    even, odd, pairs = start[::2].count(0), start[1::2].count(0), max(1, len(start) // 2)
    # Statements are mostly ASCII, of which UTF-16 makes every second byte zero.
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
                f"The file is broken UTF-8 (at byte {error.start}). Save it as UTF-8.",
            ) from error
        return "windows-1252"


def _is_nearly_utf8(data: bytes) -> bool:
    """Whether at least as many characters beyond ASCII are proper UTF-8 as bytes are not.

    Hardly any text in Windows-1252 has characters in a row that are also proper UTF-8.
    """
    proper = data.decode("utf-8", errors="ignore")
    ascii_count = len(proper.encode("ascii", errors="ignore"))
    proper_characters = len(proper) - ascii_count
    proper_bytes = len(proper.encode()) - ascii_count
    stray_bytes = len(data.translate(None, _ASCII)) - proper_bytes
    return 0 < proper_characters >= stray_bytes


def find_delimiter(header: str) -> str:
    """The delimiter that cuts the header into most cells; a comma if none cuts it at all."""
    return max(
        DELIMITERS,
        key=lambda delimiter: (len(_cells(header, delimiter)), -DELIMITERS.index(delimiter)),
    )


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return line.split(delimiter)


def _first_line(text: str) -> str:
    """The first line that is not blank, empty if there is none near the beginning."""
    head = text[: MAX_LINE * 2]
    blank = len(head) - len(head.lstrip())
    start = 1 + max(head.rfind("\n", 0, blank), head.rfind("\r", 0, blank))
    return head[start:].replace("\r", "\n").partition("\n")[0]


class _Unreadable(Exception):
    """Raised inside the reading of lines, so that csv.reader lets it through with its line."""


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line on which it begins, cells) of every record; a quoted cell may go over several lines."""
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
            f'The record that begins on line {line} cannot be cut into cells: {error}. Is a quote (") not closed?'
        ) from error


def _capped(cell: str) -> str:
    return cell if len(cell) <= MAX_CELL else cell[:MAX_CELL] + CUT_OFF


def _lines(text: str) -> Iterator[str]:
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        if len(line) > MAX_LINE:
            raise _Unreadable(f"Line {number} is longer than {MAX_LINE:,} characters.")
        yield line
