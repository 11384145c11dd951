"""Ask the sources for missing or old rates, never over a network inside a transaction."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from marketdata import gateway
from marketdata.calc.rates import Pair
from marketdata.models import CurrencyPair, HistoricalExchangeRate
from marketdata.selectors import RateNow, is_fresh, rates_on, rates_on_days
from marketdata.services.asking import (
    EARLIEST_DAY,
    PATIENCE_SECONDS,
    TASK_SECONDS,
    failed_just_now,
    note_failure,
    time_limit,
)
from marketdata.services.rate_answers import record_rate_answer
from marketdata.services.rates import locked_pair, record_rates
from marketdata.sources import ExchangeRateSource, SourceError, registry

OVERLAP = timedelta(days=5)

# A pair's base and target, and the day of the rate.
PairOnDay = tuple[str, str, date]


def _network_source() -> ExchangeRateSource | None:
    """Return the first source that is asked over the network."""
    for source in registry().rates:
        if not source.offline:
            return source
    return None


# --- Offline sources ------------------------------------------------------------------------------


def fill_from_offline_sources(currencies: Iterable[str]) -> None:
    """Store the rates against EUR that offline sources know and the database lacks."""
    for source in registry().rates:
        if source.offline:
            for currency in sorted(set(currencies) - {"EUR"}):
                _fill_pair((currency, "EUR"), source)
                _fill_pair(("EUR", currency), source)


def _fill_pair(pair: Pair, source: ExchangeRateSource) -> None:
    base, target = pair
    last = _last_day(pair, source)
    start = date.min
    if last is not None:
        start = last + timedelta(days=1)
    rates = source.rates(base, target, start)
    if not rates:
        return
    with transaction.atomic():
        locked_pair(base, target)
        is_still_lacking = _last_day(pair, source) == last  # else another request has filled it
        if is_still_lacking:
            record_rates(base=base, target=target, rates=rates, source=source.name)


def _last_day(pair: Pair, source: ExchangeRateSource) -> date | None:
    """Return the latest day of the source's stored rates."""
    base, target = pair
    rows = HistoricalExchangeRate.objects.filter(
        pair__base=base, pair__target=target, source=source.name
    )
    return rows.order_by("-date").values_list("date", flat=True).first()


# --- Sources over the network ---------------------------------------------------------------------


def refresh_rates(
    pairs: Iterable[Pair],
    *,
    seconds: float | None = None,
    patience: float | None = None,
    young: float = 0.5,
) -> dict[Pair, SourceError | None]:
    """Ask for the latest rates of each pair within `seconds` in all (default: a task's).

    Returns by pair the error of the first source over the network, else None. Offline sources fill
    what they know first.
    """
    wanted = sorted({pair for pair in pairs if pair[0] != pair[1]})
    fill_from_offline_sources(_currencies_of(wanted))
    if seconds is None:
        seconds = TASK_SECONDS
    return _ask(wanted, seconds=seconds, patience=patience, young=young)


def _currencies_of(pairs: Iterable[Pair]) -> set[str]:
    currencies: set[str] = set()
    for pair in pairs:
        currencies.update(pair)
    return currencies


def _ask(
    pairs: list[Pair], *, seconds: float, patience: float | None = None, young: float = 1
) -> dict[Pair, SourceError | None]:
    """Ask the source over the network; None for every pair without such a source."""
    source = _network_source()
    if source is None:
        return dict.fromkeys(pairs)
    calls = {pair: _rate_call(pair, source, young) for pair in pairs}
    answers = gateway.ask_all(list(calls.values()), seconds=seconds, patience=patience)
    return {pair: answers[call.key] for pair, call in calls.items()}


def _rate_call(pair: Pair, source: ExchangeRateSource, young: float) -> gateway.Call:
    base, target = pair
    last = _last_day(pair, source)
    start = EARLIEST_DAY
    if last is not None:
        start = last - OVERLAP

    def keep(rates: list[tuple[date, Decimal]]) -> None:
        record_rate_answer(base=base, target=target, rates=rates, source=source.name)

    return gateway.Call(
        key=f"{source.name}:{base}/{target}",
        party=gateway.party_of(source),
        run=lambda: source.rates(base, target, start),
        keep=keep,
        is_kept=lambda: _is_pair_fresh(pair, young),
    )


