"""Interactive Brokers: Flex queries of trades and of cash transactions, and the activity
statement.
"""

import re
from collections import defaultdict
from decimal import Decimal

from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.base import FileProblem, Format, Options, Statement, Table
from integrations.statements.sheet import (
    BadRow,
    Raw,
    Sheet,
    bad_row,
    compact_day,
    divided,
    has_columns,
    taken_back,
)
from integrations.statements.values import single_spaced
from portfolios.calc.import_rows import gettext_noop as _

TRADES = (
    "Buy/Sell",
    "TradeDate",
    "ISIN",
    "Quantity",
    "TradePrice",
    "CurrencyPrimary",
    "IBCommission",
)
CASH = ("Type", "SettleDate", "ISIN", "Description", "Amount", "CurrencyPrimary")
# AAPL(US0378331005) or BRK B (US0846707026) at the beginning of a description.
_INSTRUMENT = re.compile(r"\A([A-Z0-9.]++(?: [A-Z0-9.]++)*+) ?\(([A-Z]{2}[A-Z0-9]{9}\d)\)")
_SPLIT = re.compile(r"\bSplit (\d{1,15}) for (\d{1,15})\b", re.IGNORECASE)
_PAIR = re.compile(r"([A-Z]{3})\.([A-Z]{3})")
_TOTAL = re.compile(r"\A\s*+Total\b")
_TAX_ON_INTEREST = re.compile(r"\Awithholding @ .* on credit int\b", re.IGNORECASE)
_REVERSAL = re.compile(r" ?-? ?reversal ?", re.IGNORECASE)
INCOME = {"dividends", "payment in lieu of dividends", "payment in lieu of dividend"}
TAX, TAX_ON_INTEREST = "withholding tax", "withholding tax on interest"
FOREX, SHARES = "CASH", {"STK", "FUND", "ETF"}
LEVEL = "LevelOfDetail"
CENT = Decimal("0.01")


# --- Flex: trades ---------------------------------------------------------------------------------


