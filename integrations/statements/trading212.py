"""Trading 212: the history export. Its columns depend on what happened in the period.

Amounts and fees are in the account's currency, prices in the instrument's, London's in pence. The
exchange rate is how much of the price's currency one unit of the account's buys.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from operator import itemgetter
from typing import Any

from financeproj.core.identifiers import in_major_unit
from financeproj.core.money import EXACT, ONE, ZERO, round_for_storage
from integrations.statements.amounts import divide
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import iso_day
from integrations.statements.sheet import BadRow, RawRow, Sheet, bad_row, has_columns
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = (
    "Action", "Time", "ISIN", "Ticker", "Name", "No. of shares", "Price / share",
    "Currency (Price / share)", "Exchange rate", "Result", "Currency (Result)", "Total",
    "Currency (Total)", "Withholding tax", "Currency (Withholding tax)", "Notes", "ID",
    "Currency conversion fee", "Currency (Currency conversion fee)",
)  # fmt: skip
FEES = (
    "Currency conversion fee", "Stamp duty reserve tax", "Stamp duty", "French transaction tax",
    "Finra fee", "Transaction fee",
)  # fmt: skip
# Other amounts with a currency column. All the rest are fees: countries have their own.
NOT_FEES = {
    "Price / share", "Result", "Total", "Gross total", "Withholding tax", "Charge amount",
    "Currency conversion from amount", "Currency conversion to amount",
}  # fmt: skip
CASH = {
    "deposit", "withdrawal", "interest on cash", "lending interest", "card credit", "card debit",
    "spending cashback", "currency conversion", "dividend adjustment",
}  # fmt: skip
FREE_SHARES = {"stock distribution", "scrip stock dividends", "stock dividend"}
_TRADE = re.compile(r"(?:market|limit|stop|stop limit) (buy|sell)")
ROUNDED = Fraction(1, 10**6)  # of a share
SPLIT_CLOSE, SPLIT_OPEN = "stock split close", "stock split open"


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.drop_empty_ends()
    fees = _fee_columns(table)
    sheet = Sheet(
        "trading212", table, options, read_day=iso_day, decimal="point",
        numbers=("No. of shares", "Price / share", "Total", "Withholding tax", *fees),
    )  # fmt: skip
    if "Time" not in sheet.columns:
        sheet.columns = {**sheet.columns, "Time": sheet.columns["Time (UTC)"]}
    halves: dict[tuple[str, str], dict[str, list[RawRow]]] = defaultdict(lambda: defaultdict(list))
    for raw in sheet:
        halves[raw["ISIN"], raw["Time"][:10]][raw["Action"].casefold()].append(raw)
    for raw in sorted(sheet, key=itemgetter("Time")):
        with sheet.collect_problem(raw):
            _read_row(sheet, raw, halves[raw["ISIN"], raw["Time"][:10]], fees)
    return sheet.statement


def _fee_columns(table: Table) -> list[str]:
    """Return the fee columns that are known, and those of the file with a currency column."""
    names = {name.strip() for name in table.header}
    others = sorted(names - NOT_FEES - set(FEES))
    return [*FEES, *(name for name in others if f"Currency ({name})" in names)]


def _read_row(
    sheet: Sheet, raw: RawRow, same_day: dict[str, list[RawRow]], fees: list[str]
) -> None:
    kind = raw["Action"].casefold()
    if kind in CASH and not raw["ISIN"]:
        sheet.ignore(raw, kind, raw.number_or_zero("Total"), raw["Currency (Total)"])
    elif match := _TRADE.fullmatch(kind):
        _add(sheet, raw, type=match[1], fees=fees)
    elif kind == "equity rights":
        _add(sheet, raw, type="buy", fees=fees)
    elif kind in FREE_SHARES:
        _add(sheet, raw, type="buy")
    elif kind.startswith("dividend ("):
        # The price is per share after tax, so the withholding tax must not be subtracted again.
        note = ""
        if raw["Withholding tax"]:
            note = f"withholding tax {raw['Withholding tax']} {raw['Currency (Withholding tax)']}"
        _add(sheet, raw, type="dividend", note=note)
    elif kind == "transfer out":
        _add(sheet, raw, type="transfer_out")
    elif kind == "transfer in":
        _add(sheet, raw, type="transfer_in")
    elif kind in (SPLIT_CLOSE, SPLIT_OPEN):
        _add_split(sheet, raw, kind, same_day)
    else:
        raise sheet.unknown_type("Action", raw["Action"])


def _add(sheet: Sheet, raw: RawRow, *, type: str, fees: Iterable[str] = (), note: str = "") -> None:
    price, currency = in_major_unit(
        raw.required_number("Price / share"), raw["Currency (Price / share)"]
    )
    bought = _bought(raw, currency)
    fee, fee_currency = _fees(raw, fees)
    if fee and fee_currency == raw["Currency (Total)"] != currency and bought:
        fee, fee_currency = round_for_storage(EXACT.multiply(fee, bought)), currency
    sheet.add(
        raw,
        type=type,
        quantity=abs(raw.required_number("No. of shares")),
        price=price,
        commission=fee,
        commission_in=fee_currency or None,
        exchange_rate=divide(ONE, bought) if bought else None,
        note=note or raw["Notes"],
        **_identity(raw, currency),
    )


def _bought(raw: RawRow, currency: str) -> Decimal | None:
    """Return how much of `currency` one unit of the account's currency bought.

    Returns None if the file says that it is not available.
    """
    if currency == raw["Currency (Total)"]:
        return ONE
    try:
        stated = raw.number("Exchange rate")
    except BadRow:
        return None
    if not stated or stated < 0:
        return None
    return in_major_unit(stated, raw["Currency (Price / share)"])[0]


def _fees(raw: RawRow, names: Iterable[str]) -> tuple[Decimal, str]:
    """Return the sum of the fees in the columns `names`, and their currency."""
    fees: dict[str, Decimal] = defaultdict(Decimal)
    for name in names:
        fee = raw.number(name)
        if fee:
            currency = raw[f"Currency ({name})"] or raw["Currency (Total)"]
            fees[currency] += fee
    if len(fees) > 1:
        raise bad_row(
            None,
            None,
            "mixed_currencies",
            _(
                "The fees are in several currencies: %(currencies)s. Enter the trade by hand and "
                "skip this row."
            ),
            currencies=", ".join(sorted(fees)),
        )
    for currency, fee in fees.items():
        return fee, currency
    return ZERO, ""


def _add_split(sheet: Sheet, raw: RawRow, kind: str, same_day: dict[str, list[RawRow]]) -> None:
    if len(same_day[SPLIT_CLOSE]) != 1 or len(same_day[SPLIT_OPEN]) != 1:
        raise bad_row(
            "Action",
            raw["Action"],
            "unpaired_split",
            _("A split needs one row that closes the old shares and one that opens new ones."),
        )
    if kind == SPLIT_CLOSE:
        sheet.ignore(raw, kind)
        return
    old = same_day[SPLIT_CLOSE][0].required_number("No. of shares")
    new = raw.required_number("No. of shares")
    if not old:
        raise bad_row("No. of shares", "0", "not_above", _("Enter a number above 0."))
    sheet.add(raw, type="split", quantity=_plain_ratio(abs(new), abs(old)), **_identity(raw, None))


def _plain_ratio(new: Decimal, old: Decimal) -> Decimal:
    """Return the simplest ratio, such as 1:3, that gives the shares of the file.

    Both numbers of shares are rounded, to seven places or more. If no simple ratio fits, the ratio
    is that of the two numbers.
    """
    ratio = Fraction(new) / Fraction(old)
    for limit in (10, 100, 1_000, 10_000):
        near = ratio.limit_denominator(limit)
        if near and abs(near - ratio) <= ROUNDED / Fraction(old):
            return divide(Decimal(near.numerator), Decimal(near.denominator))
    return divide(new, old)


def _identity(raw: RawRow, currency: str | None) -> dict[str, Any]:
    return {
        "date": raw.day("Time"),
        "isin": raw["ISIN"] or None,
        "symbol": raw["Ticker"] or None,
        "company_name": raw["Name"],
        "currency": currency,
        "rate_currency": raw["Currency (Total)"] or None,
        "external_id": raw["ID"] or None,
    }


_HAS_COLUMNS = has_columns(
    "Action", "ISIN", "Ticker", "No. of shares", "Price / share", "Currency (Total)"
)


def recognises(table: Table) -> bool:
    has_time = "Time" in table.header or "Time (UTC)" in table.header
    return has_time and _HAS_COLUMNS(table)


EXAMPLE = (
    "Market buy,2024-03-01 09:30:00,US0378331005,AAPL,Apple,0.5,180.00,USD,1.08000,,EUR,83.46,EUR,"
    ",,,EOF1,0.13,EUR"
)
FORMATS = (
    Format(
        name="trading212",
        label="Trading 212",
        columns=COLUMNS,
        example=f"{','.join(COLUMNS)}\r\n{EXAMPLE}\r\n",
        recognises=recognises,
        read=read,
    ),
)
