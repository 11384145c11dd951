"""Asking the sources for what is missing or old. Nobody is asked over a network inside a
transaction.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from financeproj.core.shared.locks import change
from marketdata import gateway
from marketdata.calc.rates import Pair
from marketdata.models import (
    CurrencyPair,
    HeldBackPrice,
    HistoricalExchangeRate,
    HistoricalStockPrice,
    StockMetadata,
    StockQuote,
    StockSplit,
)
from marketdata.selectors import RateNow, is_fresh, rates_on, rates_on_days
from marketdata.services.prices import locked, record_history, reread_from
from marketdata.services.rates import locked_pair, record_rates
from marketdata.sources import (
    ExchangeRateSource,
    InstrumentInfo,
    MarketDataSource,
    SourceError,
    registry,
)

log = structlog.get_logger(__name__)

BEGINNING = date(1990, 1, 1)  # of a full history
QUOTE_WINDOW = timedelta(days=10)  # enough for a previous close over any holidays
OVERLAP = timedelta(days=7)  # five trading days are read again, since the latest bars change
RATES_OVERLAP = timedelta(days=5)
# What a page lacks and could not get is not asked for again by the next page view.
REMEMBER_FAILURE_SECONDS = 60
# How long a request that has an older answer waits for somebody else's call.
PATIENCE_SECONDS = 2.0
# A task has nobody waiting, but a worker is not to hang either.
TASK_SECONDS = 60.0


def time_limit() -> float:
    return float(settings.MARKET_DATA_TIMEOUT_SECONDS)


# --- Prices ---------------------------------------------------------------------------------------


def _call_for(
    stock: StockMetadata, source: MarketDataSource, *, full: bool, young: float, since: date | None
) -> gateway.Call:
    """What to ask about one instrument; an answer younger than `young` cache times is good
    enough.
    """
    reaches_back = (full and since is None) or stock.history_fetched_at is not None
    start = since or reread_from(
        stock, full=full, beginning=BEGINNING, short=QUOTE_WINDOW, overlap=OVERLAP
    )

    def is_kept() -> bool:
        if since is not None:
            return False
        if (
            full
            and not StockMetadata.objects.filter(
                pk=stock.pk, history_fetched_at__isnull=False
            ).exists()
        ):
            return False
        # A quote that was held back leaves the old one as it was: the source was asked all the
        # same.
        quote = StockQuote.objects.filter(stock=stock).values_list("fetched_at", flat=True).first()
        held_back = HeldBackPrice.objects.filter(stock=stock).aggregate(latest=Max("seen_at"))[
            "latest"
        ]
        return is_fresh(quote, grace=young) or is_fresh(held_back, grace=young)

    return gateway.Call(
        key=f"{source.name}:{stock.ticker}",
        party=gateway.party_of(source),
        run=lambda: source.history(stock.ticker, start),
        keep=lambda answer: record_history(
            stock=stock, answer=answer, source=source.name, full=reaches_back
        ),
        is_kept=is_kept,
    )


def refresh_stocks(
    stocks: Sequence[StockMetadata],
    *,
    full: bool = False,
    seconds: float | None = None,
    patience: float | None = None,
    young: float = 1,
    since: date | None = None,
) -> dict[UUID, SourceError | None]:
    """Ask for the latest of each instrument within `seconds` in all; what stood in the way by
    instrument.

    `full` brings the whole history of those that have none yet, `since` all days from there on once
    more. Instruments priced by hand are left alone.
    """
    outcomes: dict[UUID, SourceError | None] = {}
    calls: dict[str, UUID] = {}
    asked = []
    for stock in stocks:
        if stock.is_manual:
            outcomes[stock.pk] = None
            continue
        source = registry().source_for(stock.ticker)
        call = _call_for(stock, source, full=full, young=young, since=since)
        if source.offline:
            outcomes[stock.pk] = _answer_at_once(stock, call)
        else:
            calls[call.key] = stock.pk
            asked.append(call)
    seconds = time_limit() if seconds is None else seconds
    for key, error in gateway.ask_all(asked, seconds=seconds, patience=patience).items():
        outcomes[calls[key]] = error
    return outcomes


def _answer_at_once(stock: StockMetadata, call: gateway.Call) -> SourceError | None:
    """For sources that only calculate. All requests of a page ask at once: who waited for the lock
    finds it kept.
    """
    if call.is_kept():
        return None
    try:
        with transaction.atomic():
            locked(stock)
            if not call.is_kept():
                call.keep(call.run())
    except SourceError as error:
        return error
    return None


def refresh_quotes(stock_ids: Iterable[UUID | str]) -> dict[UUID, SourceError | None]:
    """For tasks: the latest price of each instrument whose quote is in the second half of the cache
    time or older.
    """
    stocks = list(StockMetadata.objects.filter(pk__in=list(stock_ids)))
    return refresh_stocks(stocks, seconds=TASK_SECONDS, young=0.5)


def refresh_history(stock_id: UUID | str, *, since: date | None = None) -> SourceError | None:
    """For tasks: what the stored history of one instrument lacks. Safe to repeat; a killed run
    stores nothing.
    """
    stock = StockMetadata.objects.filter(pk=stock_id).first()
    if stock is None or stock.is_manual:
        return None
    if stock.history_fetched_at is None and not stock.sector:
        _learn_sector(stock)
    return refresh_stocks([stock], full=True, seconds=TASK_SECONDS, young=0.5, since=since)[
        stock.pk
    ]


def _learn_sector(stock: StockMetadata) -> None:
    """Once, with the first history: only the source's search names sectors. A fault of the source
    is no error.
    """
    source = registry().source_for(stock.ticker)

    def keep(found: list[InstrumentInfo]) -> None:
        for info in found:
            if info.ticker == stock.ticker and info.sector:
                StockMetadata.objects.filter(pk=stock.pk, sector="").update(sector=info.sector)

    if source.offline:
        return  # what it knows came with the instrument
    call = gateway.Call(
        key=f"sector:{source.name}:{stock.ticker}",
        party=gateway.party_of(source),
        run=lambda: source.search(stock.ticker, 5),
        keep=keep,
        is_kept=lambda: False,
    )
    gateway.ask_all([call], seconds=time_limit())


def ensure_prices(*, stock_ids: Iterable[UUID]) -> None:
    """Fetch instruments that have no price at all, within the time limit in all. Never raises for a
    source's fault.
    """
    stocks = list(
        StockMetadata.objects.filter(pk__in=list(stock_ids), owner__isnull=True, quote__isnull=True)
        .exclude(pk__in=HistoricalStockPrice.objects.values("stock"))
        .order_by("ticker")
    )
    lacking = [stock for stock in stocks if not _failed_just_now(f"price:{stock.pk}")]
    for stock_id, error in refresh_stocks(lacking).items():
        if error is not None:
            _note_failure(f"price:{stock_id}")


def ensure_history(*, stock_ids: Iterable[UUID]) -> None:
    """Fetch instruments whose history was never fetched, within the time limit in all. Never
    raises.
    """
    stocks = list(
        StockMetadata.objects.filter(
            pk__in=list(stock_ids), owner__isnull=True, history_fetched_at__isnull=True
        ).order_by("ticker")
    )
    lacking = [stock for stock in stocks if not _failed_just_now(f"history:{stock.pk}")]
    for stock_id, error in refresh_stocks(lacking, full=True).items():
        if error is not None:
            _note_failure(f"history:{stock_id}")


def learn_splits(*, stock: StockMetadata) -> bool:
    """Ask the source for splits of `stock` that are not stored yet, within the time limit; whether
    there were any.

    Never raises for a source's fault.
    """
    before = set(StockSplit.objects.filter(stock=stock).values_list("date", "ratio"))
    if not stock.is_manual:
        refresh_stocks([stock], full=True)
    return before != set(StockSplit.objects.filter(stock=stock).values_list("date", "ratio"))


def _failed_just_now(what: str) -> bool:
    return bool(
        change(f"gave-up:{what}", lambda held: held, timeout_seconds=REMEMBER_FAILURE_SECONDS)
    )


def _note_failure(what: str) -> None:
    change(f"gave-up:{what}", lambda _: time.time(), timeout_seconds=REMEMBER_FAILURE_SECONDS)


# --- Rates ----------------------------------------------------------------------------------------


def _rate_sources(*, offline: bool) -> list[ExchangeRateSource]:
    return [source for source in registry().rates if source.offline == offline]


def fill_from_offline_sources(currencies: Iterable[str]) -> None:
    """Store what the sources that need no network know of these currencies and the database does
    not yet.
    """
    for source in _rate_sources(offline=True):
        for currency in sorted(set(currencies)):
            for base, target in ((currency, "EUR"), ("EUR", currency)):
                if base == target:
                    continue
                last = _last_day((base, target), source)
                rates = source.rates(base, target, last + timedelta(days=1) if last else date.min)
                if not rates:
                    continue
                with transaction.atomic():
                    locked_pair(base, target)
                    if (
                        _last_day((base, target), source) == last
                    ):  # else somebody has just filled it
                        record_rates(base=base, target=target, rates=rates, source=source.name)


def _last_day(pair: Pair, source: ExchangeRateSource) -> date | None:
    """The latest day of the source's stored rates."""
    base, target = pair
    rows = HistoricalExchangeRate.objects.filter(
        pair__base=base, pair__target=target, source=source.name
    )
    return rows.order_by("-date").values_list("date", flat=True).first()


