"""Revolut: the account statements of stocks and of crypto currencies."""

import re
from collections import defaultdict
from datetime import date
from decimal import Decimal

from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.amounts import require_commission, split_ratio
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import iso_day, month_number
from integrations.statements.sheet import RawRow, Sheet, bad_row, has_columns
from integrations.statements.values import day_of, plain_text, single_spaced
from portfolios.calc.import_rows import gettext_noop as _

STOCKS = (
    "Date",
    "Ticker",
    "Type",
    "Quantity",
    "Price per share",
    "Total Amount",
    "Currency",
    "FX Rate",
)
CRYPTO = ("Symbol", "Type", "Quantity", "Price", "Value", "Fees", "Date")
SYMBOLS = {"$": "USD", "€": "EUR", "£": "GBP"}
CENT = Decimal("0.01")
# -$1,234.56, EUR 1 234.56 or 1,234.56 EUR, with single spaces.
_MONEY = re.compile(
    r"\A(-?) ?(?:([$€£]) ?|([A-Z]{3}) )?(-?[\d.,]++(?: [\d.,]++)*+)(?: ([A-Z]{3}))?\Z"
)
_CRYPTO_DAY = re.compile(r"([A-Za-z]{3,12}) (\d{1,2}), (\d{4})(?:,.*)?")


def _split_money(table: Table, *columns: str) -> dict[int, dict[str, str]]:
    """Leave bare numbers in `columns`. Returns the currencies written there, by line and column."""
    currencies: dict[int, dict[str, str]] = defaultdict(dict)
    positions = {name.strip(): position for position, name in enumerate(table.header)}
    for line, record in zip(table.lines, table.records, strict=True):
        for column in columns:
            position = positions[column]
            match = _MONEY.match(single_spaced(plain_text(record[position])))
            if match:
                sign, symbol, code_before, number, code_after = match.groups(default="")
                record[position] = sign + number
                currencies[line][column] = SYMBOLS.get(symbol) or code_before or code_after
    return currencies


# --- Stocks ---------------------------------------------------------------------------------------


