"""Trading 212: the history export. Columns come and go with what happened in the period; they are read by name.

Amounts and fees are in the account's currency, prices in the instrument's, London's in pence. The exchange rate is how
much of the price's currency one unit of the account's buys.
"""

import re
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from typing import Any

from financeproj.core.money import EXACT, ONE, ZERO, stored
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.sheet import Raw, RowProblem, Sheet, divided, has_columns, iso_day, major_unit

COLUMNS = (
    "Action", "Time", "ISIN", "Ticker", "Name", "No. of shares", "Price / share", "Currency (Price / share)",
    "Exchange rate", "Result", "Currency (Result)", "Total", "Currency (Total)", "Withholding tax",
    "Currency (Withholding tax)", "Notes", "ID", "Currency conversion fee", "Currency (Currency conversion fee)",
)  # fmt: skip
FEES = (
    "Currency conversion fee", "Stamp duty reserve tax", "Stamp duty", "French transaction tax", "Finra fee",
    "Transaction fee",
)  # fmt: skip
CASH = {
    "deposit", "withdrawal", "interest on cash", "lending interest", "card credit", "card debit", "spending cashback",
    "currency conversion", "dividend adjustment",
}  # fmt: skip
FREE_SHARES = {"stock distribution", "scrip stock dividends", "stock dividend"}
_TRADE = re.compile(r"(?:market|limit|stop|stop limit) (buy|sell)")
SPLIT_CLOSE, SPLIT_OPEN = "stock split close", "stock split open"


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.drop_empty_ends()
    sheet = Sheet(
        "trading212", table, options, read_day=iso_day, decimal="point",
        numbers=("No. of shares", "Price / share", "Total", "Withholding tax", *FEES),
    )  # fmt: skip
    if "Time" not in sheet.columns:
        sheet.columns = {**sheet.columns, "Time": sheet.columns["Time (UTC)"]}
    halves: dict[tuple[str, str], dict[str, list[Raw]]] = defaultdict(lambda: defaultdict(list))
    for raw in sheet:
        halves[raw["ISIN"], raw["Time"][:10]][raw["Action"].casefold()].append(raw)
    for raw in sorted(sheet, key=lambda raw: raw["Time"]):
        with sheet.row(raw):
            _read_row(sheet, raw, halves[raw["ISIN"], raw["Time"][:10]])
    return sheet.statement


def _read_row(sheet: Sheet, raw: Raw, same_day: dict[str, list[Raw]]) -> None:
    kind = raw["Action"].casefold()
    if kind in CASH and not raw["ISIN"]:
        sheet.ignore(raw, kind, raw.amount("Total"), raw["Currency (Total)"])
    elif match := _TRADE.fullmatch(kind):
        _add(sheet, raw, type=match[1], with_fees=True)
    elif kind == "equity rights":
        _add(sheet, raw, type="buy", with_fees=True)
    elif kind in FREE_SHARES:
        _add(sheet, raw, type="buy", with_fees=False)
    elif kind.startswith("dividend ("):
        # The price is per share after tax: the withholding tax stands beside it and must not be taken off again.
        tax = f"withholding tax {raw['Withholding tax']} {raw['Currency (Withholding tax)']}"
        _add(sheet, raw, type="dividend", with_fees=False, note=tax if raw["Withholding tax"] else "")
    elif kind == "transfer out":
        _add(sheet, raw, type="transfer_out", with_fees=False)
    elif kind == "transfer in":
        _add(sheet, raw, type="transfer_in", with_fees=False)
    elif kind in (SPLIT_CLOSE, SPLIT_OPEN):
        _add_split(sheet, raw, kind, same_day)
    else:
        raise sheet.unknown("Action", raw["Action"])


