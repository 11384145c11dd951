"""Yahoo Finance as a source of prices and exchange rates."""

from datetime import date
from decimal import Decimal
from typing import Any

from financeproj.core.identifiers import looks_like_isin
from integrations.yahoo.reading import has_ticker, info_of_search, read_history
from integrations.yahoo.session import asking
from marketdata.sources import History, InstrumentInfo, NoData, UnknownTicker


class YahooSource:
    name = "yahoo"
    offline = False

    def handles(self, ticker: str) -> bool:
        return True

    def history(self, ticker: str, start: date) -> History:
        """Return closes of days whose trading is over, events and the quote, in the major unit."""
        if looks_like_isin(ticker):
            # yfinance would search for it.
            raise UnknownTicker("Not a ticker, but an ISIN.")
        with asking() as yfinance:
            return read_history(_ticker(yfinance, ticker), ticker, start)

    def rates(self, base: str, target: str, start: date) -> list[tuple[date, Decimal]]:
        """Return daily rates with today's so far; none when Yahoo does not have the pair, or
        nothing of these days.
        """
        name = f"{base}{target}=X"
        with asking() as yfinance:
            try:
                answer = read_history(_ticker(yfinance, name), name, start)
            except (UnknownTicker, NoData):
                return []
        by_day = dict(answer.closes)
        if answer.quote and answer.quote.price > 0:
            by_day[answer.quote.day] = answer.quote.price
        return sorted((day, rate) for day, rate in by_day.items() if rate > 0)

    def search(self, query: str, limit: int) -> list[InstrumentInfo]:
        """Return at most `limit` instruments, best first; some without their currencies."""
        with asking() as yfinance:
            search = _fresh_search(yfinance)
            quotes = search(
                query, max_results=limit, news_count=0, lists_count=0, recommended=0
            ).quotes
            found = [info_of_search(quote) for quote in quotes if has_ticker(quote)]
            return found[:limit]


def _ticker(yfinance: Any, name: str) -> Any:
    """Return yfinance's object, with a placeholder for the time zone.

    yfinance would ask for the zone by a request of its own before the first history. Only the
    start date is read in it, and we ask from a day earlier and cut.
    """
    ticker = yfinance.Ticker(name)
    ticker._tz = "UTC"
    return ticker


def _fresh_search(yfinance: Any) -> Any:
    """Return yfinance's Search without its cache, which keeps answers, failures too, for ever."""

    class Uncached:
        def __init__(self, data: Any) -> None:
            self.cache_get = data.get

    class FreshSearch(yfinance.Search):
        def search(self) -> Any:
            self._data: Any = Uncached(vars(self)["_data"])
            return super().search()

    return FreshSearch
