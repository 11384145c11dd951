"""Revolut: the statement of savings in a money market fund (flexible cash funds).

What the fund earns is paid into the savings and buys shares later, in a row that takes it out and
one that buys. Other purchases and sales are paid from and to another account of Revolut's.
"""

import re
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from financeproj.core.money import EXACT, ONE
from integrations.statements.amounts import (
    amount_differs,
    cash_effect,
    divide,
    half_unit,
    rounding_of_product,
)
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.raw_rows import BadRow, RawRow, bad_row
from integrations.statements.revolut_coins import crypto_day
from integrations.statements.sheet import Sheet
from integrations.statements.values import single_spaced
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = ("Date", "Description", "Value, EUR", "Price per share", "Quantity of shares")
_VALUE = re.compile(r"Value, ([A-Z]{3})")
# BUY EUR Class R IE000AZVL3K0: what happened, the class and the fund.
KINDS = (
    "BUY", "SELL", "INTEREST PAID", "RETURN PAID", "SERVICE FEE CHARGED", "INTEREST REINVESTED",
    "RETURN REINVESTED", "INTEREST WITHDRAWN", "RETURN WITHDRAWN",
)  # fmt: skip
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}\d", re.ASCII)


class _Row(NamedTuple):
    kind: str
    isin: str


def _currency(table: Table) -> str:
    """Return the currency of the fund: that of the first value. A second one is converted."""
    for name in table.header:
        match = _VALUE.fullmatch(name.strip())
        if match:
            return match[1]
    return ""


def recognises(table: Table) -> bool:
    names = {name.strip() for name in table.header}
    return bool(_currency(table)) and names >= {COLUMNS[0], COLUMNS[1], COLUMNS[3], COLUMNS[4]}


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    currency = _currency(table)
    value = f"Value, {currency}"
    numbers = (value, "Price per share", "Quantity of shares")
    sheet = Sheet("revolut-savings", table, options, read_day=savings_day, numbers=numbers)
    sheet.for_words = {"date": "Date", "amount": value, "currency": currency}
    sheet.sort_oldest_first("Date")
    waiting = _reinvested(sheet, value)
    for raw in sheet:
        with sheet.collect_problem(raw):
            _read_row(sheet, raw, value, currency, waiting)
    return sheet.statement


def savings_day(text: str) -> date | None:
    """Apr 27, 2026, 12:52:19 PM or 27 Apr 2026, 12:52:19"""
    return crypto_day(single_spaced(text))


def _row(raw: RawRow) -> _Row | None:
    words = single_spaced(raw["Description"]).upper()
    fund = words.rpartition(" ")[2]
    for kind in KINDS:
        if words.startswith(f"{kind} ") and _ISIN.fullmatch(fund):
            return _Row(kind, fund)
    return None


def _reinvested(sheet: Sheet, value: str) -> Counter[tuple[str, str, Decimal]]:
    """Count what was taken from the earnings to buy shares, by fund, day and amount."""
    found: Counter[tuple[str, str, Decimal]] = Counter()
    for raw in sheet:
        row = _row(raw)
        if row is not None and row.kind.endswith("REINVESTED"):
            try:
                found[_key(raw, row, raw.number_or_zero(value))] += 1
            except BadRow:
                continue  # It is a problem of its row.
    return found


def _key(raw: RawRow, row: _Row, amount: Decimal) -> tuple[str, str, Decimal]:
    return row.isin, str(savings_day(raw["Date"])), abs(amount)


def _read_row(
    sheet: Sheet,
    raw: RawRow,
    value: str,
    currency: str,
    waiting: Counter[tuple[str, str, Decimal]],
) -> None:
    row = _row(raw)
    amount = raw.required_number(value)
    if row is None:
        raise sheet.unknown_type("Description", raw["Description"])
    identity = {
        "date": raw.day("Date"),
        "isin": row.isin,
        "currency": currency,
        "note": raw["Description"],
    }
    if row.kind in ("BUY", "SELL"):
        key = _key(raw, row, amount)
        is_reinvested = row.kind == "BUY" and waiting[key] > 0
        if is_reinvested:
            waiting[key] -= 1
        _add_trade(sheet, raw, value, row.kind.lower(), is_reinvested, identity)
    elif row.kind.endswith("PAID") and amount > 0:
        _add_payment(sheet, raw, "interest", amount, identity)
    elif row.kind == "SERVICE FEE CHARGED" and amount < 0:
        _add_payment(sheet, raw, "fee", amount, identity)
    elif row.kind.endswith("REINVESTED"):
        sheet.ignore(raw, "interest that bought shares")
    else:
        kind = {"P": "interest", "S": "fee"}.get(row.kind.split()[-1][0], "deposit")
        _add_money(sheet, raw, kind, amount, identity)


def _add_trade(
    sheet: Sheet, raw: RawRow, value: str, side: str, is_reinvested: bool, identity: dict[str, Any]
) -> None:
    """Add a trade, and what paid for it from another account or went to one."""
    amount = abs(raw.required_number(value))
    shares = abs(raw.number(COLUMNS[4]) or amount)
    if not shares or not amount:
        raise bad_row(value, raw[value], "not_above", _("Enter a number above 0."))
    price = raw.number(COLUMNS[3]) or divide(amount, shares)
    rounding = rounding_of_product(shares, price) + half_unit(amount)
    if abs(EXACT.multiply(shares, price) - amount) > rounding:
        expected = EXACT.multiply(shares, price)
        raise amount_differs(raw, value, quantity=shares, price=price, expected=expected)
    moved = cash_effect(side, amount)
    added = sheet.add(
        raw,
        type=side,
        quantity=shares,
        price=divide(amount, shares),
        settlement_amount=moved,
        settlement_currency=identity["currency"],
        **identity,
    )
    if added and not is_reinvested:
        _add_money(sheet, raw, "deposit", -moved, identity)


def _add_payment(
    sheet: Sheet, raw: RawRow, kind: str, amount: Decimal, identity: dict[str, Any]
) -> None:
    sheet.add(
        raw,
        type=kind,
        quantity=ONE,
        price=abs(amount),
        settlement_amount=amount,
        settlement_currency=identity["currency"],
        **identity,
    )


def _add_money(
    sheet: Sheet, raw: RawRow, kind: str, amount: Decimal, identity: dict[str, Any]
) -> None:
    sheet.add_money(
        raw, kind, amount, identity["currency"], date=identity["date"], note=identity["note"]
    )


EXAMPLE = '"Apr 27, 2026, 12:52:19 PM",BUY EUR Class R IE000AZVL3K0,"3,200.50",1.00,"3,200.50"'
HEADER = 'Date,Description,"Value, EUR",Price per share,Quantity of shares'
FORMATS = (
    Format(
        name="revolut-savings",
        label="Revolut, savings",
        columns=COLUMNS,
        example=f"{HEADER}\r\n{EXAMPLE}\r\n",
        recognises=recognises,
        read=read,
    ),
)
