"""Test GET /pension/projection and GET /goal."""

import math
import uuid
from datetime import date
from decimal import Decimal as D

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from financeproj.users.services import set_retirement_goal, update_user
from marketdata.services import record_rates
from pensions import services
from pensions.calc.projection import Pot, annuity, level_contributions, project
from portfolios.services import create_portfolio, set_balance

pytestmark = pytest.mark.django_db

PROJECTION, GOAL = "/api/v1/pension/projection", "/api/v1/goal"


def errors(response):
    return [(error["code"], error["attr"]) for error in response.json()["errors"]]


def project_with(api, **query):
    response = api.get(PROJECTION, query)
    assert response.status_code == 200, response.content
    return response.json()


def rate(base, target, value):
    record_rates(base=base, target=target, rates=[(timezone.localdate(), D(value))], source="test")


@pytest.fixture(autouse=True)
def _on_a_known_day():
    with time_machine.travel("2024-05-15T12:00:00Z", tick=True):
        yield


@pytest.fixture
def saved(account):
    """`account` with 100,000 NOK."""
    services.record_value(account=account, on=date(2024, 4, 30), value=D("100000"))
    return account


# --- Points ---------------------------------------------------------------------------------------


def test_a_lump_sum_over_a_year_by_hand(api, saved):
    body = project_with(api, years=1, annual_return="0.05", inflation="0.02")
    assert (body["currency"], body["start_date"], body["start_value"]) == (
        "NOK",
        "2024-05-15",
        100000,
    )
    assert len(body["points"]) == 13
    assert body["points"][0] == {
        "date": "2024-05-15",
        "contributions": 0,
        "value": 100000,
        "real_value": 100000,
    }
    last = body["points"][12]
    assert last["date"] == "2025-05-15"
    assert last["value"] == 105000
    assert last["real_value"] == pytest.approx(105000 / 1.02, abs=1e-6)
    assert body["goal"] is None


def test_contributions_are_an_annuity_and_their_sum_is_shown(api, saved):
    last = project_with(api, years=10, monthly_contribution="1000.10", annual_return="0.05")[
        "points"
    ][-1]
    i = 1.05 ** (1 / 12) - 1
    assert last["value"] == pytest.approx(
        100000 * 1.05**10 + 1000.10 * (1.05**10 - 1) / i, rel=1e-12, abs=1e-8
    )
    assert last["contributions"] == 120012


def test_contributions_grow_every_twelve_months(api, account):
    points = project_with(
        api, years=2, monthly_contribution=100, contribution_growth="0.1", annual_return=0
    )["points"]
    assert [points[m]["contributions"] for m in (1, 12, 13, 24)] == [100, 1200, 1310, 2520]


def test_the_defaults_are_thirty_years_at_five_percent_with_two_percent_inflation(api, saved):
    body = project_with(api)
    assert len(body["points"]) == 361
    assert body["points"][-1]["value"] == pytest.approx(100000 * 1.05**30, rel=1e-12, abs=1e-8)
    assert body["points"][-1]["real_value"] == pytest.approx(
        100000 * (1.05 / 1.02) ** 30, rel=1e-12, abs=1e-8
    )
    assert body["assumptions"] == {
        "months": 360,
        "monthly_contribution": None,
        "contributions_from": "plans",
        "contribution_growth": 0,
        "annual_return": 0.05,
        "inflation": 0.02,
        "account_id": None,
        "include_portfolios": False,
        "volatility": None,
        "portfolio_return": None,
        "portfolio_volatility": None,
        "simulations": 0,
        "seed": None,
    }


def test_zero_return_zero_contribution_and_a_negative_real_return(api, saved):
    assert {point["value"] for point in project_with(api, years=2, annual_return=0)["points"]} == {
        100000
    }
    real = [point["real_value"] for point in project_with(api, years=2, annual_return=0)["points"]]
    assert real == sorted(real, reverse=True)
    assert real[24] == pytest.approx(100000 / 1.02**2, abs=1e-6)


@pytest.mark.parametrize(
    ("until_year", "last", "count"),
    [(2024, "2024-12-15", 8), (2025, "2025-12-15", 20), (2124, "2124-05-15", None)],
)
def test_the_last_point_is_not_after_the_end_of_the_year(api, saved, until_year, last, count):
    if count is None:  # 7 months more than 100 years
        assert errors(api.get(PROJECTION, {"until_year": until_year})) == [
            ("out_of_range", "until_year")
        ]
    else:
        points = project_with(api, until_year=until_year)["points"]
        assert (points[-1]["date"], len(points)) == (last, count)


