"""Interactive Brokers: a Flex query as CSV with corporate actions, transfers, or several sections.

Each section has a header of its own. With *section codes*, each row begins with what it is and the
code of its section: `"HEADER","TRNT",…` and `"DATA","TRNT",…`.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain

from integrations.statements.accounts import require_account, several_accounts
from integrations.statements.base import FileProblem, Format, Options, Statement, Table
from integrations.statements.checks import REQUIRED
from integrations.statements.days import any_day
from integrations.statements.ibkr_flex import (
    ACCOUNT,
    CASH,
    DAYS,
    NUMBERS_OF_TRADES,
    TRADES,
    add_actions,
    add_cash,
    add_trades,
    cells_of,
    has_more_sections,
    is_header,
    leave_out_sums,
    take_accrued_interest,
)
from integrations.statements.ibkr_transfers import add_transfers
from integrations.statements.sheet import Sheet

FORMAT = "ibkr-flex-csv"
BEGINS, HEADER, DATA = "BOF", "HEADER", "DATA"
WITH_CODES = {BEGINS, "BOA", "BOS", HEADER, DATA, "EOS", "EOA", "EOF"}
ACTION_COLUMNS = ("Currency", "Description", "Report Date", "Quantity", "Proceeds")
TRANSFER_COLUMNS = ("Date", "Direction", "Qty", "Market Value", "Cash Amount")
# Our columns of each section, and those of the file that they are read from, the first that is
# there.
_ALIASES: tuple[tuple[tuple[str, ...], Mapping[str, Sequence[str]]], ...] = (
    (
        TRADES,
        {
            "TradeDate": ("TradeDate", "Trade Date", "Date/Time", "DateTime"),
            # Of trade confirmations.
            "TradePrice": ("TradePrice", "Price"),
            "TradeMoney": ("TradeMoney", "Amount"),
            "IBCommission": ("IBCommission", "Commission"),
            "IBCommissionCurrency": ("IBCommissionCurrency", "CommissionCurrency"),
            "Taxes": ("Taxes", "Tax"),
        },
    ),
    (
        ACTION_COLUMNS,
        {
            "Currency": ("CurrencyPrimary",),
            "Description": ("ActionDescription", "Description"),
            "Report Date": ("Report Date", "ReportDate", "Date/Time", "DateTime"),
        },
    ),
    (
        TRANSFER_COLUMNS,
        {
            "Date": ("Date", "Report Date", "ReportDate", "Date/Time", "DateTime"),
            "Qty": ("Quantity",),
            "Market Value": ("PositionAmount",),
            "Cash Amount": ("CashTransfer",),
        },
    ),
    (CASH, {"SettleDate": ("SettleDate", "Settle Date", "ReportDate", "Report Date", "Date/Time")}),
)
_READERS: dict[tuple[str, ...], Callable[[Sheet], None]] = {
    TRADES: add_trades,
    ACTION_COLUMNS: add_actions,
    TRANSFER_COLUMNS: add_transfers,
    CASH: add_cash,
}
NUMBERS = (
    *NUMBERS_OF_TRADES, "Amount", "Proceeds", "Qty", "Market Value", "Cash Amount",
)  # fmt: skip


def _section_of(header: Sequence[str]) -> tuple[tuple[str, ...], list[str]] | None:
    """Return what a header is of, and the header with our names; None for other sections."""
    names = [name.strip() for name in header]
    for columns, aliases in _ALIASES:
        ours = list(names)
        for column, theirs in aliases.items():
            known = [name for name in theirs if name in names]
            if known:
                # A column that has our name and is read from another gives it up.
                for position, name in enumerate(ours):
                    if name == column:
                        ours[position] = f"{name} (other)"
                ours[names.index(known[0])] = column
        if set(columns) <= set(ours):
            return columns, ours
    return None


def recognises(table: Table) -> bool:
    if table.header[0].strip() == BEGINS:
        return True
    found = _section_of(table.header) if is_header(table.header) else None
    if found is None:
        return is_header(table.header) and has_more_sections(table)
    is_of_one = set(found[0]) <= {name.strip() for name in table.header}
    return has_more_sections(table) or found[0] not in (TRADES, CASH) or not is_of_one


def read(table: Table, options: Options) -> Statement:
    statement = Statement(FORMAT, table.encoding, table.delimiter)
    parts = _parts(table)
    read_day = any_day(chain.from_iterable(cells_of(part, DAYS) for _columns, part in parts))
    sheets = []
    for columns, part in parts:
        part.require_rectangle(is_always_full=True)
        sheet = Sheet(FORMAT, part, options, read_day=read_day, decimal="point", numbers=NUMBERS)
        sheet.statement = statement
        sheets.append((columns, sheet))
    leave_out_sums([sheet for _, sheet in sheets])
    statement.account = _keep_one_account(statement, [sheet for _, sheet in sheets], options)
    for trades in [sheet for columns, sheet in sheets if columns == TRADES]:
        for cash in [sheet for columns, sheet in sheets if columns == CASH]:
            take_accrued_interest(trades, cash)
    for columns, sheet in sheets:
        _READERS[columns](sheet)
    return statement


def _parts(table: Table) -> list[tuple[tuple[str, ...], Table]]:
    """Cut the file into the sections that are read, in the order in which they take effect."""
    has_codes = table.header[0].strip() in WITH_CODES
    found: list[tuple[tuple[str, ...], Table]] = []
    part: Table | None = None
    rows = zip([table.header_line, *table.lines], [table.header, *table.records], strict=True)
    for line, record in rows:
        cells = record[2:] if has_codes else record
        is_code = has_codes and record[0].strip() not in (HEADER, DATA)
        if is_code or not any(map(str.strip, cells)):
            continue
        if record[0].strip() == HEADER if has_codes else is_header(record):
            section = _section_of(cells)
            part = None
            if section is not None:
                columns, header = section
                part = Table(table.encoding, table.delimiter, line, header, [], [])
                found.append((columns, part))
        elif part is not None:
            part.lines.append(line)
            part.records.append(list(cells))
            part.ends_in_a_line = table.ends_in_a_line or line != table.lines[-1]
    if not found:
        raise FileProblem(
            "unknown_format",
            "The file has no section of trades, cash transactions, corporate actions or transfers. "
            "Add them to the query.",
        )
    order = list(_READERS)
    found.sort(key=lambda one: order.index(one[0]))
    return found


def _keep_one_account(statement: Statement, sheets: Sequence[Sheet], options: Options) -> str:
    """Keep the rows of one account in every section, and return it, empty if none is named."""
    accounts = {raw[ACCOUNT] for sheet in sheets for raw in sheet} - {""}
    chosen = options.account
    if chosen:
        require_account(chosen, accounts)
    elif len(accounts) > 1:
        raise several_accounts(accounts)
    for sheet in sheets if chosen else ():
        kept = []
        for raw in sheet:
            if raw[ACCOUNT] == chosen:
                kept.append(raw)
            elif not raw[ACCOUNT]:
                statement.failed += 1
                statement.problems.append(REQUIRED.at(raw.line, ACCOUNT, None))
        sheet.rows = kept
    return chosen or min(accounts, default="")


EXAMPLE_HEADER = (
    "ClientAccountID", "CurrencyPrimary", "AssetClass", "Symbol", "Description", "ISIN",
    "Report Date", "Date/Time", "ActionDescription", "Proceeds", "Quantity", "Code", "Type",
    "TransactionID", "ActionID",
)  # fmt: skip
_EXAMPLE = (
    '"U1","USD","STK","AAPL","APPLE INC","US0378331005","20200831","20200828;202500",'
    '"AAPL(US0378331005) SPLIT 4 FOR 1 (AAPL, APPLE INC, US0378331005)","0","30","","FS","1","2"'
)
FORMATS = (
    Format(
        name=FORMAT,
        label="Interactive Brokers, Flex query: corporate actions, or several sections",
        columns=EXAMPLE_HEADER,
        example=f"{','.join(EXAMPLE_HEADER)}\r\n{_EXAMPLE}\r\n",
        recognises=recognises,
        read=read,
    ),
)
