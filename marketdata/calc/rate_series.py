"""Find the rates of a pair of currencies on many days at once, as arrays.

The routes are those of `marketdata.calc.rates`, which serves one day.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from marketdata.calc.rates import FRESH_DAYS, VIA, Pair

Floats = npt.NDArray[np.float64]
Ages = npt.NDArray[np.int64]

NEVER = 10**6  # the age of a rate that does not exist, in days


class AgedRates(NamedTuple):
    """A rate for each day, NaN where unknown, and the age in days of its oldest leg."""

    values: Floats
    ages: Ages


def last_known_rates(stored: Floats, first_stored: int, first: int, days: int) -> AgedRates:
    """Return the last known rate on each of `days` days from the ordinal `first` on.

    `stored` has one value a day from the ordinal `first_stored` on, NaN on days without a rate;
    its first value is a rate.
    """
    ordinals = np.arange(first, first + days)
    places = np.arange(len(stored))
    last_known = np.maximum.accumulate(np.where(np.isnan(stored), 0, places))
    index = np.clip(ordinals - first_stored, 0, len(stored) - 1)
    origin = last_known[index]
    before = ordinals < first_stored
    ages = ordinals - (first_stored + origin)
    return AgedRates(np.where(before, np.nan, stored[origin]), np.where(before, NEVER, ages))


def find_rates(base: str, target: str, legs: Mapping[Pair, AgedRates], days: int) -> AgedRates:
    """Return units of `target` for one `base` on each day, by the first fresh route of the day.

    Failing all, it is the route whose oldest leg is youngest.
    """
    if base == target:
        return AgedRates(np.ones(days), np.zeros(days, dtype=np.int64))
    routes = [legs.get((base, target)), _inverse(legs.get((target, base)))]
    others = [via for via in VIA if via not in (base, target)]
    routes += [_product(_leg(base, via, legs), _leg(via, target, legs)) for via in others]
    values, ages = np.full(days, np.nan), np.full(days, NEVER)
    settled = np.zeros(days, dtype=bool)
    for route in routes:
        if route is not None:
            fresh = route.ages <= FRESH_DAYS
            better = ~settled & (fresh | (route.ages < ages))
            values = np.where(better, route.values, values)
            ages = np.where(better, route.ages, ages)
            settled |= fresh
    return AgedRates(values, ages)


def _leg(base: str, target: str, legs: Mapping[Pair, AgedRates]) -> AgedRates | None:
    """Return the pair or its inverse, day by day: the first that is fresh, else the younger."""
    direct, inverse = legs.get((base, target)), _inverse(legs.get((target, base)))
    if direct is None or inverse is None:
        return direct or inverse
    is_stale = direct.ages > FRESH_DAYS
    inverse_is_better = (inverse.ages <= FRESH_DAYS) | (inverse.ages < direct.ages)
    use_inverse = is_stale & inverse_is_better
    return AgedRates(
        np.where(use_inverse, inverse.values, direct.values),
        np.where(use_inverse, inverse.ages, direct.ages),
    )


def _inverse(leg: AgedRates | None) -> AgedRates | None:
    if leg is None:
        return None
    return AgedRates(1 / leg.values, leg.ages)


def _product(first: AgedRates | None, second: AgedRates | None) -> AgedRates | None:
    if first is None or second is None:
        return None
    return AgedRates(first.values * second.values, np.maximum(first.ages, second.ages))
