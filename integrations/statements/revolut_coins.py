"""Revolut: the account statements of crypto currencies.

That of 2025 has a type and a value in each row. That of before writes what was exchanged in the
description; its amount is before the fee.
"""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from financeproj.core.money import EXACT, ZERO
from integrations.statements.amounts import (
    amount_differs,
    cash_effect,
    divide,
    half_unit,
    rounding_of_product,
    transfer_kind,
)
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import iso_day, month_number, named_day
from integrations.statements.raw_rows import RawRow, bad_row
from integrations.statements.revolut_text import require_currency, split_money
from integrations.statements.sheet import Sheet, has_columns
from integrations.statements.values import day_of, folded
from portfolios.calc.import_rows import gettext_noop as _

CRYPTO = ("Symbol", "Type", "Quantity", "Price", "Value", "Fees", "Date")
DAY_OF_COINS = CRYPTO.index("Date")
OLDER = (
    "Type", "Product", "Started Date", "Completed Date", "Description", "Amount", "Currency",
    "Fiat amount", "Fiat amount (inc. fees)", "Fee", "Base currency", "State", "Balance",
)  # fmt: skip
COMPLETED = "completed"
CENT = Decimal("0.01")
WITHIN_ACCOUNT = re.compile(r"transferred to (?:savings|current)|balance migration\b.*")
# Where a row has what it needs when a person says what its word means.
FOR_WORDS = {"date": "Date", "amount": "Value", "quantity": "Quantity", "symbol": "Symbol"}
FOR_OLDER_WORDS = {
    "date": "Completed Date",
    "amount": "Fiat amount",
    "currency": "Base currency",
    "quantity": "Amount",
}
_CRYPTO_DAY = re.compile(r"([A-Za-z]{3,12}) (\d{1,2}), (\d{4})(?:,.*)?")


def crypto_day(text: str) -> date | None:
    """May 5, 2020, 10:10:57 PM; 5 May 2020, 22:10:57; or 2020-05-05T22:10:57Z"""
    match = _CRYPTO_DAY.fullmatch(text)
    if match is None:
        return iso_day(text) or named_day(text.split(",")[0])
    month = month_number(match[1])
    if month is None:
        return None
    return day_of(int(match[3]), month, int(match[2]))


