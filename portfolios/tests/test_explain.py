"""Recalculate every reported number from its explanation alone."""

import json
import math
import re
import uuid
from datetime import date, timedelta
from decimal import Decimal as D

import pytest
import pyxirr
import time_machine

from marketdata import services as market
from portfolios.calc import ledger
from portfolios.models import Transaction
from portfolios.tests.conftest import quote, trade
from portfolios.tests.test_reports_api import closes, rates, url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_other_rates")]
START = date(2023, 1, 2)


@pytest.fixture(autouse=True)
def _today():
    with time_machine.travel("2024-05-08T12:00:00Z", tick=False):
        yield


@pytest.fixture
def eventful(portfolio, make_stock):
    """Two years of one dollar share, one share at home, and one that has a price only from March
    2024.
    """
    dollar = make_stock("USA.DEMO", currency="USD")
    home = make_stock("HOME.DEMO")
    late = make_stock("LATE.DEMO")
    closes(dollar, *[str(100 + day % 37) for day in range(490)], start=START - timedelta(1))
    closes(home, *[str(50 - day % 11) for day in range(430)], start=START - timedelta(1))
    closes(late, "20", "21", start=date(2024, 3, 1))
    rates(
        "USD",
        "NOK",
        *[str(D(10) + D(day % 23) / 10) for day in range(480)],
        start=START - timedelta(1),
    )
    quote(dollar, "123.5", previous="120")
    trade(portfolio, dollar, "buy", "10", "101", commission="9", exchange_rate="10.1", on=START)
    trade(portfolio, home, "buy", "100", "49", commission="29", on=START + timedelta(3))
    trade(
        portfolio,
        dollar,
        "dividend",
        "10",
        "1.5",
        commission="2",
        exchange_rate="10.3",
        on=date(2023, 6, 1),
    )
    trade(portfolio, home, "sell", "40", "48.5", commission="29", on=date(2023, 9, 1))
    trade(portfolio, home, "fee", "1", "15", on=date(2023, 9, 2))
    trade(portfolio, dollar, "split", "2", on=date(2023, 10, 2))
    trade(portfolio, dollar, "transfer_out", "5", on=date(2023, 11, 1))
    trade(portfolio, late, "transfer_in", "7", "19", on=date(2024, 2, 1))
    trade(portfolio, late, "transfer_in", "1", "22", on=date(2024, 3, 2))
    trade(portfolio, dollar, "sell", "5", "60", exchange_rate="11", on=date(2024, 4, 1))
    market.record_splits(stock=home, splits=[(date(2024, 4, 15), D(5))], source="simulated")
    return portfolio


def explained(api, path):
    return json.loads(api.get(path).content, parse_float=D, parse_int=D)


def same(got, expected):
    if expected is None:
        assert got is None
        return
    assert float(got) == pytest.approx(float(expected), rel=1e-9, abs=1e-9)


class Entry:
    """A transaction as an explanation shows it."""

    def __init__(self, shown):
        self.carried = None
        self.__dict__.update(shown)
        self.effective_date = shown["date"]


def amount(row):
    """Return the effect of a dividend, fee or similar, in the portfolio's currency."""
    sign = 1 if row["type"] in ("fee", "tax", "buy") else -1
    return (row["quantity"] * row["price"] + sign * row["commission"]) * row["exchange_rate"]


def replayed(rows):
    position, _ = ledger.replay(Entry(row) for row in rows)
    return position


