"""Interactive Brokers: the transaction history. Prices are in their own currency, every amount in
the account's base currency, which older files do not name: then the request must.
"""

import re
from decimal import Decimal
from functools import partial

from financeproj.core.money import ONE
from integrations.statements.amounts import divide, transfer_kind
from integrations.statements.base import FileProblem, Format, Options, Statement, Table
from integrations.statements.days import compact_day
from integrations.statements.ibkr import (
    TAX,
    add_money,
    add_payment,
    isins_of,
    reversed_lines,
)
from integrations.statements.ibkr_actions import Actions
from integrations.statements.ibkr_amounts import rate_and_price, require_charges
from integrations.statements.ibkr_assets import WITHOUT_MONEY
from integrations.statements.raw_rows import (
    BadRow,
    RawRow,
    bad_row,
    unpaired_reversal,
    unsupported_instrument,
)
from integrations.statements.sheet import Sheet
from integrations.statements.values import folded
from portfolios.calc.import_rows import gettext_noop as _

SECTION = "Transaction History"
EXERCISE, ACTION = "exercise", "corporate action"
COLUMNS = (
    "Date", "Account", "Description", "Transaction Type", "Symbol", "Quantity", "Price",
    "Price Currency", "Gross Amount", "Commission", "Net Amount",
)  # fmt: skip
# The columns in German and French, without accents and capitals.
_NAMES = {
    "Date": "datum", "Account": "konto|compte", "Description": "beschreibung",
    "Transaction Type": "transaktionsart|transaktionstyp|type de transaction",
    "Symbol": "symbole", "Quantity": "menge|quantite", "Price": "preis|kurs|prix",
    "Price Currency": "preiswahrung|kurswahrung|devise du prix",
    "Gross Amount": "bruttobetrag|montant brut", "Commission": "provision",
    "Net Amount": "nettobetrag|montant net", "Exchange Rate": "wechselkurs|taux de change",
    "Transaction Fees": "transaktionsgebuhren|frais de transaction",
    "Multiplier": "multiplikator|multiplicateur",
}  # fmt: skip
NAMES = {name: ours for ours, names in _NAMES.items() for name in names.split("|")}
_WORDS = {
    "buy": "buy|kauf|achat",
    "sell": "sell|verkauf|vente",
    "dividend": (
        "dividend|dividends|payment in lieu|payment in lieu of dividend|"
        "payment in lieu of dividends|dividende|dividendes"
    ),
    TAX: "foreign tax withholding|withholding tax|quellensteuer|retenue a la source",
    # What an option that was exercised, or that another exercised, made of shares.
    EXERCISE: "exercise|exercised|assignment|assigned|ausubung|zuteilung|exercice|assignation",
    ACTION: "corporate action|corporate actions|kapitalmassnahme|kapitalmassnahmen",
    "deposit": (
        "deposit|withdrawal|deposit/withdrawal|transfer|cash transfer|electronic fund transfer|"
        "einzahlung|auszahlung|depot|retrait"
    ),
    "interest": (
        "credit interest|debit interest|interest|bond interest|broker interest|investment interest|"
        "broker interest paid|broker interest received|bond interest paid|bond interest received|"
        "investment interest paid|investment interest received|"
        "habenzinsen|sollzinsen|zinsen|interets crediteurs|interets debiteurs|interets"
    ),
    "fee": (
        "other fee|fee|fees|broker fee|advisor fee|sales tax|gebuhr|sonstige gebuhr|frais|"
        "autres frais"
    ),
    "adjustment": "adjustment|forex trade component|anpassung|ajustement",
}
KINDS = {word: kind for kind, words in _WORDS.items() for word in words.split("|")}
PAYMENTS = {"dividend", TAX}
AMOUNTS = ("Gross Amount", "Commission", "Net Amount")
BASE_CURRENCY = {"base currency", "basiswahrung", "devise de base", "divisa base"}
# Where a row has what it needs when a person says what its word means.
FOR_WORDS = {
    "date": "Date",
    "amount": "Net Amount",
    "quantity": "Quantity",
    "symbol": "Symbol",
    "company_name": "Description",
}
HEADER_ROWS = 100  # before the table
# AAPL  240119C00150000, AAPL 19JAN24 150 C, C UBSE 20291221 28 M
_OPTION = re.compile(
    r".{1,20} \d{6}[CP]\d{8}|.{1,20} \d{2}[A-Z]{3}\d{2} .{1,20} [CP]|[CP] \w{1,20} \d{8} .{1,20}",
    re.ASCII,
)
# MNQ 18JUN26, MCL JUN26
_FUTURE = re.compile(
    r"[A-Z0-9]{1,8} (?:\d{1,2})?(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)\d{2}", re.ASCII
)
# The value of a contract has the number of a note: -48022.67(1)
_NOTE = re.compile(r"\(\d\)\Z", re.ASCII)
# Full Call / Early Redemption for USD 1.00 per Bond
_PER_UNIT = re.compile(r"\bfor ([A-Z]{3}) (\d{1,9}(?:\.\d{1,10})?) per \w", re.IGNORECASE)