def _rate_call(pair: Pair, source: ExchangeRateSource, young: float) -> gateway.Call:
    base, target = pair
    last = _last_day(pair, source)
    start = last - RATES_OVERLAP if last else BEGINNING

    def keep(rates: list[tuple[date, Decimal]]) -> None:
        record_rates(base=base, target=target, rates=rates, source=source.name)

    return gateway.Call(
        key=f"{source.name}:{base}/{target}",
        party=gateway.party_of(source),
        run=lambda: source.rates(base, target, start),
        keep=keep,
        is_kept=lambda: _is_pair_fresh(pair, young),
    )


def _is_pair_fresh(pair: Pair, young: float = 1) -> bool:
    row = (
        CurrencyPair.objects.filter(base=pair[0], target=pair[1])
        .values_list("fetched_at", flat=True)
        .first()
    )
    return is_fresh(row, grace=young)


def refresh_rates(
    pairs: Iterable[Pair],
    *,
    seconds: float | None = None,
    patience: float | None = None,
    young: float = 0.5,
) -> dict[Pair, SourceError | None]:
    """Ask for the latest rates of each pair within `seconds` (default: a task's), and fill from the
    offline sources.

    Returns by pair what stood in the way of the first source that is asked over the network.
    """
    wanted = sorted({pair for pair in pairs if pair[0] != pair[1]})
    fill_from_offline_sources({currency for pair in wanted for currency in pair})
    outcomes: dict[Pair, SourceError | None] = dict.fromkeys(wanted)
    for source in _rate_sources(offline=False)[:1]:
        calls = {pair: _rate_call(pair, source, young) for pair in wanted}
        answers = gateway.ask_all(
            list(calls.values()),
            seconds=TASK_SECONDS if seconds is None else seconds,
            patience=patience,
        )
        outcomes = {pair: answers[call.key] for pair, call in calls.items()}
    return outcomes


