"""What marketdata asks of a source of prices or rates, whoever it is, and the registry of those
configured.

A source is a class named in settings.MARKET_DATA_SOURCES or EXCHANGE_RATE_SOURCES by its dotted
path. It knows no
model: plain values in, plain values out, and one of the errors below when there is no answer.
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
    """The source gave no usable answer. `retry_after_seconds` is when it may be worth asking
    again.
    """

    def __init__(self, message: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UnknownTicker(SourceError):
    """The source answered, and says that it has no such instrument."""


class KeyRefused(SourceError):
    """The source answered, and refuses the key that we use."""


class RateLimited(SourceError):
    """The source asks for patience."""


class SourceUnavailable(SourceError):
    """Refused connection, 5xx, dropped line."""


class SourceTimeout(SourceError):
    """No answer in time."""


class BadAnswer(SourceError):
    """An answer that makes no sense."""


@dataclass(frozen=True, slots=True)
class InstrumentInfo:
    """What an instrument is. Empty text where the source does not say."""

    ticker: str
    company_name: str = ""
    currency: str = ""
    asset_type: str = "other"
    exchange: str = ""
    exchange_timezone: str = ""
    sector: str = ""
    country: str = ""
    isin: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """The latest price in the major unit; `day` is its trading day in the exchange's zone.

    `price` may be nonsense (0, below 0): whoever stores it decides.
    """

    price: Decimal
    previous_close: Decimal | None
    as_of: datetime
    day: date


@dataclass(frozen=True, slots=True)
class History:
    """Closes as traded (no adjustment for splits or dividends), oldest first, major unit; events of
    the same days.

    `splits` are new shares per old one, `dividends` per share as paid, both dated by the exchange's
    calendar.
    """

    info: InstrumentInfo
    closes: Sequence[tuple[date, Decimal]] = ()
    splits: Sequence[tuple[date, Decimal]] = ()
    dividends: Sequence[tuple[date, Decimal]] = ()
    quote: Quote | None = None


class MarketDataSource(Protocol):
    """A source of prices. Every method may raise a SourceError and may block; the gateway bounds
    the time.

    An `offline` source asks nobody: it is quick, never fails for a time, and is called without the
    gateway.
    """

    name: str
    offline: bool

    def handles(self, ticker: str) -> bool:
        """Whether this source is the one to ask about `ticker` (no call is made)."""

    def history(self, ticker: str, start: date) -> History:
        """Everything from `start` to now, with the quote. Raises UnknownTicker."""

    def search(self, query: str, limit: int) -> list[InstrumentInfo]:
        """Instruments by name, ticker or ISIN, best first."""


class ExchangeRateSource(Protocol):
    """A source of exchange rates; `offline` as above."""

    name: str
    offline: bool

    def rates(self, base: str, target: str, start: date) -> list[tuple[date, Decimal]]:
        """Units of `target` for one `base` from `start` to now, oldest first; empty when it lacks
        the pair.
        """


@dataclass(frozen=True, slots=True)
class Registry:
    """The configured sources, in the order in which they are asked."""

    prices: tuple[MarketDataSource, ...] = field(default=())
    rates: tuple[ExchangeRateSource, ...] = field(default=())

    def source_for(self, ticker: str) -> MarketDataSource:
        """The first source that handles `ticker`. Raises UnknownTicker if none does."""
        for source in self.prices:
            if source.handles(ticker):
                return source
        raise UnknownTicker(f"No source knows {ticker}.")

    def is_offline(self, name: str) -> bool:
        """Whether rates of this name come from a source that asks nobody; not so if no configured
        one has it.
        """
        return any(source.offline for source in self.rates if source.name == name)


@cache
def registry() -> Registry:
    """The sources of the settings, made once a process; no work at import time."""
    made = {
        path: import_string(path)()
        for path in {*settings.MARKET_DATA_SOURCES, *settings.EXCHANGE_RATE_SOURCES}
    }
    return Registry(
        prices=tuple(made[path] for path in settings.MARKET_DATA_SOURCES),
        rates=tuple(made[path] for path in settings.EXCHANGE_RATE_SOURCES),
    )
