"""Interactive Brokers: interest that had accrued on a bond, which has a row of money of its own.

It is part of what was paid or received, so it goes to its trade if the file has both.
"""

import re
from collections.abc import Callable
from decimal import Decimal

from financeproj.core.money import EXACT
from integrations.statements.amounts import divide
from integrations.statements.ibkr_assets import BONDS, NOTES
from integrations.statements.ibkr_words import category_of
from integrations.statements.raw_rows import BadRow, RawRow
from integrations.statements.sheet import Sheet
from integrations.statements.values import single_spaced

COLUMN = "Accrued"  # of trades; the file does not have it
DAYS_APART = 7  # at most; the money is booked when the trade settles
_ACCRUED = re.compile(r"(purchase|sale) accrued int(?:erest)?\b(.*)", re.IGNORECASE)
_SIDES = {"purchase": "buy", "sale": "sell"}


def take_accrued(
    trades: Sheet,
    cash: Sheet,
    *,
    side_of: Callable[[RawRow], str],
    isin_of: Callable[[RawRow], str],
    day: str,
    cash_day: str,
    currency: str,
) -> None:
    """Move the rows of accrued interest to the trades of their bonds.

    `day`, `cash_day` and `currency` name columns. A row is of the trade of that bond, side and
    currency that is nearest and not more than a week away; other rows stay.
    """
    open_ones = [raw for raw in trades if _may_be_bond(raw)]
    kept = []
    for raw in cash:
        match = _ACCRUED.match(single_spaced(raw["Description"]))
        trade = None
        if match:
            side, bond = _SIDES[match[1].casefold()], match[2]
            fitting = [one for one in open_ones if side_of(one) == side]
            same = [one for one in fitting if _is_same(one, raw, bond, isin_of, currency)]
            trade = _nearest(same, raw, day, cash_day, side)
        if trade is None:
            kept.append(raw)
        else:
            open_ones.remove(trade)
            _set(trades, trade, raw["Amount"])
            cash.ignore(raw, "accrued interest: part of the trade")
    cash.rows = kept


def _may_be_bond(raw: RawRow) -> bool:
    return category_of(raw["Asset Category"] or raw["AssetClass"]) in (BONDS, NOTES, "")


def _is_same(
    trade: RawRow, raw: RawRow, bond: str, isin_of: Callable[[RawRow], str], currency: str
) -> bool:
    """Return whether a trade is of the bond and in the currency of the interest."""
    isin, symbol = isin_of(trade), trade["Symbol"]
    is_named = bool(isin and isin in (isin_of(raw), *bond.split()))
    has_symbol = bool(symbol and f" {symbol} " in f" {bond} ")
    return trade[currency] == raw[currency] and (is_named or has_symbol)


def _nearest(
    trades: list[RawRow], raw: RawRow, day: str, cash_day: str, side: str
) -> RawRow | None:
    nearest, fewest = None, DAYS_APART + 1
    for trade in trades:
        try:
            apart = abs((raw.day(cash_day) - trade.day(day)).days)
            is_paid = raw.number_or_zero("Amount") < 0
        except BadRow:
            continue  # It is a problem of its row.
        if apart < fewest and is_paid == (side == "buy"):
            nearest, fewest = trade, apart
    return nearest


def _set(trades: Sheet, trade: RawRow, amount: str) -> None:
    if COLUMN not in trades.columns:
        trades.columns = {**trades.columns, COLUMN: max(trades.columns.values()) + 1}
    place = trades.columns[COLUMN]
    trade.cells += [""] * (place + 1 - len(trade.cells))
    trade.cells[place] = amount


def with_accrued(
    raw: RawRow, quantity: Decimal, price: Decimal, currency: str
) -> tuple[Decimal, Decimal, str]:
    """Return (price, what it adds to the cash, note) of a trade with its accrued interest."""
    accrued = raw.number_or_zero(COLUMN)
    if not accrued:
        return price, accrued, ""
    whole = EXACT.multiply(quantity, price) + abs(accrued)
    return divide(whole, quantity), accrued, f"Accrued interest {abs(accrued)} {currency}."
