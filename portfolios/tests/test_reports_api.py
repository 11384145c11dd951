"""Test the reports over REST with exact figures."""

from datetime import date, timedelta
from decimal import Decimal as D

import pytest
import time_machine

from marketdata import services as market
from portfolios import services
from portfolios.tests.conftest import quote, trade

pytestmark = pytest.mark.django_db
TODAY = date(2024, 5, 8)  # a Wednesday
MONDAY = date(2024, 4, 29)


@pytest.fixture(autouse=True)
def _today():
    with time_machine.travel("2024-05-08T12:00:00Z", tick=False):
        yield


def closes(stock, *values, start=MONDAY):
    """Store one close per day from `start`; None leaves a day out."""
    days = [
        (start + timedelta(day), D(value)) for day, value in enumerate(values) if value is not None
    ]
    market.record_prices(stock=stock, closes=days, source="simulated")


def rates(base, target, *values, start=MONDAY):
    market.record_rates(
        base=base,
        target=target,
        rates=[(start + timedelta(day), D(value)) for day, value in enumerate(values)],
        source="simulated",
    )


def url(portfolio, what):
    return f"/api/v1/portfolios/{portfolio.pk}/{what}"


@pytest.fixture
def held(portfolio, make_stock):
    """Ten shares bought on Tuesday at 100, worth 110 from Thursday on."""
    stock = make_stock(price="110")
    closes(stock, "98", "100", "105", "110")
    trade(portfolio, stock, "buy", "10", "100", commission="20", on=MONDAY + timedelta(1))
    return stock


def test_a_timeline_has_every_calendar_day_from_the_first_transaction_to_today(
    api, portfolio, held
):
    body = api.get(url(portfolio, "timeline")).json()
    assert (body["currency"], body["start"], body["end"], body["interval"]) == (
        "NOK",
        "2024-04-30",
        "2024-05-08",
        "day",
    )
    assert [point["market_value"] for point in body["points"]] == [
        1000,
        1050,
        1100,
        1100,
        1100,
        1100,
        1100,
        1100,
        1100,
    ]
    assert body["points"][0] == {
        "date": "2024-04-30",
        "market_value": 1000,
        "cost_basis": 1020,
        "net_flow": 1020,
        "income": 0,
        "twr_index": pytest.approx(100 * 1000 / 1020, abs=1e-10),
    }
    assert body["missing"] == []
    assert body["stale"] is False


def values(api, portfolio, query=""):
    return [
        point["market_value"]
        for point in api.get(url(portfolio, f"timeline?{query}")).json()["points"]
    ]


def test_weeks_and_months_show_their_last_day_with_the_flows_of_all_their_days(
    api, portfolio, held
):
    trade(portfolio, held, "dividend", "10", "2", on=MONDAY + timedelta(3))
    body = api.get(url(portfolio, "timeline?interval=week")).json()
    assert [(point["date"], point["net_flow"], point["income"]) for point in body["points"]] == [
        ("2024-05-05", 1000, 20),
        ("2024-05-08", 0, 0),
    ]
    body = api.get(url(portfolio, "timeline?interval=month")).json()
    assert [(point["date"], point["net_flow"]) for point in body["points"]] == [
        ("2024-04-30", 1020),
        ("2024-05-08", -20),
    ]
    assert body["points"][-1]["twr_index"] == pytest.approx(
        100 * 1000 / 1020 * 1.05 * 1120 / 1050, abs=1e-9
    )


def test_the_last_point_of_a_timeline_is_what_the_summary_says(api, portfolio, held):
    quote(held, "123.45")
    summary = api.get(f"/api/v1/portfolios/{portfolio.pk}").json()["summary"]
    assert values(api, portfolio)[-1] == summary["market_value"] == 1234.5


