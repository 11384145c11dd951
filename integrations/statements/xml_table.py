"""Read an XML file into a table: each element of interest is a record of its attributes.

Documents with a DTD are refused, so that no entity can be defined or fetched. The time and memory
that reading takes grow with the size of the file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

# The parser of the standard library, with DTDs refused below.
from xml.parsers import expat  # nosec B407

from integrations.statements.base import (
    MAX_BYTES,
    MAX_ROWS,
    FileProblem,
    FileTooLarge,
    Table,
)
from integrations.statements.detect import MAX_CELL, decode

MAX_DEPTH = 50
MAX_ATTRIBUTES = 500
MAX_BLANKS = 200_000  # before the first element, in bytes


@dataclass(slots=True)
class Element:
    """An element of the file: its name, its attributes, and which one of the file it is, from 1."""

    name: str
    attributes: dict[str, str]
    number: int


@dataclass(slots=True)
class XmlTable(Table):
    """An XML file as a table whose header is the name of its root. Its records are `elements`.

    `names` are those of all elements, also of those without attributes.
    """

    elements: list[Element] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def part(self, names: Sequence[str], columns: Sequence[tuple[str, Sequence[str]]]) -> Table:
        """Return the elements with these names as a table.

        `columns` are (name of the column, attributes of which the first that is there counts).
        """
        header = [column for column, _attributes in columns]
        part = Table(self.encoding, "", 0, header, [], [])
        for element in self.elements:
            if element.name not in names:
                continue
            cells = []
            for _column, attributes in columns:
                values = (element.attributes.get(name, "") for name in attributes)
                cells.append(next(filter(None, values), ""))
            part.lines.append(element.number)
            part.records.append(cells)
        return part


def is_xml(data: bytes) -> bool:
    """Return whether a file begins like XML, in UTF-8 or UTF-16."""
    start = (
        data[:MAX_BLANKS].replace(b"\x00", b"").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    )
    text = start.decode("utf-8", "ignore").removeprefix("\ufeff").lstrip()
    return text[:1] == "<" and text[1:2] not in ("", " ")


def read_xml(data: bytes) -> XmlTable:
    """Parse a file. Raises FileProblem."""
    if len(data) > MAX_BYTES:
        raise FileTooLarge(f"Files are limited to {MAX_BYTES // 1_000_000} MB.")
    text, encoding = decode(data)
    reader = _Reader()
    parser = expat.ParserCreate("utf-8")
    parser.StartDoctypeDeclHandler = reader.refuse_dtd
    parser.EntityDeclHandler = reader.refuse_dtd
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    try:
        parser.Parse(text.strip().encode(), True)
    except expat.ExpatError as error:
        raise FileProblem(
            "unreadable_file",
            f"The file is not valid XML (line {error.lineno}). Export it again.",
        ) from error
    return XmlTable(
        encoding, "", 1, [reader.root], [], [], elements=reader.elements, names=reader.names
    )


class _Reader:
    """Collects the elements while expat reads the file."""

    def __init__(self) -> None:
        self.root = ""
        self.depth = 0
        self.elements: list[Element] = []
        self.names: set[str] = set()

    def refuse_dtd(self, *_declared: object) -> None:
        raise FileProblem("unreadable_file", "XML files with a DTD are not read.")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.root = self.root or name
        self.depth += 1
        if self.depth > MAX_DEPTH or len(attributes) > MAX_ATTRIBUTES:
            raise FileProblem("unreadable_file", "The XML file is nested too deeply or too wide.")
        self.names.add(name[:MAX_CELL])
        if not attributes:
            return
        if len(self.elements) == MAX_ROWS:
            raise FileTooLarge(f"Files are limited to {MAX_ROWS:,} rows.")
        short = {key: value[:MAX_CELL] for key, value in attributes.items()}
        self.elements.append(Element(name, short, 0))

    def end(self, _name: str) -> None:
        self.depth -= 1