def _is_header(record: list[str]) -> bool:
    return [cell.strip() for cell in record[:2]] == [SECTION, "Header"]


def recognises(table: Table) -> bool:
    return _is_header(table.header) or any(map(_is_header, table.records[:HEADER_ROWS]))


def read(table: Table, options: Options) -> Statement:
    part, named = _history(table)
    currency = named or options.require_currency()
    part.drop_empty_ends()
    _add_currency(part, currency)
    numbers = ("Quantity", "Price", "Gross Amount", "Commission", "Net Amount", "Exchange Rate")
    sheet = Sheet(
        "ibkr-history", part, options, read_day=compact_day, decimal="point", numbers=numbers
    )
    sheet.for_words = FOR_WORDS | {"currency": currency}
    sheet.set_account("Account")
    sheet.sort_oldest_first("Date")
    columns = sheet.columns
    sheet.columns = {
        **columns,
        "Amount": columns["Net Amount"],
        "Proceeds": columns["Net Amount"],
        "Report Date": columns["Date"],
    }
    reversed_rows = _reversed(sheet)
    isins = isins_of(sheet)
    actions = _actions(sheet)
    for raw in sheet:
        with sheet.collect_problem(raw):
            read = partial(_read_row, sheet, raw, isins.get(raw["Symbol"]), actions)
            if raw.line in reversed_rows:
                sheet.ignore_reversed(raw, "reversed", read=read)
            else:
                read()
    return sheet.statement


def _add_currency(part: Table, currency: str) -> None:
    """Name the currency of the amounts in each row. Some files name that of the price Currency."""
    if "Currency" in part.header:
        known_as = "Price Currency" if "Price Currency" not in part.header else ""
        part.header[part.header.index("Currency")] = known_as
    part.header.insert(0, "Currency")
    for cells in part.records:
        cells.insert(0, currency)


def _history(table: Table) -> tuple[Table, str]:
    """Return the table of the transactions with English columns, and the base currency, empty if
    the file does not name it. A cell without a value has a dash, which is left out.
    """
    part: Table | None = None
    currency = ""
    everything = zip([table.header_line, *table.lines], [table.header, *table.records], strict=True)
    for line, record in everything:
        if _is_header(record):
            header = [NAMES.get(folded(name), name.strip()) for name in record]
            part = Table(table.encoding, table.delimiter, line, header, [], [])
        elif part is not None and [cell.strip() for cell in record[:2]] == [SECTION, "Data"]:
            part.lines.append(line)
            part.records.append([_without_dash(cell) for cell in record])
            part.ends_in_a_line = table.ends_in_a_line or line != table.lines[-1]
        elif len(record) > 3 and folded(record[2]) in BASE_CURRENCY:
            currency = record[3].strip().upper()
        elif len(record) < 3:
            table.require_end_after(line)
    if part is None or not set(COLUMNS) - {"Account", "Price Currency"} <= set(part.header):
        raise FileProblem("unknown_format", "The transaction history lacks some of its columns.")
    return part, currency


def _without_dash(cell: str) -> str:
    return "" if cell.strip() in ("-", "--") else cell


def _reversed(sheet: Sheet) -> set[int]:
    """Return the lines of payments that were reversed, and of the rows that reverse them."""
    everything = sheet.rows
    sheet.rows = [raw for raw in everything if _kind(raw) in PAYMENTS]
    found = reversed_lines(sheet, "Transaction Type")
    sheet.rows = everything
    return found


def _actions(sheet: Sheet) -> Actions:
    """Return what companies did. Of a redemption the file has the price of one, not how many."""
    found = [raw for raw in sheet if _kind(raw) == ACTION]
    for raw in found:
        price = _PER_UNIT.search(raw["Description"])
        if raw["Quantity"] or not price or price[1].upper() != raw["Currency"]:
            continue
        try:
            paid = raw.number_or_zero("Net Amount")
        except BadRow:
            continue  # It is a problem of its row.
        if paid and Decimal(price[2]):
            raw.cells[sheet.columns["Quantity"]] = f"{-divide(paid, Decimal(price[2])):f}"
    return Actions(found)


def _kind(raw: RawRow) -> str:
    return KINDS.get(folded(raw["Transaction Type"]), "")


