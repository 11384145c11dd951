"""Test comparisons with other instruments: with their dividends, several at once, or none to be
had.
"""

from datetime import date, timedelta
from decimal import Decimal as D

import pytest
import time_machine

from marketdata import services as market
from marketdata.models import StockDividend
from portfolios.tests.conftest import trade
from portfolios.tests.test_reports_api import closes, url

pytestmark = pytest.mark.django_db

START = date(2023, 5, 2)


@pytest.fixture(autouse=True)
def _today():
    with time_machine.travel("2024-05-08T12:00:00Z", tick=False):
        yield


def dividends(stock, amounts):
    rows = [
        StockDividend(stock=stock, date=day, amount=D(amount), source="simulated")
        for day, amount in amounts.items()
    ]
    StockDividend.objects.as_service().bulk_create(rows)
    market.save_instrument(stock)


@pytest.fixture
def payer(make_stock):
    """An index share at 100 for a year that pays 3 in between."""
    stock = make_stock("PAYER.DEMO", price="100")
    closes(stock, "100", start=START - timedelta(1))
    dividends(stock, {START + timedelta(180): "3"})
    return stock


@pytest.fixture
def held(portfolio, payer):
    """Ten of the index shares; the dividend was received."""
    trade(portfolio, payer, "buy", "10", "100", on=START)
    trade(portfolio, payer, "dividend", "10", "3", on=START + timedelta(180))
    return payer


def test_a_benchmark_has_its_dividends_in_it_as_the_portfolio_has(api, portfolio, held):
    """Before: 103 against 100."""
    body = api.get(url(portfolio, "timeline?benchmark=PAYER.DEMO")).json()
    for point in body["points"]:
        assert point["benchmark_index"] == pytest.approx(point["twr_index"], abs=1e-10)
        assert point["benchmarks"] == {"PAYER.DEMO": point["benchmark_index"]}
    assert body["points"][-1]["benchmark_index"] == 103
    assert body["benchmarks"] == [{"ticker": "PAYER.DEMO", "twr": 0.03, "return": "total"}]
    body = api.get(url(portfolio, "performance?benchmark=PAYER.DEMO")).json()
    assert body["benchmark"] == {"ticker": "PAYER.DEMO", "twr": 0.03}
    assert body["benchmarks"] == [{"ticker": "PAYER.DEMO", "twr": 0.03, "return": "total"}]
    assert body["twr"] == 0.03


def test_dividends_can_be_left_out(api, portfolio, held):
    asked = "performance?benchmark=PAYER.DEMO&benchmark_return=price"
    body = api.get(url(portfolio, asked)).json()
    assert body["benchmarks"] == [{"ticker": "PAYER.DEMO", "twr": 0, "return": "price"}]
    refused = api.get(url(portfolio, "performance?benchmark_return=net"))
    assert refused.status_code == 400


def test_a_dividend_buys_shares_that_a_later_split_multiplies(api, portfolio, held, make_stock):
    other = make_stock("SPLIT.DEMO")
    closes(other, "200", "210", "202", "101", start=START - timedelta(1))
    dividends(other, {START + timedelta(1): "8.08", START - timedelta(1): "50"})
    market.record_splits(stock=other, splits=[(START + timedelta(2), D(2))], source="simulated")
    end = START + timedelta(2)
    body = api.get(url(portfolio, f"timeline?benchmark=SPLIT.DEMO&end={end}")).json()
    # One share of 202 becomes 1.04 on the ex-date; the dividend of the day before does not count.
    assert [point["benchmark_index"] for point in body["points"]] == pytest.approx(
        [105, 101 * 1.04, 101 * 1.04], abs=1e-10
    )


