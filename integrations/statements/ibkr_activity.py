"""Interactive Brokers: the activity statement, in English, German and French."""

from functools import partial

from financeproj.core.money import ONE, ZERO
from integrations.statements.accounts import require_account, several_accounts
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.checks import REQUIRED
from integrations.statements.ibkr import (
    TAX,
    add_money,
    add_payment,
    cancelled_lines,
    is_tax_on_interest,
    isins_of,
    names_instrument,
    reversed_lines,
    reversed_payment,
)
from integrations.statements.ibkr_accrued import take_accrued
from integrations.statements.ibkr_actions import Actions
from integrations.statements.ibkr_activity_sections import (
    ACTIONS,
    CHARGES,
    DIVIDENDS,
    GRANTS,
    IN_LIEU,
    MOVES,
    OF_MONEY,
    SECTIONS,
    TRADES,
    WITHHOLDING,
    has_columns_of_money,
    is_total,
    listed_isins,
    sections_of,
    sheets_of,
)
from integrations.statements.ibkr_activity_trades import (
    add_order,
    keep_coarsest,
    side_of,
    trade_of,
    unpaired_cancellation,
)
from integrations.statements.ibkr_assets import require_imported, symbol_of
from integrations.statements.ibkr_history import recognises as is_history
from integrations.statements.ibkr_transfers import add_grant, add_transfer
from integrations.statements.ibkr_words import is_tax_of_trades, section_of
from integrations.statements.raw_rows import RawRow
from integrations.statements.sheet import Sheet
from portfolios.calc.import_rows import RowProblem

SECTION_COLUMN = "Section"  # of a row: its first cell, which has no name


def is_activity_statement(table: Table) -> bool:
    section, kind = (*map(str.strip, table.header[:2]), "", "")[:2]
    is_statement = section_of(section) == "Statement" and kind == "Header"
    return is_statement and not is_history(table)


def read_activity(table: Table, options: Options) -> Statement:
    """Read sections of different columns under one another: `Trades,Header,…`, `Trades,Data,…`."""
    sections = sections_of(table)
    sheets = sheets_of(sections, options)
    statement = Statement("ibkr-activity", table.encoding, table.delimiter)
    statement.account = _keep_one_account(sheets, options.account, statement)
    isins = listed_isins(sections) | isins_of(raw for _section, sheet in sheets for raw in sheet)
    actions = Actions(raw for section, sheet in sheets if section == ACTIONS for raw in sheet)
    for _section, sheet in sheets:
        sheet.statement = statement
    _prepare_trades(sheets, isins)
    for section, sheet in sheets:
        _read_section(sheet, section, isins, actions)
    return statement


def _prepare_trades(sheets: list[tuple[str, Sheet]], isins: dict[str, str]) -> None:
    """Keep one level of the trades, and move the accrued interest of bonds to them."""
    for trades in [sheet for section, sheet in sheets if section == TRADES]:
        keep_coarsest(trades)
        for cash in [sheet for section, sheet in sheets if section in OF_MONEY]:
            take_accrued(
                trades,
                cash,
                side_of=side_of,
                isin_of=lambda raw: isins.get(raw["Symbol"], ""),
                day="Date/Time",
                cash_day="Settle Date" if "Settle Date" in cash.columns else "Date",
                currency="Currency",
            )


def _keep_one_account(sheets: list[tuple[str, Sheet]], chosen: str, statement: Statement) -> str:
    """Keep the rows of one account, and return it, empty if the file names none.

    Raises FileProblem if the file has several and none is chosen, or if the chosen one is not in
    it. A row that names none of several accounts could be of any, so it fails.
    """
    read = [sheet for section, sheet in sheets if section in SECTIONS or section in MOVES]
    accounts = {raw["Account"] for sheet in read for raw in sheet if not is_total(raw)} - {""}
    if chosen:
        require_account(chosen, accounts)
    elif len(accounts) > 1:
        raise several_accounts(accounts)
    for sheet in read if len(accounts) > 1 else ():
        kept = []
        for raw in sheet:
            if raw["Account"] == chosen or is_total(raw):
                kept.append(raw)
            elif not raw["Account"]:
                statement.failed += 1
                statement.problems.append(REQUIRED.at(raw.line, "Account", None))
        sheet.rows = kept
    return chosen or min(accounts, default="")


def _read_section(sheet: Sheet, section: str, isins: dict[str, str], actions: Actions) -> None:
    """Read the rows of a section, without those that reverse or cancel each other."""
    reversed_rows: set[int] = set()
    alone: set[int] = set()
    if section in (DIVIDENDS, IN_LIEU, WITHHOLDING):
        reversed_rows = reversed_lines(sheet, "Currency")
    elif section == TRADES:
        reversed_rows, alone = cancelled_lines(map(trade_of, sheet))
    for raw in sheet:
        if is_total(raw):
            continue
        with sheet.collect_problem(raw):
            if raw.line in reversed_rows:
                read = partial(_read_row, sheet, section, raw, isins, actions)
                sheet.ignore_reversed(raw, "reversed", read=read)
            elif raw.line in alone:
                raise unpaired_cancellation(raw, isins)
            else:
                _read_row(sheet, section, raw, isins, actions)


def _read_row(
    sheet: Sheet,
    section: str,
    raw: RawRow,
    isins: dict[str, str],
    actions: Actions,
) -> None:
    currency = raw["Currency"]
    if section == TRADES:
        add_order(sheet, raw, isins)
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
    elif has_columns_of_money(sheet):
        raise sheet.unknown_type(SECTION_COLUMN, section)
    else:
        _ignore_unknown_section(sheet, section, raw)


def _ignore_unknown_section(sheet: Sheet, section: str, raw: RawRow) -> None:
    """Count a row whose columns are not known. Its amount is added up if it is a number."""
    amount = sheet.number(raw["Amount"]) if raw["Amount"] else ZERO
    if isinstance(amount, RowProblem):
        amount = ZERO
    sheet.ignore(raw, section.casefold(), amount, raw["Currency"])


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
    is_tax = is_tax_of_trades(raw["Description"])
    sheet.add(
        raw,
        type="tax" if is_tax else "fee",
        former_type="fee" if is_tax else "",
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


EXAMPLE = (
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
        example=EXAMPLE,
        recognises=is_activity_statement,
        read=read_activity,
    ),
)
