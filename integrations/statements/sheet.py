"""Read a broker's file row by row, and add, ignore or refuse each row."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from financeproj.core.money import EXACT, ONE, ZERO, round_for_storage
from integrations.statements.accounts import require_account, several_accounts
from integrations.statements.base import (
    IGNORE,
    Options,
    Statement,
    StatementRow,
    Table,
)
from integrations.statements.checks import NOT_ABOVE_ZERO, REQUIRED, problems_of, unknown_currency
from integrations.statements.days import iso_day
from integrations.statements.raw_rows import UNPAIRED, BadRow, RawRow, bad_row, unpaired_reversal
from integrations.statements.values import folded, read_numbers
from portfolios.calc.import_rows import REVERSAL, REVERSED, RowProblem
from portfolios.calc.import_rows import gettext_noop as _
from portfolios.calc.kinds import RULES

NUMBERS = ("quantity", "price", "commission", "exchange_rate", "tax", "settlement_amount")
CURRENCIES = ("currency", "price_in", "commission_in", "rate_currency", "settlement_currency")
NAMES_OF_INSTRUMENTS = ("isin", "symbol", "company_name")
# What the sign of the amount says it is, whatever the broker's word.
PAID_IN_OR_OUT = frozenset({"deposit", "withdrawal"})


class Sheet:
    """A broker's file. Iterating gives its rows.

    Each row is added, ignored or refused within `collect_problem`. A format sets `for_words` (field
    → column) to let a person say what its unknown words mean: `date`, `amount`, `currency` (a
    column, or the code itself), and `quantity`, `isin`, `symbol`, `company_name`, `external_id` if
    the file has them. One that tells balances sets `moved_by_balance`: what a row moved if the
    balances agree, else None. Then a row of money alone with an unknown word is an adjustment.
    """

    def __init__(
        self,
        format_name: str,
        table: Table,
        options: Options,
        *,
        read_day: Callable[[str], date | None],
        decimal: str | None = None,
        columns: Mapping[str, int] | None = None,
        numbers: Iterable[str] = (),
    ) -> None:
        """Prepare the rows and read all numbers of the columns `numbers`.

        `decimal` is the broker's decimal separator: point or comma. Left out, the broker is known
        to mix them: each number is read in the only way possible, or else in the style of the file.
        """
        self.statement = Statement(format_name, table.encoding, table.delimiter)
        self.options = options
        self.read_day = _or_iso_day(read_day) if table.is_workbook else read_day
        self.columns = columns or _first_positions(table.header)
        self.rows: list[RawRow] = []
        for line, cells in zip(table.lines, table.records, strict=True):
            self.rows.append(RawRow(self, line, cells))
        self._labels: dict[str, str] = {}
        for name, position in self.columns.items():
            self._labels[name] = table.header[position].strip()
        self._delimiter = table.delimiter
        self._options = replace(options, decimal=options.decimal or decimal)
        self._is_mixed = decimal is None
        # Where a row has what it needs when a person says what an unknown word means.
        self.for_words: Mapping[str, str] = {}
        self.moved_by_balance: Callable[[RawRow], Decimal | None] = lambda raw: None
        self._numbers = self._read({raw[column] for raw in self.rows for column in numbers})

    def __iter__(self) -> Iterator[RawRow]:
        return iter(self.rows)

    def set_account(self, column: str) -> None:
        """Set the account of the statement, and keep the rows of that account alone.

        Raises FileProblem if the rows are of several accounts and the request names none, or one
        that is not in the file.
        """
        accounts = {raw[column] for raw in self.rows} - {""}
        chosen = self.options.account
        if chosen:
            require_account(chosen, accounts)
            self._keep(column, chosen)
        elif len(accounts) > 1:
            raise several_accounts(accounts)
        self.statement.account = chosen or min(accounts, default="")

    def _keep(self, column: str, account: str) -> None:
        """Keep the rows of an account. Those that name none could be of any, so they fail."""
        kept = []
        for raw in self.rows:
            if raw[column] == account:
                kept.append(raw)
            elif not raw[column]:
                self.statement.failed += 1
                self.statement.problems.append(REQUIRED.at(raw.line, self._labels[column], None))
        self.rows = kept

    def sort_oldest_first(self, *columns: str) -> list[RawRow]:
        """Sort the rows by the day in the first of `columns`, then by the text in the others.

        Brokers put the newest row first, also within a day. A file in the opposite order keeps it.
        """
        day_column, *text_columns = columns

        def sort_key(raw: RawRow) -> tuple[date | str, ...]:
            texts = [raw[column] for column in text_columns]
            return (self._day_or_earliest(raw, day_column), *texts)

        if not self._is_oldest_first(day_column):
            self.rows.reverse()
        self.rows.sort(key=sort_key)
        return self.rows

    def _is_oldest_first(self, day_column: str) -> bool:
        if not self.rows:
            return False
        first = self._day_or_earliest(self.rows[0], day_column)
        return first < self._day_or_earliest(self.rows[-1], day_column)

    def _day_or_earliest(self, raw: RawRow, column: str) -> date:
        return self.read_day(raw[column]) or date.min

    def number(self, text: str) -> Decimal | RowProblem:
        """Return the number in a text that is not empty, or what is wrong with it."""
        if text not in self._numbers:
            self._numbers |= self._read([text])
        return self._numbers[text]

    def _read(self, texts: Iterable[str]) -> dict[str, Decimal | RowProblem]:
        return read_numbers(
            texts, delimiter=self._delimiter, options=self._options, mixed=self._is_mixed
        )

    @contextmanager
    def collect_problem(self, raw: RawRow) -> Iterator[None]:
        """Turn a BadRow into a problem of `raw`, unless it is a word whose meaning was given."""
        try:
            yield
        except BadRow as error:
            problem: RowProblem | None = error.problem
            if error.problem.code == "unknown_type":
                problem = self._with_given_meaning(raw, error.problem)
            elif error.problem.code == UNPAIRED:
                problem = self._with_reversal(raw, error)
            if problem is not None:
                self._fail(raw, problem)

    def _fail(self, raw: RawRow, problem: RowProblem) -> None:
        self.statement.failed += 1
        self.statement.problems.append(self._labelled(raw, problem))

    def _labelled(self, raw: RawRow, problem: RowProblem) -> RowProblem:
        column = self._labels.get(problem.column or "") or problem.column
        return problem.at(raw.line, column, problem.value)

    def _with_given_meaning(self, raw: RawRow, problem: RowProblem) -> RowProblem | None:
        """Read a row with an unknown word as what a person said of it; return why not, if so."""
        word = problem.value or ""
        meaning = self.options.types.get(folded(word))
        if meaning is None and word and self._is_of_money_alone(raw):
            amount = self.moved_by_balance(raw)
            if amount:
                self._add_adjustment(raw, amount, word)
                return None
        if meaning is None:
            return problem
        if meaning == IGNORE:
            self.ignore(raw, word)
            return None
        if not {"date", "amount"} <= self.for_words.keys():
            return problem
        try:
            self._add_as(raw, meaning, word)
        except BadRow as error:
            return error.problem
        return None

    def _is_of_money_alone(self, raw: RawRow) -> bool:
        columns = [self.for_words.get(field, "") for field in NAMES_OF_INSTRUMENTS]
        return not any(raw[column] for column in columns)

    def _add_adjustment(self, raw: RawRow, amount: Decimal, word: str) -> None:
        """Add what an unknown word moved, and keep the line and the word for a warning."""
        _texts, fields = self._texts_for_words(raw, word)
        if self.add_money(raw, "adjustment", amount, self._currency_for_words(raw), **fields):
            self.statement.unknown_words.append((raw.line, word))

    def _texts_for_words(self, raw: RawRow, word: str) -> tuple[dict[str, str], dict[str, Any]]:
        """Return the texts of the columns `for_words`, and the fields that every type has."""
        texts = {field: raw[column] for field, column in self.for_words.items()}
        fields: dict[str, Any] = {
            "date": raw.day(self.for_words["date"]),
            "external_id": texts.get("external_id") or None,
            "note": word,
        }
        return texts, fields

    def _with_reversal(self, raw: RawRow, error: BadRow) -> RowProblem | None:
        """Let a row reverse one that an earlier file must have had; return why not, if so."""
        if error.reversal is None and not {"date", "amount"} <= self.for_words.keys():
            return error.problem
        try:
            fields = error.reversal or self._reversal_of(raw)
            if not (fields.get("isin") or fields.get("symbol")):
                return error.problem
            kept = {"type": "dividend", "quantity": ONE, "ticker": "", **fields}
            made = StatementRow(row=raw.line, takes_back=REVERSAL, **kept)
        except BadRow as other:
            return other.problem
        problems = problems_of(made)
        if problems:
            return problems[0]
        self.statement.reversals.append(made)
        self.statement.unpaired[raw.line] = self._labelled(raw, error.problem)
        return None

    def _reversal_of(self, raw: RawRow) -> dict[str, Any]:
        """Return what the row that `raw` reverses had: the instrument, the amount, the currency."""
        texts = {field: raw[column] for field, column in self.for_words.items()}
        amount = -raw.required_number(self.for_words["amount"])
        return {
            "date": raw.day(self.for_words["date"]),
            "price": abs(amount),
            "settlement_amount": amount or None,
            "settlement_currency": self._currency_for_words(raw) or None,
            "isin": texts.get("isin") or None,
            "symbol": texts.get("symbol") or None,
            "company_name": texts.get("company_name", ""),
            "external_id": texts.get("external_id") or None,
        }

    def _currency_for_words(self, raw: RawRow) -> str:
        column = self.for_words.get("currency", "")
        return self.currency_of(raw, column) or self.options.currency or ""

    def currency_of(self, raw: RawRow, column: str) -> str:
        """Return the currency of a row: what `column` has, or `column` itself if it is a code."""
        if self.options.is_currency(column):
            return column
        return raw[column]

    def _add_as(self, raw: RawRow, kind: str, word: str) -> None:
        """Add a row as the type `kind`. Its price follows from its amount. Raises BadRow."""
        texts, fields = self._texts_for_words(raw, word)
        amount = raw.required_number(self.for_words["amount"])
        currency = self._currency_for_words(raw)
        isin, symbol = texts.get("isin") or None, texts.get("symbol") or None
        if RULES[kind].stands_alone and not (isin or symbol):
            self.add_money(raw, kind, amount, currency, **fields)
            return
        rules = RULES[kind]
        if (rules.is_income or rules.returns_cost) and amount < 0:
            raise unpaired_reversal(self.for_words["amount"], amount)
        if rules.is_purchase or rules.is_sale:
            amount = rules.money * abs(amount)  # Some files give no signs.
        quantity = ONE
        if rules.moves_shares:
            quantity = abs(raw.required_number(self.for_words.get("quantity", "")))
        if not quantity:
            raise bad_row(self.for_words.get("quantity"), "0", "not_above", NOT_ABOVE_ZERO)
        self.add(
            raw,
            type=kind,
            quantity=quantity,
            price=round_for_storage(EXACT.divide(abs(amount), quantity)),
            currency=currency or None,
            settlement_currency=currency or None,
            settlement_amount=amount if RULES[kind].money else None,
            isin=isin,
            symbol=symbol,
            company_name=texts.get("company_name", ""),
            **fields,
        )

    def add(self, raw: RawRow, **fields: Any) -> StatementRow | None:
        """Add a transaction. Returns None, and reports the problems, if it has any."""
        made = StatementRow(row=raw.line, **{"ticker": ""} | fields)
        problems = problems_of(made)
        for name in NUMBERS:
            value = getattr(made, name)
            if isinstance(value, Decimal) and (problem := self.options.number_problem(value)):
                problems.append(problem.at(made.row, name, value))
        unknown: set[str] = set()
        for name in CURRENCIES:
            code = getattr(made, name)
            if code and code not in unknown and not self.options.is_currency(code):
                unknown.add(code)
                problems.append(unknown_currency(code).at(made.row, name, code))
        if not problems:
            self.statement.rows.append(made)
            return made
        self.statement.failed += 1
        self.statement.problems += problems
        return None

    def add_money(
        self, raw: RawRow, kind: str, amount: Decimal, currency: str, **fields: Any
    ) -> StatementRow | None:
        """Add a transaction of money alone.

        `amount` is signed as it moves the balance in `currency`; a row that moves nothing is
        ignored. A deposit below 0 is a withdrawal, and the other way round. Returns None, and
        reports the problems, if it has any.
        """
        if not amount:
            self.ignore(raw, kind)
            return None
        if kind in PAID_IN_OR_OUT:
            kind = "deposit" if amount > 0 else "withdrawal"
        return self.add(
            raw,
            type=kind,
            quantity=ONE,
            price=abs(amount),
            settlement_currency=currency,
            settlement_amount=amount,
            is_money_alone=True,
            **fields,
        )

    def add_net(
        self, raw: RawRow, *, commission: Decimal, commission_in: str | None = None, **fields: Any
    ) -> None:
        """Add a transaction whose commission may be negative, as with a tax refund or a rebate.

        A tax below 0 is paid back and counts with the commission. A recorded commission is 0 or
        more. What was paid back beyond it becomes `interest` of the instrument, with an id of its
        own.
        """
        tax = fields.get("tax")
        if tax is not None and tax < 0:
            commission, fields["tax"] = commission + tax, ZERO
        if commission >= 0:
            self.add(raw, commission=commission, commission_in=commission_in, **fields)
            return
        settled, code = fields.get("settlement_amount"), fields.get("settlement_currency")
        back: dict[str, Any] = {"settlement_amount": None, "settlement_currency": None}
        if settled is not None and code == (commission_in or fields.get("currency")):
            # The broker's amount has what was paid back in it.
            fields["settlement_amount"] = settled + commission
            back = {"settlement_amount": -commission, "settlement_currency": code}
        if self.add(raw, commission=ZERO, **fields) is None:
            return
        trade_id = fields.get("external_id")
        repaid = {
            "type": "interest",
            "quantity": ONE,
            "price": -commission,
            "price_in": commission_in,
            "tax": None,
            "external_id": trade_id and f"{trade_id}:back",
            "note": "More was paid back than charged.",
        }
        self.add(raw, **fields | back | repaid)

    def ignore(self, raw: RawRow, kind: str, amount: Decimal = ZERO, currency: str = "") -> None:
        """Count a row that moved neither shares nor money, or that the broker reversed."""
        self.statement.ignore(kind, amount, currency, line=raw.line)

    def ignore_reversed(
        self,
        raw: RawRow,
        kind: str,
        *external_ids: str,
        read: Callable[[], None] | None = None,
    ) -> None:
        """Ignore a row that the broker reversed.

        Keeps its ids, and what `read` makes of it: an earlier file may have had the row before it
        was reversed.
        """
        if read is not None:
            self._keep_reversed(raw, read)
        self.ignore(raw, kind)
        for external_id in external_ids:
            # PostgreSQL refuses a query with a null character, and no such id was ever recorded.
            if external_id and "\x00" not in external_id:
                self.statement.reversed_ids[external_id] = raw.line

    def _keep_reversed(self, raw: RawRow, read: Callable[[], None]) -> None:
        """Put what `read` adds of a row among the reversals, and nothing of it elsewhere."""
        try:
            rows = self.rows_of(read)
        except BadRow:
            return  # It is the row that reverses, or one that was never recorded.
        for row in rows:
            if row.row == raw.line:
                reversal = msgspec.structs.replace(row, takes_back=REVERSED)
                self.statement.reversals.append(reversal)

    def rows_of(self, read: Callable[[], None]) -> list[StatementRow]:
        """Return the rows that `read` adds, and add nothing. Raises BadRow as `read` does."""
        statement = self.statement
        aside = Statement(statement.format, statement.encoding, statement.delimiter)
        self.statement = aside
        try:
            read()
        finally:
            self.statement = statement
        return aside.rows

    def unknown_type(self, column: str, text: str) -> BadRow:
        """Make the error of a row whose type is not known."""
        if not text:
            return bad_row(
                column, text, "unknown_type", _("The type is empty. Fill it in, or skip this row.")
            )
        message = _(
            "%(type)s is not a known type of this format. Enter the transaction by hand and skip "
            "this row."
        )
        return bad_row(column, text, "unknown_type", message, type=text)


def _or_iso_day(read_day: Callable[[str], date | None]) -> Callable[[str], date | None]:
    """Return a function that also reads the dates that a workbook's cells become."""

    def read(text: str) -> date | None:
        return iso_day(text) or read_day(text)

    return read


def _first_positions(header: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for position, name in enumerate(header):
        found.setdefault(name.strip(), position)
    return found


def id_of_part(row_id: str | None, part: str) -> str | None:
    """Return the id of one of several transactions of a row, None if the row has no id."""
    if not row_id:
        return None
    return row_id + part


def has_columns(*names: str) -> Callable[[Table], bool]:
    """Return a test of whether a table's header has all of `names`."""
    required = frozenset(names)

    def recognises(table: Table) -> bool:
        return required <= {name.strip() for name in table.header}

    return recognises
