"""Saxo: the transactions export, in the layouts of 2025 and 2026 (which calls the amount `Booked
Amount`).
"""

import re
from decimal import Decimal
from typing import Any

from financeproj.core.money import EXACT, ONE
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.sheet import (
    Raw,
    Sheet,
    bad_row,
    has_columns,
    named_day,
    require_commission,
)
from integrations.statements.values import number_in
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = (
    "Client ID", "Trade Date", "Value Date", "Type", "Instrument", "Instrument ISIN", "Instrument currency",
    "Exchange Description", "Instrument Symbol", "Event", "Booked Amount", "Order ID", "Conversion Rate",
)  # fmt: skip
TRADES = {"trade", "transactie"}
CASH = {"cash transfer", "cash amount"}
SIDES = {"buy": "buy", "koop": "buy", "sell": "sell", "verkoop": "sell"}
_EVENT = re.compile(r"([A-Za-z]{1,12}) (-?[\d.,]++) @ ([\d.,]++) ([A-Z]{3})")


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    names = [name.strip() for name in table.header]
    columns = {
        "Booked Amount" if name == "Amount" else name: position
        for position, name in enumerate(names)
    }
    sheet = Sheet(
        "saxo", table, options, read_day=named_day, columns=columns, numbers=("Booked Amount",)
    )
    sheet.take_account("Client ID")
    for raw in sheet.oldest_first("Trade Date"):
        with sheet.row(raw):
            _read_row(sheet, raw)
    return sheet.statement


def _read_row(sheet: Sheet, raw: Raw) -> None:
    kind, event = raw["Type"].casefold(), raw["Event"]
    if kind in CASH and not raw["Instrument ISIN"]:
        sheet.ignore(raw, event.lower(), raw.amount("Booked Amount"), raw["Instrument currency"])
        return
    amount = raw.needed("Booked Amount")
    if raw["Conversion Rate"] not in ("", "1"):
        # The amount went through an exchange, and the file does not say into which currency.
        raise bad_row(
            "Conversion Rate",
            raw["Conversion Rate"],
            "mixed_currencies",
            _("The file does not give the currency of the amount."),
        )
    if kind in TRADES:
        _add_trade(sheet, raw, amount)
    elif kind == "corporate action" and event.casefold() == "dividend":
        sheet.add(
            raw,
            type="dividend",
            quantity=ONE,
            price=amount,
            currency=raw["Instrument currency"],
            **_identity(raw),
        )
    else:
        raise sheet.unknown("Event", event)


def _add_trade(sheet: Sheet, raw: Raw, amount: Decimal) -> None:
    match = _EVENT.fullmatch(raw["Event"])
    side = SIDES.get(match[1].casefold()) if match else None
    if match is None or side is None:
        raise sheet.unknown("Event", raw["Event"])
    quantity, price = abs(_number(raw, match[2])), _number(raw, match[3])
    gross = EXACT.multiply(quantity, price)
    commission = -amount - gross if side == "buy" else gross - amount
    require_commission(raw, "Booked Amount", commission, quantity, price)
    sheet.add(
        raw, type=side, quantity=quantity, price=price, commission=commission, currency=match[4], **_identity(raw)
    )  # fmt: skip


def _number(raw: Raw, text: str) -> Decimal:
    """A number of the words of a trade: these have a decimal point, whatever the amounts have.

    Raises BadRow for any other, and for 1,500, of which nobody knows whether it is 1500 or 1.5.
    """
    number = number_in(text, "point")
    if number is None:
        raise bad_row(
            "Event",
            raw["Event"],
            "invalid",
            _("%(text)s is not a number with a decimal point."),
            text=text,
        )
    if "," in text and (other := number_in(text, "comma")) is not None:
        detail = _("%(text)s could be %(number)s or %(other)s. Enter the row by hand.")
        raise bad_row(
            "Event", raw["Event"], "invalid", detail, text=text, number=number, other=other
        )
    return number


def _identity(raw: Raw) -> dict[str, Any]:
    return {
        "date": raw.day("Trade Date"),
        "isin": raw["Instrument ISIN"] or None,
        "symbol": raw["Instrument Symbol"] or None,
        "company_name": raw["Instrument"],
        "note": raw["Event"],
    }


FORMATS = (
    Format(
        name="saxo",
        label="Saxo",
        columns=COLUMNS,
        example=",".join(COLUMNS)
        + "\r\n1,01-Mar-2024,05-Mar-2024,Trade,Apple Inc.,US0378331005,USD,NASDAQ,AAPL:xnas,Buy 10 @ 180.00 USD,"
        '"-1801,00",5000001,1\r\n',
        recognises=has_columns(
            "Trade Date", "Value Date", "Instrument ISIN", "Event", "Conversion Rate"
        ),
        read=read,
    ),
)
