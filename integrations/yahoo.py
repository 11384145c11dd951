"""Yahoo Finance, through yfinance.

What its code (1.7.0) demands, and why this module looks as it does:

- With `hide_exceptions` a failure looks like an empty frame. It is off.
- Any status from 400 on makes it fetch a cookie and a crumb and repeat, so a 429 would be answered
  with more calls,
  and its exception has lost Retry-After. `_Session` raises before it gets that far.
- Its time-outs are per request, and it makes up to six: `_Session` gives every request what is left
  of the call's
  time, and the cookie's and crumb's little of it.
- `Ticker` asks for the instrument's time zone by a request of its own before the first history.
  Only the start date
  is read in that zone, and we ask from a day earlier and cut, so a placeholder saves the request.
- It keeps answers, failures too, in an `lru_cache` for the life of the process. Search is sent
  round it.
- It must not be used before a fork: its session would be shared. It is imported at the first call,
  and forgotten in
  a child.
"""

import math
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings

from financeproj.core.currencies import is_currency
from financeproj.core.identifiers import MAJOR_CURRENCIES, MINOR_UNITS, looks_like_isin
from marketdata.calc.sanity import split_factor
from marketdata.sources import (
    BadAnswer,
    History,
    InstrumentInfo,
    Quote,
    RateLimited,
    SourceError,
    SourceTimeout,
    SourceUnavailable,
    UnknownTicker,
)

SINGLE_PRECISION = Context(prec=7)  # what a float32 carries of a decimal
ASSET_TYPES = {
    "EQUITY": "stock",
    "ETF": "etf",
    "MUTUALFUND": "fund",
    "CRYPTOCURRENCY": "crypto",
    "INDEX": "index",
    "BOND": "bond",
}
# Beside the data itself: without them Yahoo mostly answers all the same, so they may not use up the
# time.
COOKIE_SECONDS = 2.0

_call = threading.local()
log = structlog.get_logger(__name__)


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Every request inside gets at most what is left of `seconds`."""
    _call.ends = time.monotonic() + seconds
    try:
        yield
    finally:
        del _call.ends


def _retry_after(response: Any) -> float | None:
    text = (response.headers.get("Retry-After") or "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(1.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


@cache
def _yfinance(process: int) -> Any:
    """yfinance made ready for this process."""
    import yfinance
    from curl_cffi import requests
    from yfinance.data import YfData

    class Session(requests.Session):
        def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
            path = urlsplit(url).path
            is_data = path.startswith(("/v8/finance/chart", "/v1/finance/search"))
            left = (
                getattr(_call, "ends", time.monotonic() + settings.MARKET_DATA_TIMEOUT_SECONDS)
                - time.monotonic()
            )
            if left <= 0:
                raise SourceTimeout("Yahoo did not answer in time.")
            kwargs["timeout"] = left if is_data else min(left / 4, COOKIE_SECONDS)
            response = super().request(method, url, *args, **kwargs)
            if is_data and response.status_code == 429:
                raise RateLimited("Yahoo asks for patience (429).", _retry_after(response))
            if is_data and response.status_code >= 500:
                raise SourceUnavailable(f"Yahoo answers {response.status_code}.")
            if is_data and response.status_code == 404:
                raise UnknownTicker("Yahoo does not know this ticker.")
            return response

    folder = settings.VAR_DIR / "yfinance"
    _forget_dead_processes(folder)
    yfinance.set_tz_cache_location(str(folder / str(process)))
    yfinance.config.debug.hide_exceptions = False
    YfData(session=Session(impersonate="chrome"))
    return yfinance


def warm_up() -> None:
    """Import yfinance, which takes a second or two, before somebody waits for it. For a process
    that has just begun.
    """
    _yfinance(os.getpid())
    log.info("market_data_ready", source="yahoo")


def server_time() -> datetime | None:
    """What Yahoo's clock says, from the Date of any answer; for a machine that has no other to
    compare its own with.
    """
    from curl_cffi import requests

    answer: Any = requests.Session(impersonate="chrome").request(
        "HEAD", "https://query1.finance.yahoo.com/", timeout=3
    )
    told = answer.headers.get("Date")
    return parsedate_to_datetime(told) if told else None


def _forget_dead_processes(folder: Any) -> None:
    for old in folder.glob("[0-9]*"):
        try:
            os.kill(int(old.name), 0)
        except ProcessLookupError:
            shutil.rmtree(old, ignore_errors=True)
        except OSError:
            continue


def _after_fork() -> None:
    """A child makes its own session: the parent's connections and locks are not its own."""
    import sys

    if "yfinance.data" in sys.modules:
        meta = sys.modules["yfinance.data"].SingletonMeta
        meta._instances, meta._lock = {}, threading.Lock()
    _yfinance.cache_clear()


os.register_at_fork(after_in_child=_after_fork)


def _forget_answers() -> None:
    from yfinance.data import YfData

    YfData.cache_get.cache_clear()


@contextmanager
def _errors() -> Iterator[None]:
    """Whatever yfinance and what lies below it raise, as one of ours."""
    try:
        yield
    except SourceError:
        _forget_answers()
        raise
    except Exception as error:
        _forget_answers()
        raise _translated(error) from error


