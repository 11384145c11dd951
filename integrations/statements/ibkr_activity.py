"""Interactive Brokers: the activity statement, with sections of different columns."""

import re
from decimal import Decimal
from itertools import chain

from financeproj.core.money import ONE, ZERO
from integrations.statements.amounts import divide
from integrations.statements.base import FileProblem, Format, Options, Statement, Table
from integrations.statements.days import compact_day
from integrations.statements.ibkr import (
    TAX,
    TAX_ON_INTEREST,
    add_payment,
    is_tax_on_interest,
    named_instrument,
    reversed_lines,
)
from integrations.statements.sheet import RawRow, Sheet, bad_row, unpaired_reversal
from integrations.statements.values import single_spaced
from portfolios.calc.import_rows import RowProblem
from portfolios.calc.import_rows import gettext_noop as _

_SPLIT = re.compile(r"\bSplit (\d{1,15}) for (\d{1,15})\b", re.IGNORECASE)
_TOTAL = re.compile(r"\A\s*+Total\b")
# Sections of what happened.
TRADES_SECTION, ACTIONS, WITHHOLDING = "Trades", "Corporate Actions", "Withholding Tax"
DIVIDENDS, IN_LIEU, CHARGES = "Dividends", "Payment In Lieu Of Dividends", "Transaction Fees"
CASH_SECTIONS = ("Deposits & Withdrawals", "Interest", "Fees", "Other Fees", "Broker Interest Paid")
SECTIONS = (TRADES_SECTION, ACTIONS, DIVIDENDS, IN_LIEU, WITHHOLDING, CHARGES, *CASH_SECTIONS)
# Shares that are added or removed without a trade. The file does not give their cost.
MOVES = (
    "Transfers",
    "Incoming Trade Transfers",
    "Outgoing Trade Transfers",
    "Grant Activity",
    "Stock Grant Activity",
)
# Sections that summarise or explain the others. A section that is listed nowhere is reported as
# ignored.
SUMMARIES = {
    "Statement", "Account Information", "Net Asset Value", "Change in NAV",
    "Mark-to-Market Performance Summary", "Realized & Unrealized Performance Summary",
    "Month & Year to Date Performance Summary", "Total P/L for Statement Period", "Cash Report",
    "Open Positions", "Forex Balances", "Forex P/L Details", "Net Stock Position Summary",
    "Complex Positions Summary", "Financial Instrument Information", "Codes", "Notes",
    "Legal Notes", "Notes/Legal Notes", "Interest Accruals", "Change in Dividend Accruals",
    "Open Dividend Accruals", "Change in Interest Accruals", "Collateral for Customer Borrowing",
    "Base Currency Exchange Rate", "Trade Summary by Asset Class", "Trade Summary by Symbol",
    "Commission Details", "Transaction Fee Details", "Interest Details", "Borrow Fee Details",
    "Sales Tax Details", "Location of Customer Assets, Positions and Money",
}  # fmt: skip
_KNOWN = {name.casefold(): name for name in (*SECTIONS, *MOVES, *SUMMARIES)}


def is_activity_statement(table: Table) -> bool:
    return [name.strip() for name in table.header[:2]] == ["Statement", "Header"]


def read_activity(table: Table, options: Options) -> Statement:
    """Read sections of different columns under one another: `Trades,Header,…`, `Trades,Data,…`."""
    sheets = _sheets(table, options)
    statement = Statement("ibkr-activity", table.encoding, table.delimiter)
    isins = _isins(sheets)
    splits: set[tuple[str, str, str]] = set()
    for section, sheet in sheets:
        sheet.statement = statement
        reversed_rows: set[int] = set()
        if section in (DIVIDENDS, IN_LIEU, WITHHOLDING):
            reversed_rows = reversed_lines(sheet, "Currency")
        for raw in sheet:
            if _is_total(raw):
                continue
            with sheet.collect_problem(raw):
                if raw.line in reversed_rows:
                    sheet.ignore(raw, "reversed")
                else:
                    _read_activity_row(sheet, section, raw, isins, splits)
    return statement


def _is_total(raw: RawRow) -> bool:
    return len(raw.cells) > 2 and _TOTAL.match(raw.cells[2]) is not None


def _sheets(table: Table, options: Options) -> list[tuple[str, Sheet]]:
    """Return the sections with rows that count, as (name, sheet)."""
    found: list[tuple[str, Sheet]] = []
    for section, part in _sections(table):
        if not part.lines or section in SUMMARIES:
            continue
        if section in SECTIONS or section in MOVES:
            part.drop_empty_ends()
        sheet = Sheet(
            "ibkr-activity",
            part,
            options,
            read_day=compact_day,
            decimal="point",
            numbers=("Quantity", "T. Price", "Comm/Fee", "Amount"),
        )
        found.append((section, sheet))
    return found


