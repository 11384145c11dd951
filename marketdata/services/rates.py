"""The only writers of exchange rates. Each bumps `CurrencyPair.version` in the same transaction."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from financeproj.core.money import round_for_storage
from marketdata.models import CurrencyPair, HistoricalExchangeRate, StockMetadata
from marketdata.services.days import check_entered, put_days
from marketdata.sources import registry

MANUAL = StockMetadata.MANUAL
# A rate of a day gives way to one of the same or a higher rank.
OFFLINE, NETWORK, BY_HAND = range(3)


def _rank(source: str) -> int:
    return BY_HAND if source == MANUAL else OFFLINE if registry().is_offline(source) else NETWORK


def locked_pair(base: str, target: str) -> CurrencyPair:
    """The pair's row, made if it is new, and locked until the transaction ends."""
    made, _ = CurrencyPair.objects.get_or_create(base=base, target=target)
    return CurrencyPair.objects.select_for_update(no_key=True).get(pk=made.pk)


def _bump(pair: CurrencyPair) -> None:
    CurrencyPair.objects.filter(pk=pair.pk).update(version=F("version") + 1)


@transaction.atomic
def record_rates(
    *, base: str, target: str, rates: Sequence[tuple[date, Decimal]], source: str
) -> int:
    """Store units of `target` for one `base` by day; returns how many rows changed. Safe to repeat.

    An offline source's fill days without a rate; those of a source over the network replace an
    offline one's, and nothing replaces one by hand.
    """
    wanted = {day: round_for_storage(rate) for day, rate in rates if rate > 0}
    pair = locked_pair(base, target)
    known: dict[date, tuple[Decimal, str]] = {}
    if wanted:
        rows = HistoricalExchangeRate.objects.filter(
            pair=pair, date__gte=min(wanted), date__lte=max(wanted)
        )
        known = {day: (rate, by) for day, rate, by in rows.values_list("date", "rate", "source")}
    rank = _rank(source)
    changed = {
        day: rate
        for day, rate in wanted.items()
        if day not in known or (known[day] != (rate, source) and _rank(known[day][1]) <= rank)
    }
    put_days(HistoricalExchangeRate, "pair", pair.pk, "rate", changed, known=known, source=source)
    if changed:
        _bump(pair)
    if rank == NETWORK:
        CurrencyPair.objects.filter(pk=pair.pk).update(fetched_at=timezone.now())
    return len(changed)


@transaction.atomic
def save_rate(row: HistoricalExchangeRate) -> None:
    """Store one rate as a person entered it, so that no source overwrites it. Raises
    ValidationError.
    """
    row.source = MANUAL
    check_entered(row)
    before = HistoricalExchangeRate.objects.filter(pk=row.pk).first() if row.pk else None
    for pair_id in sorted({one.pair_id for one in (before, row) if one is not None}):
        _bump(CurrencyPair.objects.select_for_update(no_key=True).get(pk=pair_id))
    row.save()


@transaction.atomic
def delete_rate(row: HistoricalExchangeRate) -> None:
    _bump(CurrencyPair.objects.select_for_update(no_key=True).get(pk=row.pair_id))
    row.delete()
