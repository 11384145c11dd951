"""Test that exchanges, spin-offs and moved shares give no false gain or loss."""

from datetime import timedelta
from decimal import Decimal as D

import pytest
from django.utils import timezone

from marketdata.models import HistoricalStockPrice
from portfolios import services
from portfolios.tests.conftest import quote, rate, trade

pytestmark = pytest.mark.django_db
TODAY = timezone.localdate()
URL = "/api/v1/transaction-groups"


def day(ago):
    return timezone.localdate() - timedelta(days=ago)


def closes(stock, **by_ago):
    """Store closes by how many days ago: d10="5"."""
    for name, price in by_ago.items():
        HistoricalStockPrice.objects.as_service().create(
            stock=stock, date=day(int(name[1:])), close=D(price), source="test"
        )


def get(api, path):
    response = api.get(f"/api/v1/{path}")
    assert response.status_code == 200, response.content
    return response.json(parse_float=D)


def post(api, body):
    response = api.post(URL, body)
    assert response.status_code == 201, response.content
    return response.json(parse_float=D)


def action(holding, kind, ago, targets, **more):
    return {
        "kind": kind,
        "holding_id": str(holding.pk),
        "date": str(day(ago)),
        "targets": targets,
        **more,
    }


def performance(api, portfolio):
    return get(api, f"portfolios/{portfolio.pk}/performance")


def bridge(api, portfolio):
    answer = get(api, f"portfolios/{portfolio.pk}/bridge")
    for one in (answer, *answer["holdings"]):
        parts = one["start_value"] + one["net_flow"] + one["price_effect"] + one["fx_effect"]
        parts += one["income"] - one["charges"] - one["commissions"]
        assert abs(parts - one["end_value"]) < D("0.000001")
    return {one["ticker"]: one for one in answer["holdings"]} | {"all": answer}


def test_a_spin_off_that_is_priced_at_once_gains_nothing(api, portfolio, make_stock):
    x, y = make_stock("X.DEMO"), make_stock("Y.DEMO")
    held = trade(portfolio, x, "buy", "100", "50", on=day(20)).holding
    closes(x, d20="50", d11="50", d10="40")
    closes(y, d10="10")
    group = post(api, action(held, "spin_off", 10, [{"ticker": "Y.DEMO", "quantity": 100}]))
    assert [one["cost_share"] for one in group["targets"]] == [D("0.2")]
    figures = performance(api, portfolio)
    assert (figures["twr"], figures["gain"], figures["net_flow"]) == (0, 0, 5000)
    moved = bridge(api, portfolio)
    assert [moved[name]["price_effect"] for name in ("X.DEMO", "Y.DEMO", "all")] == [0, 0, 0]
    assert [moved[name]["net_flow"] for name in ("X.DEMO", "Y.DEMO", "all")] == [4000, 1000, 5000]
    summary = get(api, f"portfolios/{portfolio.pk}")["summary"]
    assert (summary["market_value"], summary["total_gain"]) == (5000, 0)


def test_a_spin_off_that_is_never_priced_stands_at_what_its_share_says(api, portfolio, make_stock):
    x, _ = make_stock("X.DEMO"), make_stock("Y.DEMO")
    held = trade(portfolio, x, "buy", "100", "50", on=day(20)).holding
    closes(x, d20="50", d11="50", d10="40")
    target = {"ticker": "Y.DEMO", "quantity": 100, "cost_share": D("0.2")}
    post(api, action(held, "spin_off", 10, [target]))
    figures = performance(api, portfolio)
    assert (figures["twr"], figures["gain"]) == (0, 0)
    holdings = {one["ticker"]: one for one in get(api, f"portfolios/{portfolio.pk}/holdings")}
    came = holdings["Y.DEMO"]
    assert (came["price"], came["price_source"], came["price_stale"]) == (10, "trade", True)
    assert (came["market_value"], came["unrealised_gain"]) == (1000, 0)


def test_a_spin_off_that_is_priced_after_three_days_counts_so_from_its_day(
    api, portfolio, make_stock
):
    x, y = make_stock("X.DEMO"), make_stock("Y.DEMO")
    held = trade(portfolio, x, "buy", "100", "50", on=day(20)).holding
    closes(x, d20="50", d11="50", d10="40")
    group = post(api, action(held, "spin_off", 10, [{"ticker": "Y.DEMO", "quantity": 100}]))
    assert [one["code"] for one in group["warnings"]] == ["cost_share_unknown"]
    assert [one["cost_share"] for one in group["targets"]] == [0]
    # Without a share it is worth what the fall of the price says.
    assert performance(api, portfolio)["twr"] == 0
    closes(y, d7="12")
    figures = performance(api, portfolio)
    assert (figures["twr"], figures["gain"]) == (D("0.04"), 200)
    timeline = get(api, f"portfolios/{portfolio.pk}/timeline")["points"]
    values = {point["date"]: point["market_value"] for point in timeline}
    assert [values[str(day(ago))] for ago in (11, 10, 9)] == [5000, 5200, 5200]
    # Changing the group works out the share again.
    again = api.put(
        f"{URL}/{group['id']}",
        action(held, "spin_off", 10, [{"ticker": "Y.DEMO", "quantity": 100}]),
    )
    shares = again.json(parse_float=D)["targets"][0]["cost_share"]
    assert round(shares, 12) == round(D(1200) / 5200, 12)


