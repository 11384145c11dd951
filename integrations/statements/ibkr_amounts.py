"""Interactive Brokers: what the amounts of a trade say of its price, if they are in the account's
base currency.
"""

from decimal import Decimal

from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.amounts import (
    amount_differs,
    divide,
    require_amount,
    require_commission,
)
from integrations.statements.ibkr_assets import PER_CENT
from integrations.statements.raw_rows import RawRow

# About how many units of each currency were a dollar since 2020. They tell a price per unit from
# one in per cent, and from the price of a contract; no amount is converted with them.
_PER_DOLLAR = {
    "AED": "3.7", "AUD": "1.4", "BRL": "5.3", "CAD": "1.3", "CHF": "0.9", "CNH": "7", "CNY": "7",
    "CZK": "22", "DKK": "7", "EUR": "0.9", "GBP": "0.8", "HKD": "7.8", "HUF": "350", "ILS": "3.5",
    "INR": "80", "JPY": "130", "KRW": "1300", "MXN": "19", "MYR": "4.3", "NOK": "10", "NZD": "1.6",
    "PLN": "4", "SAR": "3.7", "SEK": "10", "SGD": "1.3", "THB": "33", "TRY": "16", "TWD": "30",
    "USD": "1", "ZAR": "17",
}  # fmt: skip
# A rate differs from those by less than this factor.
_FACTOR = Decimal(3)
_REBATE = Decimal("0.01")  # of the value of a trade


def rate_and_price(
    raw: RawRow,
    side: str,
    shares: Decimal,
    price: Decimal,
    gross: Decimal,
    *,
    stated: Decimal | None,
    quoted_in: str,
    currency: str,
) -> tuple[Decimal, Decimal]:
    """Return the rate from `quoted_in`, the currency of the price, to `currency`, and the price of
    one unit, which may be in per cent. `gross` is signed, `stated` is the rate of the file.

    Raises BadRow(amount_differs) if the amount is far from quantity × price.
    """
    value = EXACT.multiply(shares, price)
    about = stated or _about(quoted_in, currency)
    expected = EXACT.multiply(value, about)
    if about and _are_near(abs(gross), EXACT.multiply(expected, PER_CENT)):
        price, value = EXACT.multiply(price, PER_CENT), EXACT.multiply(value, PER_CENT)
    if stated:
        require_amount(raw, "Gross Amount", side, shares, price, amount=gross, rate=stated)
        return stated, price
    rate = divide(abs(gross), value)
    if about and not _are_near(rate, about):
        raise amount_differs(raw, "Gross Amount", quantity=shares, price=price, expected=value)
    return rate, price


def require_charges(raw: RawRow, gross: Decimal, net: Decimal) -> None:
    """Check that the net amount is the gross amount with its charges, or with plausible ones.

    Raises BadRow(amount_differs), as for futures, whose gross amount is not paid.
    """
    charges = gross - net
    stated = raw.number_or_zero("Commission") + raw.number_or_zero("Transaction Fees")
    if charges != -stated:
        rebate = EXACT.multiply(abs(gross), _REBATE)
        require_commission(raw, "Net Amount", charges, ONE, abs(gross), rounding=rebate)


def _about(quoted_in: str, currency: str) -> Decimal:
    """Return about how much of `currency` a unit of `quoted_in` was; 0 if that is not known."""
    if quoted_in not in _PER_DOLLAR or currency not in _PER_DOLLAR:
        return ZERO
    return divide(Decimal(_PER_DOLLAR[currency]), Decimal(_PER_DOLLAR[quoted_in]))


def _are_near(one: Decimal, other: Decimal) -> bool:
    return one < other * _FACTOR and other < one * _FACTOR
