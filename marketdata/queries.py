"""Read market data, asking a source first where what is stored is missing or old."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal

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
from financeproj.users.models import User
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
from marketdata.services.asking import PATIENCE_SECONDS, time_limit
from marketdata.services.learning import learn_instrument
from marketdata.services.price_refresh import refresh_stocks
from marketdata.services.rate_refresh import fresh_rate, obtain_rates
from marketdata.services.searching import found_by
from marketdata.sources import (
    BadAnswer,
    InstrumentInfo,
    NoData,
    Refusal,
    SourceError,
    SourceTimeout,
    UnknownTicker,
    registry,
)

DEFAULT_RETRY_AFTER = 5.0


def upstream_error(error: SourceError) -> DomainError:
    """Return the domain error that reports `error` of a source."""
    if isinstance(error, UnknownTicker):
        return NotFound(str(error), code="unknown_ticker")
    if isinstance(error, NoData):
        return NotFound(str(error), code="unknown_price")
    if isinstance(error, SourceTimeout):
        return UpstreamTimeout(str(error))
    if isinstance(error, BadAnswer | Refusal):
        return UpstreamBadAnswer(str(error))
    retry_after = error.retry_after_seconds or DEFAULT_RETRY_AFTER
    return UpstreamError(str(error), retry_after=retry_after)


# --- Prices ---------------------------------------------------------------------------------------


def instrument_named(*, user: User, ticker: str) -> StockMetadata:
    """Return the instrument of `ticker`, learned from the source if it is new.

    Raises NotFound or UpstreamError.
    """
    ticker = ticker.strip().upper()
    if not is_ticker(ticker):
        raise NotFound(f'"{ticker}" is not a valid ticker.', code="unknown_ticker")
    stock = instrument_for(user=user, ticker=ticker)
    if stock is not None:
        return stock
    try:
        return learn_instrument(ticker=ticker, seconds=time_limit())
    except SourceError as error:
        raise upstream_error(error) from error


def price_of(*, stock: StockMetadata) -> PriceNow:
    """Return the latest price, stale when the source could not be asked.

    Raises NotFound or UpstreamError when none is known.
    """
    price = prices_now([stock.pk]).get(stock.pk)
    if stock.is_manual:
        if price is None:
            raise NotFound(f"{stock.ticker} has no price yet.", code="unknown_price")
        return price
    if price is not None and is_fresh(price.fetched_at):
        return price
    error = refresh_stocks([stock], patience=_patience(price))[stock.pk]
    price = prices_now([stock.pk]).get(stock.pk)
    if price is None:
        raise upstream_error(error or _without_price(stock))
    return replace(price, stale=price.stale or not is_fresh(price.fetched_at))


def _without_price(stock: StockMetadata) -> SourceError:
    """Return why the price is missing although the source answered."""
    if stock.held_back.filter(kind="price", state="held_back").exists():
        return BadAnswer(f"{stock.source} gives no usable price for {stock.ticker}.")
    return NoData(f"{stock.source} has no prices of {stock.ticker}.")


def _patience(older_answer: object) -> float | None:
    """Return how long to wait for a call of another request: briefly with an `older_answer`."""
    if older_answer:
        return PATIENCE_SECONDS
    return None


def ensure_recent_history(*, stock: StockMetadata) -> bool:
    """Bring the stored history up to date within the time limit; return whether it now is.

    Raises NotFound or UpstreamError when nothing is stored and nothing could be fetched.
    """
    if stock.is_manual:
        return True
    quote = getattr(stock, "quote", None)
    if stock.history_fetched_at is not None and quote is not None and is_fresh(quote.fetched_at):
        return True
    has_any = stock.prices.exists()
    error = refresh_stocks([stock], full=True, patience=_patience(has_any))[stock.pk]
    if error is not None and not has_any and not stock.prices.exists():
        raise upstream_error(error)
    return error is None


# --- Exchange rates -------------------------------------------------------------------------------


def rate_of(*, base: str, target: str) -> RateNow:
    """Return the latest rate of a pair. Raises NotFound or UpstreamError when none is known."""
    rate, is_stale = _latest_rate(_known_currency(base), _known_currency(target))
    return replace(rate, stale=is_stale)


def rates_between(
    *, base: str, target: str, start: date | None, end: date
) -> tuple[str, str, RateHistory, bool]:
    """Return (base, target, stored rates of the days from `start` to `end`, whether stale).

    The source is asked if the pair is not fresh. Raises NotFound or UpstreamError when no rate is
    known.
    """
    base, target = _known_currency(base), _known_currency(target)
    _, is_stale = _latest_rate(base, target)
    return base, target, rate_history(base=base, target=target, start=start, end=end), is_stale


def _known_currency(code: str) -> str:
    code = code.upper()
    if not is_currency(code):
        raise NotFound(
            f"{code} is not a currency in circulation (ISO 4217).", code="unknown_currency"
        )
    return code


def _latest_rate(base: str, target: str) -> tuple[RateNow, bool]:
    """Return the latest rate, and whether it is old or its source could not be asked."""
    rate, error = fresh_rate(base, target)
    if rate is None:
        if error is None or isinstance(error, UnknownTicker):
            raise NotFound(f"No rate from {base} to {target} is known.", code="unknown_rate")
        raise upstream_error(error)
    needs_network = rate.source != "identity" and not registry().is_offline(rate.source)
    return rate, rate.stale or (error is not None and needs_network)


def exchange_rate_for_trade(*, base: str, target: str, day: date) -> Decimal | None:
    """Return units of `target` for one `base` on `day`, asked for if the database lacks it.

    None when it is unknown or older than a week. Must not be called inside a transaction.
    """
    return exchange_rates_for_import([(base, target, day)])[base, target, day]


def exchange_rates_for_import(
    wanted: Iterable[tuple[str, str, date]],
) -> dict[tuple[str, str, date], Decimal | None]:
    """Return the rate for each of many (base, target, day), None where it is unknown or old.

    The sources are asked within one time limit, in a constant number of queries.
    """
    wanted = list(wanted)
    obtain_rates(wanted)
    rates: dict[tuple[str, str, date], Decimal | None] = dict.fromkeys(wanted)
    for key, rate in rates_on_days(wanted).items():
        if not rate.stale:
            rates[key] = rate.rate
    return rates


# --- Search ---------------------------------------------------------------------------------------


class Hit(Struct, frozen=True):
    """An instrument that a search found; `currency` is None where the source does not say."""

    ticker: str
    company_name: str
    exchange: str
    asset_type: str
    currency: str | None
    source: str


def search(*, user: User, query: str, limit: int) -> list[Hit]:
    """Return stored instruments first, then what the sources that can be asked find."""
    query = query.strip()
    stored = known_instruments(user=user, query=query, limit=limit)
    hits = [_hit(stock, stock.source) for stock in stored]
    seen = {hit.ticker for hit in hits}
    for source in registry().prices:
        if len(hits) >= limit:
            break
        for info in found_by(source, query, limit):
            if info.ticker not in seen:
                seen.add(info.ticker)
                hits.append(_hit(info, source.name))
    return hits[:limit]


def _hit(found: StockMetadata | InstrumentInfo, source: str) -> Hit:
    return Hit(
        ticker=found.ticker,
        company_name=found.company_name,
        exchange=found.exchange,
        asset_type=found.asset_type,
        currency=found.currency or None,
        source=source,
    )
