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
    return abs(EXACT.divide(price, reference) - ONE) <= tolerance


def sift(
    closes: Sequence[Close],
    *,
    splits: Sequence[Close],
    last: Close | None,
    believed: dict[date, Decimal],
) -> tuple[list[Close], list[Doubt]]:
    """Divide `closes` (oldest first, as traded) into those to store and those to hold back.

    A jump of more than 60 % against the close before, in the shares of the day, is plausible once
    the next close lies within 20 % of it. `last` is the stored close before the first of `closes`.
    `believed` are the stored closes of the same days: a close within 20 % of the stored one needs
    no confirmation, and one more than 60 % away is held back whatever follows, since a source
    that restates for a split half-way would rewrite what was traded.
    """
    kept: list[Close] = []
    previous = None
    if last:
        previous = last[1]
    held = [Doubt(day, close, NOT_POSITIVE, previous) for day, close in closes if close <= 0]
    usable = [(day, close) for day, close in closes if close > 0]
    for position, (day, close) in enumerate(usable):
        expected = None
        if last:
            expected = EXACT.divide(last[1], split_factor(splits, last[0], day))
        known = believed.get(day)
        if known and not is_near(close, known, LARGEST_JUMP):
            held.append(Doubt(day, close, JUMP, known))
            last = (day, known)
        elif (
            expected is None
            or is_near(close, expected, LARGEST_JUMP)
            or (known and is_near(close, known, CONFIRMATION))
            or _is_confirmed(close, day, usable[position + 1 : position + 2], splits)
        ):
            kept.append((day, close))
            last = (day, close)
        else:
            held.append(Doubt(day, close, JUMP, expected))
    return kept, held


def _is_confirmed(
    close: Decimal, day: date, following: Sequence[Close], splits: Sequence[Close]
) -> bool:
    for later_day, later in following:
        expected = EXACT.divide(close, split_factor(splits, day, later_day))
        if is_near(later, expected, CONFIRMATION):
            return True
    return False
