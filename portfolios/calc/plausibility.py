"""What about a transaction looks like a mistake: a price or rate far from that of the market."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal

from msgspec import Struct

from financeproj.core.money import EXACT, ONE, round_for_display
from portfolios.calc.import_rows import gettext_noop

PRICE_FACTOR = Decimal(2)
RATE_TOLERANCE = Decimal("0.1")
# So near must a price be to an explanation: it is compared with a close, not with its own trade.
HINT_TOLERANCE = Decimal("0.25")
HUNDREDTHS = Decimal(100)

_FAR_PRICE = gettext_noop(
    "The price %(price)s is far from the close of %(close)s %(currency)s on %(date)s."
)
_PENCE = gettext_noop(
    "The price %(price)s is far from the close of %(close)s %(currency)s on %(date)s. If it is in "
    "pence or cents, divide it by 100."
)
_SPLIT_ADJUSTED = gettext_noop(
    "The price %(price)s is far from the close of %(close)s %(currency)s on %(date)s. It looks "
    "split-adjusted: enter price and quantity as they were before the later split (%(ratio)s:1)."
)
_FAR_RATE = gettext_noop(
    "The exchange rate %(rate)s is far from that of the market: %(market)s %(target)s for one "
    "%(base)s."
)
_INVERSE_RATE = gettext_noop(
    "The exchange rate %(rate)s is far from that of the market: %(market)s %(target)s for one "
    "%(base)s. It looks like the inverse: enter %(inverse)s."
)


class PlausibilityWarning(Struct, frozen=True):
    """What may be wrong with the `field` of a transaction. Nothing is refused for it.

    `message` is English text with the placeholders of `params`, which is what is translated.
    """

    code: str
    field: str
    message: str
    params: Mapping[str, str]

    def detail(self, translate: Callable[[str], str] = str) -> str:
        """Return the message in English, or as `translate` says it."""
        return translate(self.message) % self.params


def check_price(
    *,
    price: Decimal,
    close: Decimal,
    close_on: date,
    currency: str,
    later_splits: Iterable[Decimal],
) -> PlausibilityWarning | None:
    """Compare the price of a purchase or sale with the close of its day, both as traded.

    `later_splits` are the ratios of the splits since, oldest first. None if the price is within a
    factor of 2 of the close.
    """
    if close <= 0 or close / PRICE_FACTOR <= price <= close * PRICE_FACTOR:
        return None
    params = {
        "price": f"{round_for_display(price):f}",
        "close": f"{round_for_display(close):f}",
        "currency": currency,
        "date": str(close_on),
    }
    message = _FAR_PRICE
    if _is_near(price, close * HUNDREDTHS, HINT_TOLERANCE):
        message = _PENCE
    factor = ONE
    for ratio in later_splits:
        factor = EXACT.multiply(factor, ratio)
        if _is_near(EXACT.multiply(price, factor), close, HINT_TOLERANCE):
            message = _SPLIT_ADJUSTED
            params["ratio"] = f"{round_for_display(factor):f}"
            break
    return PlausibilityWarning("price_far_from_close", "price", message, params)


def check_rate(
    *, rate: Decimal, market: Decimal, base: str, target: str
) -> PlausibilityWarning | None:
    """Compare an exchange rate with that of the market; None if it is within 10 % of it."""
    if _is_near(rate, market, RATE_TOLERANCE):
        return None
    params = {
        "rate": f"{round_for_display(rate):f}",
        "market": f"{round_for_display(market):f}",
        "base": base,
        "target": target,
    }
    message, inverse = _FAR_RATE, EXACT.divide(ONE, rate)
    if _is_near(inverse, market, RATE_TOLERANCE):
        message = _INVERSE_RATE
        params["inverse"] = f"{round_for_display(inverse):f}"
    return PlausibilityWarning("rate_far_from_market", "exchange_rate", message, params)


def _is_near(value: Decimal, reference: Decimal, tolerance: Decimal) -> bool:
    return abs(EXACT.divide(value, reference) - ONE) <= tolerance