def read_crypto(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.drop_notes(DAY_OF_COINS)
    table.require_rectangle(is_always_full=True)
    currencies = split_money(table, "Price", "Value", "Fees")
    sheet = Sheet(
        "revolut-crypto", table, options, read_day=crypto_day, decimal="point",
        numbers=("Quantity", "Price", "Value", "Fees"),
    )  # fmt: skip
    sheet.for_words = FOR_WORDS
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
    currency = currencies.get("Price") or currencies.get("Value") or latest_currencies.get(coin, "")
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
    require_currency(raw, currencies, currency)
    latest_currencies[coin] = currency
    # Sources quote a coin in a currency: BTC-EUR.
    identity = {
        "symbol": f"{coin}-{currency}",
        "currency": currency,
        "note": raw["Type"],
        "date": raw.day("Date"),
        "quantity": raw.required_number("Quantity"),
    }
    if kind in ("buy", "sell", "payment"):
        # What is paid with a coin is a sale of it.
        side = "buy" if kind == "buy" else "sell"
        fees = raw.number_or_zero("Fees")
        sheet.add(raw, type=side, price=_coin_price(raw), commission=fees, **identity)
    elif kind == "send":
        sheet.add(raw, type="transfer_out", **identity)
        _add_coin_fee(sheet, raw, currency)
    elif kind == "receive":
        sheet.add(raw, type="transfer_in", price=_coin_price(raw), **identity)
        _add_coin_fee(sheet, raw, currency)
    elif kind in ("staking reward", "learn reward"):
        _add_reward(sheet, raw, identity)
    else:
        raise sheet.unknown_type("Type", raw["Type"])


def _coin_price(raw: RawRow) -> Decimal:
    """Return the price. The value decides: the price of a cheap coin may be €0.00 in the file."""
    quantity = raw.required_number("Quantity")
    value = raw.number("Value")
    if value is None or quantity <= 0:
        return raw.required_number("Price")
    price = raw.number("Price")
    if price is None:
        return divide(value, quantity)
    gross = EXACT.multiply(quantity, price)
    # Values are cut off, not rounded, so they may be off by a whole unit of their last digit.
    if abs(value - gross) > rounding_of_product(quantity, price) + 2 * half_unit(value):
        raise amount_differs(raw, "Value", quantity=quantity, price=price, expected=gross)
    return price if gross == value else divide(value, quantity)


def _add_coin_fee(sheet: Sheet, raw: RawRow, currency: str) -> None:
    fees = raw.number_or_zero("Fees")
    if fees:
        note = f"{raw['Type']} {raw['Symbol']}"
        sheet.add_money(raw, "fee", -fees, currency, date=raw.day("Date"), note=note)


def _add_reward(sheet: Sheet, raw: RawRow, identity: dict[str, Any]) -> None:
    """Add a reward as income and a purchase for it; without a value it has a cost of 0."""
    if not raw["Price"] and not raw["Value"]:
        sheet.add(raw, type="buy", price=ZERO, **identity)
        return
    price = _coin_price(raw)
    if sheet.add(raw, type="dividend", price=price, **identity):
        sheet.add(raw, type="buy", price=price, **identity)


# --- The statement until 2024 --------------------------------------------------------------------


def read_older(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    numbers = ("Amount", "Fiat amount", "Fiat amount (inc. fees)", "Fee")
    sheet = Sheet(
        "revolut-crypto", table, options, read_day=iso_day, decimal="point", numbers=numbers
    )
    sheet.for_words = FOR_OLDER_WORDS
    for raw in sorted(sheet, key=_older_moment):
        with sheet.collect_problem(raw):
            _read_older(sheet, raw)
    return sheet.statement


def _older_moment(raw: RawRow) -> tuple[date, str]:
    return iso_day(raw["Completed Date"]) or date.min, raw["Completed Date"]


def _read_older(sheet: Sheet, raw: RawRow) -> None:
    kind, state = folded(raw["Type"]).replace("_", " "), folded(raw["State"])
    amount = raw.required_number("Amount")
    if state not in ("", COMPLETED):
        sheet.ignore(raw, state)
    elif WITHIN_ACCOUNT.fullmatch(folded(raw["Description"])) or not amount:
        sheet.ignore(raw, "moved within the account")
    elif kind in ("exchange", "card payment", "card refund"):
        fee = abs(raw.number_or_zero("Fee"))
        side = "sell" if amount < 0 else "buy"
        _add_older(sheet, raw, side, amount, commission=fee, settled=_settled(raw, side))
    elif kind in ("reward", "staking reward", "learn reward") and amount > 0:
        if raw.number_or_zero("Fiat amount"):
            _add_older(sheet, raw, "dividend", amount)
        _add_older(sheet, raw, "buy", amount)
    elif kind == "transfer":
        _add_older(sheet, raw, transfer_kind(amount), amount)
    else:
        raise sheet.unknown_type("Type", raw["Type"])


def _settled(raw: RawRow, side: str) -> Decimal | None:
    """Return what a trade moved, with its fee. Raises BadRow if its three amounts contradict."""
    before, fee = abs(raw.number_or_zero("Fiat amount")), abs(raw.number_or_zero("Fee"))
    after = abs(raw.number_or_zero("Fiat amount (inc. fees)"))
    expected = before + fee if side == "buy" else before - fee
    if not after:
        return cash_effect(side, expected)
    rounding = half_unit(before) + half_unit(fee) + half_unit(after)
    if abs(after - expected) > rounding:
        shares = abs(raw.required_number("Amount"))
        raise amount_differs(
            raw,
            "Fiat amount (inc. fees)",
            quantity=shares,
            price=divide(before, shares),
            charges=fee,
            expected=expected,
        )
    return cash_effect(side, after)


def _add_older(
    sheet: Sheet,
    raw: RawRow,
    kind: str,
    amount: Decimal,
    *,
    commission: Decimal | None = None,
    settled: Decimal | None = None,
) -> None:
    currency = raw["Base currency"]
    settlement: dict[str, Any] = {}
    if settled:
        cents = settled.quantize(CENT)
        settlement = {"settlement_amount": cents, "settlement_currency": currency}
    sheet.add(
        raw,
        type=kind,
        date=raw.day("Completed Date"),
        quantity=abs(amount),
        price=divide(abs(raw.number_or_zero("Fiat amount")), abs(amount)),
        commission=commission,
        symbol=f"{raw['Currency']}-{currency}",
        currency=currency,
        note=raw["Description"],
        **settlement,
    )


def is_crypto(table: Table) -> bool:
    return {name.strip() for name in table.header} == set(CRYPTO) or _is_older(table)


_is_older: Callable[[Table], bool] = has_columns(*OLDER)


def read(table: Table, options: Options) -> Statement:
    return read_older(table, options) if _is_older(table) else read_crypto(table, options)


EXAMPLE = 'BTC,Buy,0.001,"€40,000.00",€40.00,€0.60,"Mar 1, 2024, 10:10:57 AM"'
FORMATS = (
    Format(
        name="revolut-crypto",
        label="Revolut, crypto currencies",
        columns=CRYPTO,
        example=f"{','.join(CRYPTO)}\r\n{EXAMPLE}\r\n",
        recognises=is_crypto,
        read=read,
    ),
)