def test_on_the_last_day_of_the_year_only_the_start_is_left(api, saved):
    with time_machine.travel("2024-12-31T12:00:00Z"):
        points = project_with(api, until_year=2024)["points"]
    assert [point["date"] for point in points] == ["2024-12-31"]


def test_the_goals_year_is_the_default_horizon(api, user, saved):
    set_retirement_goal(user=user, amount=None, year=2030)
    body = project_with(api)
    assert body["points"][-1]["date"] == "2030-12-15"
    assert body["goal"] is None


def test_without_values_the_projection_starts_at_nothing(api, account):
    body = project_with(api, years=1, monthly_contribution=100, annual_return=0)
    assert (body["start_value"], body["points"][-1]["value"]) == (0, 1200)


def test_only_one_account_is_projected_when_asked_for(api, user, saved):
    other = services.create_account(user=user, name="Other", currency="NOK")
    services.record_value(account=other, on=date(2024, 5, 1), value=D("7"))
    services.create_contribution(account=saved, amount=D(10), start=date(2024, 1, 1))
    assert project_with(api, years=1)["start_value"] == 100007
    body = project_with(api, years=1, account_id=other.pk)
    assert (body["start_value"], body["points"][-1]["contributions"]) == (7, 0)
    assert body["assumptions"]["account_id"] == str(other.pk)


# --- Plans ----------------------------------------------------------------------------------------


def test_the_accounts_plans_are_paid_when_no_contribution_is_given(api, user, saved):
    services.create_contribution(account=saved, amount=D(1000), start=date(2020, 1, 1))
    services.create_contribution(
        account=saved,
        amount=D(300),
        frequency="quarterly",
        start=date(2024, 6, 1),
        end=date(2024, 12, 1),
    )
    services.create_contribution(
        account=saved, amount=D(5000), frequency="yearly", start=date(2024, 12, 15)
    )
    points = project_with(api, years=1, annual_return=0)["points"]
    assert points[1]["contributions"] == 1300
    assert points[12]["contributions"] == 12 * 1000 + 3 * 300 + 5000
    assert points[12]["value"] == 100000 + 17900
    # A given contribution replaces the plans.
    assert project_with(api, years=1, monthly_contribution=1)["points"][12]["contributions"] == 12


def test_a_growth_of_contributions_applies_to_plans_too(api, saved):
    services.create_contribution(
        account=saved, amount=D(100), start=date(2024, 5, 20), growth=D("0.5")
    )
    points = project_with(api, years=2, contribution_growth="0.1", annual_return=0)["points"]
    assert points[13]["contributions"] == pytest.approx(1200 + 100 * 1.5 * 1.1)


def test_plans_and_values_are_converted_at_the_latest_rates(api, user, saved):
    rate("EUR", "NOK", "11.5")
    euros = services.create_account(user=user, name="Euros", currency="EUR")
    services.record_value(account=euros, on=date(2024, 5, 1), value=D("1000.10"))
    services.create_contribution(account=euros, amount=D(100), start=date(2024, 5, 20))
    body = project_with(api, years=1, annual_return=0)
    assert body["start_value"] == 100000 + 11501.15
    assert body["points"][1]["contributions"] == 1150


def test_one_account_is_projected_in_the_base_currency_too(api, user, saved):
    rate("NOK", "SEK", "0.98")
    update_user(user=user, base_currency="SEK")
    body = project_with(api, years=1, account_id=saved.pk)
    assert (body["currency"], body["start_value"]) == ("SEK", 98000)


def test_a_missing_rate_leaves_nothing_rather_than_a_zero(api, user, saved):
    set_retirement_goal(user=user, amount=D(10), year=2030)
    francs = services.create_account(user=user, name="Francs", currency="XOF")
    services.record_value(account=francs, on=date(2024, 5, 1), value=D(5))
    body = project_with(api, years=1, simulations=10)
    assert (body["start_value"], body["points"], body["missing"]) == (None, [], ["XOF/NOK"])
    assert body["reasons"]["start_value"] == "The exchange rate is unknown: XOF/NOK."
    assert body["goal"] == {
        "amount": 10,
        "year": 2030,
        "projected_value": None,
        "shortfall": None,
        "on_track": None,
        "required_monthly_contribution": None,
        "probability": None,
    }
    goal = api.get(GOAL).json()
    assert (goal["progress"], goal["reached_in"], goal["missing"]) == (None, None, ["XOF/NOK"])


