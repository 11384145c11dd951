"""Write exchange rates. Every write bumps `CurrencyPair.version` in its transaction."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from financeproj.core.money import round_for_storage
from financeproj.history.services import record
from marketdata.calc.rate_belief import usable_rates
from marketdata.history import rate_object
from marketdata.models import CurrencyPair, HistoricalExchangeRate, StockMetadata
from marketdata.services.days import check_entered, put_days
from marketdata.sources import registry

MANUAL = StockMetadata.MANUAL
# A day's rate gives way to one of the same or a higher rank.
OFFLINE, NETWORK, BY_HAND = range(3)


def _rank(source: str) -> int:
    if source == MANUAL:
        return BY_HAND
    if registry().is_offline(source):
        return OFFLINE
    return NETWORK


def locked_pair(base: str, target: str) -> CurrencyPair:
    """Return the pair's row, made if it is new, and locked until the transaction ends."""
    made, _ = CurrencyPair.objects.get_or_create(base=base, target=target)
    return _locked(made.pk)


def _locked(pair_id: int) -> CurrencyPair:
    return CurrencyPair.objects.select_for_update(no_key=True).get(pk=pair_id)


def bump_pair(pair: CurrencyPair) -> None:
    """Move the version of a pair."""
    CurrencyPair.objects.filter(pk=pair.pk).update(version=F("version") + 1)


@transaction.atomic
def record_rates(
    *, base: str, target: str, rates: Sequence[tuple[date, Decimal]], source: str
) -> int:
    """Store units of `target` for one `base` by day; return how many rows changed.

    Rates of an offline source fill days without one, those of a source over the network replace
    an offline source's, and nothing replaces one entered by hand. Safe to repeat.
    """
    wanted = {day: round_for_storage(rate) for day, rate in usable_rates(rates)}
    pair = locked_pair(base, target)
    known = _known_rates(pair, wanted)
    changed = {
        day: rate
        for day, rate in wanted.items()
        if day not in known or _replaces((rate, source), known[day])
    }
    put_days(HistoricalExchangeRate, "pair", pair.pk, "rate", changed, known=known, source=source)
    if changed:
        bump_pair(pair)
    if _rank(source) == NETWORK:
        CurrencyPair.objects.filter(pk=pair.pk).update(fetched_at=timezone.now())
    return len(changed)


def _known_rates(
    pair: CurrencyPair, wanted: Mapping[date, Decimal]
) -> dict[date, tuple[Decimal, str]]:
    """Return the stored (rate, source) of the days from the first to the last of `wanted`."""
    if not wanted:
        return {}
    rows = HistoricalExchangeRate.objects.filter(
        pair=pair, date__gte=min(wanted), date__lte=max(wanted)
    )
    return {day: (rate, by) for day, rate, by in rows.values_list("date", "rate", "source")}


def _replaces(new: tuple[Decimal, str], stored: tuple[Decimal, str]) -> bool:
    return new != stored and _rank(stored[1]) <= _rank(new[1])


@transaction.atomic
def save_rate(row: HistoricalExchangeRate) -> None:
    """Store one rate entered by hand, which no source overwrites. Raises ValidationError."""
    row.source = MANUAL
    check_entered(row)
    pair_ids = {row.pair_id}
    before = None
    stored = HistoricalExchangeRate.objects.filter(pk=row.pk).first() if row.pk else None
    if stored is not None:
        pair_ids.add(stored.pair_id)
        before = _rate_fields(stored)
    for pair_id in sorted(pair_ids):
        bump_pair(_locked(pair_id))
    row.save()
    of = rate_object(row.pair.base, row.pair.target)
    record("rate_entered", of, before=before, after=_rate_fields(row))


def _rate_fields(row: HistoricalExchangeRate) -> dict[str, object]:
    return {"date": row.date, "rate": row.rate, "source": row.source}


@transaction.atomic
def delete_pair(pair: CurrencyPair) -> None:
    """Delete a pair with all its rates, also those by hand."""
    deleted, rates = rate_object(pair.base, pair.target), pair.rates.count()
    pair.delete()
    record("deleted", deleted, counts={"rates": rates})


@transaction.atomic
def forget_rate(*, pair: CurrencyPair, day: date, rate: Decimal, source: str) -> None:
    """Take a rate of a source that a person dismissed out of the series."""
    pair = _locked(pair.pk)
    rows = HistoricalExchangeRate.objects.filter(pair=pair, date=day, rate=rate, source=source)
    deleted, _ = rows.as_service().delete()
    if deleted:
        _fill_day(pair, day)
    bump_pair(pair)


def _fill_day(pair: CurrencyPair, day: date) -> None:
    """Store the rate of an offline source on a day that has none any more."""
    for source in registry().rates:
        if source.offline:
            rates = dict(source.rates(pair.base, pair.target, day))
            if day in rates:
                said = [(day, rates[day])]
                record_rates(base=pair.base, target=pair.target, rates=said, source=source.name)


@transaction.atomic
def delete_rate(row: HistoricalExchangeRate) -> None:
    pair = _locked(row.pair_id)
    bump_pair(pair)
    before = _rate_fields(row)
    row.delete()
    record("rate_deleted", rate_object(pair.base, pair.target), before=before)
