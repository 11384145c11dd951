"""Test how much is asked of Yahoo until a file's instruments are complete, and what opens the
circuit.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
import time_machine

from marketdata import gateway, limits, tasks
from marketdata.limits import Party
from marketdata.models import StockMetadata
from marketdata.services.price_refresh import refresh_stocks
from marketdata.sources import UnknownTicker
from marketdata.tests.factories import instrument
from portfolios.models import Holding
from tests.servers.cache import empty_cache

pytestmark = [pytest.mark.django_db, pytest.mark.untraced]

NOW = datetime(2026, 3, 3, 22, 0, tzinfo=UTC)
TRADING = [f"LIVE{number}" for number in range(15)]
STOPPED = [f"GONE{number}" for number in range(15)]
FIRST, LAST = date(2016, 3, 1), date(2021, 6, 30)


@pytest.fixture
def market(yahoo, settings, monkeypatch):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 10
    monkeypatch.setitem(limits.parties, "yahoo", limits.parties.get("yahoo"))
    Party("yahoo", calls_per_second=1000, burst=1000)
    with time_machine.travel(NOW) as clock:
        yahoo.clock = clock
        yield yahoo


def circuit():
    state = gateway.state()["yahoo"]
    return state["state"], state["failures"]


def test_ten_years_of_thirty_instruments_are_complete_after_one_call_for_each(upload, api, market):
    for number, ticker in enumerate(TRADING):
        closes = {date(year, 3, 1): 10.0 + number for year in range(2016, 2026)}
        market.list(ticker, closes | {date(2026, 3, 2): 12.0, date(2026, 3, 3): 13.0})
    for ticker in STOPPED:
        market.list(ticker, {FIRST: 20.0, LAST: 21.0}, is_delisted=True)
    body = upload.done(*(f"2016-03-01,buy,{ticker},10,9,,USD,8.5" for ticker in TRADING + STOPPED))
    assert (body["created"], body["failed"]) == (30, 0)
    dashboard = api.get("/api/v1/dashboard").json()
    assert (dashboard["missing"], dashboard["missing_why"]) == ([], {})
    for ticker in TRADING + STOPPED:
        assert market.asked("chart", ticker) == 1, ticker
    assert market.asked("search") == 0
    assert circuit() == ("closed", 0)
    assert not StockMetadata.objects.filter(history_fetched_at=None).exists()
    shown = api.get(f"/api/v1/portfolios/{upload.portfolio.pk}/holdings").json()
    prices = {one["ticker"]: (one["price"], one["price_as_of"][:10]) for one in shown}
    assert prices["LIVE3"] == (13, "2026-03-03")
    assert {prices[ticker] for ticker in STOPPED} == {(21, "2021-06-30")}
    assert {one["price_stale"] for one in shown if one["ticker"] in STOPPED} == {True}


def test_while_yahoo_is_down_an_import_is_worth_what_was_paid_and_becomes_complete(
    upload, api, market
):
    closes = {date(2026, 3, 2): 50.0, date(2026, 3, 3): 57.58}
    market.list("ACME", {date(2019, 5, 6): 252.0} | closes, splits={date(2022, 6, 6): (5, 1)})
    market.fault = "500"
    upload.done("2019-05-06,buy,ACME,10,252,,USD,9")
    url = f"/api/v1/portfolios/{upload.portfolio.pk}"
    answer = api.get(url)
    summary = answer.json()["summary"]
    assert (summary["missing"], summary["missing_why"]) == (["ACME"], {"ACME": "history_pending"})
    assert (summary["cost_basis"], summary["stale"]) == (22680, True)
    (holding,) = api.get(f"{url}/holdings").json()
    assert (holding["price"], holding["price_source"], holding["current_quantity"]) == (
        252,
        "trade",
        10,
    )
    assert answer["Source-Status"] == "yahoo=unavailable"
    performance = api.get(f"{url}/performance").json()
    assert performance["missing_why"] == {"ACME": "history_pending"}

    market.fault = None
    market.clock.shift(timedelta(minutes=3))
    empty_cache()  # Redis forgets by its own clock
    (holding,) = api.get(f"{url}/holdings").json()
    assert (holding["price"], holding["price_source"], holding["current_quantity"]) == (
        57.58,
        "yahoo",
        50,
    )
    answer = api.get(url)
    assert answer.json()["summary"]["missing_why"] == {}
    assert "Source-Status" not in answer


@pytest.mark.parametrize(
    "first_read",
    [
        "portfolios",
        "portfolios/{portfolio}",
        "portfolios/{portfolio}/holdings",
        "portfolios/{portfolio}/timeline",
        "portfolios/{portfolio}/performance",
        "portfolios/{portfolio}/bridge",
        "portfolios/{portfolio}/allocation",
        "dashboard",
        "net-worth",
    ],
)
def test_figures_read_at_once_after_a_purchase_know_the_splits(api, market, first_read):
    market.list(
        "ACME",
        {date(2019, 5, 6): 252.0, date(2026, 3, 3): 57.58},
        splits={date(2022, 6, 6): (5, 1)},
    )
    portfolio = api.post("/api/v1/portfolios", {"name": "US", "currency": "USD"}).json()
    body = {"portfolio_id": portfolio["id"], "ticker": "ACME", "type": "buy", "quantity": 10}
    made = api.post("/api/v1/transactions", body | {"date": "2019-05-06", "price": 252})
    assert made.status_code == 201, made.json()
    first = api.get(f"/api/v1/{first_read.format(portfolio=portfolio['id'])}")
    assert first.status_code == 200
    assert "history_pending" not in first.content.decode()
    assert Holding.objects.get().current_quantity == D(50)
    (holding,) = api.get(f"/api/v1/portfolios/{portfolio['id']}/holdings").json()
    assert (holding["current_quantity"], holding["market_value"]) == (50, 2879)
    assert holding["unrealised_gain"] == 359
    assert Holding.objects.get().current_quantity == D(50)
    assert market.asked("chart", "ACME") == 1


def test_two_hundred_unknown_and_idle_symbols_leave_the_circuit_closed(market, user):
    stocks = []
    for number in range(200):
        ticker = f"ODD{number}"
        if number % 2:
            market.list(ticker, {}, is_delisted=True)
        stocks.append(instrument(ticker, owner=user, source="yahoo"))
    outcomes = refresh_stocks(stocks, full=True, seconds=60)
    assert market.asked("chart") >= 200
    assert sum(isinstance(error, UnknownTicker) for error in outcomes.values()) == 100
    assert circuit() == ("closed", 0)


@pytest.mark.parametrize(
    ("things", "failures", "state"),
    [(3, 4, "closed"), (3, 5, "open"), (2, 9, "closed"), (2, 10, "open"), (1, 10, "open")],
)
def test_five_time_outs_about_three_things_or_ten_about_fewer_open_the_circuit(
    market, settings, user, things, failures, state
):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 0.2
    market.fault = "hang"
    stocks = [instrument(f"SLOW{number}", owner=user, source="yahoo") for number in range(things)]
    while circuit()[1] < failures:
        # A call whose predecessor has not ended yet is not made, and does not count.
        refresh_stocks([stocks[circuit()[1] % things]], full=True)
        market.release()
    assert circuit() == (state, failures)


def test_a_task_that_could_not_fetch_tries_again_after_growing_pauses(market, monkeypatch):
    stock = instrument()
    pauses = []

    class Again(Exception):
        pass

    def retry(**options):
        pauses.append(options["countdown"])
        return Again()

    monkeypatch.setattr(tasks.fetch_history, "retry", retry)
    market.fault = "500"
    for tried in range(4):
        market.clock.shift(timedelta(minutes=5))
        tasks.fetch_history.push_request(retries=tried, is_eager=False)
        with pytest.raises(Again):
            tasks.fetch_history.run(str(stock.pk))
        tasks.fetch_history.pop_request()
    assert pauses == sorted(pauses)
    assert pauses[:2] == [30, 60]
    market.fault = None
    market.clock.shift(timedelta(minutes=5))
    market.list("ACME", [10.0, 11.0])
    tasks.fetch_history.push_request(retries=4, is_eager=False)
    tasks.fetch_history.run(str(stock.pk))
    tasks.fetch_history.pop_request()
    assert len(pauses) == 4
    stock.refresh_from_db()
    assert stock.history_fetched_at is not None


def test_a_task_does_not_ask_again_for_what_the_source_does_not_know(market, monkeypatch, user):
    stock = instrument("GHOST", owner=user, source="yahoo")
    monkeypatch.setattr(tasks.fetch_history, "retry", pytest.fail)
    tasks.fetch_history.push_request(retries=0, is_eager=False)
    tasks.fetch_history.run(str(stock.pk))
    tasks.fetch_history.pop_request()
    stock.refresh_from_db()
    assert stock.is_manual