def test_a_split_moves_the_value_only_by_the_market(api, portfolio, make_stock):
    stock = make_stock(price="26")
    closes(stock, "100", "104")
    trade(portfolio, stock, "buy", "10", "100", on=MONDAY)
    market.record_splits(stock=stock, splits=[(MONDAY + timedelta(2), D(4))], source="simulated")
    closes(stock, "26.5", start=MONDAY + timedelta(3))
    # The day of the split has no close yet: Tuesday's, in new shares.
    assert values(api, portfolio)[:5] == [1000, 1040, 1040, 1060, 1060]
    assert api.get(url(portfolio, "performance")).json()["twr"] == pytest.approx(0.04, abs=1e-12)


def test_the_performance_of_a_week(api, portfolio, held):
    body = api.get(url(portfolio, "performance")).json()
    assert (body["start_value"], body["end_value"], body["net_flow"], body["gain"]) == (
        0,
        1100,
        1020,
        80,
    )
    assert body["twr"] == pytest.approx(1100 / 1020 - 1, abs=1e-12)
    assert body["mwr_period"] == pytest.approx(1100 / 1020 - 1, abs=1e-9)
    assert (body["mwr"], body["twr_annualised"]) == (None, None)
    assert body["reasons"] == {"mwr": "short_period", "twr_annualised": "short_period"}
    assert body["max_drawdown"] == {
        "value": pytest.approx(1000 / 1020 - 1, abs=1e-12),
        "peak": "2024-04-29",
        "trough": "2024-04-30",
    }
    assert (body["unrealised_gain"], body["realised_gain"], body["income"], body["charges"]) == (
        80,
        0,
        0,
        0,
    )
    assert body["missing"] == []


def test_a_year_has_annual_rates(api, portfolio, make_stock):
    stock = make_stock(price="121")
    closes(stock, "100", start=date(2022, 5, 8))
    trade(portfolio, stock, "buy", "1", "100", on=date(2022, 5, 9))
    body = api.get(url(portfolio, "performance?start=2022-05-10")).json()
    assert body["start_value"] == 100
    assert body["twr"] == pytest.approx(0.21, abs=1e-12)
    days = (TODAY - date(2022, 5, 10)).days + 1
    assert body["twr_annualised"] == pytest.approx(1.21 ** (365 / days) - 1, abs=1e-12)
    assert body["mwr"] == pytest.approx(body["twr_annualised"], abs=1e-12)
    assert "mwr" not in body["reasons"]


def test_an_empty_portfolio_has_one_day_without_flows(api, portfolio):
    body = api.get(url(portfolio, "performance")).json()
    assert (body["start"], body["end"]) == ("2024-05-08", "2024-05-08")
    assert (body["end_value"], body["gain"], body["twr"], body["mwr_period"]) == (0, 0, 0, None)
    assert body["reasons"]["mwr"] == body["reasons"]["mwr_period"] == "no_flows"
    assert values(api, portfolio) == [0]
    assert api.get(url(portfolio, "bridge")).json()["holdings"] == []
    assert api.get(url(portfolio, "allocation")).json() == []


def test_a_portfolio_without_prices_has_no_returns_and_says_why(api, portfolio, make_stock):
    trade(portfolio, make_stock(), "buy", "10", "0", commission="100", on=MONDAY)
    body = api.get(url(portfolio, "performance")).json()
    assert (body["twr"], body["mwr"], body["mwr_period"], body["volatility"]) == (
        None,
        None,
        None,
        None,
    )
    assert set(body["reasons"].values()) == {"missing_prices: [FJORD.DEMO]"}
    assert body["missing"] == ["FJORD.DEMO"]


def test_a_holding_without_a_price_is_left_out_with_its_flows_and_named(
    api, portfolio, held, make_stock
):
    free = make_stock("NEW.DEMO")
    trade(portfolio, free, "buy", "5", "0", commission="35", on=MONDAY + timedelta(2))
    body = api.get(url(portfolio, "timeline")).json()
    assert [point["net_flow"] for point in body["points"]] == [1020, 0, 0, 0, 0, 0, 0, 0, 0]
    assert (body["missing"], body["missing_why"]) == (["NEW.DEMO"], {"NEW.DEMO": "no_price"})
    bridge = api.get(url(portfolio, "bridge")).json()
    assert (bridge["missing"], bridge["missing_why"]) == (body["missing"], body["missing_why"])