@pytest.mark.parametrize("ticker", ["USA.DEMO", "HOME.DEMO", "LATE.DEMO"])
def test_every_number_of_a_holding_follows_from_its_explanation(api, eventful, ticker):
    holding = eventful.holdings.get(stock__ticker=ticker)
    reported = explained(api, f"/api/v1/holdings/{holding.pk}")
    body = explained(api, f"/api/v1/holdings/{holding.pk}/explain")
    numbers = {name: one["value"] for name, one in body["numbers"].items()}
    assert {name: reported[name] for name in numbers} == numbers
    assert all(one["formula"] for one in body["numbers"].values())

    inputs = body["inputs"]
    position = replayed(inputs["transactions"])
    quantity, price, previous = (
        position.quantity,
        inputs["price"]["price"],
        inputs["price"]["previous_close"],
    )
    rate, average = inputs["rate"]["rate"], position.cost_c / position.quantity
    paid, value = position.cost_p / position.cost_c, quantity * price * rate
    assert (inputs["price"]["source"], inputs["rate"]["base"], inputs["rate"]["target"]) == (
        "simulated",
        body["currency"],
        "NOK",
    )
    same(body["intermediate"]["average_rate_paid"], paid)
    gain = value - position.cost_p
    expected = {
        "current_quantity": quantity,
        "average_cost_per_share": average,
        "cost_basis": position.cost_p,
        "realised_gain": position.realised_p,
        "income": position.income_p,
        "charges": position.charges_p,
        "market_value": value,
        "unrealised_gain": gain,
        "unrealised_gain_pct": gain / position.cost_p,
        "price_effect": quantity * (price - average) * paid,
        "fx_effect": quantity * price * (rate - paid),
        "total_gain": gain + position.realised_p + position.income_p - position.charges_p,
        "day_change": quantity * (price - previous) * rate,
        "day_change_pct": quantity * (price - previous) / (quantity * previous),
        "weight": value / inputs["portfolio_market_value"],
    }
    if ticker != "USA.DEMO":  # their last closes are more than four days old
        expected["day_change"] = expected["day_change_pct"] = None
    assert set(expected) == set(numbers)
    for name, number in expected.items():
        same(numbers[name], number)
    last = body["steps"][-1]
    same(last["quantity"], quantity)
    same(last["cost_in_portfolio_currency"], position.cost_p)
    assert [step["transaction_id"] for step in body["steps"]] == [
        row["id"] for row in inputs["transactions"]
    ]


@pytest.mark.parametrize(
    "query",
    ["", "start=2023-08-01", "start=2024-02-15&end=2024-04-30", "start=2023-02-01&end=2024-03-15"],
)
def test_every_number_of_a_performance_follows_from_its_explanation(api, eventful, query):
    reported = explained(api, url(eventful, f"performance?{query}"))
    body = explained(api, url(eventful, f"performance/explain?{query}"))
    numbers = {name: one["value"] for name, one in body["numbers"].items()}
    assert {name: reported[name] for name in numbers} == numbers
    assert {
        name: one["reason"] for name, one in body["numbers"].items() if one["reason"]
    } == reported["reasons"]
    inputs, between = body["inputs"], body["intermediate"]
    start, end, days = body["start"], body["end"], between["days"][1:]

    for name, when in (("start", between["days"][0]["date"]), ("end", end)):
        positions = inputs[f"{name}_positions"]
        rows = [row for row in inputs["transactions"] if row["date"] <= when]
        for one in positions:
            position = replayed([row for row in rows if row["holding_id"] == one["holding_id"]])
            same(one["quantity"], position.quantity)
            same(one["cost_basis"], position.cost_p)
            if one["value"] is not None:
                assert one["price"]["date"] <= when
                assert one["price"]["source"] in ("simulated", "trade")
                same(one["value"], one["quantity"] * one["price"]["price"] * one["rate"]["rate"])
        same(numbers[f"{name}_value"], sum(one["value"] or 0 for one in positions))

    flows = {}
    for flow in between["flows"]:
        if "price" in flow:
            same(flow["amount"], flow["quantity"] * flow["price"]["price"] * flow["rate"]["rate"])
            assert flow["price"]["date"] <= flow["date"]
        else:
            (row,) = (row for row in inputs["transactions"] if row["id"] == flow["transaction_id"])
            same(flow["amount"], abs(amount(row)))
        key = flow["date"], flow["direction"]
        flows[key] = flows.get(key, 0) + flow["amount"]
    for day in days:
        same(day["inflow"], flows.get((day["date"], "in"), 0))
        same(day["outflow"], flows.get((day["date"], "out"), 0))
    net_flow = sum(day["inflow"] - day["outflow"] for day in days)
    same(numbers["net_flow"], net_flow)
    same(numbers["gain"], numbers["end_value"] - numbers["start_value"] - net_flow)

    index, highest, fall, before = 100.0, 100.0, 0.0, between["days"][0]["value"]
    for day in days:
        base = before + day["inflow"] - day["switched"]
        end_of_day = day["value"] + day["outflow"] - day["switched"]
        same(day["daily_return"], end_of_day / base - 1 if base else 0)
        index *= 1 + float(day["daily_return"])
        highest, before = max(highest, index), day["value"]
        fall = min(fall, index / highest - 1)
    twr, count = index / 100 - 1, len(days)
    assert between["number_of_days"] == count
    same(numbers["twr"], twr)
    same(numbers["max_drawdown"]["value"], fall)
    paid = [
        (date.fromisoformat(flow["date"]), float(flow["amount"])) for flow in between["cash_flows"]
    ]
    mwr = pyxirr.xirr(paid)
    same(numbers["mwr_period"], (1 + mwr) ** ((paid[-1][0] - paid[0][0]).days / 365) - 1)
    invested_from, invested_until = (
        date.fromisoformat(between[name]) for name in ("invested_from", "invested_until")
    )
    invested = (invested_until - invested_from).days + 1
    if invested >= 365:
        same(numbers["mwr"], mwr)
        same(numbers["twr_annualised"], (1 + twr) ** (365 / invested) - 1)
    logs = [math.log1p(day["daily_return"]) for day in days if day["counted"]]
    mean = sum(logs) / len(logs)
    same(
        numbers["volatility"],
        math.sqrt(
            sum((one - mean) ** 2 for one in logs) / (len(logs) - 1) * float(between["days_a_year"])
        ),
    )

    within = [row for row in inputs["transactions"] if row["date"] >= start]
    same(
        numbers["income"],
        sum(amount(row) for row in within if row["type"] in ("dividend", "interest")),
    )
    same(numbers["charges"], sum(amount(row) for row in within if row["type"] in ("fee", "tax")))
    same(numbers["realised_gain"], sum(one["realised_gain"] for one in between["realised_gains"]))
    cost = sum(one["cost_basis"] for one in inputs["end_positions"] if one["value"] is not None)
    same(numbers["unrealised_gain"], numbers["end_value"] - cost)


