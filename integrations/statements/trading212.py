"""Trading 212: the history export. Its columns depend on what happened in the period.

Amounts and fees are in the account's currency, prices in the instrument's, London's in pence. The
exchange rate is how much of the price's currency one unit of the account's buys. Files of the first
years name the currency of an amount in its column: `Total (GBP)`. Those since 2026 have a gross and
a net total.
"""

import re
from operator import itemgetter

from financeproj.core.money import ONE
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import iso_day
from integrations.statements.raw_rows import RawRow
from integrations.statements.sheet import Sheet
from integrations.statements.trading212_columns import (
    Columns,
    fill_net_totals,
    find_columns,
    is_total,
)
from integrations.statements.trading212_dividends import add_dividend
from integrations.statements.trading212_money import (
    add_conversion,
    add_money,
    add_signed_money,
    total_of,
)
from integrations.statements.trading212_shares import (
    DISTRIBUTIONS,
    SPLIT_HALVES,
    STOCK_SPLIT,
    File,
    add_added_shares,
    add_distribution,
    add_move,
    add_split,
    add_taken_over,
    file_of,
)
from integrations.statements.trading212_trades import add_trade

COLUMNS = (
    "Action", "Time", "ISIN", "Ticker", "Name", "No. of shares", "Price / share",
    "Currency (Price / share)", "Exchange rate", "Result", "Currency (Result)", "Total",
    "Currency (Total)", "Withholding tax", "Currency (Withholding tax)", "Notes", "ID",
    "Currency conversion fee", "Currency (Currency conversion fee)",
)  # fmt: skip
# What rows of money alone are, and whether it left where the file gives no sign.
OF_MONEY = {
    "deposit": ("deposit", ONE), "withdrawal": ("withdrawal", -ONE),
    "card credit": ("deposit", ONE), "card debit": ("withdrawal", -ONE),
    "card refund": ("deposit", ONE), "spending cashback": ("deposit", ONE),
    "card cashback": ("deposit", ONE), "cashback": ("deposit", ONE),
    "spending": ("withdrawal", -ONE), "new card cost": ("fee", -ONE), "card fee": ("fee", -ONE),
}  # fmt: skip
# Money whose sign the file gives. Of a share it is interest.
SIGNED_MONEY = {
    "interest": "interest", "interest on cash": "interest", "lending interest": "interest",
    "dividend adjustment": "adjustment", "result adjustment": "adjustment",
    "adr fee": "fee", "tax adjustment": "tax",
}  # fmt: skip
CONVERSION = "currency conversion"
# What moves shares without money.
MOVES = {
    "scrip stock dividends": "buy", "stock dividend": "buy",
    "transfer in": "transfer_in", "transfer out": "transfer_out",
}  # fmt: skip
_TRADE = re.compile(r"(?:market|limit|stop|stop limit) (buy|sell)")
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_ORDER = re.compile(r"EOF\d+", re.ASCII)
# Where a row has what it needs when a person says what its word means.
FOR_WORDS = {
    "date": "Time",
    "quantity": "No. of shares",
    "isin": "ISIN",
    "symbol": "Ticker",
    "company_name": "Name",
    "external_id": "ID",
}
NAME, PRICED_IN = COLUMNS.index("Name"), "Currency (Price / share)"


