"""What shares without a price are worth when they come for others: what they took over.

docs/definitions.md, "Performance of a period".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from financeproj.core.money import EXACT, ONE, ZERO


@dataclass(frozen=True, slots=True)
class Came:
    """What came in: its part of the cost, and its market value where a price is known."""

    share: Decimal
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class Gone:
    """What it came for: what left, at the last close before and at the close of the day.

    In a spin-off it is what gave them, which stays. `cash` is what was received with it, below 0
    what was paid, and `cash_share` its part of the cost. All values are in one currency.
    """

    before: Decimal | None
    now: Decimal | None
    is_spin_off: bool = False
    cash: Decimal = ZERO
    cash_share: Decimal = ZERO


def values_taken_over(gone: Gone, came: Sequence[Came]) -> list[Decimal | None]:
    """Return the value of each of `came` without a market value, None where it is unknown."""
    with localcontext(EXACT):
        if gone.is_spin_off:
            moved = gone.cash_share + sum((one.share for one in came), ZERO)
            if ZERO < moved < ONE:
                return [_by_share(gone, one, moved) for one in came]
        left = _left(gone, came)
        if left is None:
            return [None] * len(came)
        unpriced = [one for one in came if one.value is None]
        total = sum((one.share for one in unpriced), ZERO)
        values: list[Decimal | None] = []
        for one in came:
            if one.value is not None:
                values.append(None)
            elif total:
                values.append(left * one.share / total)
            else:
                values.append(left / len(unpriced))
        return values


def _by_share(gone: Gone, one: Came, moved: Decimal) -> Decimal | None:
    """Return the value of a target whose share of the cost is known."""
    if gone.now is None or one.value is not None:
        return None
    return gone.now * one.share / (ONE - moved)


def _left(gone: Gone, came: Sequence[Came]) -> Decimal | None:
    """Return what the cash and the priced targets leave of the value that went."""
    if gone.before is None or (gone.is_spin_off and gone.now is None):
        return None
    left = gone.before - gone.cash
    if gone.is_spin_off and gone.now is not None:
        left -= gone.now
    for one in came:
        left -= one.value or ZERO
    return max(left, ZERO)
