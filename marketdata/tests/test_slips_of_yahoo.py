"""Slips of Yahoo's server, through the real client and the tasks."""

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine

from marketdata import tasks
from marketdata.models import CurrencyPair, HeldBack, StockMetadata
from marketdata.selectors import prices_now, rate_on

pytestmark = pytest.mark.django_db

FRIDAY = date(2026, 2, 27)


@pytest.fixture
def market(yahoo):
    with time_machine.travel(datetime(2026, 2, 27, 22, 0, tzinfo=UTC)) as clock:
        yahoo.clock = clock
        yield yahoo


def next_day(market, days: int = 1) -> date:
    market.clock.shift(timedelta(days=days))
    return datetime.now(UTC).date()


def test_a_london_share_in_pounds_for_three_days_keeps_its_price_in_pence(market):
    stock = StockMetadata.objects.create(ticker="ACME.L", currency="GBP", source="yahoo")
    closes = {FRIDAY - timedelta(days=back): 600.0 for back in (4, 3, 2, 1, 0)}

    def refresh() -> float:
        market.list("ACME.L", dict(closes), currency="GBp", zone="Europe/London")
        tasks.fetch_history(str(stock.pk))
        return float(prices_now([stock.pk])[stock.pk].price)

    assert refresh() == 6
    days = 3  # to Monday
    for close in (6.00, 6.02, 6.01):
        closes[next_day(market, days)] = close
        days = 1
        assert refresh() == 6
    waiting = HeldBack.objects.filter(state="held_back")
    assert {row.reason for row in waiting} == {"unit_slip"}
    assert waiting.count() == 3
    closes[next_day(market)] = 601.0
    assert refresh() == 6.01
    assert {float(close) for close in stock.prices.values_list("close", flat=True)} <= {6, 6.01}


def test_one_rate_of_a_hundredfold_in_a_refresh(market):
    def refresh(rates) -> float:
        market.list_rate("EUR", "NOK", rates)
        tasks.refresh_pair("EUR", "NOK")
        return float(rate_on(base="EUR", target="NOK", day=datetime.now(UTC).date()).rate)

    rates = {FRIDAY - timedelta(days=1): 11.3, FRIDAY: 11.4}
    assert refresh(rates) == 11.4
    rates[next_day(market, 3)] = 1140.0
    assert refresh(rates) < 15
    assert [row.reason for row in HeldBack.objects.all()] == ["far_from_ecb"]
    rates[next_day(market)] = 11.45
    assert refresh(rates) == 11.45
    pair = CurrencyPair.objects.get(base="EUR", target="NOK")
    assert not pair.rates.filter(rate__gt=100).exists()