def recognises(table: Table) -> bool:
    """Return whether the header is one of ours. An export of money alone has no shares."""
    names = {name.strip() for name in table.header}
    has_time = "Time" in names or "Time (UTC)" in names
    return (
        "Action" in names
        and has_time
        and any(map(is_total, names))
        and bool({"ISIN", "Notes", "ID"} & names)
    )


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    _join_names(table)
    table.drop_empty_ends()
    _put_in_order(table)
    fill_net_totals(table)
    columns = find_columns(table, options)
    numbers = [amount.column for amount in (columns.total, *columns.fees, *columns.taxes)]
    sheet = Sheet(
        "trading212", table, options, read_day=iso_day, decimal="point",
        numbers=("No. of shares", "Price / share", "Withholding tax", *numbers),
    )  # fmt: skip
    total = columns.total
    sheet.for_words = {
        **FOR_WORDS,
        "amount": total.column,
        "currency": total.currency or total.currency_column,
    }
    if "Time" not in sheet.columns:
        sheet.columns = {**sheet.columns, "Time": sheet.columns["Time (UTC)"]}
    file = file_of(sheet)
    for raw in sorted(sheet, key=itemgetter("Time")):
        with sheet.collect_problem(raw):
            _read_row(sheet, raw, columns, file)
    return sheet.statement


def _join_names(table: Table) -> None:
    """Join the cells of a name with commas, which files of 2021 have without quotes.

    Such a row has its currency where the header says only once they are joined.
    """
    names = [name.strip() for name in table.header]
    if names[NAME : NAME + 1] != ["Name"] or PRICED_IN not in names:
        return
    priced_in = names.index(PRICED_IN)
    for cells in table.records:
        while len(cells) > len(names) and not cells[-1].strip():
            cells.pop()
        extra = len(cells) - len(names)
        if extra > 0 and _CURRENCY.fullmatch(cells[priced_in + extra].strip()):
            after = NAME + extra + 1
            cells[NAME:after] = [",".join(cells[NAME:after])]


def _put_in_order(table: Table) -> None:
    """Move the cells of rows of the newer layout under an older header, as in joined files.

    The older one has Notes and ID behind the withholding tax, the newer one behind the name.
    """
    names = [name.strip() for name in table.header]
    if names[5:7] != ["No. of shares", "Price / share"] or names[15:17] != ["Notes", "ID"]:
        return
    for cells in table.records:
        if len(cells) > 6 and _ORDER.fullmatch(cells[6].strip()):
            cells[5:17] = [*cells[7:17], *cells[5:7]]


def _read_row(sheet: Sheet, raw: RawRow, columns: Columns, file: File) -> None:
    kind = raw["Action"].casefold()
    if kind in OF_MONEY and not raw["ISIN"]:
        money, sign = OF_MONEY[kind]
        add_money(sheet, raw, columns, money, sign * abs(total_of(raw, columns)))
    elif kind in SIGNED_MONEY:
        add_signed_money(sheet, raw, columns, SIGNED_MONEY[kind])
    elif kind == CONVERSION:
        add_conversion(sheet, raw, columns)
    elif kind in SPLIT_HALVES:
        add_split(sheet, raw, columns, kind, file)
    elif raw.line in file.exchanges and kind not in DISTRIBUTIONS:
        add_taken_over(sheet, raw, columns, file)
    elif match := _TRADE.fullmatch(kind):
        add_trade(sheet, raw, columns, match[1])
    elif kind == "equity rights":
        add_trade(sheet, raw, columns, "buy")
    elif kind in DISTRIBUTIONS:
        add_distribution(sheet, raw, columns, file)
    elif kind in MOVES:
        add_move(sheet, raw, columns, MOVES[kind])
    elif kind == "dividend" or (kind.startswith("dividend (") and kind.endswith(")")):
        add_dividend(sheet, raw, columns, kind)
    elif kind == STOCK_SPLIT:
        add_added_shares(sheet, raw, columns, file)
    else:
        raise sheet.unknown_type("Action", raw["Action"])


EXAMPLE = (
    "Market buy,2024-03-01 09:30:00,US0378331005,AAPL,Apple,0.5,180.00,USD,1.08000,,EUR,83.46,EUR,"
    ",,,EOF1,0.13,EUR"
)
FORMATS = (
    Format(
        name="trading212",
        label="Trading 212",
        columns=COLUMNS,
        example=f"{','.join(COLUMNS)}\r\n{EXAMPLE}\r\n",
        recognises=recognises,
        read=read,
    ),
)
