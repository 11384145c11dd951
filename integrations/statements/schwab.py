"""Charles Schwab: the transactions export of a brokerage account. US dates, dollars, newest row
first.
"""

import re
from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Any

from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.sheet import Raw, Sheet, added_to, bad_row, has_columns
from integrations.statements.values import day_of, plain_text
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = ("Date", "Action", "Symbol", "Description", "Quantity", "Price", "Fees & Comm", "Amount")
TRADES = {"buy": "buy", "sell": "sell", "reinvest shares": "buy"}
INCOME = {
    "cash dividend", "qualified dividend", "non-qualified div", "special non qual div", "special qual div",
    "pr yr cash div", "reinvest dividend", "qual div reinvest", "pr yr div reinvest", "long term cap gain",
    "long term cap gain reinvest", "short term cap gain", "short term cap gain reinvest", "cash in lieu",
}  # fmt: skip
CHARGES = {"adr mgmt fee": "fee", "foreign tax paid": "tax"}
CASH = {
    "credit interest", "advisor fee", "wire sent", "wire received", "moneylink transfer", "internal transfer",
    "non-qualified div", "funds received", "service fee", "bank interest", "margin interest", "journal",
}  # fmt: skip
TOTAL = "Transactions Total"
PERCENT = Decimal("0.01")
_DOLLAR = re.compile(r"^(-?)\$")
_DAY = re.compile(r"(?:\d\d/\d\d/\d{4} as of )?(\d\d)/(\d\d)/(\d{4})", re.ASCII)


def us_day(text: str) -> date | None:
    """07/15/2024 as of 07/12/2024: booked on the first, true since the second."""
    match = _DAY.fullmatch(text)
    return day_of(int(match[3]), int(match[1]), int(match[2])) if match else None


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    for record in table.records:  # $1,259.59 and -$10.00
        record[:] = [_DOLLAR.sub(r"\1", plain_text(cell)) for cell in record]
    numbers = ("Quantity", "Price", "Fees & Comm", "Amount")
    sheet = Sheet("schwab", table, options, read_day=us_day, decimal="point", numbers=numbers)
    held: dict[str, Decimal] = defaultdict(Decimal)
    for raw in sheet.oldest_first("Date"):
        with sheet.row(raw):
            _read_row(sheet, raw, held)
    return sheet.statement


def _read_row(sheet: Sheet, raw: Raw, held: dict[str, Decimal]) -> None:
    kind, symbol = raw["Action"].casefold(), raw["Symbol"]
    if raw["Date"] == TOTAL:
        sheet.ignore(raw, "total of the file")
    elif kind in TRADES:
        quantity = abs(raw.needed("Quantity"))
        held[symbol] += quantity if TRADES[kind] == "buy" else -quantity
        price, fee = raw.needed("Price"), raw.amount("Fees & Comm")
        _require_amount(raw, TRADES[kind], quantity, price, fee)
        sheet.add(
            raw, type=TRADES[kind], quantity=quantity, price=price, commission=fee, **_identity(raw)
        )
    elif kind in INCOME and symbol:
        sheet.add(raw, type="dividend", quantity=ONE, price=raw.needed("Amount"), **_identity(raw))
    elif kind in CHARGES and symbol:
        sheet.add(
            raw, type=CHARGES[kind], quantity=ONE, price=-raw.needed("Amount"), **_identity(raw)
        )
    elif kind == "stock div dist":
        quantity = raw.needed("Quantity")
        held[symbol] += quantity
        sheet.add(raw, type="buy", quantity=quantity, price=ZERO, **_identity(raw))
    elif kind == "stock split":
        ratio = added_to(held[symbol], raw.needed("Quantity"))
        held[symbol] = EXACT.multiply(held[symbol], ratio)
        sheet.add(raw, type="split", quantity=ratio, **_identity(raw))
    elif kind == "journaled shares" and raw.needed("Quantity") < 0:
        quantity = -raw.needed("Quantity")
        held[symbol] -= quantity
        sheet.add(raw, type="transfer_out", quantity=quantity, **_identity(raw))
    elif kind in CASH and not symbol:
        sheet.ignore(raw, kind, raw.amount("Amount"), "USD")
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
        raise sheet.unknown("Action", raw["Action"])


def _require_amount(raw: Raw, side: str, quantity: Decimal, price: Decimal, fee: Decimal) -> None:
    """Raises BadRow if the amount is not about what the trade comes to: bonds are priced in
    percent, say.
    """
    amount, gross = raw.number("Amount"), EXACT.multiply(quantity, price)
    ours = -gross - fee if side == "buy" else gross - fee
    if amount is not None and abs(amount - ours) > max(ONE, EXACT.multiply(gross, PERCENT)):
        raise bad_row(
            "Amount",
            raw["Amount"],
            "amount_mismatch",
            _(
                "%(quantity)s × %(price)s and fees of %(fee)s come to %(total)s, but the amount is "
                "%(amount)s."
            ),
            quantity=quantity,
            price=price,
            fee=fee,
            total=ours,
            amount=amount,
        )


def _identity(raw: Raw) -> dict[str, Any]:
    return {
        "date": raw.day("Date"),
        "symbol": raw["Symbol"] or None,
        "company_name": raw["Description"],
        "currency": "USD",
        "note": "" if raw["Action"].casefold() in ("buy", "sell") else raw["Action"],
    }


FORMATS = (
    Format(
        name="schwab",
        label="Charles Schwab",
        columns=COLUMNS,
        example=",".join(COLUMNS)
        + '\r\n"03/01/2024","Buy","SCHB","SCHWAB US BROAD MARKET ETF","10","$60.00","","-$600.00"\r\n',
        recognises=has_columns(*COLUMNS),
        read=read,
    ),
)