def read_trades(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    sheet = Sheet(
        "ibkr-trades", table, options, read_day=compact_day, decimal="point",
        numbers=("Quantity", "TradePrice", "TradeMoney", "IBCommission"),
    )  # fmt: skip
    _keep_finest(sheet, "EXECUTION", "ORDER")
    for raw in sheet:
        with sheet.row(raw):
            kind = raw["Buy/Sell"].casefold()
            if _is_forex(sheet, raw):
                sheet.ignore(raw, "forex", raw.amount("TradeMoney"), raw["CurrencyPrimary"])
            elif kind in ("buy", "sell"):
                quantity, price = _traded(raw)
                sheet.add_net(
                    raw,
                    type=kind,
                    date=raw.day("TradeDate"),
                    quantity=quantity,
                    price=price,
                    commission=-raw.amount("IBCommission"),
                    commission_in=raw["IBCommissionCurrency"] or None,
                    currency=raw["CurrencyPrimary"],
                    isin=raw["ISIN"] or None,
                    symbol=raw["Symbol"] or None,
                    company_name=raw["Description"],
                    external_id=raw["TradeID"] or None,
                )
            else:
                raise sheet.unknown("Buy/Sell", raw["Buy/Sell"])
    return sheet.statement


def _keep_finest(sheet: Sheet, *levels: str) -> None:
    """Of several levels of detail keep the first of `levels` that there is: the other rows say the
    same once more.
    """
    there = {raw[LEVEL].upper() for raw in sheet}
    finest = next((level for level in levels if level in there), None)
    kept = []
    for raw in sheet:
        if finest is None or raw[LEVEL].upper() in (finest, ""):
            kept.append(raw)
        else:
            sheet.ignore(raw, f"level of detail {raw[LEVEL].lower()}")
    sheet.rows = kept


def _is_forex(sheet: Sheet, raw: Raw) -> bool:
    """Whether currencies were exchanged. Raises BadRow for what is no share, or may be none."""
    if "AssetClass" in sheet.columns:
        kind = raw["AssetClass"].upper()
        if kind != FOREX and kind not in SHARES:
            detail = _("Options, futures and bonds are not imported, only shares and funds.")
            raise bad_row("AssetClass", raw["AssetClass"], "unknown_type", detail)
        return kind == FOREX
    if raw["ISIN"]:
        return False
    name = raw["Symbol"] or raw["Description"]
    pair = _PAIR.fullmatch(name)
    if name and not (pair and any(map(sheet.options.is_currency, pair.groups()))):
        detail = _(
            "Without an ISIN a share cannot be distinguished from an option. Add the column "
            "AssetClass to the query."
        )
        raise bad_row("ISIN", None, "required", detail)
    if not name:
        _traded(raw)  # it may be anything, but of an option the money would differ
    return True


def _traded(raw: Raw) -> tuple[Decimal, Decimal]:
    """(quantity, price). Raises BadRow where they do not come to the money, as the price of a
    bond in percent.
    """
    quantity, price = abs(raw.needed("Quantity")), raw.needed("TradePrice")
    gross, money = EXACT.multiply(quantity, price), raw.number("TradeMoney")
    if money is not None and abs(abs(money) - gross) > max(CENT, gross / 500):
        raise bad_row(
            "TradeMoney",
            raw["TradeMoney"],
            "amount_mismatch",
            _("%(quantity)s × %(price)s = %(gross)s, but the money of the trade is %(money)s."),
            quantity=quantity,
            price=price,
            gross=gross,
            money=money,
        )
    return quantity, price


# --- Flex: cash transactions ----------------------------------------------------------------------


def read_cash(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    sheet = Sheet(
        "ibkr-cash", table, options, read_day=compact_day, decimal="point", numbers=("Amount",)
    )  # fmt: skip
    _keep_finest(sheet, "DETAIL", "SUMMARY")
    reversed_ = _taken_back(sheet, "Type")
    for raw in sheet:
        with sheet.row(raw):
            kind = raw["Type"].casefold()
            if raw.line in reversed_:
                sheet.take_back(raw, "reversed", raw["TransactionID"])
            elif kind == TAX and _TAX_ON_INTEREST.match(raw["Description"]):
                sheet.ignore(raw, TAX_ON_INTEREST, raw.amount("Amount"), raw["CurrencyPrimary"])
            elif kind in INCOME or kind == TAX:
                amount = raw.needed("Amount")
                _add_payment(
                    sheet, raw, kind, amount, raw["CurrencyPrimary"], raw["Description"], day="SettleDate",
                    isin=raw["ISIN"], external_id=raw["TransactionID"],
                )  # fmt: skip
            elif not raw["ISIN"]:
                sheet.ignore(raw, kind, raw.amount("Amount"), raw["CurrencyPrimary"])
            else:
                raise sheet.unknown("Type", raw["Type"])
    return sheet.statement


def _taken_back(sheet: Sheet, kind: str) -> set[int]:
    """The lines of payments that another row of the same words and the same `kind` takes back, with
    those rows.
    """
    waiting: dict[tuple[str, str, Decimal], list[int]] = defaultdict(list)
    gone: set[int] = set()
    for raw in sheet:
        try:
            value = raw.amount("Amount")
        except BadRow:
            continue
        words = (
            raw[kind],
            _REVERSAL.sub(" ", single_spaced(raw["Description"])).strip(),
        )
        if opposite := waiting[(*words, -value)]:
            gone |= {opposite.pop(), raw.line}
        else:
            waiting[(*words, value)].append(raw.line)
    return gone


def _add_payment(
    sheet: Sheet,
    raw: Raw,
    kind: str,
    amount: Decimal,
    currency: str,
    description: str,
    *,
    day: str,
    isin: str = "",
    external_id: str = "",
) -> None:
    """A dividend or a tax on one; amounts are totals, taxes negative."""
    price = -amount if kind == TAX else amount
    if price < 0:
        raise taken_back("Amount", amount)
    named = _INSTRUMENT.match(single_spaced(description))
    symbol = named[1] if named else description.split("(")[0].strip()
    sheet.add(
        raw,
        type="tax" if kind == TAX else "dividend",
        date=raw.day(day),
        quantity=ONE,
        price=price,
        currency=currency,
        isin=isin or (named[2] if named else None),
        symbol=symbol or None,
        note=description,
        external_id=external_id or None,
    )


# --- Activity statement ---------------------------------------------------------------------------

# Sections that say what happened.
TRADES_SECTION, ACTIONS, WITHHOLDING = "Trades", "Corporate Actions", "Withholding Tax"
DIVIDENDS, IN_LIEU, CHARGES = "Dividends", "Payment In Lieu Of Dividends", "Transaction Fees"
CASH_SECTIONS = ("Deposits & Withdrawals", "Interest", "Fees", "Other Fees", "Broker Interest Paid")
SECTIONS = (TRADES_SECTION, ACTIONS, DIVIDENDS, IN_LIEU, WITHHOLDING, CHARGES, *CASH_SECTIONS)
# Shares that come or go without a trade, at a cost that is not told.
MOVES = (
    "Transfers",
    "Incoming Trade Transfers",
    "Outgoing Trade Transfers",
    "Grant Activity",
    "Stock Grant Activity",
)
# What adds up or explains the others. A section that is not listed anywhere is told as ignored.
SUMMARIES = {
    "Statement", "Account Information", "Net Asset Value", "Change in NAV", "Mark-to-Market Performance Summary",
    "Realized & Unrealized Performance Summary", "Month & Year to Date Performance Summary",
    "Total P/L for Statement Period", "Cash Report", "Open Positions", "Forex Balances", "Forex P/L Details",
    "Net Stock Position Summary", "Complex Positions Summary", "Financial Instrument Information", "Codes", "Notes",
    "Legal Notes", "Notes/Legal Notes", "Interest Accruals", "Change in Dividend Accruals", "Open Dividend Accruals",
    "Change in Interest Accruals", "Collateral for Customer Borrowing", "Base Currency Exchange Rate",
    "Trade Summary by Asset Class", "Trade Summary by Symbol", "Commission Details", "Transaction Fee Details",
    "Interest Details", "Borrow Fee Details", "Sales Tax Details", "Location of Customer Assets, Positions and Money",
}  # fmt: skip
_KNOWN = {name.casefold(): name for name in (*SECTIONS, *MOVES, *SUMMARIES)}


def is_activity_statement(table: Table) -> bool:
    return [name.strip() for name in table.header[:2]] == ["Statement", "Header"]


def read_activity(table: Table, options: Options) -> Statement:
    """Sections of different columns under one another: `Trades,Header,…`, `Trades,Data,…`."""
    sheets = _sections(table, options)
    statement = Statement("ibkr-activity", table.encoding, table.delimiter)
    isins = _isins(sheets)
    splits: set[tuple[str, str, str]] = set()
    for name, sheet in sheets:
        sheet.statement = statement
        reversed_ = (
            _taken_back(sheet, "Currency") if name in (DIVIDENDS, IN_LIEU, WITHHOLDING) else set()
        )
        for raw in sheet:
            if any(map(_TOTAL.match, raw.cells[2:3])):
                continue
            with sheet.row(raw):
                if raw.line in reversed_:
                    sheet.ignore(raw, "reversed")
                else:
                    _read_activity_row(sheet, name, raw, isins, splits)
    return statement


def _sections(table: Table, options: Options) -> list[tuple[str, Sheet]]:
    found: list[tuple[str, Sheet]] = []
    part: Table | None = None
    parts: list[tuple[str, Table]] = []
    for line, cells in [
        (table.header_line, table.header),
        *zip(table.lines, table.records, strict=True),
    ]:
        section, kind = (cell.strip() for cell in (*cells, "", "")[:2])
        section = _KNOWN.get(section.casefold(), section)
        if kind == "Header":
            part = Table(table.encoding, table.delimiter, line, cells, [], [])
            parts.append((section, part))
        elif kind == "Data" and part is not None and parts[-1][0] == section:
            part.lines.append(line)
            part.records.append(cells)
            part.ends_in_a_line = table.ends_in_a_line or line != table.lines[-1]
        elif kind == "Data" and section in SECTIONS:
            detail = f"Line {line} is of the section {section}, whose header is not above it. Export the statement again."
            raise FileProblem("unreadable_file", detail)
    if not any(name in SECTIONS for name, _ in parts):
        raise FileProblem(
            "unknown_format",
            f"The statement has none of the sections {', '.join(SECTIONS)}. Export an activity statement.",
        )
    for section, part in parts:
        if part.lines and section not in SUMMARIES:
            if section in SECTIONS or section in MOVES:
                part.drop_empty_ends()
            numbers = ("Quantity", "T. Price", "Comm/Fee", "Amount")
            sheet = Sheet(
                "ibkr-activity", part, options, read_day=compact_day, decimal="point", numbers=numbers
            )  # fmt: skip
            found.append((section, sheet))
    return found


def _isins(sheets: list[tuple[str, Sheet]]) -> dict[str, str]:
    """Symbol → ISIN, from the descriptions that have both."""
    found: dict[str, str] = {}
    for _section, sheet in sheets:
        for raw in sheet:
            if match := _INSTRUMENT.match(single_spaced(raw["Description"])):
                found[match[1]] = match[2]
    return found


def _read_activity_row(
    sheet: Sheet, section: str, raw: Raw, isins: dict[str, str], splits: set[tuple[str, str, str]]
) -> None:
    if section == TRADES_SECTION:
        _add_order(sheet, raw, isins)
    elif section == WITHHOLDING and _TAX_ON_INTEREST.match(raw["Description"]):
        sheet.ignore(raw, TAX_ON_INTEREST, raw.amount("Amount"), raw["Currency"])
    elif section in (DIVIDENDS, IN_LIEU, WITHHOLDING):
        kind = TAX if section == WITHHOLDING else "dividends"
        amount, currency = raw.needed("Amount"), raw["Currency"]
        _add_payment(sheet, raw, kind, amount, currency, raw["Description"], day="Date")
    elif section == ACTIONS:
        _add_split(sheet, raw, splits)
    elif section == CHARGES:
        _add_charge(sheet, raw, isins)
    elif section in MOVES and raw["Asset Category"] not in ("Cash", "Forex"):
        detail = _(
            "Shares were added or removed without a trade, and the file does not give their cost. "
            "Enter them by hand as transfer_in or transfer_out, and skip this row."
        )
        raise bad_row("Symbol", raw["Symbol"], "unsupported", detail)
    elif section in CASH_SECTIONS:
        sheet.ignore(raw, section.casefold(), raw.amount("Amount"), raw["Currency"])
    else:
        # What its columns mean nobody has told us: an amount that is a number is added up.
        told = sheet.number(raw["Amount"]) if raw["Amount"] else ZERO
        sheet.ignore(
            raw, section.casefold(), told if isinstance(told, Decimal) else ZERO, raw["Currency"]
        )


def _add_order(sheet: Sheet, raw: Raw, isins: dict[str, str]) -> None:
    if raw["DataDiscriminator"] != "Order":
        return  # the lots and sums of the orders above
    if raw["Asset Category"] == "Forex":
        sheet.ignore(raw, "forex", raw.amount("Quantity"), raw["Symbol"].split(".")[0])
        return
    if raw["Asset Category"] != "Stocks":
        raise sheet.unknown("Asset Category", raw["Asset Category"])
    quantity = raw.needed("Quantity")
    sheet.add_net(
        raw,
        type="buy" if quantity > 0 else "sell",
        date=raw.day("Date/Time"),
        quantity=abs(quantity),
        price=raw.needed("T. Price"),
        commission=-raw.amount("Comm/Fee"),
        currency=raw["Currency"],
        isin=isins.get(raw["Symbol"]),
        symbol=raw["Symbol"],
    )


def _add_split(sheet: Sheet, raw: Raw, splits: set[tuple[str, str, str]]) -> None:
    """A split, once: where the shares get another ISIN, the old ones go in one row and the new ones
    come in another.
    """
    description = single_spaced(raw["Description"])
    named, split = _INSTRUMENT.match(description), _SPLIT.search(description)
    if not named or not split or int(split[2]) == 0:
        raise sheet.unknown("Description", raw["Description"])
    key = (named[2], raw["Report Date"], split[0].casefold())
    if key in splits:
        sheet.ignore(raw, "part of a split")
        return
    splits.add(key)
    sheet.add(
        raw,
        type="split",
        # Booked in the evening before the day on which the new shares trade.
        date=raw.day("Report Date"),
        quantity=divided(Decimal(split[1]), Decimal(split[2])),
        isin=named[2],
        symbol=named[1],
        note=raw["Description"],
    )


def _add_charge(sheet: Sheet, raw: Raw, isins: dict[str, str]) -> None:
    """Stamp duty and the like, which is not in the commission of its trade."""
    if raw["Asset Category"] != "Stocks":
        raise sheet.unknown("Asset Category", raw["Asset Category"])
    amount = raw.needed("Amount")
    if amount > 0:
        raise taken_back("Amount", amount)
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


FORMATS = (
    Format(
        name="ibkr-trades",
        label="Interactive Brokers, Flex query: trades",
        columns=(*TRADES, "IBCommissionCurrency"),
        example='"' + '","'.join((*TRADES, "IBCommissionCurrency")) + '"\r\n'
        '"BUY","20240301","US0378331005","10","180","USD","-1","USD"\r\n',
        recognises=has_columns(*TRADES),
        read=read_trades,
    ),
    Format(
        name="ibkr-cash",
        label="Interactive Brokers, Flex query: cash transactions",
        columns=CASH,
        example='"' + '","'.join(CASH) + '"\r\n'
        '"Dividends","20240516","US0378331005","AAPL(US0378331005) CASH DIVIDEND USD 0.25 PER SHARE","2.5","USD"\r\n',
        recognises=has_columns(*CASH),
        read=read_cash,
    ),
    Format(
        name="ibkr-activity",
        label="Interactive Brokers, activity statement",
        columns=("Statement", "Header", "Field Name", "Field Value"),
        example="Statement,Header,Field Name,Field Value\r\nTrades,Header,DataDiscriminator,Asset Category,Currency,"
        "Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,Comm/Fee,Basis,Realized P/L,MTM P/L,Code\r\n"
        'Trades,Data,Order,Stocks,USD,AAPL,"2024-03-01, 10:00:00",10,180,180,-1800,-1,1801,0,0,O\r\n',
        recognises=is_activity_statement,
        read=read_activity,
    ),
)
