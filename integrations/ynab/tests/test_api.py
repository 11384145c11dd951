"""Test YNAB's settings, accounts and balances over REST: caching, stale data, failures."""

import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.db import connections
from django.utils import timezone

from conftest import api_client
from financeproj.core.errors import UpstreamError
from integrations.models import YnabBudget, YnabSettings
from integrations.ynab import asking, client, queries, services
from marketdata import gateway
from tests.servers.ynab import KEY
from tests.timing import SLACK

pytestmark = pytest.mark.django_db

SETTINGS, ACCOUNTS = "/api/v1/settings/ynab", "/api/v1/ynab/accounts"


def errors(response):
    return [(error["code"], error["attr"]) for error in response.json()["errors"]]


def balance_path(account_id):
    return f"{ACCOUNTS}/{account_id}/balance"


def later(**kwargs):
    return time_machine.travel(timezone.now() + timedelta(**kwargs), tick=True)


@pytest.fixture
def pension(budget):
    return budget.put(name="Pension", balance=250_000_120)


# --- Settings -------------------------------------------------------------------------------------


def test_without_settings_there_is_no_budget(api, ynab):
    assert api.get(SETTINGS).json() == {
        "budget_id": None,
        "budget_name": None,
        "verified": False,
        "api_key_configured": True,
        "last_sync": None,
    }


def test_a_budget_that_ynab_knows_is_saved_verified_with_its_name(api, ynab, plan):
    response = api.post(SETTINGS, {"budget_id": plan.id})
    assert response.status_code == 200
    assert response.json() == {
        "budget_id": plan.id,
        "budget_name": "Household",
        "verified": True,
        "api_key_configured": True,
        "last_sync": None,
    }
    assert api.get(SETTINGS).json() == response.json()
    assert ynab.requests == [f"/plans/{plan.id}/settings", "/plans"]


def test_a_budget_that_ynab_does_not_know_is_refused_and_the_old_one_stays(api, ynab, budget):
    response = api.post(SETTINGS, {"budget_id": "11111111-2222-3333-4444-555555555555"})
    assert response.status_code == 422
    assert errors(response) == [("unknown_budget", "budget_id")]
    assert api.get(SETTINGS).json()["budget_id"] == budget.id
    assert YnabBudget.objects.count() == 1


@pytest.mark.parametrize("mode", [429, 500, 503, "html", "truncated", "cut"])
def test_a_budget_is_saved_unverified_when_ynab_cannot_be_asked(api, ynab, plan, mode):
    ynab.mode = mode
    response = api.post(SETTINGS, {"budget_id": plan.id})
    assert response.status_code == 200
    assert (response.json()["verified"], response.json()["budget_name"]) == (False, None)
    assert YnabSettings.objects.get().budget_id == plan.id


def test_without_a_key_the_budget_is_saved_unverified_without_a_call(api, settings, ynab, plan):
    settings.YNAB_API_KEY = ""
    body = api.post(SETTINGS, {"budget_id": plan.id}).json()
    assert (body["budget_id"], body["verified"], body["api_key_configured"]) == (
        plan.id,
        False,
        False,
    )
    assert ynab.requests == []


@pytest.mark.parametrize("mode", [401, 403])
def test_a_rejected_key_is_reported_and_nothing_is_saved(api, ynab, plan, mode):
    ynab.mode = mode
    response = api.post(SETTINGS, {"budget_id": plan.id})
    assert response.status_code == 502
    assert errors(response) == [("ynab_unauthorized", None)]
    assert not YnabSettings.objects.exists()
    assert not YnabBudget.objects.exists()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "required"),
        ({"budget_id": ""}, "blank"),
        ({"budget_id": None}, "null"),
        ({"budget_id": "../user"}, "invalid"),
        ({"budget_id": "a b"}, "invalid"),
        ({"budget_id": "x" * 65}, "invalid"),
        ({"budget_id": "abc\n"}, "unknown_budget"),  # spaces around are cut off
    ],
)
def test_a_budget_id_that_cannot_be_one_is_refused(api, ynab, body, code):
    response = api.post(SETTINGS, body)
    assert response.status_code == 422
    assert errors(response) == [(code, "budget_id")]
    assert not YnabSettings.objects.exists()


