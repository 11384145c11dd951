"""Our own CSV: the one that we export, and those that users make in a spreadsheet."""

import csv
import difflib
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import starmap
from typing import Any

import msgspec

from financeproj.core.identifiers import MAJOR_CURRENCIES
from financeproj.core.money import EXACT, ONE, ZERO, round_for_storage, strip_zeros
from integrations.statements.base import (
    IGNORE,
    FileProblem,
    Format,
    Options,
    Statement,
    StatementRow,
    Table,
    column_key,
)
from integrations.statements.checks import problems_of, unknown_currency
from integrations.statements.totals import ignore_totals, take_ends
from integrations.statements.values import folded, read_dates, read_numbers
from portfolios.calc.import_rows import RowProblem
from portfolios.calc.import_rows import gettext_noop as _
from portfolios.calc.kinds import MONEY_TYPES, RULES, types_where

COLUMNS = (
    "date",
    "type",
    "ticker",
    "company_name",
    "quantity",
    "price",
    "currency",
    "commission",
    "exchange_rate",
    "note",
    "external_id",
    "tax",
    "settlement_currency",
    "settlement_amount",
    "booked_on",
    "group",
    "group_kind",
    "group_label",
    "cost_share",
)
# What every version has exported. In such a file shares that were moved in may have a charge.
EXPORTED = COLUMNS[:11]
REQUIRED = ("date", "type", "ticker", "quantity", "price")
# The fields of a StatementRow after its line, in their order.
VALUES = (
    "type",
    "date",
    "ticker",
    "quantity",
    "price",
    "commission",
    "exchange_rate",
    "currency",
    "company_name",
    "note",
    "external_id",
    "tax",
    "settlement_currency",
    "settlement_amount",
    "booked_on",
)
GROUP = ("group", "group_kind", "group_label", "cost_share")
NUMBERS = (
    "quantity",
    "price",
    "commission",
    "exchange_rate",
    "tax",
    "settlement_amount",
    "cost_share",
)
EXAMPLE = (
    f"{','.join(COLUMNS)}\r\n"
    "2024-03-01,buy,EQNR.OL,Equinor ASA,10,281.35,NOK,29,,,\r\n"
    "2024-05-15,dividend,EQNR.OL,,10,3.68,NOK,,,,\r\n"
)

LEGS = types_where(lambda rules: rules.is_exchange)
MOVED_IN = types_where(lambda rules: rules.brings_cost)
LABEL = 100  # characters
SIGN_NEEDED = RowProblem(
    "settlement_amount_required",
    _("Money of this type can come in or go out: give settlement_amount, signed."),
)

# A spreadsheet reads a cell that begins like this as a formula, also with the full-width characters
# of East Asian keyboards. A Norwegian one splits our lines at each ; and, since no quotation mark
# begins such a cell, at each line break. An apostrophe before the character marks text.
_CELL_BEGINS = r"(?:\A|(?<=[;\r\n]))"
_ACTIVE = r"""'*+"*+[=+\-@\t\r＝＋－＠]"""
_UNGUARDED = re.compile(f"{_CELL_BEGINS}(?={_ACTIVE})")
_GUARDED = re.compile(f"{_CELL_BEGINS}'(?={_ACTIVE})")


def guarded(text: str) -> str:
    """Return `text` as a cell that a spreadsheet does not calculate. `unguarded` reverses it."""
    return _UNGUARDED.sub("'", text)


def unguarded(cell: str) -> str:
    """Remove the apostrophes that `guarded` added, and no others."""
    return _GUARDED.sub("", cell)


def recognises(table: Table) -> bool:
    return set(map(column_key, table.header)).issuperset(REQUIRED)


def read(
    table: Table,
    options: Options,
    *,
    name: str = "generic",
    required: Sequence[str] = REQUIRED,
    complete: Callable[[StatementRow, int], StatementRow] = lambda row, index: row,
) -> Statement:
    """Read rows and report every problem of each. Raises FileProblem.

    `complete` adds to a row, given its number in the table, what other columns say. Rows whose word
    means "ignore" are ignored.
    """
    positions = _positions(table, required)
    totals = take_ends(table, positions)
    table.require_rectangle()
    statement = Statement(name, table.encoding, table.delimiter)
    ignore_totals(statement, totals)
    columns = list(zip(*table.records, strict=True)) or [()] * len(table.header)
    statement.unread = _unread(table.header, columns)
    absent = ("",) * len(table.records)
    cells: dict[str, Sequence[str]] = dict.fromkeys(COLUMNS, absent)
    for column, position in positions.items():
        cells[column] = columns[position]
    is_export = positions.keys() >= set(EXPORTED)
    for index, read_row in enumerate(_rows(table, cells, options)):
        if read_row.type == IGNORE:
            statement.ignore(cells["type"][index].strip(), line=read_row.row)
            continue
        row = complete(read_row, index)
        if is_export:
            row = _with_charge_in_price(row)
        problems = problems_of(row)
        if not problems:
            statement.rows.append(row)
            continue
        statement.failed += 1
        for problem in problems:
            column = problem.column or ""
            cell = cells[column][index] if column in positions else None
            statement.problems.append(problem.at(row.row, column, cell))
    return statement


