"""GET /goal."""

import math
from datetime import date
from decimal import Decimal as D

import pytest
import time_machine

from financeproj.users.services import set_retirement_goal
from pensions import services
from pensions.tests.conftest import account
from portfolios.services import create_portfolio, set_balance

__all__ = ["account"]

pytestmark = pytest.mark.django_db

PROJECTION, GOAL = "/api/v1/pension/projection", "/api/v1/goal"
GOAL_FIELDS = {
    "amount",
    "year",
    "progress",
    "projected_value",
    "on_track",
    "shortfall",
    "required_monthly_contribution",
    "probability",
    "reached_in",
}


def project_with(api, **query):
    response = api.get(PROJECTION, query)
    assert response.status_code == 200, response.content
    return response.json()


@pytest.fixture(autouse=True)
def _on_a_known_day():
    with time_machine.travel("2024-05-15T12:00:00Z", tick=True):
        yield


@pytest.fixture
def saved(account):
    """`account` with 100,000 NOK."""
    services.record_value(account=account, on=date(2024, 4, 30), value=D("100000"))
    return account


@pytest.fixture
def cash(user):
    """A portfolio worth 50,000 NOK: 60,000 in cash, 10,000 borrowed."""
    portfolio = create_portfolio(user=user, name="Broker", currency="NOK")
    set_balance(portfolio=portfolio, kind="cash", amount=D(60000))
    set_balance(portfolio=portfolio, kind="credit", amount=D(10000))


def test_the_goal_alone(api, user, saved, cash):
    set_retirement_goal(user=user, amount=D(600000), year=2044)
    goal = api.get(GOAL).json()
    assert set(goal) >= GOAL_FIELDS
    whole = project_with(
        api,
        include_portfolios="true",
        volatility="0.15",
        simulations=2000,
        seed=1,
        monthly_contribution=0,
    )["goal"]
    assert {name: goal[name] for name in whole} == whole
    assert goal["progress"] == 0.25
    assert 0 < goal["probability"] < 1
    # 150000·(1.05/1.02)^t = 600000 after 574 months and a bit: in month 574 or 575 from May 2024.
    months = math.ceil(12 * math.log(4) / math.log(1.05 / 1.02))
    assert goal["reached_in"] == 2024 + (4 + months) // 12


def test_a_goal_reached_today_is_reached_this_year(api, user, saved):
    set_retirement_goal(user=user, amount=D(100000), year=2044)
    goal = api.get(GOAL).json()
    assert (goal["progress"], goal["reached_in"], goal["on_track"]) == (1, 2024, True)


def test_a_goal_that_is_never_reached_says_so(api, user, saved):
    set_retirement_goal(user=user, amount=D(10**14), year=2044)
    goal = api.get(GOAL).json()
    assert (goal["reached_in"], goal["on_track"], goal["probability"]) == (None, False, 0)


def test_without_a_goal_all_of_it_is_null(api, saved):
    goal = api.get(GOAL).json()
    assert {name: goal[name] for name in GOAL_FIELDS} == dict.fromkeys(GOAL_FIELDS)


def test_an_amount_without_a_year_has_progress_and_no_due_date(api, user, saved):
    set_retirement_goal(user=user, amount=D(200000), year=None)
    goal = api.get(GOAL).json()
    assert (goal["progress"], goal["projected_value"], goal["on_track"]) == (0.5, None, None)
    assert (
        goal["reached_in"] == 2024 + (4 + math.ceil(12 * math.log(2) / math.log(1.05 / 1.02))) // 12
    )


def test_a_goal_whose_year_is_over_or_too_far_away_says_so(api, user, saved):
    set_retirement_goal(user=user, amount=D(200000), year=2024)
    with time_machine.travel("2025-01-01T12:00:00Z"):
        goal = api.get(GOAL).json()
        assert (goal["projected_value"], goal["reasons"]) == (
            None,
            {"goal": "The goal's year 2024 is over."},
        )
        assert len(project_with(api)["points"]) == 361
    set_retirement_goal(user=user, amount=D(200000), year=9999)
    goal = api.get(GOAL).json()
    assert goal["reasons"] == {"goal": "The goal's year 9999 is more than 100 years away."}
    assert len(project_with(api)["points"]) == 1201


def test_on_its_last_day_a_missed_goal_cannot_be_saved_for(api, user, saved):
    set_retirement_goal(user=user, amount=D(200000), year=2024)
    with time_machine.travel("2024-12-31T12:00:00Z"):
        goal = api.get(GOAL).json()
    assert (goal["projected_value"], goal["shortfall"], goal["required_monthly_contribution"]) == (
        100000,
        100000,
        None,
    )
    assert goal["reasons"]["required_monthly_contribution"]