def test_a_holding_without_a_price_is_explained_as_unknown(api, portfolio, make_stock):
    new = make_stock("NEW.DEMO", currency="USD")
    trade(portfolio, new, "buy", "1", "0", commission="10", exchange_rate="10")
    body = explained(api, url(portfolio, "performance/explain"))
    (position,) = body["inputs"]["end_positions"]
    assert (position["price"], position["value"], position["rate"]["rate"]) == (None, None, None)
    assert body["missing"] == ["NEW.DEMO"]
    assert body["intermediate"]["flows"] == []
    assert body["numbers"]["twr"]["value"] is None
    assert body["numbers"]["twr"]["reason"] == "missing_prices: [NEW.DEMO]"
    holding = portfolio.holdings.get()
    numbers = explained(api, f"/api/v1/holdings/{holding.pk}/explain")["numbers"]
    assert numbers["market_value"]["value"] is None
    assert numbers["cost_basis"]["value"] == 100


def test_explanations_are_the_owner_s_alone(anonymous, other_api, eventful):
    holding = eventful.holdings.first()
    for path in (f"/api/v1/holdings/{holding.pk}/explain", url(eventful, "performance/explain")):
        assert anonymous.get(path).status_code == 401
        assert other_api.get(path).status_code == 404


# --- Pages ----------------------------------------------------------------------------------------


def pages_of(api, path, limit):
    """The answers of all pages, following the header `Link`."""
    address, pages = f"{path}{'&' if '?' in path else '?'}limit={limit}", []
    while address:
        response = api.get(address)
        assert response.status_code == 200, response.content
        pages.append(json.loads(response.content, parse_float=D, parse_int=D))
        link = response.get("Link")
        address = None
        if link:
            match = re.fullmatch(r'<http://testserver(/[^>]+)>; rel="next"', link)
            address = match[1]
    return pages


