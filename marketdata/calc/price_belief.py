"""Decide which closes of a source are believed.

docs/definitions.md, "What is believed of a source", has the rules.

What is not believed is held back with a reason, until a later answer or a person decides.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from financeproj.core.money import EXACT, ONE
from marketdata.calc.names import is_other_name
from marketdata.calc.sanity import (
    CONFIRMATION,
    JUMP,
    LARGEST_JUMP,
    Close,
    Doubt,
    is_near,
    split_factor,
)

# Moves by these factors are slips between units (pence and pounds) more often than facts.
UNIT_FACTORS = (Decimal(100), Decimal(1000), Decimal("0.01"), Decimal("0.001"))
# A move by the ratio of a split, at most so many days away, is a close that was not adjusted.
LEAST_SPLIT = Decimal("1.5")
SPLIT_LIKENESS = Decimal("0.1")
SPLIT_DAYS = timedelta(days=30)
# A jump that is taken back when the old level returns.
GREAT_JUMP = Decimal(20)
RETURN_DAYS = timedelta(days=90)
# How many closes decide between the levels of a first history.
SIDE_CLOSES = 20
# How well a change of splits must explain a close that is said again.
EXPLANATION = Decimal("0.05")

UNIT_SLIP = "unit_slip"
UNADJUSTED = "unadjusted"
OTHER_NAME = "other_name"
FOLLOWS = "follows"
OTHER_SIDE = "other_side"
RETURNED = "returned"
RESTATED = "restated"

# Later closes near one that was held back for these reasons are held back with it.
LASTING = frozenset({UNIT_SLIP, UNADJUSTED, OTHER_NAME, FOLLOWS, OTHER_SIDE, RETURNED})

# A split before and after a change of the source: moved, corrected, withdrawn or back.
Restatement = tuple[Close | None, Close | None]


@dataclass(frozen=True, slots=True)
class Doubted:
    """A close that was held back, or dismissed by a person, before."""

    value: Decimal
    reason: str = JUMP
    is_dismissed: bool = False

    @property
    def lasts(self) -> bool:
        """Whether later closes near this one are held back with it."""
        return self.is_dismissed or self.reason in LASTING


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of an instrument's closes of the days of an answer and the 90 before.

    `fixed` are the days whose close a person entered or accepted. `earlier` is the last close
    before all of these. `splits` count in comparisons; `restated` are those that the answer
    changed. `name` is that of the last believed answer.
    """

    closes: Mapping[date, Decimal] = field(default_factory=dict)
    fixed: Collection[date] = ()
    doubts: Mapping[date, Doubted] = field(default_factory=dict)
    earlier: Close | None = None
    splits: Sequence[Close] = ()
    restated: Sequence[Restatement] = ()
    name: str = ""


@dataclass(slots=True)
class Verdict:
    """What follows from an answer: closes to store, and closes that must not be stored.

    `held` has one entry a day, also of days whose stored close must go (`taken_back`).
    """

    believed: dict[date, Decimal] = field(default_factory=dict)
    held: dict[date, Doubt] = field(default_factory=dict)
    taken_back: set[date] = field(default_factory=set)


def usable(closes: Sequence[Close]) -> list[Close]:
    """Leave out closes that are not a number above 0."""
    return [(day, close) for day, close in closes if close.is_finite() and close > 0]


def sift(closes: Sequence[Close], known: Known, *, name: str = "") -> Verdict:
    """Decide about `closes` (above 0, oldest first, as traded) of an answer called `name`."""
    return _Walk(known, name).over(closes)


def sift_first(closes: Sequence[Close], known: Known) -> Verdict:
    """Decide about a first history, or one that is read again as if it were the first.

    Of its levels, which moves that nothing confirms divide, the one with more of the last 20
    closes is believed (of as many, the latest).
    """
    side_of = _sides(closes, known.splits)
    counted = side_of[-SIDE_CLOSES:]
    most = max((counted.count(side) for side in counted), default=0)
    believed_side = None
    for side in counted:
        if counted.count(side) == most:
            believed_side = side
    fixed = {day: close for day, close in known.closes.items() if day in known.fixed}
    chosen: list[Close] = []
    others: list[Close] = []
    for said, side in zip(closes, side_of, strict=True):
        if side == believed_side or said[0] in fixed:
            chosen.append(said)
        else:
            others.append(said)
    dismissed = {day: doubt for day, doubt in known.doubts.items() if doubt.is_dismissed}
    known_now = Known(closes=fixed, fixed=known.fixed, doubts=dismissed, splits=known.splits)
    verdict = _Walk(known_now, "").over(chosen)
    reference = chosen[-1][1] if chosen else None
    for day, close in others:
        verdict.held[day] = Doubt(day, close, OTHER_SIDE, reference)
    days = {day for day, _ in closes}
    verdict.taken_back |= (known.closes.keys() & days) - verdict.believed.keys() - fixed.keys()
    return verdict


