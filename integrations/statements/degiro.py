"""DEGIRO: the account statement, in the languages of its countries.

One trade is several rows of one order: what was traded, its fees, and the exchange of its currency.
The fills of an order may be of several days, and then in several files. The columns are the same in
every language and are read by position. Newest row first. Some files mix decimal points and decimal
commas.
"""

import re
from functools import partial

from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import dashed_day
from integrations.statements.degiro_actions import Actions
from integrations.statements.degiro_balances import reconcile, reserved_amounts, sort_within_minutes
from integrations.statements.degiro_file import File
from integrations.statements.degiro_lines import form_of, join_wrapped_rows
from integrations.statements.degiro_money import (
    add_accrued,
    add_charge,
    add_exchange,
    add_money,
    add_payment,
)
from integrations.statements.degiro_orders import Order
from integrations.statements.degiro_trades import add_trade
from integrations.statements.degiro_words import (
    CHARGES,
    MONEY,
    OF_ORDER,
    OPTION,
    PAYMENTS,
    WITHIN_DEGIRO,
    Meaning,
)
from integrations.statements.figures import leave_balances, moved_by_balance
from integrations.statements.raw_rows import RawRow, unsupported_instrument
from integrations.statements.sheet import Sheet
from integrations.statements.values import folded

# The description up to a number, or what begins like one.
_END_OF_WORDS = re.compile(r"[-\d.,(:]")
DUTCH = (
    "Datum", "Tijd", "Valutadatum", "Product", "ISIN", "Omschrijving", "FX", "Mutatie", "", "Saldo",
    "", "Order Id",
)  # fmt: skip
# n is a column with a name, _ one without: that of the amount, or of its currency in old files.
FORMS_OF_HEADER = {"nnnnnnnn_n_n", "nnnnnnn_n_nn"}
POSITIONS = {
    "date": 0, "time": 1, "product": 3, "isin": 4, "description": 5, "fx": 6, "currency": 7,
    "change": 8, "balance_currency": 9, "balance": 10, "order": 11,
}  # fmt: skip
CHECKED = ("change", "balance")
# Texts that may go on in the next line.
WRAPPED = (POSITIONS["product"], POSITIONS["description"])
CASH_ACCOUNT = "NLFLATEXACNT"
# Where a row has what it needs when a person says what its word means.
FOR_WORDS = {
    "date": "date",
    "amount": "change",
    "currency": "currency",
    "isin": "isin",
    "company_name": "product",
}


def recognises(table: Table) -> bool:
    """Return whether a header is that of an account statement, by its form in any language."""
    header = [folded(name) for name in table.header]
    form = form_of(header)
    return form in FORMS_OF_HEADER and header[4] in ("isin", "code isin")


def read(table: Table, options: Options) -> Statement:
    join_wrapped_rows(table, WRAPPED)
    table.drop_notes()
    table.require_rectangle(is_always_full=True)
    numbers = ("change", "fx", "balance")
    sheet = Sheet("degiro", table, options, read_day=dashed_day, columns=POSITIONS, numbers=numbers)
    sheet.for_words = FOR_WORDS
    sheet.moved_by_balance = moved_by_balance(
        sheet, balance="balance", currency="balance_currency", amounts=["change"]
    )
    sheet.sort_oldest_first("date", "time")
    sort_within_minutes(sheet)
    file = File(sheet)
    actions = Actions(file)
    for raw in sheet:
        with sheet.collect_problem(raw):
            for column in CHECKED:
                raw.number(column)  # An unreadable number is a problem of its row.
            if raw.line in file.reversed:
                sheet.ignore_reversed(raw, "reversed", read=partial(_read_row, file, actions, raw))
            else:
                _read_row(file, actions, raw)
    reconcile(sheet)
    leave_balances(
        sheet,
        sheet,
        booked="date",
        balance="balance",
        currency="balance_currency",
        reserved=reserved_amounts(file),
    )
    return sheet.statement


def _read_row(file: File, actions: Actions, raw: RawRow) -> None:
    sheet = file.sheet
    words, meaning = file.words[raw.line], file.meanings[raw.line]
    if not words:
        raise sheet.unknown_type("description", "")
    if raw.line in file.empty:
        sheet.ignore(raw, _kind(raw))
        return
    match = file.trades.get(raw.line)
    order = file.orders.get(raw["order"])
    has_trades = order is not None and bool(order.trades)
    if match and OPTION.search(raw["product"]):
        raise unsupported_instrument("product", raw["product"])
    if match and raw["isin"] and not match["prefix"]:
        add_trade(file, raw, match, order or Order())
    elif match and raw["isin"]:
        actions.add(raw, match)
    elif meaning in WITHIN_DEGIRO or (meaning is None and raw["isin"] == CASH_ACCOUNT):
        sheet.ignore(raw, _kind(raw))
    elif meaning is Meaning.EXCHANGE:
        add_exchange(file, raw, order)
    elif meaning in OF_ORDER and has_trades:
        sheet.ignore(raw, "part of a trade")
    elif meaning is Meaning.ACCRUED:
        add_accrued(sheet, raw)
    elif meaning in PAYMENTS and _instrument(raw):
        add_payment(sheet, raw, PAYMENTS[meaning])
    elif meaning in CHARGES and _instrument(raw):
        add_charge(sheet, raw, CHARGES[meaning])
    elif meaning in MONEY:
        add_money(sheet, raw, MONEY[meaning])
    else:
        raise sheet.unknown_type("description", raw["description"])


def _instrument(raw: RawRow) -> str:
    return "" if raw["isin"] == CASH_ACCOUNT else raw["isin"]


def _kind(raw: RawRow) -> str:
    """Return the words up to an amount or a name in brackets."""
    return _END_OF_WORDS.split(raw["description"], maxsplit=1)[0].strip().casefold()[:60]


EXAMPLE = (
    "01-03-2024,09:30,01-03-2024,ASML HOLDING,NL0010273215,"
    '"Koop 2 @ 880,5 EUR",,EUR,"-1761,00",EUR,"239,00",11111111-2222-3333-4444-555555555555'
)
FORMATS = (
    Format(
        name="degiro",
        label="DEGIRO, account statement",
        columns=tuple(filter(None, DUTCH)),
        example=f"{','.join(DUTCH)}\r\n{EXAMPLE}\r\n",
        recognises=recognises,
        read=read,
    ),
)