def _add(sheet: Sheet, raw: Raw, *, type: str, with_fees: bool, note: str = "") -> None:
    price, currency = major_unit(raw.needed("Price / share"), raw["Currency (Price / share)"])
    bought = _bought(raw, currency)
    fee, fee_currency = _fees(raw) if with_fees else (ZERO, "")
    if fee and fee_currency == raw["Currency (Total)"] != currency and bought:
        fee, fee_currency = stored(EXACT.multiply(fee, bought)), currency
    sheet.add(
        raw,
        type=type,
        quantity=abs(raw.needed("No. of shares")),
        price=price,
        commission=fee,
        commission_in=fee_currency or None,
        exchange_rate=divided(ONE, bought) if bought else None,
        note=note or raw["Notes"],
        **_identity(raw, currency),
    )


def _bought(raw: Raw, currency: str) -> Decimal | None:
    """How much of `currency` one unit of the account's bought; None where the file says that it is not available."""
    if currency == raw["Currency (Total)"]:
        return ONE
    try:
        stated = raw.number("Exchange rate")
    except RowProblem:
        return None
    if not stated or stated < 0:
        return None
    return major_unit(stated, raw["Currency (Price / share)"])[0]


def _fees(raw: Raw) -> tuple[Decimal, str]:
    """All fees in their one currency."""
    fees: dict[str, Decimal] = defaultdict(Decimal)
    for name in FEES:
        if fee := raw.number(name):
            fees[raw[f"Currency ({name})"] or raw["Currency (Total)"]] += fee
    if len(fees) > 1:
        raise RowProblem(None, None, "mixed_currencies", f"The fees are in {' and '.join(sorted(fees))}.")
    return next(((fee, currency) for currency, fee in fees.items()), (ZERO, ""))


def _add_split(sheet: Sheet, raw: Raw, kind: str, same_day: dict[str, list[Raw]]) -> None:
    if len(same_day[SPLIT_CLOSE]) != 1 or len(same_day[SPLIT_OPEN]) != 1:
        raise RowProblem("Action", raw["Action"], "unpaired_split", "A split closes the old shares and opens new ones.")
    if kind == SPLIT_CLOSE:
        sheet.ignore(raw, kind)
        return
    old, new = same_day[SPLIT_CLOSE][0].needed("No. of shares"), raw.needed("No. of shares")
    if not old:
        raise RowProblem("No. of shares", "0", "not_above", "Enter a number above 0.")
    sheet.add(raw, type="split", quantity=_plain_ratio(abs(new), abs(old)), **_identity(raw, None))


def _plain_ratio(new: Decimal, old: Decimal) -> Decimal:
    """The ratio of a split; both numbers of shares are rounded, and the ratio is one of small numbers such as 1:3."""
    ratio = EXACT.divide(new, old)
    near = Fraction(ratio).limit_denominator(100)
    plain = divided(Decimal(near.numerator), Decimal(near.denominator))
    return plain if abs(plain - ratio) < Decimal("0.00001") else ratio.quantize(Decimal("0.00001"))


def _identity(raw: Raw, currency: str | None) -> dict[str, Any]:
    return {
        "date": raw.day("Time"),
        "isin": raw["ISIN"] or None,
        "symbol": raw["Ticker"] or None,
        "company_name": raw["Name"],
        "currency": currency,
        "rate_currency": raw["Currency (Total)"] or None,
        "external_id": raw["ID"] or None,
    }


FORMAT = Format(
    name="trading212",
    label="Trading 212",
    columns=COLUMNS,
    example=",".join(COLUMNS)
    + "\r\nMarket buy,2024-03-01 09:30:00,US0378331005,AAPL,Apple,0.5,180.00,USD,1.08000,,EUR,83.46,EUR,,,,"
    "EOF1,0.13,EUR\r\n",
    recognises=lambda table: (
        has_columns("Action", "ISIN", "Ticker", "No. of shares", "Price / share", "Currency (Total)")(table)
        and ("Time" in table.header or "Time (UTC)" in table.header)
    ),
    read=read,
)
