"""Interactive Brokers: the activity statement, with sections of different columns, in English,
German and French.
"""

import re
from collections import defaultdict
from decimal import Decimal
from functools import partial
from itertools import chain
from typing import Any

from financeproj.core.identifiers import is_isin
from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.accounts import require_account, several_accounts
from integrations.statements.amounts import amount_differs, divide, half_unit, require_amount
from integrations.statements.base import FileProblem, Format, Options, Statement, Table
from integrations.statements.checks import REQUIRED
from integrations.statements.days import compact_day
from integrations.statements.ibkr import (
    TAX,
    add_exchange,
    add_money,
    add_payment,
    cancelled_lines,
    is_tax_on_interest,
    isins_of,
    names_instrument,
    pair_of,
    reversed_lines,
    reversed_payment,
)
from integrations.statements.ibkr_accrued import take_accrued, with_accrued
from integrations.statements.ibkr_actions import Actions
from integrations.statements.ibkr_assets import (
    FOREX,
    PER_CENT,
    WITHOUT_MONEY,
    is_of_option_alone,
    is_per_cent,
    require_imported,
    symbol_of,
)
from integrations.statements.ibkr_history import recognises as is_history
from integrations.statements.ibkr_transfers import add_grant, add_transfer
from integrations.statements.ibkr_words import (
    category_of,
    column_of,
    commission_currency,
    section_of,
)
from integrations.statements.raw_rows import BadRow, RawRow, unpaired_reversal
from integrations.statements.sheet import Sheet
from integrations.statements.values import number_in
from portfolios.calc.import_rows import RowProblem

_BETWEEN_CODES = re.compile(r"[;, ]")
_TOTAL = re.compile(r"\A\s*+(?:Total|Gesamt)")
# The second cell of a row.
_KINDS = {"Header", "Data", "SubTotal", "Total", "Notes"}
# What tells the same trades: an order is the sum of its trades, a trade that of its executions.
LEVELS = ("Order", "Trade", "Execution")
# What explains a trade: the lots that it closed.
EXPLAINS = ("Closedlot", "Closed lot", "Lot", "Washsale", "Wash sale")
NUMBERS = (
    "Quantity", "T. Price", "Proceeds", "Comm/Fee", "Amount", "Market Value", "Cash Amount", "Qty",
    "Price",
)  # fmt: skip
# Sections of what happened.
TRADES_SECTION, ACTIONS, WITHHOLDING = "Trades", "Corporate Actions", "Withholding Tax"
INSTRUMENTS = "Financial Instrument Information"
DIVIDENDS, IN_LIEU, CHARGES = "Dividends", "Payment In Lieu Of Dividends", "Transaction Fees"
OF_MONEY = {
    "Deposits & Withdrawals": "deposit",
    "Interest": "interest",
    "Broker Interest Paid": "interest",
    "Broker Interest Received": "interest",
    "Bond Interest Received": "interest",
    "Bond Interest Paid": "interest",
    "Fees": "fee",
    "Other Fees": "fee",
    "Commission Adjustments": "fee",
    "Advisor Fees": "fee",
    "Sales Tax": "fee",
}
COLUMNS_OF_MONEY = {
    "Currency", "Date", "Settle Date", "Description", "Amount", "Subtitle", "Account", "Code",
}  # fmt: skip
SECTION_COLUMN = "Section"  # of a row: its first cell, which has no name
CASH_SECTIONS = tuple(OF_MONEY)
SECTIONS = (TRADES_SECTION, ACTIONS, DIVIDENDS, IN_LIEU, WITHHOLDING, CHARGES, *CASH_SECTIONS)
# Shares that are added or removed without a trade. The file does not give their cost; of transfers
# it gives the market value.
GRANTS = ("Grant Activity", "Stock Grant Activity")
MOVES = ("Transfers", "Incoming Trade Transfers", "Outgoing Trade Transfers", *GRANTS)
# Sections that summarise or explain the others. A section that is listed nowhere is reported as
# ignored, or as an error if its columns are those of money.
SUMMARIES = {
    "Statement", "Account Information", "Net Asset Value", "Change in NAV",
    "Mark-to-Market Performance Summary", "Realized & Unrealized Performance Summary",
    "Month & Year to Date Performance Summary", "Total P/L for Statement Period", "Cash Report",
    "Open Positions", "Forex Balances", "Forex P/L Details", "Net Stock Position Summary",
    "Complex Positions Summary", INSTRUMENTS, "Codes", "Notes",
    "Legal Notes", "Notes/Legal Notes", "Interest Accruals", "Change in Dividend Accruals",
    "Open Dividend Accruals", "Change in Interest Accruals", "Collateral for Customer Borrowing",
    "Base Currency Exchange Rate", "Trade Summary by Asset Class", "Trade Summary by Symbol",
    "Commission Details", "Transaction Fee Details", "Interest Details", "Borrow Fee Details",
    "Sales Tax Details", "Location of Customer Assets, Positions and Money",
}  # fmt: skip
_KNOWN = {name.casefold(): name for name in (*SECTIONS, *MOVES, *SUMMARIES)}


