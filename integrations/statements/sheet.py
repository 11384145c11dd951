"""Reading a broker's file row by row: cells by column, and what becomes of each row."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from financeproj.core.money import EXACT, ONE, ZERO, round_for_storage
from integrations.statements.base import Options, Statement, StatementRow, Table
from integrations.statements.checks import REQUIRED, problems_of, unknown_currency
from integrations.statements.values import checked_day, day_of, read_numbers
from portfolios.calc.import_rows import RowProblem
from portfolios.calc.import_rows import gettext_noop as _

# Quoted in hundredths: the symbol at the broker → the currency itself.


NOT_THE_BROKERS = RowProblem(
    "invalid",
    _(
        "This broker writes dates differently. If a spreadsheet changed this one, import the file "
        "as it was downloaded."
    ),
)


class BadRow(Exception):
    """This row cannot be used; `problem` says why."""

    def __init__(self, problem: RowProblem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def bad_row(column: str | None, value: Any, code: str, message: str, **params: Any) -> BadRow:
    """Make the error of the row that is being read; `message` has placeholders for `params`."""
    texts = {name: str(param) for name, param in params.items()}
    return BadRow(RowProblem(code, message, texts).at(0, column, value))


def taken_back(column: str, amount: Decimal) -> BadRow:
    """Make the error of a row that reverses another, or a part of it, which is not in the file."""
    message = _(
        "This row reverses all or part of an earlier one that is not in this file. Delete or correct "
        "that transaction, then import again and skip this row."
    )
    return bad_row(column, amount, "unpaired_reversal", message)


class Raw:
    """One row of the file. `raw["Kurs"]` is the stripped text, empty where the file has no such
    column.
    """

    __slots__ = ("_sheet", "cells", "line")

    def __init__(self, sheet: "Sheet", line: int, cells: list[str]) -> None:
        self._sheet, self.line, self.cells = sheet, line, cells

    def __getitem__(self, column: str) -> str:
        position = self._sheet.columns.get(column)
        return (
            self.cells[position].strip()
            if position is not None and position < len(self.cells)
            else ""
        )

    def number(self, column: str) -> Decimal | None:
        """None for an empty cell; raises BadRow for one that is no number."""
        text = self[column]
        value = self._sheet.number(text) if text else None
        if isinstance(value, RowProblem):
            raise BadRow(value.at(0, column, text))
        return value

    def needed(self, column: str) -> Decimal:
        value = self.number(column)
        if value is None:
            raise BadRow(REQUIRED.at(0, column, None))
        return value

    def amount(self, column: str) -> Decimal:
        """0 for an empty cell."""
        return self.number(column) or ZERO

    def day(self, column: str) -> date:
        text = self[column]
        if not text:
            raise BadRow(REQUIRED.at(0, column, None))
        read = self._sheet.read_day(text)
        found = NOT_THE_BROKERS if read is None else checked_day(read, self._sheet.options)
        if isinstance(found, RowProblem):
            raise BadRow(found.at(0, column, text))
        return found


class Sheet:
    """A broker's file. Iterating gives its rows; each is to be added, ignored or failed within
    `row`.
    """

    def __init__(
        self,
        name: str,
        table: Table,
        options: Options,
        *,
        read_day: Callable[[str], date | None],
        decimal: str | None = None,
        columns: Mapping[str, int] | None = None,
        numbers: Iterable[str] = (),
    ) -> None:
        """`decimal` is how this broker writes numbers; left out, it is known to mix, and each of
        the columns `numbers` is read as it can be, by the style of the file where it could be
        either.
        """
        self.statement = Statement(name, table.encoding, table.delimiter)
        self.options = options
        self.read_day = read_day
        self.columns = columns or _first_positions(table.header)
        self.rows = [
            Raw(self, line, cells) for line, cells in zip(table.lines, table.records, strict=True)
        ]
        self._labels = {
            name: table.header[position].strip() for name, position in self.columns.items()
        }
        self._delimiter = table.delimiter
        self._options = replace(options, decimal=options.decimal or decimal)
        self._is_mixed = decimal is None
        self._numbers = self._read({raw[column] for raw in self.rows for column in numbers})

    def __iter__(self) -> Iterator[Raw]:
        return iter(self.rows)

    def take_account(self, column: str) -> None:
        """Note whose rows these are; nothing if they are of several accounts."""
        accounts = {raw[column] for raw in self.rows if raw[column]}
        self.statement.account = accounts.pop() if len(accounts) == 1 else ""

    def oldest_first(self, *columns: str) -> list[Raw]:
        """The rows by the day in the first of `columns`, then by the text in the others. Brokers
        put the newest first, also within a day; a file that is the other way round is left as it
        is.
        """
        days = [self.read_day(raw[columns[0]]) or date.min for raw in self.rows]
        if not (days and days[0] < days[-1]):
            self.rows.reverse()
        self.rows.sort(
            key=lambda raw: (
                self.read_day(raw[columns[0]]) or date.min,
                *map(raw.__getitem__, columns[1:]),
            )
        )
        return self.rows

    def number(self, text: str) -> Decimal | RowProblem:
        if text not in self._numbers:
            self._numbers |= self._read([text])
        return self._numbers[text]

    def _read(self, texts: Iterable[str]) -> dict[str, Decimal | RowProblem]:
        return read_numbers(
            texts, delimiter=self._delimiter, options=self._options, mixed=self._is_mixed
        )

    @contextmanager
    def row(self, raw: Raw) -> Iterator[None]:
        """Turn a BadRow into a problem of `raw`."""
        try:
            yield
        except BadRow as error:
            problem = error.problem
            column = self._labels.get(problem.column or "") or problem.column
            self.statement.failed += 1
            self.statement.problems.append(problem.at(raw.line, column, problem.value))

    def add(self, raw: Raw, **fields: Any) -> StatementRow | None:
        """Take a transaction from `raw`; None if something is wrong with it, which is then
        reported.
        """
        made = StatementRow(row=raw.line, **{"ticker": ""} | fields)
        problems = problems_of(made)
        for name in ("quantity", "price", "commission", "exchange_rate"):
            value = getattr(made, name)
            if isinstance(value, Decimal) and (problem := self.options.number_problem(value)):
                problems.append(problem.at(made.row, name, value))
        for name in ("currency", "price_in", "commission_in", "rate_currency"):
            code = getattr(made, name)
            if code and not self.options.is_currency(code):
                problems.append(unknown_currency(code).at(made.row, name, code))
        if not problems:
            self.statement.rows.append(made)
            return made
        self.statement.failed += 1
        self.statement.problems += problems
        return None

    def add_net(
        self, raw: Raw, *, commission: Decimal, commission_in: str | None = None, **fields: Any
    ) -> None:
        """As `add`, where a broker may give back more than it takes: tax with a sale, a rebate of
        the exchange.

        A commission is 0 or more, so what was given back beyond it is `interest` of the instrument,
        with an id of its own.
        """
        if commission >= 0:
            self.add(raw, commission=commission, commission_in=commission_in, **fields)
        elif self.add(raw, commission=ZERO, **fields):
            name = fields.get("external_id")
            paid = {
                "type": "interest",
                "quantity": ONE,
                "price": -commission,
                "price_in": commission_in,
            }
            rest = {
                "external_id": name and f"{name}:back",
                "note": "More was paid back than charged.",
            }
            self.add(raw, **fields | paid | rest)

    def ignore(self, raw: Raw, kind: str, amount: Decimal = ZERO, currency: str = "") -> None:
        """Count a row that concerns no instrument, or that the broker took back."""
        self.statement.ignored += 1
        kind, currency = kind[:100].replace("\x00", ""), currency[:20].replace("\x00", "")
        count, total = self.statement.ignored_sums.get((kind, currency), (0, ZERO))
        self.statement.ignored_sums[kind, currency] = (count + 1, EXACT.add(total, amount))

    def take_back(self, raw: Raw, kind: str, *external_ids: str) -> None:
        """Ignore a row that the broker took back, and keep its ids in case it was imported before
        that.
        """
        self.ignore(raw, kind)
        # An id with a null character was never recorded, and PostgreSQL takes no question about it.
        could_be = [name for name in external_ids if name and "\x00" not in name]
        self.statement.taken_back |= dict.fromkeys(could_be, raw.line)

    def unknown(self, column: str, text: str) -> BadRow:
        """Make the error of a row whose type is not known."""
        if not text:
            return bad_row(column, text, "unknown_type", _("The type is empty."))
        message = _("%(type)s is not a known type of this format.")
        return bad_row(column, text, "unknown_type", message, type=text)


def _first_positions(header: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for position, name in enumerate(header):
        found.setdefault(name.strip(), position)
    return found


def has_columns(*names: str) -> Callable[[Table], bool]:
    """Whether a header has all of these."""
    return lambda table: set(names) <= {name.strip() for name in table.header}


# --- Arithmetic of brokers ------------------------------------------------------------------------

# A commission that is only the difference of two figures may be this much of the currency, or this
# part of the trade.
MAX_COMMISSION, MAX_PART = Decimal(100), Decimal("0.05")


def require_commission(
    raw: Raw,
    column: str,
    commission: Decimal,
    quantity: Decimal,
    price: Decimal,
    *,
    rounding: Decimal = ZERO,
) -> None:
    """Check a commission that is what the amount in `column` has beyond quantity times price.

    Raises BadRow(amount_mismatch) if it is negative by more than `rounding`, or more than both
    100 and 5 %: then one of the figures is not what it was taken for.
    """
    gross = EXACT.multiply(quantity, price)
    if not -rounding <= commission <= max(MAX_COMMISSION, EXACT.multiply(gross, MAX_PART)):
        message = _(
            "%(quantity)s × %(price)s = %(gross)s, but the amount is %(amount)s. A difference of "
            "%(difference)s is not a plausible commission."
        )
        raise bad_row(
            column,
            raw[column],
            "amount_mismatch",
            message,
            quantity=quantity,
            price=price,
            gross=gross,
            amount=raw[column],
            difference=commission,
        )


def divided(value: Decimal, by: Decimal) -> Decimal:
    """A quotient as stored: 15 digits."""
    return round_for_storage(EXACT.divide(value, by))


# --- Days as brokers write them -------------------------------------------------------------------

_MONTHS = {
    # English, Dutch, German, Danish, Norwegian, Swedish, French, Spanish, Italian, Portuguese
    1: "jan ene gen janv",
    2: "feb fev fév febr févr",
    3: "mar maa mrt mär mars mrz maart",
    4: "apr abr avr avril april",
    5: "may mai mei maj mag maio mayo",
    6: "jun juni giu juin june",
    7: "jul juli lug juil july",
    8: "aug ago aoû août",
    9: "sep sept set",
    10: "oct okt ott out",
    11: "nov nov.",
    12: "dec des dez dic déc",
}
MONTHS = {name: number for number, names in _MONTHS.items() for name in names.split()}
_NAMED = re.compile(r"(\d{1,2})[-. ]([^\W\d_]{3,12})\.?[-. ](\d{4})")
_ISO_BEGINNING = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ,]|$)", re.ASCII)
_DASHED_BEGINNING = re.compile(r"(\d\d)-(\d\d)-(\d{4})(?: |$)", re.ASCII)
_COMPACT_BEGINNING = re.compile(r"(\d{4})(\d\d)(\d\d)(?:[;, ]|$)", re.ASCII)


def iso_day(text: str) -> date | None:
    """2024-12-31, alone or before a time."""
    match = _ISO_BEGINNING.match(text)
    return day_of(*map(int, match.groups())) if match else None


def dashed_day(text: str) -> date | None:
    """31-12-2024, alone or before a time."""
    match = _DASHED_BEGINNING.match(text)
    return day_of(int(match[3]), int(match[2]), int(match[1])) if match else None


def compact_day(text: str) -> date | None:
    """20241231, alone or before a time; also 2024-12-31."""
    match = _COMPACT_BEGINNING.match(text)
    return day_of(*map(int, match.groups())) if match else iso_day(text)


def named_day(text: str) -> date | None:
    """31-Dec-2024, in the languages of Europe."""
    match = _NAMED.fullmatch(text)
    month = MONTHS.get(match[2].casefold()) if match else None
    return day_of(int(match[3]), month, int(match[1])) if match and month else None


def added_to(held: Decimal, added: Decimal) -> Decimal:
    """The ratio of a split of which only the new shares are told, from what the file says was held
    before.

    Raises BadRow unless that is a plain number of new shares for one old: then the file does
    not begin with the first purchase.
    """
    if held > 0 and added > 0:
        ratio = EXACT.divide(held + added, held)
        # The shares are rounded to some eight places.
        plain = (
            ratio.quantize(Decimal(1))
            if ratio >= Decimal("1.9")
            else ratio.quantize(Decimal("0.1"))
        )
        if plain > 1 and abs(ratio - plain) < Decimal("0.0005"):
            return plain
    raise bad_row(
        "Quantity",
        added,
        "unknown_split_ratio",
        _(
            "The file does not give the ratio of this split. Skip the row: splits that the market "
            "data source knows are booked automatically."
        ),
    )
