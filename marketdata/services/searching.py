"""Ask sources which instruments there are, and which of them has an ISIN."""

from uuid import UUID

import msgspec
from django.conf import settings
from django.core.cache import cache

from financeproj.core.identifiers import is_isin
from marketdata import gateway
from marketdata.models import StockMetadata
from marketdata.services.asking import time_limit
from marketdata.services.instruments import keep_isin
from marketdata.sources import (
    InstrumentInfo,
    MarketDataSource,
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