def joined(pages, *path):
    rows = []
    for page in pages:
        for name in path:
            page = page[name]
        rows += page
    return rows


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_the_pages_of_a_holding_are_its_explanation_together(api, eventful, limit):
    holding = eventful.holdings.get(stock__ticker="USA.DEMO")
    path = f"/api/v1/holdings/{holding.pk}/explain"
    whole = explained(api, path)
    count = len(whole["inputs"]["transactions"])
    assert count > 3
    pages = pages_of(api, path, limit)
    assert len(pages) == max(1, -(-count // limit))
    assert joined(pages, "inputs", "transactions") == whole["inputs"]["transactions"]
    assert joined(pages, "steps") == whole["steps"]
    for page in pages:
        assert len(page["steps"]) == len(page["inputs"]["transactions"]) <= limit
        assert page["numbers"] == whole["numbers"]
        assert page["intermediate"] == whole["intermediate"]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("query", ["", "start=2024-01-01&end=2024-06-28"])
def test_the_pages_of_a_performance_are_its_explanation_together(api, eventful, query, limit):
    path = url(eventful, f"performance/explain?{query}")
    whole = explained(api, path)
    pages = pages_of(api, path, limit)
    count = len(whole["inputs"]["transactions"])
    assert len(pages) == max(1, -(-count // limit)) >= 1
    assert joined(pages, "inputs", "transactions") == whole["inputs"]["transactions"]
    flows = joined(pages, "intermediate", "flows")
    assert sorted(flows, key=str) == sorted(whole["intermediate"]["flows"], key=str)
    assert [flow["date"] for flow in flows] == [
        flow["date"] for flow in whole["intermediate"]["flows"]
    ]
    gains = joined(pages, "intermediate", "realised_gains")
    assert gains == whole["intermediate"]["realised_gains"]
    for page in pages:
        assert page["numbers"] == whole["numbers"]
        assert page["inputs"]["end_positions"] == whole["inputs"]["end_positions"]


def test_an_explanation_lists_a_thousand_transactions_at_once(api, portfolio, make_stock):
    stock = make_stock("HOME.DEMO")
    closes(stock, "10", start=date(2024, 1, 1))
    trade(portfolio, stock, "buy", "1", "10", on=date(2024, 1, 1))
    holding = portfolio.holdings.get()
    first = Transaction.objects.get()
    rows = []
    for number in range(1000):
        row = Transaction.objects.get(pk=first.pk)
        row.pk, row.sequence = uuid.uuid4(), 2 + number
        rows.append(row)
    Transaction.objects.bulk_create(rows)
    for path in (f"/api/v1/holdings/{holding.pk}/explain", url(portfolio, "performance/explain")):
        pages = pages_of(api, path, 1000)
        assert [len(page["inputs"]["transactions"]) for page in pages] == [1000, 1]
        default = api.get(path)
        assert len(json.loads(default.content)["inputs"]["transactions"]) == 1000
        assert default["Link"].endswith(f'cursor={rows[998].pk}>; rel="next"')


@pytest.mark.parametrize(
    ("query", "status", "code", "attr"),
    [
        ("limit=0", 422, "out_of_range", "limit"),
        ("limit=1001", 422, "out_of_range", "limit"),
        ("limit=many", 400, "invalid", "limit"),
        ("cursor=mine", 400, "invalid", "cursor"),
    ],
)
def test_a_page_that_does_not_exist_is_refused(api, eventful, query, status, code, attr):
    holding = eventful.holdings.first()
    for path in (
        f"/api/v1/holdings/{holding.pk}/explain",
        url(eventful, "performance/explain"),
        "/api/v1/net-worth/explain",
    ):
        response = api.get(f"{path}?{query}")
        [error] = response.json()["errors"]
        assert (response.status_code, error["code"], error["attr"]) == (status, code, attr)


def test_a_cursor_whose_transaction_is_gone_is_refused(api, eventful):
    holding = eventful.holdings.first()
    for path in (f"/api/v1/holdings/{holding.pk}/explain", url(eventful, "performance/explain")):
        response = api.get(f"{path}?cursor={uuid.uuid4()}")
        assert response.status_code == 400
        assert response.json()["errors"] == [
            {
                "code": "invalid",
                "detail": "The transaction of `cursor` is not listed any more. "
                "Start without `cursor`.",
                "attr": "cursor",
            }
        ]
