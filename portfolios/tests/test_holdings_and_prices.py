"""Test that cached holdings and prices are never shown after a change."""

from datetime import date, timedelta
from decimal import Decimal as D

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from marketdata import services as market
from marketdata.models import StockMetadata
from marketdata.sources import History, InstrumentInfo, Quote
from portfolios import services
from portfolios.tests.conftest import rate, trade
from portfolios.valuation import holdings_and_prices

pytestmark = pytest.mark.django_db(transaction=True)  # within a transaction nothing is kept


@pytest.fixture
def held(portfolio, make_stock):
    stock = make_stock("USA.DEMO", currency="USD", price="150")
    rate("USD", "NOK", "10")
    trade(portfolio, stock, "buy", "10", "100", exchange_rate="10")
    return stock


@pytest.fixture
def show(api, portfolio):
    """Return the portfolio's only holding from the API, the second time from the cache."""

    def shown():
        (holding,) = api.get(
            f"/api/v1/portfolios/{portfolio.pk}/holdings?include_closed=true"
        ).json()
        return holding

    return shown


def quoted(price, previous="149"):
    now = timezone.now()
    return Quote(price=D(price), previous_close=D(previous), as_of=now, day=timezone.localdate())


def changes(held, portfolio):
    """List possible changes, each with the field that shows it."""
    holding = portfolio.holdings.get()
    yesterday = timezone.localdate() - timedelta(1)
    pair_day = [(timezone.localdate(), D(11))]
    return {
        "a transaction": (
            lambda: trade(portfolio, held, "dividend", "1", "5", exchange_rate="10"),
            "income",
        ),
        "an edit": (
            lambda: services.update_transaction(row=portfolio.transactions.get(), quantity=D(20)),
            "current_quantity",
        ),
        "a quote": (
            lambda: market.record_quote(stock=held, quote=quoted("151"), source="simulated"),
            "price",
        ),
        "the time of a quote": (
            lambda: market.record_quote(stock=held, quote=quoted("150"), source="simulated"),
            "price_as_of",
        ),
        "a close": (
            lambda: market.record_prices(
                stock=held, closes=[(yesterday, D(140))], source="simulated"
            ),
            "previous_close",
        ),
        "a split": (
            lambda: market.record_splits(
                stock=held, splits=[(timezone.localdate() - timedelta(3), D(2))], source="simulated"
            ),
            "current_quantity",
        ),
        "a rate": (
            lambda: market.record_rates(base="USD", target="NOK", rates=pair_day, source="test"),
            "exchange_rate",
        ),
        "a name": (
            lambda: services.update_holding(holding=holding, company_name="America"),
            "company_name",
        ),
        "the instrument": (lambda: _save(held, asset_type="etf"), "asset_type"),
    }


def _save(stock, **fields):
    stock = StockMetadata.objects.get(pk=stock.pk)
    for name, value in fields.items():
        setattr(stock, name, value)
    market.save_instrument(stock)


@pytest.mark.parametrize(
    "what",
    [
        "a transaction",
        "an edit",
        "a quote",
        "the time of a quote",
        "a close",
        "a split",
        "a rate",
        "a name",
        "the instrument",
    ],
)
def test_a_change_shows_at_once(held, portfolio, show, what):
    change, field = changes(held, portfolio)[what]
    show()
    before = show()
    change()
    assert show()[field] != before[field]


def test_a_name_that_the_source_gives_later_is_shown(held, show):
    services.update_holding(holding=held.holdings.get(), company_name="")
    _save(held, company_name="")
    assert show()["company_name"] == ""
    info = InstrumentInfo(held.ticker, company_name="United Shares", currency=held.currency)
    market.record_history(stock=held, answer=History(info), source=held.source)
    assert show()["company_name"] == "United Shares"


def test_a_deleted_holding_is_gone(api, portfolio, held, show):
    show()
    services.delete_holding(holding=portfolio.holdings.get())
    assert api.get(f"/api/v1/portfolios/{portfolio.pk}/holdings").json() == []


def test_a_kept_price_grows_stale(held, show):
    assert show()["price_stale"] is False
    with time_machine.travel(timezone.now() + timedelta(minutes=21)):
        assert show()["price_stale"] is True


def test_cached_data_is_not_read_again(held, show):
    first = [(date(2024, 5, 2), D(100))]
    market.record_prices(stock=held, closes=first, source="simulated")
    show()
    show()
    with CaptureQueriesContext(connection) as queried:
        show()
    read = " ".join(query["sql"] for query in queried)
    assert "FROM portfolios_holding holding" in read
    assert 'FROM "portfolios_holding"' not in read
    assert "marketdata_historicalstockprice" not in read
    assert "marketdata_historicalexchangerate" not in read


def test_only_so_much_is_kept(user, make_stock, monkeypatch):
    monkeypatch.setattr(holdings_and_prices.holdings_cache, "max_size", 2)
    stocks = [make_stock(f"A{number}.DEMO", price="1") for number in range(2)]
    portfolios = [services.create_portfolio(user=user, name=name, currency="NOK") for name in "abc"]
    for portfolio in portfolios:
        for stock in stocks:
            trade(portfolio, stock, "buy", "1", "1")
        portfolio.refresh_from_db()
        assert (
            len(holdings_and_prices.read_holdings_and_prices([portfolio]).holdings[portfolio.pk])
            == 2
        )
    assert list(holdings_and_prices.holdings_cache._values) == [(portfolios[-1].pk,)]


def test_portfolios_without_holdings_have_no_inputs(portfolio):
    assert holdings_and_prices.read_holdings_and_prices([portfolio]).holdings == {}
    assert holdings_and_prices.read_holdings_and_prices([]).holdings == {}