def ensure_rates(*, pairs: Iterable[Pair]) -> None:
    """Fetch pairs for which the lookup rule finds nothing, or nothing younger than a week. Never
    raises.
    """
    today = timezone.localdate()
    lacking = _lacking({(base, target, today) for base, target in pairs})
    if lacking:
        fill_from_offline_sources(
            {currency for base, target, _ in lacking for currency in (base, target)}
        )
        _ask_networks({(base, target) for base, target, _ in _lacking(lacking)})


def obtain_rates(wanted: Iterable[tuple[str, str, date]]) -> None:
    """Ask for the pairs that may have a better rate on their day than the database: a source that
    knows them was not asked since then. The offline sources fill what is lacking after that. Never
    raises.
    """
    wanted = {one for one in wanted if one[0] != one[1]}
    pairs = CurrencyPair.objects.filter(
        base__in={one[0] for one in wanted}, target__in={one[1] for one in wanted}
    )
    asked = {
        (base, target): at
        for base, target, at in pairs.values_list("base", "target", "fetched_at")
        if at
    }
    old = set()
    for base, target, day in wanted:
        at = asked.get((base, target))
        if at is None or (timezone.localdate(at) <= day and not is_fresh(at)):
            old.add((base, target))
    _ask_networks(old)
    if lacking := _lacking(wanted):
        fill_from_offline_sources(
            {currency for base, target, _ in lacking for currency in (base, target)}
        )


def _ask_networks(pairs: set[Pair]) -> None:
    """Within the time limit in all, but for what has just failed."""
    wanted = sorted(pair for pair in pairs if not _failed_just_now(f"rate:{pair[0]}/{pair[1]}"))
    for source in _rate_sources(offline=False)[:1]:
        calls = {pair: _rate_call(pair, source, 1) for pair in wanted}
        answers = gateway.ask_all(list(calls.values()), seconds=time_limit())
        for (base, target), call in calls.items():
            if answers[call.key] is not None:
                _note_failure(f"rate:{base}/{target}")


def _lacking(wanted: Iterable[tuple[str, str, date]]) -> set[tuple[str, str, date]]:
    """Those of (base, target, day) without a rate at most 7 days old. One query."""
    wanted = {one for one in wanted if one[0] != one[1]}
    days = {day for _, _, day in wanted}
    if len(days) > 1:
        found = rates_on_days(wanted)
    else:  # the usual case of a page, without the years before
        found = {
            (*pair, day): rate
            for day in days
            for pair, rate in rates_on({one[:2] for one in wanted}, day).items()
        }
    return {one for one in wanted if one not in found or found[one].stale}


def fresh_rate(base: str, target: str) -> tuple[RateNow | None, SourceError | None]:
    """The latest rate, asked for if the last answer is older than the cache time, and what stood in
    the way.
    """
    pair, today = (base, target), timezone.localdate()
    known = rates_on([pair], today).get(pair)
    if base == target or _is_pair_fresh(pair):
        return known, None
    patience = PATIENCE_SECONDS if known else None
    error = refresh_rates([pair], seconds=time_limit(), patience=patience, young=1)[pair]
    return rates_on([pair], today).get(pair), error
