"""Tickers, ISINs, and currencies that prices are quoted in hundredths of."""

import re
from decimal import Decimal

from financeproj.core.money import EXACT

MAX_TICKER_LENGTH = 40
TICKER_PATTERN = r"[A-Z0-9.^=_&+-]+"

# Pence, cents and agorot by the codes that exchanges and brokers quote them with.
MAJOR_CURRENCIES = {"GBp": "GBP", "GBX": "GBP", "ZAc": "ZAR", "ZAX": "ZAR", "ILA": "ILS"}
MINOR_UNITS = 100

_TICKER = re.compile(TICKER_PATTERN)
_LETTER_OR_DIGIT = re.compile(r"[A-Z0-9]")
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")


def is_ticker(text: str) -> bool:
    return len(text) <= MAX_TICKER_LENGTH and has_ticker_characters(text)


def has_ticker_characters(text: str) -> bool:
    """Return whether `text`, of any length above 0, is made of what a ticker may contain.

    At least one character must be a letter or a digit: "." and "-" name nothing.
    """
    return _TICKER.fullmatch(text) is not None and _LETTER_OR_DIGIT.search(text) is not None


def looks_like_isin(text: str) -> bool:
    """Return whether `text` has the form of an ISIN, whatever its check digit."""
    return _ISIN.fullmatch(text) is not None


def is_isin(text: str) -> bool:
    """Return whether `text` is an ISIN with the right check digit.

    Letters count as 10 to 35, then Luhn's sum of the digits (ISO 6166).
    """
    if not looks_like_isin(text):
        return False
    digits = "".join(str(int(character, 36)) for character in text)
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        if place % 2:
            value *= 2
        total += value // 10 + value % 10
    return total % 10 == 0


def major_currency(code: str) -> str:
    """Return the currency of `code`: GBP for GBp, and `code` itself unless it is a minor unit."""
    return MAJOR_CURRENCIES.get(code, code)


def in_major_unit(price: Decimal, code: str) -> tuple[Decimal, str]:
    """Return `price` quoted in `code`, as (price, currency) in the currency itself."""
    if code in MAJOR_CURRENCIES:
        return EXACT.divide(price, Decimal(MINOR_UNITS)), MAJOR_CURRENCIES[code]
    return price, code
