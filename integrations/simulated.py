"""Invented prices for instruments whose ticker ends in .DEMO: the same for everybody, without any
network.

`NAME.DEMO` is quoted in NOK, `NAME.USD.DEMO` in USD, and so on for any currency. A price depends on
the ticker and the day alone. Weekdays only, from 2012 on.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from random import Random

from financeproj.core.currencies import is_currency
from marketdata.sources import History, InstrumentInfo, Quote, UnknownTicker

SUFFIX = ".DEMO"
FIRST_DAY = date(2012, 1, 2)
SPLIT_RATIO = Decimal(4)
CLOSING_TIME = time(16, 0)

_TICKER = re.compile(r"([A-Z0-9][A-Z0-9_-]{0,19})(?:\.([A-Z]{3}))?\.DEMO")
_SECTORS = ("Energy", "Industrials", "Technology", "Health Care", "Consumer Staples", "Financials")
_COUNTRIES = ("Norway", "Sweden", "Denmark", "Germany", "United States")
_LISTED = (
    "FJORD",
    "NORDLYS",
    "SPLITFJELL",
    "BREEN",
    "HAVBRIS",
    "ATLAS.USD",
    "SPLITPEAK.USD",
    "HARBOR.USD",
)


def instrument(ticker: str) -> InstrumentInfo:
    """What the ticker stands for. Raises UnknownTicker."""
    match = _TICKER.fullmatch(ticker.upper())
    if match is None or not is_currency(match[2] or "NOK"):
        raise UnknownTicker(f"{ticker} is not a simulated instrument: NAME.DEMO or NAME.USD.DEMO.")
    dice = Random(f"about {ticker.upper()}")  # nosec B311  # the same price every time, no secret
    return InstrumentInfo(
        ticker=ticker.upper(),
        company_name=f"{match[1].title()} (simulated)",
        currency=match[2] or "NOK",
        asset_type="stock",
        exchange="Simulated",
        exchange_timezone="UTC",
        sector=dice.choice(_SECTORS),
        country=dice.choice(_COUNTRIES),
    )


def split_day(ticker: str) -> date | None:
    """The first day on which one old share is four new ones; None for a ticker without a split."""
    dice = Random(f"split {ticker.upper()}")  # nosec B311  # the same price every time, no secret
    chosen = dice.random() < 0.2
    if not chosen and not ticker.upper().startswith("SPLIT"):
        return None
    return _weekday(date(2022, 9, 1) + timedelta(days=int(dice.random() * 90)))


def closes(ticker: str, start: date, end: date) -> list[tuple[date, Decimal]]:
    """Closes as traded from `start` to `end`, both included."""
    walk, split = _walk(ticker.upper(), end.year), split_day(ticker)
    found = []
    for day, price in walk:
        if start <= day <= end:
            traded = price / 4 if split and day >= split else price
            found.append((day, Decimal(f"{traded:.2f}")))
    return found


def dividends(ticker: str, start: date, end: date) -> list[tuple[date, Decimal]]:
    """Once a year in May about 2 % of the price, per share as paid; a third of the tickers pay
    none.
    """
    dice = Random(f"dividend {ticker.upper()}")  # nosec B311  # the same price every time, no secret
    if dice.random() < 1 / 3 and not ticker.upper().startswith("SPLIT"):
        return []
    found, close = [], dict(closes(ticker, start, end))
    for year in range(max(start.year, FIRST_DAY.year), end.year + 1):
        day = _weekday(date(year, 5, 2 + int(dice.random() * 20)))
        if day in close:
            found.append((day, (close[day] * Decimal("0.02")).quantize(Decimal("0.01"))))
    return found


def _weekday(day: date) -> date:
    """`day`, or the Monday after a weekend."""
    return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() >= 5 else 0)


@lru_cache(maxsize=256)
def _walk(ticker: str, last_year: int) -> Sequence[tuple[date, float]]:
    """A geometric walk over the weekdays, drawn back towards its starting level so that it stays
    between 20 and 500.

    Only Random.random() is used: its sequence for a seed is promised to stay the same in every
    version of Python.
    """
    dice = Random(f"walk {ticker}")  # nosec B311  # the same price every time, no secret
    level = price = 90 + 160 * dice.random()
    volatility = 0.008 + 0.01 * dice.random()
    found, day, end = [], FIRST_DAY, date(last_year, 12, 31)
    while day <= end:
        bell = dice.random() + dice.random() + dice.random() - 1.5  # standard deviation 1/2
        level *= 1.00012 if level < 320 else 1
        price *= 1 + 2 * volatility * bell - 0.004 * (price / level - 1)
        price = min(max(price, 80.0), 499.0)
        found.append((day, price))
        day += timedelta(days=3 if day.weekday() == 4 else 1)
    return found


class SimulatedSource:
    name = "simulated"
    offline = True

    def handles(self, ticker: str) -> bool:
        return ticker.upper().endswith(SUFFIX)

    def history(self, ticker: str, start: date) -> History:
        """Closes up to yesterday, today's once it is past 16:00 UTC; the quote is the latest
        weekday's.
        """
        info = instrument(ticker)
        now = datetime.now(UTC)
        known = closes(ticker, min(start, now.date() - timedelta(days=7)), now.date())
        day, price = known[-1]
        closing = datetime.combine(day, CLOSING_TIME, tzinfo=UTC)
        split = split_day(ticker)
        previous = known[-2][1] / SPLIT_RATIO if split == day else known[-2][1]
        final = known if now >= closing else known[:-1]
        return History(
            info=info,
            closes=[close for close in final if close[0] >= start],
            splits=[(split, SPLIT_RATIO)] if split and start <= split <= now.date() else [],
            dividends=dividends(ticker, start, now.date()),
            quote=Quote(price=price, previous_close=previous, as_of=min(now, closing), day=day),
        )

    def search(self, query: str, limit: int) -> list[InstrumentInfo]:
        wanted = query.upper()
        found = [name + SUFFIX for name in _LISTED if wanted in name + SUFFIX]
        if _TICKER.fullmatch(wanted) and wanted not in found:
            found.insert(0, wanted)
        return [instrument(ticker) for ticker in found[:limit] if self._exists(ticker)]

    @staticmethod
    def _exists(ticker: str) -> bool:
        try:
            instrument(ticker)
        except UnknownTicker:
            return False
        return True
