"""Scalable Capital: the transactions export. Semicolons, decimal comma."""

from typing import Any

from financeproj.core.money import ONE
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import iso_day
from integrations.statements.sheet import RawRow, Sheet, has_columns

COLUMNS = (
    "date", "time", "status", "reference", "description", "assetType", "type", "isin", "shares",
    "price", "amount", "fee", "tax", "currency",
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
        with sheet.collect_problem(raw):
            _read_row(sheet, raw)
    return sheet.statement


def _read_row(sheet: Sheet, raw: RawRow) -> None:
    kind = raw["type"].casefold()
    if raw["status"].casefold() != EXECUTED:
        sheet.ignore(raw, raw["status"].casefold())
    elif kind in CASH and not raw["isin"]:
        sheet.ignore(raw, kind, raw.number_or_zero("amount"), raw["currency"])
    elif kind in TRADES:
        sheet.add_net(
            raw,
            type=TRADES[kind],
            quantity=abs(raw.required_number("shares")),
            price=raw.required_number("price"),
            commission=raw.number_or_zero("fee") + raw.number_or_zero("tax"),
            **_identity(raw),
        )
    elif kind == "distribution":
        sheet.add_net(
            raw,
            type="dividend",
            quantity=ONE,
            price=raw.required_number("amount"),
            commission=raw.number_or_zero("tax"),
            **_identity(raw),
        )
    else:
        raise sheet.unknown_type("type", raw["type"])


def _identity(raw: RawRow) -> dict[str, Any]:
    return {
        "date": raw.day("date"),
        "isin": raw["isin"],
        "company_name": raw["description"],
        "currency": raw["currency"],
        "external_id": raw["reference"] or None,
    }


EXAMPLE = (
    '2024-03-01;09:30:00;Executed;"WWUM1";"ASML";Security;Buy;NL0010273215;2;880,5;-1761;0,99;0;EUR'
)
FORMATS = (
    Format(
        name="scalable",
        label="Scalable Capital",
        columns=COLUMNS,
        example=f"{';'.join(COLUMNS)}\r\n{EXAMPLE}\r\n",
        recognises=has_columns(*COLUMNS),
        read=read,
    ),
)
