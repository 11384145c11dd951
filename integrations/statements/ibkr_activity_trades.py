"""Interactive Brokers: the trades of an activity statement."""

import re
from collections import defaultdict
from decimal import Decimal
from typing import Any

from financeproj.core.money import EXACT
from integrations.statements.amounts import amount_differs, divide, half_unit, require_amount
from integrations.statements.ibkr import add_exchange, pair_of
from integrations.statements.ibkr_accrued import with_accrued
from integrations.statements.ibkr_activity_sections import is_total
from integrations.statements.ibkr_assets import (
    FOREX,
    PER_CENT,
    WITHOUT_MONEY,
    is_of_option_alone,
    is_per_cent,
    require_imported,
    symbol_of,
)
from integrations.statements.ibkr_words import category_of, commission_currency
from integrations.statements.raw_rows import BadRow, RawRow, unpaired_reversal
from integrations.statements.sheet import Sheet

_BETWEEN_CODES = re.compile(r"[;, ]")
# The levels on which a file lists the same trades: an order is the sum of its trades, and a trade
# the sum of its executions.
LEVELS = ("Order", "Trade", "Execution")
# Rows that explain a trade: the lots that it closed.
EXPLAINS = ("Closedlot", "Closed lot", "Lot", "Washsale", "Wash sale")


def keep_coarsest(sheet: Sheet) -> None:
    """Keep the coarsest level of each symbol's trades: the others repeat them."""
    levels: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for raw in sheet:
        levels[raw["Asset Category"], raw["Currency"], raw["Symbol"]].add(_level(raw))
    kept = []
    for raw in sheet:
        present = levels[raw["Asset Category"], raw["Currency"], raw["Symbol"]]
        repeated = [level for level in LEVELS if level in present][1:]
        if _level(raw) not in (*repeated, *EXPLAINS) or is_total(raw):
            kept.append(raw)
        else:
            sheet.ignore(raw, f"details: {raw['DataDiscriminator'].lower()}")
    sheet.rows = kept


def _level(raw: RawRow) -> str:
    return raw["DataDiscriminator"].capitalize()


def trade_of(raw: RawRow) -> tuple[tuple[str, ...], bool, int]:
    """Return what a trade and its cancellation have alike, whether it cancels one, and its line."""
    alike = (raw["Symbol"], raw["Currency"], raw["Quantity"].lstrip("-"), raw["T. Price"])
    return alike, "Ca" in _BETWEEN_CODES.split(raw["Code"]), raw.line


def unpaired_cancellation(raw: RawRow, isins: dict[str, str]) -> BadRow:
    """Make the error of a row that cancels a trade of an earlier file."""
    quantity = raw.required_number("Quantity")
    return unpaired_reversal(
        "Quantity",
        quantity,
        type="sell" if quantity > 0 else "buy",
        date=raw.day("Date/Time"),
        quantity=abs(quantity),
        price=raw.required_number("T. Price"),
        isin=isins.get(raw["Symbol"]),
        symbol=raw["Symbol"],
    )


def side_of(raw: RawRow) -> str:
    """Return "buy" or "sell", by the sign of the quantity."""
    return "sell" if raw["Quantity"].startswith("-") else "buy"


def add_order(sheet: Sheet, raw: RawRow, isins: dict[str, str]) -> None:
    """Add a trade of an instrument, or an exchange of currencies.

    `isins` gives the ISIN of each symbol. In the file, a purchase has a quantity above 0 and
    proceeds below 0; a commission that is paid is below 0.
    """
    if category_of(raw["Asset Category"]) == FOREX:
        _add_forex(sheet, raw)
        return
    if is_of_option_alone(raw, "Asset Category", "Proceeds", "Comm/Fee"):
        sheet.ignore(raw, WITHOUT_MONEY)
        return
    category = require_imported(raw, "Asset Category")
    if _level(raw) not in ("", *LEVELS):
        raise sheet.unknown_type("DataDiscriminator", raw["DataDiscriminator"])
    quantity = raw.required_number("Quantity")
    proceeds = raw.number("Proceeds")
    commission = raw.number_or_zero("Comm/Fee")
    if not quantity and not proceeds and not commission:
        sheet.ignore(raw, "neither shares nor money")
        return
    side = "buy" if quantity > 0 else "sell"
    price = raw.required_number("T. Price")
    if is_per_cent(category, EXACT.multiply(quantity, price), proceeds):
        price = _price_of_nominal(raw, abs(quantity), price)
    elif proceeds is not None:
        require_amount(raw, "Proceeds", side, abs(quantity), price, amount=proceeds)
    price, accrued, note = with_accrued(raw, abs(quantity), price, raw["Currency"])
    settled: dict[str, Any] = {}
    if proceeds is not None:
        settled = {
            "settlement_currency": raw["Currency"] or None,
            "settlement_amount": proceeds + commission + accrued or None,
        }
    sheet.add_net(
        raw,
        type=side,
        date=raw.day("Date/Time"),
        quantity=abs(quantity),
        price=price,
        commission=-commission,
        currency=raw["Currency"],
        note=note,
        **settled,
        isin=isins.get(raw["Symbol"]),
        symbol=symbol_of(raw["Symbol"], category, raw["Currency"]),
    )


def _price_of_nominal(raw: RawRow, nominal: Decimal, per_cent: Decimal) -> Decimal:
    """Return the price of one unit of a nominal value, of which the file gives per cent."""
    proceeds = abs(raw.required_number("Proceeds"))
    expected = EXACT.multiply(EXACT.multiply(nominal, per_cent), PER_CENT)
    rounding = EXACT.multiply(nominal * PER_CENT, half_unit(per_cent)) + half_unit(proceeds)
    if abs(proceeds - expected) > rounding:
        raise amount_differs(
            raw, "Proceeds", quantity=nominal, price=per_cent, rate=PER_CENT, expected=expected
        )
    return divide(proceeds, nominal)


def _add_forex(sheet: Sheet, raw: RawRow) -> None:
    quantity = raw.required_number("Quantity")
    paid = raw.number("Proceeds")
    if paid is None:
        paid = -EXACT.multiply(quantity, raw.required_number("T. Price"))
    fee, fee_currency = raw.number_or_zero("Comm/Fee"), raw["Currency"]
    for column in sheet.columns:
        if code := commission_currency(column):
            fee, fee_currency = raw.number_or_zero(column), code
    add_exchange(
        sheet,
        raw,
        pair=pair_of(sheet, raw["Symbol"]),
        bought=quantity,
        paid=paid,
        fee=fee,
        fee_currency=fee_currency,
        date=raw.day("Date/Time"),
        note=raw["Symbol"],
    )