def is_activity_statement(table: Table) -> bool:
    section, kind = (*map(str.strip, table.header[:2]), "", "")[:2]
    is_statement = section_of(section) == "Statement" and kind == "Header"
    return is_statement and not is_history(table)


def read_activity(table: Table, options: Options) -> Statement:
    """Read sections of different columns under one another: `Trades,Header,…`, `Trades,Data,…`."""
    sections = _sections(table)
    sheets = _sheets(sections, options)
    statement = Statement("ibkr-activity", table.encoding, table.delimiter)
    statement.account = _keep_one_account(sheets, options.account, statement)
    isins = _listed_isins(sections) | isins_of(raw for _section, sheet in sheets for raw in sheet)
    actions = Actions(raw for section, sheet in sheets if section == ACTIONS for raw in sheet)
    for _section, sheet in sheets:
        sheet.statement = statement
    _take_accrued(sheets, isins)
    for section, sheet in sheets:
        reversed_rows: set[int] = set()
        alone: set[int] = set()
        if section in (DIVIDENDS, IN_LIEU, WITHHOLDING):
            reversed_rows = reversed_lines(sheet, "Currency")
        elif section == TRADES_SECTION:
            reversed_rows, alone = cancelled_lines(map(_trade, sheet))
        for raw in sheet:
            if _is_total(raw):
                continue
            with sheet.collect_problem(raw):
                if raw.line in reversed_rows:
                    read = partial(_read_activity_row, sheet, section, raw, isins, actions)
                    sheet.ignore_reversed(raw, "reversed", read=read)
                elif raw.line in alone:
                    raise _cancelled_alone(raw, isins)
                else:
                    _read_activity_row(sheet, section, raw, isins, actions)
    return statement


def _take_accrued(sheets: list[tuple[str, Sheet]], isins: dict[str, str]) -> None:
    """Keep one level of the trades, and move the accrued interest of bonds to them."""
    for trades in [sheet for section, sheet in sheets if section == TRADES_SECTION]:
        _keep_coarsest(trades)
        for cash in [sheet for section, sheet in sheets if section in OF_MONEY]:
            take_accrued(
                trades,
                cash,
                side_of=_side_of,
                isin_of=lambda raw: isins.get(raw["Symbol"], ""),
                day="Date/Time",
                cash_day="Settle Date" if "Settle Date" in cash.columns else "Date",
                currency="Currency",
            )


def _side_of(raw: RawRow) -> str:
    return "sell" if raw["Quantity"].startswith("-") else "buy"


def _keep_one_account(sheets: list[tuple[str, Sheet]], chosen: str, statement: Statement) -> str:
    """Keep the rows of one account, and return it, empty if the file names none.

    Raises FileProblem if the file has several and none is chosen, or if the chosen one is not in
    it. A row that names none of several accounts could be of any, so it fails.
    """
    read = [sheet for section, sheet in sheets if section in SECTIONS or section in MOVES]
    accounts = {raw["Account"] for sheet in read for raw in sheet if not _is_total(raw)} - {""}
    if chosen:
        require_account(chosen, accounts)
    elif len(accounts) > 1:
        raise several_accounts(accounts)
    for sheet in read if len(accounts) > 1 else ():
        kept = []
        for raw in sheet:
            if raw["Account"] == chosen or _is_total(raw):
                kept.append(raw)
            elif not raw["Account"]:
                statement.failed += 1
                statement.problems.append(REQUIRED.at(raw.line, "Account", None))
        sheet.rows = kept
    return chosen or min(accounts, default="")