def test_a_merger_for_shares_and_cash_realises_what_was_paid_out(api, portfolio, make_stock):
    t, a = make_stock("T.DEMO"), make_stock("A.DEMO")
    held = trade(portfolio, t, "buy", "120", "30", on=day(20)).holding
    closes(t, d20="30", d11="60")
    closes(a, d30="100", d10="125")
    cash = {"currency": "NOK", "amount": 1200}
    body = action(held, "exchange", 10, [{"ticker": "A.DEMO", "quantity": 48}], cash=cash)
    post(api, body)
    figures = performance(api, portfolio)
    assert (figures["twr"], figures["gain"], figures["realised_gain"]) == (1, 3600, 600)
    assert (figures["net_flow"], figures["end_value"]) == (2400, 6000)
    moved = bridge(api, portfolio)
    assert [moved[name]["price_effect"] for name in ("T.DEMO", "A.DEMO", "all")] == [3600, 0, 3600]
    assert [moved[name]["net_flow"] for name in ("T.DEMO", "A.DEMO")] == [-3600, 6000]


def test_rights_in_a_foreign_currency_are_exercised_with_payment(api, portfolio, make_stock):
    rights, share = make_stock("RTS.DEMO", "EUR"), make_stock("SHR.DEMO", "EUR")
    for ago in range(25):
        rate("EUR", "NOK", "10", on=day(ago))
    held = trade(portfolio, rights, "buy", "10", "2", on=day(20), exchange_rate="10").holding
    closes(rights, d20="2", d11="2")
    closes(share, d10="12")
    cash = {"currency": "NOK", "amount": -1000}
    body = action(
        held, "exercise", 10, [{"ticker": "SHR.DEMO", "quantity": 10}], cash=cash, quantity_out=10
    )
    post(api, body)
    figures = performance(api, portfolio)
    assert (figures["twr"], figures["gain"], figures["net_flow"]) == (0, 0, 1200)
    assert figures["end_value"] == 1200
    holdings = {one["ticker"]: one for one in get(api, f"portfolios/{portfolio.pk}/holdings")}
    assert holdings["SHR.DEMO"]["cost_basis"] == 1200
    assert holdings["SHR.DEMO"]["average_cost_per_share"] == 12
    bridge(api, portfolio)


def test_shares_that_move_between_own_portfolios_are_no_flow(api, user, portfolio, stock):
    other = services.create_portfolio(user=user, name="Other", currency="NOK")
    held = trade(portfolio, stock, "buy", "10", "100", on=day(10)).holding
    closes(stock, d10="100", d6="100", d5="110")
    quote(stock, "110")
    post(
        api,
        {
            "kind": "transfer",
            "holding_id": str(held.pk),
            "quantity": 10,
            "to_portfolio_id": str(other.pk),
            "date": str(day(5)),
        },
    )
    figures = get(api, "performance")
    assert (round(figures["twr"], 12), figures["net_flow"]) == (D("0.1"), 1000)


@pytest.mark.parametrize("is_rated", [False, True])
def test_a_target_without_a_rate_leaves_at_what_it_took_over(
    api, portfolio, make_stock, no_other_rates, is_rated
):
    x, y = make_stock("X.DEMO"), make_stock("Y.DEMO", "USD")
    if is_rated:
        rate("USD", "NOK", "5", on=day(10))
    held = trade(portfolio, x, "buy", "100", "50", on=day(20)).holding
    closes(x, d20="50", d11="50", d10="40")
    closes(y, d10="2")
    target = {"ticker": "Y.DEMO", "quantity": 100, "cost_share": D("0.2"), "rate": D("0.2")}
    post(api, action(held, "spin_off", 10, [target]))
    figures = performance(api, portfolio)
    assert (figures["twr"], figures["gain"]) == (0, 0)
    assert figures["end_value"] == (5000 if is_rated else 4000)
    bridge(api, portfolio)


def values_around(api, portfolio):
    """Return the portfolio's value two days before an action of 10 days ago, to one after."""
    points = get(api, f"portfolios/{portfolio.pk}/timeline")["points"]
    values = {point["date"]: point["market_value"] for point in points}
    return [values[str(day(ago))] for ago in (12, 11, 10, 9)]