def test_a_plan_without_a_rate_leaves_nothing_rather_than_a_zero(api, user, saved):
    francs = services.create_account(user=user, name="Francs", currency="XOF")
    services.create_contribution(account=francs, amount=D(5), start=date(2024, 5, 1))
    body = project_with(api, years=1)
    assert (body["start_value"], body["points"]) == (100000, [])
    assert body["reasons"] == {"contributions": "The exchange rate is unknown: XOF/NOK."}
    assert len(project_with(api, years=1, monthly_contribution=5)["points"]) == 13


# --- Portfolios -----------------------------------------------------------------------------------


@pytest.fixture
def cash(user):
    """A portfolio worth 50,000 NOK: 60,000 in cash, 10,000 borrowed."""
    portfolio = create_portfolio(user=user, name="Broker", currency="NOK")
    set_balance(portfolio=portfolio, kind="cash", amount=D(60000))
    set_balance(portfolio=portfolio, kind="credit", amount=D(10000))


def test_portfolios_join_in_with_the_same_rates_by_default(api, saved, cash):
    body = project_with(api, years=10, include_portfolios="true", monthly_contribution=0)
    assert body["start_value"] == 150000
    assert body["points"][-1]["value"] == pytest.approx(150000 * 1.05**10, rel=1e-12, abs=1e-8)
    assert body["assumptions"]["portfolio_return"] == 0.05
    assert project_with(api, years=10, monthly_contribution=0)["start_value"] == 100000


def test_portfolios_have_their_own_return_and_volatility(api, saved, cash):
    body = project_with(
        api,
        years=10,
        include_portfolios="true",
        monthly_contribution=0,
        portfolio_return="0.08",
        volatility="0.1",
        portfolio_volatility="0.2", simulations=50, seed=3,
    )  # fmt: skip
    assert body["points"][-1]["value"] == pytest.approx(
        100000 * 1.05**10 + 50000 * 1.08**10, rel=1e-12, abs=1e-8
    )
    same = project_with(
        api, years=10, include_portfolios="true", volatility="0.1", simulations=50, seed=3
    )
    assert same["assumptions"]["portfolio_volatility"] == 0.1
    assert body["points"][-1]["p95"] > same["points"][-1]["p95"]


# --- Simulations ----------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes(api, saved):
    query = {
        "years": 5,
        "volatility": "0.15",
        "simulations": 500,
        "seed": 42,
        "monthly_contribution": 100,
    }
    first, again = api.get(PROJECTION, query), api.get(PROJECTION, query)
    assert first.content == again.content
    assert api.get(PROJECTION, query | {"seed": 43}).content != first.content


def test_a_seed_is_in_the_answer_and_repeats_it(api, saved):
    query = {"years": 5, "volatility": "0.15", "simulations": 100}
    first = api.get(PROJECTION, query)
    seed = first.json()["assumptions"]["seed"]
    assert api.get(PROJECTION, query | {"seed": seed}).content == first.content


def test_percentiles_are_ordered_and_start_at_the_value(api, saved):
    points = project_with(api, years=5, volatility="0.2", simulations=500, seed=1)["points"]
    for point in points:
        assert point["p5"] <= point["p25"] <= point["p50"] <= point["p75"] <= point["p95"]
    assert points[0]["p5"] == points[0]["p95"] == 100000
    assert points[-1]["p5"] < points[-1]["value"] < points[-1]["p95"]


def test_without_volatility_every_percentile_is_the_deterministic_value(api, saved):
    points = project_with(
        api, years=5, volatility=0, simulations=20, monthly_contribution=100, seed=1
    )["points"]
    assert all(point["p5"] == point["p50"] == point["p95"] == point["value"] for point in points)


def test_without_simulations_there_are_no_percentiles(api, saved):
    assert "p5" not in project_with(api, years=1, volatility="0.2")["points"][1]


# --- The goal -------------------------------------------------------------------------------------