def _sections(table: Table) -> list[tuple[str, Table]]:
    """Cut the file into its sections, as (name, table). A section may occur several times."""
    sections: list[tuple[str, Table]] = []
    first_row = (table.header_line, table.header)
    for line, cells in chain([first_row], zip(table.lines, table.records, strict=True)):
        written, kind = (cell.strip() for cell in (*cells, "", "")[:2])
        section = _KNOWN.get(written.casefold(), written)
        if kind == "Header":
            part = Table(table.encoding, table.delimiter, line, cells, [], [])
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
    if not any(section in SECTIONS for section, _part in sections):
        raise FileProblem(
            "unknown_format",
            f"The statement has none of the sections {', '.join(SECTIONS)}. "
            "Export an activity statement.",
        )
    return sections


def _isins(sheets: list[tuple[str, Sheet]]) -> dict[str, str]:
    """Return the ISIN of each symbol, from the descriptions that have both."""
    found: dict[str, str] = {}
    for _section, sheet in sheets:
        for raw in sheet:
            named = named_instrument(raw)
            if named:
                symbol, isin = named
                found[symbol] = isin
    return found


def _read_activity_row(
    sheet: Sheet,
    section: str,
    raw: RawRow,
    isins: dict[str, str],
    splits: set[tuple[str, str, str]],
) -> None:
    if section == TRADES_SECTION:
        _add_order(sheet, raw, isins)
    elif section == WITHHOLDING and is_tax_on_interest(raw):
        sheet.ignore(raw, TAX_ON_INTEREST, raw.number_or_zero("Amount"), raw["Currency"])
    elif section in (DIVIDENDS, IN_LIEU, WITHHOLDING):
        kind = TAX if section == WITHHOLDING else "dividends"
        add_payment(sheet, raw, kind, currency=raw["Currency"], day_column="Date")
    elif section == ACTIONS:
        _add_split(sheet, raw, splits)
    elif section == CHARGES:
        _add_charge(sheet, raw, isins)
    elif section in MOVES and raw["Asset Category"] not in ("Cash", "Forex"):
        message = _(
            "Shares were added or removed without a trade, and the file does not give their cost. "
            "Enter them by hand as transfer_in or transfer_out, and skip this row."
        )
        raise bad_row("Symbol", raw["Symbol"], "unsupported", message)
    elif section in CASH_SECTIONS:
        sheet.ignore(raw, section.casefold(), raw.number_or_zero("Amount"), raw["Currency"])
    else:
        _ignore_unknown_section(sheet, section, raw)


def _ignore_unknown_section(sheet: Sheet, section: str, raw: RawRow) -> None:
    """Count a row whose columns are not known. Its amount is added up if it is a number."""
    amount = sheet.number(raw["Amount"]) if raw["Amount"] else ZERO
    if isinstance(amount, RowProblem):
        amount = ZERO
    sheet.ignore(raw, section.casefold(), amount, raw["Currency"])


def _add_order(sheet: Sheet, raw: RawRow, isins: dict[str, str]) -> None:
    if raw["DataDiscriminator"] != "Order":
        return  # The lots and sums of the orders above.
    if raw["Asset Category"] == "Forex":
        sheet.ignore(raw, "forex", raw.number_or_zero("Quantity"), raw["Symbol"].split(".")[0])
        return
    if raw["Asset Category"] != "Stocks":
        raise sheet.unknown_type("Asset Category", raw["Asset Category"])
    quantity = raw.required_number("Quantity")
    sheet.add_net(
        raw,
        type="buy" if quantity > 0 else "sell",
        date=raw.day("Date/Time"),
        quantity=abs(quantity),
        price=raw.required_number("T. Price"),
        commission=-raw.number_or_zero("Comm/Fee"),
        currency=raw["Currency"],
        isin=isins.get(raw["Symbol"]),
        symbol=raw["Symbol"],
    )


def _add_split(sheet: Sheet, raw: RawRow, splits: set[tuple[str, str, str]]) -> None:
    """Add a split once.

    If the shares get another ISIN, one row removes the old shares and another adds the new ones.
    """
    named = named_instrument(raw)
    split = _SPLIT.search(single_spaced(raw["Description"]))
    if not named or not split or int(split[2]) == 0:
        raise sheet.unknown_type("Description", raw["Description"])
    symbol, isin = named
    key = (isin, raw["Report Date"], split[0].casefold())
    if key in splits:
        sheet.ignore(raw, "part of a split")
        return
    splits.add(key)
    sheet.add(
        raw,
        type="split",
        # Booked in the evening before the day on which the new shares trade.
        date=raw.day("Report Date"),
        quantity=divide(Decimal(split[1]), Decimal(split[2])),
        isin=isin,
        symbol=symbol,
        note=raw["Description"],
    )


def _add_charge(sheet: Sheet, raw: RawRow, isins: dict[str, str]) -> None:
    """Add stamp duty and similar charges, which are not in the commission of their trade."""
    if raw["Asset Category"] != "Stocks":
        raise sheet.unknown_type("Asset Category", raw["Asset Category"])
    amount = raw.required_number("Amount")
    if amount > 0:
        raise unpaired_reversal("Amount", amount)
    sheet.add(
        raw,
        type="fee",
        date=raw.day("Date/Time"),
        quantity=ONE,
        price=-amount,
        currency=raw["Currency"],
        isin=isins.get(raw["Symbol"]),
        symbol=raw["Symbol"],
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
