"""Revolut: the account statement of stocks, and the one of crypto currencies."""

import re
from collections import defaultdict
from datetime import date
from decimal import Decimal

from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.sheet import (
    MONTHS,
    Raw,
    Sheet,
    added_to,
    bad_row,
    has_columns,
    iso_day,
    require_commission,
)
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


def _plain_money(table: Table, *columns: str) -> dict[int, dict[str, str]]:
    """Leave bare numbers in these columns; line → column → the currency that was written there."""
    currencies: dict[int, dict[str, str]] = defaultdict(dict)
    positions = {name.strip(): position for position, name in enumerate(table.header)}
    for line, record in zip(table.lines, table.records, strict=True):
        for column in columns:
            text = single_spaced(plain_text(record[positions[column]]))
            match = _MONEY.match(text)
            if match:
                record[positions[column]] = match[1] + match[4]
                currencies[line][column] = SYMBOLS.get(match[2] or "") or match[3] or match[5] or ""
    return currencies


# --- Stocks ---------------------------------------------------------------------------------------


def read_stocks(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    _plain_money(table, "Price per share", "Total Amount")
    sheet = Sheet(
        "revolut", table, options, read_day=iso_day, numbers=("Quantity", "Price per share", "Total Amount")
    )  # fmt: skip
    held: dict[str, Decimal] = defaultdict(Decimal)
    for raw in sorted(sheet, key=lambda raw: raw["Date"]):
        with sheet.row(raw):
            _read_stock(sheet, raw, held)
    return sheet.statement


def _read_stock(sheet: Sheet, raw: Raw, held: dict[str, Decimal]) -> None:
    kind, ticker = raw["Type"].upper(), raw["Ticker"]
    identity = {"symbol": ticker or None, "currency": raw["Currency"], "note": raw["Type"]}
    if not ticker:
        sheet.ignore(raw, kind.lower(), raw.amount("Total Amount"), raw["Currency"])
    elif kind.startswith(("BUY", "SELL")):
        side = kind[:4].strip(" -").lower()
        quantity, price = raw.needed("Quantity"), raw.needed("Price per share")
        gross, total = EXACT.multiply(quantity, price), raw.needed("Total Amount")
        fee = total - gross if side == "buy" else gross - total
        require_commission(raw, "Total Amount", fee, quantity, price, rounding=CENT)
        held[ticker] += quantity if side == "buy" else -quantity
        # What is less than a cent is rounding and no fee.
        fee = fee.quantize(CENT) if fee >= CENT else ZERO
        day = raw.day("Date")
        sheet.add(
            raw, type=side, date=day, quantity=quantity, price=price, commission=fee, **identity
        )
    elif kind == "DIVIDEND":
        sheet.add(
            raw,
            type="dividend",
            date=raw.day("Date"),
            quantity=ONE,
            price=raw.needed("Total Amount"),
            **identity,
        )
    elif kind == "STOCK SPLIT":
        ratio = added_to(held[ticker], raw.needed("Quantity"))
        held[ticker] = EXACT.multiply(held[ticker], ratio)
        sheet.add(raw, type="split", date=raw.day("Date"), quantity=ratio, **identity)
    elif kind.startswith("TRANSFER FROM REVOLUT"):
        sheet.ignore(raw, "transfer within revolut")
    else:
        raise sheet.unknown("Type", raw["Type"])


# --- Crypto currencies ----------------------------------------------------------------------------


def crypto_day(text: str) -> date | None:
    """May 5, 2020, 10:10:57 PM"""
    match = _CRYPTO_DAY.fullmatch(text)
    month = MONTHS.get(match[1].casefold()) if match else None
    return day_of(int(match[3]), month, int(match[2])) if match and month else None


def read_crypto(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    currencies = _plain_money(table, "Price", "Value", "Fees")
    sheet = Sheet(
        "revolut-crypto", table, options, read_day=crypto_day, decimal="point",
        numbers=("Quantity", "Price", "Value", "Fees"),
    )  # fmt: skip
    latest: dict[str, str] = {}
    for raw in sorted(sheet, key=lambda raw: crypto_day(raw["Date"]) or date.min):
        with sheet.row(raw):
            _read_coin(sheet, raw, currencies[raw.line], latest)
    return sheet.statement


def _read_coin(sheet: Sheet, raw: Raw, currencies: dict[str, str], latest: dict[str, str]) -> None:
    kind, coin = raw["Type"].casefold(), raw["Symbol"]
    if kind in ("stake", "unstake"):
        sheet.ignore(raw, kind)
        return
    currency = currencies.get("Price") or latest.get(coin, "")
    if not currency:
        raise bad_row(
            "Price",
            raw["Price"],
            "currency_required",
            _("The file does not give the currency of the price of %(coin)s."),
            coin=coin,
        )
    latest[coin] = currency
    # Sources quote a coin in a currency: BTC-EUR.
    identity = {"symbol": f"{coin}-{currency}", "currency": currency, "note": raw["Type"]}
    day, quantity = raw.day("Date"), raw.needed("Quantity")
    if kind in ("buy", "sell"):
        price, fee = raw.needed("Price"), raw.amount("Fees")
        sheet.add(
            raw, type=kind, date=day, quantity=quantity, price=price, commission=fee, **identity
        )
    elif kind == "send":
        sheet.add(raw, type="transfer_out", date=day, quantity=quantity, **identity)
    elif kind == "receive":
        sheet.add(
            raw,
            type="transfer_in",
            date=day,
            quantity=quantity,
            price=raw.needed("Price"),
            **identity,
        )
    elif kind in ("staking reward", "learn reward"):
        sheet.add(raw, type="buy", date=day, quantity=quantity, price=ZERO, **identity)
    else:
        raise sheet.unknown("Type", raw["Type"])


FORMATS = (
    Format(
        name="revolut",
        label="Revolut, stocks",
        columns=STOCKS,
        example=",".join(STOCKS)
        + "\r\n2024-03-01T14:30:00.000Z,AAPL,BUY - MARKET,2,$180.00,$360.00,USD,1.0800\r\n",
        recognises=has_columns(*STOCKS),
        read=read_stocks,
    ),
    Format(
        name="revolut-crypto",
        label="Revolut, crypto currencies",
        columns=CRYPTO,
        example=",".join(CRYPTO)
        + '\r\nBTC,Buy,0.001,"€40,000.00",€40.00,€0.60,"Mar 1, 2024, 10:10:57 AM"\r\n',
        recognises=lambda table: {name.strip() for name in table.header} == set(CRYPTO),
        read=read_crypto,
    ),
)