def test_the_goal_by_hand(api, user, saved):
    # 100,000 at 5 % and 2 % inflation: ten years and seven months later, at the end of 2034.
    set_retirement_goal(user=user, amount=D(500000), year=2034)
    body = project_with(api, years=1)
    months = 127
    projected = 100000 * (1.05 / 1.02) ** (months / 12)
    i = 1.05 ** (1 / 12) - 1
    required = (500000 - projected) * 1.02 ** (months / 12) / (((1 + i) ** months - 1) / i)
    goal = body["goal"]
    assert goal["projected_value"] == pytest.approx(projected, rel=1e-12, abs=1e-8)
    assert goal["shortfall"] == pytest.approx(500000 - projected, rel=1e-12, abs=1e-8)
    assert goal["required_monthly_contribution"] == pytest.approx(required, rel=1e-12, abs=1e-8)
    assert goal["on_track"] is False
    assert (goal["amount"], goal["year"]) == (500000, 2034)
    assert "probability" not in goal


def test_the_goals_numbers_do_not_depend_on_the_horizon(api, user, saved):
    set_retirement_goal(user=user, amount=D(500000), year=2034)
    query = {"volatility": "0.1", "simulations": 300, "seed": 5}
    assert (
        project_with(api, years=1, **query)["goal"] == project_with(api, years=40, **query)["goal"]
    )
    assert (
        project_with(api, years=1, **query)["points"][12]["p50"]
        == (project_with(api, years=40, **query)["points"][12]["p50"])
    )


def test_the_required_contribution_fed_back_reaches_the_goal(api, user, saved):
    set_retirement_goal(user=user, amount=D(3000000), year=2050)
    query = {"annual_return": "0.041", "inflation": "0.023", "contribution_growth": "0.025"}
    required = project_with(api, **query)["goal"]["required_monthly_contribution"]
    goal = project_with(api, **query, monthly_contribution=repr(required))["goal"]
    assert goal["projected_value"] == pytest.approx(3000000, abs=0.01)
    assert goal["shortfall"] <= 0.01


def test_a_goal_that_is_reached_needs_nothing(api, user, saved):
    set_retirement_goal(user=user, amount=D(1000), year=2034)
    goal = project_with(api)["goal"]
    assert (goal["on_track"], goal["shortfall"], goal["required_monthly_contribution"]) == (
        True,
        0,
        0,
    )


def test_the_probability_is_the_share_of_paths_that_reach_it(api, user, saved):
    set_retirement_goal(user=user, amount=D(100000), year=2034)
    query = {
        "annual_return": 0,
        "inflation": 0,
        "volatility": "0.2",
        "simulations": 4000,
        "seed": 1,
    }
    # A log-normal path with mean log −σ²t/2 is above its start with probability Φ(−σ√t/2).
    expected = 0.5 * math.erfc(0.2 * math.sqrt(127 / 12) / 2 / math.sqrt(2))
    assert project_with(api, **query)["goal"]["probability"] == pytest.approx(expected, abs=0.03)


# --- Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "status", "code", "attr"),
    [
        ({"years": "soon"}, 400, "invalid", "years"),
        ({"years": "1.5"}, 400, "invalid", "years"),
        ({"years": "0"}, 422, "out_of_range", "years"),
        ({"years": "101"}, 422, "out_of_range", "years"),
        ({"years": "-" + "9" * 40}, 422, "out_of_range", "years"),
        ({"years": "10", "until_year": "2030"}, 422, "ambiguous", "until_year"),
        ({"until_year": "2023"}, 422, "past_year", "until_year"),
        ({"until_year": "2125"}, 422, "out_of_range", "until_year"),
        ({"annual_return": "-1"}, 422, "out_of_range", "annual_return"),
        ({"annual_return": "-0.99999999999999999999"}, 422, "out_of_range", "annual_return"),
        ({"annual_return": "11"}, 422, "out_of_range", "annual_return"),
        ({"annual_return": "five"}, 400, "invalid", "annual_return"),
        ({"annual_return": "NaN"}, 400, "invalid", "annual_return"),
        ({"annual_return": "Infinity"}, 400, "invalid", "annual_return"),
        ({"annual_return": "1" * 200}, 400, "invalid", "annual_return"),
        ({"annual_return": "1e999999"}, 422, "out_of_range", "annual_return"),
        ({"inflation": "-1.5"}, 422, "out_of_range", "inflation"),
        ({"contribution_growth": "-1"}, 422, "out_of_range", "contribution_growth"),
        ({"portfolio_return": "-2"}, 422, "out_of_range", "portfolio_return"),
        ({"monthly_contribution": "-1"}, 422, "out_of_range", "monthly_contribution"),
        ({"monthly_contribution": "1e15"}, 422, "out_of_range", "monthly_contribution"),
        ({"volatility": "-0.1"}, 422, "out_of_range", "volatility"),
        ({"simulations": "10001"}, 422, "out_of_range", "simulations"),
        ({"simulations": "-1"}, 422, "out_of_range", "simulations"),
        ({"simulations": "many"}, 400, "invalid", "simulations"),
        ({"seed": "-1"}, 422, "out_of_range", "seed"),
        ({"seed": "x"}, 400, "invalid", "seed"),
        ({"include_portfolios": "maybe"}, 400, "invalid", "include_portfolios"),
        ({"account_id": "mine"}, 400, "invalid", "account_id"),
        ({"account_id": str(uuid.uuid4())}, 404, "not_found", None),
    ],
)
def test_a_query_that_is_invalid_is_refused(api, saved, query, status, code, attr):
    response = api.get(PROJECTION, query)
    assert (response.status_code, errors(response)) == (status, [(code, attr)])


