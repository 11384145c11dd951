"""Trade Republic: the transactions export of the app. Commas, decimal point, amounts in the
account's currency.

Fees and taxes are negative. A dividend's amount is before the tax that stands beside it.
"""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from financeproj.core.money import ONE, ZERO
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.sheet import Raw, Sheet, bad_row, has_columns, iso_day
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = (
    "datetime", "date", "account_type", "category", "type", "asset_class", "name", "symbol", "shares", "price",
    "amount", "fee", "tax", "currency", "original_amount", "original_currency", "fx_rate", "description",
    "transaction_id",
)  # fmt: skip
# A bond that is paid back leaves with REDEMPTION; FINAL_MATURITY is the money for it.
TRADES = {"BUY": "buy", "SELL": "sell", "REDEMPTION": "sell"}
CASH = {
    "CUSTOMER_INBOUND", "CUSTOMER_INPAYMENT", "CUSTOMER_OUTBOUND_REQUEST", "TRANSFER_INSTANT_INBOUND",
    "TRANSFER_INSTANT_OUTBOUND", "CARD_TRANSACTION", "CARD_TRANSACTION_INTERNATIONAL", "INTEREST_PAYMENT", "BONUS",
    "STOCKPERK",
}  # fmt: skip
# Money with the name of what it is for; what is bought with it is a row of its own.
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
    for raw in sheet.oldest_first("date", "datetime"):
        if raw["type"] == MIGRATION and isinstance(
            shares := sheet.number(raw["shares"] or "0"), Decimal
        ):
            migrated[raw["symbol"], raw["date"]] += shares
    for raw in sheet:
        with sheet.row(raw):
            _read_row(sheet, raw, migrated)
    return sheet.statement


def _read_row(sheet: Sheet, raw: Raw, migrated: dict[tuple[str, str], Decimal]) -> None:
    kind = raw["type"].upper()
    if (kind in CASH and not raw["symbol"]) or kind in CASH_OF_AN_INSTRUMENT:
        net = raw.amount("amount") + raw.amount("fee") + raw.amount("tax")
        sheet.ignore(raw, kind.lower(), net, raw["currency"])
    elif kind in TRADES:
        charges = -raw.amount("fee") - raw.amount("tax")
        quantity, price = abs(raw.needed("shares")), raw.needed("price")
        sheet.add_net(
            raw,
            type=TRADES[kind],
            quantity=quantity,
            price=price,
            commission=charges,
            **_identity(raw),
        )
    elif kind == "DIVIDEND":
        amount, tax = raw.needed("amount"), -raw.amount("tax")
        sheet.add_net(
            raw, type="dividend", quantity=ONE, price=amount, commission=tax, **_identity(raw)
        )
    elif kind == MIGRATION:
        if migrated[raw["symbol"], raw["date"]] != ZERO:
            detail = _(
                "What was taken out and put in is not the same. Enter by hand what happened."
            )
            raise bad_row("shares", raw["shares"], "unpaired_action", detail)
        sheet.ignore(raw, "migration")
    else:
        raise sheet.unknown("type", raw["type"])


def _identity(raw: Raw) -> dict[str, Any]:
    return {
        "date": raw.day("date"),
        "isin": raw["symbol"],
        "company_name": raw["name"],
        "currency": raw["currency"],
        "external_id": raw["transaction_id"] or None,
    }


FORMATS = (
    Format(
        name="traderepublic",
        label="Trade Republic",
        columns=COLUMNS,
        example=",".join(COLUMNS)
        + "\r\n2024-03-01T09:30:00.000Z,2024-03-01,DEFAULT,TRADING,BUY,STOCK,ASML,NL0010273215,2,880.50,-1761.00,-1.00,,EUR"
        ",,,,,11111111-2222-3333-4444-555555555555\r\n",
        recognises=has_columns(
            "datetime", "account_type", "category", "type", "symbol", "shares", "transaction_id"
        ),
        read=read,
    ),
)