def test_a_name_that_cannot_be_had_does_not_matter(api, ynab, plan):
    asked_for = plan.id
    plan.id = "another"  # the list does not have the plan
    body = api.post(SETTINGS, {"budget_id": asked_for}).json()
    assert (body["verified"], body["budget_name"]) == (True, None)


def test_an_unverified_budget_is_verified_by_the_first_answer(api, ynab, plan):
    ynab.mode = 500
    api.post(SETTINGS, {"budget_id": plan.id})
    ynab.mode = "ok"
    assert api.get(ACCOUNTS).status_code == 200
    assert api.get(SETTINGS).json()["verified"] is True


# --- Accounts and balances ------------------------------------------------------------------------


def test_accounts_are_listed_with_exact_balances(api, budget, pension):
    mortgage = budget.put(name="Mortgage", type="mortgage", balance=-1_999_999_990, closed=True)
    response = api.get(ACCOUNTS)
    assert sorted(response.json(), key=lambda account: account["name"], reverse=True) == [
        {
            "id": pension,
            "name": "Pension",
            "type": "otherAsset",
            "balance": 250000.12,
            "currency": "NOK",
            "closed": False,
            "deleted": False,
            "stale": False,
        },
        {
            "id": mortgage,
            "name": "Mortgage",
            "type": "mortgage",
            "balance": -1999999.99,
            "currency": "NOK",
            "closed": True,
            "deleted": False,
            "stale": False,
        },
    ]
    assert b'"balance":250000.12,' in response.content


def test_a_balance_is_shown_with_its_parts(api, budget):
    account = budget.put(
        name="Pension", balance=1_500, cleared_balance=1_000, uncleared_balance=500
    )
    body = dict(api.get(balance_path(account)).json())
    as_of = body.pop("as_of")
    assert body == {
        "account_id": account,
        "name": "Pension",
        "balance": 1.5,
        "cleared_balance": 1,
        "uncleared_balance": 0.5,
        "currency": "NOK",
        "stale": False,
    }
    assert as_of.endswith("Z")


@pytest.mark.parametrize(
    "account_id", ["unknown", "11111111-2222-3333-4444-555555555555", "..", "a%2Fb", "x" * 500]
)
def test_an_unknown_account_is_404(api, pension, account_id):
    response = api.get(balance_path(account_id))
    assert response.status_code == 404
    assert response.json()["type"] == "client_error"


def test_an_account_that_is_newer_than_what_is_kept_is_found_and_an_unknown_one_asked_for_once(
    api, ynab, budget, pension
):
    api.get(ACCOUNTS)
    new = budget.put(name="New", balance=3_000)
    assert api.get(balance_path(new)).json()["balance"] == 3
    asked = len(ynab.requests)
    for _ in range(3):
        assert api.get(balance_path("unknown")).status_code == 404
    assert len(ynab.requests) == asked + 1


def test_an_unknown_account_is_not_denied_while_ynab_cannot_be_asked(api, ynab, budget, pension):
    api.get(ACCOUNTS)
    ynab.mode = 500
    with later(minutes=16):
        assert errors(api.get(balance_path("unknown"))) == [("ynab_unavailable", None)]


def test_a_deleted_account_stays_in_the_list_but_has_no_balance(api, ynab, budget, pension):
    api.get(ACCOUNTS)
    budget.delete(pension)
    with later(minutes=16):
        listed = api.get(ACCOUNTS).json()
        assert [(row["id"], row["closed"], row["deleted"]) for row in listed] == [
            (pension, True, True)
        ]
        assert "last_knowledge_of_server" in ynab.requests[-1]
        assert errors(api.get(balance_path(pension))) == [("unknown_ynab_account", None)]


def test_an_account_that_a_whole_answer_lacks_is_deleted_too(user, budget, pension):
    queries.balances_of(user)
    del budget.accounts[pension]
    found = queries.fresh_balances_of(user, since=timezone.now())
    assert found[pension].deleted


