"""Interactive Brokers: the sections of an activity statement, each with columns of its own.

The first cell of a row is its section, the second says what it is: `Trades,Header,…` names the
columns, `Trades,Data,…` is a row.
"""

import re
from collections import defaultdict
from itertools import chain

from financeproj.core.identifiers import is_isin
from integrations.statements.base import FileProblem, Options, Table
from integrations.statements.days import compact_day
from integrations.statements.ibkr_words import column_of, section_of
from integrations.statements.raw_rows import RawRow
from integrations.statements.sheet import Sheet
from integrations.statements.values import number_in

_TOTAL = re.compile(r"\A\s*+(?:Total|Gesamt)")
# The second cell of a row.
_KINDS = {"Header", "Data", "SubTotal", "Total", "Notes"}
NUMBERS = (
    "Quantity", "T. Price", "Proceeds", "Comm/Fee", "Amount", "Market Value", "Cash Amount", "Qty",
    "Price",
)  # fmt: skip
# Sections of what happened.
TRADES, ACTIONS, WITHHOLDING = "Trades", "Corporate Actions", "Withholding Tax"
DIVIDENDS, IN_LIEU, CHARGES = "Dividends", "Payment In Lieu Of Dividends", "Transaction Fees"
# Sections of money alone, and what their rows are.
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
SECTIONS = (TRADES, ACTIONS, DIVIDENDS, IN_LIEU, WITHHOLDING, CHARGES, *OF_MONEY)
# Shares that are added or removed without a trade. The file does not give their cost; of transfers
# it gives the market value.
GRANTS = ("Grant Activity", "Stock Grant Activity")
MOVES = ("Transfers", "Incoming Trade Transfers", "Outgoing Trade Transfers", *GRANTS)
INSTRUMENTS = "Financial Instrument Information"
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


def sections_of(table: Table) -> list[tuple[str, Table]]:
    """Cut the file into its sections, as (name, table). A section may occur several times.

    Names are English if the language is known. Raises FileProblem if a row is not below the header
    of its section, or if the file has none of the sections that are imported.
    """
    sections: list[tuple[str, Table]] = []
    first_row = (table.header_line, table.header)
    for line, cells in chain([first_row], zip(table.lines, table.records, strict=True)):
        written, kind = (cell.strip() for cell in (*cells, "", "")[:2])
        english = section_of(written)
        section = _KNOWN.get(english.casefold(), english)
        if kind == "Header":
            part = Table(table.encoding, table.delimiter, line, list(cells), [], [])
            _name_in_english(part, section)
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


def _name_in_english(part: Table, section: str) -> None:
    """Give the columns of a section that is read their English names."""
    if section in SECTIONS or section in MOVES:
        part.header = list(map(column_of, part.header))


def sheets_of(everything: list[tuple[str, Table]], options: Options) -> list[tuple[str, Sheet]]:
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


def listed_isins(sections: list[tuple[str, Table]]) -> dict[str, str]:
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


def is_total(raw: RawRow) -> bool:
    """Return whether a row is a sum of others: its third cell begins with Total or Gesamt."""
    return len(raw.cells) > 2 and _TOTAL.match(raw.cells[2]) is not None


def has_columns_of_money(sheet: Sheet) -> bool:
    """Return whether an unknown section has the columns of those that move money, and no others."""
    names = {column_of(name) for name in list(sheet.columns)[2:]}
    return {"Currency", "Description", "Amount"} <= names <= COLUMNS_OF_MONEY
