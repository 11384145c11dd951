"""Charles Schwab: the transactions export of a brokerage account.

US dates, dollars, newest row first.
"""

import re
from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Any

from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.amounts import amount_mismatch, cash_effect, split_ratio
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.sheet import RawRow, Sheet, bad_row, has_columns
from integrations.statements.values import day_of, plain_text
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = ("Date", "Action", "Symbol", "Description", "Quantity", "Price", "Fees & Comm", "Amount")
TRADES = {"buy": "buy", "sell": "sell", "reinvest shares": "buy"}
INCOME = {
    "cash dividend", "qualified dividend", "non-qualified div", "special non qual div",
    "special qual div", "pr yr cash div", "reinvest dividend", "qual div reinvest",
    "pr yr div reinvest", "long term cap gain", "long term cap gain reinvest",
    "short term cap gain", "short term cap gain reinvest", "cash in lieu",
}  # fmt: skip
CHARGES = {"adr mgmt fee": "fee", "foreign tax paid": "tax"}
CASH = {
    "credit interest", "advisor fee", "wire sent", "wire received", "moneylink transfer",
    "internal transfer", "non-qualified div", "funds received", "service fee", "bank interest",
    "margin interest", "journal",
}  # fmt: skip
TOTAL = "Transactions Total"
PERCENT = Decimal("0.01")
_DOLLAR = re.compile(r"^(-?)\$")
_DAY = re.compile(r"(?:\d\d/\d\d/\d{4} as of )?(\d\d)/(\d\d)/(\d{4})", re.ASCII)


def us_day(text: str) -> date | None:
    """07/15/2024 as of 07/12/2024: booked on the first day, in effect since the second."""
    match = _DAY.fullmatch(text)
    if match is None:
        return None
    month, day, year = map(int, match.groups())
    return day_of(year, month, day)


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    for record in table.records:
        # $1,259.59 and -$10.00
        record[:] = [_DOLLAR.sub(r"\1", plain_text(cell)) for cell in record]
    numbers = ("Quantity", "Price", "Fees & Comm", "Amount")
    sheet = Sheet("schwab", table, options, read_day=us_day, decimal="point", numbers=numbers)
    held: dict[str, Decimal] = defaultdict(Decimal)
    for raw in sheet.sort_oldest_first("Date"):
        with sheet.collect_problem(raw):
            _read_row(sheet, raw, held)
    return sheet.statement


def _read_row(sheet: Sheet, raw: RawRow, held: dict[str, Decimal]) -> None:
    kind = raw["Action"].casefold()
    symbol = raw["Symbol"]
    if raw["Date"] == TOTAL:
        sheet.ignore(raw, "total of the file")
    elif kind in TRADES:
        _add_trade(sheet, raw, TRADES[kind], held)
    elif kind in INCOME and symbol:
        amount = raw.required_number("Amount")
        sheet.add(raw, type="dividend", quantity=ONE, price=amount, **_identity(raw))
    elif kind in CHARGES and symbol:
        amount = raw.required_number("Amount")
        sheet.add(raw, type=CHARGES[kind], quantity=ONE, price=-amount, **_identity(raw))
    elif kind == "stock div dist":
        quantity = raw.required_number("Quantity")
        held[symbol] += quantity
        sheet.add(raw, type="buy", quantity=quantity, price=ZERO, **_identity(raw))
    elif kind == "stock split":
        ratio = split_ratio(held[symbol], raw.required_number("Quantity"))
        held[symbol] = EXACT.multiply(held[symbol], ratio)
        sheet.add(raw, type="split", quantity=ratio, **_identity(raw))
    elif kind == "journaled shares" and raw.required_number("Quantity") < 0:
        quantity = -raw.required_number("Quantity")
        held[symbol] -= quantity
        sheet.add(raw, type="transfer_out", quantity=quantity, **_identity(raw))
    elif kind in CASH and not symbol:
        sheet.ignore(raw, kind, raw.number_or_zero("Amount"), "USD")
    elif symbol:
        raise bad_row(
            "Action",
            raw["Action"],
            "unknown_type",
            _("%(action)s of %(symbol)s cannot be imported. Enter it by hand."),
            action=raw["Action"],
            symbol=symbol,
        )
    else:
        raise sheet.unknown_type("Action", raw["Action"])


def _add_trade(sheet: Sheet, raw: RawRow, side: str, held: dict[str, Decimal]) -> None:
    quantity = abs(raw.required_number("Quantity"))
    held[raw["Symbol"]] += quantity if side == "buy" else -quantity
    price = raw.required_number("Price")
    fee = raw.number_or_zero("Fees & Comm")
    _require_amount(raw, side, quantity, price, fee)
    sheet.add(raw, type=side, quantity=quantity, price=price, commission=fee, **_identity(raw))


def _require_amount(
    raw: RawRow, side: str, quantity: Decimal, price: Decimal, fee: Decimal
) -> None:
    """Raise BadRow if the amount is far from that of the trade: bonds have a price in percent."""
    amount = raw.number("Amount")
    gross = EXACT.multiply(quantity, price)
    expected = cash_effect(side, gross, fee)
    tolerance = max(ONE, EXACT.multiply(gross, PERCENT))
    if amount is not None and abs(amount - expected) > tolerance:
        raise amount_mismatch(
            raw, "Amount", quantity=quantity, price=price, charges=fee, expected=expected
        )


def _identity(raw: RawRow) -> dict[str, Any]:
    is_plain_trade = raw["Action"].casefold() in ("buy", "sell")
    return {
        "date": raw.day("Date"),
        "symbol": raw["Symbol"] or None,
        "company_name": raw["Description"],
        "currency": "USD",
        "note": "" if is_plain_trade else raw["Action"],
    }


EXAMPLE = '"03/01/2024","Buy","SCHB","SCHWAB US BROAD MARKET ETF","10","$60.00","","-$600.00"'
FORMATS = (
    Format(
        name="schwab",
        label="Charles Schwab",
        columns=COLUMNS,
        example=f"{','.join(COLUMNS)}\r\n{EXAMPLE}\r\n",
        recognises=has_columns(*COLUMNS),
        read=read,
    ),
)