def test_accounts_are_asked_for_once_in_a_quarter_of_an_hour_and_then_as_a_delta(
    api, ynab, budget, pension
):
    for _ in range(3):
        assert api.get(ACCOUNTS).json()[0]["balance"] == 250000.12
        assert api.get(balance_path(pension)).json()["balance"] == 250000.12
    assert ynab.requests == [f"/plans/{budget.id}/accounts"]
    known = budget.knowledge
    budget.put(pension, balance=1_000)
    with later(minutes=14):
        assert api.get(ACCOUNTS).json()[0]["balance"] == 250000.12
    with later(minutes=16):
        assert api.get(ACCOUNTS).json()[0]["balance"] == 1
    assert ynab.requests[1:] == [
        f"/plans/{budget.id}/settings",
        f"/plans/{budget.id}/accounts?last_knowledge_of_server={known}",
    ]


def test_two_users_of_one_budget_share_what_is_known(api, other_user, ynab, budget, pension):
    services.choose_budget(user=other_user, budget_id=budget.id, assign=True)
    ynab.requests.clear()
    assert api.get(ACCOUNTS).json() == api_client(other_user).get(ACCOUNTS).json()
    assert ynab.requests == [f"/plans/{budget.id}/accounts"]


def test_a_plan_without_a_known_currency_shows_none(api, ynab, user):
    bare = ynab.plan("Bare", None)
    bare.put(balance=1000)
    services.choose_budget(user=user, budget_id=bare.id, assign=True)
    assert api.get(ACCOUNTS).json()[0]["currency"] is None


# --- What is missing ------------------------------------------------------------------------------


def test_without_a_key_ynab_is_not_configured(api, settings, budget, pension):
    settings.YNAB_API_KEY = ""
    for path in (ACCOUNTS, balance_path(pension)):
        response = api.get(path)
        assert (response.status_code, errors(response)) == (503, [("ynab_not_configured", None)])


def test_without_a_budget_there_is_a_conflict(api, ynab):
    for path in (ACCOUNTS, balance_path("any")):
        response = api.get(path)
        assert (response.status_code, errors(response)) == (409, [("ynab_budget_not_set", None)])


def test_a_budget_that_was_deleted_at_ynab_is_reported(api, ynab, budget, pension):
    api.get(ACCOUNTS)
    del ynab.plans[budget.id]
    with later(minutes=16):
        response = api.get(ACCOUNTS)
        assert (response.status_code, errors(response)) == (409, [("ynab_budget_unknown", None)])
        assert api.get(SETTINGS).json()["verified"] is False


def test_without_signing_in_nothing_is_shown(anonymous):
    for path in (SETTINGS, ACCOUNTS, balance_path("any")):
        assert anonymous.get(path).status_code == 401


# --- Failures -------------------------------------------------------------------------------------

FAILURES = [
    (401, 502, "ynab_unauthorized"),
    (403, 502, "ynab_unauthorized"),
    (429, 503, "ynab_rate_limited"),
    (500, 503, "ynab_unavailable"),
    (503, 503, "ynab_unavailable"),
    (400, 502, "ynab_bad_answer"),
    (409, 502, "ynab_bad_answer"),
    ("html", 502, "ynab_bad_answer"),
    ("truncated", 502, "ynab_bad_answer"),
    ("cut", 502, "ynab_bad_answer"),
    ("no_data", 502, "ynab_bad_answer"),
    ("redirect", 502, "ynab_bad_answer"),
    ("slow", 504, "ynab_timeout"),
    ("drip", 504, "ynab_timeout"),
]


@pytest.mark.parametrize(("mode", "status", "code"), FAILURES)
def test_with_nothing_known_every_failure_has_its_status(
    api, settings, ynab, budget, pension, mode, status, code
):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 1
    ynab.mode = mode
    started = time.monotonic()
    response = api.get(ACCOUNTS)
    assert time.monotonic() - started < 1 + 1 * SLACK  # the limit and a second of our own
    assert (response.status_code, errors(response)) == (status, [(code, None)])
    assert response.json()["type"] == "server_error"
    assert ("Retry-After" in response) == (status == 503)
    assert KEY not in response.content.decode()


