"""Test a split from the source: shares follow once, and the value changes only with the market."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
import time_machine

from marketdata import series, tasks
from marketdata.models import StockMetadata
from portfolios.models import Holding, Transaction

pytestmark = pytest.mark.django_db

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


@pytest.fixture
def market(yahoo):
    with time_machine.travel(datetime(2026, 3, 2, 22, 0, tzinfo=UTC)) as clock:
        yahoo.clock = clock
        yahoo.list("ACME", [400.0 + number for number in range(60)])
        yield yahoo


@pytest.fixture
def portfolio(api, market):
    return api.post("/api/v1/portfolios", {"name": "Funds", "currency": "USD"}).json()["id"]


def trade(api, portfolio, kind, quantity, day, price):
    body = {
        "portfolio_id": portfolio, "ticker": "ACME", "type": kind, "date": day, "quantity": quantity, "price": price
    }  # fmt: skip
    answer = api.post("/api/v1/transactions", body)
    assert answer.status_code == 201, answer.json()


def split_arrives(market):
    """Overnight 4:1; the market then rises by 1 %. Yahoo restates all earlier closes."""
    market.clock.shift(timedelta(days=1))
    market.listed["ACME"].closes[TUESDAY] = 459 / 4 * 1.01
    market.listed["ACME"].splits[TUESDAY] = (4, 1)
    stock = StockMetadata.objects.get(ticker="ACME")
    tasks.refresh_stock(str(stock.pk))
    return stock


def value(stock, day):
    """Return the shares held that evening times the close of the series."""
    shares = D(0)
    for row in Transaction.objects.filter(holding__stock=stock, date__lte=day).order_by(
        "date", "sequence"
    ):
        shares = {
            "buy": shares + row.quantity,
            "sell": shares - row.quantity,
            "split": shares * row.quantity,
        }[row.type]
    return float(shares) * series.closes([stock.pk], day, day)[0, 0]


def test_the_value_moves_only_by_the_market(api, market, portfolio):
    trade(api, portfolio, "buy", 10, "2026-02-02", 430)
    before = api.get(f"/api/v1/portfolios/{portfolio}").json()["summary"]
    assert before["market_value"] == 4590
    stock = split_arrives(market)
    assert Holding.objects.get().current_quantity == 40
    after = api.get(f"/api/v1/portfolios/{portfolio}").json()["summary"]
    assert after["market_value"] == pytest.approx(4635.9, abs=0.01)
    assert after["day_change"] == pytest.approx(45.9, abs=0.01)
    assert after["cost_basis"] == before["cost_basis"] == 4300
    values = [value(stock, MONDAY - timedelta(days=n)) for n in (3, 2, 1, 0)] + [
        value(stock, TUESDAY)
    ]
    assert values == pytest.approx([4580, 4580, 4580, 4590, 4635.9], abs=0.01)


def test_a_holding_that_was_sold_before_is_untouched(api, market, portfolio):
    trade(api, portfolio, "buy", 10, "2026-02-02", 430)
    trade(api, portfolio, "sell", 10, "2026-02-27", 458)
    split_arrives(market)
    holding = Holding.objects.get()
    assert (holding.current_quantity, holding.realised_gain) == (0, 280)
    assert not Transaction.objects.filter(type="split").exists()


def test_the_same_answer_twice_is_one_split(api, market, portfolio):
    trade(api, portfolio, "buy", 10, "2026-02-02", 430)
    stock = split_arrives(market)
    for _ in range(2):
        market.clock.shift(timedelta(minutes=20))
        tasks.refresh_stock(str(stock.pk))
        tasks.fetch_history(str(stock.pk))
    assert market.asked("chart") >= 3
    assert Transaction.objects.filter(type="split").count() == 1
    assert Holding.objects.get().current_quantity == 40
    assert stock.splits.count() == 1
