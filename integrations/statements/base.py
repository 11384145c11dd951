"""Types that all formats share: a row, a parsed file, a format, and the errors of a file."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from itertools import pairwise

from financeproj.core.money import EXACT
from portfolios.calc.import_rows import Checkpoint, ImportRow, RowProblem

MAX_BYTES = 20_000_000
MAX_ROWS = 200_000
MAX_COLUMNS = 250  # Columns without a name do not count.
HEADER_SEARCHED = 20  # lines
# The longest text that is kept is a note of 500 characters.
MAX_CELL = 4_000
IGNORE = "ignore"  # what a person says of a word whose rows are to be left out
WORKBOOK = "xlsx"  # the encoding of a table that is a sheet of a workbook
REASONS = "Import problem"  # the column of a file of failed rows that says why each failed


class FileProblem(Exception):
    """The file as a whole cannot be used, and nothing of it is read.

    `code` is one of empty_file, unreadable_file, unknown_format, ambiguous_dates,
    ambiguous_numbers, ragged_rows, duplicate_column, several_accounts, unknown_account,
    several_sheets, unknown_sheet; `detail` says what to do. With unknown_format, `tables` are the
    file (the sheets of a workbook) cut into cells, and `formats` names the formats that are
    possible, if there are several. `accounts` are those of the file and `sheets` those of the
    workbook from which one is to be chosen.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        formats: Sequence[str] = (),
        accounts: Iterable[str] = (),
        sheets: Sequence[str] = (),
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.formats = list(formats)
        self.accounts = sorted(accounts)
        self.sheets = list(sheets)
        self.tables: list[Table] = []


class FileTooLarge(FileProblem):
    """The file has more bytes or rows than one import may have."""

    def __init__(self, detail: str) -> None:
        super().__init__("too_large", detail)


class StatementRow(ImportRow, frozen=True):
    """One transaction of a statement, exactly as the file has it.

    Brokers name an instrument by ISIN or by their own symbol; then `ticker` is empty until the
    instrument is identified. `exchange_rate` converts to `rate_currency`, or to the portfolio's own
    currency if that is None. `price_in` (of price and tax) and `commission_in` are the currencies
    of these amounts if not `currency`: they are converted at the day's rate. `former_id` is what
    earlier versions used as `external_id`, alone or with `:2` and so on: a row recorded under it is
    recognised by its content. `former_price` is what they used as `price`, with `former_charge`,
    and `former_type` as `type`.
    """

    isin: str | None = None
    symbol: str | None = None
    rate_currency: str | None = None
    price_in: str | None = None
    commission_in: str | None = None
    former_id: str | None = None
    former_price: Decimal | None = None
    former_charge: Decimal | None = None
    former_type: str = ""


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
    `reversals` are rows that take back what an earlier file may have had, or must have had, and
    `unpaired` the problems of the latter, by line, if none had it.
    `reconciles` is whether the file gives figures to compare with: `checkpoints` are the balances
    and numbers of shares at the end of days, and `divergence` is the first row whose amount is not
    what its other figures give. `header` and `mapping_name` are those of a table that was read by a
    mapping, the latter if it was saved. `header_line` and `sheet` say where the table begins, and
    `ignored_lines` which of its rows are ignored.
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
    reversals: list[StatementRow] = field(default_factory=list)
    unpaired: dict[int, RowProblem] = field(default_factory=dict)
    unknown_words: list[tuple[int, str]] = field(default_factory=list)
    reconciles: bool = False
    checkpoints: list[Checkpoint] = field(default_factory=list)
    divergence: Divergence | None = None
    header: list[str] = field(default_factory=list)
    mapping_name: str = ""
    header_line: int = 0
    sheet: str = ""
    ignored_lines: set[int] = field(default_factory=set)

    def ignore(
        self, kind: str, amount: Decimal = Decimal(0), currency: str = "", *, line: int
    ) -> None:
        """Count a row that moved neither shares nor money, or that the broker reversed."""
        self.ignored += 1
        self.ignored_lines.add(line)
        key = (kind[:100].replace("\x00", ""), currency[:20].replace("\x00", ""))
        count, total = self.ignored_sums.get(key, (0, Decimal(0)))
        self.ignored_sums[key] = (count + 1, EXACT.add(total, amount))


