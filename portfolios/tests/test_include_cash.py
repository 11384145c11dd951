"""Test returns with cash over REST, with exact figures."""

from datetime import date, timedelta
from decimal import Decimal as D
from itertools import pairwise

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portfolios import services
from portfolios.services.groups import conversion_legs, record_group, transfer_legs
from portfolios.tests.conftest import trade
from portfolios.tests.test_cash import cash_from, money
from portfolios.tests.test_reports_api import MONDAY, closes, rates

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_other_rates")]
TUESDAY, FRIDAY = MONDAY + timedelta(1), MONDAY + timedelta(4)


@pytest.fixture(autouse=True)
def _today():
    with time_machine.travel("2024-05-08T12:00:00Z", tick=False):
        yield


def get(api, path, status=200):
    response = api.get(f"/api/v1/{path}")
    assert response.status_code == status, response.content
    return response.json()


def of(api, portfolio, what, query="include_cash=true"):
    return get(api, f"portfolios/{portfolio.pk}/{what}?{query}")


@pytest.fixture
def account(api, portfolio, make_stock):
    """2,000 paid in on Monday; on Tuesday ten shares at 100 for 1,020, worth 110 from Thursday."""
    stock = make_stock(price="110")
    closes(stock, "98", "100", "105", "110")
    money(portfolio, "deposit", "2000", on=MONDAY)
    trade(portfolio, stock, "buy", "10", "100", commission="20", on=TUESDAY)
    assert cash_from(api, portfolio, MONDAY).status_code == 200
    return portfolio


def test_the_value_has_the_money_in_it_and_only_deposits_are_flows(api, account):
    body = of(api, account, "timeline")
    assert (body["start"], body["without_cash"]) == ("2024-04-29", [])
    points = body["points"]
    assert [point["market_value"] for point in points[:4]] == [2000, 1980, 2030, 2080]
    assert [point["net_flow"] for point in points[:4]] == [2000, 0, 0, 0]
    assert [point["cost_basis"] for point in points[:2]] == [0, 1020]
    assert points[-1]["twr_index"] == pytest.approx(104)
    performance = of(api, account, "performance")
    assert performance["twr"] == pytest.approx(0.04)
    assert (performance["end_value"], performance["gain"]) == (2080, 80)
    assert performance["unrealised_gain"] == 80  # of the shares alone
    assert performance["invested_from"] == "2024-04-29"


def test_without_the_parameter_nothing_changes(api, account):
    body = of(api, account, "performance", "")
    assert (body["start"], body["end_value"], body["without_cash"]) == ("2024-04-30", 1100, [])
    assert "cash" not in of(api, account, "bridge", "")


def test_the_bridge_has_the_money_next_to_the_securities(api, account):
    money(account, "interest", "5", on=FRIDAY)
    money(account, "fee", "-3", on=FRIDAY)
    money(account, "withdrawal", "-100", on=FRIDAY)
    body = of(api, account, "bridge")
    assert (body["start_value"], body["net_flow"], body["end_value"]) == (0, 1020, 1100)
    assert body["cash"] == {
        "start_value": 0,
        "entered": 0,
        "deposits": 2000,
        "withdrawals": 100,
        "adjustments": 0,
        "from_securities": -1020,
        "interest": 5,
        "fees": 3,
        "taxes": 0,
        "fx_effect": 0,
        "end_value": 882,
    }
    performance = of(api, account, "performance")
    assert performance["end_value"] == 1100 + 882
    parts = body["price_effect"] + body["fx_effect"] - body["commissions"]
    assert performance["gain"] == parts + 5 - 3 == 82


def test_a_portfolio_whose_money_is_not_known_counts_with_its_securities(
    api, user, account, make_stock
):
    other = services.create_portfolio(user=user, name="Gold", currency="NOK")
    trade(other, make_stock("GOLD.DEMO", price="50"), "buy", "2", "50", on=TUESDAY)
    money(other, "deposit", "700", on=MONDAY)
    alone = of(api, other, "performance")
    assert (alone["end_value"], alone["without_cash"]) == (100, ["Gold"])
    assert "cash" not in of(api, other, "bridge")
    together = get(api, "performance?include_cash=true")
    assert (together["end_value"], together["without_cash"]) == (2180, ["Gold"])
    assert together["net_flow"] == 2100
    bridge = get(api, "bridge?include_cash=true")
    assert (bridge["end_value"], bridge["cash"]["end_value"]) == (1200, 980)
    assert bridge["without_cash"] == ["Gold"]
    assert [holding["ticker"] for holding in bridge["holdings"]] == ["FJORD.DEMO", "GOLD.DEMO"]
    points = get(api, "timeline?include_cash=true&by=portfolio")["portfolios"]
    assert [one["market_value"][-1] for one in points] == [2080, 100]


