"""Scalable Capital: the transactions export. Semicolons, decimal comma."""

from typing import Any

from financeproj.core.money import ONE
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.sheet import Raw, Sheet, has_columns, iso_day

COLUMNS = (
    "date", "time", "status", "reference", "description", "assetType", "type", "isin", "shares", "price", "amount",
    "fee", "tax", "currency",
)  # fmt: skip
TRADES = {"buy": "buy", "savings plan": "buy", "sell": "sell"}
CASH = {"deposit", "withdrawal", "interest"}
EXECUTED = "executed"


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    numbers = ("shares", "price", "amount", "fee", "tax")
    sheet = Sheet("scalable", table, options, read_day=iso_day, decimal="comma", numbers=numbers)
    for raw in sorted(sheet, key=lambda raw: (raw["date"], raw["time"])):
        with sheet.row(raw):
            _read_row(sheet, raw)
    return sheet.statement


def _read_row(sheet: Sheet, raw: Raw) -> None:
    kind = raw["type"].casefold()
    if raw["status"].casefold() != EXECUTED:
        sheet.ignore(raw, raw["status"].casefold())
    elif kind in CASH and not raw["isin"]:
        sheet.ignore(raw, kind, raw.amount("amount"), raw["currency"])
    elif kind in TRADES:
        charges = raw.amount("fee") + raw.amount("tax")
        quantity, price = abs(raw.needed("shares")), raw.needed("price")
        sheet.add_net(
            raw,
            type=TRADES[kind],
            quantity=quantity,
            price=price,
            commission=charges,
            **_identity(raw),
        )
    elif kind == "distribution":
        amount, tax = raw.needed("amount"), raw.amount("tax")
        sheet.add_net(
            raw, type="dividend", quantity=ONE, price=amount, commission=tax, **_identity(raw)
        )
    else:
        raise sheet.unknown("type", raw["type"])


def _identity(raw: Raw) -> dict[str, Any]:
    return {
        "date": raw.day("date"),
        "isin": raw["isin"],
        "company_name": raw["description"],
        "currency": raw["currency"],
        "external_id": raw["reference"] or None,
    }


FORMATS = (
    Format(
        name="scalable",
        label="Scalable Capital",
        columns=COLUMNS,
        example=";".join(COLUMNS)
        + '\r\n2024-03-01;09:30:00;Executed;"WWUM1";"ASML";Security;Buy;NL0010273215;2;880,5;-1761;0,99;0;EUR\r\n',
        recognises=has_columns(*COLUMNS),
        read=read,
    ),
)
