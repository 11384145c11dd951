"""Judge and store the rates of an answer (docs/definitions.md, "What is believed of a source")."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from django.db import transaction
from django.db.models import Q

from financeproj.core.money import EXACT, ONE, is_storable
from marketdata.calc.rate_belief import (
    FAR_FROM_ECB,
    REFERENCE_DAYS,
    KnownRates,
    Rate,
    sift_rates,
    usable_rates,
)
from marketdata.models import CurrencyPair, HistoricalExchangeRate, StockMetadata
from marketdata.services.held_back import (
    Kind,
    accepted_and_doubted,
    believe,
    hold_back,
    rows_about,
)
from marketdata.services.rates import bump_pair, forget_rate, locked_pair, record_rates
from marketdata.services.stored_values import values_between
from marketdata.sources import registry

MANUAL = StockMetadata.MANUAL
HOME = "EUR"  # the currency against which the ECB quotes


@transaction.atomic
def record_rate_answer(*, base: str, target: str, rates: Sequence[Rate], source: str) -> None:
    """Store the rates of a source over the network that are believed, and hold the others back."""
    pair = locked_pair(base, target)
    said = _storable(rates)
    believed: list[Rate] = []
    if said:
        known = known_rates(pair, said[0][0], said[-1][0], source)
        believed, doubts = sift_rates(said, known)
        refuted = {doubt.date for doubt in doubts if doubt.reason == FAR_FROM_ECB}
        _take_out(pair, refuted - set(known.fixed), source)
        if hold_back(thing=pair, kind=Kind.RATE, doubts=doubts, source=source):
            bump_pair(pair)
    record_rates(base=base, target=target, rates=believed, source=source)
    if believe(thing=pair, kind=Kind.RATE, values=believed):
        bump_pair(pair)


def _storable(rates: Sequence[Rate]) -> list[Rate]:
    """Return what can be a rate, oldest first, one a day."""
    one_a_day = dict(usable_rates(rates))
    found = [one for one in one_a_day.items() if is_storable(one[1])]
    return sorted(found)


def known_rates(pair: CurrencyPair, first: date, last: date, source: str) -> KnownRates:
    """Return what is stored of a pair from `first` to `last`, with the ECB's rates."""
    rows = HistoricalExchangeRate.objects.filter(pair=pair)
    rates, by_hand = values_between(rows, "rate", first, last)
    said = rows_about(pair, Kind.RATE).filter(date__gte=first, date__lte=last)
    accepted, doubts = accepted_and_doubted(said)
    earlier = rows.filter(date__lt=first).order_by("-date").values_list("date", "rate").first()
    return KnownRates(
        rates=rates,
        fixed=by_hand | accepted,
        doubts=doubts,
        earlier=earlier,
        reference=reference_rates(pair, first, last, source),
    )


def reference_rates(pair: CurrencyPair, first: date, last: date, source: str) -> list[Rate]:
    """Return the ECB's rates of a pair from 90 days before `first` to `last`, oldest first.

    That is what other sources than `source` say against the euro, of days on which they have both
    currencies.
    """
    start = date.min
    if first - date.min > REFERENCE_DAYS:
        start = first - REFERENCE_DAYS
    base = _against_euro(pair.base, start, last, source)
    target = _against_euro(pair.target, start, last, source)
    if pair.base == HOME:
        return sorted(target.items())
    if pair.target == HOME:
        return [(day, EXACT.divide(ONE, rate)) for day, rate in sorted(base.items())]
    both = sorted(base.keys() & target.keys())
    return [(day, EXACT.divide(target[day], base[day])) for day in both]


def _against_euro(currency: str, start: date, last: date, source: str) -> dict[date, Decimal]:
    """Return units of `currency` for one euro by day: what is stored, and what is at hand."""
    found: dict[date, Decimal] = {}
    if currency == HOME:
        return found
    direct = Q(pair__base=HOME, pair__target=currency)
    inverse = Q(pair__base=currency, pair__target=HOME)
    rows = HistoricalExchangeRate.objects.filter(
        direct | inverse, date__gte=start, date__lte=last
    ).exclude(source__in=[MANUAL, source])
    for day, rate, base in rows.values_list("date", "rate", "pair__base"):
        found[day] = rate if base == HOME else EXACT.divide(ONE, rate)
    for one in registry().rates:
        if one.offline:
            said = one.rates(HOME, currency, start)
            found.update((day, rate) for day, rate in said if day <= last)
    return found


@transaction.atomic
def hold_later_rates(*, pair: CurrencyPair, after: date, source: str) -> None:
    """Hold back the stored rates of a source that follow one which a person has dismissed.

    Those up to the first that is believed without it.
    """
    rows = HistoricalExchangeRate.objects.filter(pair=pair, source=source)
    later = list(rows.filter(date__gt=after).order_by("date").values_list("date", "rate"))
    if not later:
        return
    known = known_rates(pair, after, later[-1][0], source)
    stays = {day: rate for day, rate in known.rates.items() if (day, rate) not in later}
    believed, doubts = sift_rates(later, replace(known, rates=stays))
    first_believed = min((day for day, _ in believed), default=date.max)
    doubts = [doubt for doubt in doubts if doubt.date < first_believed]
    _take_out(pair, {doubt.date for doubt in doubts}, source)
    hold_back(thing=pair, kind=Kind.RATE, doubts=doubts, source=source)


def _take_out(pair: CurrencyPair, days: Collection[date], source: str) -> None:
    """Take rates of a source out of the series that the ECB refutes by now."""
    if not days:
        return
    stored = HistoricalExchangeRate.objects.filter(pair=pair, source=source, date__gte=min(days))
    for day, rate in list(stored.values_list("date", "rate")):
        if day in days:
            forget_rate(pair=pair, day=day, rate=rate, source=source)