def _translated(error: Exception) -> SourceError:
    from curl_cffi.requests import exceptions as http
    from yfinance import exceptions as yahoo

    if isinstance(error, yahoo.YFRateLimitError):
        return RateLimited("Yahoo asks for patience (429).")
    if isinstance(error, http.Timeout):
        return SourceTimeout("Yahoo did not answer in time.")
    if isinstance(error, http.InvalidJSONError):
        return BadAnswer("Yahoo's answer is not JSON.")
    if isinstance(error, http.RequestException | OSError):
        return SourceUnavailable("Yahoo cannot be reached.")
    if isinstance(error, yahoo.YFDataException):
        return SourceUnavailable("Yahoo says that it is down.")
    return BadAnswer(f"Yahoo's answer makes no sense ({type(error).__name__}: {error})"[:300])


class YahooSource:
    name = "yahoo"
    offline = False

    def handles(self, ticker: str) -> bool:
        return True

    def history(self, ticker: str, start: date) -> History:
        """Closes of days whose trading is over, events and the quote, with prices in the major
        unit.
        """
        if looks_like_isin(ticker):
            raise UnknownTicker("This is an ISIN, not a ticker.")  # yfinance would search for it
        with _errors(), _time_limit(settings.MARKET_DATA_TIMEOUT_SECONDS):
            return _read(self._ticker(ticker), ticker, start)

    def rates(self, base: str, target: str, start: date) -> list[tuple[date, Decimal]]:
        """Daily rates with today's so far; empty when Yahoo does not have the pair."""
        with _errors(), _time_limit(settings.MARKET_DATA_TIMEOUT_SECONDS):
            try:
                answer = _read(self._ticker(f"{base}{target}=X"), f"{base}{target}=X", start)
            except UnknownTicker:
                return []
        found = dict(answer.closes)
        if answer.quote and answer.quote.price > 0:
            found[answer.quote.day] = answer.quote.price
        return sorted((day, rate) for day, rate in found.items() if rate > 0)

    def search(self, query: str, limit: int) -> list[InstrumentInfo]:
        with _errors(), _time_limit(settings.MARKET_DATA_TIMEOUT_SECONDS):
            yfinance = _yfinance(os.getpid())

            class Uncached:
                """yfinance's data, asked anew each time."""

                def __init__(self, data: Any) -> None:
                    self.cache_get = data.get

            class FreshSearch(yfinance.Search):  # type: ignore[name-defined]
                def search(self) -> Any:
                    self._data: Any = Uncached(vars(self)["_data"])
                    return super().search()

            quotes = FreshSearch(
                query, max_results=limit, news_count=0, lists_count=0, recommended=0
            ).quotes
            return [
                _info_of_search(quote) for quote in quotes if isinstance(quote.get("symbol"), str)
            ][:limit]

    @staticmethod
    def _ticker(ticker: str) -> Any:
        made = _yfinance(os.getpid()).Ticker(ticker)
        made._tz = "UTC"
        return made


def _read(ticker: Any, name: str, start: date) -> History:
    from yfinance.exceptions import YFPricesMissingError

    frame: Any = None
    try:
        frame = ticker.history(
            # Ends in the future, so that yfinance neither cuts the last bar nor keeps the answer.
            start=start - timedelta(days=1),
            end=datetime.now(UTC).date() + timedelta(days=2),
            interval="1d",
            auto_adjust=False,
            actions=True,
            timeout=settings.MARKET_DATA_TIMEOUT_SECONDS,
        )
    except YFPricesMissingError as error:
        # No bars at all: fine for a quiet instrument that is described all the same.
        if "no data found" in (error.yahoo_reason or "").lower():
            raise UnknownTicker("Yahoo does not know this ticker.") from error
        if not ticker._price_history._history_metadata.get("currency"):
            raise BadAnswer(
                f"Yahoo's answer is empty. {error.yahoo_reason or ''}".strip()
            ) from error
    meta = ticker._price_history._history_metadata or {}
    info = _info_of_meta(meta, name)
    unit = MINOR_UNITS if meta.get("currency") in MAJOR_CURRENCIES else 1
    splits, dividends = _events(ticker._price_history, meta.get("currency", ""))
    # Yahoo restates every close, and every dividend, by the splits after it.
    bars = [(day, _exact(value / unit, later(splits, day))) for day, value in _bars(frame)]
    today, final = _trading_day(meta, info.exchange_timezone)
    quote = _quote(meta, info, bars, splits, unit)
    if not bars and quote is None:
        raise BadAnswer("Yahoo's answer has no prices.")
    return History(
        info=info,
        closes=[
            (day, close)
            for day, close in bars
            if day >= start and (day < today or (day == today and final))
        ],
        splits=[event for event in splits if event[0] >= start],
        dividends=[
            (day, _exact(amount / unit, later(splits, day)))
            for day, amount in dividends
            if day >= start
        ],
        quote=quote,
    )


def later(splits: list[tuple[date, Decimal]], day: date) -> Decimal:
    """How many of today's shares one share of `day` has become."""
    return split_factor(splits, day, date.max)


