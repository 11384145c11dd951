"""Exact decimal numbers: what may enter, how derived ones are rounded, how they are written."""

from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache

# Replays and sums run in this context; 50 digits as docs/definitions.md says.
EXACT = Context(prec=50, rounding=ROUND_HALF_EVEN)
_STORED = Context(prec=15, rounding=ROUND_HALF_EVEN)

# 15 significant digits are what a float64, and so SQLite, keeps of a decimal.
SIGNIFICANT_DIGITS = 15
MAX_MAGNITUDE = 15  # every number is below 10^15
MAX_DECIMAL_PLACES = 20

ZERO = Decimal(0)
_TEN = Decimal(10)
ONE = Decimal(1)


def round_for_storage(value: Decimal) -> Decimal:
    """`value` rounded half-even to 15 significant digits, as derived numbers and looked-up rates
    are stored.
    """
    return _STORED.plus(value)


def strip_zeros(value: Decimal) -> Decimal:
    """`value` without trailing zeros and without an exponent: 0.10 → 0.1, 1E+2 → 100. Exact."""
    return _written_out(value.normalize(EXACT))


def round_for_display(value: Decimal) -> Decimal:
    """`strip_zeros` of `round_for_storage`, as derived numbers are shown."""
    return _written_out(value.normalize(_STORED))


def _written_out(value: Decimal) -> Decimal:
    # After normalize only multiples of ten have an exponent; asking for it would cost ten times the
    # remainder.
    try:
        if EXACT.remainder(value, _TEN):
            return value
    except (
        InvalidOperation
    ):  # its quotient has more than 50 digits: an absurd price of an absurd quantity
        pass
    return Decimal(format(value, "f"))


def in_new_shares(quantity: Decimal, ratio: Decimal) -> Decimal:
    """`quantity` old shares after a split of `ratio` new shares for one old, at 50 digits.

    A ratio that is a fraction cut off at 15 digits or more (0.333333333333333) counts as that
    fraction: of 30 shares it leaves 10, which can be sold, and not 9.99999999999999.
    """
    numerator, denominator = _fraction(ratio)
    return EXACT.divide(EXACT.multiply(quantity, numerator), denominator)


@lru_cache(maxsize=1000)
def _fraction(ratio: Decimal) -> tuple[Decimal, Decimal]:
    """Numerator and denominator; the latter is 1 unless all digits of `ratio` are those of a
    fraction up to n/1000.
    """
    if significant_digits(ratio) >= SIGNIFICANT_DIGITS:
        near = Fraction(ratio).limit_denominator(1000)
        if abs(near - Fraction(ratio)) < Fraction(ratio) / 10 ** (SIGNIFICANT_DIGITS - 1):
            return Decimal(near.numerator), Decimal(near.denominator)
    return ratio, ONE


def significant_digits(value: Decimal) -> int:
    """How many digits `value` needs: 0.00120 needs 2, 1200 needs 2, 0 needs 1."""
    return len("".join(map(str, value.as_tuple().digits)).strip("0")) or 1
