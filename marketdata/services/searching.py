"""Ask sources which instruments there are, and which of them has an ISIN."""

import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

import msgspec
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from financeproj.core.identifiers import is_isin, looks_like_isin
from marketdata import gateway
from marketdata.models import LookUpAnswer, StockMetadata
from marketdata.selectors.look_ups import answers_to
from marketdata.services.asking import time_limit
from marketdata.services.instruments import keep_isin
from marketdata.services.learning import ASKED_AT_ONCE, keep_answer
from marketdata.sources import (
    InstrumentInfo,
    MarketDataSource,
    Refusal,
    SourceError,
    UnknownTicker,
    registry,
)

# As many as an import asks for, whose answer is still at hand then.
ISIN_HITS = 10
ISIN_ASKED_SECONDS = 30 * 24 * 3600


def found_by(source: MarketDataSource, query: str, limit: int) -> list[InstrumentInfo]:
    """Return what `source` finds, at most as old as the cache time; nothing if it fails."""
    if source.offline:
        return source.search(query, limit)
    isin = query.upper()
    if looks_like_isin(isin):
        search_isins(isins=[isin], seconds=time_limit())
        return answers_to([isin]).get(isin, [])[:limit]
    key = f"search:{source.name}:{limit}:{query.casefold().encode().hex()[:180]}"
    kept = _kept_answer(key)
    if kept is not None:
        return kept
    answers: list[list[InstrumentInfo]] = []

    def keep(answer: list[InstrumentInfo]) -> None:
        answers.append(answer)
        cache.set(key, msgspec.to_builtins(answer), settings.MARKET_DATA_CACHE_SECONDS)

    call = gateway.Call(
        key=key,
        party=gateway.party_of(source),
        run=lambda: source.search(query, limit),
        keep=keep,
        is_kept=lambda: _kept_answer(key) is not None,
    )
    try:
        gateway.ask(call, seconds=time_limit())
    except SourceError:
        return []
    if answers:
        return answers[0]
    return _kept_answer(key) or []  # another request asked, and stored the answer there


def _kept_answer(key: str) -> list[InstrumentInfo] | None:
    """Return the cached answer; None if there is none, or one of another release."""
    kept = cache.get(key)
    if kept is None:
        return None
    try:
        return msgspec.convert(kept, list[InstrumentInfo])
    except msgspec.ValidationError:
        return None


def search_isins(*, isins: Sequence[str], seconds: float) -> None:
    """Ask the sources which listings these ISINs have, in `seconds` in all, and keep the answers.

    A source is asked about what those before it do not know, and about nothing that has an answer.
    """
    until = time.monotonic() + seconds
    answered = answers_to(isins)
    unknown = [isin for isin in isins if isin not in answered][:ASKED_AT_ONCE]
    for source in registry().prices:
        if unknown and source.offline:
            _search_offline(source, unknown)
        elif unknown:
            _search_online(source, unknown, max(0.0, until - time.monotonic()))
        found = answers_to(unknown)
        unknown = [isin for isin in unknown if not found.get(isin)]


def _search_offline(source: MarketDataSource, isins: Sequence[str]) -> None:
    for isin in isins:
        found = source.search(isin, ISIN_HITS)
        if found:
            keep_answer(isin, found)


def _search_online(source: MarketDataSource, isins: Sequence[str], seconds: float) -> None:
    begun = timezone.now()
    party = gateway.party_of(source)
    calls: dict[str, gateway.Call] = {}
    for isin in isins:
        calls[isin] = gateway.Call(
            key=f"isin-search:{source.name}:{isin}",
            party=party,
            run=partial(source.search, isin, ISIN_HITS),
            keep=partial(keep_answer, isin),
            is_kept=partial(_is_answered, isin, begun),
        )
    outcomes = gateway.ask_all(list(calls.values()), seconds=seconds)
    for isin, call in calls.items():
        if isinstance(outcomes[call.key], Refusal):
            keep_answer(isin, [])


def _is_answered(isin: str, since: datetime) -> bool:
    return LookUpAnswer.objects.filter(text=isin, answered_at__gte=since).exists()


def learn_isin(*, stock_id: UUID | str, isin: str) -> None:
    """Store the ISIN of a shared instrument, if its source finds the instrument by it.

    What a user says of an ISIN is not enough. The source is asked once a month at most.
    """
    stock = StockMetadata.objects.filter(pk=stock_id, owner__isnull=True, isin="").first()
    if stock is None or not is_isin(isin):
        return
    asked = f"isin:{stock.pk}:{isin}"
    if cache.get(asked):
        return
    try:
        source = registry().source_for(stock.ticker)
    except UnknownTicker:
        return
    hits = found_by(source, isin, ISIN_HITS)
    if hits:
        cache.set(asked, True, ISIN_ASKED_SECONDS)
    if any(hit.ticker == stock.ticker for hit in hits):
        keep_isin(stock_id=stock.pk, isin=isin)
