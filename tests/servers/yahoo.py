"""A local server that plays Yahoo Finance: the chart, search, cookie and crumb paths, and its ways
to fail.

It keeps closes as traded and answers as Yahoo does: closes and dividends restated by the later
splits, in single precision, a bar's time being the opening of its day.
"""

import json
import math
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

import pytest

from tests.servers import network

FAULTS = ("429", "500", "hang", "drop", "garbage", "empty", "nulls")


def single(value: float) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]


def weekdays(start: date, end: date) -> Iterator[date]:
    day = start
    while day <= end:
        if day.weekday() < 5:
            yield day
        day += timedelta(days=1)


@dataclass
class Listed:
    """An instrument at its exchange. `closes` are as traded; None is a row of nulls."""

    symbol: str
    closes: dict[date, float | None]
    currency: str = "USD"
    zone: str = "America/New_York"
    opens: clock = clock(9, 30)
    shuts: clock = clock(16, 0)
    name: str = ""
    kind: str = "EQUITY"
    exchange: str = "Test Exchange"
    splits: dict[date, tuple[int, int]] = field(default_factory=dict)
    dividends: dict[date, float] = field(default_factory=dict)
    dividend_currency: str = ""  # given only if it differs from the price's
    quoted: bool = True  # whether a market price is given
    price: float | None = None  # of the market now; the last close unless set
    at: datetime | None = None  # when that was; the end of the last close's day unless set
    is_delisted: bool = False  # days without a close are refused
    is_busy: bool = False  # splits and dividends are left out; closes stay restated by them
    answers_as: str = ""  # the symbol that the answer names, if another than the one asked for

    def moment(self, day: date, at: clock) -> datetime:
        return datetime.combine(day, at, tzinfo=ZoneInfo(self.zone))

    def later_factor(self, day: date) -> float:
        factor = 1.0
        for split, (new, old) in self.splits.items():
            has_begun = day < split <= datetime.now(ZoneInfo(self.zone)).date()
            if has_begun and 0 < new < math.inf and old:
                factor *= new / old
        return factor


