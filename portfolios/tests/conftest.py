"""Portfolios to test with. Instruments here are shared ones of the simulated source: nothing is
asked outside.
"""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal as D
from typing import Any

import pytest
from django.utils import timezone

from financeproj.users.models import User
from marketdata.models import CurrencyPair, HistoricalExchangeRate, StockMetadata, StockQuote
from marketdata.sources import registry
from portfolios import services
from portfolios.models import Portfolio, Transaction


@pytest.fixture
def portfolio(user: User) -> Portfolio:
    return services.create_portfolio(user=user, name="Nordic", currency="NOK")


@pytest.fixture
def no_other_rates(settings: Any) -> Iterator[None]:
    """Allow only the rates of the test, because the ECB's would fill the gaps."""
    settings.EXCHANGE_RATE_SOURCES = []
    registry.cache_clear()
    yield
    registry.cache_clear()


@pytest.fixture
def make_stock(db: None) -> Callable[..., StockMetadata]:
    def make(
        ticker: str = "FJORD.DEMO", currency: str = "NOK", price: str | None = None, **fields: Any
    ) -> StockMetadata:
        stock = StockMetadata.objects.create(
            ticker=ticker,
            currency=currency,
            company_name=fields.pop("company_name", ticker.title()),
            source="simulated",
            history_fetched_at=timezone.now(),
            **fields,
        )
        if price is not None:
            quote(stock, price)
        return stock

    return make


def quote(
    stock: StockMetadata, price: str, *, previous: str | None = None, on: date | None = None
) -> None:
    now = timezone.now()
    StockQuote.objects.update_or_create(
        stock=stock,
        defaults={
            "price": D(price),
            "previous_close": None if previous is None else D(previous),
            "as_of": now,
            "day": on or timezone.localdate(),
            "fetched_at": now,
            "source": "simulated",
        },
    )


@pytest.fixture
def stock(make_stock: Callable[..., StockMetadata]) -> StockMetadata:
    return make_stock(price="150")


def rate(base: str, target: str, value: str, on: date | None = None) -> None:
    pair, _ = CurrencyPair.objects.get_or_create(
        base=base, target=target, defaults={"fetched_at": timezone.now()}
    )
    HistoricalExchangeRate.objects.as_service().update_or_create(
        pair=pair, date=on or timezone.localdate(), defaults={"rate": D(value), "source": "test"}
    )


def trade(
    portfolio: Portfolio,
    stock: StockMetadata,
    kind: str,
    quantity: str,
    price: str | None = None,
    **fields: Any,
) -> Transaction:
    on = fields.pop("on", date(2024, 5, 2))
    decimals = {
        name: D(fields.pop(name)) for name in ("commission", "exchange_rate") if name in fields
    }
    return services.record_transaction(
        portfolio=portfolio,
        stock=stock,
        type=kind,
        date=on,
        quantity=D(quantity),
        price=None if price is None else D(price),
        **decimals,
        **fields,
    )
