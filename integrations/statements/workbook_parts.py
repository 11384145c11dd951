"""Check the parts of an Excel workbook before its cells are read.

A workbook is a ZIP archive of XML files. A few kilobytes of it can unpack to gigabytes, or name a
last cell so far away that a reader takes all memory for the empty cells before it. So each part is
streamed and checked, and only a copy of what was checked is handed on.
"""

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from integrations.statements.base import MAX_ROWS, FileProblem, FileTooLarge

MAX_UNPACKED = 25_000_000  # bytes
MAX_PARTS = 1_000
LAST_COLUMN = 256
MAX_AREA = 1_000_000  # cells in the rectangle around all that have a value; empty ones take memory
LONGEST_TEXT = 32_767  # characters in a cell, Excel's own limit
CHUNK = 65_536

_IS_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_FOLDER = "xl/"
_SUMS = ("SUM(", "SUBTOTAL(")  # what a line of totals has; files keep these names in English
_CELL = re.compile(r"([A-Z]{1,3})([1-9]\d{0,6})", re.ASCII)
_DAMAGED = "The workbook is damaged. Download it again, or save it as CSV."


@dataclass(slots=True)
class CheckedWorkbook:
    """A copy of a workbook's checked parts, and why some of its sheets cannot be read, by name.

    `sums` are the lines of a sheet with sums that have no stored result, and why they cannot be
    read: they matter unless the line is one of totals.
    """

    content: io.BytesIO
    faults: dict[str, str] = field(default_factory=dict)
    sums: dict[str, dict[int, str]] = field(default_factory=dict)


def check_workbook(data: bytes) -> CheckedWorkbook:
    """Return a copy of the workbook with its XML alone. Raises FileProblem if it is not one."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _checked(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        message = (
            "The file begins like an Excel workbook or a ZIP archive, but it is damaged. Download "
            "it again."
        )
        raise FileProblem("unreadable_file", message) from error


def _checked(archive: zipfile.ZipFile) -> CheckedWorkbook:
    parts = _parts(archive)
    checks: dict[str, _PartCheck] = {}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy:
        unpacked = 0
        for name, part in parts.items():
            check = checks[name] = _PartCheck()
            with archive.open(part) as source, copy.open(name, "w") as target:
                for chunk in iter(lambda: source.read(CHUNK), b""):
                    unpacked += len(chunk)
                    _require_small(unpacked)
                    check.feed(chunk)
                    target.write(chunk)
            check.close()
    content.seek(0)
    return _with_faults(CheckedWorkbook(content), checks)


def _parts(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the XML parts of a workbook. Raises FileProblem if the archive is something else."""
    infos = archive.infolist()
    names = {info.filename for info in infos}
    if "xl/workbook.bin" in names or "mimetype" in names:
        message = "This kind of workbook is not read. Save it as .xlsx or CSV."
        raise FileProblem("unreadable_file", message)
    if not any(name.startswith(_FOLDER) for name in names):
        message = "This is a ZIP archive, not an Excel workbook. Unpack it."
        raise FileProblem("unreadable_file", message)
    if any(info.flag_bits & _IS_ENCRYPTED for info in infos):
        message = "The workbook has a password. Save it without one."
        raise FileProblem("unreadable_file", message)
    is_odd = len(names) < len(infos) or len(infos) > MAX_PARTS
    if is_odd or any(info.compress_type not in _METHODS for info in infos):
        raise FileProblem("unreadable_file", _DAMAGED)
    _require_small(sum(info.file_size for info in infos))
    return {info.filename: info for info in infos if info.filename.endswith((".xml", ".rels"))}


def _require_small(unpacked: int) -> None:
    if unpacked > MAX_UNPACKED:
        limit = MAX_UNPACKED // 1_000_000
        raise FileTooLarge(f"The workbook unpacks to more than {limit} MB. Save it as CSV.")


def _with_faults(checked: CheckedWorkbook, checks: Mapping[str, "_PartCheck"]) -> CheckedWorkbook:
    """Add the faults by the names of the sheets, which a workbook keeps in another part.

    Raises FileProblem for a fault of a part that is not a sheet by name.
    """
    sheets: dict[str, str] = {}
    for name, check in checks.items():
        folder, base = posixpath.split(name)
        relations = checks.get(posixpath.join(folder, "_rels", f"{base}.rels"))
        if relations is None:
            continue
        for relation, sheet in check.sheets.items():
            target = posixpath.join("/", folder, relations.targets.get(relation, ""))
            sheets[posixpath.normpath(target)] = sheet
    for name, check in checks.items():
        sheet_name = sheets.get(f"/{name}")
        if sheet_name is not None:
            checked.sums[sheet_name] = check.sums
        if not check.fault:
            continue
        if sheet_name is None:
            raise FileProblem("unreadable_file", check.fault)
        checked.faults[sheet_name] = check.fault
    return checked


@dataclass(slots=True)
class _Box:
    """The smallest rectangle around some cells."""

    top: int = MAX_ROWS
    bottom: int = 0
    left: int = LAST_COLUMN
    right: int = 0

    def include(self, row: int, column: int) -> None:
        if row < self.top:
            self.top = row
        if row > self.bottom:
            self.bottom = row
        if column < self.left:
            self.left = column
        if column > self.right:
            self.right = column

    @property
    def area(self) -> int:
        return (self.bottom - self.top + 1) * (self.right - self.left + 1)