def test_money_moved_between_own_portfolios_is_no_flow_of_all(api, user, account):
    other = services.create_portfolio(user=user, name="Second", currency="NOK")
    legs = transfer_legs(portfolio=account, to_portfolio=other, currency="NOK", amount=D(900))
    record_group(kind="transfer", legs=legs, date=FRIDAY)
    assert cash_from(api, other, MONDAY).status_code == 200
    body = get(api, "timeline?include_cash=true")
    assert body["points"][-1]["market_value"] == 2080
    assert body["points"][-1]["twr_index"] == pytest.approx(104)
    assert [point["net_flow"] for point in body["points"]] == [2000] + [0] * 9
    assert of(api, account, "performance")["net_flow"] == 1100


def test_everything_is_in_the_base_currency_at_the_days_rate(api, user, account):
    rates("EUR", "NOK", *["10"] * 5, *["8"] * 5, start=MONDAY)
    user.base_currency = "EUR"
    user.save()
    body = get(api, "performance?include_cash=true")
    assert (body["currency"], body["end_value"], body["net_flow"]) == ("EUR", 260, 200)
    bridge = get(api, "bridge?include_cash=true")
    cash = bridge["cash"]
    assert (cash["deposits"], cash["from_securities"], cash["end_value"]) == (200, -102, 122.5)
    assert cash["fx_effect"] == pytest.approx(980 / 8 - 980 / 10)
    assert bridge["fx_effect"] == pytest.approx(1100 / 8 - 1100 / 10)
    parts = sum(bridge[name] for name in ("price_effect", "fx_effect", "income"))
    parts += cash["fx_effect"] - bridge["charges"] - bridge["commissions"]
    assert body["gain"] == pytest.approx(parts)


def test_money_in_a_share_whose_currency_has_no_rate_at_first_is_no_loss(
    api, portfolio, make_stock
):
    stock = make_stock("FAR.DEMO", currency="USD", price="100")
    closes(stock, "100", start=date(2024, 4, 1))
    rates("USD", "NOK", *["10"] * 8, start=date(2024, 5, 1))
    money(portfolio, "deposit", "10000", on=date(2024, 4, 1))
    trade(portfolio, stock, "buy", "1", "100", exchange_rate="10", on=date(2024, 4, 2))
    assert cash_from(api, portfolio, date(2024, 4, 1)).status_code == 200
    body = of(api, portfolio, "timeline")
    values = [point["market_value"] for point in body["points"]]
    assert values == [10_000] + [9000] * 29 + [10_000] * 8
    assert {point["twr_index"] for point in body["points"]} == {100}
    assert body["missing_why"] == {"FAR.DEMO": "no_rate"}


def test_a_rate_that_is_missing_for_a_while_is_no_loss(api, portfolio, make_stock):
    stock = make_stock("FAR.DEMO", currency="USD", price="100")
    closes(stock, "100", start=date(2024, 1, 1))
    rates("USD", "NOK", "10", start=date(2024, 1, 1))
    rates("USD", "NOK", "10", start=date(2024, 5, 1))
    money(portfolio, "deposit", "10000", on=date(2024, 1, 1))
    trade(portfolio, stock, "buy", "1", "100", exchange_rate="10", on=date(2024, 1, 2))
    assert cash_from(api, portfolio, date(2024, 1, 1)).status_code == 200
    body = of(api, portfolio, "timeline")
    assert {point["market_value"] for point in body["points"]} == {9000, 10_000}
    assert {point["twr_index"] for point in body["points"]} == {100}
    assert of(api, portfolio, "performance")["twr"] == 0