class FakeYahoo:
    """`fault` (one of FAULTS) holds for every path with data, `faults[symbol]` for one symbol."""

    def __init__(self) -> None:
        self.listed: dict[str, Listed] = {}
        self.fault: str | None = None
        self.faults: dict[str, str] = {}
        self.cookie_fault: str | None = None
        self.search_fault: str | None = None
        self.search_faults: dict[str, str] = {}  # by what is searched for
        self.found_for: dict[str, list[dict[str, Any]]] = {}  # by ISIN
        self.retry_after: str | None = None
        self.delay = 0.0
        self.found: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.open_now = 0
        self._closing = threading.Event()
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"yahoo": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def release(self) -> None:
        """End the requests that hang now without an answer; the next ones may hang again."""
        closing, self._closing = self._closing, threading.Event()
        closing.set()

    def list(
        self, symbol: str, closes: dict[date, float | None] | Iterable[float], **about: Any
    ) -> Listed:
        """List an instrument: closes by day, or the last ones, one per weekday, ending today."""
        if not isinstance(closes, dict):
            values = list(closes)
            zone = ZoneInfo(about.get("zone", "America/New_York"))
            today = datetime.now(zone).date()
            days = list(weekdays(today - timedelta(days=2 * len(values) + 7), today))[
                -len(values) :
            ]
            closes = dict(zip(days, values, strict=True))
        self.listed[symbol] = Listed(symbol, closes, **about)
        return self.listed[symbol]

    def list_rate(
        self, base: str, target: str, rates: dict[date, float | None] | Iterable[float]
    ) -> Listed:
        about = {
            "currency": target,
            "zone": "Europe/London",
            "opens": clock(0),
            "shuts": clock(23, 59),
        }
        return self.list(f"{base}{target}=X", rates, kind="CURRENCY", **about)

    def asked(self, kind: str = "chart", symbol: str | None = None) -> int:
        """Return the number of requests; kind is chart, search, cookie or crumb."""
        with self._lock:
            return sum(1 for k, s, _ in self.requests if k == kind and symbol in (None, s))

    def most_repeated(self) -> int:
        with self._lock:
            return max(Counter((k, s) for k, s, _ in self.requests).values(), default=0)

    def forget_requests(self) -> None:
        with self._lock:
            self.requests.clear()

    # --- answers ---

    def chart(self, symbol: str, query: dict[str, str]) -> tuple[int, Any]:
        listed = self.listed.get(symbol)
        if listed is None:
            error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
            return 404, {"chart": {"result": None, "error": error}}
        if self.fault_of(symbol) == "empty":
            return 200, {"chart": {"result": [], "error": None}}
        now = datetime.now(UTC).timestamp()
        first = (
            float(query.get("period1", now - 86400)) if "range" not in query else now - 6 * 86400
        )
        last = min(float(query.get("period2", now)), now)
        days = [
            day
            for day in sorted(listed.closes)
            if first <= listed.moment(day, listed.opens).timestamp() <= last
        ]
        if listed.is_delisted and not days:
            described = f"Data doesn't exist for startDate = {first:.0f}, endDate = {last:.0f}"
            error = {"code": "Bad Request", "description": described}
            return 400, {"chart": {"result": None, "error": error}}
        nulls = self.fault_of(symbol) == "nulls"
        closes: list[float | None] = []
        for day in days:
            close = listed.closes[day]
            if nulls or close is None:
                closes.append(None)
            else:
                closes.append(single(close / listed.later_factor(day)))
        known = [day for day in sorted(listed.closes) if listed.closes[day] is not None]
        meta: dict[str, Any] = {
            "currency": None if nulls else listed.currency,
            "symbol": listed.answers_as or symbol,
            "exchangeName": "TST",
            "fullExchangeName": listed.exchange,
            "instrumentType": listed.kind,
            "exchangeTimezoneName": listed.zone,
            "timezone": "T",
            "gmtoffset": 0,
            "longName": listed.name,
            "shortName": listed.name,
            "priceHint": 2,
            "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
            "dataGranularity": "1d",
        }
        if known and not nulls and listed.quoted:
            day = known[-1]
            at = listed.at or min(listed.moment(day, listed.shuts), datetime.now(UTC))
            meta["regularMarketPrice"] = (
                listed.closes[day] if listed.price is None else listed.price
            )
            meta["regularMarketTime"] = int(at.timestamp())
        today = datetime.now(ZoneInfo(listed.zone)).date()
        session = {
            "timezone": "T",
            "gmtoffset": 0,
            "start": int(listed.moment(today, listed.opens).timestamp()),
            "end": int(listed.moment(today, listed.shuts).timestamp()),
        }
        meta["currentTradingPeriod"] = {name: dict(session) for name in ("pre", "regular", "post")}
        result: dict[str, Any] = {"meta": meta, "indicators": {"quote": [{}], "adjclose": [{}]}}
        if days:
            result["timestamp"] = [
                int(listed.moment(day, listed.opens).timestamp()) for day in days
            ]
            bars = dict.fromkeys(("open", "high", "low", "close"), closes)
            volume: list[int | None] = [1000] * len(closes)
            for position, close in enumerate(closes):
                if close is None:
                    volume[position] = None
            result["indicators"] = {
                "quote": [{**bars, "volume": volume}],
                "adjclose": [{"adjclose": closes}],
            }
        events = self._events(listed, first, last)
        if events and not listed.is_busy:
            result["events"] = events
        return 200, {"chart": {"result": [result], "error": None}}

    @staticmethod
    def _events(listed: Listed, first: float, last: float) -> dict[str, Any]:
        events: dict[str, dict[str, Any]] = {"splits": {}, "dividends": {}}
        for day, (new, old) in listed.splits.items():
            at = int(listed.moment(day, listed.opens).timestamp())
            if first <= at <= last:
                ratio = {
                    "numerator": float(new),
                    "denominator": float(old),
                    "splitRatio": f"{new}:{old}",
                }
                events["splits"][str(at)] = {"date": at, **ratio}
        for day, amount in listed.dividends.items():
            at = int(listed.moment(day, listed.opens).timestamp())
            if first <= at <= last:
                paid = {"date": at, "amount": single(amount / listed.later_factor(day))}
                events["dividends"][str(at)] = paid | (
                    {"currency": listed.dividend_currency} if listed.dividend_currency else {}
                )
        return {name: found for name, found in events.items() if found}

    def fault_of(self, symbol: str) -> str | None:
        return self.faults.get(symbol, self.fault)