def exchanged(api, portfolio, make_stock, targets, **more):
    """Exchange 100 shares that were bought at 50 and closed at 60 the day before."""
    x = make_stock("X.DEMO")
    for one in targets:
        make_stock(one["ticker"])
    held = trade(portfolio, x, "buy", "100", "50", on=day(20)).holding
    closes(x, d20="50", d12="55", d11="60", d10="75")
    return post(api, action(held, "exchange", 10, targets, **more))


def test_what_nobody_prices_stands_at_what_was_exchanged_for_it(api, portfolio, make_stock):
    exchanged(api, portfolio, make_stock, [{"ticker": "Y.DEMO", "quantity": 40}])
    # At the last close before: that of the day itself is of shares that were gone.
    assert values_around(api, portfolio) == [5500, 6000, 6000, 6000]
    figures = performance(api, portfolio)
    assert (figures["twr"], figures["gain"], figures["net_flow"]) == (D("0.2"), 1000, 5000)
    day_of = f"portfolios/{portfolio.pk}/performance?start={day(10)}&end={day(10)}"
    assert get(api, day_of)["twr"] == 0
    moved = bridge(api, portfolio)
    effects = [moved[name]["price_effect"] for name in ("X.DEMO", "Y.DEMO", "all")]
    flows = [moved[name]["net_flow"] for name in ("X.DEMO", "Y.DEMO", "all")]
    assert (effects, flows) == ([1000, 0, 1000], [-1000, 6000, 5000])
    holdings = {one["ticker"]: one for one in get(api, f"portfolios/{portfolio.pk}/holdings")}
    came = holdings["Y.DEMO"]
    assert (came["price"], came["price_source"], came["price_stale"]) == (150, "trade", True)
    assert (came["cost_basis"], came["unrealised_gain"]) == (5000, 1000)


@pytest.mark.parametrize(("amount", "stands_at"), [(1200, 4800), (-1000, 7000)])
def test_cash_with_what_nobody_prices_is_all_that_flows(
    api, portfolio, make_stock, amount, stands_at
):
    cash = {"currency": "NOK", "amount": amount}
    targets = [{"ticker": "Y.DEMO", "quantity": 40}]
    exchanged(api, portfolio, make_stock, targets, cash=cash)
    assert values_around(api, portfolio) == [5500, 6000, stands_at, stands_at]
    figures = performance(api, portfolio)
    assert (round(figures["twr"], 12), figures["gain"]) == (D("0.2"), 1000)
    assert figures["net_flow"] == 5000 - amount
    moved = bridge(api, portfolio)
    effects = [moved[name]["price_effect"] for name in ("X.DEMO", "Y.DEMO", "all")]
    assert effects == [1000, 0, 1000]
    assert moved["Y.DEMO"]["net_flow"] == moved["Y.DEMO"]["end_value"] == stands_at


def test_several_that_nobody_prices_share_the_value_by_cost(api, portfolio, make_stock):
    targets = [
        {"ticker": "Y.DEMO", "quantity": 40, "cost_share": D("0.25")},
        {"ticker": "Z.DEMO", "quantity": 10, "cost_share": D("0.75")},
    ]
    exchanged(api, portfolio, make_stock, targets)
    assert values_around(api, portfolio) == [5500, 6000, 6000, 6000]
    moved = bridge(api, portfolio)
    flows = [moved[name]["net_flow"] for name in ("X.DEMO", "Y.DEMO", "Z.DEMO", "all")]
    assert flows == [-1000, 1500, 4500, 5000]
    effects = [moved[name]["price_effect"] for name in ("X.DEMO", "Y.DEMO", "Z.DEMO", "all")]
    assert effects == [1000, 0, 0, 1000]
    assert performance(api, portfolio)["twr"] == D("0.2")


def test_an_exchange_of_what_nobody_prices_into_what_nobody_prices(api, portfolio, make_stock):
    """Both are worth what was last paid."""
    x, _ = make_stock("X.DEMO"), make_stock("Y.DEMO")
    trade(portfolio, x, "buy", "60", "50", on=day(20))
    held = trade(portfolio, x, "buy", "40", "60", on=day(12)).holding
    post(api, action(held, "exchange", 10, [{"ticker": "Y.DEMO", "quantity": 40}]))
    assert values_around(api, portfolio) == [6000, 6000, 6000, 6000]
    figures = performance(api, portfolio)
    assert (figures["gain"], figures["net_flow"], figures["end_value"]) == (600, 5400, 6000)
    moved = bridge(api, portfolio)
    effects = [moved[name]["price_effect"] for name in ("X.DEMO", "Y.DEMO", "all")]
    assert effects == [600, 0, 600]
