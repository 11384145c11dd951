"""What each endpoint answers under each fault of Yahoo's, with and without something stored; and
after the fault.

The real yfinance speaks to a local server here.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
import time_machine
from django.utils import timezone

from marketdata.models import HistoricalStockPrice, StockMetadata, StockQuote
from marketdata.tests.factories import with_rates
from tests.servers.yahoo import FAULTS
from tests.timing import SLACK

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 3, 22, 0, tzinfo=UTC)  # a Tuesday, New York has closed

# What a fault means where nothing is stored.
COLD = {
    "429": 503,
    "500": 503,
    "drop": 503,
    "hang": 504,
    "garbage": 502,
    "empty": 502,
    "nulls": 502,
}
CODES = {503: "upstream_unavailable", 504: "upstream_timeout", 502: "upstream_bad_answer"}
# How long until the next call is answered: the pause after a 429, else at once.
RECOVERY = {"429": timedelta(seconds=62)}

PRICE, HISTORY = "/api/v1/stocks/ACME/price", "/api/v1/stocks/ACME/history"
RATE, RATES = "/api/v1/exchange-rates/BHD/KWD", "/api/v1/exchange-rates/BHD/KWD/history"
SEARCH = "/api/v1/stocks/search?q=acme"


@pytest.fixture
def market(yahoo, settings):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 5  # the machine's load does not reach it
    with time_machine.travel(NOW) as clock:
        yahoo.clock = clock
        yahoo.list("ACME", [float(100 + n) for n in range(30)], name="Acme Corporation")
        yahoo.list_rate(
            "BHD", "KWD", [0.8151, 0.8152, 0.8153]
        )  # currencies that the ECB does not quote
        yield yahoo


def strike(market, settings, fault):
    market.fault = fault
    if fault == "hang":  # the test waits for the end of it
        settings.MARKET_DATA_TIMEOUT_SECONDS = 0.4


def over(market, settings, fault):
    """End the fault and the pause that it caused."""
    market.fault = None
    settings.MARKET_DATA_TIMEOUT_SECONDS = 5
    market.clock.shift(RECOVERY.get(fault, timedelta(0)))


def stored(api, market):
    """Fetch everything once, then let it become stale while the market moves on."""
    for url in (PRICE, HISTORY, RATE):
        assert api.get(url).status_code == 200
    market.clock.shift(timedelta(days=1))
    market.listed["ACME"].closes[date(2026, 3, 4)] = 140.0
    market.listed["BHDKWD=X"].closes[date(2026, 3, 4)] = 0.8154
    market.forget_requests()


@pytest.mark.untraced
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("url", [PRICE, HISTORY, RATE, RATES])
def test_without_stored_data_the_fault_is_reported_until_it_is_over(
    api, market, settings, url, fault
):
    strike(market, settings, fault)
    answer = api.get(url)
    status = COLD[fault]
    assert answer.status_code == status
    assert answer.json()["type"] == "server_error"
    assert answer.json()["errors"][0]["code"] == CODES[status]
    assert ("Retry-After" in answer) == (status == 503)
    assert not StockMetadata.objects.exists()
    over(market, settings, fault)
    answer = api.get(url)
    assert answer.status_code == 200
    assert answer.json()["stale"] is False


@pytest.mark.untraced
@pytest.mark.parametrize("fault", FAULTS)
def test_a_stored_price_is_answered_as_stale_and_then_fresh(api, market, settings, fault):
    stored(api, market)
    strike(market, settings, fault)
    answer = api.get(PRICE)
    assert (answer.status_code, answer.json()["stale"], answer.json()["price"]) == (200, True, 129)
    assert answer.json()["fetched_at"].startswith("2026-03-03")
    over(market, settings, fault)
    answer = api.get(PRICE)
    assert (answer.status_code, answer.json()["stale"], answer.json()["price"]) == (200, False, 140)
    assert answer.json()["previous_close"] == 129


@pytest.mark.untraced
@pytest.mark.parametrize("fault", FAULTS)
def test_a_stored_history_is_answered_as_stale_and_then_fresh(api, market, settings, fault):
    stored(api, market)
    strike(market, settings, fault)
    answer = api.get(HISTORY)
    assert (answer.status_code, answer.json()["stale"]) == (200, True)
    assert [len(answer.json()["points"]), answer.json()["points"][-1]["close"]] == [30, 129]
    over(market, settings, fault)
    answer = api.get(HISTORY)
    assert (answer.status_code, answer.json()["stale"]) == (200, False)
    assert [len(answer.json()["points"]), answer.json()["points"][-1]["close"]] == [31, 140]


@pytest.mark.untraced
@pytest.mark.parametrize("fault", FAULTS)
def test_a_stored_rate_and_its_history_are_answered_as_stale_and_then_fresh(
    api, market, settings, fault
):
    stored(api, market)
    strike(market, settings, fault)
    for url in (RATE, RATES):
        answer = api.get(url)
        assert (answer.status_code, answer.json()["stale"], answer.json()["source"]) == (
            200,
            True,
            "yahoo",
        )
    over(market, settings, fault)
    answer = api.get(RATE)
    assert (answer.status_code, answer.json()["stale"], answer.json()["rate"]) == (
        200,
        False,
        0.8154,
    )
    answer = api.get(RATES)
    assert answer.json()["points"][-1] == {"date": "2026-03-04", "rate": 0.8154}


@pytest.mark.parametrize("fault", FAULTS)
def test_search_works_from_the_database_alone(api, market, settings, fault):
    strike(market, settings, fault)
    assert api.get(SEARCH).json() == []
    over(market, settings, fault)
    assert api.get(PRICE).status_code == 200
    strike(market, settings, fault)
    answer = api.get("/api/v1/stocks/search?q=corporation")
    assert answer.status_code == 200
    assert [hit["ticker"] for hit in answer.json()] == ["ACME"]


@pytest.mark.untraced
@pytest.mark.parametrize("fault", ["429", "hang", "nulls"])
def test_a_currency_that_the_ecb_quotes_has_a_rate_under_every_fault(api, market, settings, fault):
    strike(market, settings, fault)
    answer = api.get("/api/v1/exchange-rates/USD/NOK")
    assert (answer.status_code, answer.json()["source"], answer.json()["stale"]) == (
        200,
        "ecb",
        False,
    )
    assert answer.json()["date"] == "2026-03-03"


def test_a_request_that_needs_several_answers_waits_for_the_limit_in_all(api, market, settings):
    from time import monotonic

    portfolio = api.post("/api/v1/portfolios", {"name": "Gulf", "currency": "KWD"}).json()["id"]
    settings.MARKET_DATA_TIMEOUT_SECONDS = 2
    market.delay = 1.2  # the instrument comes in time, the rate after it does not
    market.list("GULF", [1.0], currency="BHD")
    body = {
        "portfolio_id": portfolio, "ticker": "GULF", "type": "buy", "date": "2026-03-03", "quantity": 1, "price": 1
    }  # fmt: skip
    begun = monotonic()
    answer = api.post("/api/v1/transactions", body)
    assert monotonic() - begun < 2 + 1 * SLACK  # the limit and a second of our own
    assert answer.json()["errors"][0]["code"] == "exchange_rate_required"


@pytest.mark.untraced
def test_a_hundred_requests_during_a_429_reach_yahoo_once_a_period(api, market):
    stored(api, market)
    market.fault = "429"
    for period in (1, 2):
        for _ in range(100):
            answer = api.get(PRICE)
            assert (answer.status_code, answer.json()["stale"]) == (200, True)
        assert market.asked("chart") == period
        market.clock.shift(62)


def test_one_limited_symbol_closes_yahoo_for_all(api, market):
    market.faults["ACME"], market.retry_after = "429", "40"
    market.list("OTHER", [5.0])
    answer = api.get(PRICE)
    assert answer.status_code == 503
    answer = api.get("/api/v1/stocks/OTHER/price")
    assert answer.status_code == 503
    assert 30 <= int(answer["Retry-After"]) <= 42
    assert market.asked("chart", "OTHER") == 0


@pytest.mark.parametrize(("asked_for", "seconds"), [(None, 60), ("40", 40), ("7200", 3600)])
def test_the_first_429_gives_the_pause_as_retry_after(api, market, asked_for, seconds):
    market.fault, market.retry_after = "429", asked_for
    first, second = (api.get(PRICE) for _ in range(2))
    for answer in (first, second):
        assert answer.status_code == 503
        assert seconds - 1 <= int(answer["Retry-After"]) <= seconds * 1.01 + 1
    assert market.asked("chart") == 1
    market.clock.shift(int(first["Retry-After"]) - 20)
    assert 1 <= int(api.get(PRICE)["Retry-After"]) <= 20
    market.fault = None
    market.clock.shift(20)
    assert api.get(PRICE).status_code == 200


def test_the_failure_that_opens_the_circuit_gives_retry_after_too(api, market):
    market.fault = "500"
    paths = [f"/api/v1/stocks/T{number}/price" for number in range(6)]
    waits = [int(api.get(path)["Retry-After"]) for path in paths]
    assert waits[:4] == [5] * 4
    assert all(30 <= wait <= 31 for wait in waits[4:])


def test_five_failures_open_the_circuit_and_one_probe_closes_it(api, market):
    market.fault = "500"
    for number in range(8):
        assert api.get(f"/api/v1/stocks/T{number}/price").status_code == 503
    assert market.asked("chart") == 5
    market.fault = None
    assert api.get(PRICE).status_code == 503
    market.clock.shift(31)
    assert api.get(PRICE).status_code == 200


def test_one_symbol_that_makes_no_sense_leaves_the_others_alone(api, market):
    market.faults["BROKEN"] = "nulls"
    market.list("BROKEN", [1.0])
    assert api.get("/api/v1/stocks/BROKEN/price").status_code == 502
    assert api.get(PRICE).json()["stale"] is False


def test_an_empty_answer_deletes_nothing(api, market):
    stored(api, market)
    market.fault = "empty"
    api.get(HISTORY)
    market.fault = None
    del market.listed["ACME"]  # and neither does a 404 for what was known
    answer = api.get(HISTORY)
    assert (answer.status_code, len(answer.json()["points"])) == (200, 30)
    assert api.get(PRICE).json()["stale"] is True
    assert HistoricalStockPrice.objects.count() == 30


def test_a_doubtful_price_is_asked_for_once_in_the_cache_time_like_any_other(api, market):
    stored(api, market)
    market.listed["ACME"].closes[date(2026, 3, 4)] = 1.4
    for _ in range(5):
        answer = api.get(PRICE)
        assert (answer.status_code, answer.json()["stale"], answer.json()["price"]) == (
            200,
            True,
            129,
        )
    assert market.asked("chart") == 1
    market.listed["ACME"].closes[date(2026, 3, 4)] = 140.0
    market.clock.shift(timedelta(minutes=16))
    assert (api.get(PRICE).json()["stale"], api.get(PRICE).json()["price"]) == (False, 140)


def test_within_the_cache_time_no_source_is_asked(api, market):
    api.get(PRICE)
    market.forget_requests()
    market.clock.shift(timedelta(minutes=14))
    assert api.get(PRICE).json()["stale"] is False
    assert market.asked("chart") == 0
    market.clock.shift(timedelta(minutes=2))
    assert api.get(PRICE).json()["stale"] is False
    assert market.asked("chart") == 1
    assert StockQuote.objects.get().price == D("129")
    assert (timezone.now() - StockQuote.objects.get().fetched_at).total_seconds() < 5


def test_the_database_keeps_working_when_the_shared_cache_does_not(api, market, monkeypatch):
    from financeproj.core.shared import locks

    def refuse(*args):
        raise OSError("refused")

    monkeypatch.setattr(locks, "_change_in_redis", refuse)
    monkeypatch.setattr(locks, "_change_embedded", refuse)
    assert api.get(PRICE).json()["price"] == 129
    market.clock.shift(timedelta(minutes=16))
    market.fault = "429"
    for _ in range(20):
        assert api.get(PRICE).json()["stale"] is True
    assert market.asked("chart") == 2


def test_with_rates_of_another_day_the_oldest_leg_is_named(api, market):
    with_rates("EUR", "KWD", {date(2026, 2, 27): "0.33"})
    market.fault = "500"
    answer = api.get("/api/v1/exchange-rates/NOK/KWD").json()
    assert (answer["date"], answer["source"]) == ("2026-02-27", "mixed")


def test_readyz_and_the_admin_show_the_state_of_the_circuit(api, market, client, user):
    state = client.get("/readyz").json()["third_parties"]["yahoo"]
    assert state == {"state": "closed", "failures": 0, "retry_after_seconds": 0, "reason": ""}
    market.fault, market.retry_after = "429", "90"
    api.get(PRICE)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    state = answer.json()["third_parties"]["yahoo"]
    assert (state["state"], state["reason"]) == ("open", "Yahoo is rate-limiting us (HTTP 429).")
    assert 85 <= state["retry_after_seconds"] <= 91
    user.is_staff = user.is_superuser = True
    user.save()
    client.force_login(user)
    page = client.get("/admin/marketdata/stockmetadata/").content.decode()
    assert "yahoo" in page
    assert "paused, next try in" in page
