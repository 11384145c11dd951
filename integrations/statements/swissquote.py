"""Swissquote: the transactions export. Semicolons, decimal point, newest row first; one balance for
each currency.

The order's number is no number of a row: fills of one order share it, and dividends have none.
"""

from decimal import Decimal
from typing import Any

from financeproj.core.money import EXACT
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.sheet import Raw, Sheet, bad_row, dashed_day, has_columns
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = (
    "Date", "Order #", "Transaction", "Symbol", "Name", "ISIN", "Quantity", "Unit price", "Costs", "Accrued Interest",
    "Net Amount", "Balance", "Currency",
)  # fmt: skip
TRADES = {"buy": "buy", "sell": "sell"}
CASH = {"debit", "credit", "forex credit", "forex debit", "custody fees", "interests"}
CENT = Decimal("0.01")


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    numbers = ("Quantity", "Unit price", "Costs", "Accrued Interest", "Net Amount")
    sheet = Sheet(
        "swissquote", table, options, read_day=dashed_day, decimal="point", numbers=numbers
    )
    for raw in sheet.oldest_first("Date"):
        with sheet.row(raw):
            _read_row(sheet, raw)
    return sheet.statement


def _read_row(sheet: Sheet, raw: Raw) -> None:
    kind = raw["Transaction"].casefold()
    if kind in CASH and not raw["ISIN"]:
        sheet.ignore(raw, kind, raw.amount("Net Amount"), raw["Currency"])
        return
    if kind not in TRADES and kind != "dividend":
        raise sheet.unknown("Transaction", raw["Transaction"])
    if raw.amount("Accrued Interest"):
        raise bad_row(
            "Accrued Interest",
            raw["Accrued Interest"],
            "unsupported",
            _("Accrued interest cannot be imported yet. Enter it by hand and skip this row."),
        )
    quantity, price, costs = (
        abs(raw.needed("Quantity")),
        raw.needed("Unit price"),
        raw.amount("Costs"),
    )
    gross, net = EXACT.multiply(quantity, price), raw.needed("Net Amount")
    ours = -gross - costs if kind == "buy" else gross - costs
    if abs(net - ours) > CENT:
        raise bad_row(
            "Net Amount",
            raw["Net Amount"],
            "amount_mismatch",
            _(
                "%(quantity)s × %(price)s and costs of %(costs)s come to %(total)s, but the net "
                "amount is %(net)s."
            ),
            quantity=quantity,
            price=price,
            costs=costs,
            total=ours,
            net=net,
        )
    kind = TRADES.get(kind, "dividend")
    sheet.add(raw, type=kind, quantity=quantity, price=price, commission=costs, **_identity(raw))


def _identity(raw: Raw) -> dict[str, Any]:
    return {
        "date": raw.day("Date"),
        "isin": raw["ISIN"] or None,
        "symbol": raw["Symbol"] or None,
        "company_name": raw["Name"],
        "currency": raw["Currency"],
    }


FORMATS = (
    Format(
        name="swissquote",
        label="Swissquote",
        columns=COLUMNS,
        example=";".join(COLUMNS)
        + "\r\n01-03-2024 15:30:02;113947121;Buy;ASML;ASML HOLDING;NL0010273215;2.0;880.5;5.96;0.00;-1766.96;8.40;EUR\r\n",
        recognises=has_columns(
            "Order #", "Transaction", "Unit price", "Accrued Interest", "Net Amount"
        ),
        read=read,
    ),
)
