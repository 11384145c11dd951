"""The shapes of the answers about market data."""

from datetime import date, datetime
from decimal import Decimal

from msgspec import Struct


class CurrencyPayload(Struct):
    code: str
    name: str
    symbol: str
    decimal_places: int
    in_use: bool


class PricePayload(Struct):
    ticker: str
    price: Decimal
    previous_close: Decimal | None
    change: Decimal | None
    change_pct: Decimal | None
    currency: str
    as_of: datetime
    fetched_at: datetime | None
    source: str
    stale: bool


class StoredPricePayload(Struct):
    ticker: str
    date: date
    close: Decimal
    currency: str
    source: str


class RatePayload(Struct):
    base: str
    target: str
    rate: Decimal
    date: date
    source: str
    stale: bool


class ClosePointPayload(Struct):
    date: date
    close: Decimal
    adjusted_close: Decimal


class SplitPayload(Struct):
    date: date
    ratio: Decimal


class DividendPayload(Struct):
    date: date
    amount: Decimal


class PriceHistoryPayload(Struct):
    ticker: str
    currency: str
    points: list[ClosePointPayload]
    splits: list[SplitPayload]
    dividends: list[DividendPayload]
    stale: bool


class RatePointPayload(Struct):
    date: date
    rate: Decimal


class RateHistoryPayload(Struct):
    base: str
    target: str
    points: list[RatePointPayload]
    source: str
    stale: bool
