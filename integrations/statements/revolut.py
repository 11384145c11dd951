"""Revolut: the account statement of stocks. Prices are rounded, so the amount decides."""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.amounts import (
    MAX_COMMISSION,
    cash_effect,
    divide,
    half_unit,
    require_commission,
    reversed_lines,
    rounding_of_product,
    split_ratio,
)
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import iso_day
from integrations.statements.exchanges import Held, add_leg
from integrations.statements.raw_rows import (
    BadRow,
    RawRow,
    bad_row,
    unpaired_reversal,
    unsupported_instrument,
)
from integrations.statements.revolut_mergers import (
    CASH,
    STOCK,
    Mergers,
    find_mergers,
    in_capitals,
    kind_of,
)
from integrations.statements.revolut_text import require_currency, split_money
from integrations.statements.sheet import Sheet, has_columns
from integrations.statements.values import day_of
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
# What moves money alone. The sign says whether it was paid or paid back.
MONEY = {
    "CASH TOP-UP": "deposit",
    "CASH WITHDRAWAL": "deposit",
    "CASH TRANSFER": "deposit",
    "CASH DEPOSIT": "deposit",
    "TOP-UP": "deposit",
    "DEPOSIT": "deposit",
    "WITHDRAWAL": "deposit",
    "REWARD": "deposit",
    "CUSTODY FEE": "fee",
    "CUSTODY FEE REVERSAL": "fee",
    "ROBO MANAGEMENT FEE": "fee",
    "COMMISSION REFUND": "fee",
    "FEE REFUND": "fee",
    "INTEREST": "interest",
    "CORRECTION": "adjustment",
    "CASH CORRECTION": "adjustment",
    "CASH ADJUSTMENT": "adjustment",
}
# What takes money.
TAKING = {"CASH WITHDRAWAL", "WITHDRAWAL", "CUSTODY FEE", "ROBO MANAGEMENT FEE"}
# Of these, what may name a share too.
OF_SHARES = ("fee", "adjustment")
INCOME = {
    "DIVIDEND": "dividend",
    "BOND COUPON": "interest",
    "RETURN OF CAPITAL": "return_of_capital",
}
TAX = "DIVIDEND TAX (CORRECTION)"
_WITHIN_REVOLUT = "TRANSFER FROM REVOLUT"
# Shares that come without others and without money.
GRANTED = {"SPINOFF", "SPIN-OFF", "SPIN OFF", "STOCK DIVIDEND", "RIGHTS ISSUE", STOCK}
_SLASHED_DAY = re.compile(r"(\d\d)/(\d\d)/(\d{4})(?: .*)?", re.ASCII)
# AAPL240119C00200000
_OPTION = re.compile(r"[A-Z]{1,6} *\d{6}[CP]\d{8}", re.ASCII)
MOST_OF_SMALL_TRADES = Decimal(10)  # a commission that may be more than the trade itself
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}\d", re.ASCII)
# Where a row has what it needs when a person says what its word means.
FOR_WORDS = {
    "date": "Date",
    "amount": "Total Amount",
    "currency": "Currency",
    "quantity": "Quantity",
    "symbol": "Ticker",
}


def stocks_day(text: str) -> date | None:
    """2024-12-31T10:00:00Z, or 31/12/2024 10:00:00 in files of 2020 and 2021."""
    match = _SLASHED_DAY.fullmatch(text)
    if match is None:
        return iso_day(text)
    return day_of(int(match[3]), int(match[2]), int(match[1]))


