"""Interactive Brokers: Flex queries of trades and of cash transactions, and the activity statement."""

import re
from collections import defaultdict
from decimal import Decimal

from financeproj.core.money import ONE, ZERO
from integrations.statements.base import FileProblem, Format, Options, Statement, Table
from integrations.statements.sheet import Raw, RowProblem, Sheet, compact_day, divided, has_columns

TRADES = ("Buy/Sell", "TradeDate", "ISIN", "Quantity", "TradePrice", "CurrencyPrimary", "IBCommission")
CASH = ("Type", "SettleDate", "ISIN", "Description", "Amount", "CurrencyPrimary")
_INSTRUMENT = re.compile(r"^\s*([A-Z0-9. ]+?)\s*\(([A-Z]{2}[A-Z0-9]{9}\d)\)")
_SPLIT = re.compile(r"\bSplit (\d+) for (\d+)\b", re.IGNORECASE)
INCOME = {"dividends", "payment in lieu of dividends", "payment in lieu of dividend"}
TAX = "withholding tax"


# --- Flex: trades -------------------------------------------------------------------------------------------------


def read_trades(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    sheet = Sheet(
        "ibkr-trades", table, options, read_day=compact_day, decimal="point",
        numbers=("Quantity", "TradePrice", "TradeMoney", "IBCommission"),
    )  # fmt: skip
    for raw in sheet:
        with sheet.row(raw):
            kind = raw["Buy/Sell"].casefold()
            if not raw["ISIN"]:
                # Currencies that were exchanged have no ISIN.
                sheet.ignore(raw, "forex", raw.amount("TradeMoney"), raw["CurrencyPrimary"])
            elif kind in ("buy", "sell"):
                sheet.add(
                    raw,
                    type=kind,
                    date=raw.day("TradeDate"),
                    quantity=abs(raw.needed("Quantity")),
                    price=raw.needed("TradePrice"),
                    commission=-raw.amount("IBCommission"),
                    commission_in=raw["IBCommissionCurrency"] or None,
                    currency=raw["CurrencyPrimary"],
                    isin=raw["ISIN"],
                    symbol=raw["Symbol"] or None,
                    company_name=raw["Description"],
                    external_id=raw["TradeID"] or None,
                )
            else:
                raise sheet.unknown("Buy/Sell", raw["Buy/Sell"])
    return sheet.statement


# --- Flex: cash transactions --------------------------------------------------------------------------------------


def read_cash(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    sheet = Sheet(
        "ibkr-cash", table, options, read_day=compact_day, decimal="point", numbers=("Amount",)
    )  # fmt: skip
    reversed_ = _taken_back(sheet, "Type", "Description", "Amount")
    for raw in sheet:
        with sheet.row(raw):
            kind = raw["Type"].casefold()
            if raw.line in reversed_:
                sheet.ignore(raw, "reversed")
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


def _taken_back(sheet: Sheet, kind: str, description: str, amount: str) -> set[int]:
    """The lines of payments that a later row of the same words takes back, with those rows."""
    waiting: dict[tuple[str, str, Decimal], list[int]] = defaultdict(list)
    gone: set[int] = set()
    for raw in sheet:
        try:
            value = raw.amount(amount)
        except RowProblem:
            continue
        words = (raw[kind], re.sub(r"\s*-?\s*reversal\s*", " ", raw[description], flags=re.IGNORECASE).strip())
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
    named = _INSTRUMENT.match(description)
    symbol = named[1] if named else description.split("(")[0].strip()
    sheet.add(
        raw,
        type="tax" if kind == TAX else "dividend",
        date=raw.day(day),
        quantity=ONE,
        price=-amount if kind == TAX else amount,
        currency=currency,
        isin=isin or (named[2] if named else None),
        symbol=symbol or None,
        note=description,
        external_id=external_id or None,
    )


# --- Activity statement -------------------------------------------------------------------------------------------

# Sections that say what happened; all others add up or explain.
TRADES_SECTION, ACTIONS, DIVIDENDS, WITHHOLDING = "Trades", "Corporate Actions", "Dividends", "Withholding Tax"
CASH_SECTIONS = ("Deposits & Withdrawals", "Interest", "Fees", "Other Fees", "Broker Interest Paid")
SECTIONS = (TRADES_SECTION, ACTIONS, DIVIDENDS, WITHHOLDING, *CASH_SECTIONS)


def is_activity_statement(table: Table) -> bool:
    return [name.strip() for name in table.header[:2]] == ["Statement", "Header"]


def read_activity(table: Table, options: Options) -> Statement:
    """Sections of different columns under one another: `Trades,Header,…`, `Trades,Data,…`."""
    sheets = _sections(table, options)
    if not sheets:
        raise FileProblem(
            "unknown_format",
            f"The statement has none of the sections {', '.join(SECTIONS)}. Export an activity statement.",
        )
    statement = Statement("ibkr-activity", table.encoding, table.delimiter)
    isins = _isins(sheets)
    for name, sheet in sheets:
        sheet.statement = statement
        for raw in sheet:
            with sheet.row(raw):
                _read_activity_row(sheet, name, raw, isins)
    return statement


def _sections(table: Table, options: Options) -> list[tuple[str, Sheet]]:
    found: list[tuple[str, Sheet]] = []
    part: Table | None = None
    parts: list[tuple[str, Table]] = []
    for line, cells in [(table.header_line, table.header), *zip(table.lines, table.records, strict=True)]:
        section, kind = (cell.strip() for cell in (*cells, "", "")[:2])
        if kind == "Header":
            part = Table(table.encoding, table.delimiter, line, cells, [], [])
            parts.append((section, part))
        elif kind == "Data" and part is not None and parts[-1][0] == section:
            part.lines.append(line)
            part.records.append(cells)
            part.ends_in_a_line = table.ends_in_a_line or line != table.lines[-1]
    for section, part in parts:
        if section in SECTIONS:
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
    for _, sheet in sheets:
        for raw in sheet:
            if match := _INSTRUMENT.match(raw["Description"]):
                found[match[1]] = match[2]
    return found


def _read_activity_row(sheet: Sheet, section: str, raw: Raw, isins: dict[str, str]) -> None:
    if section == TRADES_SECTION:
        if raw["DataDiscriminator"] != "Order":
            return  # the lots and sums of the orders above
        if raw["Asset Category"] == "Forex":
            sheet.ignore(raw, "forex", raw.amount("Quantity"), raw["Symbol"].split(".")[0])
            return
        if raw["Asset Category"] != "Stocks":
            raise sheet.unknown("Asset Category", raw["Asset Category"])
        quantity = raw.needed("Quantity")
        sheet.add(
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
    elif raw["Currency"].startswith("Total"):
        return
    elif section in (DIVIDENDS, WITHHOLDING):
        kind = TAX if section == WITHHOLDING else "dividends"
        amount, currency = raw.needed("Amount"), raw["Currency"]
        _add_payment(sheet, raw, kind, amount, currency, raw["Description"], day="Date")
    elif section == ACTIONS:
        if raw["Asset Category"].startswith("Total"):
            return
        named, split = _INSTRUMENT.match(raw["Description"]), _SPLIT.search(raw["Description"])
        if not named or not split or int(split[2]) == 0:
            raise sheet.unknown("Description", raw["Description"])
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
    else:
        sheet.ignore(raw, section.casefold(), raw.amount("Amount") if raw["Amount"] else ZERO, raw["Currency"])


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
