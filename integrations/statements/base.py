"""The row that every statement format makes, what a format is, and the errors of a file and of a
row.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from portfolios.calc.import_rows import Checkpoint, ImportRow, RowProblem

MAX_BYTES = 20_000_000
MAX_ROWS = 200_000
MAX_COLUMNS = 250  # with a name


class FileProblem(Exception):
    """The file as a whole cannot be used: nothing of it is read.

    `code` is one of empty_file, unreadable_file, unknown_format, ambiguous_dates,
    ambiguous_numbers, ragged_rows, duplicate_column; the message says what to do. With
    unknown_format, `table` is what was read of the file, and `formats` name those that it could be,
    if there are several.
    """

    def __init__(self, code: str, detail: str, *, formats: Sequence[str] = ()) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.formats = list(formats)
        self.table: Table | None = None


class FileTooLarge(FileProblem):
    """More bytes or rows than one import takes."""

    def __init__(self, detail: str) -> None:
        super().__init__("too_large", detail)


class StatementRow(ImportRow, frozen=True):
    """One transaction of a statement, exactly as the file has it.

    Brokers name an instrument by ISIN or by a symbol of theirs; then `ticker` is empty until it is
    identified. `rate_currency` is what `exchange_rate` turns an amount into, if not the portfolio's
    own currency for certain. `price_in` and `commission_in` are the currencies of these amounts
    where they are not in `currency` yet: they are converted at the day's rate. `former_id` is what
    the reader of this format made `external_id` of before, alone or with `:2` and so on: a row that
    was recorded under that is known again by its content.
    """

    isin: str | None = None
    symbol: str | None = None
    rate_currency: str | None = None
    price_in: str | None = None
    commission_in: str | None = None
    former_id: str | None = None


@dataclass(frozen=True, slots=True)
class Divergence:
    """Where the broker's running figures and ours part for the first time."""

    row: int
    expected: str
    got: str


@dataclass(slots=True)
class Statement:
    """A file that was read: its rows in file order, what is wrong with others, and what was noticed
    about the file.

    `account` is the broker's number of the account that it is of, empty where the file does not
    say.

    `failed` and `ignored` count rows; one failed row may have several `problems`. `ignored_sums` adds
    up what concerned cash alone by (type, currency): how many rows, how much. `unread` names the
    columns with values that mean nothing to us, where somebody made the file by hand. `taken_back`
    are the external ids of rows that the broker took back, and their lines: an earlier file may
    have had them before it did. `checkpoints` are what the broker says was held, and
    `cash_divergence` where its balance is not the sum of the rows; `reconciles` is whether it gives
    any such figure.
    """

    format: str
    encoding: str
    delimiter: str
    account: str = ""
    rows: list[StatementRow] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)
    failed: int = 0
    ignored: int = 0
    ignored_sums: dict[tuple[str, str], tuple[int, Decimal]] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    taken_back: dict[str, int] = field(default_factory=dict)
    reconciles: bool = False
    checkpoints: list[Checkpoint] = field(default_factory=list)
    cash_divergence: Divergence | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What the reader of a file is told from outside.

    `today` is the last day that a row may have, `number_problem` says what is wrong with a number
    that the database could not keep. `date_format` (dmy, mdy) and `decimal` (point, comma) settle
    what the file leaves open, `mapping` (our column → theirs) is for the format "mapped".
    """

    today: date
    number_problem: Callable[[Decimal], RowProblem | None]
    is_currency: Callable[[str], bool]
    date_format: str | None = None
    decimal: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Table:
    """A file cut into cells. `lines[i]` is the line on which `records[i]` begins; records may
    differ in length.
    """

    encoding: str
    delimiter: str
    header_line: int
    header: list[str]
    lines: list[int]
    records: list[list[str]]
    ends_in_a_line: bool = True

    def require_rectangle(self, *, is_always_full: bool = False) -> None:
        """Fill missing last cells with empty ones. Raises FileProblem if a row has more cells than
        the header.

        An extra cell is never dropped, even an empty one: an unquoted decimal comma looks just like
        that. `is_always_full` is for formats whose rows never leave out empty cells at the end, so
        that a single short row was cut off too.
        """
        self._require_whole_rows(is_always_full=is_always_full)
        width = len(self.header)
        missing = sum(width - len(record) for record in self.records)
        if missing > MAX_BYTES:
            # A wide header over many short rows would take far more memory than the file.
            raise FileTooLarge("Too many rows are shorter than the header. Export the file again.")
        for record in self.records:
            if len(record) < width:
                record.extend([""] * (width - len(record)))

    def _require_whole_rows(self, *, is_always_full: bool) -> None:
        width = len(self.header)
        lengths = [len(record) for record in self.records[-2:]]
        before = lengths[0] if len(lengths) == 2 else width if is_always_full and lengths else 0
        if not self.ends_in_a_line and lengths and lengths[-1] < min(before, width):
            raise FileProblem(
                "ragged_rows",
                f"The file ends in the middle of line {self.lines[-1]}: it was cut off. Export it again.",
            )
        for line, record in zip(self.lines, self.records, strict=True):
            if len(record) > width:
                raise FileProblem(
                    "ragged_rows",
                    f"Line {line} has {len(record)} cells where the header has {width}. A comma inside a cell "
                    "(a decimal comma, a name) needs quotes around the cell.",
                )

    def drop_empty_ends(self) -> None:
        """Take off the empty cells beyond the header that some brokers write, and check the rest.

        Rows may stay shorter than the header.
        """
        width = len(self.header)
        for record in self.records:
            while len(record) > width and not record[-1].strip():
                record.pop()
        self._require_whole_rows(is_always_full=True)

    def require_distinct_columns(self) -> None:
        seen: set[str] = set()
        for name in self.header:
            key = column_key(name)
            if key and key in seen:
                raise FileProblem(
                    "duplicate_column", f"The header names the column {name.strip()} twice."
                )
            seen.add(key)


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of statement: how it is told from others and how it is read."""

    name: str
    label: str
    columns: Sequence[str]
    example: str
    recognises: Callable[[Table], bool]
    read: Callable[[Table, Options], Statement]
    # The reader checks the columns itself, so a named format is read without `recognises`.
    reports_missing_columns: bool = False


def column_key(name: str) -> str:
    """A column's name as it is compared: `Exchange Rate` is exchange_rate."""
    return "_".join(name.replace("-", " ").replace("_", " ").split()).casefold()
