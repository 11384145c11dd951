"""Stored exchange rates by the lookup rule of `marketdata.calc.rates`."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.utils import timezone

from financeproj.core.money import EXACT, ONE
from marketdata.calc.rates import FoundRate as RateNow
from marketdata.calc.rates import (
    Leg,
    Pair,
    all_pairs_needed,
    can_value,
    find_rate,
    pairs_needed,
)
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
    if connection.in_atomic_block:
        # A version may be rolled back and come again with other rows: keep nothing of it.
        read = _last_legs(_stored_pairs(needed), day)
        legs = {pair: leg for pair, _, leg in read.values()}
    else:
        legs = _legs_kept(needed, day)
    return {pair: leg for pair, leg in legs.items() if leg is not None}


def _stored_pairs(pairs: Iterable[Pair]) -> QuerySet[CurrencyPair]:
    bases, targets = zip(*pairs, strict=True)
    return CurrencyPair.objects.order_by().filter(base__in=set(bases), target__in=set(targets))


class PairRow(NamedTuple):
    """A stored pair, with the version that every write to its rates increases."""

    pk: int
    version: int
    base: str
    target: str


# Written by hand because every valuation runs it, and Django takes longer to build the SQL than
# the database takes to run it.
_PAIR_ROWS = """
SELECT id, version, base, target FROM marketdata_currencypair
WHERE base IN ({bases}) AND target IN ({targets}) ORDER BY id
"""


def pair_rows(pairs: Collection[Pair]) -> list[PairRow]:
    """Return each stored pair of `pairs`, and perhaps others of their currencies, by id."""
    if not pairs:
        return []
    bases = sorted({pair[0] for pair in pairs})
    targets = sorted({pair[1] for pair in pairs})
    sql = _PAIR_ROWS.format(
        bases=", ".join(["%s"] * len(bases)), targets=", ".join(["%s"] * len(targets))
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*bases, *targets])
        return list(map(PairRow._make, cursor.fetchall()))


def _legs_kept(needed: Collection[Pair], day: date) -> dict[Pair, Leg | None]:
    """Return the last leg of each stored pair, read only where this process keeps an older one."""
    legs: dict[Pair, Leg | None] = {}
    outdated = []
    for pk, version, base, target in pair_rows(needed):
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


# --- Rates in doubt -------------------------------------------------------------------------------

Stretches = list[tuple[date, date]]


def rates_in_doubt(pairs: Iterable[Pair]) -> dict[Pair, Stretches]:
    """Return the stretches of days on which a rate later than the standing one is held back.

    First and last day, by (base, target): each ends the day before the next rate. One query where
    nothing is held back, else three.
    """
    pairs, today = set(pairs), timezone.localdate()
    known = _legs(pairs, today)
    doubtful = [pair for pair, leg in known.items() if leg.held_back_on is not None]
    if not doubtful:
        return {}
    stretches = _stretches_of(doubtful)
    series = _series_of(all_pairs_needed(pairs), until=today)
    found: dict[Pair, Stretches] = defaultdict(list)
    for base, target in pairs:
        for stored in stretches.keys() & set(pairs_needed(base, target)):
            for first, last in stretches[stored]:
                legs = _legs_on(base, target, first, series)
                if stored in legs:
                    legs[stored] = replace(legs[stored], held_back_on=first)
                rate = find_rate(base, target, first, legs)
                if rate is not None and rate.is_behind:
                    found[base, target].append((first, last))
    return dict(found)


def _stretches_of(pairs: Iterable[Pair]) -> dict[Pair, Stretches]:
    """Return the first and last day of each stretch, by stored pair."""
    rates = HistoricalExchangeRate.objects.filter(pair=OuterRef("pair"))
    following = rates.filter(date__gt=OuterRef("date")).order_by("date").values("date")
    rows = (
        HeldBack.objects.filter(
            pair__in=_stored_pairs(pairs),
            kind=HeldBack.Kind.RATE,
            state=HeldBack.State.HELD_BACK,
        )
        .exclude(Exists(rates.filter(date=OuterRef("date"))))
        .annotate(next_rate=Subquery(following[:1]))
    )
    found: dict[Pair, Stretches] = defaultdict(list)
    for base, target, day, next_rate in rows.values_list(
        "pair__base", "pair__target", "date", "next_rate"
    ):
        last = date.max if next_rate is None else next_rate - timedelta(days=1)
        found[base, target].append((day, last))
    return dict(found)


# --- Amounts in one currency ----------------------------------------------------------------------


class Conversion:
    """The latest rates from some currencies to one, for sums in it.

    `missing` names the pairs without a rate of the last 90 days ("USD/NOK"), sorted: a sum that
    needs one of them is unknown. `stale` is whether any of the rates is. `in_doubt` names the pairs
    of which a later rate is held back.
    """

    def __init__(self, currencies: Iterable[str], target: str) -> None:
        pairs = {(base, target) for base in currencies if base != target}
        self._target = target
        today = timezone.localdate()
        self._known = {
            pair: rate for pair, rate in rates_on(pairs, today).items() if can_value(rate, today)
        }
        self.missing = sorted("/".join(pair) for pair in pairs - self._known.keys())
        self.stale = any(rate.stale for rate in self._known.values())
        behind = [pair for pair, rate in self._known.items() if rate.is_behind]
        self.in_doubt = sorted("/".join(pair) for pair in behind)

    def rate(self, currency: str) -> Decimal:
        """Return units of the target for one `currency`, which must not be missing."""
        if currency == self._target:
            return ONE
        return self._known[currency, self._target].rate

    def is_in_doubt(self, currency: str) -> bool:
        """Return whether a later rate of `currency` than the one in use is held back."""
        return f"{currency}/{self._target}" in self.in_doubt

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
    """Return the rate of each (base, target, day); those without any are absent.

    A fixed number of queries.
    """
    wanted = set(wanted)
    if not wanted:
        return {}
    days = {day for _, _, day in wanted}
    pairs = {(base, target) for base, target, _ in wanted}
    series = _series_between(pairs, min(days), max(days))
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


def _series_between(pairs: set[Pair], first: date, last: date) -> dict[Pair, _Series]:
    """Return the rates that the lookup of `pairs` may need on the days from `first` to `last`.

    The years before are not read: a source fills a pair with thousands of rates.
    """
    later: dict[Pair, _Series] = {}
    if first < last:
        later = _series_of(all_pairs_needed(pairs), until=last, after=first)
    series: dict[Pair, _Series] = {}
    for pair, leg in _legs(pairs, first).items():
        series[pair] = ([leg.date], [Leg(leg.date, leg.rate, leg.source)])
    for pair, (days, legs) in later.items():
        known_days, known_legs = series.get(pair, ([], []))
        series[pair] = (known_days + days, known_legs + legs)
    return series


def _series_of(pairs: set[Pair], until: date, after: date = date.min) -> dict[Pair, _Series]:
    if not pairs:
        return {}
    rows = HistoricalExchangeRate.objects.filter(
        pair__in=_stored_pairs(pairs), date__gt=after, date__lte=until
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
