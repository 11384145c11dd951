"""Test recording many transactions at once."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portfolios.models import Holding, Portfolio, Transaction
from portfolios.tests.conftest import trade

pytestmark = pytest.mark.django_db
URL = "/api/v1/transactions/bulk"


def codes(response):
    return [(error["code"], error["attr"]) for error in response.json()["errors"]]


def row(portfolio, **changes):
    body = {
        "portfolio_id": str(portfolio.pk),
        "ticker": "FJORD.DEMO",
        "type": "buy",
        "date": "2024-05-02",
        "quantity": 10,
        "price": 100,
    }
    return {**body, **changes}


def deposit(portfolio, **changes):
    body = {"portfolio_id": str(portfolio.pk), "type": "deposit", "date": "2024-05-01"}
    return {**body, "amount": 5000, **changes}


def test_all_are_recorded_in_the_order_of_the_request(api, portfolio, stock):
    sell = row(portfolio, type="sell", date="2024-05-03", quantity=4, price=110)
    body = {"transactions": [sell, row(portfolio), deposit(portfolio)]}
    response = api.post(URL, body)
    assert response.status_code == 201, response.content
    answered = response.json()["transactions"]
    assert [one["type"] for one in answered] == ["sell", "buy", "deposit"]
    assert [one["realised_gain"] for one in answered] == [40, None, None]
    stored = Transaction.objects.order_by("sequence").values_list("type", flat=True)
    assert list(stored) == ["sell", "buy", "deposit"]
    assert Holding.objects.get().current_quantity == 6


def test_two_of_one_new_instrument_share_a_holding(api, portfolio, db):
    new = row(portfolio, ticker="OWN-FUND", currency="NOK")
    response = api.post(URL, {"transactions": [new, new]})
    assert response.status_code == 201, response.content
    assert Holding.objects.get().current_quantity == 20


@pytest.mark.parametrize(
    ("wrong", "status", "expected"),
    [
        ({"price": -1}, 422, [("too_small", "transactions.1.price")]),
        (
            {"type": "deposit", "ticker": None, "amount": -1},
            422,
            [("wrong_sign", "transactions.1.amount")],
        ),
        (
            {"type": "sell", "quantity": 99},
            422,
            [("insufficient_quantity", "transactions.1.quantity")],
        ),
        ({"external_id": "a"}, 409, [("duplicate_external_id", "transactions.1.external_id")]),
        ({"fee": 1}, 422, [("unknown_field", "transactions.1.fee")]),
        ({"type": "split", "quantity": 1}, 422, [("invalid", "transactions.1.quantity")]),
    ],
)
def test_one_wrong_transaction_refuses_them_all(api, portfolio, stock, wrong, status, expected):
    trade(portfolio, stock, "buy", "1", "10", external_id="a")
    response = api.post(URL, {"transactions": [row(portfolio), row(portfolio, **wrong)]})
    assert (response.status_code, codes(response)) == (status, expected)
    assert Transaction.objects.count() == 1
    assert Holding.objects.get().current_quantity == 1


def test_a_portfolio_of_another_user_is_unknown(other_api, portfolio, stock):
    response = other_api.post(URL, {"transactions": [row(portfolio)]})
    assert codes(response) == [("unknown_portfolio", "transactions.0.portfolio_id")]
    assert not Transaction.objects.exists()


@pytest.mark.parametrize("count", [0, 501])
def test_none_and_more_than_500_are_refused(api, portfolio, count):
    response = api.post(URL, {"transactions": [deposit(portfolio)] * count})
    assert response.status_code == 422
    assert not Transaction.objects.exists()


def test_anonymous_users_record_nothing(client, portfolio):
    response = client.post(URL, {"transactions": [deposit(portfolio)]}, "application/json")
    assert response.status_code == 401
    assert Portfolio.objects.get().version == portfolio.version


def split(portfolio, **changes):
    return row(portfolio, type="split", quantity=4, price=None, date="2024-05-20", **changes)


def test_a_split_that_comes_twice_or_is_known_is_refused_unless_forced(api, portfolio, stock):
    twice = api.post(URL, {"transactions": [row(portfolio), split(portfolio), split(portfolio)]})
    assert (twice.status_code, codes(twice)) == (
        409,
        [("duplicate_split", "transactions.2.quantity")],
    )
    assert not Transaction.objects.exists()
    forced = split(portfolio, force=True)
    both = api.post(URL, {"transactions": [row(portfolio), split(portfolio), forced]})
    assert both.status_code == 201, both.content
    assert Holding.objects.get().current_quantity == 160
    known = api.post(URL, {"transactions": [deposit(portfolio), split(portfolio)]})
    assert codes(known) == [("duplicate_split", "transactions.1.quantity")]
    assert Transaction.objects.count() == 3


def test_each_further_transaction_costs_at_most_ten_queries(
    api, portfolio, stock, django_assert_max_num_queries
):
    api.post(URL, {"transactions": [row(portfolio)]})
    with CaptureQueriesContext(connection) as one:
        api.post(URL, {"transactions": [row(portfolio)]})
    with django_assert_max_num_queries(len(one) + 9 * 10) as ten:
        response = api.post(URL, {"transactions": [row(portfolio, price=n) for n in range(10)]})
    assert response.status_code == 201, response.content
    checks = [query for query in ten.captured_queries if "_check" in query["sql"]]
    assert len(checks) == 10
