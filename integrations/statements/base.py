"""Types that all formats share: a row, a parsed file, a format, and the errors of a file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from portfolios.calc.import_rows import Checkpoint, ImportRow, RowProblem

MAX_BYTES = 20_000_000
MAX_ROWS = 200_000
MAX_COLUMNS = 250  # Columns without a name do not count.


class FileProblem(Exception):
    """The file as a whole cannot be used, and nothing of it is read.

    `code` is one of empty_file, unreadable_file, unknown_format, ambiguous_dates,
    ambiguous_numbers, ragged_rows, duplicate_column; `detail` says what to do. With unknown_format,
    `table` is the file cut into cells, and `formats` names the formats that are possible, if there
    are several.
    """

    def __init__(self, code: str, detail: str, *, formats: Sequence[str] = ()) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.formats = list(formats)
        self.table: Table | None = None


class FileTooLarge(FileProblem):
    """The file has more bytes or rows than one import may have."""

    def __init__(self, detail: str) -> None:
        super().__init__("too_large", detail)


class StatementRow(ImportRow, frozen=True):
    """One transaction of a statement, exactly as the file has it.

    Brokers name an instrument by ISIN or by their own symbol; then `ticker` is empty until the
    instrument is identified. `exchange_rate` converts to `rate_currency`, or to the portfolio's own
    currency if that is None. `price_in` and `commission_in` are the currencies of these two amounts
    if not `currency`: they are converted at the day's rate. `former_id` is what earlier versions
    used as `external_id`, alone or with `:2` and so on: a row recorded under it is recognised by
    its content.
    """

    isin: str | None = None
    symbol: str | None = None
    rate_currency: str | None = None
    price_in: str | None = None
    commission_in: str | None = None
    former_id: str | None = None


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first row at which the figures of the file contradict each other."""

    row: int
    expected: str
    got: str


@dataclass(slots=True)
class Statement:
    """A parsed file: its rows in file order, the problems of others, and what else it says.

    `account` is the broker's number of the account, empty if the file does not give it. `failed`
    and `ignored` count rows; one failed row may have several `problems`. `ignored_sums` has the
    count and the sum of the rows that concern cash alone, by (kind, currency). `unread` names the
    columns with values that this format does not use. `reversed_ids` has the external ids of rows
    that the broker reversed, and their lines: an earlier file may have had them before.
    `reconciles` is whether the file gives figures to compare with: `checkpoints` are the balances
    and numbers of shares at the end of days, and `divergence` is the first row whose amount is not
    what its other figures give.
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
    reversed_ids: dict[str, int] = field(default_factory=dict)
    reconciles: bool = False
    checkpoints: list[Checkpoint] = field(default_factory=list)
    divergence: Divergence | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """How to read a file.

    `today` is the last day that a row may have. `number_problem` returns what is wrong with a
    number that the database cannot store. `date_format` (dmy, mdy) and `decimal` (point, comma)
    decide what the file leaves open. `mapping` (our column → theirs) is for the format "mapped".
    """

    today: date
    number_problem: Callable[[Decimal], RowProblem | None]
    is_currency: Callable[[str], bool]
    date_format: str | None = None
    decimal: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Table:
    """A file cut into cells. `lines[i]` is the line on which `records[i]` begins.

    Records may differ in length.
    """

    encoding: str
    delimiter: str
    header_line: int
    header: list[str]
    lines: list[int]
    records: list[list[str]]
    ends_in_a_line: bool = True

    def require_rectangle(self, *, is_always_full: bool = False) -> None:
        """Fill short rows with empty cells. Raises FileProblem if a row is longer than the header.

        An extra cell is never dropped, even an empty one: it may come from an unquoted decimal
        comma. `is_always_full` is for formats that never leave out empty cells at the end of a row,
        so a single short row at the end was cut off.
        """
        self._require_whole_rows(is_always_full=is_always_full)
        width = len(self.header)
        lengths = map(len, self.records)
        missing = width * len(self.records) - sum(lengths)
        if missing > MAX_BYTES:
            # A wide header over many short rows would take far more memory than the file.
            raise FileTooLarge("Too many rows are shorter than the header. Export the file again.")
        for record in self.records:
            if len(record) < width:
                record.extend([""] * (width - len(record)))

    def _require_whole_rows(self, *, is_always_full: bool) -> None:
        if not self.ends_in_a_line and self._is_last_row_cut_off(is_always_full):
            raise FileProblem(
                "ragged_rows",
                f"The file ends in the middle of line {self.lines[-1]}: it was cut off. "
                "Export it again.",
            )
        width = len(self.header)
        for line, record in zip(self.lines, self.records, strict=True):
            if len(record) > width:
                raise FileProblem(
                    "ragged_rows",
                    f"Line {line} has {len(record)} cells, but the header has {width}. Put quotes "
                    "around cells with a comma, such as names and numbers with a decimal comma.",
                )

    def _is_last_row_cut_off(self, is_always_full: bool) -> bool:
        """Return whether the last row is shorter than the one before it."""
        width = len(self.header)
        if len(self.records) > 1:
            expected = min(len(self.records[-2]), width)
        elif is_always_full:
            expected = width
        else:
            return False
        return bool(self.records) and len(self.records[-1]) < expected

    def drop_empty_ends(self) -> None:
        """Remove the empty cells beyond the header that some brokers write, and check the rows.

        Rows may stay shorter than the header.
        """
        width = len(self.header)
        for record in self.records:
            while len(record) > width and not record[-1].strip():
                record.pop()
        self._require_whole_rows(is_always_full=True)

    def require_distinct_columns(self) -> None:
        """Raise FileProblem if the header names a column twice."""
        seen: set[str] = set()
        for name in self.header:
            key = column_key(name)
            if key and key in seen:
                raise FileProblem(
                    "duplicate_column",
                    f"The header names the column {name.strip()} twice. Rename or remove one.",
                )
            seen.add(key)


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of statement: how to recognise it and how to read it.

    `columns` and `example` are shown to users and help to name the nearest format of an unknown
    file. With `reports_missing_columns` the reader checks the columns itself, so a file of a format
    that the user chose is read without `recognises`.
    """

    name: str
    label: str
    columns: Sequence[str]
    example: str
    recognises: Callable[[Table], bool]
    read: Callable[[Table, Options], Statement]
    reports_missing_columns: bool = False


def column_key(name: str) -> str:
    """Return the form in which column names are compared: exchange_rate for `Exchange Rate`."""
    words = name.replace("-", " ").replace("_", " ").split()
    return "_".join(words).casefold()
