"""Invented prices for instruments whose ticker ends in .DEMO, without any network.

`NAME.DEMO` is quoted in NOK, `NAME.USD.DEMO` in USD, and so on for any currency. A price depends on
the ticker and the day alone, so it is the same in every installation. Weekdays only, from 2012 on.
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
SPLIT_SHARES = 4
SPLIT_RATIO = Decimal(SPLIT_SHARES)
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
    """Return what the ticker stands for. Raises UnknownTicker."""
    unknown = UnknownTicker(f"{ticker} is not simulated: use NAME.DEMO or NAME.USD.DEMO.")
    match = _TICKER.fullmatch(ticker.upper())
    if match is None:
        raise unknown
    currency = match[2] or "NOK"
    if not is_currency(currency):
        raise unknown
    dice = Random(f"about {ticker.upper()}")  # nosec B311  # the same price every time, no secret
    return InstrumentInfo(
        ticker=ticker.upper(),
        company_name=f"{match[1].title()} (simulated)",
        currency=currency,
        asset_type="stock",
        exchange="Simulated",
        exchange_timezone="UTC",
        sector=dice.choice(_SECTORS),
        country=dice.choice(_COUNTRIES),
    )


def split_day(ticker: str) -> date | None:
    """Return the first day on which one old share is four new ones, None without a split."""
    dice = Random(f"split {ticker.upper()}")  # nosec B311  # the same price every time, no secret
    chosen = dice.random() < 0.2
    if not chosen and not ticker.upper().startswith("SPLIT"):
        return None
    return _weekday(date(2022, 9, 1) + timedelta(days=int(dice.random() * 90)))


def closes(ticker: str, start: date, end: date) -> list[tuple[date, Decimal]]:
    """Return closes as traded from `start` to `end`, both included."""
    split = split_day(ticker) or date.max
    found = []
    for day, price in _walk(ticker.upper(), end.year):
        if day >= split:
            price /= SPLIT_SHARES
        if start <= day <= end:
            found.append((day, Decimal(f"{price:.2f}")))
    return found


def dividends(ticker: str, start: date, end: date) -> list[tuple[date, Decimal]]:
    """Return dividends per share as paid: about 2 % of the price, once a year in May.

    A third of the tickers pay none.
    """
    dice = Random(f"dividend {ticker.upper()}")  # nosec B311  # reproducible, no secret
    if dice.random() < 1 / 3 and not ticker.upper().startswith("SPLIT"):
        return []
    found, close = [], dict(closes(ticker, start, end))
    for year in range(max(start.year, FIRST_DAY.year), end.year + 1):
        day = _weekday(date(year, 5, 2 + int(dice.random() * 20)))
        if day in close:
            found.append((day, (close[day] * Decimal("0.02")).quantize(Decimal("0.01"))))
    return found


def _weekday(day: date) -> date:
    """Return `day`, or the Monday after a weekend."""
    if day.weekday() < 5:
        return day
    return day + timedelta(days=7 - day.weekday())


@lru_cache(maxsize=32)  # of half a megabyte each
def _walk(ticker: str, last_year: int) -> Sequence[tuple[date, float]]:
    """Return a geometric walk over the weekdays from 2012 to the end of `last_year`.

    It is drawn back towards a slowly rising level, which keeps it between 80 and 499. Only
    Random.random() is used: every version of Python gives the same sequence for a seed.
    """
    dice = Random(f"walk {ticker}")  # nosec B311  # the same price every time, no secret
    level = price = 90 + 160 * dice.random()
    volatility = 0.008 + 0.01 * dice.random()
    found, day, end = [], FIRST_DAY, date(last_year, 12, 31)
    while day <= end:
        bell = dice.random() + dice.random() + dice.random() - 1.5  # standard deviation 1/2
        if level < 320:
            level *= 1.00012
        price *= 1 + 2 * volatility * bell - 0.004 * (price / level - 1)
        price = min(max(price, 80.0), 499.0)
        found.append((day, price))
        day = _weekday(day + timedelta(days=1))
    return found


class SimulatedSource:
    name = "simulated"
    offline = True

    def handles(self, ticker: str) -> bool:
        return ticker.upper().endswith(SUFFIX)

    def history(self, ticker: str, start: date) -> History:
        """Return closes up to yesterday, and today's after 16:00 UTC.

        The quote is the latest weekday's.
        """
        info = instrument(ticker)
        now = datetime.now(UTC)
        today = now.date()
        known = closes(ticker, min(start, today - timedelta(days=7)), today)
        (_, previous), (day, price) = known[-2:]
        closing = datetime.combine(day, CLOSING_TIME, tzinfo=UTC)
        if now < closing:
            known = known[:-1]
        split = split_day(ticker)
        if split == day:
            previous /= SPLIT_RATIO
        splits = []
        if split and start <= split <= today:
            splits.append((split, SPLIT_RATIO))
        return History(
            info=info,
            closes=[close for close in known if close[0] >= start],
            splits=splits,
            dividends=dividends(ticker, start, today),
            quote=Quote(price=price, previous_close=previous, as_of=min(now, closing), day=day),
        )

    def search(self, query: str, limit: int) -> list[InstrumentInfo]:
        """Return the listed instruments whose ticker contains `query`, and `query` itself."""
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
