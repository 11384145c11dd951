"""Instruments and prices for tests, written through the services."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from marketdata import services
from marketdata.models import StockMetadata
from marketdata.sources import Quote


def instrument(
    ticker: str = "ACME", *, currency: str = "USD", owner: Any = None, **fields: Any
) -> StockMetadata:
    source = fields.pop("source", "manual" if owner else "yahoo")
    return StockMetadata.objects.create(
        ticker=ticker, currency=currency, owner=owner, source=source, **fields
    )


def decimals(pairs: Iterable[tuple[date, Any]]) -> list[tuple[date, Decimal]]:
    return [(day, Decimal(str(value))) for day, value in pairs]


def with_closes(
    stock: StockMetadata, closes: dict[date, Any], source: str = "yahoo"
) -> StockMetadata:
    services.record_prices(stock=stock, closes=decimals(closes.items()), source=source)
    stock.refresh_from_db()
    return stock


def with_splits(stock: StockMetadata, splits: dict[date, Any]) -> StockMetadata:
    services.record_splits(stock=stock, splits=decimals(splits.items()), source="yahoo")
    stock.refresh_from_db()
    return stock


def with_quote(
    stock: StockMetadata, price: Any, day: date, *, age: timedelta = timedelta(0)
) -> StockMetadata:
    at = datetime(day.year, day.month, day.day, 15, tzinfo=UTC)
    quote = Quote(Decimal(str(price)), None, at, day)
    services.record_quote(
        stock=stock, quote=quote, source=stock.source, fetched_at=datetime.now(UTC) - age
    )
    stock.refresh_from_db()
    return stock


def with_rates(base: str, target: str, rates: dict[date, Any], source: str = "yahoo") -> None:
    services.record_rates(base=base, target=target, rates=decimals(rates.items()), source=source)