def test_money_in_a_currency_without_a_rate_leaves_and_comes_again(api, portfolio):
    rates("USD", "NOK", "10", start=date(2024, 1, 1))
    rates("USD", "NOK", "12", start=date(2024, 5, 1))
    money(portfolio, "deposit", "10000", on=date(2024, 1, 1))
    legs = conversion_legs(
        portfolio=portfolio, currency="NOK", amount=D(1000), to_currency="USD", to_amount=D(100)
    )
    record_group(kind="conversion", legs=legs, date=date(2024, 1, 2))
    legs = conversion_legs(
        portfolio=portfolio, currency="NOK", amount=D(500), to_currency="USD", to_amount=D(50)
    )
    record_group(kind="conversion", legs=legs, date=date(2024, 4, 10))
    assert cash_from(api, portfolio, date(2024, 1, 1)).status_code == 200
    body = of(api, portfolio, "timeline")
    assert {point["twr_index"] for point in body["points"]} == {100}
    assert body["missing_why"] == {"USD": "no_rate"}
    cash = of(api, portfolio, "bridge")["cash"]
    assert cash["entered"] == -1000 - 500 + 150 * 12
    assert (cash["deposits"], cash["fx_effect"], cash["end_value"]) == (10_000, 0, 10_300)


def test_a_fund_that_nothing_prices_takes_nothing_from_the_return(api, portfolio, make_stock):
    fund = make_stock("FUND.DEMO", currency="USD")
    money(portfolio, "deposit", "10000", on=MONDAY)
    trade(portfolio, fund, "buy", "10", "10", exchange_rate="10", on=MONDAY)
    assert cash_from(api, portfolio, MONDAY).status_code == 200
    body = of(api, portfolio, "performance")
    assert (body["twr"], body["end_value"], body["net_flow"]) == (0, 9000, 9000)
    assert body["missing"] == ["FUND.DEMO"]


def test_what_stood_there_before_enters_on_the_first_day(api, account):
    assert cash_from(api, account, TUESDAY).status_code == 200
    cash = of(api, account, "bridge")["cash"]
    assert (cash["entered"], cash["deposits"], cash["end_value"]) == (2000, 0, 980)
    later = of(api, account, "bridge", "include_cash=true&start=2024-05-02")["cash"]
    assert (later["start_value"], later["entered"], later["end_value"]) == (980, 0, 980)


def test_a_period_begins_with_the_first_row_other_than_an_opening(api, portfolio):
    money(portfolio, "opening", "500", on=MONDAY - timedelta(7))
    money(portfolio, "deposit", "100", on=TUESDAY)
    assert cash_from(api, portfolio, MONDAY).status_code == 200
    body = of(api, portfolio, "performance")
    assert (body["start"], body["start_value"], body["end_value"]) == ("2024-04-30", 500, 600)
    money(portfolio, "withdrawal", "-600", on=FRIDAY)
    assert of(api, portfolio, "performance")["end"] == str(FRIDAY)  # nothing is held any more


def test_a_portfolio_that_owes_more_than_it_owns_has_no_return(api, portfolio, make_stock):
    stock = make_stock(price="30")
    closes(stock, "100", "100", "30")
    money(portfolio, "deposit", "500", on=MONDAY)
    trade(portfolio, stock, "buy", "10", "100", on=MONDAY)
    assert cash_from(api, portfolio, MONDAY).status_code == 200
    body = of(api, portfolio, "performance")
    assert (body["end_value"], body["twr"], body["twr_annualised"]) == (-200, None, None)
    assert body["reasons"]["twr"] == body["reasons"]["twr_annualised"] == "negative_value"
    before = of(api, portfolio, "performance", "include_cash=true&end=2024-04-30")
    assert before["twr"] == 0


@pytest.mark.parametrize("change", ["deposit", "cash_from", "name"])
def test_whatever_changes_the_money_changes_the_tag(api, account, change):
    path = f"/api/v1/portfolios/{account.pk}/timeline?include_cash=true"
    before = api.get(path)["ETag"]
    assert api.get(path)["ETag"] == before
    if change == "deposit":
        money(account, "deposit", "1", on=FRIDAY)
    elif change == "cash_from":
        assert cash_from(api, account, FRIDAY).status_code == 200
    else:
        api.patch(f"/api/v1/portfolios/{account.pk}", {"name": "Other"})
    assert api.get(path)["ETag"] != before


