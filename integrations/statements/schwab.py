"""Charles Schwab: the transactions export of a brokerage account.

US dates, dollars, newest row first. Older files have a title line above the header.
"""

import re
from functools import partial

from financeproj.core.money import ONE
from integrations.statements.amounts import transfer_kind
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.raw_rows import RawRow, bad_row, unpaired_reversal
from integrations.statements.schwab_actions import add_action
from integrations.statements.schwab_file import File, file_of
from integrations.statements.schwab_rows import (
    CUSIP,
    DOLLAR,
    FROM_AMERITRADE,
    action_of,
    add_money,
    identity_of,
    payment_of,
    us_day,
)
from integrations.statements.schwab_trades import (
    add_redemption,
    add_trade,
    unpaired_cancellation,
)
from integrations.statements.schwab_words import (
    CANCELS,
    CASH_IN_LIEU,
    MOVES,
    OF_MONEY,
    OPTIONS,
    TRADES,
    money_by_parts,
)
from integrations.statements.sheet import Sheet, has_columns
from integrations.statements.values import plain_text
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = ("Date", "Action", "Symbol", "Description", "Quantity", "Price", "Fees & Comm", "Amount")
NUMBERS = ("Quantity", "Price", "Fees & Comm", "Amount")
TOTAL = "Transactions Total"
_OPTION = re.compile(r"\A\S++ \d\d/\d\d/\d{4} [\d.]++ [CP]")
WITHOUT_MONEY = "options without money"
UNSUPPORTED = _(
    "Options, short sales and the like are not supported. Enter what they brought by hand, and "
    "skip this row."
)
# Where a row has what it needs when a person says what its word means.
FOR_WORDS = {
    "date": "Date",
    "amount": "Amount",
    "currency": "USD",
    "quantity": "Quantity",
    "symbol": "Symbol",
    "company_name": "Description",
}


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    if not _is_total(table.records):
        table.drop_notes()
    table.require_rectangle(is_always_full=True)
    for record in table.records:
        record[:] = [DOLLAR.sub(r"\1", plain_text(cell)) for cell in record]
    _name_instruments(table)
    sheet = Sheet("schwab", table, options, read_day=us_day, decimal="point", numbers=NUMBERS)
    sheet.for_words = FOR_WORDS
    sheet.sort_oldest_first("Date")
    file = file_of(sheet)
    for raw in sheet:
        with sheet.collect_problem(raw):
            _read_row(sheet, raw, file)
    return sheet.statement


def _is_total(records: list[list[str]]) -> bool:
    return bool(records) and records[-1][0].strip() == TOTAL


def _name_instruments(table: Table) -> None:
    """Give the rows from TD Ameritrade the symbol that stands in their text."""
    names = [name.strip() for name in table.header]
    symbol, text = names.index("Symbol"), names.index("Description")
    for record in table.records:
        match = FROM_AMERITRADE.match(record[text])
        is_named = record[symbol] and not CUSIP.fullmatch(record[symbol])
        if match and not is_named and not CUSIP.fullmatch(match[2]):
            record[symbol] = match[2]


def _read_row(sheet: Sheet, raw: RawRow, file: File) -> None:
    action = action_of(raw)
    symbol = raw["Symbol"]
    if raw["Date"] == TOTAL:
        sheet.ignore(raw, "total of the file")
    elif _OPTION.fullmatch(symbol) and not raw.number_or_zero("Amount"):
        sheet.ignore(raw, WITHOUT_MONEY)
    elif action in OPTIONS or _OPTION.fullmatch(symbol):
        raise bad_row("Action", raw["Action"], "unsupported_instrument", UNSUPPORTED)
    elif raw.line in file.reversed:
        read = partial(_add_payment, sheet, raw, payment_of(raw))
        sheet.ignore_reversed(raw, action, read=read)
    elif raw.line in file.moved:
        sheet.ignore(raw, "moved within Schwab")
    elif raw.line in file.cancelled:
        if action in TRADES:
            trade = partial(add_trade, sheet, raw, TRADES[action])
            sheet.ignore_reversed(raw, action, read=trade)
        else:
            sheet.ignore(raw, action)
    elif action.startswith(CANCELS) and action.removeprefix(CANCELS) in TRADES:
        raise unpaired_cancellation(raw, TRADES[action.removeprefix(CANCELS)])
    elif raw.line in file.with_money:
        sheet.ignore(raw, "money of a redemption")
    elif raw.line in file.redeemed:
        add_redemption(sheet, raw, file.redeemed[raw.line])
    elif action in TRADES:
        add_trade(sheet, raw, TRADES[action])
    elif symbol and payment_of(raw):
        _add_payment(sheet, raw, payment_of(raw))
    elif action in MOVES and symbol and raw["Quantity"]:
        _add_move(sheet, raw)
    elif action in OF_MONEY and not raw["Quantity"]:
        add_money(sheet, raw, OF_MONEY[action])
    elif not symbol and not raw["Quantity"] and money_by_parts(action):
        add_money(sheet, raw, money_by_parts(action))
    elif symbol:
        add_action(sheet, raw, action, file)
    else:
        raise sheet.unknown_type("Action", raw["Action"])


def _add_payment(sheet: Sheet, raw: RawRow, kind: str) -> None:
    """Add what an instrument paid or cost. A charge that is paid back is money alone."""
    amount = raw.required_number("Amount")
    if kind in ("fee", "tax"):
        amount = -amount
    if amount < 0 and kind in ("fee", "tax"):
        add_money(sheet, raw, kind)
        return
    if amount < 0:
        raise unpaired_reversal("Amount", raw.required_number("Amount"))
    former = "dividend" if action_of(raw) == CASH_IN_LIEU else ""
    sheet.add(raw, type=kind, quantity=ONE, price=amount, former_type=former, **identity_of(raw))


def _add_move(sheet: Sheet, raw: RawRow) -> None:
    """Add shares that came from or went to another account or a plan, or were paid for."""
    quantity = raw.required_number("Quantity")
    amount = raw.number_or_zero("Amount")
    if amount:
        add_trade(sheet, raw, "sell" if amount > 0 else "buy")
        return
    price = None
    if quantity > 0:
        price = raw.number("Price")
    sheet.add(
        raw,
        type=transfer_kind(quantity),
        quantity=abs(quantity),
        price=price,
        is_cost_unknown=quantity > 0 and price is None,
        **identity_of(raw),
    )


EXAMPLE = '"03/01/2024","Buy","SCHB","SCHWAB US BROAD MARKET ETF","10","$60.00","","-$600.00"'
FORMATS = (
    Format(
        name="schwab",
        label="Charles Schwab",
        columns=COLUMNS,
        example=f"{','.join(COLUMNS)}\r\n{EXAMPLE}\r\n",
        recognises=has_columns(*COLUMNS),
        read=read,
    ),
)