def read_stocks(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    _split_money(table, "Price per share", "Total Amount")
    numbers = ("Quantity", "Price per share", "Total Amount")
    sheet = Sheet("revolut", table, options, read_day=iso_day, numbers=numbers)
    held: dict[str, Decimal] = defaultdict(Decimal)
    for raw in sorted(sheet, key=lambda raw: raw["Date"]):
        with sheet.collect_problem(raw):
            _read_stock(sheet, raw, held)
    return sheet.statement


def _read_stock(sheet: Sheet, raw: RawRow, held: dict[str, Decimal]) -> None:
    kind = raw["Type"].upper()
    ticker = raw["Ticker"]
    identity: dict[str, str | None] = {
        "symbol": ticker or None,
        "currency": raw["Currency"],
        "note": raw["Type"],
    }
    if not ticker:
        sheet.ignore(raw, kind.lower(), raw.number_or_zero("Total Amount"), raw["Currency"])
    elif kind.startswith("BUY"):
        _add_trade(sheet, raw, "buy", held, identity)
    elif kind.startswith("SELL"):
        _add_trade(sheet, raw, "sell", held, identity)
    elif kind == "DIVIDEND":
        sheet.add(
            raw,
            type="dividend",
            date=raw.day("Date"),
            quantity=ONE,
            price=raw.required_number("Total Amount"),
            **identity,
        )
    elif kind == "STOCK SPLIT":
        ratio = split_ratio(held[ticker], raw.required_number("Quantity"))
        held[ticker] = EXACT.multiply(held[ticker], ratio)
        sheet.add(raw, type="split", date=raw.day("Date"), quantity=ratio, **identity)
    elif kind.startswith("TRANSFER FROM REVOLUT"):
        sheet.ignore(raw, "transfer within revolut")
    else:
        raise sheet.unknown_type("Type", raw["Type"])


def _add_trade(
    sheet: Sheet,
    raw: RawRow,
    side: str,
    held: dict[str, Decimal],
    identity: dict[str, str | None],
) -> None:
    quantity = raw.required_number("Quantity")
    price = raw.required_number("Price per share")
    gross = EXACT.multiply(quantity, price)
    total = raw.required_number("Total Amount")
    fee = total - gross if side == "buy" else gross - total
    require_commission(raw, "Total Amount", fee, quantity, price, rounding=CENT)
    held[raw["Ticker"]] += quantity if side == "buy" else -quantity
    # A difference of less than a cent is rounding.
    fee = fee.quantize(CENT) if fee >= CENT else ZERO
    sheet.add(
        raw,
        type=side,
        date=raw.day("Date"),
        quantity=quantity,
        price=price,
        commission=fee,
        **identity,
    )


# --- Crypto currencies ----------------------------------------------------------------------------


def crypto_day(text: str) -> date | None:
    """May 5, 2020, 10:10:57 PM"""
    match = _CRYPTO_DAY.fullmatch(text)
    if match is None:
        return None
    month = month_number(match[1])
    if month is None:
        return None
    return day_of(int(match[3]), month, int(match[2]))


def read_crypto(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    currencies = _split_money(table, "Price", "Value", "Fees")
    sheet = Sheet(
        "revolut-crypto", table, options, read_day=crypto_day, decimal="point",
        numbers=("Quantity", "Price", "Value", "Fees"),
    )  # fmt: skip
    latest_currencies: dict[str, str] = {}
    for raw in sorted(sheet, key=_crypto_day_or_earliest):
        with sheet.collect_problem(raw):
            _read_coin(sheet, raw, currencies[raw.line], latest_currencies)
    return sheet.statement


def _crypto_day_or_earliest(raw: RawRow) -> date:
    return crypto_day(raw["Date"]) or date.min


def _read_coin(
    sheet: Sheet,
    raw: RawRow,
    currencies: dict[str, str],
    latest_currencies: dict[str, str],
) -> None:
    kind = raw["Type"].casefold()
    coin = raw["Symbol"]
    if kind in ("stake", "unstake"):
        sheet.ignore(raw, kind)
        return
    currency = currencies.get("Price") or latest_currencies.get(coin, "")
    if not currency:
        raise bad_row(
            "Price",
            raw["Price"],
            "currency_required",
            _(
                "The file does not give the currency of the price of %(coin)s. Enter the "
                "transaction by hand and skip this row."
            ),
            coin=coin,
        )
    latest_currencies[coin] = currency
    # Sources quote a coin in a currency: BTC-EUR.
    identity = {"symbol": f"{coin}-{currency}", "currency": currency, "note": raw["Type"]}
    day = raw.day("Date")
    quantity = raw.required_number("Quantity")
    if kind in ("buy", "sell"):
        sheet.add(
            raw,
            type=kind,
            date=day,
            quantity=quantity,
            price=raw.required_number("Price"),
            commission=raw.number_or_zero("Fees"),
            **identity,
        )
    elif kind == "send":
        sheet.add(raw, type="transfer_out", date=day, quantity=quantity, **identity)
    elif kind == "receive":
        sheet.add(
            raw,
            type="transfer_in",
            date=day,
            quantity=quantity,
            price=raw.required_number("Price"),
            **identity,
        )
    elif kind in ("staking reward", "learn reward"):
        sheet.add(raw, type="buy", date=day, quantity=quantity, price=ZERO, **identity)
    else:
        raise sheet.unknown_type("Type", raw["Type"])


def is_crypto(table: Table) -> bool:
    return {name.strip() for name in table.header} == set(CRYPTO)


STOCKS_EXAMPLE = "2024-03-01T14:30:00.000Z,AAPL,BUY - MARKET,2,$180.00,$360.00,USD,1.0800"
CRYPTO_EXAMPLE = 'BTC,Buy,0.001,"€40,000.00",€40.00,€0.60,"Mar 1, 2024, 10:10:57 AM"'
FORMATS = (
    Format(
        name="revolut",
        label="Revolut, stocks",
        columns=STOCKS,
        example=f"{','.join(STOCKS)}\r\n{STOCKS_EXAMPLE}\r\n",
        recognises=has_columns(*STOCKS),
        read=read_stocks,
    ),
    Format(
        name="revolut-crypto",
        label="Revolut, crypto currencies",
        columns=CRYPTO,
        example=f"{','.join(CRYPTO)}\r\n{CRYPTO_EXAMPLE}\r\n",
        recognises=is_crypto,
        read=read_crypto,
    ),
)
