"""Trade Republic: the transactions export of the app. A comma or semicolon, decimal point.

Amounts are in the account's currency, fees and taxes negative. An amount is before fee and tax.
"""

from typing import Any

from integrations.statements.amounts import transfer_kind
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import iso_day
from integrations.statements.raw_rows import BadRow, RawRow, unpaired_reversal
from integrations.statements.sheet import Sheet, has_columns
from integrations.statements.traderepublic_actions import (
    add_action,
    add_migration,
    add_moved,
    read_cash,
)
from integrations.statements.traderepublic_file import (
    File,
    add_part,
    file_of,
    is_action,
    kind_of,
    settled_of,
)
from integrations.statements.traderepublic_trades import (
    add_payment,
    add_repayment,
    add_tax,
    add_trade,
)
from integrations.statements.traderepublic_words import (
    CANCELLED,
    COUPONS,
    DELIVERY,
    EARNINGS,
    FEES_END,
    FREE_DELIVERY,
    FREE_RECEIPT,
    LIQUIDATION_DIVIDEND,
    MIGRATION,
    MOVES_MONEY,
    OF_MONEY,
    PAYMENTS,
    REPAYMENTS,
    RETURNS,
    TAX_WORDS,
    TAXES,
    TRADES,
)

COLUMNS = (
    "datetime", "date", "account_type", "category", "type", "asset_class", "name", "symbol",
    "shares", "price", "amount", "fee", "tax", "currency", "original_amount", "original_currency",
    "fx_rate", "description", "transaction_id",
)  # fmt: skip
# Where a row has what it needs when a person says what its word means.
FOR_WORDS = {
    "date": "date",
    "amount": "amount",
    "currency": "currency",
    "quantity": "shares",
    "symbol": "symbol",
    "company_name": "name",
    "external_id": "transaction_id",
}


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    numbers = ("shares", "price", "amount", "fee", "tax")
    sheet = Sheet(
        "traderepublic", table, options, read_day=iso_day, decimal="point", numbers=numbers
    )
    sheet.for_words = FOR_WORDS
    if options.account or len({raw["account_type"] for raw in sheet} - {""}) > 1:
        sheet.set_account("account_type")
    sheet.sort_oldest_first("date", "datetime")
    file = file_of(sheet)
    for raw in sheet:
        with sheet.collect_problem(raw):
            _read_row(sheet, raw, file)
    return sheet.statement


def _unpaired_cancellation(raw: RawRow, kind: str) -> BadRow:
    """Make the error of a row that takes back one which is not in the file.

    A trade or a payment is looked for in earlier files; an action is not: it has several rows.
    """
    shares, amount = raw.number_or_zero("shares"), raw.number_or_zero("amount")
    if kind in TRADES and shares:
        return unpaired_reversal(
            "shares",
            shares,
            type=TRADES[kind],
            date=raw.day("date"),
            quantity=abs(shares),
            price=raw.required_number("price"),
            isin=raw["symbol"] or None,
        )
    if kind in PAYMENTS and amount:
        return unpaired_reversal("amount", amount)
    return unpaired_reversal("shares", shares, note=kind)


def _read_row(sheet: Sheet, raw: RawRow, file: File) -> None:
    kind = kind_of(raw)
    if raw.line in file.reversed:
        sheet.ignore_reversed(raw, "reversed", raw["transaction_id"])
    elif raw.line in file.with_money:
        read_cash(sheet, raw, file)
    elif kind.endswith(CANCELLED):
        raise _unpaired_cancellation(raw, kind.removesuffix(CANCELLED))
    elif kind == LIQUIDATION_DIVIDEND and not any(key[0] == raw["symbol"] for key in file.out):
        add_payment(sheet, raw, "return_of_capital")
    elif kind in REPAYMENTS:
        add_repayment(sheet, raw, file)
    elif is_action(raw):
        add_action(sheet, raw, file)
    elif kind in TRADES:
        add_trade(sheet, raw)
    elif kind in PAYMENTS and raw["symbol"]:
        add_payment(sheet, raw, "interest" if kind in COUPONS else "dividend")
    elif kind == EARNINGS and raw["symbol"] and raw.number_or_zero("amount") > 0:
        add_payment(sheet, raw, "dividend")
    elif kind in RETURNS and raw["symbol"]:
        add_payment(sheet, raw, "return_of_capital")
    elif kind == FREE_RECEIPT:
        add_moved(sheet, raw, "transfer_in")
    elif kind == FREE_DELIVERY:
        add_moved(sheet, raw, "transfer_out")
    elif kind == MIGRATION:
        add_migration(sheet, raw, file)
    elif raw["category"].upper() == DELIVERY and raw.number_or_zero("shares"):
        add_moved(sheet, raw, transfer_kind(raw.required_number("shares")))
    else:
        _add_money(sheet, raw, kind)


def _money_of(kind: str) -> str:
    """Return what a row of money alone is, nothing for an unknown word."""
    if kind in OF_MONEY:
        return OF_MONEY[kind]
    if kind.endswith(FEES_END):
        return "fee"
    return "deposit" if kind.startswith(MOVES_MONEY) else ""


def _add_money(sheet: Sheet, raw: RawRow, kind: str) -> None:
    amount = raw.number_or_zero("amount")
    money = _money_of(kind)
    if kind in TAXES or (TAX_WORDS & set(kind.split("_")) and not raw["shares"]):
        add_tax(sheet, raw)
    elif not money or raw["shares"]:
        raise sheet.unknown_type("type", raw["type"])
    elif kind in COUPONS:
        tax = -raw.number_or_zero("tax")
        withheld: dict[str, Any] = {"tax": tax} if tax > 0 and amount > 0 else {}
        add_part(sheet, raw, "interest", settled_of(raw, amount), **withheld)
    elif not settled_of(raw, amount):
        sheet.ignore(raw, kind.lower())
    else:
        parts = (
            (money, amount, ""),
            ("fee", raw.number_or_zero("fee"), ":fee"),
            ("tax", raw.number_or_zero("tax"), ":tax"),
        )
        for part, value, suffix in parts:
            if value:
                add_part(sheet, raw, part, value, suffix)


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
