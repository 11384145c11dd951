"""Swissquote: trades, and what all rows of an instrument share."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from financeproj.core.identifiers import in_major_unit
from financeproj.core.money import EXACT
from integrations.statements.amounts import divide, divide_known, require_amount
from integrations.statements.raw_rows import RawRow
from integrations.statements.sheet import Sheet


def add_trade(sheet: Sheet, raw: RawRow, side: str) -> None:
    """Add a trade. Interest that a bond accrued is part of its price, and named in the note."""
    quantity = abs(raw.required_number("quantity"))
    price, currency = price_of(sheet, raw)
    costs = in_main_unit(raw, raw.number_or_zero("costs"))
    net = in_main_unit(raw, raw.required_number("net"))
    accrued = abs(in_main_unit(raw, raw.number_or_zero("accrued")))
    # Interest is paid with a purchase and received with a sale.
    charges = costs + accrued if side == "buy" else costs - accrued
    require_amount(raw, "net", side, quantity, price, amount=net, charges=charges)
    note = ""
    if accrued:
        price = divide(EXACT.multiply(quantity, price) + accrued, quantity)
        note = f"Accrued interest {accrued} {currency}"
    sheet.add(
        raw,
        type=side,
        quantity=quantity,
        price=price,
        commission=costs,
        note=note,
        **identity_of(raw, currency),
        **settled_of(raw, net, currency),
    )


def price_of(sheet: Sheet, raw: RawRow) -> tuple[Decimal, str]:
    """Return (price, currency); that of a bond is a part of its nominal value."""
    text = raw["price"]
    price = raw.required_number("price") if not text.endswith("%") else _percent(sheet, raw)
    return in_major_unit(price, traded_in(raw))


def _percent(sheet: Sheet, raw: RawRow) -> Decimal:
    number = sheet.number(raw["price"].removesuffix("%").strip())
    if isinstance(number, Decimal):
        return number.scaleb(-2)
    return raw.required_number("price")  # Reports that it is not a number.


def traded_in(raw: RawRow) -> str:
    return raw["net_currency"] or raw["currency"]


def in_main_unit(raw: RawRow, amount: Decimal) -> Decimal:
    return in_major_unit(amount, traded_in(raw))[0]


def settled_of(raw: RawRow, net: Decimal, currency: str) -> Mapping[str, Any]:
    """Return what the account was booked, and the rate at which it was exchanged."""
    account_currency = raw["currency"]
    booked = raw.number("account_net")
    if booked is None or account_currency in ("", traded_in(raw)):
        return {"settlement_currency": currency or None, "settlement_amount": net}
    rate = divide_known(abs(booked), abs(net))
    return {
        "settlement_currency": account_currency,
        "settlement_amount": booked,
        "exchange_rate": rate,
        "rate_currency": account_currency,
    }


def identity_of(raw: RawRow, currency: str) -> Mapping[str, Any]:
    return {
        "date": raw.day("date"),
        "isin": raw["isin"] or None,
        "symbol": raw["symbol"] or None,
        "company_name": raw["name"],
        "currency": currency,
    }
