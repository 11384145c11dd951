"""Test groups of transactions: conversions, and transfers of money."""

from datetime import date
from decimal import Decimal as D

import pytest

from portfolios import services
from portfolios.models import Transaction, TransactionGroup

pytestmark = pytest.mark.django_db
URL = "/api/v1/transaction-groups"
ROWS = "/api/v1/transactions"


def codes(response):
    return [(error["code"], error["attr"]) for error in response.json()["errors"]]


def answer(response, status=200):
    assert response.status_code == status, response.content
    return response.json(parse_float=D)


def conversion(portfolio, **changes):
    body = {
        "kind": "conversion",
        "portfolio_id": str(portfolio.pk),
        "date": "2024-05-02",
        "currency": "NOK",
        "amount": 1000,
        "to_currency": "EUR",
        "to_amount": 86.2,
    }
    return {**body, **changes}


@pytest.fixture
def other(user):
    return services.create_portfolio(user=user, name="Other", currency="EUR")


def transfer(portfolio, other, **changes):
    body = {
        "kind": "transfer",
        "portfolio_id": str(portfolio.pk),
        "to_portfolio_id": str(other.pk),
        "date": "2024-05-02",
        "currency": "NOK",
        "amount": 500,
    }
    return {**body, **changes}


def moved():
    rows = Transaction.objects.order_by("settlement_amount")
    return list(rows.values_list("type", "settlement_currency", "settlement_amount"))


def test_a_conversion_has_two_legs(api, portfolio):
    body = answer(api.post(URL, conversion(portfolio, note="for Oslo")), 201)
    assert (body["kind"], body["date"], body["note"]) == ("conversion", "2024-05-02", "for Oslo")
    assert moved() == [("conversion", "NOK", D(-1000)), ("conversion", "EUR", D("86.2"))]
    assert [row["settlement_amount"] for row in body["transactions"]] == [-1000, D("86.2")]
    assert {row["group_id"] for row in body["transactions"]} == {body["id"]}
    assert {row["group_kind"] for row in body["transactions"]} == {"conversion"}
    assert answer(api.get(f"{URL}/{body['id']}")) == body
    [listed] = answer(api.get(f"{URL}?kind=conversion"))["results"]
    assert "before" not in listed
    cash = answer(api.get(f"/api/v1/portfolios/{portfolio.pk}/cash"))["currencies"]
    assert [(one["currency"], one["balance"]) for one in cash] == [
        ("EUR", D("86.2")),
        ("NOK", -1000),
    ]


def test_money_moves_between_own_portfolios(api, portfolio, other):
    body = answer(api.post(URL, transfer(portfolio, other)), 201)
    assert moved() == [("withdrawal", "NOK", D(-500)), ("deposit", "NOK", D(500))]
    places = [row["portfolio_id"] for row in body["transactions"]]
    assert places == [str(portfolio.pk), str(other.pk)]
    assert len(answer(api.get(f"{URL}?portfolio_id={other.pk}"))["results"]) == 1


def test_put_keeps_what_it_leaves_out_and_null_clears_the_booking_day(api, portfolio):
    given = conversion(portfolio, note="for Oslo", booked_on="2024-05-06")
    path = f"{URL}/{answer(api.post(URL, given), 201)['id']}"
    changed = conversion(portfolio, amount=1100, note=None)
    body = answer(api.put(path, changed))
    assert body["note"] == "for Oslo"
    assert [row["booked_on"] for row in body["transactions"]] == ["2024-05-06", "2024-05-06"]
    body = answer(api.put(path, {**changed, "booked_on": None, "note": ""}))
    assert body["note"] == ""
    assert [row["booked_on"] for row in body["transactions"]] == [None, None]
    assert moved()[0] == ("conversion", "NOK", D(-1100))