class _Handler(BaseHTTPRequestHandler):
    yahoo: FakeYahoo
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        with self.yahoo._lock:
            self.yahoo.open_now += 1
        try:
            self._answer()
        finally:
            with self.yahoo._lock:
                self.yahoo.open_now -= 1

    do_POST = do_GET

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        kind, symbol = self._kind(parts.path)
        symbol = query.get("q", "") if kind == "search" else symbol
        with self.yahoo._lock:
            self.yahoo.requests.append((kind, symbol, query))
        if kind == "search":
            fault = self.yahoo.search_faults.get(symbol, self.yahoo.search_fault)
            fault = fault or self.yahoo.fault
        else:
            fault = self.yahoo.fault_of(symbol) if kind == "chart" else self.yahoo.cookie_fault
        if self.yahoo.delay and kind in ("chart", "search"):
            time.sleep(self.yahoo.delay)
        if fault == "429":
            headers = {"Retry-After": self.yahoo.retry_after} if self.yahoo.retry_after else {}
            self._send(429, b"Too Many Requests", "text/html", headers)
        elif fault == "500":
            self._send(500, b"<html>Internal Server Error</html>", "text/html")
        elif fault == "hang":
            self.yahoo._closing.wait(120)
            self._drop()
        elif fault == "drop":
            self._drop()
        elif fault == "garbage":
            self._send(200, b"<html><body>Nothing to see</body></html>", "text/html")
        elif kind == "chart":
            status, body = self.yahoo.chart(symbol, query)
            self._send_json(status, body)
        elif kind == "search":
            quotes = [] if fault in ("empty", "nulls") else self._matches(query.get("q", ""))
            self._send_json(200, {"quotes": quotes, "news": [], "count": len(quotes)})
        elif kind == "crumb":
            self._send(200, b"crumb123", "text/plain")
        else:
            self._send(404, b"", "text/html", {"Set-Cookie": "A3=abc; Path=/"})

    def _matches(self, text: str) -> list[dict[str, Any]]:
        if text in self.yahoo.found_for:
            return self.yahoo.found_for[text]
        wanted = text.casefold()
        listed = [
            {
                "symbol": one.symbol,
                "longname": one.name,
                "quoteType": one.kind,
                "exchDisp": one.exchange,
            }
            for one in self.yahoo.listed.values()
            if wanted in one.symbol.casefold() or wanted in one.name.casefold()
        ]
        return [*self.yahoo.found, *listed]

    @staticmethod
    def _kind(path: str) -> tuple[str, str]:
        if path.startswith("/v8/finance/chart/"):
            return "chart", unquote(path.rsplit("/", 1)[1])
        if path == "/v1/finance/search":
            return "search", ""
        return ("crumb", "") if path.endswith("/getcrumb") else ("cookie", "")

    def _send_json(self, status: int, body: Any) -> None:
        self._send(status, json.dumps(body).encode(), "application/json")

    def _send(
        self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None
    ) -> None:
        with suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    def _drop(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(2)


def _forget_session() -> None:
    """Clear yfinance's cookies, crumb and answers, and calls of an earlier test that still hang."""
    import sys

    from integrations.yahoo import session

    if "yfinance.data" in sys.modules:
        sys.modules["yfinance.data"].SingletonMeta._instances.clear()
        sys.modules["yfinance.data"].YfData.cache_get.cache_clear()
    session.yfinance.cache_clear()
    for thread in threading.enumerate():
        if thread.name == "third-party":
            thread.join(3)


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> None:
    network.close_the_network()


@pytest.fixture
def yahoo() -> Iterator[FakeYahoo]:
    """Run a fake Yahoo; the real yfinance uses it."""
    import yfinance  # noqa: F401  so that no call's time goes into the import

    server = FakeYahoo()
    network.send_yahoo_to(server.url)
    _forget_session()
    yield server
    network.send_yahoo_to(None)
    server.stop()
    _forget_session()