def test_what_was_booked_without_a_price_is_rounded_too(api, portfolio, make_stock, no_other_rates):
    """Before, the gain was 0.5999999999999999."""
    stock = make_stock("HUT.DEMO", "ISK")
    trade(portfolio, stock, "buy", "3", "0.1", exchange_rate="1", on=MONDAY)
    trade(portfolio, stock, "sell", "3", "0.3", exchange_rate="1", on=MONDAY)
    body = api.get(url(portfolio, "performance")).json()
    assert (body["realised_gain"], body["missing"]) == (0.6, ["HUT.DEMO"])


def test_a_total_loss_has_no_internal_rate(api, portfolio, make_stock):
    stock = make_stock(price="0")
    closes(stock, "100", "0")
    trade(portfolio, stock, "buy", "1", "100", on=MONDAY)
    body = api.get(url(portfolio, "performance")).json()
    assert body["twr"] == -1
    assert body["reasons"]["mwr_period"] == "no_root"
    assert body["reasons"]["volatility"] == "total_loss"


def test_a_period_that_starts_long_before_the_first_transaction_is_empty_until_then(
    api, portfolio, held
):
    body = api.get(url(portfolio, "timeline?start=1900-01-01&interval=month")).json()
    assert len(body["points"]) == 124 * 12 + 5
    assert [point["market_value"] for point in body["points"][-3:]] == [0, 1000, 1100]
    assert api.get(url(portfolio, "performance?start=1900-01-01")).json()["twr"] == pytest.approx(
        1100 / 1020 - 1
    )


def test_a_period_that_ended_before_the_first_transaction_is_empty(api, portfolio, held):
    body = api.get(url(portfolio, "performance?start=2024-01-01&end=2024-01-31")).json()
    assert (body["end_value"], body["twr"], body["reasons"]["mwr"]) == (0, 0, "no_flows")
    assert values(api, portfolio, "end=2024-01-31") == [0]


def test_a_later_end_is_cut_to_today(api, portfolio, held):
    assert api.get(url(portfolio, "performance?end=2030-01-01")).json()["end"] == "2024-05-08"


@pytest.mark.parametrize("what", ["timeline", "performance", "bridge", "performance/explain"])
@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ("start=yesterday", 400, ("invalid", "start")),
        ("end=2024-13-01", 400, ("invalid", "end")),
        ("start=2024-05-02&end=2024-05-01", 422, ("start_after_end", "start")),
        ("start=2030-01-01", 422, ("start_after_end", "start")),
        ("start=1899-12-31", 422, ("out_of_range", "start")),
    ],
)
def test_a_period_that_cannot_be_is_refused(api, portfolio, what, query, status, error):
    response = api.get(url(portfolio, f"{what}?{query}"))
    assert response.status_code == status
    assert [(one["code"], one["attr"]) for one in response.json()["errors"]] == [error]


@pytest.mark.parametrize(
    ("path", "attr"),
    [
        ("timeline?interval=year", "interval"),
        ("allocation?by=colour", "by"),
        ("allocation?by=portfolio", "by"),
        ("realised-gains?method=lifo", "method"),
        ("realised-gains?year=24", "year"),
    ],
)
def test_a_parameter_that_cannot_be_read_is_named(api, portfolio, path, attr):
    response = api.get(url(portfolio, path))
    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == attr


PATHS = ["timeline", "performance", "performance/explain", "bridge", "allocation", "realised-gains"]


@pytest.mark.parametrize("what", PATHS)
def test_reports_are_the_owner_s_alone(anonymous, other_api, portfolio, what):
    assert anonymous.get(url(portfolio, what)).status_code == 401
    assert other_api.get(url(portfolio, what)).status_code == 404


