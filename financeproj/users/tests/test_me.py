"""Test the user's own data: base currency, e-mail, retirement goal."""

from decimal import Decimal as D

import pytest
from django.utils import timezone

pytestmark = pytest.mark.django_db
URL = "/api/v1/users/me"
GOAL = f"{URL}/retirement-goal"


def codes(response):
    return [(error["code"], error["attr"]) for error in response.json()["errors"]]


def test_a_new_user_reports_in_the_default_currency_and_has_no_goal(api, user):
    body = api.get(URL).json()
    assert list(body) == [
        "id",
        "username",
        "email",
        "base_currency",
        "retirement_goal_amount",
        "retirement_goal_year",
        "date_joined",
    ]
    assert (body["id"], body["base_currency"]) == (str(user.pk), "NOK")
    assert body["retirement_goal_amount"] is body["retirement_goal_year"] is None
    assert body["date_joined"].endswith("Z")


def test_email_and_base_currency_change_and_nothing_else_does(api):
    body = api.patch(
        URL, {"email": "k@example.org", "base_currency": "sek", "username": "root"}
    ).json()
    assert (body["email"], body["base_currency"], body["username"]) == (
        "k@example.org",
        "SEK",
        "kari",
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"email": "kari"}, ("invalid", "email")),
        ({"base_currency": "XAU"}, ("unknown_currency", "base_currency")),
        ({"base_currency": "KRONE"}, ("max_length", "base_currency")),
        ({"base_currency": "GBp"}, ("minor_currency", "base_currency")),
        ({"base_currency": "ıSK"}, ("unknown_currency", "base_currency")),
    ],
)
def test_invalid_input_changes_nothing(api, user, body, expected):
    response = api.patch(URL, body)
    assert response.status_code == 422
    assert expected in codes(response)
    user.refresh_from_db()
    assert (user.email, user.base_currency) == ("", "NOK")


def test_a_goal_is_set_and_cleared(api):
    year = timezone.localdate().year
    body = api.put(
        GOAL, {"retirement_goal_amount": "12000000.5", "retirement_goal_year": year}
    ).json(parse_float=D)
    assert (body["retirement_goal_amount"], body["retirement_goal_year"]) == (D("12000000.5"), year)
    body = api.put(GOAL, {"retirement_goal_amount": None, "retirement_goal_year": None}).json()
    assert body["retirement_goal_amount"] is body["retirement_goal_year"] is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"retirement_goal_amount": 0, "retirement_goal_year": 2050},
            ("not_above", "retirement_goal_amount"),
        ),
        (
            {"retirement_goal_amount": -5, "retirement_goal_year": 2050},
            ("too_small", "retirement_goal_amount"),
        ),
        (
            {"retirement_goal_amount": 1, "retirement_goal_year": 2020},
            ("past_year", "retirement_goal_year"),
        ),
        (
            {"retirement_goal_amount": 1, "retirement_goal_year": "soon"},
            ("invalid", "retirement_goal_year"),
        ),
        (
            {"retirement_goal_amount": 1, "retirement_goal_year": 10000},
            ("max_value", "retirement_goal_year"),
        ),
        ({"retirement_goal_year": 2050}, ("required", "retirement_goal_amount")),
    ],
)
def test_a_goal_that_is_invalid_changes_nothing(api, user, body, expected):
    response = api.put(GOAL, body)
    assert response.status_code == 422
    assert expected in codes(response)
    user.refresh_from_db()
    assert (user.retirement_goal_amount, user.retirement_goal_year) == (None, None)