def forget_rights(user):
    """Drop the rights that Django keeps on the user object."""
    for name in ("_perm_cache", "_user_perm_cache", "_group_perm_cache"):
        user.__dict__.pop(name, None)


def test_staff_may_simulate_ten_times_as_many_paths(api, user, saved):
    user.is_staff = True
    user.save()
    refused = api.get(PROJECTION, {"simulations": "10001"})
    assert (refused.status_code, errors(refused)) == (422, [("out_of_range", "simulations")])
    user.user_permissions.set(Permission.objects.filter(codename="view_pensionaccount"))
    forget_rights(user)
    assert len(project_with(api, years=1, volatility="0.1", simulations=100_000)["points"]) == 13
    response = api.get(PROJECTION, {"simulations": "100001"})
    assert (response.status_code, errors(response)) == (422, [("out_of_range", "simulations")])


def test_another_users_account_is_not_projected(other_api, saved):
    assert other_api.get(PROJECTION, {"account_id": str(saved.pk)}).status_code == 404
    assert other_api.get(PROJECTION).json()["start_value"] == 0


def test_without_signing_in_nothing_is_shown(anonymous):
    assert anonymous.get(PROJECTION).status_code == 401
    assert anonymous.get(GOAL).status_code == 401


@pytest.mark.parametrize(
    "query", [{"annual_return": 10, "inflation": "-0.999", "monthly_contribution": 999999999999999}]
)
def test_absurd_but_allowed_numbers_give_an_answer_without_infinities(api, user, saved, query):
    set_retirement_goal(user=user, amount=D(1), year=2120)
    response = api.get(
        PROJECTION, {"years": 100, "contribution_growth": 10, "simulations": 5, **query}
    )
    assert response.status_code == 200
    assert b"Infinity" not in response.content
    assert b"NaN" not in response.content


# --- Cost -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [f"{PROJECTION}?include_portfolios=true", GOAL])
def test_the_number_of_queries_does_not_grow(api, user, path):
    rate("EUR", "NOK", "11")
    counts = []
    for number in (1, 8):
        for extra in range(number):
            name = f"{number}-{extra}"
            account = services.create_account(user=user, name=name, currency="EUR")
            services.record_value(account=account, on=date(2024, 5, 1), value=D(1))
            services.create_contribution(account=account, amount=D(1), start=date(2024, 1, 1))
            create_portfolio(user=user, name=name, currency="EUR")
        with CaptureQueriesContext(connection) as queries:
            api.get(path)
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert counts[0] <= 20


def test_the_closed_form_and_the_endpoint_agree_over_a_century(api, saved):
    last = project_with(
        api, years=100, monthly_contribution=10, contribution_growth="0.01", annual_return="0.03"
    )
    by_formula = 100000 * 1.03**100 + 10 * annuity(0.03, 0.01, 1200)
    assert last["points"][-1]["value"] == pytest.approx(by_formula, rel=1e-10)
    assert project([Pot(1e5, 0.03)], level_contributions(10, 0.01, 1200))[-1] == pytest.approx(
        by_formula, rel=1e-10
    )
