"""The protocol of sources of prices or rates, and the registry of those configured.

A source is a class that settings.MARKET_DATA_SOURCES or EXCHANGE_RATE_SOURCES names by its dotted
path. It takes and returns plain values, not models, and raises one of the errors below when there
is no answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string


class SourceError(Exception):
    """The source gave no usable answer; asking again may help after `retry_after_seconds`."""

    def __init__(self, message: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Refusal(SourceError):
    """The source refused this one question; it may well answer others."""


class UnknownTicker(Refusal):
    """The source answered that it has no such instrument."""


class NoData(Refusal):
    """The source answered that it has nothing of the days asked for."""


class KeyRefused(SourceError):
    """The source answered that it refuses the key that we use."""


class RateLimited(SourceError):
    """The source is rate-limiting us."""


class SourceUnavailable(SourceError):
    """The connection was refused or dropped, or the answer was a 5xx."""


class SourceTimeout(SourceError):
    """The source did not answer in time."""


class BadAnswer(SourceError):
    """The answer cannot be read, or contradicts what is known."""


@dataclass(frozen=True, slots=True)
class InstrumentInfo:
    """What an instrument is. Empty text where the source does not say.

    `renamed_to` is the ticker under which the source lists it now, if not `ticker`.
    """

    ticker: str
    company_name: str = ""
    currency: str = ""
    asset_type: str = "other"
    exchange: str = ""
    exchange_timezone: str = ""
    sector: str = ""
    country: str = ""
    isin: str = ""
    renamed_to: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """The latest price in the major unit; `day` is its trading day in the exchange's zone.

    `price` may be nonsense (0, below 0): the code that stores it decides.
    """

    price: Decimal
    previous_close: Decimal | None
    as_of: datetime
    day: date


@dataclass(frozen=True, slots=True)
class History:
    """Closes as traded (not adjusted for splits or dividends) in the major unit, oldest first.

    `splits` are new shares per old one, `dividends` per share as paid, both of the same days and
    dated by the exchange's calendar. `is_whole` is set by those who asked from the earliest day.
    """

    info: InstrumentInfo
    closes: Sequence[tuple[date, Decimal]] = ()
    splits: Sequence[tuple[date, Decimal]] = ()
    dividends: Sequence[tuple[date, Decimal]] = ()
    quote: Quote | None = None
    is_whole: bool = False


class MarketDataSource(Protocol):
    """A source of prices. Every method may raise a SourceError and may block; the gateway bounds
    the time.

    An `offline` source needs no network: it is quick, is always available, and is called without
    the gateway.
    """

    name: str
    offline: bool

    def handles(self, ticker: str) -> bool:
        """Return whether this source is the one to ask about `ticker` (no call is made)."""

    def history(self, ticker: str, start: date) -> History:
        """Return everything from `start` to now, with the quote.

        Raises UnknownTicker, and NoData where it has neither a close nor a quote of these days.
        """

    def search(self, query: str, limit: int) -> list[InstrumentInfo]:
        """Return instruments by name, ticker or ISIN, best first."""


class ExchangeRateSource(Protocol):
    """A source of exchange rates; `offline` as above."""

    name: str
    offline: bool

    def rates(self, base: str, target: str, start: date) -> list[tuple[date, Decimal]]:
        """Return units of `target` for one `base` from `start` to now, oldest first.

        Empty when it lacks the pair.
        """


@dataclass(frozen=True, slots=True)
class Registry:
    """The configured sources, in the order in which they are asked."""

    prices: tuple[MarketDataSource, ...] = field(default=())
    rates: tuple[ExchangeRateSource, ...] = field(default=())

    def source_for(self, ticker: str) -> MarketDataSource:
        """Return the first source that handles `ticker`. Raises UnknownTicker if none does."""
        for source in self.prices:
            if source.handles(ticker):
                return source
        raise UnknownTicker(f"No source knows {ticker}.")

    def is_offline(self, name: str) -> bool:
        """Return whether the source of rates called `name` is configured and needs no network."""
        return any(source.name == name and source.offline for source in self.rates)


@cache
def registry() -> Registry:
    """Return the sources of the settings, made once a process; no work at import time."""
    made = {
        path: import_string(path)()
        for path in {*settings.MARKET_DATA_SOURCES, *settings.EXCHANGE_RATE_SOURCES}
    }
    return Registry(
        prices=tuple(made[path] for path in settings.MARKET_DATA_SOURCES),
        rates=tuple(made[path] for path in settings.EXCHANGE_RATE_SOURCES),
    )
