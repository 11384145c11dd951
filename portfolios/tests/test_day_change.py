"""Test the change of the day: of what was priced lately, and compared with the trading day before."""

from datetime import date, timedelta
from decimal import Decimal as D

import pytest
import time_machine

from marketdata import services as market
from portfolios.tests.conftest import quote, trade

pytestmark = pytest.mark.django_db

SUNDAY = date(2026, 11, 29)
FRIDAY = SUNDAY - timedelta(2)


@pytest.fixture(autouse=True)
def _today():
    with time_machine.travel("2026-11-29T12:00:00Z", tick=False):
        yield


@pytest.fixture
def priced(make_stock, portfolio):
    """Return a function that makes an instrument with closes {day: close}, and buys 10 of it."""

    def make(ticker, closes):
        stock = make_stock(ticker)
        closes = [(day, D(close)) for day, close in closes.items()]
        market.record_prices(stock=stock, closes=closes, source="simulated")
        trade(portfolio, stock, "buy", "10", "50", on=date(2018, 1, 2))
        return stock

    return make


def shown(api, portfolio):
    """Return the portfolio's summary and its holdings by ticker."""
    url = f"/api/v1/portfolios/{portfolio.pk}"
    holdings = api.get(f"{url}/holdings").json()
    return api.get(url).json()["summary"], {one["ticker"]: one for one in holdings}


def test_only_what_has_a_change_of_the_day_is_in_that_of_the_portfolio(api, portfolio, priced):
    """Before, the fund's week and the cabin's eight years were added: 1,000,200.40 in all."""
    priced("ETF.DEMO", {FRIDAY - timedelta(1): "100", FRIDAY: "102"})
    priced("WEEKLY.DEMO", {FRIDAY - timedelta(7): "70", FRIDAY: "75"})
    priced("CABIN.DEMO", {date(2018, 1, 2): "2000", SUNDAY: "3000"})
    summary, holdings = shown(api, portfolio)
    assert (summary["day_change"], summary["day_change_pct"]) == (20, 0.02)
    assert summary["day_change_on"] == "2026-11-27"
    assert summary["day_change_missing"] == ["CABIN.DEMO", "WEEKLY.DEMO"]
    etf, weekly, cabin = (holdings[f"{name}.DEMO"] for name in ("ETF", "WEEKLY", "CABIN"))
    assert (etf["day_change"], etf["day_change_pct"]) == (20, 0.02)
    assert etf["day_change_on"] == "2026-11-27"
    for other in (weekly, cabin):
        assert other["previous_close"] is not None
        assert other["day_change"] is None
        assert other["day_change_pct"] is None
        assert other["day_change_on"] is None
    body = api.get("/api/v1/dashboard").json()
    assert (body["day_change"], body["day_change_pct"]) == (20, 0.02)
    assert body["day_change_on"] == "2026-11-27"
    assert body["day_change_missing"] == ["CABIN.DEMO", "WEEKLY.DEMO"]
    assert [(one["ticker"], one["day_change_on"]) for one in body["movers"]] == [
        ("ETF.DEMO", "2026-11-27")
    ]


@pytest.mark.parametrize(
    ("days_ago", "days_between", "change"),
    [(4, 1, 20), (5, 1, None), (0, 6, 20), (0, 7, None), (4, 6, 20)],
)
def test_a_change_of_the_day_needs_a_recent_price_and_one_shortly_before(
    api, portfolio, priced, days_ago, days_between, change
):
    day = SUNDAY - timedelta(days_ago)
    priced("ETF.DEMO", {day - timedelta(days_between): "100", day: "102"})
    summary, holdings = shown(api, portfolio)
    assert summary["day_change"] == holdings["ETF.DEMO"]["day_change"] == change


def test_a_sum_without_any_change_of_the_day_is_null(api, portfolio, priced, make_stock):
    """What was sold completely has none either: it would make the sum 0."""
    priced("CABIN.DEMO", {date(2018, 1, 2): "2000", SUNDAY: "3000"})
    sold = make_stock("SOLD.DEMO", price="10")
    trade(portfolio, sold, "buy", "1", "10", on=date(2018, 1, 2))
    trade(portfolio, sold, "sell", "1", "10", on=date(2018, 1, 3))
    summary, _ = shown(api, portfolio)
    assert (summary["day_change"], summary["day_change_pct"]) == (None, None)
    assert summary["day_change_missing"] == ["CABIN.DEMO"]
    body = api.get("/api/v1/dashboard").json()
    assert (body["day_change"], body["day_change_pct"], body["movers"]) == (None, None, [])


def test_a_holding_without_a_price_is_named_too(api, portfolio, make_stock):
    trade(portfolio, make_stock("NEW.DEMO"), "buy", "1", "10", on=date(2026, 11, 20))
    summary, _ = shown(api, portfolio)
    assert summary["day_change_missing"] == ["NEW.DEMO"]


def test_a_split_between_the_two_closes_is_no_change(api, portfolio, priced):
    stock = priced("ETF.DEMO", {FRIDAY - timedelta(1): "400", FRIDAY: "102"})
    market.record_splits(stock=stock, splits=[(FRIDAY, D(4))], source="simulated")
    summary, holdings = shown(api, portfolio)
    assert holdings["ETF.DEMO"]["previous_close"] == 100
    assert (summary["day_change"], summary["day_change_pct"]) == (80, 0.02)


def test_a_quote_alone_is_compared_with_what_its_source_says_of_the_day_before(
    api, portfolio, make_stock
):
    stock = make_stock("NEW.DEMO")
    quote(stock, "102", previous="100", on=FRIDAY)
    trade(portfolio, stock, "buy", "10", "50", on=date(2018, 1, 2))
    summary, _ = shown(api, portfolio)
    assert (summary["day_change"], summary["day_change_on"]) == (20, "2026-11-27")


def test_the_total_gain_of_a_summary_is_the_sum_of_what_stands_next_to_it(
    api, portfolio, make_stock
):
    """B.DEMO has no close, so its ten shares are worth the 20 last paid: a gain of 100, and 105."""
    priced, unpriced = make_stock("A.DEMO", price="150"), make_stock("B.DEMO")
    trade(portfolio, priced, "buy", "3", "100.01", commission="1.07", on=date(2024, 1, 2))
    trade(portfolio, unpriced, "buy", "20", "10", on=date(2024, 1, 2))
    trade(portfolio, unpriced, "sell", "10", "20", on=date(2024, 1, 3))
    trade(portfolio, unpriced, "dividend", "1", "7", on=date(2024, 1, 4))
    trade(portfolio, unpriced, "fee", "1", "2", on=date(2024, 1, 4))
    summary, _ = shown(api, portfolio)
    parts = summary["unrealised_gain"] + summary["realised_gain"]
    parts += summary["income"] - summary["charges"]
    assert summary["total_gain"] == pytest.approx(parts, abs=1e-12)
    assert summary["total_gain"] == pytest.approx(450 - 301.1 + 200 - 100 + 105)
    assert api.get("/api/v1/dashboard").json()["total_gain"] == summary["total_gain"]