def _sides(closes: Sequence[Close], splits: Sequence[Close]) -> list[int]:
    """Return for each close the number of its level: 0, 1 ..."""
    latest: list[Close] = []  # of each level
    found: list[int] = []
    here = 0
    for day, close in closes:
        if not latest:
            latest.append((day, close))
        expected = _seen_on(latest[here], day, splits)
        if never_confirmed(close, expected, day, splits):
            here = _level_of((day, close), latest, splits)
        elif not is_near(close, expected, LARGEST_JUMP):
            there = _level_of((day, close), latest, splits)
            here = there if there < len(latest) else here
        if here == len(latest):
            latest.append((day, close))
        latest[here] = (day, close)
        found.append(here)
    return found


def _level_of(close: Close, latest: Sequence[Close], splits: Sequence[Close]) -> int:
    """Return the level whose last close is near, or a new one."""
    day, price = close
    for number, one in enumerate(latest):
        expected = _seen_on(one, day, splits)
        is_level = is_near(price, expected, LARGEST_JUMP)
        if is_level and not never_confirmed(price, expected, day, splits):
            return number
    return len(latest)


def _seen_on(close: Close, day: date, splits: Sequence[Close]) -> Decimal:
    """Return an earlier close in the shares of `day`."""
    factor = split_factor(splits, close[0], day)
    if factor == ONE:
        return close[1]
    return EXACT.divide(close[1], factor)


def never_confirmed(
    close: Decimal, expected: Decimal, day: date, splits: Sequence[Close]
) -> str | None:
    """Return why later closes cannot confirm this move: UNIT_SLIP, UNADJUSTED or None."""
    if not is_near(close, expected, LARGEST_JUMP):
        for factor in UNIT_FACTORS:
            if is_near(close, expected * factor, CONFIRMATION):
                return UNIT_SLIP
    for split_day, ratio in splits:
        if abs(split_day - day) > SPLIT_DAYS:
            continue
        if ONE < ratio < LEAST_SPLIT or ONE < ONE / ratio < LEAST_SPLIT:
            continue
        if is_near(close, expected * ratio, SPLIT_LIKENESS):
            return UNADJUSTED
        if is_near(close * ratio, expected, SPLIT_LIKENESS):
            return UNADJUSTED
    return None


