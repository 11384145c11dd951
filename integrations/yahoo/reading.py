"""What Yahoo's answers mean: closes as traded, events, instruments and quotes.

Yahoo restates every close and dividend by the splits after it, quotes some exchanges in hundredths
of the currency, and sends single-precision numbers.
"""

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from financeproj.core.currencies import is_currency
from financeproj.core.identifiers import MAJOR_CURRENCIES, MINOR_UNITS, is_ticker, major_currency
from integrations.yahoo.exchanges import currency_of_listing
from integrations.yahoo.session import NO_DATA, NO_DATA_AT_YAHOO, UNKNOWN
from marketdata.calc.events import LARGEST_RATIO, SMALLEST_RATIO
from marketdata.calc.sanity import split_factor
from marketdata.sources import BadAnswer, History, InstrumentInfo, NoData, Quote, UnknownTicker

SINGLE_PRECISION = Context(prec=7)  # what a float32 carries of a decimal
ASSET_TYPES = {
    "EQUITY": "stock",
    "ETF": "etf",
    "MUTUALFUND": "fund",
    "CRYPTOCURRENCY": "crypto",
    "INDEX": "index",
    "BOND": "bond",
}

Splits = list[tuple[date, Decimal]]


def read_history(ticker: Any, name: str, start: date) -> History:
    """Return what Yahoo knows from `start` on, of yfinance's `ticker` called `name`.

    Raises UnknownTicker, NoData or BadAnswer.
    """
    frame = _frame(ticker, start)
    meta = ticker._price_history._history_metadata or {}
    info = _info_of_meta(meta, name)
    unit = 1
    if meta.get("currency") in MAJOR_CURRENCIES:
        unit = MINOR_UNITS
    splits = _splits(ticker._price_history)
    bars = _as_traded(_bars(frame), splits, unit)
    dividends = _dividends(ticker._price_history, meta.get("currency", ""))
    quote = _quote(meta, info, bars, splits, unit)
    if not bars and quote is None:
        raise NoData(NO_DATA)
    last_final = _last_final_day(meta, info.exchange_timezone)
    return History(
        info=info,
        closes=[bar for bar in bars if start <= bar[0] <= last_final],
        splits=[event for event in splits if event[0] >= start],
        dividends=[paid for paid in _as_traded(dividends, splits, unit) if paid[0] >= start],
        quote=quote,
    )


def _frame(ticker: Any, start: date) -> Any:
    """Return yfinance's frame of daily bars, None for an instrument without any."""
    from yfinance.exceptions import YFPricesMissingError

    try:
        return ticker.history(
            # It reads the start in the instrument's zone, so ask from a day earlier. It ends in the
            # future, so that yfinance neither cuts the last bar nor keeps the answer.
            start=start - timedelta(days=1),
            end=datetime.now(UTC).date() + timedelta(days=2),
            interval="1d",
            auto_adjust=False,
            actions=True,
            timeout=settings.MARKET_DATA_TIMEOUT_SECONDS,
        )
    except YFPricesMissingError as error:
        reason = error.yahoo_reason or ""
        if "no data found" in reason.lower():
            raise UnknownTicker(UNKNOWN) from error
        if NO_DATA_AT_YAHOO in reason.lower():
            raise NoData(NO_DATA) from error
        # No bars at all is fine for a quiet instrument that is described all the same.
        if not ticker._price_history._history_metadata.get("currency"):
            raise BadAnswer(f"Yahoo's answer is empty. {reason}".strip()) from error
        return None


# --- Bars and events ------------------------------------------------------------------------------


def _exact(value: float, factor: Decimal = Decimal(1)) -> Decimal:
    """Return `value` times `factor`, to the 7 significant digits of single precision."""
    return SINGLE_PRECISION.plus(Decimal(repr(float(value))) * factor)


def later(splits: Splits, day: date) -> Decimal:
    """Return how many of today's shares one share of `day` has become."""
    return split_factor(splits, day, date.max)


def _as_traded(
    values: list[tuple[date, float]], splits: Splits, unit: int
) -> list[tuple[date, Decimal]]:
    """Return `values` in the major unit, and in the shares of their day."""
    return [(day, _exact(value / unit, later(splits, day))) for day, value in values]


def _bars(frame: Any) -> list[tuple[date, float]]:
    """Return (day in the exchange's zone, close in the quoted unit), oldest first, without gaps."""
    if frame is None or frame.empty:
        return []
    days = {}
    for stamp, close in zip(frame.index, frame["Close"], strict=True):
        if math.isfinite(close):
            days[stamp.date()] = float(close)
    return sorted(days.items())


# Events are read from the object rather than from the frame, where yfinance moves an event on a day
# without a bar to the bar before: its close would be taken for one in new shares.


def _splits(history: Any) -> Splits:
    """Return splits by the exchange's calendar, oldest first.

    Ratios that cannot be, and days that have not begun, are left out: closes are not undone with
    them.
    """
    ratios = getattr(history, "_splits", None)
    if ratios is None:
        return []
    found = []
    for stamp, ratio in ratios.items():
        if not math.isfinite(ratio) or stamp.date() > datetime.now(stamp.tzinfo).date():
            continue
        if ratio != 1 and SMALLEST_RATIO <= ratio <= LARGEST_RATIO:
            found.append((stamp.date(), Decimal(repr(float(ratio)))))
    return sorted(found)


