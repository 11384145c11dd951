"""Any table, with a mapping from our columns to its own: the generic format with other headings."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import msgspec

from financeproj.core.identifiers import looks_like_isin
from financeproj.core.money import EXACT, ONE, ZERO, round_for_storage
from integrations.statements import generic
from integrations.statements.accounts import require_account, several_accounts
from integrations.statements.amounts import cash_effect, gross_of, half_unit, rounding_of_product
from integrations.statements.base import (
    FileProblem,
    Format,
    Options,
    Statement,
    StatementRow,
    Table,
)
from integrations.statements.checks import REQUIRED
from integrations.statements.sheet import PAID_IN_OR_OUT
from integrations.statements.totals import ignore_totals, take_ends
from integrations.statements.values import number_style, read_numbers
from portfolios.calc.import_rows import RowProblem
from portfolios.calc.import_rows import gettext_noop as _
from portfolios.calc.kinds import RULES

EXTRA = ("amount", "isin", "account")  # which the generic format does not have
COLUMNS = (*generic.COLUMNS, *EXTRA)
_REQUIRED = ("date", "type")

BAD_ISIN = RowProblem("invalid", _("Not an ISIN: two letters, nine characters and a check digit."))


def read(table: Table, options: Options) -> Statement:
    """Read a table by `options.mapping`. Raises FileProblem(unknown_format) if it does not fit."""
    ours = _our_columns(options)
    table = _from_its_header(table, ours)
    names = _names(table)
    absent = ours.keys() - set(names)
    if absent:
        raise FileProblem(
            "unknown_format", f"The header has no column {', '.join(sorted(absent))}."
        )
    _require_enough(options)
    # A column that is not mapped is not read, whatever its name.
    header = [ours.get(name, "") for name in names]
    records = list(map(list, table.records))
    mapped = replace(table, header=header, lines=list(table.lines), records=records)
    positions = {name: position for position, name in enumerate(header) if name}
    totals = take_ends(mapped, positions)
    mapped.require_rectangle()
    statement = _MappedTable(mapped, options).statement()
    ignore_totals(statement, totals)
    statement.header = names
    return statement


def has_mapped_columns(table: Table, options: Options) -> bool:
    """Return whether a line of the table has all columns of the mapping."""
    ours = _our_columns(options)
    return any(ours.keys() <= set(_names(one)) for one in table.from_each_header())


def _from_its_header(table: Table, ours: Mapping[str, str]) -> Table:
    """Return the table from the line on that has all columns of the mapping, else as it is."""
    for candidate in table.from_each_header():
        if ours.keys() <= set(_names(candidate)):
            return candidate
    return table


def _names(table: Table) -> list[str]:
    return [name.strip() for name in table.header]


def _our_columns(options: Options) -> dict[str, str]:
    """Return our column for each of theirs. Raises FileProblem if one of theirs is used twice."""
    unknown = options.mapping.keys() - set(COLUMNS)
    if unknown:
        raise FileProblem(
            "unknown_format",
            f"The mapping has the unknown column {', '.join(sorted(unknown))}. "
            f"Use {', '.join(COLUMNS)}.",
        )
    ours: dict[str, list[str]] = defaultdict(list)
    for our, theirs in options.mapping.items():
        ours[theirs.strip()].append(our)
    for theirs, names in ours.items():
        if len(names) > 1:
            raise FileProblem(
                "unknown_format",
                f"The mapping uses the column {theirs} for {' and '.join(sorted(names))}. "
                "Use it for only one of them.",
            )
    return {theirs: names[0] for theirs, names in ours.items()}


def _require_enough(options: Options) -> None:
    missing = [name for name in _REQUIRED if name not in options.mapping]
    if not options.mapping.keys() & {"price", "amount", "settlement_amount"}:
        missing.append("price or amount")
    if missing:
        raise FileProblem(
            "unknown_format", f"The mapping lacks {', '.join(missing)}. Add these columns."
        )


@dataclass(slots=True)
class _Cells:
    """What the columns that the generic format does not have say of each row."""

    amounts: list[Decimal | RowProblem | None]
    isins: list[str]


class _MappedTable:
    """A table under our headings, read as the generic format after its words are ours."""

    def __init__(self, table: Table, options: Options) -> None:
        self._table = table
        self._options = options
        self._account = ""
        self._positions = {name: at for at, name in enumerate(table.header) if name}

    def statement(self) -> Statement:
        without_account = self._keep_account()
        self._translate_tickers()
        options = self._options
        names = {*generic.NUMBERS, "amount"} & self._positions.keys()
        numbers: set[str] = set()
        for name in names:
            numbers.update(self._column(name))
        style = number_style(numbers, delimiter=self._table.delimiter, options=options)
        options = replace(options, decimal=style)
        cells = _Cells(self._amounts(options), [cell.strip() for cell in self._column("isin")])
        # The generic format would report these columns as unread.
        header = list(self._table.header)
        for position, name in enumerate(header):
            if name in EXTRA:
                header[position] = ""

        def complete(row: StatementRow, index: int) -> StatementRow:
            return _completed(row, cells.amounts[index], cells.isins[index], options)

        statement = generic.read(
            replace(self._table, header=header),
            options,
            name="mapped",
            required=_REQUIRED,
            complete=complete,
        )
        statement.account = self._account
        statement.failed += len(without_account)
        for line in without_account:
            statement.problems.append(REQUIRED.at(line, "account", None))
        return statement

    def _keep_account(self) -> list[int]:
        """Keep the rows of one account, and return the lines of rows that name none.

        Raises FileProblem if there are several and the request names none, or one that is not in
        the file.
        """
        accounts = set(map(str.strip, self._column("account"))) - {""}
        if not self._options.account:
            if len(accounts) > 1:
                raise several_accounts(accounts)
            self._account = min(accounts, default="")
            return []
        require_account(self._options.account, accounts)
        self._account = self._options.account
        at = self._positions["account"]
        without: list[int] = []
        lines: list[int] = []
        records: list[list[str]] = []
        for line, record in zip(self._table.lines, self._table.records, strict=True):
            account = record[at].strip()
            if account == self._account:
                lines.append(line)
                records.append(record)
            elif not account:
                without.append(line)
        self._table.lines, self._table.records = lines, records
        return without

    def _column(self, name: str) -> Sequence[str]:
        position = self._positions.get(name)
        if position is None:
            return [""] * len(self._table.records)
        return [record[position] for record in self._table.records]

    def _translate_tickers(self) -> None:
        """Add the suffix of an exchange to the tickers without one."""
        at = self._positions.get("ticker")
        suffix = self._options.ticker_suffix
        if at is None or not suffix:
            return
        for record in self._table.records:
            ticker = record[at].strip()
            if ticker and "." not in ticker:
                record[at] = ticker + suffix

    def _amounts(self, options: Options) -> list[Decimal | RowProblem | None]:
        texts = self._column("amount")
        numbers = read_numbers(texts, delimiter=self._table.delimiter, options=options)
        return [numbers.get(text) for text in texts]


def _completed(
    row: StatementRow, amount: Decimal | RowProblem | None, isin: str, options: Options
) -> StatementRow:
    """Return the row with its instrument by ISIN, its currency and its amount."""
    fields: dict[str, object] = {}
    if isin and not row.ticker:
        fields |= _by_isin(row, isin)
    if row.currency is None and not row.is_money_alone:
        fields["currency"] = options.currency
    if row.is_money_alone and row.settlement_currency is None:
        fields["settlement_currency"] = options.currency
    if fields:
        row = msgspec.structs.replace(row, **fields)
    if amount is None:
        return row
    if isinstance(amount, RowProblem):
        return msgspec.structs.replace(row, settlement_amount=amount)
    if row.type not in RULES:
        # The unknown word is the problem; the price is not missing.
        return msgspec.structs.replace(row, price=abs(amount) if row.price is None else row.price)
    return _with_amount(row, amount)


def _by_isin(row: StatementRow, isin: str) -> dict[str, object]:
    """Return the fields of a row that names its instrument by ISIN alone."""
    fields: dict[str, object] = {"isin": isin.upper()}
    if not looks_like_isin(isin.upper()):
        fields = {"ticker": BAD_ISIN}
    if row.is_money_alone:  # Read without an instrument, it was taken for money alone.
        fields |= {
            "is_money_alone": False,
            "currency": row.settlement_currency,
            "settlement_amount": None,
            "settlement_currency": None,
        }
    return fields


def _with_amount(row: StatementRow, amount: Decimal) -> StatementRow:
    """Return the row with the amount that moved the account; a missing price follows from it."""
    if row.is_money_alone:
        return _money_of(row, amount)
    sign = RULES[row.type].money
    if not sign:
        return row
    quantity = row.quantity
    if row.type not in ("buy", "sell") and quantity is None:
        quantity = ONE
    if not isinstance(quantity, Decimal) or quantity <= 0:
        return row
    charges = _number_or_zero(row.commission) + _number_or_zero(row.tax)
    settled = abs(amount) * sign
    side = "buy" if sign < 0 else "sell"
    price = row.price
    if price is None:
        gross = gross_of(side, abs(settled), charges)
        price = round_for_storage(EXACT.divide(gross, quantity))
    elif isinstance(price, Decimal) and row.exchange_rate is None:
        gross = EXACT.multiply(quantity, price)
        rounding = rounding_of_product(quantity, price, ONE) + half_unit(amount)
        expected = cash_effect(side, gross, charges)
        if abs(expected - settled) > rounding:
            if abs(abs(amount) - gross) > rounding:
                return msgspec.structs.replace(
                    row, settlement_amount=_differs(quantity, price, charges, expected, amount)
                )
            settled = expected  # The amount is that without charges.
    currency = row.settlement_currency or row.currency
    return msgspec.structs.replace(
        row,
        quantity=quantity,
        price=price,
        settlement_amount=settled if row.settlement_amount is None else row.settlement_amount,
        settlement_currency=currency,
    )


def _money_of(row: StatementRow, amount: Decimal) -> StatementRow:
    if row.settlement_amount is not None and not isinstance(row.settlement_amount, RowProblem):
        return row
    if row.type in PAID_IN_OR_OUT:
        amount = abs(amount) * RULES[row.type].cash
    return msgspec.structs.replace(row, price=abs(amount), settlement_amount=amount)


def _number_or_zero(value: Decimal | RowProblem | None) -> Decimal:
    return value if isinstance(value, Decimal) else ZERO


def _differs(
    quantity: Decimal, price: Decimal, charges: Decimal, expected: Decimal, amount: Decimal
) -> RowProblem:
    message = _(
        "%(quantity)s × %(price)s with charges of %(charges)s gives %(expected)s, but the "
        "amount is %(amount)s."
    )
    params = {
        "quantity": str(quantity),
        "price": str(price),
        "charges": str(charges),
        "expected": str(expected),
        "amount": str(amount),
    }
    return RowProblem("amount_differs", message, params)


def never_recognises(table: Table) -> bool:
    """Return False: only a request with a mapping can choose this format."""
    return False


FORMATS = (
    Format(
        name="mapped",
        label="Any table, with `mapping` naming its columns",
        columns=(),
        example="",
        recognises=never_recognises,
        read=read,
        reports_missing_columns=True,
    ),
)