def read_stocks(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.drop_notes()
    table.require_rectangle(is_always_full=True)
    currencies = split_money(table, "Price per share", "Total Amount")
    _fill_currencies(table, currencies)
    _sign_what_takes(table)
    numbers = ("Quantity", "Price per share", "Total Amount")
    sheet = Sheet("revolut", table, options, read_day=stocks_day, numbers=numbers)
    sheet.for_words = FOR_WORDS
    rows = sorted(sheet, key=_moment)
    cancelled = _cancelled(rows)
    held, mergers = Held(sheet.statement), find_mergers(rows)
    for raw in rows:
        with sheet.collect_problem(raw):
            require_currency(raw, currencies[raw.line], raw["Currency"])
            read = partial(_read_row, sheet, raw, held, mergers)
            if raw.line in cancelled:
                sheet.ignore_reversed(raw, raw["Type"].lower(), read=read)
            else:
                read()
    return sheet.statement


def _fill_currencies(table: Table, currencies: Mapping[int, Mapping[str, str]]) -> None:
    """Write the currency of a row that names none: its amount's, or the only one of the file."""
    place = [name.strip() for name in table.header].index("Currency")
    named = {record[place].strip() for record in table.records} - {""}
    only = min(named) if len(named) == 1 else ""
    for line, record in zip(table.lines, table.records, strict=True):
        if not record[place].strip():
            written = set(currencies.get(line, {}).values()) - {""}
            record[place] = min(written) if len(written) == 1 else only


def _sign_what_takes(table: Table) -> None:
    """Write a minus before withdrawals and fees in a file that has none before any of them."""
    names = [name.strip() for name in table.header]
    kind, amount = names.index("Type"), names.index("Total Amount")
    told = [record for record in table.records if record[amount].strip()]
    rows = [record for record in told if in_capitals(record[kind]) in TAKING]
    if not any(record[amount].strip().startswith("-") for record in rows):
        for record in rows:
            record[amount] = f"-{record[amount].strip()}"


def _read_row(sheet: Sheet, raw: RawRow, held: Held, mergers: Mergers) -> None:
    if raw["Ticker"]:
        _read_stock(sheet, raw, held, mergers)
    else:
        _read_money(sheet, raw)


def _moment(raw: RawRow) -> tuple[date, str]:
    return (stocks_day(raw["Date"]) or date.min, raw["Date"])


def _cancelled(rows: list[RawRow]) -> set[int]:
    """Return the lines of payments and corrections of tax that another row takes back."""
    paid = []
    for raw in rows:
        kind = kind_of(raw)
        if kind in INCOME or kind == TAX:
            paid.append(((kind, raw["Ticker"], raw["Currency"]), _amount_or_zero(raw), raw.line))
    return reversed_lines(paid)


def _amount_or_zero(raw: RawRow) -> Decimal:
    try:
        return raw.number_or_zero("Total Amount")
    except BadRow:
        return ZERO


def _read_money(sheet: Sheet, raw: RawRow) -> None:
    kind = kind_of(raw)
    if kind.startswith(_WITHIN_REVOLUT):
        money = "deposit"
    elif kind in MONEY:
        money = MONEY[kind]
    elif kind == TAX:
        money = "tax"
    else:
        raise sheet.unknown_type("Type", raw["Type"])
    _add_money(sheet, raw, money)


def _add_money(sheet: Sheet, raw: RawRow, kind: str) -> None:
    sheet.add_money(
        raw,
        kind,
        raw.required_number("Total Amount"),
        raw["Currency"],
        date=raw.day("Date"),
        note=" ".join(filter(None, (raw["Type"], raw["Ticker"]))),
    )


def _read_stock(sheet: Sheet, raw: RawRow, held: Held, mergers: Mergers) -> None:
    kind = kind_of(raw)
    ticker = raw["Ticker"]
    if kind == "BUY" or kind.startswith("BUY - "):
        _add_trade(sheet, raw, "buy", raw.required_number("Quantity"))
    elif kind == "SELL" or kind.startswith("SELL - "):
        _add_trade(sheet, raw, "sell", raw.required_number("Quantity"))
    elif raw.line in mergers.with_other:
        sheet.ignore(raw, kind.lower())
    elif raw.line in mergers.exchanges:
        _add_exchanged(sheet, raw, mergers)
    elif kind in ("POSITION CLOSURE", CASH):
        shares = abs(raw.number_or_zero("Quantity")) or mergers.taken.get(raw.line) or held[ticker]
        _add_trade(sheet, raw, "sell", shares)
    elif kind in INCOME:
        _add_income(sheet, raw, INCOME[kind])
    elif kind == TAX or kind in ("CUSTODY FEE", "CUSTODY FEE REVERSAL"):
        _add_charge(sheet, raw, "tax" if kind == TAX else "fee")
    elif kind == "STOCK SPLIT":
        ratio = split_ratio(held[ticker], raw.required_number("Quantity"), "Quantity")
        sheet.add(raw, type="split", date=raw.day("Date"), quantity=ratio, **_identity(raw))
    elif kind == "REWARD":
        _add_gift(sheet, raw)
    elif kind.startswith(_WITHIN_REVOLUT) and not raw.number_or_zero("Total Amount"):
        sheet.ignore(raw, "transfer within revolut")
    elif MONEY.get(kind) in OF_SHARES and not raw.number_or_zero("Quantity"):
        _add_money(sheet, raw, MONEY[kind])
    elif kind in GRANTED and raw.number_or_zero("Quantity") > 0:
        shares = raw.required_number("Quantity")
        add_leg(sheet, raw, shares, date=raw.day("Date"), **_identity(raw))
    else:
        raise sheet.unknown_type("Type", raw["Type"])


def _add_exchanged(sheet: Sheet, raw: RawRow, mergers: Mergers) -> None:
    """Add shares that a merger took or brought, with the money that it brought."""
    name = mergers.exchanges[raw.line]
    shares = raw.required_number("Quantity")
    paid = mergers.cash.get(name) if shares < 0 else None
    add_leg(
        sheet,
        raw,
        shares,
        group=name,
        label="Merger",
        cash=None if paid is None else paid.required_number("Total Amount"),
        settlement_currency=None if paid is None else paid["Currency"],
        date=raw.day("Date"),
        **_identity(raw),
    )


def _identity(raw: RawRow) -> dict[str, Any]:
    ticker = raw["Ticker"]
    return {
        "symbol": ticker,
        # Bonds are named by their ISIN.
        "isin": ticker if _ISIN.fullmatch(ticker) else None,
        "currency": raw["Currency"],
        "note": raw["Type"],
    }


def _add_trade(sheet: Sheet, raw: RawRow, side: str, quantity: Decimal) -> None:
    if _OPTION.fullmatch(raw["Ticker"]):
        raise unsupported_instrument("Ticker", raw["Ticker"])
    total = raw.required_number("Total Amount")
    if side == "buy":
        # Some files write what was paid as ($360.00).
        total = abs(total)
    price, commission = _price_and_commission(raw, side, quantity, total)
    sheet.add(
        raw,
        type=side,
        date=raw.day("Date"),
        quantity=quantity,
        price=price,
        commission=commission,
        settlement_amount=cash_effect(side, total),
        settlement_currency=raw["Currency"],
        **_identity(raw),
    )


def _price_and_commission(
    raw: RawRow, side: str, quantity: Decimal, total: Decimal
) -> tuple[Decimal, Decimal]:
    """Return (price, commission). A difference that rounding explains makes the price exact."""
    if quantity <= 0:
        raise bad_row("Quantity", raw["Quantity"], "too_small", _("Enter a number above 0."))
    price = raw.number("Price per share")
    if price is None:
        return divide(total, quantity), ZERO
    gross = EXACT.multiply(quantity, price)
    charged = cash_effect(side, gross) - cash_effect(side, total)
    if total > 0 and abs(charged) <= rounding_of_product(quantity, price) + half_unit(total):
        if charged:
            price = divide(total, quantity)
        return price, ZERO
    most = min(MAX_COMMISSION, max(gross, MOST_OF_SMALL_TRADES))
    require_commission(raw, "Total Amount", charged, quantity, price, most=most)
    return price, charged


def _add_income(sheet: Sheet, raw: RawRow, kind: str) -> None:
    amount = raw.required_number("Total Amount")
    if amount < 0:
        raise unpaired_reversal("Total Amount", amount)
    sheet.add(
        raw,
        type=kind,
        date=raw.day("Date"),
        quantity=ONE,
        price=amount,
        settlement_amount=amount or None,
        settlement_currency=raw["Currency"],
        **_identity(raw),
    )


def _add_charge(sheet: Sheet, raw: RawRow, kind: str) -> None:
    """Add a tax or fee of a share. One that is paid back is money alone."""
    amount = raw.required_number("Total Amount")
    if amount >= 0:
        _add_money(sheet, raw, kind)
        return
    sheet.add(
        raw,
        type=kind,
        date=raw.day("Date"),
        quantity=ONE,
        price=-amount,
        settlement_amount=amount,
        settlement_currency=raw["Currency"],
        **_identity(raw),
    )


def _add_gift(sheet: Sheet, raw: RawRow) -> None:
    quantity = raw.number_or_zero("Quantity")
    if not quantity:
        _add_money(sheet, raw, "deposit")
        return
    price = raw.number("Price per share")
    if price is None:
        price = divide(raw.required_number("Total Amount"), quantity)
    sheet.add(
        raw,
        type="transfer_in",
        date=raw.day("Date"),
        quantity=quantity,
        price=price,
        **_identity(raw),
    )


EXAMPLE = "2024-03-01T14:30:00.000Z,AAPL,BUY - MARKET,2,$180.00,$360.00,USD,1.0800"
FORMATS = (
    Format(
        name="revolut",
        label="Revolut, stocks",
        columns=STOCKS,
        example=f"{','.join(STOCKS)}\r\n{EXAMPLE}\r\n",
        recognises=has_columns(*STOCKS),
        read=read_stocks,
    ),
)
