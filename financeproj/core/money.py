"""Exact decimal numbers: what may enter, how derived ones are rounded, how they are written."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

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


def stored(value: Decimal) -> Decimal:
    """`value` rounded half-even to 15 significant digits, as derived numbers and looked-up rates are stored."""
    return _STORED.plus(value)


def plain(value: Decimal) -> Decimal:
    """`value` without trailing zeros and without an exponent: 0.10 → 0.1, 1E+2 → 100. Exact."""
    value = value.normalize(EXACT)
    # After normalize only multiples of ten have an exponent; asking for it would cost ten times the remainder.
    return value if EXACT.remainder(value, _TEN) else Decimal(format(value, "f"))


def shown(value: Decimal) -> Decimal:
    """`plain` of `stored`, as derived numbers are shown."""
    value = value.normalize(_STORED)
    return value if EXACT.remainder(value, _TEN) else Decimal(format(value, "f"))


def significant_digits(value: Decimal) -> int:
    """How many digits `value` needs: 0.00120 needs 2, 1200 needs 2, 0 needs 1."""
    return len("".join(map(str, value.as_tuple().digits)).strip("0")) or 1