@pytest.mark.parametrize(
    "what", ["timeline", "performance", "allocation", "net-worth", "dashboard"]
)
def test_reports_over_all_portfolios_need_a_user(anonymous, what):
    assert anonymous.get(f"/api/v1/{what}").status_code == 401


# --- The benchmark --------------------------------------------------------------------------------


def test_a_benchmark_is_converted_and_its_splits_are_undone(api, portfolio, held, make_stock):
    index = make_stock("INDEX.DEMO", currency="USD", price="55")
    closes(index, "200", "202", None, "51", "54")
    market.record_splits(stock=index, splits=[(MONDAY + timedelta(3), D(4))], source="simulated")
    rates("USD", "NOK", "10", "10", "11", "11")
    body = api.get(url(portfolio, "timeline?benchmark=index.demo")).json()
    # The day before the first transaction is Monday, 200 x 10; 51 is a quarter of 204, 55 of 220.
    assert [point["benchmark_index"] for point in body["points"]] == pytest.approx(
        [101, 111.1, 112.2, 118.8, 118.8, 118.8, 118.8, 118.8, 121]
    )
    assert api.get(url(portfolio, "performance?benchmark=INDEX.DEMO")).json()["benchmark"] == {
        "ticker": "INDEX.DEMO",
        "twr": pytest.approx(0.21, abs=1e-12),
    }


def test_a_benchmark_without_a_price_on_the_first_day_is_null(api, portfolio, held, make_stock):
    make_stock("INDEX.DEMO", price="55")
    body = api.get(url(portfolio, "timeline?benchmark=INDEX.DEMO")).json()
    assert all("benchmark_index" not in point for point in body["points"])
    body = api.get(url(portfolio, "performance?benchmark=INDEX.DEMO")).json()
    assert body["benchmark"] == {"ticker": "INDEX.DEMO", "twr": None}
    assert body["reasons"]["benchmark"] == "missing_prices: [INDEX.DEMO]"


# --- All portfolios together ----------------------------------------------------------------------


def test_over_all_portfolios_each_is_converted_from_its_own_currency_at_each_day_s_rate(
    api, user, portfolio, held
):
    dollars = services.create_portfolio(user=user, name="Dollars", currency="USD")
    trade(dollars, held, "buy", "1", "100", exchange_rate="0.1", on=MONDAY + timedelta(2))
    rates("USD", "NOK", "10", "10", "10", "11")
    body = api.get("/api/v1/timeline").json()
    assert body["currency"] == "NOK"
    # A share of 105 NOK is worth 105 / 10 USD, which is 105 NOK again.
    assert [point["market_value"] for point in body["points"][:3]] == [1000, 1155, 1210]
    # 10 USD went in when a dollar was 10 NOK.
    assert [point["net_flow"] for point in body["points"][:3]] == [1020, 100, 0]
    assert api.get("/api/v1/performance").json()["end_value"] == 1210


def test_a_timeline_over_all_can_include_each_portfolio_in_its_own_currency(
    api, user, portfolio, held
):
    dollars = services.create_portfolio(user=user, name="Dollars", currency="USD")
    empty = services.create_portfolio(user=user, name="Empty", currency="SEK")
    trade(dollars, held, "buy", "1", "100", exchange_rate="0.1", on=MONDAY + timedelta(2))
    rates("USD", "NOK", "10", "10", "10", "11")
    body = api.get("/api/v1/timeline?by=portfolio").json()
    assert [len(one["market_value"]) for one in body["portfolios"]] == [len(body["points"])] * 3
    assert [
        (one["portfolio_id"], one["currency"], one["market_value"][:3])
        for one in body["portfolios"]
    ] == [
        (str(portfolio.pk), "NOK", [1000, 1050, 1100]),
        (str(dollars.pk), "USD", [0, 10.5, 10]),
        (str(empty.pk), "SEK", [0, 0, 0]),
    ]
    assert body["points"] == api.get("/api/v1/timeline").json()["points"]
    assert "portfolios" not in api.get(url(portfolio, "timeline?by=portfolio")).json()
    assert api.get("/api/v1/timeline?by=broker").json()["errors"][0]["attr"] == "by"