def _trade(raw: RawRow) -> tuple[tuple[str, ...], bool, int]:
    """Return what a trade and its cancellation have alike, whether it cancels one, and its line."""
    alike = (raw["Symbol"], raw["Currency"], raw["Quantity"].lstrip("-"), raw["T. Price"])
    return alike, "Ca" in _BETWEEN_CODES.split(raw["Code"]), raw.line


def _cancelled_alone(raw: RawRow, isins: dict[str, str]) -> BadRow:
    """Make the error of a row that cancels a trade of an earlier file."""
    quantity = raw.required_number("Quantity")
    return unpaired_reversal(
        "Quantity",
        quantity,
        type="sell" if quantity > 0 else "buy",
        date=raw.day("Date/Time"),
        quantity=abs(quantity),
        price=raw.required_number("T. Price"),
        isin=isins.get(raw["Symbol"]),
        symbol=raw["Symbol"],
    )


def _keep_coarsest(sheet: Sheet) -> None:
    """Keep the coarsest level of each symbol's trades: the others repeat them."""
    levels: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for raw in sheet:
        levels[raw["Asset Category"], raw["Currency"], raw["Symbol"]].add(_level(raw))
    kept = []
    for raw in sheet:
        present = levels[raw["Asset Category"], raw["Currency"], raw["Symbol"]]
        repeated = [level for level in LEVELS if level in present][1:]
        if _level(raw) not in (*repeated, *EXPLAINS) or _is_total(raw):
            kept.append(raw)
        else:
            sheet.ignore(raw, f"details: {raw['DataDiscriminator'].lower()}")
    sheet.rows = kept


def _level(raw: RawRow) -> str:
    return raw["DataDiscriminator"].capitalize()


def _is_total(raw: RawRow) -> bool:
    return len(raw.cells) > 2 and _TOTAL.match(raw.cells[2]) is not None


