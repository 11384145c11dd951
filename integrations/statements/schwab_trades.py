"""Charles Schwab: purchases, sales and redemptions."""

import re
from decimal import Decimal

from financeproj.core.money import EXACT, ZERO
from integrations.statements.amounts import (
    cash_effect,
    divide,
    half_unit,
    require_amount,
    rounding_of_product,
)
from integrations.statements.raw_rows import BadRow, RawRow, bad_row, unpaired_reversal
from integrations.statements.schwab_rows import CUSIP, identity_of
from integrations.statements.sheet import Sheet
from portfolios.calc.import_rows import gettext_noop as _

# A bond has its coupon in its name: 4.25% or 2 1/4%.
_COUPON = re.compile(r"\d ?%")
MAX_ACCRUED = Decimal("0.06")  # of the nominal value
MAX_PRICE = Decimal(3)  # of one unit of it
CENT = Decimal("0.01")


def add_trade(sheet: Sheet, raw: RawRow, side: str) -> None:
    """Add a purchase or a sale. Raises BadRow if the price does not give the amount.

    The interest that had accrued on a bond becomes a part of its price.
    """
    quantity = abs(raw.required_number("Quantity"))
    fee = raw.number_or_zero("Fees & Comm")
    amount = raw.number("Amount")
    price = raw.number("Price")
    if price is None and amount and quantity and side == "sell":
        price = divide(amount + fee, quantity)  # of a redemption
    elif price is None:
        price = raw.required_number("Price")
    fields = identity_of(raw)
    if amount is not None and CUSIP.fullmatch(raw["Symbol"]):
        price = _price_of_bond(side, quantity, price, fee, amount)
        accrued = _accrued(raw, side, quantity, price, amount=amount, fee=fee)
        if accrued:
            price = divide(EXACT.multiply(quantity, price) + accrued, quantity)
            fields["note"] = f"Accrued interest {accrued.quantize(CENT)} USD."
    if amount is not None:
        require_amount(raw, "Amount", side, quantity, price, amount=amount, charges=fee)
    sheet.add(raw, type=side, quantity=quantity, price=price, commission=fee, **fields)


def _price_of_bond(
    side: str, quantity: Decimal, price: Decimal, fee: Decimal, amount: Decimal
) -> Decimal:
    """Return the price per unit of nominal value if the amount shows that it is in percent."""
    as_written = cash_effect(side, EXACT.multiply(quantity, price), fee)
    if abs(amount - as_written) <= rounding_of_product(quantity, price) + half_unit(amount):
        return price  # of shares that are named by their CUSIP
    of_one = price.scaleb(-2)
    expected = cash_effect(side, EXACT.multiply(quantity, of_one), fee)
    rounding = rounding_of_product(quantity, of_one) + half_unit(amount)
    highest = max(rounding, EXACT.multiply(quantity, MAX_ACCRUED))
    return of_one if abs(amount - expected) <= highest else price


def _accrued(
    raw: RawRow, side: str, quantity: Decimal, price: Decimal, *, amount: Decimal, fee: Decimal
) -> Decimal:
    """Return the interest that had accrued on a bond, which only the amount shows; else 0.

    It is less than a coupon of half a year. Bills have none.
    """
    accrued = abs(amount) - abs(cash_effect(side, EXACT.multiply(quantity, price), fee))
    is_sign_right = (amount < 0) == (side == "buy")
    is_bond = _COUPON.search(raw["Description"]) is not None and price < MAX_PRICE
    is_plausible = CENT <= accrued <= EXACT.multiply(quantity, MAX_ACCRUED)
    return accrued if is_bond and is_sign_right and is_plausible else ZERO


def add_redemption(sheet: Sheet, raw: RawRow, paid: RawRow) -> None:
    """Add the sale of what was redeemed, once for the rows with its shares and its money."""
    quantity, amount = abs(raw.required_number("Quantity")), paid.required_number("Amount")
    fee = paid.number_or_zero("Fees & Comm")
    if not quantity:
        raise bad_row("Quantity", raw["Quantity"], "not_above", _("Enter a number above 0."))
    fields = {**identity_of(raw), "settlement_currency": "USD", "settlement_amount": amount}
    price = divide(amount + fee, quantity)
    sheet.add(raw, type="sell", quantity=quantity, price=price, commission=fee, **fields)


def unpaired_cancellation(raw: RawRow, side: str) -> BadRow:
    """Make the error of a row that cancels a trade of an earlier file."""
    quantity = raw.required_number("Quantity")
    return unpaired_reversal(
        "Quantity",
        quantity,
        type=side,
        date=raw.day("Date"),
        quantity=abs(quantity),
        price=raw.required_number("Price"),
        symbol=raw["Symbol"] or None,
    )