def _read_row(sheet: Sheet, raw: RawRow, isin: str | None, actions: Actions) -> None:
    kind, currency = _kind(raw), raw["Currency"]
    has_note = _NOTE.search(raw["Gross Amount"]) is not None
    if _is_contract(raw) and not has_note and not any(map(raw.number_or_zero, AMOUNTS)):
        sheet.ignore(raw, WITHOUT_MONEY)
    elif kind in ("buy", "sell", EXERCISE):
        _add_trade(sheet, raw, kind, currency, isin)
    elif kind == ACTION:
        if not raw["Quantity"]:
            raise sheet.unknown_type("Description", raw["Description"])
        actions.add(sheet, raw)
    elif kind == "deposit" and raw["Symbol"] and raw.number("Quantity"):
        _add_moved(sheet, raw, currency, isin)
    elif kind in PAYMENTS and raw["Symbol"]:
        add_payment(
            sheet,
            raw,
            kind,
            currency=currency,
            day_column="Date",
            isin=isin or "",
            symbol=raw["Symbol"],
        )
    elif kind == TAX:
        add_money(sheet, raw, "tax", currency, "Date")
    elif kind:
        add_money(sheet, raw, kind, currency, "Date")
    else:
        raise sheet.unknown_type("Transaction Type", raw["Transaction Type"])


def _add_moved(sheet: Sheet, raw: RawRow, currency: str, isin: str | None) -> None:
    """Add shares that were moved from or to another broker, at their price on that day.

    Without a value that confirms the price their cost is unknown.
    """
    shares, price = raw.required_number("Quantity"), raw.number("Price")
    value = raw.number("Gross Amount") or raw.number("Net Amount")
    if _is_contract(raw):
        raise unsupported_instrument("Symbol", raw["Symbol"])
    quoted_in = raw["Price Currency"] or currency
    if price and value:
        _rate, price = rate_and_price(
            raw,
            "sell",
            abs(shares),
            price,
            abs(value),
            stated=_stated_rate(raw, quoted_in, currency),
            quoted_in=quoted_in,
            currency=currency,
        )
    else:
        price = None
    sheet.add(
        raw,
        type=transfer_kind(shares),
        date=raw.day("Date"),
        quantity=abs(shares),
        price=price,
        is_cost_unknown=shares > 0 and price is None,
        currency=None if price is None else quoted_in,
        isin=isin,
        symbol=raw["Symbol"],
        company_name=raw["Description"],
    )


def _add_trade(sheet: Sheet, raw: RawRow, kind: str, currency: str, isin: str | None) -> None:
    """Add a trade. Its amounts are converted to the currency of its price at its own rate."""
    if _is_contract(raw):
        raise unsupported_instrument("Symbol", raw["Symbol"])
    quantity, price = raw.required_number("Quantity"), raw.required_number("Price")
    shares, side = abs(quantity), kind
    if kind == EXERCISE:
        side = "buy" if quantity > 0 else "sell"
    gross, net = raw.required_number("Gross Amount"), raw.required_number("Net Amount")
    if not gross or (gross > 0) == (side == "buy"):
        raise unpaired_reversal(
            "Gross Amount",
            gross,
            type=side,
            date=raw.day("Date"),
            quantity=shares,
            price=price,
            isin=isin,
            symbol=raw["Symbol"] or None,
        )
    if not shares or not price:
        raise bad_row("Price", raw["Price"], "not_above", _("Enter a number above 0."))
    quoted_in = raw["Price Currency"] or currency
    stated = _stated_rate(raw, quoted_in, currency)
    rate, price = rate_and_price(
        raw, side, shares, price, gross, stated=stated, quoted_in=quoted_in, currency=currency
    )
    require_charges(raw, gross, net)
    sheet.add_net(
        raw,
        type=side,
        quantity=shares,
        price=price,
        commission=divide(gross - net, rate),
        currency=quoted_in,
        exchange_rate=rate,
        rate_currency=currency,
        settlement_currency=currency,
        settlement_amount=net or None,
        date=raw.day("Date"),
        isin=isin,
        symbol=raw["Symbol"] or None,
        company_name=raw["Description"],
    )


def _stated_rate(raw: RawRow, quoted_in: str, currency: str) -> Decimal | None:
    return ONE if quoted_in == currency else raw.number("Exchange Rate")


def _is_contract(raw: RawRow) -> bool:
    """Return whether a trade is of an option or a future."""
    return bool(
        (raw.number("Multiplier") or ONE) != ONE
        or _OPTION.fullmatch(raw["Symbol"])
        or _OPTION.fullmatch(raw["Description"])
        or _FUTURE.fullmatch(raw["Description"])
        or _NOTE.search(raw["Gross Amount"])
    )


EXAMPLE = (
    "Statement,Header,Field Name,Field Value\r\n"
    "Statement,Data,Title,Transaction History\r\n"
    "Summary,Data,Base Currency,USD\r\n"
    f"{SECTION},Header,{','.join(COLUMNS)}\r\n"
    f"{SECTION},Data,2024-03-01,U***00,APPLE INC,Buy,AAPL,10,180.00,USD,-1800.00,-1.00,-1801.00\r\n"
)
FORMATS = (
    Format(
        name="ibkr-history",
        label="Interactive Brokers, transaction history",
        columns=(SECTION, "Header", *COLUMNS),
        example=EXAMPLE,
        recognises=recognises,
        read=read,
    ),
)
