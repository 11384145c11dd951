"""The currencies in circulation."""

from dataclasses import dataclass
from functools import cache

# ISO 4217 lists these beside the money in circulation: units of account, indexed units and funds
# codes.
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
    """Every ISO 4217 currency in circulation by code, in the order of the codes.

    Metals, test codes and funds have no minor unit in the standard (or stand in NOT_IN_CIRCULATION)
    and are left out.
    """
    from babel.numbers import get_currency_symbol
    from iso4217 import Currency

    found = (
        CurrencyInfo(
            entry.code, entry.currency_name, get_currency_symbol(entry.code, "en"), entry.exponent
        )
        for entry in Currency
        if entry.exponent is not None and entry.code not in NOT_IN_CIRCULATION
    )
    return {info.code: info for info in sorted(found, key=lambda info: info.code)}


def is_currency(code: str) -> bool:
    return code in currencies()
