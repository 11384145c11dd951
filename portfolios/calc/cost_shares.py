"""How much of a cost an exchange or a spin-off moves to each of what comes for it.

docs/definitions.md, "Shares that become other shares".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from financeproj.core.money import EXACT, ONE, ZERO

# Shares that a person gives add up to 1 within this.
WITHIN = Decimal("1e-6")


class SharesDoNotAddUp(Exception):
    """The given shares add up to `total`."""

    def __init__(self, total: Decimal) -> None:
        super().__init__(str(total))
        self.total = total


@dataclass(frozen=True, slots=True)
class Part:
    """A target, or the received cash: its given `share` and its market `value`, if known."""

    share: Decimal | None = None
    value: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Shares:
    """The share of each part; `is_unknown` where prices were missing to work one out."""

    shares: list[Decimal]
    is_unknown: bool = False


def shares_of_exchange(parts: Sequence[Part]) -> Shares:
    """Return shares that add up to 1. The first part is a target, and the cash comes last.

    What is left out shares the rest by market value. Raises SharesDoNotAddUp.
    """
    with localcontext(EXACT):
        given, left_out, values = _given(parts)
        if not left_out:
            if abs(given - ONE) > WITHIN:
                raise SharesDoNotAddUp(given)
            return Shares([(part.share or ZERO) / given for part in parts])
        rest = max(ONE - given, ZERO)
        total = sum(filter(None, values), ZERO)
        weights = [ONE] + [ZERO] * (len(left_out) - 1)
        is_unknown = len(left_out) > 1 and (None in values or not total)
        if len(left_out) > 1 and not is_unknown:
            weights = [(value or ZERO) / total for value in values]
        return Shares(_filled(parts, left_out, [rest * weight for weight in weights]), is_unknown)


def shares_of_spin_off(parts: Sequence[Part], kept: Decimal | None) -> Shares:
    """Return shares that add up to at most 1; `kept` is the market value of what gives them.

    What is left out shares the rest of 1 with it by market value, and has 0 where a price is
    unknown. Raises SharesDoNotAddUp.
    """
    with localcontext(EXACT):
        given, left_out, values = _given(parts)
        if not left_out:
            scale = max(given, ONE)
            return Shares([(part.share or ZERO) / scale for part in parts])
        rest = max(ONE - given, ZERO)
        total = sum(filter(None, values), kept or ZERO)
        is_unknown = None in values or kept is None or not total
        shares = [ZERO] * len(left_out)
        if kept is not None and total:
            shares = [rest * (value or ZERO) / total for value in values]
        return Shares(_filled(parts, left_out, shares), is_unknown)


def _given(parts: Sequence[Part]) -> tuple[Decimal, list[int], list[Decimal | None]]:
    """Return the sum of the given shares, and the places and values of those left out."""
    given = ZERO
    left_out: list[int] = []
    values: list[Decimal | None] = []
    for place, part in enumerate(parts):
        if part.share is None:
            left_out.append(place)
            values.append(part.value)
        else:
            given += part.share
    if given > ONE + WITHIN:
        raise SharesDoNotAddUp(given)
    return given, left_out, values


def _filled(
    parts: Sequence[Part], left_out: Sequence[int], shares: Sequence[Decimal]
) -> list[Decimal]:
    filled = [part.share or ZERO for part in parts]
    for place, share in zip(left_out, shares, strict=True):
        filled[place] = share
    return filled