def _is_pair_fresh(pair: Pair, young: float = 1) -> bool:
    base, target = pair
    row = CurrencyPair.objects.filter(base=base, target=target)
    return is_fresh(row.values_list("fetched_at", flat=True).first(), grace=young)


def _ask_unless_failed(pairs: set[Pair]) -> None:
    """Ask for `pairs` within the time limit, except for those that have just failed."""
    wanted = sorted(pair for pair in pairs if not failed_just_now(_failure_key(pair)))
    if len(wanted) < len(pairs):
        for source in registry().rates:
            if not source.offline:
                gateway.note_unasked(gateway.party_of(source))
    for pair, error in _ask(wanted, seconds=time_limit()).items():
        if error is not None:
            note_failure(_failure_key(pair))


def _failure_key(pair: Pair) -> str:
    return f"rate:{'/'.join(pair)}"


# --- For requests ---------------------------------------------------------------------------------


def ensure_rates(*, pairs: Iterable[Pair]) -> None:
    """Fetch pairs without a rate of the last week, within the time limit.

    Offline sources come first. A source's failure is ignored.
    """
    today = timezone.localdate()
    lacking = _lacking({(base, target, today) for base, target in pairs})
    if lacking:
        fill_from_offline_sources(_currencies_of(_pairs_of(lacking)))
        _ask_unless_failed(_pairs_of(_lacking(lacking)))


def obtain_rates(wanted: Iterable[PairOnDay]) -> None:
    """Ask for pairs whose rate on their day may be better than what is stored.

    These are the pairs that a source over the network was not asked for since that day. Offline
    sources fill what is lacking after that. A source's failure is ignored.
    """
    wanted = {one for one in wanted if one[0] != one[1]}
    asked_at = _asked_at(_pairs_of(wanted))
    old = set()
    for base, target, day in wanted:
        at = asked_at.get((base, target))
        if at is None or (timezone.localdate(at) <= day and not is_fresh(at)):
            old.add((base, target))
    _ask_unless_failed(old)
    lacking = _lacking(wanted)
    if lacking:
        fill_from_offline_sources(_currencies_of(_pairs_of(lacking)))


def _pairs_of(wanted: Iterable[PairOnDay]) -> set[Pair]:
    return {(base, target) for base, target, _ in wanted}


def _asked_at(pairs: set[Pair]) -> dict[Pair, datetime]:
    """Return when a source over the network was last asked, by pair."""
    rows = CurrencyPair.objects.filter(
        base__in={pair[0] for pair in pairs},
        target__in={pair[1] for pair in pairs},
        fetched_at__isnull=False,
    )
    found = {}
    for base, target, fetched_at in rows.values_list("base", "target", "fetched_at"):
        if fetched_at is not None:
            found[base, target] = fetched_at
    return found


def _lacking(wanted: Iterable[PairOnDay]) -> set[PairOnDay]:
    """Return those of `wanted` without a rate at most 7 days old."""
    wanted = {one for one in wanted if one[0] != one[1]}
    found = rates_on_days(wanted)
    return {one for one in wanted if one not in found or found[one].stale}


def fresh_rate(base: str, target: str) -> tuple[RateNow | None, SourceError | None]:
    """Return the latest rate, and the error that prevented asking for a newer one.

    A source is asked if its last answer is older than the cache time.
    """
    pair, today = (base, target), timezone.localdate()
    known = rates_on([pair], today).get(pair)
    if base == target or _is_pair_fresh(pair):
        return known, None
    patience = None
    if known is not None:
        patience = PATIENCE_SECONDS
    error = refresh_rates([pair], seconds=time_limit(), patience=patience, young=1)[pair]
    return rates_on([pair], today).get(pair), error