@dataclass(frozen=True, slots=True)
class Options:
    """How to read a file.

    `today` is the last day that a row may have. `number_problem` returns what is wrong with a
    number that the database cannot store. `date_format` (dmy, mdy) and `decimal` (point, comma)
    decide what the file leaves open. `currency` is for files that do not name their own. `mapping`
    (our column → theirs) is for the format "mapped". `sheet` names the sheet of a workbook, and
    `skip` lines come before the header. `types` is what the broker's words mean, as `folded` writes
    them: one of our types, or "ignore", and `words` the same for each format by name.
    `ticker_suffix` is for tickers without one. `account` says which account of the file to read,
    where it has several.
    """

    today: date
    number_problem: Callable[[Decimal], RowProblem | None]
    is_currency: Callable[[str], bool]
    date_format: str | None = None
    decimal: str | None = None
    currency: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    sheet: str | None = None
    account: str = ""
    skip: int = 0
    types: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ticker_suffix: str = ""

    def require_currency(self) -> str:
        """Return the currency of a file that does not name it. Raises FileProblem."""
        if not self.currency:
            raise FileProblem(
                "currency_required",
                "The file does not name the currency of its amounts. Give it with "
                'mapping={"currency": "EUR"}.',
            )
        if not self.is_currency(self.currency):
            raise FileProblem(
                "unknown_currency",
                f"{self.currency[:20]} is not a currency in circulation (ISO 4217).",
            )
        return self.currency


@dataclass(slots=True)
class Table:
    """A file cut into cells. `lines[i]` is the line on which `records[i]` begins.

    Records may differ in length. A sheet of a workbook has its name in `sheet`, whether it has
    numbers with fractions, and in `refused`, by line, the position, the text and the problem of a
    cell that cannot be relied on. `others` are the other sheets.
    """

    encoding: str
    delimiter: str
    header_line: int
    header: list[str]
    lines: list[int]
    records: list[list[str]]
    ends_in_a_line: bool = True
    sheet: str = ""
    has_fractions: bool = False
    refused: Mapping[int, tuple[int, str, RowProblem]] = field(default_factory=dict)
    others: Sequence["Table"] = ()

    @property
    def is_workbook(self) -> bool:
        return self.encoding == WORKBOOK

    def take_refused_rows(self) -> list[RowProblem]:
        """Remove the rows with a cell that cannot be relied on, and return their problems."""
        lines: list[int] = []
        records: list[list[str]] = []
        problems: list[RowProblem] = []
        for line, record in zip(self.lines, self.records, strict=True):
            if line not in self.refused:
                lines.append(line)
                records.append(record)
                continue
            position, text, problem = self.refused[line]
            column = self.header[position] if position < len(self.header) else None
            problems.append(problem.at(line, column, text))
        self.lines, self.records = lines, records
        return problems

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

    def require_end_after(self, line: int) -> None:
        """Raise FileProblem if this line, which is not understood, is a last one without an end."""
        if not self.ends_in_a_line and self.lines[-1:] == [line]:
            raise _cut_off(line)

    def _require_whole_rows(self, *, is_always_full: bool) -> None:
        if not self.ends_in_a_line and self._is_last_row_cut_off(is_always_full):
            raise _cut_off(self.lines[-1])
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

    def from_each_header(self) -> Iterator["Table"]:
        """Yield the table as it is, then from each of the next lines that may be its header.

        Brokers write a title, the name of the account or a period above the table.
        """
        yield self
        for number, record in enumerate(self.records[: HEADER_SEARCHED - 1]):
            if len(record) > 2:
                yield self._headed_by(number)

    def from_likely_header(self) -> "Table":
        """Return the table from the widest line on that may be its header and has a row below it
        that is at least half as wide; as it is if there is none.
        """
        likely = 0
        widest = 0
        lines = [self.header, *self.records[:HEADER_SEARCHED]]
        for number, (header, row) in enumerate(pairwise(lines)):
            width = _filled_width(header)
            may_be_header = number == 0 or len(header) > 2
            if may_be_header and width > widest and 2 * len(row) >= width:
                likely = number
                widest = width
        return self._headed_by(likely - 1) if likely else self

    @property
    def width(self) -> int:
        """The number of columns, as far as they are filled."""
        return _filled_width(self.header)

    def without_reasons(self) -> "Table":
        """Return the table without the column of reasons that a file of failed rows has."""
        for header in (self.header, *self.records[: HEADER_SEARCHED - 1]):
            if header and header[-1].strip() == REASONS:
                place = len(header) - 1
                width = header.index(header[-1])
                return replace(
                    self,
                    header=_without_reason(self.header, place, width),
                    records=[_without_reason(record, place, width) for record in self.records],
                )
        return self

    def without_first(self, skip: int) -> "Table":
        """Return the table below the first `skip` lines of the file. Raises FileProblem."""
        if self.header_line > skip:
            return self
        for number, line in enumerate(self.lines):
            if line > skip:
                return self._headed_by(number)
        raise FileProblem("empty_file", f"The file has no line after the {skip} to skip.")

    def _headed_by(self, number: int) -> "Table":
        """Return the table whose header is the record `number`, without the lines before it."""
        after = number + 1
        return replace(
            self,
            header_line=self.lines[number],
            header=self.records[number],
            lines=self.lines[after:],
            records=self.records[after:],
        )

    def drop_notes(self, day: int = 0) -> None:
        """Remove lines of text after the last row, such as a disclaimer.

        A note begins with a word, has no date in the column `day`, and fills at most two cells or
        begins with a sentence. A last line that may have been cut off is kept.
        """
        while self.records and _is_note(self.records[-1], day):
            if not self.ends_in_a_line and not _is_sentence(self.records[-1]):
                return
            self.lines.pop()
            self.records.pop()
            self.ends_in_a_line = True

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


