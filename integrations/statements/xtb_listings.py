"""XTB: what a symbol says of a listing, in which currency a price is, and days."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

from financeproj.core.money import EXACT, ONE
from integrations.statements.amounts import (
    divide,
    half_unit,
    require_amount,
    rounding_of_product,
)
from integrations.statements.days import iso_day
from integrations.statements.raw_rows import RawRow, bad_row
from integrations.statements.values import day_of
from portfolios.calc.import_rows import gettext_noop as _

# The exchange of a listing: its currency, and the end of its ticker. London trades in several.
EXCHANGES = {
    "US": ("USD", ""), "UK": (None, ".L"), "DE": ("EUR", ".DE"), "FR": ("EUR", ".PA"),
    "NL": ("EUR", ".AS"), "IT": ("EUR", ".MI"), "ES": ("EUR", ".MC"), "PT": ("EUR", ".LS"),
    "BE": ("EUR", ".BR"), "FI": ("EUR", ".HE"), "PL": ("PLN", ".WA"), "CZ": ("CZK", ".PR"),
    "CH": ("CHF", ".SW"), "SE": ("SEK", ".ST"), "NO": ("NOK", ".OL"), "DK": ("DKK", ".CO"),
    "AT": ("EUR", ".VI"), "HU": ("HUF", ".BD"), "RO": ("RON", ".RO"),
}  # fmt: skip
# About how much of a currency an euro is worth: enough to distinguish pounds from pence.
ABOUT_AN_EURO = {
    "EUR": 1, "USD": 1, "GBP": 1, "CHF": 1, "PLN": 4, "RON": 5, "CZK": 25, "HUF": 390,
    "DKK": 7, "SEK": 11, "NOK": 11,
}  # fmt: skip
MOST_APART = 3
PENCE_BELOW = Decimal("0.1")
HUNDREDTH = Decimal("0.01")

LISTING = re.compile(r"([A-Z0-9._-]{1,20})\.([A-Z]{2})", re.ASCII)
_DAY = re.compile(r"(\d\d)[./](\d\d)[./](\d{4})(?: |$)", re.ASCII)


def read_day(text: str) -> date | None:
    """31.12.2024 or 31/12/2024, alone or before a time; also 2024-12-31."""
    match = _DAY.match(text)
    if match is None:
        return iso_day(text)
    return day_of(int(match[3]), int(match[2]), int(match[1]))


def currency_of(raw: RawRow) -> str | None:
    """Return the currency of a listing, None where several are possible."""
    listing = LISTING.fullmatch(raw["symbol"].upper())
    return EXCHANGES.get(listing[2], (None, ""))[0] if listing else None


def _likely_rate(
    raw: RawRow, column: str, rate: Decimal, quoted_in: str | None, currency: str
) -> Decimal:
    """Return the rate that the amount in `column` implies. Raises BadRow if it cannot be one."""
    known = ABOUT_AN_EURO.get(quoted_in or ""), ABOUT_AN_EURO.get(currency)
    if known[0] and known[1]:
        about = Decimal(known[1]) / known[0]
        if not about / MOST_APART < rate < about * MOST_APART:
            message = _(
                "The amount is not that of the comment: %(rate)s is not an exchange rate from "
                "%(base)s to %(target)s."
            )
            raise bad_row(
                column,
                raw[column],
                "amount_differs",
                message,
                rate=rate,
                base=quoted_in,
                target=currency,
            )
    return rate


def _quoted(
    raw: RawRow, shares: Decimal, price: Decimal, amount: Decimal, currency: str
) -> tuple[str | None, Decimal]:
    """Return (currency of the price, price in its major unit).

    A price that gives the amount is in the account's currency. London quotes many shares in pence.
    The currency is None where only the listing itself tells it.
    """
    gross = EXACT.multiply(shares, price)
    quoted_in = currency_of(raw)
    if quoted_in:
        return quoted_in, price
    if abs(gross - amount) <= rounding_of_product(shares, price) + half_unit(amount):
        return currency, price
    unit = ABOUT_AN_EURO.get(currency)
    is_in_london = raw["symbol"].upper().endswith(".UK")
    if is_in_london and unit and amount < gross * unit * PENCE_BELOW:
        return "GBP", EXACT.multiply(price, HUNDREDTH)
    return None, price


def trade_of(
    raw: RawRow,
    column: str,
    side: str,
    shares: Decimal,
    price: Decimal,
    amount: Decimal,
    currency: str,
) -> dict[str, Any]:
    """Return the figures of a trade. Its rate is that of the amount, which `column` states.

    `amount` is in the account's `currency` and negative for a purchase. Raises BadRow if it cannot
    be that of the shares and the price.
    """
    quoted_in, price = _quoted(raw, shares, price, abs(amount), currency)
    gross = EXACT.multiply(shares, price)
    if not gross:
        raise bad_row(column, raw[column], "not_above", _("Enter a number above 0."))
    rate = ONE
    if quoted_in == currency:
        require_amount(raw, column, side, shares, price, amount=amount)
    else:
        rate = _likely_rate(raw, column, divide(abs(amount), gross), quoted_in, currency)
    return {
        "type": side,
        "quantity": shares,
        "price": price,
        "exchange_rate": rate,
        "rate_currency": currency,
        "currency": quoted_in,
        "settlement_currency": currency,
        "settlement_amount": amount,
    }


def instrument_of(raw: RawRow) -> dict[str, Any]:
    """Return the symbol, with the end that the sources of prices know, and the name."""
    symbol = raw["symbol"].upper()
    listing = LISTING.fullmatch(symbol)
    if listing and listing[2] in EXCHANGES:
        symbol = f"{listing[1]}{EXCHANGES[listing[2]][1]}"
    return {"symbol": symbol, "company_name": raw["instrument"] or raw["symbol"]}
