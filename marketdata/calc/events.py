"""Compare the splits and dividends that a source says with those that are stored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from financeproj.core.money import EXACT, ONE, round_for_storage

# Ratios beyond these are no events.
LARGEST_RATIO = Decimal(10_000)
SMALLEST_RATIO = ONE / LARGEST_RATIO
# A ratio is read as a fraction with a denominator up to this, if it is within the tolerance.
LARGEST_TERM = 10_000
FRACTION_TOLERANCE = Fraction(1, 10**9)
# Splits such as 5:4 are booked by themselves; others such as 1281:1000 are factors in prices more
# often than shares.
LARGEST_BOOKED_TERM = 25
# From 3:2 on, either way, a split must show in the closes, within 5 %.
VISIBLE_RATIO = Decimal("1.5")
SHOWN_WITHIN = Decimal("0.05")
# Brokers write a third as 0.333 or 0.3333333.
SAME_RATIO = Decimal("0.001")
# How far a source moves a split, and a dividend.
SPLIT_DAYS = timedelta(days=7)
DIVIDEND_DAYS = timedelta(days=3)

Event = tuple[date, Decimal]


def read_ratio(ratio: Decimal) -> Decimal | None:
    """Return the ratio as it is stored, to 15 digits; None where it is not a split."""
    if not ratio.is_finite() or not SMALLEST_RATIO <= ratio <= LARGEST_RATIO:
        return None
    exact = Fraction(ratio)
    nearest = exact.limit_denominator(LARGEST_TERM)
    if abs(nearest - exact) <= FRACTION_TOLERANCE:
        ratio = EXACT.divide(Decimal(nearest.numerator), Decimal(nearest.denominator))
    stored = round_for_storage(ratio)
    if stored == ONE:
        return None
    return stored


def is_booked_by_itself(ratio: Decimal) -> bool:
    """Return whether a split of `ratio` changes shares without a person's word: n:1, 1:n, or n:m
    with both at most 25.
    """
    exact = Fraction(ratio)
    nearest = exact.limit_denominator(LARGEST_TERM)
    if abs(nearest - exact) > FRACTION_TOLERANCE:
        return False
    terms = sorted((nearest.numerator, nearest.denominator))
    return terms[0] == 1 or terms[1] <= LARGEST_BOOKED_TERM


def is_visible(ratio: Decimal) -> bool:
    """Return whether a split of `ratio` is large enough to be seen in closes."""
    return ratio >= VISIBLE_RATIO or ratio <= ONE / VISIBLE_RATIO


def lacks_split(before: Decimal, close: Decimal) -> bool:
    """Return whether `close` stands where it stood `before`, as if there had been no split.

    Seen through the split, that is a move within 5 % of its ratio.
    """
    return abs(close / before - ONE) <= SHOWN_WITHIN


def shows_split(before: Decimal, close: Decimal, ratio: Decimal) -> bool:
    """Return whether the move from `before` to `close` is nearer to the split than to none."""
    plain = close / before
    through = plain * ratio
    return abs(through.ln()) < abs(plain.ln())


def is_known_by_hand(split: Event, by_hand: Sequence[Event]) -> bool:
    """Return whether a split is on the day of one by hand, or the same within a week."""
    for day, ratio in by_hand:
        is_same = abs(ratio - split[1]) <= SAME_RATIO * ratio
        if day == split[0] or (is_same and abs(day - split[0]) <= SPLIT_DAYS):
            return True
    return False


@dataclass(frozen=True, slots=True)
class Pairing:
    """Pairs of positions in (stored, said), and the positions left over on either side."""

    pairs: list[tuple[int, int]]
    gone: list[int]
    new: list[int]


def pair_events(
    stored: Sequence[Event], said: Sequence[Event], *, days: timedelta, since: date
) -> Pairing:
    """Pair `stored` events with those `said`, one to one.

    Each time as many as possible and with the fewest days between: those equal in day and value,
    then those of an equal value within `days`, then the rest within `days`. A stored one before
    `since`, the first day that the answer covers, is paired with an equal value only. `gone` are
    those of the covered days alone.
    """
    pairs: list[tuple[int, int]] = []
    left = set(range(len(stored)))
    unsaid = set(range(len(said)))

    def take(may_pair: Callable[[Event, Event], bool], nearest: timedelta) -> None:
        old = sorted(left, key=lambda one: stored[one][0])
        new = sorted(unsaid, key=lambda one: said[one][0])
        for one, other in _closest(stored, said, old, new, nearest, may_pair):
            pairs.append((one, other))
            left.discard(one)
            unsaid.discard(other)

    take(lambda old, new: old == new, timedelta(0))
    values = {value for _, value in stored} & {value for _, value in said}
    for value in sorted(values):
        take(lambda old, new, value=value: old[1] == new[1] == value, days)  # type: ignore[misc]
    take(lambda old, new: old[0] >= since, days)
    gone = [one for one in sorted(left) if stored[one][0] >= since]
    return Pairing(pairs=pairs, gone=gone, new=sorted(unsaid))


def _closest(
    stored: Sequence[Event],
    said: Sequence[Event],
    old: Sequence[int],
    new: Sequence[int],
    nearest: timedelta,
    may_pair: Callable[[Event, Event], bool],
) -> list[tuple[int, int]]:
    """Return as many pairs as possible with the fewest days between; both sides are in the order
    of days, so that the best pairs never cross.
    """
    # best[i][j] = (minus the pairs, days between) of old[i:] and new[j:]
    best = [[(0, 0)] * (len(new) + 1) for _ in range(len(old) + 1)]
    choices = [[""] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in range(len(old) - 1, -1, -1):
        for j in range(len(new) - 1, -1, -1):
            options = [(best[i + 1][j], "skip_old"), (best[i][j + 1], "skip_new")]
            one, other = stored[old[i]], said[new[j]]
            apart = abs(one[0] - other[0])
            if apart <= nearest and may_pair(one, other):
                count, days = best[i + 1][j + 1]
                options.append(((count - 1, days + apart.days), "pair"))
            best[i][j], choices[i][j] = min(options)
    pairs = []
    i = j = 0
    while i < len(old) and j < len(new):
        choice = choices[i][j]
        if choice == "pair":
            pairs.append((old[i], new[j]))
        if choice != "skip_new":
            i += 1
        if choice != "skip_old":
            j += 1
    return pairs
