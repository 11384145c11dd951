"""Test GET /status and the header Source-Status: which third parties cannot be asked."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from integrations import heartbeat
from marketdata.tests.factories import instrument
from portfolios.tests.conftest import trade

pytestmark = [pytest.mark.django_db, pytest.mark.untraced]

NOW = datetime(2026, 3, 3, 16, 20, tzinfo=UTC)
URL = "/api/v1/status"


@pytest.fixture
def market(yahoo, settings):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 5
    with time_machine.travel(NOW, tick=False) as clock:
        yahoo.clock = clock
        yahoo.list("ACME", [100.0, 101.0])
        yield yahoo


def yahoo_in(body):
    (found,) = (one for one in body["sources"] if one["name"] == "yahoo")
    return found


def test_all_is_well_without_failures(api, market):
    api.get("/api/v1/stocks/ACME/price")
    answer = api.get(URL)
    assert "Source-Status" not in answer
    body = answer.json()
    assert (body["worker"], body["imports_running"], body["held_back"]) == (False, 0, 0)
    assert yahoo_in(body) == {
        "name": "yahoo",
        "state": "ok",
        "since": None,
        "next_try": None,
        "reason": None,
    }
    assert "simulated" not in [one["name"] for one in body["sources"]]
    heartbeat.note_worker()
    assert api.get(URL).json()["worker"] is True


def test_a_failure_is_named_in_the_answer_and_says_since_when(api, market):
    market.fault = "500"
    answer = api.get("/api/v1/stocks/ACME/price")
    assert (answer.status_code, answer["Source-Status"]) == (503, "yahoo=unavailable")
    market.clock.shift(timedelta(minutes=2))
    api.get("/api/v1/stocks/ACME/price")
    found = yahoo_in(api.get(URL).json())
    assert (found["state"], found["since"], found["next_try"]) == (
        "unavailable",
        "2026-03-03T16:20:00Z",
        None,
    )
    assert found["reason"] == "Yahoo is unavailable (HTTP 500)."


def test_an_open_circuit_says_when_it_is_tried_again(api, market):
    market.fault = "429"
    market.retry_after = "300"
    answer = api.get("/api/v1/stocks/ACME/price")
    assert answer["Source-Status"] == "yahoo=limited"
    found = yahoo_in(api.get(URL).json())
    assert (found["state"], found["since"]) == ("limited", "2026-03-03T16:20:00Z")
    assert "2026-03-03T16:25:00Z" <= found["next_try"] <= "2026-03-03T16:25:10Z"
    answer = api.get("/api/v1/stocks/search?q=acme")
    assert (answer.json(), answer["Source-Status"]) == ([], "yahoo=limited")


def test_an_unknown_ticker_says_nothing_about_the_source(api, market):
    answer = api.get("/api/v1/stocks/GHOST/price")
    assert answer.status_code == 404
    assert "Source-Status" not in answer


def test_what_failed_just_now_is_named_again_without_a_call(api, user, portfolio, market):
    trade(
        portfolio,
        instrument("ACME", owner=user, source="yahoo"),
        "buy",
        "1",
        "90",
        exchange_rate="10",
    )
    market.fault = "500"
    url = f"/api/v1/portfolios/{portfolio.pk}"
    assert api.get(url)["Source-Status"] == "yahoo=unavailable"
    asked = market.asked("chart")
    answer = api.get(url)
    assert answer["Source-Status"] == "yahoo=unavailable"
    assert answer.json()["summary"]["missing_why"] == {"ACME": "history_pending"}
    assert market.asked("chart") == asked


def test_the_header_is_readable_from_another_origin(api, market, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    market.fault = "500"
    answer = api.get("/api/v1/stocks/ACME/price", HTTP_ORIGIN="https://app.example")
    assert "Source-Status" in answer["Access-Control-Expose-Headers"]


def test_the_status_needs_a_sign_in(anonymous):
    assert anonymous.get(URL).status_code == 401
