"""Test instruments that no longer trade, of which Yahoo refuses the latest days."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
import time_machine

from marketdata import gateway, services
from marketdata.models import HistoricalStockPrice, StockMetadata
from portfolios.models import Holding

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 3, 22, 0, tzinfo=UTC)
GONE = [f"GONE{number}" for number in range(8)]
LAST_DAY = date(2021, 6, 30)


@pytest.fixture
def market(yahoo, settings):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 5
    with time_machine.travel(NOW) as clock:
        yahoo.clock = clock
        for number, ticker in enumerate(GONE):
            closes = {LAST_DAY - timedelta(days=1): 20.0 + number, LAST_DAY: 21.0 + number}
            yahoo.list(ticker, closes, is_delisted=True)
        yahoo.list("ACME", [100.0, 101.0])
        yield yahoo


def circuit():
    state = gateway.state()["yahoo"]
    return state["state"], state["failures"]


def test_instruments_that_stopped_years_ago_are_imported_complete_and_stale(upload, api, market):
    rows = [f"2021-06-29,buy,{ticker},10,20,,USD,8.5" for ticker in [*GONE, "ACME"]]
    body = upload.done(*rows)
    assert (body["created"], body["failed"]) == (9, 0)
    for stock in StockMetadata.objects.all():
        services.refresh_history(stock.pk)
    assert circuit() == ("closed", 0)
    for number, ticker in enumerate(GONE):
        price = api.get(f"/api/v1/stocks/{ticker}/price").json()
        assert (price["price"], price["as_of"][:10], price["stale"]) == (
            21.0 + number,
            "2021-06-30",
            True,
        )
        stock = StockMetadata.objects.get(ticker=ticker)
        assert (stock.owner, stock.prices.count()) == (None, 2)
        assert market.asked("chart", ticker) == 1
    assert api.get("/api/v1/stocks/ACME/price").json()["stale"] is False
    assert market.asked("chart", "ACME") == 1


def test_a_share_that_stopped_weeks_ago_is_bought_without_a_currency(api, market):
    stopped = date(2026, 2, 3)
    market.list("LATE", {stopped - timedelta(days=1): 7.0, stopped: 8.0}, is_delisted=True)
    portfolio = api.post("/api/v1/portfolios", {"name": "Old", "currency": "USD"}).json()
    body = {"portfolio_id": portfolio["id"], "ticker": "LATE", "type": "buy"}
    response = api.post(
        "/api/v1/transactions", body | {"date": "2026-02-02", "quantity": 10, "price": 7}
    )
    assert response.status_code == 201, response.json()
    holding = api.get(f"/api/v1/holdings/{Holding.objects.get().pk}").json()
    assert (holding["currency"], holding["price"], holding["price_as_of"][:10]) == (
        "USD",
        8,
        "2026-02-03",
    )
    assert holding["price_stale"] is True
    assert circuit() == ("closed", 0)
    assert market.asked("chart", "LATE") == 1


def test_an_idle_instrument_is_not_asked_for_again_within_the_cache_time(api, market):
    for _ in range(3):
        assert api.get("/api/v1/stocks/GONE0/price").json()["price"] == 21
    assert market.asked("chart", "GONE0") == 2
    market.clock.shift(timedelta(minutes=16))
    answer = api.get("/api/v1/stocks/GONE0/price").json()
    assert (answer["price"], answer["stale"]) == (21, True)
    assert market.asked("chart", "GONE0") == 3  # its days since the last close, once


def test_all_days_are_asked_for_again_only_if_that_answer_failed(api, market):
    market.list("EMPTY", {}, is_delisted=True)
    answer = api.get("/api/v1/stocks/EMPTY/price")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "unknown_price")
    portfolio = api.post("/api/v1/portfolios", {"name": "Old", "currency": "USD"}).json()
    body = {"portfolio_id": portfolio["id"], "ticker": "EMPTY", "type": "buy"}
    body |= {"date": "2026-02-02", "quantity": 10, "price": 7}
    refused = api.post("/api/v1/transactions", body)
    assert refused.json()["errors"][0] == {
        "code": "currency_required",
        "detail": "The market data source has no prices of EMPTY. Give its currency.",
        "attr": "currency",
    }
    assert not StockMetadata.objects.exists()
    assert api.post("/api/v1/transactions", body | {"currency": "USD"}).status_code == 201
    stock = StockMetadata.objects.get()
    market.forget_requests()
    for _ in range(3):
        services.refresh_quotes([stock.pk])
    assert market.asked("chart", "EMPTY") <= 2
    assert circuit() == ("closed", 0)


def test_the_last_close_of_an_idle_instrument_is_stored_once(api, market):
    api.get("/api/v1/stocks/GONE1/price")
    closes = HistoricalStockPrice.objects.order_by("date").values_list("date", "close")
    assert list(closes) == [(date(2021, 6, 29), D("21")), (LAST_DAY, D("22"))]
