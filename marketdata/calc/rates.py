"""Find the rate of a pair of currencies on a day (docs/definitions.md, "Prices and rates")."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from financeproj.core.money import EXACT, ONE, round_for_storage

FRESH_DAYS = 7
# An older rate values nothing: what needs it counts as unpriced.
OLDEST_DAYS = 90
VIA = ("EUR", "USD")

Pair = tuple[str, str]


Day = date  # the classes below have a field of that name


@dataclass(frozen=True, slots=True)
class Leg:
    """The last rate of one stored pair on or before the day asked for.

    `held_back_on` is the day of the last rate by then that is held back.
    """

    date: date
    rate: Decimal
    source: str
    held_back_on: "Day | None" = None


@dataclass(frozen=True, slots=True)
class FoundRate:
    """A rate with the date of its oldest leg; `source` is `mixed` if the legs have several.

    `is_behind` says that a later rate of a leg is held back.
    """

    rate: Decimal
    date: date
    source: str
    stale: bool
    is_behind: bool = False


def can_value(rate: FoundRate, day: date) -> bool:
    """Return whether the rate is young enough to value anything on `day`."""
    return (day - rate.date).days <= OLDEST_DAYS


def pairs_into(target: str, currencies: Iterable[str]) -> list[Pair]:
    """Return the pairs from each of `currencies` into `target`, in their order."""
    return [(currency, target) for currency in currencies]


def all_pairs_needed(pairs: Iterable[Pair]) -> set[Pair]:
    """Return every stored pair that may carry one of the rates of `pairs`."""
    needed: set[Pair] = set()
    for base, target in pairs:
        if base != target:
            needed.update(pairs_needed(base, target))
    return needed


def pairs_needed(base: str, target: str) -> Iterator[Pair]:
    """Yield every stored pair that may carry a rate from `base` to `target`."""
    yield from ((base, target), (target, base))
    for via in VIA:
        for currency in (base, target):
            if currency != via:
                yield from ((currency, via), (via, currency))


def find_rate(base: str, target: str, day: date, known: Mapping[Pair, Leg]) -> FoundRate | None:
    """Return units of `target` for one `base` on `day`, None where no route is known.

    The first route whose legs are all at most 7 days old counts: the pair, its inverse, through
    EUR, through USD. Failing all, it is the route whose oldest leg is youngest, as stale. `known`
    has each pair's last rate on or before `day`.
    """
    if base == target:
        return FoundRate(ONE, day, "identity", stale=False)
    found = [route for route in _routes(base, target, day, known) if route is not None]
    for route in found:
        if not route.stale:
            return route
    return max(found, key=lambda route: route.date, default=None)


def _routes(
    base: str, target: str, day: date, known: Mapping[Pair, Leg]
) -> Iterator[FoundRate | None]:
    direct, inverse = known.get((base, target)), known.get((target, base))
    yield _joined(day, direct)
    yield _joined(day, _inverted(inverse))
    for via in VIA:
        if via not in (base, target):
            yield _joined(day, _leg(base, via, day, known), _leg(via, target, day, known))


def _leg(base: str, target: str, day: date, known: Mapping[Pair, Leg]) -> Leg | None:
    """Return the pair's leg or its inverse: the first that is fresh, else the younger."""
    direct, inverse = known.get((base, target)), _inverted(known.get((target, base)))
    candidates = list(filter(None, (direct, inverse)))
    for leg in candidates:
        if (day - leg.date).days <= FRESH_DAYS:
            return leg
    return max(candidates, key=lambda leg: leg.date, default=None)


def _inverted(leg: Leg | None) -> Leg | None:
    return leg and replace(leg, rate=EXACT.divide(ONE, leg.rate))


def _joined(day: date, *legs: Leg | None) -> FoundRate | None:
    rate, oldest, sources = ONE, day, set()
    is_behind = False
    for leg in legs:
        if leg is None:
            return None
        rate = EXACT.multiply(rate, leg.rate)
        oldest = min(oldest, leg.date)
        sources.add(leg.source)
        is_behind |= leg.held_back_on is not None and leg.held_back_on > leg.date
    source = "mixed"
    if len(sources) == 1:
        source = sources.pop()
    stale = (day - oldest).days > FRESH_DAYS
    return FoundRate(round_for_storage(rate), oldest, source, stale, is_behind)