def test_several_benchmarks_are_compared_at_once(api, portfolio, held, make_stock):
    flat = make_stock("FLAT.DEMO", price="50")
    closes(flat, "50", start=START - timedelta(1))
    asked = "timeline?benchmark=flat.demo,%20PAYER.DEMO,,FLAT.DEMO"
    body = api.get(url(portfolio, asked)).json()
    assert body["points"][-1]["benchmarks"] == {"FLAT.DEMO": 100, "PAYER.DEMO": 103}
    assert body["points"][-1]["benchmark_index"] == 100
    assert body["benchmarks"] == [
        {"ticker": "FLAT.DEMO", "twr": 0, "return": "price"},
        {"ticker": "PAYER.DEMO", "twr": 0.03, "return": "total"},
    ]
    over_all = api.get("/api/v1/performance?benchmark=FLAT.DEMO,PAYER.DEMO").json()
    assert over_all["benchmarks"] == body["benchmarks"]


def test_a_sixth_benchmark_is_too_many(api, portfolio, held):
    names = ",".join(f"I{number}.DEMO" for number in range(6))
    response = api.get(url(portfolio, f"timeline?benchmark={names}"))
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert (error["code"], error["attr"]) == ("too_many", "benchmark")


@pytest.mark.parametrize(
    ("typo", "reason"),
    [
        ("no%20such", "unknown_ticker"),
        ("%C3%B8re", "unknown_ticker"),
        ("A$", "unknown_ticker"),
        ("NEW.OL", "upstream_unavailable"),  # Yahoo cannot be reached here
    ],
)
def test_a_benchmark_that_cannot_be_had_leaves_the_portfolios_own_figures(
    api, portfolio, held, typo, reason
):
    """Before, a typo was a 422 for the timeline and the performance."""
    plain = api.get(url(portfolio, "timeline")).json()
    body = api.get(url(portfolio, f"timeline?benchmark={typo},PAYER.DEMO")).json()
    [missing, payer] = body["benchmarks"]
    assert missing["twr"] is missing["return"] is None
    assert missing["reason"] == reason
    assert payer["twr"] == 0.03
    for point, before in zip(body["points"], plain["points"], strict=True):
        assert set(point.pop("benchmarks")) == {"PAYER.DEMO"}
        assert point == before  # without benchmark_index, which would be that of the first
    alone = api.get(url(portfolio, f"timeline?benchmark={typo}")).json()
    assert [point["benchmarks"] for point in alone["points"]] == [{}] * len(plain["points"])
    body = api.get(url(portfolio, f"performance?benchmark={typo}")).json()
    assert body["benchmark"]["twr"] is None
    assert body["reasons"]["benchmark"] == reason
    assert body["twr"] == 0.03


def test_a_benchmark_that_becomes_known_changes_the_answer(api, portfolio, held, make_stock):
    address = url(portfolio, "performance?benchmark=LATER.OL")
    before = api.get(address)
    assert before.json()["benchmarks"][0]["reason"] == "upstream_unavailable"
    later = make_stock("LATER.OL", price="50")
    closes(later, "50", start=START - timedelta(1))
    after = api.get(address, headers={"If-None-Match": before["ETag"]})
    assert after.status_code == 200
    assert after.json()["benchmarks"][0]["twr"] == 0


def test_a_benchmark_without_a_price_at_the_beginning_is_null_with_the_reason(
    api, portfolio, held, make_stock
):
    make_stock("NEW.DEMO", price="55")
    body = api.get(url(portfolio, "performance?benchmark=NEW.DEMO")).json()
    reason = "missing_prices: [NEW.DEMO]"
    assert body["benchmarks"] == [
        {"ticker": "NEW.DEMO", "twr": None, "return": None, "reason": reason}
    ]


def test_the_number_of_queries_does_not_grow_with_the_benchmarks(
    api, portfolio, held, make_stock, django_assert_max_num_queries
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    names = []
    for number in range(4):
        stock = make_stock(f"I{number}.DEMO", price="10")
        closes(stock, "10", start=START - timedelta(1))
        names.append(stock.ticker)
    api.get(url(portfolio, f"performance?benchmark={','.join(names)}"))
    with CaptureQueriesContext(connection) as two:
        api.get(url(portfolio, f"performance?benchmark={','.join(names[:2])}"))
    with CaptureQueriesContext(connection) as four:
        api.get(url(portfolio, f"performance?benchmark={','.join(names)}"))
    assert len(four) - len(two) <= 2  # each is looked up by its ticker