@pytest.mark.parametrize(("mode", "status", "code"), FAILURES)
def test_a_failure_gives_the_last_known_balance_unless_the_key_is_refused(
    api, settings, ynab, budget, pension, mode, status, code
):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 1
    fresh = api.get(balance_path(pension)).json()
    ynab.mode = mode
    with later(minutes=16):
        response = api.get(balance_path(pension))
        if code == "ynab_unauthorized":
            assert (response.status_code, errors(response)) == (status, [(code, None)])
        else:
            assert response.json() == {**fresh, "stale": True}
            assert api.get(ACCOUNTS).json()[0]["stale"] is True


def test_a_refusal_is_not_hidden_by_a_later_failure(api, ynab, settings, budget, pension):
    api.get(ACCOUNTS)
    with later(minutes=16):
        ynab.mode = 401
        assert errors(api.get(ACCOUNTS)) == [("ynab_unauthorized", None)]
        ynab.mode = 500
        assert errors(api.get(ACCOUNTS)) == [("ynab_unauthorized", None)]
        settings.YNAB_API_KEY = "another"
        assert api.get(ACCOUNTS).json()[0]["stale"] is True
        settings.YNAB_API_KEY = KEY
        ynab.mode = "ok"
        assert api.get(ACCOUNTS).json()[0]["stale"] is False
    with later(minutes=40):
        ynab.mode = 500
        assert api.get(ACCOUNTS).json()[0]["stale"] is True


def test_a_rejected_key_is_reported_even_when_our_own_limit_is_reached(
    api, ynab, budget, pension, monkeypatch
):
    monkeypatch.setattr(
        asking, "PARTY", replace(asking.PARTY, calls_per_second=1000)
    )  # nothing to wait for
    api.get(ACCOUNTS)
    ynab.mode = 403
    with later(minutes=16):
        for _ in range(70):
            assert errors(api.get(ACCOUNTS)) == [("ynab_unauthorized", None)]
    assert len(ynab.requests) <= 60


def test_several_questions_of_one_request_share_its_time(api, settings, ynab, budget, pension):
    # Choosing a budget asks for its currency and then for its name; each takes most of the time
    # there is.
    settings.MARKET_DATA_TIMEOUT_SECONDS = 2
    other = ynab.plan("Other")
    ynab.mode, ynab.delay = "slow", 1.2
    started = time.monotonic()
    body = api.post(SETTINGS, {"budget_id": other.id}).json()
    assert time.monotonic() - started < 2 + 1 * SLACK  # the limit and a second of our own
    assert (body["verified"], body["budget_name"]) == (True, None)


def test_the_time_limit_covers_all_calls_of_a_request(settings, user, ynab, budget, pension):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 2
    ynab.mode, ynab.delay = "slow", 1.2
    started = time.monotonic()
    with gateway.at_most(2):
        queries.fresh_balances_of(user, since=timezone.now())
        with pytest.raises(UpstreamError, match="in time"):
            queries.fresh_balances_of(user, since=timezone.now())
    assert time.monotonic() - started < 2 + 1 * SLACK  # the limit and a second of our own
    ynab.mode = "ok"
    assert queries.fresh_balances_of(user, since=timezone.now())


def test_a_refused_connection_is_unavailable(api, settings, budget):
    settings.YNAB_BASE_URL = "http://127.0.0.1:9/v1"
    response = api.get(ACCOUNTS)
    assert (response.status_code, errors(response)) == (503, [("ynab_unavailable", None)])


@pytest.mark.parametrize("amount", [12.5, "1200", None, True])
def test_an_amount_that_is_not_an_integer_is_rejected(api, budget, amount):
    budget.put(name="Odd", balance=amount)
    response = api.get(ACCOUNTS)
    assert (response.status_code, errors(response)) == (502, [("ynab_bad_answer", None)])
    assert YnabBudget.objects.get().accounts == {}


def test_the_old_paths_are_tried_once_and_then_remembered(api, ynab, user):
    ynab.roots = {"budgets"}
    old = ynab.plan()
    account = old.put(balance=1000)
    services.choose_budget(user=user, budget_id=old.id, assign=True)
    assert ynab.requests == [f"/plans/{old.id}/settings", f"/budgets/{old.id}/settings", "/budgets"]
    assert api.get(balance_path(account)).json()["balance"] == 1
    assert ynab.requests[3:] == [f"/budgets/{old.id}/accounts"]