def _rows(
    table: Table, cells: dict[str, Sequence[str]], options: Options
) -> Iterator[StatementRow]:
    """Yield the rows. A field has a RowProblem in place of a value that could not be read.

    Each distinct text of a column is read once.
    """
    values: dict[str, dict[str, Any]] = {
        "date": _dates(cells["date"], options),
        "type": _by_text(cells["type"], lambda text: _type(text, options)),
        "ticker": _by_text(cells["ticker"], _ticker),
        "currency": _by_text(cells["currency"], lambda text: _currency(text, options)),
        "company_name": _by_text(cells["company_name"], unguarded),
        "note": dict(zip(cells["note"], map(unguarded, cells["note"]), strict=True)),
        "external_id": _by_text(cells["external_id"], _external_id),
        "settlement_currency": _by_text(
            cells["settlement_currency"], lambda text: _currency(text, options)
        ),
        "booked_on": _booking_days(cells, options),
    }
    values |= dict.fromkeys(NUMBERS, _numbers(cells, table.delimiter, options))
    fields = [map(values[name].__getitem__, cells[name]) for name in VALUES]
    rows = starmap(StatementRow, zip(table.lines, *fields, strict=True))
    numbers = values["cost_share"]
    groups = [cells[name] for name in GROUP]
    for row, group, kind, label, share in zip(rows, *groups, strict=True):
        if _is_money(row):
            yield _as_money(row, group.strip(), kind.strip())
        elif row.type in LEGS:
            yield _as_leg(row, group.strip(), kind.strip(), label.strip(), numbers[share])
        else:
            yield row


def _as_leg(
    row: StatementRow, group: str, kind: str, label: str, share: Decimal | RowProblem | None
) -> StatementRow:
    """Return a leg of a group of shares. An empty quantity of what goes out stands for all."""
    quantity: Decimal | RowProblem | None = row.quantity
    if quantity is None and RULES[row.type].shares < 0:
        quantity = ZERO
    return msgspec.structs.replace(
        row,
        quantity=quantity,
        price=None,
        group=group,
        group_kind=kind,
        group_label=unguarded(label)[:LABEL],
        cost_share=share,
    )


def _with_charge_in_price(row: StatementRow) -> StatementRow:
    """Put into the price what an earlier version exported as the charge of shares moved in."""
    charges = (row.commission or ZERO, row.tax or ZERO)
    is_readable = all(isinstance(one, Decimal) for one in (row.quantity, *charges))
    if row.type not in MOVED_IN or not is_readable or not isinstance(row.price, Decimal):
        return row
    if not row.quantity or not row.charge > 0:
        return row
    cost = EXACT.add(EXACT.multiply(row.quantity, row.price), row.charge)
    return msgspec.structs.replace(
        row,
        price=round_for_storage(EXACT.divide(cost, row.quantity)),
        commission=None,
        tax=None,
        former_price=row.price,
        former_charge=row.charge,
    )


def _type(text: str, options: Options) -> str:
    """Return our type for a word: what a person said of it, else the word itself."""
    kind = text.casefold()
    if options.types:
        kind = options.types.get(folded(text), kind)
    return kind


def _is_money(row: StatementRow) -> bool:
    """Whether a row has no instrument, and its type can do without."""
    return not row.ticker and row.type in MONEY_TYPES


def _as_money(row: StatementRow, group: str, group_kind: str) -> StatementRow:
    """Return a row of money alone; without `settlement_amount` the type says the sign.

    What could not be read stays as it is, and is reported by the checks.
    """
    amount: Decimal | RowProblem | None = row.settlement_amount
    if amount is None:
        amount = _signed(row)
    quantity: Decimal | RowProblem = ONE
    if isinstance(row.quantity, RowProblem):
        quantity = row.quantity
    price = row.price
    if isinstance(amount, Decimal):
        price = abs(amount)
    currency, settled_in = None, row.settlement_currency
    if isinstance(row.currency, RowProblem):
        currency = row.currency
    else:
        settled_in = settled_in or row.currency
    return msgspec.structs.replace(
        row,
        quantity=quantity,
        price=price,
        currency=currency,
        settlement_currency=settled_in,
        settlement_amount=amount,
        is_money_alone=True,
        group=group,
        group_kind=group_kind,
    )


def _signed(row: StatementRow) -> Decimal | RowProblem | None:
    """Return quantity × price with the sign of the type; None where either sign is possible."""
    sign = RULES[row.type].cash or RULES[row.type].money
    quantity = ONE if row.quantity is None else row.quantity
    if not isinstance(quantity, Decimal) or not isinstance(row.price, Decimal):
        return None
    if not sign:
        return SIGN_NEEDED
    return EXACT.multiply(sign * quantity, row.price)