def _filled_width(header: list[str]) -> int:
    """Return the number of columns. Of a line that is mostly empty only filled cells count: a
    spreadsheet makes a title as wide as the table.
    """
    filled = sum(map(bool, map(str.strip, header)))
    columns = len(header)
    return columns if 2 * filled > columns else filled


def _without_reason(record: list[str], place: int, width: int) -> list[str]:
    """Return a record without the reason at `place`, in a table with `width` columns."""
    if len(record) <= place:
        return record
    if record[place] == REASONS:
        return record[:width]
    kept = record[:place]
    while len(kept) > width and not kept[-1].strip():
        kept.pop()
    return kept


_WORD = re.compile(r"[^\W\d_]{3}")
_DIGIT = re.compile(r"\d")
WORDS_OF_A_SENTENCE = 4


def _cut_off(line: int) -> FileProblem:
    return FileProblem(
        "ragged_rows",
        f"The file ends in the middle of line {line}: it was cut off. Export it again.",
    )


def _is_note(record: list[str], day: int) -> bool:
    if not _WORD.search(record[0]):
        return False
    if day and day < len(record) and _DIGIT.search(record[day]):
        return False
    filled = sum(map(bool, map(str.strip, record)))
    return filled <= 2 or _is_sentence(record)


def _is_sentence(record: list[str]) -> bool:
    return len(record[0].split()) >= WORDS_OF_A_SENTENCE


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of statement: how to recognise it and how to read it.

    `columns` and `example` are shown to users and help to name the nearest format of an unknown
    file. With `reports_missing_columns` the reader checks the columns itself, so a file of a format
    that the user chose is read without `recognises`. `repeats` names a format whose files have the
    same transactions and more: a portfolio takes one of the two.
    """

    name: str
    label: str
    columns: Sequence[str]
    example: str
    recognises: Callable[[Table], bool]
    read: Callable[[Table, Options], Statement]
    reports_missing_columns: bool = False
    repeats: str = ""


def column_key(name: str) -> str:
    """Return the form in which column names are compared: exchange_rate for `Exchange Rate`."""
    words = name.replace("-", " ").replace("_", " ").split()
    return "_".join(words).casefold()