def test_the_old_paths_are_not_tried_after_the_new_ones_answered(api, ynab, budget):
    api.post(SETTINGS, {"budget_id": "unknown"})
    assert ynab.requests == ["/plans/unknown/settings"]


# --- Circuit, ceiling, single flight --------------------------------------------------------------


def test_the_first_429_opens_the_circuit_for_as_long_as_ynab_asks(api, ynab, budget, pension):
    ynab.mode, ynab.retry_after = 429, "300"
    assert int(api.get(ACCOUNTS)["Retry-After"]) in range(300, 306)
    ynab.mode = "ok"
    asked = len(ynab.requests)
    refused = api.get(ACCOUNTS)
    assert (refused.status_code, errors(refused)) == (503, [("ynab_unavailable", None)])
    assert int(refused["Retry-After"]) in range(290, 306)
    assert len(ynab.requests) == asked
    with later(seconds=310):
        assert api.get(ACCOUNTS).status_code == 200


def test_a_budget_whose_id_ynab_calls_malformed_is_refused_and_nothing_is_saved(api, ynab, budget):
    ynab.mode = 400
    for number in range(12):
        response = api.post(SETTINGS, {"budget_id": f"malformed-{number}"})
        assert response.status_code == 422
        assert errors(response) == [("unknown_budget", "budget_id")]
    assert YnabSettings.objects.get().budget_id == budget.id
    assert YnabBudget.objects.count() == 1
    assert gateway.state()["ynab"] == {
        "state": "closed",
        "failures": 0,
        "retry_after_seconds": 0,
        "reason": "",
    }


def test_ten_failures_about_one_budget_open_the_circuit_for_half_a_minute(
    api, ynab, budget, pension
):
    ynab.mode = 500
    for _ in range(10):
        assert api.get(ACCOUNTS).status_code == 503
    asked = len(ynab.requests)
    ynab.mode = "ok"
    assert api.get(ACCOUNTS).status_code == 503
    assert len(ynab.requests) == asked
    with later(seconds=32):
        assert api.get(ACCOUNTS).status_code == 200


def test_a_refused_key_and_an_unknown_budget_do_not_open_the_circuit(api, ynab, budget, pension):
    ynab.mode = 401
    for _ in range(7):
        assert errors(api.get(ACCOUNTS)) == [("ynab_unauthorized", None)]
    ynab.mode = 404
    for _ in range(7):
        assert errors(api.get(ACCOUNTS)) == [("ynab_budget_unknown", None)]
    ynab.mode = "ok"
    assert api.get(ACCOUNTS).status_code == 200


def test_no_more_than_sixty_requests_an_hour_are_made(api, settings, ynab, budget, pension):
    settings.MARKET_DATA_CACHE_SECONDS = 0
    with time_machine.travel(timezone.now(), tick=True) as clock:
        for _ in range(40):
            clock.shift(60)
            assert api.get(ACCOUNTS).status_code == 200
        # Two for the budget's settings and its name, made by the fixture, and 58 of these.
        assert len(ynab.requests) == 58
        last = api.get(ACCOUNTS).json()
        assert last[0]["stale"] is True
        clock.shift(3600)
        assert api.get(ACCOUNTS).json()[0]["stale"] is False


def test_several_requests_at_once_make_one_call(transactional_db, user, ynab, budget, pension):
    ynab.mode, ynab.delay = "slow", 0.3
    found = []

    def read():
        try:
            found.append([balance.balance for balance in queries.balances_of(user)])
        finally:
            connections.close_all()

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len({tuple(balances) for balances in found}) == 1
    assert ynab.requests == [f"/plans/{budget.id}/accounts"]


def test_no_transaction_is_open_while_ynab_is_asked(
    transactional_db, user, ynab, budget, pension, monkeypatch
):
    asker, real, seen = connections["default"], client.accounts, []

    def watched(*args, **kwargs):
        seen.append(asker.in_atomic_block)
        return real(*args, **kwargs)

    monkeypatch.setattr(client, "accounts", watched)
    queries.fresh_balances_of(user, since=timezone.now())
    assert seen == [False]