def _by_text(texts: Iterable[str], convert: Callable[[str], Any]) -> dict[str, Any]:
    """Return the value of each distinct text, converted without the blanks around it."""
    return {text: convert(text.strip()) for text in set(texts)}


def _dates(texts: Iterable[str], options: Options) -> dict[str, Any]:
    distinct = set(texts)
    filled = filter(str.strip, distinct)
    return dict.fromkeys(distinct) | read_dates(filled, options)


def _booking_days(cells: dict[str, Sequence[str]], options: Options) -> dict[str, Any]:
    """Read the booking days in the order that all dates of the file allow; later ones are fine."""
    distinct = set(cells["booked_on"])
    if not any(map(str.strip, distinct)):
        return dict.fromkeys(distinct)
    return _dates(distinct.union(cells["date"]), replace(options, today=date.max))


def _numbers(cells: dict[str, Sequence[str]], delimiter: str, options: Options) -> dict[str, Any]:
    distinct: set[str] = set()
    for name in NUMBERS:
        distinct.update(cells[name])
    numbers = read_numbers(distinct, delimiter=delimiter, options=options)
    return dict.fromkeys(distinct) | numbers


def _unread(header: Iterable[str], columns: Iterable[Sequence[str]]) -> list[str]:
    """Return the names of columns that have values but are not ours."""
    found: list[str] = []
    for name, cells in zip(header, columns, strict=True):
        is_ours = not name.strip() or column_key(name) in COLUMNS
        if not is_ours and any(map(str.strip, cells)):
            found.append(name.strip())
    return found


def _positions(table: Table, required: Sequence[str]) -> dict[str, int]:
    """Return the position of each of our columns.

    Raises FileProblem(unknown_format, duplicate_column).
    """
    table.require_distinct_columns()
    positions = {column_key(name): position for position, name in enumerate(table.header)}
    missing = [name for name in required if name not in positions]
    if missing:
        raise FileProblem(
            "unknown_format", f"The header lacks {', '.join(missing)}. Add these columns."
        )
    # A misspelt optional column would silently lose its values.
    for name in positions.keys() - set(COLUMNS):
        for near in difflib.get_close_matches(name, COLUMNS, n=1, cutoff=0.8):
            if near not in positions:
                raise FileProblem(
                    "unknown_format",
                    f"The header has the unknown column {name}. If it is {near}, rename it.",
                )
    return {name: positions[name] for name in COLUMNS if name in positions}


def _ticker(text: str) -> str:
    return _upper(unguarded(text))


def _external_id(cell: str) -> str | None:
    return unguarded(cell.strip()) or None


def _upper(text: str) -> str:
    """Return ASCII text in capitals. Other letters may change: ß becomes SS, ı becomes I."""
    return text.upper() if text.isascii() else text


def _currency(text: str, options: Options) -> str | RowProblem | None:
    if not text:
        return None
    # GBp and the like are hundredths. Prices are in the main unit, so they must not be confused.
    if text in MAJOR_CURRENCIES:
        return _minor_currency(text, text)
    if text[:2].isupper() and text[2:].islower():
        message = _(
            "%(currency)s is a hundredth of a currency. Give prices in the currency itself."
        )
        return RowProblem("unknown_currency", message, {"currency": text})
    code = _upper(text)
    if code in MAJOR_CURRENCIES:
        return _minor_currency(text, code)
    return code if options.is_currency(code) else unknown_currency(text)


def _minor_currency(text: str, code: str) -> RowProblem:
    message = _("%(currency)s is a hundredth of %(major)s. Divide prices by 100 and use %(major)s.")
    params = {"currency": text, "major": MAJOR_CURRENCIES[code]}
    return RowProblem("minor_currency", message, params)


def write(rows: Iterable[StatementRow]) -> Iterator[str]:
    """Yield the lines of a generic CSV: comma, decimal point, ISO dates, CRLF.

    `read` gives the same rows.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(
            [
                row.date.isoformat(),
                row.type,
                guarded(row.ticker),
                guarded(row.company_name),
                _digits(row.quantity) if row.quantity or row.group_kind == "spin_off" else "",
                _digits(row.price),
                row.currency,
                _digits(row.commission),
                _digits(row.exchange_rate),
                guarded(row.note),
                guarded(row.external_id or ""),
                _digits(row.tax or None),
                row.settlement_currency or "",
                _digits(row.settlement_amount),
                row.booked_on.isoformat() if row.booked_on else "",
                row.group,
                row.group_kind,
                guarded(row.group_label),
                _digits(row.cost_share),
            ]
        )
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _digits(value: Decimal | None) -> str:
    if value is None:
        return ""
    return format(strip_zeros(value), "f")


FORMATS = (
    Format(
        name="generic",
        label="Generic CSV",
        columns=COLUMNS,
        example=EXAMPLE,
        recognises=recognises,
        read=read,
        reports_missing_columns=True,
    ),
)