@pytest.mark.untraced
@pytest.mark.parametrize("what", ["timeline", "performance", "performance/explain", "bridge"])
def test_the_number_of_queries_does_not_grow_with_the_rows(api, account, make_stock, what):
    def queries():
        of(api, account, what)
        with CaptureQueriesContext(connection) as queried:
            of(api, account, what)
        return len(queried)

    def more_rows(numbers):
        for number in numbers:
            day = MONDAY + timedelta(number)
            money(account, "deposit", "100", on=day, currency=("NOK", "EUR", "USD")[number % 3])
            stock = make_stock(f"A{number}.DEMO", price="5")
            trade(account, stock, "buy", "3", "4", on=day)

    more_rows(range(3))
    few = queries()
    more_rows(range(3, 9))
    assert queries() == few


@pytest.mark.django_db(transaction=True)
def test_a_warm_timeline_reads_no_transactions(api, account):
    of(api, account, "timeline")
    with CaptureQueriesContext(connection) as queried:
        of(api, account, "timeline")
    read = " ".join(query["sql"] for query in queried)
    assert 'FROM "portfolios_transaction"' not in read


def test_a_parameter_that_is_no_boolean_is_refused(api, account):
    errors = get(api, "performance?include_cash=maybe", 400)["errors"]
    assert [error["attr"] for error in errors] == ["include_cash"]


def test_every_number_with_cash_follows_from_its_explanation(api, account, make_stock):
    """Dollars without a rate on some days, a fund that gets a price late, every kind of row."""
    rates("USD", "NOK", "10", start=date(2024, 1, 20))
    rates("USD", "NOK", "11", "12", "11.5", start=date(2024, 5, 2))
    late = make_stock("LATE.DEMO", currency="USD")
    closes(late, "20", "22", start=date(2024, 5, 3))
    money(account, "deposit", "50", on=date(2024, 4, 18), currency="USD")
    money(account, "deposit", "5000", on=date(2024, 4, 18))
    trade(account, late, "buy", "2", "20", exchange_rate="10", on=date(2024, 4, 30))
    legs = conversion_legs(
        portfolio=account, currency="NOK", amount=D(400), to_currency="USD", to_amount=D(40)
    )
    record_group(kind="conversion", legs=legs, date=date(2024, 4, 30))
    for kind, amount in (("interest", "3"), ("fee", "-2"), ("tax", "-1"), ("adjustment", "-4")):
        money(account, kind, amount, on=FRIDAY)
    money(account, "deposit", "70", on=FRIDAY)
    money(account, "withdrawal", "-90", on=FRIDAY)
    assert cash_from(api, account, date(2024, 4, 19)).status_code == 200
    for query in ("", "&start=2024-05-01", "&start=2024-04-29&end=2024-05-02"):
        reported = of(api, account, "performance", f"include_cash=true{query}")
        body = of(api, account, "performance/explain", f"include_cash=true{query}")
        numbers = {name: one["value"] for name, one in body["numbers"].items()}
        assert {name: reported[name] for name in numbers} == numbers
        for name in ("start", "end"):
            _check_value(body["inputs"], name, numbers[f"{name}_value"])
        _check_days(body, numbers)


def _check_value(inputs, name, value):
    positions = sum(one["value"] or 0 for one in inputs[f"{name}_positions"])
    standing = 0
    for one in inputs[f"{name}_cash"]:
        if one["value"] is not None:
            assert one["value"] == pytest.approx(one["balance"] * one["rate"]["rate"])
            standing += one["value"]
    assert value == pytest.approx(positions + standing)


def _check_days(body, numbers):
    days, flows = body["intermediate"]["days"], {}
    listed = {row["id"] for row in body["inputs"]["transactions"]}
    for flow in body["intermediate"]["flows"]:
        assert flow["transaction_id"] is None or flow["transaction_id"] in listed
        sign = 1 if flow["direction"] == "in" else -1
        flows[flow["date"]] = flows.get(flow["date"], 0) + sign * flow["amount"]
    index = 1.0
    for before, day in pairwise(days):
        net_flow = day["inflow"] - day["outflow"]
        assert net_flow == pytest.approx(flows.get(day["date"], 0)), day["date"]
        base = before["value"] + day["inflow"] - day["switched"]
        end = day["value"] + day["outflow"] - day["switched"]
        assert day["daily_return"] == pytest.approx(end / base - 1 if base > 0 else 0)
        index *= 1 + day["daily_return"]
    assert numbers["twr"] == pytest.approx(index - 1, abs=1e-12)
    assert numbers["net_flow"] == pytest.approx(sum(flows.values()))


