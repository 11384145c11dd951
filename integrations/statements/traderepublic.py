"""Trade Republic: the transactions export of the app. Commas, decimal point.

Amounts are in the account's currency, fees and taxes negative. A dividend's amount is before tax.
"""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from financeproj.core.money import ONE, ZERO
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import iso_day
from integrations.statements.sheet import RawRow, Sheet, bad_row, has_columns
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = (
    "datetime", "date", "account_type", "category", "type", "asset_class", "name", "symbol",
    "shares", "price", "amount", "fee", "tax", "currency", "original_amount", "original_currency",
    "fx_rate", "description", "transaction_id",
)  # fmt: skip
# REDEMPTION removes a bond that was repaid. FINAL_MATURITY is the money for it.
TRADES = {"BUY": "buy", "SELL": "sell", "REDEMPTION": "sell"}
CASH = {
    "CUSTOMER_INBOUND", "CUSTOMER_INPAYMENT", "CUSTOMER_OUTBOUND_REQUEST",
    "TRANSFER_INSTANT_INBOUND", "TRANSFER_INSTANT_OUTBOUND", "CARD_TRANSACTION",
    "CARD_TRANSACTION_INTERNATIONAL", "INTEREST_PAYMENT", "BONUS", "STOCKPERK",
}  # fmt: skip
# Money that names an instrument. What it buys is a row of its own.
CASH_OF_AN_INSTRUMENT = {"BENEFITS_SAVEBACK", "FINAL_MATURITY"}
MIGRATION = "MIGRATION"


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    numbers = ("shares", "price", "amount", "fee", "tax")
    sheet = Sheet(
        "traderepublic", table, options, read_day=iso_day, decimal="point", numbers=numbers
    )
    migrated: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for raw in sheet.sort_oldest_first("date", "datetime"):
        shares = sheet.number(raw["shares"] or "0")
        if raw["type"] == MIGRATION and isinstance(shares, Decimal):
            migrated[raw["symbol"], raw["date"]] += shares
    for raw in sheet:
        with sheet.collect_problem(raw):
            _read_row(sheet, raw, migrated)
    return sheet.statement


def _read_row(sheet: Sheet, raw: RawRow, migrated: dict[tuple[str, str], Decimal]) -> None:
    kind = raw["type"].upper()
    if (kind in CASH and not raw["symbol"]) or kind in CASH_OF_AN_INSTRUMENT:
        net = raw.number_or_zero("amount") + raw.number_or_zero("fee") + raw.number_or_zero("tax")
        sheet.ignore(raw, kind.lower(), net, raw["currency"])
    elif kind in TRADES:
        sheet.add_net(
            raw,
            type=TRADES[kind],
            quantity=abs(raw.required_number("shares")),
            price=raw.required_number("price"),
            commission=-raw.number_or_zero("fee") - raw.number_or_zero("tax"),
            **_identity(raw),
        )
    elif kind == "DIVIDEND":
        sheet.add_net(
            raw,
            type="dividend",
            quantity=ONE,
            price=raw.required_number("amount"),
            commission=-raw.number_or_zero("tax"),
            **_identity(raw),
        )
    elif kind == MIGRATION:
        if migrated[raw["symbol"], raw["date"]] != ZERO:
            message = _(
                "What was taken out and put in is not the same. Enter by hand what happened."
            )
            raise bad_row("shares", raw["shares"], "unpaired_action", message)
        sheet.ignore(raw, "migration")
    else:
        raise sheet.unknown_type("type", raw["type"])


def _identity(raw: RawRow) -> dict[str, Any]:
    return {
        "date": raw.day("date"),
        "isin": raw["symbol"],
        "company_name": raw["name"],
        "currency": raw["currency"],
        "external_id": raw["transaction_id"] or None,
    }


EXAMPLE = (
    "2024-03-01T09:30:00.000Z,2024-03-01,DEFAULT,TRADING,BUY,STOCK,ASML,NL0010273215,2,880.50,"
    "-1761.00,-1.00,,EUR,,,,,11111111-2222-3333-4444-555555555555"
)
FORMATS = (
    Format(
        name="traderepublic",
        label="Trade Republic",
        columns=COLUMNS,
        example=f"{','.join(COLUMNS)}\r\n{EXAMPLE}\r\n",
        recognises=has_columns(
            "datetime", "account_type", "category", "type", "symbol", "shares", "transaction_id"
        ),
        read=read,
    ),
)