def test_a_dry_run_records_nothing(api, portfolio):
    body = answer(api.post(f"{URL}?dry_run=true", conversion(portfolio)))
    assert body["id"] is None
    assert len(body["transactions"]) == 2
    assert not Transaction.objects.exists()
    assert not TransactionGroup.objects.exists()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"to_currency": "NOK"}, [("same_currency", "to_currency")]),
        ({"amount": 0}, [("not_above", "amount")]),
        ({"to_amount": -1}, [("too_small", "to_amount")]),
        ({"currency": "XXX"}, [("unknown_currency", "currency")]),
        ({"kind": "merger"}, [("invalid_choice", "kind")]),
        ({"date": "2999-01-01"}, [("future_date", "date")]),
    ],
)
def test_a_conversion_that_cannot_be_is_refused(api, portfolio, changes, expected):
    response = api.post(URL, conversion(portfolio, **changes))
    assert (response.status_code, codes(response)) == (422, expected)
    assert not Transaction.objects.exists()


def test_a_transfer_to_itself_is_refused(api, portfolio):
    response = api.post(URL, transfer(portfolio, portfolio))
    assert codes(response) == [("circular_transfer", "to_portfolio_id")]


def test_a_group_changes_as_one(api, portfolio):
    body = answer(api.post(URL, conversion(portfolio)), 201)
    ids = [row["id"] for row in body["transactions"]]
    changed = conversion(portfolio, amount=2000, to_amount=170, date="2024-05-03")
    after = answer(api.put(f"{URL}/{body['id']}", changed))
    assert [row["id"] for row in after["transactions"]] == ids
    assert {row["date"] for row in after["transactions"]} == {"2024-05-03"}
    assert moved() == [("conversion", "NOK", D(-2000)), ("conversion", "EUR", D(170))]
    # A leg has an amount of its own; its date is the group's.
    leg = answer(api.patch(f"{ROWS}/{ids[1]}", {"amount": 171, "date": "2024-05-04"}))
    assert (leg["settlement_amount"], leg["date"]) == (171, "2024-05-04")
    assert {row.date for row in Transaction.objects.all()} == {date(2024, 5, 4)}
    assert codes(api.patch(f"{ROWS}/{ids[1]}", {"amount": -1})) == [("wrong_sign", "amount")]
    assert codes(api.patch(f"{ROWS}/{ids[1]}", {"type": "deposit"})) == [("part_of_group", "type")]
    assert moved() == [("conversion", "NOK", D(-2000)), ("conversion", "EUR", D(171))]


@pytest.mark.parametrize("by_leg", [False, True])
def test_a_group_is_deleted_as_one(api, portfolio, by_leg):
    body = answer(api.post(URL, conversion(portfolio)), 201)
    url = f"{URL}/{body['id']}"
    if by_leg:
        url = f"{ROWS}/{body['transactions'][0]['id']}"
    assert api.delete(url).status_code == 204
    assert not Transaction.objects.exists()
    assert not TransactionGroup.objects.exists()


@pytest.mark.parametrize("is_source", [False, True])
def test_when_one_portfolio_goes_the_other_leg_becomes_plain(api, portfolio, other, is_source):
    answer(api.post(URL, transfer(portfolio, other)), 201)
    services.delete_portfolio(portfolio=portfolio if is_source else other)
    left = Transaction.objects.get()
    assert (left.group_id, left.type) == (None, "deposit" if is_source else "withdrawal")
    assert not TransactionGroup.objects.exists()


def test_another_user_has_no_groups_here(api, other_api, portfolio):
    body = answer(api.post(URL, conversion(portfolio)), 201)
    url = f"{URL}/{body['id']}"
    assert other_api.get(url).status_code == 404
    assert other_api.delete(url).status_code == 404
    assert answer(other_api.get(URL))["results"] == []
    assert codes(other_api.post(URL, conversion(portfolio))) == [
        ("unknown_portfolio", "portfolio_id")
    ]
    assert Transaction.objects.count() == 2