def test_a_portfolio_without_a_rate_into_the_base_currency_is_left_out_and_named(
    api, user, portfolio, held, make_stock, no_other_rates
):
    other = services.create_portfolio(user=user, name="Other", currency="ISK")
    trade(other, make_stock("ICE.DEMO", currency="ISK", price="10"), "buy", "1", "10", on=MONDAY)
    body = api.get("/api/v1/timeline").json()
    assert body["points"][-1]["market_value"] == 1100
    assert body["missing"] == ["ICE.DEMO"]


# --- Allocation -----------------------------------------------------------------------------------


def test_an_allocation_adds_up_to_one(api, user, portfolio, make_stock):
    for ticker, price, sector in (
        ("ONE.DEMO", "10", "Energy"),
        ("TWO.DEMO", "20", "Energy"),
        ("SIX.DEMO", "60", ""),
    ):
        trade(portfolio, make_stock(ticker, price=price, sector=sector), "buy", "1", "5")
    body = api.get(url(portfolio, "allocation")).json()
    assert [(part["label"], part["market_value"]) for part in body] == [
        ("SIX.DEMO", 60), ("TWO.DEMO", 20), ("ONE.DEMO", 10)
    ]  # fmt: skip
    assert [part["weight"] for part in body] == [
        0.666666666666667,
        0.222222222222222,
        0.111111111111111,
    ]
    by_sector = api.get(url(portfolio, "allocation?by=sector")).json()
    assert [(part["key"], part["market_value"]) for part in by_sector] == [
        ("unknown", 60),
        ("Energy", 30),
    ]
    for by in ("currency", "exchange", "asset_type", "country"):
        assert (
            sum(part["weight"] for part in api.get(url(portfolio, f"allocation?by={by}")).json())
            == 1
        )


def test_an_allocation_over_all_portfolios_can_be_by_portfolio(api, user, portfolio, held):
    other = services.create_portfolio(user=user, name="Other", currency="NOK")
    trade(other, held, "buy", "30", "100")
    body = api.get("/api/v1/allocation?by=portfolio").json()
    assert [(part["label"], part["weight"]) for part in body] == [("Other", 0.75), ("Nordic", 0.25)]


# --- Realised gains -------------------------------------------------------------------------------


def test_a_sale_uses_up_the_oldest_lots_or_the_average(api, portfolio, make_stock):
    stock = make_stock(price="150")
    trade(portfolio, stock, "buy", "10", "100", commission="10", on=date(2023, 1, 2))
    trade(portfolio, stock, "buy", "10", "200", on=date(2023, 6, 2))
    sold = trade(portfolio, stock, "sell", "15", "150", commission="5", on=date(2024, 1, 2))
    (sale,) = api.get(url(portfolio, "realised-gains?method=fifo&year=2024")).json()
    assert sale == {
        "transaction_id": str(sold.pk),
        "kind": "sale",
        "ticker": "FJORD.DEMO",
        "date": "2024-01-02",
        "quantity": 15,
        "proceeds": 2245,
        "cost": 2010,
        "gain": 235,
        "lots": [
            {"bought_on": "2023-01-02", "quantity": 10, "cost": 1010},
            {"bought_on": "2023-06-02", "quantity": 5, "cost": 1000},
        ],
    }
    (sale,) = api.get(url(portfolio, "realised-gains")).json()
    assert (sale["cost"], sale["gain"], sale["lots"]) == (2257.5, -12.5, [])
    assert sale["gain"] == float(sold.realised_gain)
    assert api.get(url(portfolio, "realised-gains?year=2023")).json() == []
