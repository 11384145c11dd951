"""Saxo: the transactions export in the layouts of 2025 and 2026.

That of 2026 calls the amount `Booked Amount`.
"""

import re
from decimal import Decimal
from typing import Any

from financeproj.core.money import EXACT, ONE
from integrations.statements.amounts import cash_effect, require_commission
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import named_day
from integrations.statements.sheet import RawRow, Sheet, bad_row, has_columns
from integrations.statements.values import number_in
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = (
    "Client ID", "Trade Date", "Value Date", "Type", "Instrument", "Instrument ISIN",
    "Instrument currency", "Exchange Description", "Instrument Symbol", "Event", "Booked Amount",
    "Order ID", "Conversion Rate",
)  # fmt: skip
TRADES = {"trade", "transactie"}
CASH = {"cash transfer", "cash amount"}
SIDES = {"buy": "buy", "koop": "buy", "sell": "sell", "verkoop": "sell"}
_EVENT = re.compile(r"([A-Za-z]{1,12}) (-?[\d.,]++) @ ([\d.,]++) ([A-Z]{3})")


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    columns = {name.strip(): position for position, name in enumerate(table.header)}
    if "Amount" in columns:
        columns["Booked Amount"] = columns.pop("Amount")
    sheet = Sheet(
        "saxo", table, options, read_day=named_day, columns=columns, numbers=("Booked Amount",)
    )
    sheet.set_account("Client ID")
    for raw in sheet.sort_oldest_first("Trade Date"):
        with sheet.collect_problem(raw):
            _read_row(sheet, raw)
    return sheet.statement


def _read_row(sheet: Sheet, raw: RawRow) -> None:
    kind = raw["Type"].casefold()
    event = raw["Event"]
    if kind in CASH and not raw["Instrument ISIN"]:
        sheet.ignore(
            raw, event.lower(), raw.number_or_zero("Booked Amount"), raw["Instrument currency"]
        )
        return
    amount = raw.required_number("Booked Amount")
    if raw["Conversion Rate"] not in ("", "1"):
        # The amount was converted, and the file does not give the currency.
        raise bad_row(
            "Conversion Rate",
            raw["Conversion Rate"],
            "mixed_currencies",
            _(
                "The file does not give the currency of the amount. Enter the transaction by hand "
                "and skip this row."
            ),
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
        raise sheet.unknown_type("Event", event)


def _add_trade(sheet: Sheet, raw: RawRow, amount: Decimal) -> None:
    match = _EVENT.fullmatch(raw["Event"])
    side = SIDES.get(match[1].casefold()) if match else None
    if match is None or side is None:
        raise sheet.unknown_type("Event", raw["Event"])
    quantity = abs(_number_in_event(raw, match[2]))
    price = _number_in_event(raw, match[3])
    commission = cash_effect(side, EXACT.multiply(quantity, price)) - amount
    require_commission(raw, "Booked Amount", commission, quantity, price)
    sheet.add(
        raw,
        type=side,
        quantity=quantity,
        price=price,
        commission=commission,
        currency=match[4],
        **_identity(raw),
    )


def _number_in_event(raw: RawRow, text: str) -> Decimal:
    """Return a number of the words of a trade. They have a decimal point, unlike some amounts.

    Raises BadRow for another text, and for 1,500, which may be 1500 or 1.5.
    """
    number = number_in(text, "point")
    if number is None:
        message = _("%(text)s is not a number with a decimal point.")
        raise bad_row("Event", raw["Event"], "invalid", message, text=text)
    other = number_in(text, "comma") if "," in text else None
    if other is not None:
        raise bad_row(
            "Event",
            raw["Event"],
            "invalid",
            _("%(text)s could be %(number)s or %(other)s. Enter the row by hand."),
            text=text,
            number=number,
            other=other,
        )
    return number


def _identity(raw: RawRow) -> dict[str, Any]:
    return {
        "date": raw.day("Trade Date"),
        "isin": raw["Instrument ISIN"] or None,
        "symbol": raw["Instrument Symbol"] or None,
        "company_name": raw["Instrument"],
        "note": raw["Event"],
    }


EXAMPLE = (
    "1,01-Mar-2024,05-Mar-2024,Trade,Apple Inc.,US0378331005,USD,NASDAQ,AAPL:xnas,"
    'Buy 10 @ 180.00 USD,"-1801,00",5000001,1'
)
FORMATS = (
    Format(
        name="saxo",
        label="Saxo",
        columns=COLUMNS,
        example=f"{','.join(COLUMNS)}\r\n{EXAMPLE}\r\n",
        recognises=has_columns(
            "Trade Date", "Value Date", "Instrument ISIN", "Event", "Conversion Rate"
        ),
        read=read,
    ),
)
