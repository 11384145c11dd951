"""Decide which exchange rates of a source are believed.

docs/definitions.md, "What is believed of a source", has the rules.

The European Central Bank's rates are the reference.
"""

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from financeproj.core.money import EXACT, ONE
from marketdata.calc.price_belief import Doubted
from marketdata.calc.sanity import Doubt, is_near

TOLERANCE = Decimal("0.2")
REFERENCE_DAYS = timedelta(days=90)
# Rates that are off by these factors are slips, whatever follows.
SLIPS = tuple(Decimal(10) ** power for power in (1, 2, 3, -1, -2, -3))

FAR_FROM_ECB = "far_from_ecb"
FACTOR_OF_TEN = "factor_of_ten"
INVERTED = "inverted"
FOLLOWS = "follows"
JUMP = "jump"
# Later rates near one that was held back for these reasons are held back with it.
LASTING = frozenset({FAR_FROM_ECB, FACTOR_OF_TEN, INVERTED, FOLLOWS})

Rate = tuple[date, Decimal]


@dataclass(frozen=True, slots=True)
class KnownRates:
    """What is stored of a pair on the days of an answer.

    `fixed` are the days whose rate a person entered or accepted. `earlier` is the last believed
    rate before these days, `reference` the ECB's rates, oldest first.
    """

    rates: Mapping[date, Decimal] = field(default_factory=dict)
    fixed: Collection[date] = ()
    doubts: Mapping[date, Doubted] = field(default_factory=dict)
    earlier: Rate | None = None
    reference: Sequence[Rate] = ()


def usable_rates(rates: Sequence[Rate]) -> list[Rate]:
    """Leave out rates that are not a number above 0."""
    return [(day, rate) for day, rate in rates if rate.is_finite() and rate > 0]


def sift_rates(rates: Sequence[Rate], known: KnownRates) -> tuple[list[Rate], list[Doubt]]:
    """Divide `rates` (above 0, oldest first) into those to store and those to hold back."""
    return _Walk(known).over(rates)


class _Walk:
    """One pass over the rates of an answer, oldest first."""

    def __init__(self, known: KnownRates) -> None:
        self._known = known
        self._days = [day for day, _ in known.reference]
        self._last = known.earlier
        self._doubt: Decimal | None = None
        self._believed: list[Rate] = []
        self._held: list[Doubt] = []

    def over(self, rates: Sequence[Rate]) -> tuple[list[Rate], list[Doubt]]:
        said = dict(rates)
        following = {}
        for position, (day, _) in enumerate(rates[:-1]):
            following[day] = rates[position + 1]
        for day in sorted({*said, *self._known.doubts, *self._known.rates}):
            if day in said:
                self._decide(day, said[day], following.get(day))
            elif day in self._known.rates:
                self._last, self._doubt = (day, self._known.rates[day]), None
            elif self._lasts(self._known.doubts[day]):
                self._doubt = self._known.doubts[day].value
        return self._believed, self._held

    @staticmethod
    def _lasts(doubt: Doubted) -> bool:
        return doubt.is_dismissed or doubt.reason in LASTING

    def _believe(self, day: date, rate: Decimal) -> None:
        self._believed.append((day, rate))
        self._last, self._doubt = (day, rate), None

    def _hold(self, day: date, rate: Decimal, reason: str, before: Decimal | None) -> None:
        self._held.append(Doubt(day, rate, reason, before))
        if reason in LASTING:
            self._doubt = rate

    def _reference(self, day: date) -> Rate | None:
        """Return the ECB's last rate by `day`, at most 90 days old."""
        position = bisect_right(self._days, day)
        if not position:
            return None
        found = self._known.reference[position - 1]
        if day - found[0] > REFERENCE_DAYS:
            return None
        return found

    def _is_refuted(self, day: date, rate: Decimal) -> bool:
        """Return whether the ECB has a rate of the same day that is another one."""
        reference = self._reference(day)
        is_same_day = reference is not None and reference[0] == day
        return is_same_day and not is_near(rate, reference[1], TOLERANCE)  # type: ignore[index]

    def _decide(self, day: date, rate: Decimal, following: Rate | None) -> None:
        stored, doubt = self._known.rates.get(day), self._known.doubts.get(day)
        reference = self._reference(day)
        before = [one[1] for one in (reference, self._last) if one is not None]
        shown = before[0] if before else None
        is_known = stored is not None and is_near(rate, stored, TOLERANCE)
        if is_known and day in self._known.fixed:
            self._believe(day, rate)
        elif doubt is not None and doubt.is_dismissed and is_near(rate, doubt.value, TOLERANCE):
            # About the same again is not asked twice.
            self._hold(day, doubt.value, doubt.reason, shown)
            self._doubt = rate
        elif self._is_refuted(day, rate):
            self._hold(day, rate, FAR_FROM_ECB, shown)
        elif is_known or not before or _is_near_one(rate, before):
            self._believe(day, rate)
        else:
            self._compare(day, rate, before, following)

    def _compare(
        self, day: date, rate: Decimal, before: Sequence[Decimal], following: Rate | None
    ) -> None:
        reason = slip_of(rate, before)
        if reason is not None:
            self._hold(day, rate, reason, before[0])
        elif self._doubt is not None and is_near(rate, self._doubt, TOLERANCE):
            self._hold(day, rate, FOLLOWS, before[0])
        elif (
            following is not None
            and is_near(following[1], rate, TOLERANCE)
            and not self._is_refuted(*following)
        ):
            self._believe(day, rate)
        else:
            self._hold(day, rate, JUMP, before[0])


def _is_near_one(rate: Decimal, others: Sequence[Decimal]) -> bool:
    return any(is_near(rate, other, TOLERANCE) for other in others)


def slip_of(rate: Decimal, others: Sequence[Decimal]) -> str | None:
    """Return FACTOR_OF_TEN or INVERTED if `rate` is one of `others` so changed, else None."""
    for other in others:
        if is_near(rate, EXACT.divide(ONE, other), TOLERANCE):
            return INVERTED
        for factor in SLIPS:
            if is_near(rate, other * factor, TOLERANCE):
                return FACTOR_OF_TEN
    return None