def _dividends(history: Any, currency: str) -> list[tuple[date, float]]:
    """Return dividends by the exchange's calendar, oldest first, in the quoted unit.

    Those paid in another currency than `currency` are left out.
    """
    paid = getattr(history, "_dividends", None)
    if paid is None:
        return []
    if getattr(paid, "ndim", 1) == 2:  # a column has the currency
        paid = paid[paid["currency"] == currency]["Dividends"]
    found = []
    for stamp, amount in paid.items():
        if amount > 0 and math.isfinite(amount):
            found.append((stamp.date(), float(amount)))
    return sorted(found)


# --- Instruments ----------------------------------------------------------------------------------


def _info_of_meta(meta: dict[str, Any], name: str) -> InstrumentInfo:
    quoted = meta.get("currency")
    if not isinstance(quoted, str):
        raise BadAnswer(f"Yahoo gives no currency for {name}.")
    currency = major_currency(quoted)
    if currency == quoted:
        currency = quoted.upper()
    if not is_currency(currency):
        raise BadAnswer(f"Yahoo gives no currency for {name}.")
    return InstrumentInfo(
        ticker=name,
        company_name=_text(meta, "longName", "shortName", length=200),
        currency=currency,
        asset_type=ASSET_TYPES.get(str(meta.get("instrumentType")), "other"),
        exchange=_text(meta, "fullExchangeName", "exchangeName", length=60),
        exchange_timezone=_text(meta, "exchangeTimezoneName", length=60) or "UTC",
        renamed_to=_other_ticker(meta, name),
    )


def _other_ticker(meta: dict[str, Any], name: str) -> str:
    """Return the symbol under which Yahoo answers, if it is another ticker than `name`."""
    if not has_ticker(meta) or meta.get("instrumentType") == "CURRENCY":
        return ""  # USDNOK=X is answered as NOK=X
    symbol: str = meta["symbol"].upper()
    if symbol == name.upper():
        return ""
    return symbol


def has_ticker(quote: dict[str, Any]) -> bool:
    """Return whether what Yahoo names has a symbol that can be a ticker."""
    symbol = quote.get("symbol")
    return isinstance(symbol, str) and is_ticker(symbol.upper())


def info_of_search(quote: dict[str, Any]) -> InstrumentInfo:
    """Return an instrument that a search found.

    Yahoo's search names no currency: it follows from the exchange, where that trades in one.
    """
    ticker = quote["symbol"].upper()
    asset_type = ASSET_TYPES.get(str(quote.get("quoteType")), "other")
    return InstrumentInfo(
        ticker=ticker,
        company_name=_text(quote, "longname", "shortname", length=200),
        currency=_currency_of_listing(ticker, quote, asset_type),
        asset_type=asset_type,
        exchange=_text(quote, "exchDisp", "exchange", length=60),
        sector=_text(quote, "sectorDisp", "sector", length=100),
    )


def _currency_of_listing(ticker: str, quote: dict[str, Any], asset_type: str) -> str:
    if asset_type not in ("stock", "etf", "fund"):
        return ""
    exchange = str(quote.get("exchange"))
    return currency_of_listing(ticker, exchange, is_fund=asset_type != "stock")


def _text(values: dict[str, Any], *names: str, length: int) -> str:
    """Return the first of the named values that is not empty, cut to `length`."""
    for name in names:
        if values.get(name):
            return str(values[name])[:length]
    return ""


# --- The quote ------------------------------------------------------------------------------------


def _last_final_day(meta: dict[str, Any], zone: str) -> date:
    """Return the last day whose trading is over, so that its bar is final."""
    now = datetime.now(ZoneInfo(zone))
    regular = (meta.get("currentTradingPeriod") or {}).get("regular") or {}
    end = _moment(regular.get("end"), zone)
    if end is not None and end.date() == now.date() and now >= end:
        return now.date()
    return now.date() - timedelta(days=1)


def _moment(value: Any, zone: str) -> datetime | None:
    """Return a time of the metadata in the exchange's zone.

    yfinance has turned most of them into pandas' timestamps.
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
    splits: Splits,
    unit: int,
) -> Quote | None:
    """Return the market price, or the last bar where Yahoo gives none."""
    price = meta.get("regularMarketPrice")
    at = _moment(meta.get("regularMarketTime"), info.exchange_timezone)
    if isinstance(price, int | float) and math.isfinite(price) and at is not None:
        day, as_of = at.date(), at.astimezone(UTC)
        exact = _exact(price / unit)
    elif bars:
        day, exact = bars[-1]
        as_of = datetime(day.year, day.month, day.day, tzinfo=UTC)
    else:
        return None
    # On the day of a split, before the opening, Yahoo may or may not have restated this price
    # already: the bar of the day is certain.
    bar = dict(bars).get(day)
    if bar is not None and later(splits, day) != 1:
        exact = bar
    previous = _previous_close(bars, splits, day)
    return Quote(price=exact, previous_close=previous, as_of=as_of, day=day)


def _previous_close(bars: list[tuple[date, Decimal]], splits: Splits, day: date) -> Decimal | None:
    """Return the last close before `day`, in the shares of `day`."""
    before = [bar for bar in bars if bar[0] < day]
    if not before:
        return None
    previous_day, close = before[-1]
    return SINGLE_PRECISION.plus(close / split_factor(splits, previous_day, day))
