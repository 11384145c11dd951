"""The internal rate of return of dated amounts."""

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LARGEST_LOG = 690.0  # growth over the whole span is looked for between e^-690 and e^690


@dataclass(frozen=True, slots=True)
class InternalRate:
    """`annual` by Actual/365 and `period` over the whole span, as fractions.

    Both are None where there is none; `reason` is then `no_flows` (nothing but zeros) or `no_root`
    (all of one sign, or no rate balances them). `annual` alone is None where it is more than a
    float can hold.
    """

    annual: float | None = None
    period: float | None = None
    reason: str | None = None


def internal_rate(days: NDArray[np.int64], amounts: Floats) -> InternalRate:
    """Return the rate at which the present values of `amounts` add up to 0.

    `days` [flow] is ascending and has each day once; `amounts` [flow] are what the investor gets
    (positive) and pays (negative). Solved for y, the logarithm of growth over the whole span: sum
    of amount x e^(y x share of the span left) = 0. Newton finds a root; it is the only one if the
    investment, grown at that rate, never changes sign (Teichroew, Robichek and Montalbano 1965).
    Else all are separated and the one whose annual rate is nearest 0 is taken.
    """
    chosen = np.flatnonzero(amounts)
    if not len(chosen):
        return InternalRate(reason="no_flows")
    paid = amounts[chosen]
    paid = paid / np.abs(paid).max()
    span = float(days[-1] - days[0])
    if paid.min() > 0 or paid.max() < 0 or span <= 0:
        return InternalRate(reason="no_root")
    left = (days[-1] - days[chosen]) / span
    years = span / 365.0
    growth = _newton(left, paid)
    if growth is None or not _only_root(left, paid, growth):
        growth = _nearest_root(left, paid, years)
    if growth is None:
        return InternalRate(reason="no_root")
    return InternalRate(annual=_expm1(growth / years), period=_expm1(growth))


def _expm1(exponent: float) -> float | None:
    """Return e^exponent - 1, or None where no float can hold it."""
    if exponent >= 709:
        return None
    return float(np.expm1(exponent))


def _newton(left: Floats, amounts: Floats) -> float | None:
    """Return a root of sum(amount x e^(y x left)), or None if Newton's method finds none.

    It starts at the return on average capital (modified Dietz).
    """
    capital = -float(amounts @ left)
    dietz = float(amounts.sum()) / capital if capital > 0 else 0.0
    growth = float(np.log1p(max(dietz, -0.9)))
    for _ in range(30):
        grown = amounts * np.exp(left * growth)
        slope = float(grown @ left)
        if slope == 0:
            return None
        step = float(grown.sum()) / slope
        growth -= step
        if not abs(growth) < _LARGEST_LOG:
            return None
        if abs(step) <= 1e-14 * max(1.0, abs(growth)):
            return growth
    # Rounding keeps the last steps from vanishing; what is left of them says how good the root is.
    return growth if abs(step) <= 1e-11 else None


def _only_root(left: Floats, amounts: Floats, growth: float) -> bool:
    """Return whether the investment, grown at the root, never changes sign before the end."""
    # Discounted from the end and rescaled by the largest, so that no exponent overflows.
    exponent = left * growth
    balance = np.cumsum(amounts * np.exp(exponent - exponent.max()))[:-1]
    noise = 1e-13 * float(np.abs(balance).max(initial=0.0))
    return bool((balance <= noise).all() or (balance >= -noise).all())


def _nearest_root(left: Floats, amounts: Floats, years: float) -> float | None:
    """Return the root whose annual rate is nearest 0, by branch and bound; None without a root.

    With the gains and the payments apart, value = gains(y) - payments(y), both rising in y, so on
    [a, b] the value lies between gains(a) - payments(b) and gains(b) - payments(a): an interval
    that cannot reach 0 is dropped, one on which the slope keeps its sign holds at most one root,
    any other is halved. Nearest intervals come first.
    """
    gain, paid = np.maximum(amounts, 0.0), np.maximum(-amounts, 0.0)

    def sums(growth: float) -> tuple[float, float, float, float]:
        grown = np.exp(left * growth)
        weighted = left * grown
        return (
            float(gain @ grown),
            float(paid @ grown),
            float(gain @ weighted),
            float(paid @ weighted),
        )

    def distance(growth: float) -> float:
        return abs(float(np.expm1(min(growth / years, 700.0))))

    def queued(low: float, high: float) -> None:
        nearest = 0.0 if low <= 0 <= high else min(distance(low), distance(high))
        heapq.heappush(queue, (nearest, low, high))

    queue: list[tuple[float, float, float]] = []
    known = {point: sums(point) for point in (-_LARGEST_LOG, 0.0, _LARGEST_LOG)}
    queued(-_LARGEST_LOG, 0.0)
    queued(0.0, _LARGEST_LOG)
    while queue:
        _, low, high = heapq.heappop(queue)
        if low == high:
            return low
        (gain_low, paid_low, gain_slope_low, paid_slope_low) = known[low]
        (gain_high, paid_high, gain_slope_high, paid_slope_high) = known[high]
        if gain_low > paid_high or gain_high < paid_low:
            continue
        monotone = gain_slope_low > paid_slope_high or gain_slope_high < paid_slope_low
        at_low, at_high = gain_low - paid_low, gain_high - paid_high
        narrow = high - low < 1e-9 * max(1.0, abs(low))
        if monotone or narrow:
            if at_low * at_high <= 0:
                root = _bisected(left, amounts, low, high)
                queued(root, root)
            elif narrow and min(abs(at_low), abs(at_high)) <= 1e-13 * (gain_high + paid_high):
                queued(low, low)  # the value touches 0 without crossing it
            continue
        middle = (low + high) / 2
        known[middle] = sums(middle)
        queued(low, middle)
        queued(middle, high)
    return None


def _bisected(left: Floats, amounts: Floats, low: float, high: float) -> float:
    """Return the root between `low` and `high`, where the value has different signs.

    Newton's method, kept inside by bisection.
    """

    def value(growth: float) -> tuple[float, float]:
        grown = amounts * np.exp(left * growth)
        return float(grown.sum()), float(grown @ left)

    sign = value(high)[0] >= 0
    growth, last_step = (low + high) / 2, high - low
    for _ in range(200):
        at, slope = value(growth)
        if (at >= 0) == sign:
            high = growth
        else:
            low = growth
        step = at / slope if slope else np.inf
        # Where Newton does not at least halve its step (far out it goes 1 at a time), the interval
        # is halved.
        if not low <= growth - step <= high or abs(step) > abs(last_step) / 2:
            step = growth - (low + high) / 2
        growth, last_step = growth - step, step
        if abs(step) <= 1e-15 * max(1.0, abs(growth)):
            break
    return growth
