"""Swissquote: the transactions export. Semicolons, decimal point, newest row first.

It has one balance for each currency. The number of the order does not identify a row: the fills of
one order share it, and dividends have none.
"""

from decimal import Decimal
from typing import Any

from financeproj.core.money import EXACT
from integrations.statements.amounts import amount_mismatch, cash_effect
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import dashed_day
from integrations.statements.figures import leave_balances
from integrations.statements.sheet import RawRow, Sheet, bad_row, has_columns
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = (
    "Date", "Order #", "Transaction", "Symbol", "Name", "ISIN", "Quantity", "Unit price", "Costs",
    "Accrued Interest", "Net Amount", "Balance", "Currency",
)  # fmt: skip
KINDS = {"buy", "sell", "dividend"}
CASH = {"debit", "credit", "forex credit", "forex debit", "custody fees", "interests"}
CENT = Decimal("0.01")


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    numbers = ("Quantity", "Unit price", "Costs", "Accrued Interest", "Net Amount", "Balance")
    sheet = Sheet(
        "swissquote", table, options, read_day=dashed_day, decimal="point", numbers=numbers
    )
    for raw in sheet.sort_oldest_first("Date"):
        with sheet.collect_problem(raw):
            _read_row(sheet, raw)
    leave_balances(sheet, sheet.rows, booked="Date", balance="Balance", currency="Currency")
    return sheet.statement


def _read_row(sheet: Sheet, raw: RawRow) -> None:
    kind = raw["Transaction"].casefold()
    if kind in CASH and not raw["ISIN"]:
        sheet.ignore(raw, kind, raw.number_or_zero("Net Amount"), raw["Currency"])
        return
    if kind not in KINDS:
        raise sheet.unknown_type("Transaction", raw["Transaction"])
    if raw.number_or_zero("Accrued Interest"):
        raise bad_row(
            "Accrued Interest",
            raw["Accrued Interest"],
            "unsupported",
            _("Accrued interest cannot be imported yet. Enter it by hand and skip this row."),
        )
    quantity = abs(raw.required_number("Quantity"))
    price = raw.required_number("Unit price")
    costs = raw.number_or_zero("Costs")
    net = raw.required_number("Net Amount")
    expected = cash_effect(kind, EXACT.multiply(quantity, price), costs)
    if abs(net - expected) > CENT:
        raise amount_mismatch(
            raw, "Net Amount", quantity=quantity, price=price, charges=costs, expected=expected
        )
    sheet.add(
        raw,
        type=kind,
        quantity=quantity,
        price=price,
        commission=costs,
        settlement_currency=raw["Currency"] or None,
        settlement_amount=net,
        **_identity(raw),
    )


def _identity(raw: RawRow) -> dict[str, Any]:
    return {
        "date": raw.day("Date"),
        "isin": raw["ISIN"] or None,
        "symbol": raw["Symbol"] or None,
        "company_name": raw["Name"],
        "currency": raw["Currency"],
    }


EXAMPLE = (
    "01-03-2024 15:30:02;113947121;Buy;ASML;ASML HOLDING;NL0010273215;2.0;880.5;5.96;0.00;"
    "-1766.96;8.40;EUR"
)
FORMATS = (
    Format(
        name="swissquote",
        label="Swissquote",
        columns=COLUMNS,
        example=f"{';'.join(COLUMNS)}\r\n{EXAMPLE}\r\n",
        recognises=has_columns(
            "Order #", "Transaction", "Unit price", "Accrued Interest", "Net Amount"
        ),
        read=read,
    ),
)