def _listed_isins(sections: list[tuple[str, Table]]) -> dict[str, str]:
    """Return the ISIN of each symbol, from the list of instruments.

    A symbol may have several names there: `SAP, SAPd`. One with two ISINs is left out.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for section, part in sections:
        names = list(map(column_of, part.header))
        if section != INSTRUMENTS or "Symbol" not in names:
            continue
        position = names.index("Symbol")
        for cells in part.records:
            isins = set(filter(is_isin, map(str.strip, cells)))
            for symbol in cells[position].split(",") if position < len(cells) else ():
                found[symbol.strip()] |= isins
    isins_of_one: dict[str, str] = {}
    for symbol, isins in found.items():
        if len(isins) == 1:
            isins_of_one[symbol] = isins.pop()
    return isins_of_one


def _sheets(everything: list[tuple[str, Table]], options: Options) -> list[tuple[str, Sheet]]:
    """Return the sections with rows that count, as (name, sheet)."""
    sections = [(section, part) for section, part in everything if part.lines]
    style = _style_of([part for section, part in sections if section in SECTIONS])
    found: list[tuple[str, Sheet]] = []
    for section, part in sections:
        if section in SUMMARIES:
            continue
        if section in SECTIONS or section in MOVES:
            part.drop_empty_ends()
        sheet = Sheet(
            "ibkr-activity", part, options, read_day=compact_day, decimal=style, numbers=NUMBERS
        )
        sheet.for_words = _for_words(sheet)
        found.append((section, sheet))
    return found


def _for_words(sheet: Sheet) -> dict[str, str]:
    """Return where a row of money has what it needs when a person says what its section means."""
    named = {column_of(name): name for name in sheet.columns}
    day = named.get("Settle Date") or named.get("Date") or named.get("Date/Time")
    wanted = {"date": day, "amount": named.get("Amount"), "currency": named.get("Currency")}
    return {field: column for field, column in wanted.items() if column}


def _style_of(parts: list[Table]) -> str:
    """Return the decimal separator of the statement, which is a comma in some languages."""
    for part in parts:
        names = list(map(column_of, part.header))
        columns = [names.index(name) for name in NUMBERS if name in names]
        for cells in part.records:
            for column in columns:
                text = cells[column] if column < len(cells) else ""
                if number_in(text, "comma") is not None and number_in(text, "point") is None:
                    return "comma"
    return "point"


def _in_english(part: Table, section: str) -> None:
    """Give the columns of a section that is read their English names."""
    if section in SECTIONS or section in MOVES:
        part.header = list(map(column_of, part.header))


def _sections(table: Table) -> list[tuple[str, Table]]:
    """Cut the file into its sections, as (name, table). A section may occur several times."""
    sections: list[tuple[str, Table]] = []
    first_row = (table.header_line, table.header)
    for line, cells in chain([first_row], zip(table.lines, table.records, strict=True)):
        written, kind = (cell.strip() for cell in (*cells, "", "")[:2])
        english = section_of(written)
        section = _KNOWN.get(english.casefold(), english)
        if kind == "Header":
            part = Table(table.encoding, table.delimiter, line, list(cells), [], [])
            _in_english(part, section)
            sections.append((section, part))
        elif kind == "Data" and sections and sections[-1][0] == section:
            part = sections[-1][1]
            part.lines.append(line)
            part.records.append(cells)
            part.ends_in_a_line = table.ends_in_a_line or line != table.lines[-1]
        elif kind == "Data" and section in SECTIONS:
            raise FileProblem(
                "unreadable_file",
                f"Line {line} belongs to the section {section}, but the header of that section is "
                "not above it. Export the statement again.",
            )
        elif kind not in _KINDS:
            table.require_end_after(line)
    if not any(section in SECTIONS for section, _part in sections):
        raise FileProblem(
            "unknown_format",
            f"The statement has none of the sections {', '.join(SECTIONS)}. "
            "Export an activity statement.",
        )
    return sections


def _read_activity_row(
    sheet: Sheet,
    section: str,
    raw: RawRow,
    isins: dict[str, str],
    actions: Actions,
) -> None:
    currency = raw["Currency"]
    if section == TRADES_SECTION:
        _add_order(sheet, raw, isins)
    elif section == WITHHOLDING and (is_tax_on_interest(raw) or not names_instrument(raw)):
        add_money(sheet, raw, "tax", currency, "Date")
    elif section in (DIVIDENDS, IN_LIEU, WITHHOLDING):
        kind = TAX if section == WITHHOLDING else "dividend"
        add_payment(sheet, raw, kind, currency=currency, day_column="Date")
    elif section == ACTIONS:
        actions.add(sheet, raw)
    elif section == CHARGES:
        _add_charge(sheet, raw, isins)
    elif section in GRANTS:
        add_grant(sheet, raw, isins.get(raw["Symbol"]))
    elif section in MOVES:
        add_transfer(sheet, raw, isins.get(raw["Symbol"]))
    elif section in OF_MONEY:
        day = "Settle Date" if raw["Settle Date"] else "Date"
        add_money(sheet, raw, OF_MONEY[section], currency, day)
    elif _has_columns_of_money(sheet):
        raise sheet.unknown_type(SECTION_COLUMN, section)
    else:
        _ignore_unknown_section(sheet, section, raw)


def _has_columns_of_money(sheet: Sheet) -> bool:
    """Return whether an unknown section has the columns of those that move money, and no others."""
    names = {column_of(name) for name in list(sheet.columns)[2:]}
    return {"Currency", "Description", "Amount"} <= names <= COLUMNS_OF_MONEY


def _ignore_unknown_section(sheet: Sheet, section: str, raw: RawRow) -> None:
    """Count a row whose columns are not known. Its amount is added up if it is a number."""
    amount = sheet.number(raw["Amount"]) if raw["Amount"] else ZERO
    if isinstance(amount, RowProblem):
        amount = ZERO
    sheet.ignore(raw, section.casefold(), amount, raw["Currency"])


def _add_order(sheet: Sheet, raw: RawRow, isins: dict[str, str]) -> None:
    if category_of(raw["Asset Category"]) == FOREX:
        _add_forex(sheet, raw)
        return
    if is_of_option_alone(raw, "Asset Category", "Proceeds", "Comm/Fee"):
        sheet.ignore(raw, WITHOUT_MONEY)
        return
    category = require_imported(raw, "Asset Category")
    if _level(raw) not in ("", *LEVELS):
        raise sheet.unknown_type("DataDiscriminator", raw["DataDiscriminator"])
    quantity = raw.required_number("Quantity")
    proceeds = raw.number("Proceeds")
    commission = raw.number_or_zero("Comm/Fee")
    if not quantity and not proceeds and not commission:
        sheet.ignore(raw, "neither shares nor money")
        return
    side = "buy" if quantity > 0 else "sell"
    price = raw.required_number("T. Price")
    if is_per_cent(category, EXACT.multiply(quantity, price), proceeds):
        price = _price_of_nominal(raw, abs(quantity), price)
    elif proceeds is not None:
        require_amount(raw, "Proceeds", side, abs(quantity), price, amount=proceeds)
    price, accrued, note = with_accrued(raw, abs(quantity), price, raw["Currency"])
    settled: dict[str, Any] = {}
    if proceeds is not None:
        settled = {
            "settlement_currency": raw["Currency"] or None,
            "settlement_amount": proceeds + commission + accrued or None,
        }
    sheet.add_net(
        raw,
        type=side,
        date=raw.day("Date/Time"),
        quantity=abs(quantity),
        price=price,
        commission=-commission,
        currency=raw["Currency"],
        note=note,
        **settled,
        isin=isins.get(raw["Symbol"]),
        symbol=symbol_of(raw["Symbol"], category, raw["Currency"]),
    )


def _price_of_nominal(raw: RawRow, nominal: Decimal, per_cent: Decimal) -> Decimal:
    """Return the price of one unit of a nominal value, of which the file gives per cent."""
    proceeds = abs(raw.required_number("Proceeds"))
    expected = EXACT.multiply(EXACT.multiply(nominal, per_cent), PER_CENT)
    rounding = EXACT.multiply(nominal * PER_CENT, half_unit(per_cent)) + half_unit(proceeds)
    if abs(proceeds - expected) > rounding:
        raise amount_differs(
            raw, "Proceeds", quantity=nominal, price=per_cent, rate=PER_CENT, expected=expected
        )
    return divide(proceeds, nominal)


def _add_forex(sheet: Sheet, raw: RawRow) -> None:
    quantity = raw.required_number("Quantity")
    paid = raw.number("Proceeds")
    if paid is None:
        paid = -EXACT.multiply(quantity, raw.required_number("T. Price"))
    fee, fee_currency = raw.number_or_zero("Comm/Fee"), raw["Currency"]
    for column in sheet.columns:
        if code := commission_currency(column):
            fee, fee_currency = raw.number_or_zero(column), code
    add_exchange(
        sheet,
        raw,
        pair=pair_of(sheet, raw["Symbol"]),
        bought=quantity,
        paid=paid,
        fee=fee,
        fee_currency=fee_currency,
        date=raw.day("Date/Time"),
        note=raw["Symbol"],
    )


def _add_charge(sheet: Sheet, raw: RawRow, isins: dict[str, str]) -> None:
    """Add stamp duty and similar charges, which are not in the commission of their trade."""
    category = require_imported(raw, "Asset Category")
    amount = raw.required_number("Amount")
    isin = isins.get(raw["Symbol"])
    symbol = symbol_of(raw["Symbol"], category, raw["Currency"])
    day = raw.day("Date/Time")
    if amount > 0:
        raise reversed_payment(
            "Amount", amount, raw["Currency"], date=day, isin=isin or "", symbol=symbol
        )
    sheet.add(
        raw,
        type="fee",
        date=day,
        quantity=ONE,
        price=-amount,
        currency=raw["Currency"],
        settlement_currency=raw["Currency"] or None,
        settlement_amount=amount or None,
        isin=isin,
        symbol=symbol,
        note=raw["Description"],
    )


ACTIVITY_EXAMPLE = (
    "Statement,Header,Field Name,Field Value\r\n"
    "Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,"
    "C. Price,Proceeds,Comm/Fee,Basis,Realized P/L,MTM P/L,Code\r\n"
    'Trades,Data,Order,Stocks,USD,AAPL,"2024-03-01, 10:00:00",10,180,180,-1800,-1,1801,0,0,O\r\n'
)
FORMATS = (
    Format(
        name="ibkr-activity",
        label="Interactive Brokers, activity statement",
        columns=("Statement", "Header", "Field Name", "Field Value"),
        example=ACTIVITY_EXAMPLE,
        recognises=is_activity_statement,
        read=read_activity,
    ),
)
