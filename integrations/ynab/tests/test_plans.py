"""Test which budgets a user may read: assigned ones; all for staff and the only user."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from conftest import api_client
from financeproj.history.models import HistoryEntry
from integrations.models import AssignedBudget, YnabBudget, YnabSettings
from integrations.ynab import services

pytestmark = pytest.mark.django_db

SETTINGS, PLANS, ACCOUNTS = (
    "/api/v1/settings/ynab",
    "/api/v1/settings/ynab/plans",
    "/api/v1/ynab/accounts",
)


def codes(response):
    return [(error["code"], error["attr"]) for error in response.json()["errors"]]


def assign(user, plan_id, *options):
    out = StringIO()
    call_command("assign_plan", user.username, plan_id, *options, stdout=out)
    return out.getvalue()


def test_the_only_user_sees_and_chooses_every_budget(api, ynab, plan):
    other = ynab.plan("Business", currency="EUR")
    assert api.get(PLANS).json() == [
        {"id": other.id, "name": "Business", "currency": "EUR"},
        {"id": plan.id, "name": "Household", "currency": "NOK"},
    ]
    assert api.post(SETTINGS, {"budget_id": other.id}).status_code == 200
    assert AssignedBudget.objects.get().budget_id == other.id


def test_staff_without_the_right_to_see_budgets_are_given_theirs(api, user, other_user, ynab, plan):
    user.is_staff = True
    user.save()
    assert api.get(PLANS).json() == []
    response = api.post(SETTINGS, {"budget_id": plan.id})
    assert (response.status_code, codes(response)) == (422, [("unknown_budget", "budget_id")])


def test_staff_see_and_choose_every_budget(api, user, other_user, ynab, plan):
    user.is_staff = True
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename="view_ynabbudget"))
    assert [one["id"] for one in api.get(PLANS).json()] == [plan.id]
    assert api.post(SETTINGS, {"budget_id": plan.id}).status_code == 200


def test_another_user_sees_nothing_and_chooses_nothing(api, other_user, ynab, plan):
    assert api.get(PLANS).json() == []
    response = api.post(SETTINGS, {"budget_id": plan.id})
    assert (response.status_code, codes(response)) == (422, [("unknown_budget", "budget_id")])
    assert ynab.requests == []
    assert not YnabBudget.objects.exists()
    assert not YnabSettings.objects.exists()


def test_a_user_sees_and_chooses_what_was_assigned(api, user, other_user, ynab, plan):
    ynab.plan("Business", currency="EUR")
    assert assign(user, plan.id) == f"{user.username} may choose Household.\n"
    assert api.get(PLANS).json() == [{"id": plan.id, "name": "Household", "currency": "NOK"}]
    assert api.post(SETTINGS, {"budget_id": plan.id}).status_code == 200
    assert api_client(other_user).get(PLANS).json() == []


def test_a_withdrawn_budget_is_neither_seen_nor_chosen_any_more(api, user, other_user, ynab, plan):
    services.choose_budget(user=user, budget_id=plan.id, assign=True)
    assign(user, plan.id, "--withdraw")
    assert api.get(PLANS).json() == []
    assert codes(api.get(ACCOUNTS)) == [("ynab_budget_not_set", None)]
    assert not YnabSettings.objects.exists()


def test_the_first_of_two_users_keeps_the_budget_chosen_alone(api, ynab, plan, django_user_model):
    api.post(SETTINGS, {"budget_id": plan.id})
    django_user_model.objects.create_user("second")
    assert [one["id"] for one in api.get(PLANS).json()] == [plan.id]
    assert api.get(ACCOUNTS).status_code == 200


@pytest.mark.parametrize("alias", ["last-used", "default"])
def test_an_alias_is_no_id_for_anyone(api, user, ynab, plan, alias):
    ynab.plans[alias] = plan
    user.is_staff = True
    user.save()
    response = api.post(SETTINGS, {"budget_id": alias})
    assert (response.status_code, codes(response)) == (422, [("unknown_budget", "budget_id")])
    with pytest.raises(CommandError, match="is not the id of a budget"):
        assign(user, alias)
    assert ynab.requests == []
    assert not YnabBudget.objects.exists()


def test_a_plan_that_ynab_does_not_know_is_not_assigned(user, ynab):
    with pytest.raises(CommandError, match="YNAB has no such budget"):
        assign(user, "11111111-2222-3333-4444-555555555555")
    assert not AssignedBudget.objects.exists()


def test_the_list_stands_while_ynab_does_not_answer(api, ynab, plan, settings):
    settings.MARKET_DATA_CACHE_SECONDS = 0
    assert len(api.get(PLANS).json()) == 1
    ynab.mode = 503
    assert [one["id"] for one in api.get(PLANS).json()] == [plan.id]


def test_without_a_list_the_failure_is_reported(api, ynab, plan):
    ynab.mode = 503
    assert api.get(PLANS).status_code == 503


def test_each_choice_and_assignment_is_in_the_history(user, other_user, ynab, plan):
    services.assign_budget(user=user, budget_id=plan.id)
    services.choose_budget(user=user, budget_id=plan.id)
    services.forget_budget(user=user)
    entries = HistoryEntry.objects.filter(object_type="ynab_settings").order_by("at", "pk")
    assert [(entry.action, entry.changes) for entry in entries] == [
        ("changed", {"assigned": [None, plan.id]}),
        ("changed", {"budget_id": [None, plan.id]}),
        ("changed", {"budget_id": [plan.id, None]}),
    ]


# --- What earlier versions stored -----------------------------------------------------------------


def test_the_only_user_keeps_the_budget_that_ynab_names_for_an_alias(api, user, ynab, plan):
    plan.put(name="Pension", balance=1000)
    ynab.plans["last-used"] = plan
    YnabSettings.objects.create(user=user, budget=YnabBudget.objects.create(pk="last-used"))
    assert [account["name"] for account in api.get(ACCOUNTS).json()] == ["Pension"]
    assert api.get(SETTINGS).json()["budget_id"] == plan.id
    assert AssignedBudget.objects.get().budget_id == plan.id


def test_an_alias_shows_another_user_nothing(api, user, other_user, ynab, plan):
    ynab.plans["last-used"] = plan
    YnabSettings.objects.create(user=user, budget=YnabBudget.objects.create(pk="last-used"))
    assert codes(api.get(ACCOUNTS)) == [("ynab_budget_not_set", None)]
    assert ynab.requests == []


@pytest.mark.django_db(transaction=True)
def test_the_migration_assigns_what_was_chosen_and_makes_the_oldest_user_superuser():
    executor = MigrationExecutor(connection)
    newest = executor.loader.graph.leaf_nodes("integrations")
    executor.migrate([("integrations", "0002_backup")])
    try:
        apps = executor.loader.project_state([("integrations", "0002_backup")]).apps
        users = apps.get_model("users", "User").objects
        chosen = apps.get_model("integrations", "YnabSettings").objects
        budgets = apps.get_model("integrations", "YnabBudget").objects

        def user(name, year, **fields):
            joined = datetime(year, 1, 1, tzinfo=UTC)
            return users.create(username=name, date_joined=joined, **fields)

        gone, oldest = user("gone", 2019, is_active=False), user("oldest", 2020)
        second, third = user("second", 2021), user("third", 2022)
        alias, plan = budgets.create(pk="last-used"), budgets.create(pk="a-plan")
        chosen.create(user=oldest, budget=alias)
        chosen.create(user=second, budget=alias)
        chosen.create(user=third, budget=plan)
        chosen.create(user=gone, budget=plan)
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(newest)
    assert [
        (name, is_superuser, is_staff)
        for name, is_superuser, is_staff in users.order_by("date_joined").values_list(
            "username", "is_superuser", "is_staff"
        )
    ] == [
        ("gone", False, False),
        ("oldest", True, True),
        ("second", False, False),
        ("third", False, False),
    ]
    kept = YnabSettings.objects.values_list("user__username", "budget")
    assert set(kept) == {("oldest", "last-used"), ("third", "a-plan"), ("gone", "a-plan")}
    assigned = AssignedBudget.objects.values_list("user__username", "budget")
    assert set(assigned) == {("third", "a-plan"), ("gone", "a-plan")}
