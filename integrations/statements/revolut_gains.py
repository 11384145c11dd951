"""Revolut: the profit and loss statement. It has what was sold, with its purchases, and payments.

Shares that are still held are not in it, and no deposits. Money is rounded, so prices follow from
the sums. A payment may have been converted to the account's currency.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from financeproj.core.money import ONE, ZERO
from integrations.statements.amounts import amount_differs, divide, half_unit, require_profit
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.raw_rows import RawRow, bad_row, unpaired_reversal
from integrations.statements.revolut import stocks_day
from integrations.statements.revolut_text import require_currency, split_money
from integrations.statements.sheet import Sheet
from portfolios.calc.import_rows import gettext_noop as _

NAME = "revolut-gains"
COLUMNS = (
    "Date acquired", "Date sold", "Symbol", "Security name", "ISIN", "Country", "Quantity",
    "Cost basis", "Gross proceeds", "Gross PnL", "Currency",
)  # fmt: skip
PAYMENTS = (
    "Date", "Symbol", "Security name", "ISIN", "Country", "Gross amount", "Withholding tax",
    "Net Amount", "Currency",
)  # fmt: skip
# The names that files before 2024 have.
FORMER_NAMES = {"Amount": "Gross proceeds", "Realised PnL": "Gross PnL"}
SOLD_NUMBERS = ("Quantity", "Cost basis", "Gross proceeds", "Gross PnL", "Fees")
PAID_NUMBERS = ("Gross amount", "Withholding tax", "Net Amount")
NOTHING = "-"


def recognises(table: Table) -> bool:
    header = set(_header(table.header))
    return header >= set(COLUMNS) or header >= set(PAYMENTS)


def _header(cells: list[str]) -> list[str]:
    return [FORMER_NAMES.get(name, name) for name in map(str.strip, cells)]


def read(table: Table, options: Options) -> Statement:
    statement = Statement(NAME, table.encoding, table.delimiter)
    for part in _parts(table):
        part.drop_empty_ends()
        part.require_distinct_columns()
        part.require_rectangle()
        is_of_sales = "Date sold" in part.header
        figures = SOLD_NUMBERS if is_of_sales else PAID_NUMBERS
        numbers = [name for name in figures if name in part.header]
        currencies = split_money(part, *numbers)
        sheet = Sheet(NAME, part, options, read_day=stocks_day, decimal="point", numbers=numbers)
        sheet.statement = statement
        sheet.sort_oldest_first("Date sold" if is_of_sales else "Date")
        for raw in sheet:
            with sheet.collect_problem(raw):
                _require_one_currency(raw, currencies[raw.line])
                if is_of_sales:
                    _add_sale(sheet, raw)
                else:
                    _add_payment(sheet, raw)
    return statement


def _parts(table: Table) -> list[Table]:
    """Cut the file into its sections, each below a header of its own."""
    parts = [replace(table, header=_header(table.header), lines=[], records=[])]
    for line, record in zip(table.lines, table.records, strict=True):
        header = _header(record)
        if set(header) >= set(PAYMENTS) or set(header) >= set(COLUMNS):
            parts.append(replace(table, header=header, header_line=line, lines=[], records=[]))
        elif len(list(filter(None, header))) > 1:  # else the title of a section
            parts[-1].lines.append(line)
            parts[-1].records.append(record)
    return parts


def _require_one_currency(raw: RawRow, currencies: dict[str, str]) -> None:
    """Raise BadRow if an amount other than 0 is in another currency than that of the row."""
    for name, code in currencies.items():
        if _number(raw, name):
            require_currency(raw, {name: code}, raw["Currency"])


def _number(raw: RawRow, column: str) -> Decimal:
    return ZERO if raw[column] == NOTHING else raw.number_or_zero(column)


def _add_sale(sheet: Sheet, raw: RawRow) -> None:
    """Add the purchase and the sale of a row."""
    quantity = raw.required_number("Quantity")
    paid, brought = raw.required_number("Cost basis"), raw.required_number("Gross proceeds")
    if quantity <= 0:
        raise bad_row("Quantity", raw["Quantity"], "not_above", _("Enter a number above 0."))
    require_profit(raw, "Gross PnL", paid, brought)
    fee = abs(raw.number_or_zero("Fees"))
    identity = _identity(raw)
    bought = sheet.add(
        raw,
        type="buy",
        date=raw.day("Date acquired"),
        quantity=quantity,
        price=divide(paid, quantity),
        settlement_amount=-paid or None,
        **identity,
    )
    if bought is not None:
        sheet.add(
            raw,
            type="sell",
            date=raw.day("Date sold"),
            quantity=quantity,
            price=divide(brought, quantity),
            commission=fee,
            settlement_amount=brought - fee or None,
            **identity,
        )


def _add_payment(sheet: Sheet, raw: RawRow) -> None:
    """Add what an instrument paid, with the tax that was withheld, or a fee of the account."""
    gross, tax, net = (_number(raw, column) for column in PAID_NUMBERS)
    if not raw["Symbol"]:
        _add_fee(sheet, raw, net or gross)
        return
    if gross < 0:
        raise unpaired_reversal("Gross amount", gross)
    tax = abs(tax)
    off = half_unit(gross) + half_unit(tax) + half_unit(net)
    if abs(gross - tax - net) > off:
        raise amount_differs(
            raw, "Net Amount", quantity=ONE, price=gross, charges=tax, expected=gross - tax
        )
    sheet.add(
        raw,
        type="dividend",
        date=raw.day("Date"),
        quantity=ONE,
        price=gross,
        tax=tax,
        settlement_amount=net or None,
        **_identity(raw),
    )


def _add_fee(sheet: Sheet, raw: RawRow, amount: Decimal) -> None:
    kind = "fee" if amount < 0 else "interest"
    sheet.add_money(
        raw, kind, amount, raw["Currency"], date=raw.day("Date"), note=raw["Security name"]
    )


def _identity(raw: RawRow) -> dict[str, Any]:
    return {
        "isin": raw["ISIN"] or None,
        "symbol": raw["Symbol"] or None,
        "company_name": raw["Security name"].removesuffix(" dividend"),
        "currency": raw["Currency"] or None,
        "settlement_currency": raw["Currency"] or None,
    }


EXAMPLE = "2023-03-01,2024-03-01,ASML,ASML,NL0010273215,NL,2,1200.00,1761.00,561.00,EUR"
FORMATS = (
    Format(
        name=NAME,
        label="Revolut, profit and loss",
        columns=COLUMNS,
        example=f"{','.join(COLUMNS)}\r\n{EXAMPLE}\r\n",
        recognises=recognises,
        read=read,
        repeats="revolut",
    ),
)
