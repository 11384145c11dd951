"""Tell plausible prices of a source from others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from financeproj.core.money import EXACT, ONE

# A move of more than 60 % in one step, without a split, must be confirmed by the next close, which
# lies within 20 % then.
LARGEST_JUMP = Decimal("0.6")
CONFIRMATION = Decimal("0.2")

NOT_POSITIVE = "not_positive"
JUMP = "jump"

Close = tuple[date, Decimal]


@dataclass(frozen=True, slots=True)
class Doubt:
    """A value that is not plausible, or not yet.

    `reason` is one of the codes of `HeldBack.Reason`, `before` what the value was compared with.
    """

    date: date
    value: Decimal
    reason: str
    before: Decimal | None = None


def split_factor(splits: Sequence[Close], after: date, until: date) -> Decimal:
    """Return the product of the ratios of `splits` after `after`, up to and including `until`."""
    factor = ONE
    for day, ratio in splits:
        if after < day <= until:
            factor = EXACT.multiply(factor, ratio)
    return factor


def is_near(price: Decimal, reference: Decimal, tolerance: Decimal) -> bool:
    """Return whether `price` is within `tolerance` (a fraction) of `reference`, above 0."""
    return abs(price - reference) <= tolerance * reference
