"""The currencies in circulation."""

from dataclasses import dataclass
from functools import cache

# ISO 4217 also lists units of account, indexed units and funds codes.
NOT_IN_CIRCULATION = frozenset(
    ["BOV", "CHE", "CHW", "CLF", "COU", "MXV", "USN", "UYI", "UYW", "XAD"]
)


@dataclass(frozen=True, slots=True)
class CurrencyInfo:
    code: str
    name: str
    symbol: str
    decimal_places: int


@cache
def currencies() -> dict[str, CurrencyInfo]:
    """Return every ISO 4217 currency in circulation by code, ordered by code.

    Metals, test codes and funds are left out: they have no minor unit in the standard, or are
    listed in NOT_IN_CIRCULATION.
    """
    from babel.numbers import get_currency_symbol
    from iso4217 import Currency

    by_code = {}
    for entry in sorted(Currency, key=lambda entry: entry.code):
        code, decimal_places = entry.code, entry.exponent
        if decimal_places is None or code in NOT_IN_CIRCULATION:
            continue
        symbol = get_currency_symbol(code, "en")
        by_code[code] = CurrencyInfo(code, entry.currency_name, symbol, decimal_places)
    return by_code


def is_currency(code: str) -> bool:
    return code in currencies()
