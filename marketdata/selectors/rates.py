"""Stored exchange rates by the lookup rule of `marketdata.calc.rates`."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import connection
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from financeproj.core.money import EXACT, ONE
from marketdata.calc.rates import FoundRate as RateNow
from marketdata.calc.rates import Leg, Pair, all_pairs_needed, find_rate, pairs_needed
from marketdata.models import CurrencyPair, HeldBack, HistoricalExchangeRate

# --- Rates of one day -----------------------------------------------------------------------------

# The last leg of a pair on a day, by (pair id, day), with the pair's version. Every valuation asks
# for it.
_kept_legs: dict[tuple[int, date], tuple[int, Leg | None]] = {}
MOST_LEGS_KEPT = 5000


def forget_legs() -> None:
    """Drop every leg that this process keeps."""
    _kept_legs.clear()


def rates_on(pairs: Iterable[Pair], day: date) -> dict[Pair, RateNow]:
    """Return the rate of each (base, target) on `day`; pairs without any are absent."""
    pairs = set(pairs)
    legs = _legs(pairs, day)
    found = {}
    for pair in pairs:
        rate = find_rate(*pair, day, legs)
        if rate is not None:
            found[pair] = rate
    return found


def rates_now(pairs: Iterable[Pair]) -> dict[Pair, RateNow]:
    """Return the latest known rate of each (base, target): units of target for one of base."""
    return rates_on(pairs, timezone.localdate())


def rate_on(*, base: str, target: str, day: date) -> RateNow | None:
    """Return the rate of one pair on `day`, None if none is known."""
    return rates_on([(base, target)], day).get((base, target))


def _legs(pairs: Iterable[Pair], day: date) -> dict[Pair, Leg]:
    """Return the last rate by `day` of every stored pair that the lookup of `pairs` may need.

    One query, a small one for what this process keeps at the pair's version.
    """
    needed = all_pairs_needed(pairs)
    if not needed:
        return {}
    stored = _stored_pairs(needed)
    if connection.in_atomic_block:
        # A version may be rolled back and come again with other rows: keep nothing of it.
        legs = {pair: leg for pair, _, leg in _last_legs(stored, day).values()}
    else:
        legs = _legs_kept(stored, day)
    return {pair: leg for pair, leg in legs.items() if leg is not None}


def _stored_pairs(pairs: Iterable[Pair]) -> QuerySet[CurrencyPair]:
    bases, targets = zip(*pairs, strict=True)
    return CurrencyPair.objects.order_by().filter(base__in=set(bases), target__in=set(targets))


def _legs_kept(stored: QuerySet[CurrencyPair], day: date) -> dict[Pair, Leg | None]:
    """Return the last leg of each stored pair, read only where this process keeps an older one."""
    legs: dict[Pair, Leg | None] = {}
    outdated = []
    for pk, version, base, target in stored.values_list("pk", "version", "base", "target"):
        kept_version, leg = _kept_legs.get((pk, day), (-1, None))
        legs[base, target] = leg
        if kept_version != version:
            outdated.append(pk)
    if outdated:
        read = _last_legs(CurrencyPair.objects.filter(pk__in=outdated), day)
        if len(_kept_legs) > MOST_LEGS_KEPT:
            _kept_legs.clear()
        for pk, (pair, version, leg) in read.items():
            legs[pair] = leg
            _kept_legs[pk, day] = (version, leg)
    return legs


def _last_legs(
    stored: QuerySet[CurrencyPair], day: date
) -> dict[int, tuple[Pair, int, Leg | None]]:
    """Return by id: the pair, its version, and its last rate by `day`."""
    known = HistoricalExchangeRate.objects.filter(pair=OuterRef("pk"), date__lte=day)
    latest = known.order_by("-date")
    held_back = HeldBack.objects.filter(
        pair=OuterRef("pk"), state=HeldBack.State.HELD_BACK, date__lte=day
    )
    rows = stored.annotate(
        day=Subquery(latest.values("date")[:1]),
        rate=Subquery(latest.values("rate")[:1]),
        source=Subquery(latest.values("source")[:1]),
        held_back_on=Subquery(held_back.order_by("-date").values("date")[:1]),
    ).values_list("pk", "base", "target", "version", "day", "rate", "source", "held_back_on")
    found = {}
    for pk, base, target, version, rate_day, rate, source, held_back_on in rows:
        leg = None
        if rate_day is not None:
            leg = Leg(rate_day, rate, source, held_back_on)
        found[pk] = ((base, target), version, leg)
    return found


# --- Amounts in one currency ----------------------------------------------------------------------


class Conversion:
    """The latest rates from some currencies to one, for sums in it.

    `missing` names the pairs without a known rate ("USD/NOK"), sorted: a sum that needs one of
    them is unknown. `stale` is whether any of the rates is.
    """

    def __init__(self, currencies: Iterable[str], target: str) -> None:
        pairs = {(base, target) for base in currencies if base != target}
        self._target = target
        self._known = rates_now(pairs)
        self.missing = sorted("/".join(pair) for pair in pairs - self._known.keys())
        self.stale = any(rate.stale for rate in self._known.values())

    def rate(self, currency: str) -> Decimal:
        """Return units of the target for one `currency`, which must not be missing."""
        if currency == self._target:
            return ONE
        return self._known[currency, self._target].rate

    def knows(self, currency: str) -> bool:
        """Return whether amounts in `currency` can be converted."""
        return currency == self._target or (currency, self._target) in self._known

    def convert(self, amount: Decimal, currency: str) -> Decimal:
        """Return `amount` in the target currency, exactly; `currency` must not be missing."""
        return EXACT.multiply(amount, self.rate(currency))


# --- Rates of many days ---------------------------------------------------------------------------

# The days of a pair's stored rates, oldest first, and the rates in the same order.
_Series = tuple[list[date], list[Leg]]


def rates_on_days(wanted: Iterable[tuple[str, str, date]]) -> dict[tuple[str, str, date], RateNow]:
    """Return the rate of each (base, target, day); those without any are absent. One query."""
    wanted = set(wanted)
    needed = all_pairs_needed({(base, target) for base, target, _ in wanted})
    until = max((day for _, _, day in wanted), default=date.min)
    series = _series_of(needed, until=until)
    found = {}
    for base, target, day in wanted:
        legs = _legs_on(base, target, day, series)
        rate = find_rate(base, target, day, legs)
        if rate is not None:
            found[base, target, day] = rate
    return found


def _legs_on(base: str, target: str, day: date, series: dict[Pair, _Series]) -> dict[Pair, Leg]:
    legs = {}
    for pair in pairs_needed(base, target):
        if pair in series:
            days, rows = series[pair]
            position = bisect_right(days, day)
            if position:
                legs[pair] = rows[position - 1]
    return legs


def _series_of(pairs: set[Pair], until: date) -> dict[Pair, _Series]:
    if not pairs:
        return {}
    rows = HistoricalExchangeRate.objects.filter(
        pair__in=_stored_pairs(pairs), date__lte=until
    ).order_by("date")
    series: dict[Pair, _Series] = defaultdict(lambda: ([], []))
    for base, target, day, rate, source in rows.values_list(
        "pair__base", "pair__target", "date", "rate", "source"
    ):
        days, legs = series[base, target]
        days.append(day)
        legs.append(Leg(day, rate, source))
    return dict(series)


@dataclass(frozen=True, slots=True)
class RateHistory:
    """`points` are (day, units of target for one base), oldest first.

    `source` is `mixed` where there are several.
    """

    points: list[tuple[date, Decimal]]
    source: str


def rate_history(*, base: str, target: str, start: date | None, end: date) -> RateHistory:
    """Return the rates of the days that have one of their own, by the lookup rule. One query."""
    if base == target:
        return RateHistory([(end, ONE)], "identity")
    by_day = _legs_by_day(set(pairs_needed(base, target)), until=end)
    known: dict[Pair, Leg] = {}
    points, sources = [], set()
    for day in sorted(by_day):
        known |= by_day[day]
        if start is not None and day < start:
            continue
        rate = find_rate(base, target, day, known)
        if rate is not None and rate.date == day:
            points.append((day, rate.rate))
            sources.add(rate.source)
    return RateHistory(points, _one_source(sources))


def _legs_by_day(pairs: set[Pair], until: date) -> dict[date, dict[Pair, Leg]]:
    by_day: dict[date, dict[Pair, Leg]] = defaultdict(dict)
    for pair, (days, legs) in _series_of(pairs, until=until).items():
        for day, leg in zip(days, legs, strict=True):
            by_day[day][pair] = leg
    return by_day


def _one_source(sources: set[str]) -> str:
    if not sources:
        return ""
    if len(sources) > 1:
        return "mixed"
    return sources.pop()


def asked_pairs() -> list[Pair]:
    """Return the pairs of currencies that a source over the network was asked for before."""
    return list(CurrencyPair.objects.filter(fetched_at__isnull=False).values_list("base", "target"))