class _PartCheck:
    """Parse one XML part in pieces, and note the first fault of its cells.

    `sums` are the first faults of lines whose sums have no result. `sheets` are the names of the
    sheets that the part lists, by the id of their relation, and `targets` the paths of the
    relations that it lists.
    """

    def __init__(self) -> None:
        self.fault = ""
        self.sums: dict[int, str] = {}
        self.sheets: dict[str, str] = {}
        self.targets: dict[str, str] = {}
        self._row = self._column = 0
        self._box = _Box()
        self._type = ""
        self._has_formula = self._has_value = self._is_sum = False
        self._text = ""
        self._text_length = 0
        self._starts: dict[str, Callable[[Mapping[str, str]], None]] = {
            "row": self._start_row,
            "c": self._start_cell,
            "f": self._start_formula,
            "sheet": self._note_sheet,
            "Relationship": self._note_relation,
        }
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = _refuse_doctype

    def feed(self, chunk: bytes) -> None:
        self._parse(chunk, is_last=False)

    def close(self) -> None:
        self._parse(b"", is_last=True)

    def _parse(self, chunk: bytes, *, is_last: bool) -> None:
        try:
            self._parser.Parse(chunk, is_last)
        except expat.ExpatError as error:
            raise FileProblem("unreadable_file", _DAMAGED) from error

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._text = ""
        self._text_length = 0
        start = self._starts.get(name) or self._starts.get(name.rpartition(":")[2])
        if start is not None:
            start(attributes)

    def _characters(self, text: str) -> None:
        if not self._text:
            self._text = text
        self._text_length += len(text)
        if self._text_length > LONGEST_TEXT:
            message = f"A cell of the workbook has more than {LONGEST_TEXT:,} characters."
            raise FileProblem("unreadable_file", message)

    def _end(self, name: str) -> None:
        local = name.rpartition(":")[2]
        if local in ("v", "t"):
            self._has_value |= self._text_length > 0
        elif local == "f":
            self._is_sum = self._text.startswith(_SUMS)
        elif local == "c":
            self._end_cell()
        self._text_length = 0

    def _start_row(self, attributes: Mapping[str, str]) -> None:
        self._row = _whole(attributes.get("r")) or self._row + 1
        self._column = 0

    def _start_cell(self, attributes: Mapping[str, str]) -> None:
        self._type = attributes.get("t", "")
        self._has_formula = self._has_value = self._is_sum = False
        self._column += 1
        if "r" in attributes:
            match = _CELL.fullmatch(attributes["r"])
            if match is None:
                raise FileProblem("unreadable_file", _DAMAGED)
            self._column = column_number(match[1])
            self._row = int(match[2])

    def _start_formula(self, attributes: Mapping[str, str]) -> None:
        self._has_formula = True

    def _note_sheet(self, attributes: Mapping[str, str]) -> None:
        for key, value in attributes.items():
            if key.rpartition(":")[2] == "id" and "name" in attributes:
                self.sheets[value] = attributes["name"]

    def _note_relation(self, attributes: Mapping[str, str]) -> None:
        self.targets[attributes.get("Id", "")] = attributes.get("Target", "")

    def _cell(self) -> str:
        return f"{column_letters(self._column)}{self._row}"

    def _end_cell(self) -> None:
        has_no_result = self._has_formula and not self._has_value and self._type != "str"
        if not self._has_value and not has_no_result:
            return  # It is empty and takes no memory.
        if self.fault:
            return
        self._box.include(self._row, self._column)
        if self._row > MAX_ROWS:
            self.fault = f"Cell {self._cell()} is below row {MAX_ROWS:,}, the last that is read."
        elif self._column > LAST_COLUMN:
            self.fault = f"Cell {self._cell()} is beyond column {column_letters(LAST_COLUMN)}."
        elif self._box.area > MAX_AREA:
            self.fault = (
                f"Cell {self._cell()} is too far from the others. Delete what does not belong."
            )
        elif self._type == "e":
            self.fault = f"Cell {self._cell()} holds an error. Correct it."
        elif has_no_result:
            fault = (
                f"Cell {self._cell()} has a formula without its result. Open the workbook in a "
                "spreadsheet and save it again."
            )
            if self._is_sum:
                self.sums.setdefault(self._row, fault)
            else:
                self.fault = fault


def _refuse_doctype(*declaration: object) -> None:
    raise FileProblem("unreadable_file", _DAMAGED)


def _whole(text: str | None) -> int | None:
    if text and text.isascii() and text.isdigit() and len(text) < 8:
        return int(text)
    return None


def column_number(letters: str) -> int:
    """Return the number of a column, 1 for A."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number


def column_letters(number: int) -> str:
    """Return the letters of a column, A for 1."""
    return "".join(_letters_backwards(number))[::-1]


def _letters_backwards(number: int) -> Iterator[str]:
    while number > 0:
        number, rest = divmod(number - 1, 26)
        yield chr(ord("A") + rest)