class _Walk:
    """One pass over the closes of an answer, oldest first, among the stored ones."""

    def __init__(self, known: Known, name: str) -> None:
        self._known = known
        self._has_other_name = is_other_name(name, known.name)
        self._stands = known.earlier  # the last close that is believed
        self._doubt: Close | None = None  # the last one held back for a lasting reason since then
        self._trail: list[Close] = []  # closes of the last 90 days at least, believed or not
        if known.earlier is not None:
            self._trail.append(known.earlier)
        self._verdict = Verdict()

    def over(self, closes: Sequence[Close]) -> Verdict:
        said = dict(closes)
        following = {}
        for position, (day, _) in enumerate(closes[:-1]):
            following[day] = closes[position + 1]
        for day in sorted({*said, *self._known.closes, *self._known.doubts}):
            if day in said:
                self._decide(day, said[day], following.get(day))
            elif day in self._known.closes:
                self._stand(day, self._known.closes[day])
            else:
                self._remember(day, self._known.doubts[day])
        return self._verdict

    def _remember(self, day: date, doubt: Doubted) -> None:
        """Take a close into account that was held back or dismissed, and is not said again."""
        self._trail.append((day, doubt.value))
        if doubt.lasts:
            self._doubt = (day, doubt.value)

    def _stand(self, day: date, close: Decimal) -> None:
        self._stands = (day, close)
        self._doubt = None
        self._trail.append((day, close))

    def _believe(self, day: date, close: Decimal) -> None:
        self._verdict.believed[day] = close
        self._stand(day, close)

    def _hold(self, day: date, close: Decimal, reason: str, before: Decimal | None) -> None:
        self._verdict.held[day] = Doubt(day, close, reason, before)
        self._trail.append((day, close))
        if reason in LASTING:
            self._doubt = (day, close)

    def _decide(self, day: date, close: Decimal, following: Close | None) -> None:
        stored = self._known.closes.get(day)
        if stored is not None:
            self._decide_again(day, close, stored)
            return
        doubt = self._known.doubts.get(day)
        expected = None
        if self._stands is not None:
            expected = _seen_on(self._stands, day, self._known.splits)
        if doubt is not None and self._stays_in_doubt(close, doubt, expected):
            # What a person has dismissed keeps its value: about the same again is not asked twice.
            self._hold(day, doubt.value if doubt.is_dismissed else close, doubt.reason, expected)
            self._doubt = (day, close)
        elif expected is None:
            self._believe(day, close)
        else:
            self._compare(day, close, expected, following)

    def _stays_in_doubt(self, close: Decimal, doubt: Doubted, expected: Decimal | None) -> bool:
        """Return whether a close that is said again is held back as before."""
        if not is_near(close, doubt.value, CONFIRMATION):
            return False
        if doubt.is_dismissed or doubt.reason == RETURNED:
            return True
        if expected is None:
            # Nothing stands before it, but later closes made it doubtful.
            return bool(self._known.closes)
        return doubt.lasts and not is_near(close, expected, LARGEST_JUMP)

    def _decide_again(self, day: date, close: Decimal, stored: Decimal) -> None:
        """Decide about another word on a day whose close is stored."""
        is_same = is_near(close, stored, CONFIRMATION)
        if is_same or self._is_explained(day, close, stored):
            self._believe(day, close)
            return
        self._stand(day, stored)
        if day not in self._known.fixed:
            self._verdict.held[day] = Doubt(day, close, RESTATED, stored)

    def _is_explained(self, day: date, close: Decimal, stored: Decimal) -> bool:
        factor = ONE
        for before, after in self._known.restated:
            if before is not None and day < before[0]:
                factor = EXACT.divide(factor, before[1])
            if after is not None and day < after[0]:
                factor = EXACT.multiply(factor, after[1])
        return factor != ONE and is_near(close, stored * factor, EXPLANATION)

    def _compare(
        self, day: date, close: Decimal, expected: Decimal, following: Close | None
    ) -> None:
        splits = self._known.splits
        is_far = not is_near(close, expected, LARGEST_JUMP)
        if is_far:
            jump_day = self._jump_before(day, close)
            if jump_day is not None:
                self._take_back(jump_day, close, until=day)
                self._believe(day, close)
                return
        reason = never_confirmed(close, expected, day, splits)
        if reason is None and self._has_other_name and not is_near(close, expected, CONFIRMATION):
            reason = OTHER_NAME
        if reason is not None:
            self._hold(day, close, reason, expected)
        elif not is_far:
            self._believe(day, close)
        elif self._doubt and is_near(close, _seen_on(self._doubt, day, splits), LARGEST_JUMP):
            self._hold(day, close, FOLLOWS, expected)
        elif following is not None and is_near(
            following[1], _seen_on((day, close), following[0], splits), CONFIRMATION
        ):
            self._believe(day, close)
        else:
            self._hold(day, close, JUMP, expected)

    def _jump_before(self, day: date, close: Decimal) -> date | None:
        """Return the day of the last great jump away from the level to which `close` returns."""
        splits = self._known.splits
        for position in range(len(self._trail) - 1, 0, -1):
            jump_day, after = self._trail[position]
            if jump_day < day - RETURN_DAYS:
                return None
            before = _seen_on(self._trail[position - 1], jump_day, splits)
            is_great = after > GREAT_JUMP * before or before > GREAT_JUMP * after
            level = _seen_on(self._trail[position - 1], day, splits)
            returns = is_great and is_near(close, level, LARGEST_JUMP)
            if returns and self._is_believed(jump_day) and not self._was_excursion(position):
                return jump_day
        return None

    def _was_excursion(self, position: int) -> bool:
        """Return whether the close before the jump at `position` never stood.

        It was not believed, and either is not a level of the first history or came from the level
        to which that jump led back.
        """
        jump_day, after = self._trail[position]
        before_day = self._trail[position - 1][0]
        if self._is_believed(before_day):
            return False
        doubt = self._known.doubts.get(before_day)
        if doubt is None or doubt.reason != OTHER_SIDE:
            return True
        for day, close in reversed(self._trail[: position - 1]):
            if day < jump_day - RETURN_DAYS:
                return False
            seen = _seen_on((day, close), jump_day, self._known.splits)
            if is_near(after, seen, LARGEST_JUMP):
                return True
        return False

    def _is_believed(self, day: date) -> bool:
        if day in self._verdict.believed:
            return True
        earlier = self._known.earlier
        is_earlier = earlier is not None and earlier[0] == day
        is_stored = day in self._known.closes and day not in self._verdict.taken_back
        return is_earlier or is_stored

    def _take_back(self, jump_day: date, close: Decimal, *, until: date) -> None:
        """Hold back the believed closes from `jump_day` until the old level came back."""
        for day, between in self._trail:
            is_between = jump_day <= day < until and day not in self._known.fixed
            if not is_between:
                continue
            held = self._verdict.held.get(day)
            if held is not None:
                # It was compared with the level that goes now.
                if held.reason == JUMP:
                    self._verdict.held[day] = Doubt(day, between, RETURNED, close)
                continue
            if day in self._verdict.believed or day in self._known.closes:
                self._verdict.believed.pop(day, None)
                self._verdict.held[day] = Doubt(day, between, RETURNED, close)
                if day in self._known.closes:
                    self._verdict.taken_back.add(day)