def act(api, holding, kind, target, amount, on):
    body = {
        "kind": kind,
        "holding_id": str(holding.pk),
        "date": str(on),
        "targets": [target],
        "cash": {"currency": "NOK", "amount": amount},
    }
    response = api.post("/api/v1/transaction-groups", body)
    assert response.status_code == 201, response.content


def test_the_cash_of_a_merger_stays_in_the_portfolio(api, user, portfolio, make_stock):
    gone, come = make_stock("T.DEMO"), make_stock("A.DEMO")
    closes(gone, "30", "60")
    closes(come, "100", "125", "125")
    rates("EUR", "NOK", *["10"] * 10)
    money(portfolio, "deposit", "3600", on=MONDAY)
    held = trade(portfolio, gone, "buy", "120", "30", on=MONDAY).holding
    target = {"ticker": "A.DEMO", "quantity": 48}
    act(api, held, "exchange", target, 1200, MONDAY + timedelta(2))
    assert cash_from(api, portfolio, MONDAY).status_code == 200
    points = of(api, portfolio, "timeline")["points"]
    assert [point["market_value"] for point in points[:4]] == [3600, 7200, 7200, 7200]
    assert [point["net_flow"] for point in points] == [3600] + [0] * 9
    assert points[-1]["twr_index"] == pytest.approx(200)
    cash = of(api, portfolio, "bridge")["cash"]
    assert (cash["from_securities"], cash["end_value"]) == (-2400, 1200)
    user.base_currency = "EUR"
    user.save()
    bridge = get(api, "bridge?include_cash=true")
    assert (bridge["end_value"], bridge["price_effect"], bridge["fx_effect"]) == (600, 360, 0)
    assert (bridge["cash"]["from_securities"], bridge["cash"]["end_value"]) == (-240, 120)
    assert get(api, "performance?include_cash=true")["gain"] == 360


def test_rights_without_a_price_that_are_exercised_are_no_gain(api, portfolio, make_stock):
    rights, share = make_stock("RTS.DEMO", currency="USD"), make_stock("SHR.DEMO")
    closes(share, "12")
    money(portfolio, "deposit", "1000", on=MONDAY)
    held = trade(portfolio, rights, "transfer_in", "100", "0", exchange_rate="1", on=MONDAY).holding
    target = {"ticker": "SHR.DEMO", "quantity": 100, "rate": 1}
    act(api, held, "exercise", target, -1000, TUESDAY)
    assert cash_from(api, portfolio, MONDAY).status_code == 200
    points = of(api, portfolio, "timeline")["points"]
    assert [point["market_value"] for point in points[:3]] == [1000, 1200, 1200]
    assert {point["twr_index"] for point in points} == {100}
    assert [point["net_flow"] for point in points[:2]] == [1000, 200]
    cash = of(api, portfolio, "bridge")["cash"]
    assert (cash["from_securities"], cash["end_value"]) == (-1000, 0)


def test_shares_moved_between_own_portfolios_are_no_flow_of_all(api, user, account):
    other = services.create_portfolio(user=user, name="Second", currency="NOK")
    assert cash_from(api, other, MONDAY).status_code == 200
    held = account.holdings.get()
    body = {
        "kind": "transfer",
        "holding_id": str(held.pk),
        "quantity": 10,
        "to_portfolio_id": str(other.pk),
        "date": str(FRIDAY),
    }
    assert api.post("/api/v1/transaction-groups", body).status_code == 201
    points = get(api, "timeline?include_cash=true")["points"]
    assert points[-1]["twr_index"] == pytest.approx(104)
    assert [point["net_flow"] for point in points] == [2000] + [0] * 9
    assert of(api, account, "performance")["net_flow"] == 2000 - 1100
    assert of(api, other, "performance")["twr"] == 0