def _exact(value: float, factor: Decimal = Decimal(1)) -> Decimal:
    """`value` times `factor`, to the 7 significant digits that Yahoo's single precision carries."""
    return SINGLE_PRECISION.plus(Decimal(repr(float(value))) * factor)


def _bars(frame: Any) -> list[tuple[date, float]]:
    """(day in the exchange's zone, close in the quoted unit), oldest first, holes left out."""
    if frame is None or frame.empty:
        return []
    days = {
        stamp.date(): float(close)
        for stamp, close in zip(frame.index, frame["Close"], strict=True)
        if not math.isnan(close) and not math.isinf(close)
    }
    return sorted(days.items())


def _events(
    history: Any, currency: str
) -> tuple[list[tuple[date, Decimal]], list[tuple[date, float]]]:
    """Splits and dividends by the exchange's calendar.

    Read from the object rather than from the frame, where yfinance moves an event on a day without
    a bar to the bar
    before: its close would be taken for one in new shares.
    """
    splits = getattr(history, "_splits", None)
    found_splits = [
        (stamp.date(), Decimal(repr(float(ratio))))
        for stamp, ratio in ([] if splits is None else splits.items())
        if ratio > 0 and ratio != 1 and math.isfinite(ratio)
    ]
    paid = getattr(history, "_dividends", None)
    if paid is None:
        return sorted(found_splits), []
    if (
        getattr(paid, "ndim", 1) == 2
    ):  # with a currency of its own: another one than the price's is left out
        paid = paid[paid["currency"] == currency]["Dividends"]
    found = [
        (stamp.date(), float(amount))
        for stamp, amount in paid.items()
        if amount > 0 and math.isfinite(amount)
    ]
    return sorted(found_splits), sorted(found)


def _info_of_meta(meta: dict[str, Any], name: str) -> InstrumentInfo:
    currency = meta.get("currency")
    if not isinstance(currency, str) or not is_currency(
        MAJOR_CURRENCIES.get(currency, currency.upper())
    ):
        raise BadAnswer(f"Yahoo names no currency for {name}.")
    return InstrumentInfo(
        ticker=name,
        company_name=str(meta.get("longName") or meta.get("shortName") or "")[:200],
        currency=MAJOR_CURRENCIES.get(currency, currency.upper()),
        asset_type=ASSET_TYPES.get(str(meta.get("instrumentType")), "other"),
        exchange=str(meta.get("fullExchangeName") or meta.get("exchangeName") or "")[:60],
        exchange_timezone=str(meta.get("exchangeTimezoneName") or "UTC")[:60],
    )


def _info_of_search(quote: dict[str, Any]) -> InstrumentInfo:
    """Yahoo's search names no currency."""
    return InstrumentInfo(
        ticker=quote["symbol"].upper()[:40],
        company_name=str(quote.get("longname") or quote.get("shortname") or "")[:200],
        asset_type=ASSET_TYPES.get(str(quote.get("quoteType")), "other"),
        exchange=str(quote.get("exchDisp") or quote.get("exchange") or "")[:60],
        sector=str(quote.get("sectorDisp") or quote.get("sector") or "")[:100],
    )


def _trading_day(meta: dict[str, Any], zone: str) -> tuple[date, bool]:
    """The exchange's current day, and whether its trading is over, so that its bar is final."""
    now = datetime.now(ZoneInfo(zone))
    end = _moment(((meta.get("currentTradingPeriod") or {}).get("regular") or {}).get("end"), zone)
    return now.date(), end is not None and end.date() == now.date() and now >= end


def _moment(value: Any, zone: str) -> datetime | None:
    """A time of the metadata in the exchange's zone: yfinance has made most of them pandas' time
    stamps.
    """
    if isinstance(value, datetime):
        return value.astimezone(ZoneInfo(zone))
    if isinstance(value, int) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, ZoneInfo(zone))
    return None


def _quote(
    meta: dict[str, Any],
    info: InstrumentInfo,
    bars: list[tuple[date, Decimal]],
    splits: list[tuple[date, Decimal]],
    unit: int,
) -> Quote | None:
    """The market price, or the last bar where Yahoo gives none."""
    price, at = (
        meta.get("regularMarketPrice"),
        _moment(meta.get("regularMarketTime"), info.exchange_timezone),
    )
    if isinstance(price, int | float) and math.isfinite(price) and at is not None:
        day, as_of = at.date(), at.astimezone(UTC)
        exact = _exact(price / unit)
    elif bars:
        day, exact = bars[-1]
        as_of = datetime(day.year, day.month, day.day, tzinfo=UTC)
    else:
        return None
    # Before the opening on the day of a split it is open whether Yahoo has restated this price
    # already.
    restated = dict(bars).get(day)
    if restated is not None and later(splits, day) != 1:
        exact = restated
    before = [(bar, close) for bar, close in bars if bar < day]
    previous = before[-1][1] / split_factor(splits, before[-1][0], day) if before else None
    return Quote(
        price=exact,
        previous_close=previous and SINGLE_PRECISION.plus(previous),
        as_of=as_of,
        day=day,
    )
