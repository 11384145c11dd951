"""Exact decimal numbers: limits, rounding of derived numbers, and how numbers are shown."""

from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache

# Replays and sums use this context; docs/definitions.md explains the 50 digits.
EXACT = Context(prec=50, rounding=ROUND_HALF_EVEN)
_STORED = Context(prec=15, rounding=ROUND_HALF_EVEN)

# A float64, and therefore SQLite, keeps 15 significant digits of a decimal.
SIGNIFICANT_DIGITS = 15
MAX_MAGNITUDE = 15  # every number is below 10^15
MAX_DECIMAL_PLACES = 20

ZERO = Decimal(0)
_TEN = Decimal(10)
ONE = Decimal(1)


def round_for_storage(value: Decimal) -> Decimal:
    """Round half-even to 15 significant digits, as derived numbers and rates are stored."""
    return _STORED.plus(value)


def is_storable(value: Decimal) -> bool:
    """Return whether a number, once rounded, fits into a column: finite and not too close to 0."""
    return value.is_finite() and -MAX_DECIMAL_PLACES <= value.adjusted() < MAX_MAGNITUDE


def strip_zeros(value: Decimal) -> Decimal:
    """Drop trailing zeros and the exponent, exactly: 0.10 → 0.1, 1E+2 → 100."""
    return _written_out(value.normalize(EXACT))


def round_for_display(value: Decimal) -> Decimal:
    """Round as for storage and strip zeros, as derived numbers are shown."""
    return _written_out(value.normalize(_STORED))


def _written_out(value: Decimal) -> Decimal:
    # After normalize only multiples of ten have an exponent. Reading it from as_tuple() costs ten
    # times as much as the remainder.
    try:
        if EXACT.remainder(value, _TEN):
            return value
    except InvalidOperation:  # the quotient of an absurdly large number has more than 50 digits
        pass
    return Decimal(format(value, "f"))


def in_new_shares(quantity: Decimal, ratio: Decimal) -> Decimal:
    """Convert shares from before a split; `ratio` is new shares for one old. 50 digits.

    A ratio cut off after 15 or more digits (0.333333333333333) counts as its fraction: 30 shares
    become 10, which can be sold, not 9.99999999999999.
    """
    numerator, denominator = _fraction(ratio)
    return EXACT.divide(EXACT.multiply(quantity, numerator), denominator)


def as_fraction(value: Decimal) -> Decimal:
    """Return a part that was cut off after 15 digits (0.166666666666667) with 50 digits.

    Its fraction counts if one with a denominator up to 1000 explains all digits.
    """
    return EXACT.divide(*_fraction(value))


@lru_cache(maxsize=1000)
def _fraction(ratio: Decimal) -> tuple[Decimal, Decimal]:
    """Return numerator and denominator; a denominator up to 1000 if it explains all digits."""
    if significant_digits(ratio) >= SIGNIFICANT_DIGITS:
        near = Fraction(ratio).limit_denominator(1000)
        if abs(near - Fraction(ratio)) < Fraction(ratio) / 10 ** (SIGNIFICANT_DIGITS - 1):
            return Decimal(near.numerator), Decimal(near.denominator)
    return ratio, ONE


def significant_digits(value: Decimal) -> int:
    """Count the digits that `value` needs: 0.00120 needs 2, 1200 needs 2, 0 needs 1."""
    return len("".join(map(str, value.as_tuple().digits)).strip("0")) or 1
