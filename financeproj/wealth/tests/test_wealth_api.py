"""Test net worth over time, its explanation, and the dashboard."""

import json
from datetime import date, timedelta
from decimal import Decimal as D

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketdata import services as market
from pensions import services as pensions
from portfolios import services
from portfolios.tests.conftest import make_stock, no_other_rates, quote, trade

__all__ = ["make_stock", "no_other_rates"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_other_rates")]
MONDAY = date(2024, 4, 29)
NET_WORTH = "/api/v1/net-worth"


@pytest.fixture(autouse=True)
def _today():
    with time_machine.travel("2024-05-03T12:00:00Z", tick=False):
        yield


@pytest.fixture
def kroner(user):
    return services.create_portfolio(user=user, name="Nordic", currency="NOK")


@pytest.fixture
def share(make_stock):
    stock = make_stock(price="130")
    quote(stock, "130", previous="125")
    days = [
        (MONDAY + timedelta(day), D(close))
        for day, close in enumerate(["100", "110", "120", "125"])
    ]
    market.record_prices(stock=stock, closes=days, source="simulated")
    return stock


@pytest.fixture
def dollars(user):
    """Rates from Monday to Thursday."""
    found = [
        (MONDAY + timedelta(day), D(rate)) for day, rate in enumerate(["10", "10", "11", "12"])
    ]
    market.record_rates(base="USD", target="NOK", rates=found, source="simulated")
    return services.create_portfolio(user=user, name="Dollars", currency="USD")


def pension(user, currency="NOK", **values):
    account = pensions.create_account(user=user, name=f"Pension {currency}", currency=currency)
    for day, value in values.items():
        pensions.record_value(account=account, on=MONDAY + timedelta(int(day[1:])), value=D(value))
    return account


def column(body, name):
    return [point[name] for point in body["points"]]


def test_net_worth_is_portfolios_cash_and_pensions_less_credit(api, user, kroner, share, dollars):
    trade(kroner, share, "buy", "10", "100", on=MONDAY)
    trade(dollars, share, "buy", "1", "100", exchange_rate="0.1", on=MONDAY + timedelta(1))
    services.set_balance(portfolio=kroner, kind="cash", amount=D(500), on=MONDAY + timedelta(2))
    services.set_balance(portfolio=kroner, kind="cash", amount=D(700), on=MONDAY + timedelta(4))
    services.set_balance(portfolio=dollars, kind="credit", amount=D(3), on=MONDAY + timedelta(3))
    pension(user, d1="9000", d3="9100")
    body = api.get(NET_WORTH).json()
    assert column(body, "date") == [
        "2024-04-29",
        "2024-04-30",
        "2024-05-01",
        "2024-05-02",
        "2024-05-03",
    ]
    # A share in the dollar portfolio is worth its price in kroner again.
    assert column(body, "portfolios") == pytest.approx([1000, 1210, 1320, 1375, 1430])
    # The first cash counts back to the first transaction, and so does the credit, at each day's
    # rate.
    assert column(body, "cash") == [500, 500, 500, 500, 700]
    assert column(body, "credit") == [0, 30, 33, 36, 36]
    assert column(body, "pensions") == [0, 9000, 9000, 9100, 9100]
    for point in body["points"]:
        total = point["portfolios"] + point["cash"] - point["credit"] + point["pensions"]
        assert point["net_worth"] == pytest.approx(total)
    assert (body["currency"], body["missing"], body["stale"]) == ("NOK", [], False)


def test_the_last_point_is_what_the_dashboard_says(api, user, kroner, share, dollars):
    trade(kroner, share, "buy", "10", "100", on=MONDAY)
    trade(dollars, share, "buy", "1", "100", exchange_rate="0.1", on=MONDAY)
    services.set_balance(portfolio=dollars, kind="cash", amount=D("12.5"))
    pension(user, "USD", d1="1000")
    last = api.get(NET_WORTH).json()["points"][-1]
    shown = api.get("/api/v1/dashboard").json()
    for point, name in (
        ("portfolios", "portfolios_value"),
        ("cash", "cash"),
        ("credit", "used_credit"),
        ("pensions", "pensions_value"),
        ("net_worth", "net_worth"),
    ):
        assert last[point] == pytest.approx(shown[name], rel=1e-9)


def test_without_transactions_it_starts_with_what_was_entered_first(api, user):
    pension(user, d2="100")
    body = api.get(NET_WORTH).json()
    assert (body["start"], column(body, "net_worth")) == ("2024-05-01", [100, 100, 100])


def test_a_user_without_holdings_has_net_worth_0(api):
    body = api.get(NET_WORTH).json()
    assert [list(point.values()) for point in body["points"]] == [["2024-05-03", 0, 0, 0, 0, 0]]


def test_a_pension_without_a_rate_makes_the_sum_unknown_and_never_zero(api, user, kroner, share):
    trade(kroner, share, "buy", "10", "100", on=MONDAY)
    pension(user, "ISK", d1="1000000")
    body = api.get(NET_WORTH).json()
    assert column(body, "pensions") == [0, None, None, None, None]
    assert column(body, "net_worth") == [1000, None, None, None, None]
    assert column(body, "portfolios") == [1000, 1100, 1200, 1250, 1300]
    assert body["missing"] == ["ISK/NOK"]
    shown = api.get("/api/v1/dashboard").json()
    assert (shown["net_worth"], shown["pensions_value"], shown["missing"]) == (
        None,
        None,
        ["ISK/NOK"],
    )
    assert shown["portfolios_value"] == 1300


def test_months_show_their_last_day(api, user):
    pension(user, d0="100", d2="200")
    body = api.get(f"{NET_WORTH}?interval=month").json()
    assert [(point["date"], point["net_worth"]) for point in body["points"]] == [
        ("2024-04-30", 100),
        ("2024-05-03", 200),
    ]


def test_an_unchanged_net_worth_is_not_sent_again_and_a_new_value_is(api, user):
    account = pension(user, d0="100")
    tag = api.get(NET_WORTH)["ETag"]
    assert api.get(NET_WORTH, headers={"if-none-match": tag}).status_code == 304
    pensions.record_value(account=account, on=MONDAY + timedelta(1), value=D(101))
    assert api.get(NET_WORTH, headers={"if-none-match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("query", "status"), [("start=x", 400), ("interval=hour", 400), ("start=2030-01-01", 422)]
)
def test_a_period_that_cannot_be_is_refused(api, query, status):
    assert api.get(f"{NET_WORTH}?{query}").status_code == status


def test_nothing_of_others_counts(api, other_api, other_user, kroner, share):
    trade(kroner, share, "buy", "10", "100", on=MONDAY)
    pension(other_user, d0="5")
    assert column(other_api.get(NET_WORTH).json(), "net_worth")[-1] == 5
    assert column(api.get(NET_WORTH).json(), "net_worth")[-1] == 1300
    assert other_api.get("/api/v1/dashboard").json()["net_worth"] == 5


@pytest.mark.parametrize("end", ["2024-04-30", "2024-05-03"])
def test_every_number_of_net_worth_follows_from_its_explanation(
    api, user, kroner, share, dollars, end
):
    trade(kroner, share, "buy", "10", "100", on=MONDAY)
    trade(dollars, share, "buy", "2", "100", exchange_rate="0.1", on=MONDAY)
    services.set_balance(portfolio=kroner, kind="cash", amount=D(500), on=MONDAY + timedelta(2))
    services.set_balance(portfolio=dollars, kind="credit", amount=D(7), on=MONDAY)
    pension(user, "USD", d1="1000")
    body = json.loads(api.get(f"{NET_WORTH}/explain?end={end}").content, parse_float=D, parse_int=D)
    point = api.get(f"{NET_WORTH}?end={end}").json()["points"][-1]
    assert body["date"] == point.pop("date") == end
    assert {name: float(one["value"]) for name, one in body["numbers"].items()} == pytest.approx(
        point
    )
    found = dict.fromkeys(point, D(0))
    for one in body["inputs"]["portfolios"]:
        rate = one["rate"]["rate"]
        for position in one["positions"]:
            assert position["price"]["date"] <= end
            value = position["quantity"] * position["price"]["price"] * position["rate"]["rate"]
            found["portfolios"] += value * rate
        found["cash"] += one["cash"]["amount"] * rate
        found["credit"] += one["used_credit"]["amount"] * rate
    for one in body["inputs"]["pensions"]:
        assert (one["source"], one["date"], one["rate"]["source"]) == (
            "manual",
            "2024-04-30",
            "simulated",
        )
        found["pensions"] += one["value"] * one["rate"]["rate"]
    found["net_worth"] = found["portfolios"] + found["cash"] - found["credit"] + found["pensions"]
    assert {name: float(value) for name, value in found.items()} == pytest.approx(point, rel=1e-9)


def test_the_dashboard_is_the_first_screen_in_one_answer(
    api, user, kroner, share, dollars, make_stock
):
    trade(kroner, share, "buy", "10", "100", on=MONDAY)
    trade(dollars, share, "buy", "2", "100", exchange_rate="0.1", on=MONDAY)
    faller = make_stock("DOWN.DEMO")
    quote(faller, "80", previous="100")
    trade(kroner, faller, "buy", "1", "90", on=MONDAY)
    pension(user, d1="1000")
    body = api.get("/api/v1/dashboard").json()
    assert (body["currency"], body["portfolios_value"], body["pensions_value"]) == (
        "NOK",
        1640,
        1000,
    )
    assert (body["net_worth"], body["cash"], body["used_credit"]) == (2640, 0, 0)
    # 12 shares rose by 5, one fell by 20.
    assert (body["day_change"], body["day_change_pct"]) == (40, pytest.approx(0.025))
    # 10 x 30 + (260 - 20 x 12) - 10; the dollars are counted at today's rate.
    assert body["total_gain"] == pytest.approx(300 + (260 / 12 - 20) * 12 - 10)
    assert body["movers"] == [
        {
            "ticker": "DOWN.DEMO",
            "company_name": "Down.Demo",
            "day_change": -20,
            "day_change_pct": -0.2,
            "day_change_on": "2024-05-03",
        },
        {
            "ticker": "FJORD.DEMO",
            "company_name": "Fjord.Demo",
            "day_change": 60,
            "day_change_pct": 0.04,
            "day_change_on": "2024-05-03",
        },
    ]
    assert [one["name"] for one in body["portfolios"]] == ["Nordic", "Dollars"]
    assert body["portfolios"][0]["summary"]["market_value"] == 1380
    assert [one["current_value"] for one in body["pension_accounts"]] == [1000]
    assert body["goal"] is None
    assert body["freshness"] == {"oldest_price_at": "2024-05-03T12:00:00Z", "stale": []}


def test_the_dashboard_names_what_is_stale_and_what_is_missing(api, kroner, share, make_stock):
    trade(kroner, share, "buy", "10", "100", on=MONDAY)
    trade(kroner, make_stock("NEW.OL"), "buy", "1", "0", commission="100", on=MONDAY)
    with time_machine.travel("2024-05-03T23:00:00Z", tick=False):
        body = api.get("/api/v1/dashboard").json()
    assert body["freshness"]["stale"] == ["FJORD.DEMO"]
    assert (body["missing"], body["missing_why"]) == (["NEW.OL"], {"NEW.OL": "no_price"})
    assert body["portfolios_value"] == 1300


def test_the_dashboard_shows_the_goal(api, user, kroner):
    user.retirement_goal_amount, user.retirement_goal_year = D(1000), 2040
    user.save()
    services.set_balance(portfolio=kroner, kind="cash", amount=D(2000))
    goal = api.get("/api/v1/dashboard").json()["goal"]
    assert (goal["amount"], goal["year"], goal["on_track"], goal["shortfall"]) == (
        1000,
        2040,
        True,
        0,
    )


def test_the_dashboard_of_an_empty_account_has_zeros_and_no_change_of_the_day(api):
    body = api.get("/api/v1/dashboard").json()
    assert (body["net_worth"], body["day_change"], body["day_change_pct"]) == (0, None, None)
    assert (body["portfolios"], body["movers"], body["pension_accounts"]) == ([], [], [])
    assert body["freshness"] == {"oldest_price_at": None, "stale": []}


def test_the_dashboard_takes_a_fixed_number_of_queries(
    api, user, kroner, share, make_stock, django_assert_num_queries
):
    trade(kroner, share, "buy", "10", "100", on=MONDAY)
    trade(kroner, make_stock("A.DEMO", price="3"), "buy", "1", "1", on=MONDAY)
    pension(user, "SEK", d0="1")
    api.get("/api/v1/dashboard")
    with CaptureQueriesContext(connection) as few:
        api.get("/api/v1/dashboard")
    for number in range(4):
        trade(kroner, make_stock(f"A{number}.DEMO", price="3"), "buy", "1", "1", on=MONDAY)
        services.create_portfolio(user=user, name=f"P{number}", currency="NOK")
    pension(user, d0="2")
    with django_assert_num_queries(len(few)):
        api.get("/api/v1/dashboard")
