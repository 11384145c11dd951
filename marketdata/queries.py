"""What the market data endpoints answer: what is stored, asked for anew when it is older than the
cache time.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.cache import cache
from msgspec import Struct

from financeproj.core.currencies import is_currency
from financeproj.core.errors import (
    DomainError,
    NotFound,
    UpstreamBadAnswer,
    UpstreamError,
    UpstreamTimeout,
)
from financeproj.core.identifiers import is_ticker
from marketdata import gateway
from marketdata.models import StockMetadata
from marketdata.selectors import (
    PriceNow,
    RateHistory,
    RateNow,
    instrument_for,
    is_fresh,
    known_instruments,
    prices_now,
    rate_history,
    rates_on_days,
)
from marketdata.services.instruments import learn_instrument
from marketdata.services.refresh import (
    PATIENCE_SECONDS,
    fresh_rate,
    obtain_rates,
    refresh_stocks,
    time_limit,
)
from marketdata.sources import (
    BadAnswer,
    InstrumentInfo,
    SourceError,
    SourceTimeout,
    UnknownTicker,
    registry,
)

DEFAULT_RETRY_AFTER = 5.0


def upstream_error(error: SourceError) -> DomainError:
    """Return the error of the domain that reports `error` of a source."""
    if isinstance(error, UnknownTicker):
        return NotFound(str(error), code="unknown_ticker")
    if isinstance(error, SourceTimeout):
        return UpstreamTimeout(str(error))
    if isinstance(error, BadAnswer):
        return UpstreamBadAnswer(str(error))
    retry_after = error.retry_after_seconds or DEFAULT_RETRY_AFTER
    return UpstreamError(str(error), retry_after=retry_after)


def instrument_named(*, user: Any, ticker: str) -> StockMetadata:
    """The instrument of the path, learned from the source if it is new. Raises NotFound or
    UpstreamError.
    """
    ticker = ticker.strip().upper()
    if not is_ticker(ticker):
        raise NotFound(f"{ticker} is no ticker.", code="unknown_ticker")
    stock = instrument_for(user=user, ticker=ticker)
    if stock is not None:
        return stock
    try:
        return learn_instrument(ticker=ticker, seconds=time_limit())
    except SourceError as error:
        raise upstream_error(error) from error


def price_of(*, stock: StockMetadata) -> PriceNow:
    """The latest price, stale when the source could not be asked. Raises NotFound or UpstreamError when
    none is known.
    """
    price = prices_now([stock.pk]).get(stock.pk)
    if stock.is_manual:
        if price is None:
            raise NotFound(f"{stock.ticker} has no price yet.", code="unknown_price")
        return price
    if price is not None and is_fresh(price.fetched_at):
        return price
    error = refresh_stocks([stock], patience=PATIENCE_SECONDS if price else None)[stock.pk]
    price = prices_now([stock.pk]).get(stock.pk)
    if price is None:
        raise upstream_error(
            error or BadAnswer(f"{stock.source} gives no usable price for {stock.ticker}.")
        )
    return replace(price, stale=not is_fresh(price.fetched_at))


def ensure_recent_history(*, stock: StockMetadata) -> bool:
    """Bring the stored history up to date within the time limit; whether it now is.

    Raises NotFound or UpstreamError when nothing is stored and nothing could be fetched.
    """
    if stock.is_manual:
        return True
    quote = getattr(stock, "quote", None)
    if stock.history_fetched_at is not None and quote is not None and is_fresh(quote.fetched_at):
        return True
    has_any = stock.prices.exists()
    patience = PATIENCE_SECONDS if has_any else None
    error = refresh_stocks([stock], full=True, patience=patience)[stock.pk]
    if error is not None and not has_any and not stock.prices.exists():
        raise upstream_error(error)
    return error is None


def _checked(*currencies: str) -> list[str]:
    codes = [currency.upper() for currency in currencies]
    for code in codes:
        if not is_currency(code):
            raise NotFound(
                f"{code} is not a currency in circulation (ISO 4217).", code="unknown_currency"
            )
    return codes


def _is_stale(rate: RateNow, error: SourceError | None) -> bool:
    """Whether the rate is old, or its source could not be asked; an offline one, or none, need not
    be.
    """
    needs_nobody = rate.source == "identity" or registry().is_offline(rate.source)
    return rate.stale or (error is not None and not needs_nobody)


def rate_of(*, base: str, target: str) -> RateNow:
    """The latest rate of a pair of the path. Raises NotFound or UpstreamError when none is known."""
    base, target = _checked(base, target)
    rate, error = fresh_rate(base, target)
    if rate is None:
        if error is None or isinstance(error, UnknownTicker):
            raise NotFound(f"No rate from {base} to {target} is known.", code="unknown_rate")
        raise upstream_error(error)
    return replace(rate, stale=_is_stale(rate, error))


def rates_between(
    *, base: str, target: str, start: date | None, end: date
) -> tuple[str, str, RateHistory, bool]:
    """(base, target, the stored rates of the days from `start` to `end`, stale), asked for if the
    pair is not fresh.
    """
    base, target = _checked(base, target)
    latest, error = fresh_rate(base, target)
    if latest is None:
        if error is None or isinstance(error, UnknownTicker):
            raise NotFound(f"No rate from {base} to {target} is known.", code="unknown_rate")
        raise upstream_error(error)
    found = rate_history(base=base, target=target, start=start, end=end)
    return base, target, found, _is_stale(latest, error)


def exchange_rate_for_trade(*, base: str, target: str, day: date) -> Decimal | None:
    """Units of `target` for one `base` on `day`, asked for if the database lacks it.

    None when it is unknown or older than a week. Not to be called inside a transaction.
    """
    return exchange_rates_for_import([(base, target, day)])[base, target, day]


def exchange_rates_for_import(
    wanted: Iterable[tuple[str, str, date]],
) -> dict[tuple[str, str, date], Decimal | None]:
    """The same for many (base, target, day) within one time limit, in a constant number of
    queries.
    """
    wanted = list(wanted)
    obtain_rates(wanted)
    found = rates_on_days(wanted)
    return {
        one: rate.rate if (rate := found.get(one)) and not rate.stale else None for one in wanted
    }


# --- Search ---------------------------------------------------------------------------------------


class Hit(Struct, frozen=True):
    """An instrument that a search found; `currency` is None where the source does not say."""

    ticker: str
    company_name: str
    exchange: str
    asset_type: str
    currency: str | None
    source: str


def search(*, user: Any, query: str, limit: int) -> list[Hit]:
    """Known instruments first, then the sources'; the database alone while they cannot be asked."""
    query = query.strip()
    hits = [
        Hit(
            stock.ticker,
            stock.company_name,
            stock.exchange,
            stock.asset_type,
            stock.currency,
            stock.source,
        )
        for stock in known_instruments(user=user, query=query, limit=limit)
    ]
    seen = {hit.ticker for hit in hits}
    for source in registry().prices:
        if len(hits) >= limit:
            break
        for info in _found_by(source, query, limit):
            if info.ticker not in seen:
                seen.add(info.ticker)
                hits.append(
                    Hit(
                        info.ticker,
                        info.company_name,
                        info.exchange,
                        info.asset_type,
                        info.currency or None,
                        source.name,
                    )
                )
    return hits[:limit]


def _found_by(source: Any, query: str, limit: int) -> list[InstrumentInfo]:
    if source.offline:
        return source.search(query, limit)
    key = f"search:{source.name}:{limit}:{query.casefold().encode().hex()[:180]}"
    answers: list[list[InstrumentInfo]] = []

    def keep(answer: list[InstrumentInfo]) -> None:
        answers.append(answer)
        cache.set(key, answer, settings.MARKET_DATA_CACHE_SECONDS)

    kept = cache.get(key)
    if kept is not None:
        return kept
    call = gateway.Call(
        key=key,
        party=gateway.party_of(source),
        run=lambda: source.search(query, limit),
        keep=keep,
        is_kept=lambda: cache.get(key) is not None,
    )
    try:
        gateway.ask(call, seconds=time_limit())
    except SourceError:
        return []
    return answers[0] if answers else cache.get(key) or []
