"""Test pension values from YNAB: on demand, nightly, and the record of each run."""

from datetime import date, datetime
from decimal import Decimal as D
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils import timezone

from financeproj.celery import app
from integrations.models import SyncRun, YnabBudget, YnabSettings
from integrations.ynab import sync
from integrations.ynab.services import choose_budget
from integrations.ynab.tasks import sync_pensions
from pensions import services
from pensions.models import PensionValueEntry

pytestmark = pytest.mark.django_db

PENSIONS = "/api/v1/pension/accounts"


def errors(response):
    return [(error["code"], error["attr"]) for error in response.json()["errors"]]


def values_of(account):
    rows = PensionValueEntry.objects.filter(account=account).order_by("date")
    return [(row.date.isoformat(), row.value, row.source) for row in rows]


def at(text):
    return time_machine.travel(
        datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("UTC")), tick=True
    )


@pytest.fixture
def at_ynab(budget):
    return budget.put(name="Innskuddspensjon", balance=500_000_500)


@pytest.fixture
def linked(user, at_ynab):
    return services.create_account(
        user=user, name="Innskudd", currency="NOK", ynab_account_id=at_ynab
    )


def outcomes():
    run = SyncRun.objects.first()
    return run.outcome, [line["outcome"] for line in run.accounts]


# --- Linking --------------------------------------------------------------------------------------


def test_an_account_is_linked_and_says_so(api, at_ynab):
    body = {"name": "Innskudd", "currency": "NOK", "ynab_account_id": at_ynab}
    made = api.post(PENSIONS, body)
    assert made.status_code == 201
    assert made.json()["ynab_account_id"] == at_ynab
    assert (
        api.patch(f"{PENSIONS}/{made.json()['id']}", {"ynab_account_id": ""}).json()[
            "ynab_account_id"
        ]
        is None
    )


def test_a_link_to_an_account_in_another_currency_is_refused(api, at_ynab, user):
    response = api.post(
        PENSIONS, {"name": "Innskudd", "currency": "EUR", "ynab_account_id": at_ynab}
    )
    assert (response.status_code, errors(response)) == (
        422,
        [("currency_mismatch", "ynab_account_id")],
    )
    assert not user.pension_accounts.exists()
    account = services.create_account(user=user, name="Innskudd", currency="EUR")
    response = api.patch(f"{PENSIONS}/{account.pk}", {"ynab_account_id": at_ynab})
    assert (response.status_code, errors(response)) == (
        422,
        [("currency_mismatch", "ynab_account_id")],
    )
    account.refresh_from_db()
    assert account.ynab_account_id == ""


def test_the_currency_of_a_linked_account_cannot_leave_its_ynab_account(api, linked):
    response = api.patch(f"{PENSIONS}/{linked.pk}", {"currency": "EUR"})
    assert (response.status_code, errors(response)) == (
        422,
        [("currency_mismatch", "ynab_account_id")],
    )


def test_a_link_to_an_account_that_ynab_does_not_know_is_refused(api, at_ynab, user):
    body = {
        "name": "Innskudd",
        "currency": "NOK",
        "ynab_account_id": "11111111-2222-3333-4444-555555555555",
    }
    response = api.post(PENSIONS, body)
    assert (response.status_code, errors(response)) == (
        422,
        [("unknown_ynab_account", "ynab_account_id")],
    )
    assert not user.pension_accounts.exists()


@pytest.mark.parametrize("mode", [401, 429, 500, "html"])
def test_a_link_is_accepted_while_ynab_cannot_be_asked(api, ynab, at_ynab, mode):
    ynab.mode = mode
    body = {"name": "Innskudd", "currency": "EUR", "ynab_account_id": at_ynab}
    assert api.post(PENSIONS, body).status_code == 201


def test_a_link_is_accepted_without_settings(other_api):
    body = {"name": "Innskudd", "currency": "EUR", "ynab_account_id": "abc"}
    assert other_api.post(PENSIONS, body).status_code == 201


# --- On demand ------------------------------------------------------------------------------------


def test_a_sync_takes_todays_balance_and_a_second_one_replaces_it(api, budget, at_ynab, linked):
    path = f"{PENSIONS}/{linked.pk}/sync"
    first = api.post(path)
    today = timezone.localdate().isoformat()
    assert first.status_code == 201
    assert first.json() == {
        "id": first.json()["id"],
        "date": today,
        "value": 500000.5,
        "source": "ynab",
    }
    budget.put(at_ynab, balance=510_000_000)
    second = api.post(path)
    assert second.status_code == 200
    assert second.json() == {
        "id": first.json()["id"],
        "date": today,
        "value": 510000,
        "source": "ynab",
    }
    assert values_of(linked) == [(today, D("510000"), "ynab")]
    assert api.get(f"{PENSIONS}/{linked.pk}").json()["current_value"] == 510000


def test_an_account_without_a_link_has_nothing_to_sync(api, user, budget):
    account = services.create_account(user=user, name="By hand", currency="NOK")
    response = api.post(f"{PENSIONS}/{account.pk}/sync")
    assert (response.status_code, errors(response)) == (409, [("ynab_account_not_linked", None)])


def test_another_users_account_is_not_synced(other_api, linked):
    assert other_api.post(f"{PENSIONS}/{linked.pk}/sync").status_code == 404
    assert values_of(linked) == []


def test_a_value_entered_by_hand_today_is_kept(api, linked):
    today = timezone.localdate()
    services.record_value(account=linked, on=today, value=D("1"))
    response = api.post(f"{PENSIONS}/{linked.pk}/sync")
    assert (response.status_code, errors(response)) == (409, [("duplicate_date", "date")])
    assert values_of(linked) == [(today.isoformat(), D("1"), "manual")]


@pytest.mark.parametrize(
    ("mode", "status", "code"),
    [
        (401, 502, "ynab_unauthorized"),
        (500, 503, "ynab_unavailable"),
        ("html", 502, "ynab_bad_answer"),
    ],
)
def test_a_sync_never_takes_a_stale_balance(api, ynab, linked, mode, status, code):
    assert api.get("/api/v1/ynab/accounts").json()[0]["balance"] == 500000.5
    ynab.mode = mode
    response = api.post(f"{PENSIONS}/{linked.pk}/sync")
    assert (response.status_code, errors(response)) == (status, [(code, None)])
    assert values_of(linked) == []
    last = api.get("/api/v1/settings/ynab").json()["last_sync"]
    assert (last["trigger"], last["outcome"]) == ("manual", "failed")
    assert last["accounts"][0]["account_id"] == str(linked.pk)
    assert last["detail"]


def test_a_sync_without_key_or_budget_says_so(api, settings, ynab, linked, user):
    YnabSettings.objects.all().delete()
    assert errors(api.post(f"{PENSIONS}/{linked.pk}/sync")) == [("ynab_budget_not_set", None)]
    settings.YNAB_API_KEY = ""
    assert errors(api.post(f"{PENSIONS}/{linked.pk}/sync")) == [("ynab_not_configured", None)]


def test_a_negative_balance_is_not_synced(api, budget, at_ynab, linked):
    budget.put(at_ynab, balance=-1)
    response = api.post(f"{PENSIONS}/{linked.pk}/sync")
    assert (response.status_code, errors(response)) == (422, [("negative_balance", None)])
    assert values_of(linked) == []


def test_a_linked_account_that_is_gone_is_a_conflict(api, budget, at_ynab, linked):
    budget.delete(at_ynab)
    response = api.post(f"{PENSIONS}/{linked.pk}/sync")
    assert (response.status_code, errors(response)) == (409, [("unknown_ynab_account", None)])


def test_a_plan_that_changed_its_currency_is_noticed(api, budget, linked):
    budget.currency = "SEK"
    YnabBudget.objects.update(currency_fetched_at=None)
    response = api.post(f"{PENSIONS}/{linked.pk}/sync")
    assert (response.status_code, errors(response)) == (
        422,
        [("currency_mismatch", "ynab_account_id")],
    )
    assert values_of(linked) == []


# --- Nightly --------------------------------------------------------------------------------------


def test_the_nightly_sync_run_three_times_writes_one_value(linked):
    with at("2024-05-14T23:20"):
        for _ in range(3):
            sync_pensions()
    assert values_of(linked) == [("2024-05-14", D("500000.5"), "ynab")]
    assert [run.accounts[0]["outcome"] for run in SyncRun.objects.order_by("started_at")] == [
        "written",
        "unchanged",
        "unchanged",
    ]


def test_a_balance_that_changes_during_the_day_leaves_one_value_the_last(budget, at_ynab, linked):
    with at("2024-05-14T10:00"):
        sync_pensions()
        budget.put(at_ynab, balance=1_000)
        sync_pensions()
    assert values_of(linked) == [("2024-05-14", D("1"), "ynab")]


def test_a_value_is_written_when_it_changed_and_on_the_last_day_of_the_month(
    budget, at_ynab, linked
):
    for day in range(27, 31):
        with at(f"2024-04-{day}T23:20"):
            sync_pensions()
    with at("2024-05-01T23:20"):
        sync_pensions()
    budget.put(at_ynab, balance=501_000_000)
    with at("2024-05-02T23:20"):
        sync_pensions()
    assert values_of(linked) == [
        ("2024-04-27", D("500000.5"), "ynab"),
        ("2024-04-30", D("500000.5"), "ynab"),
        ("2024-05-02", D("501000"), "ynab"),
    ]


def test_a_value_entered_by_hand_is_kept_by_the_nightly_sync(linked):
    services.record_value(account=linked, on=date(2024, 5, 31), value=D("123"))
    with at("2024-05-31T23:20"):
        sync_pensions()
    assert values_of(linked) == [("2024-05-31", D("123"), "manual")]
    assert outcomes() == ("done", ["kept"])


def test_a_night_without_ynab_is_caught_up_the_next_night(ynab, linked):
    with at("2024-05-30T23:20"):
        sync_pensions()
    ynab.mode = 503
    with at("2024-05-31T23:20"):
        sync_pensions()
        assert outcomes() == ("failed", [])
        assert SyncRun.objects.first().detail == "YNAB is unavailable (status 503)."
    ynab.mode = "ok"
    with at("2024-06-01T23:20"):
        sync_pensions()
    # Unchanged since the 30th, but the month end has no value yet.
    assert [day for day, _, _ in values_of(linked)] == ["2024-05-30", "2024-06-01"]
    assert outcomes() == ("done", ["written"])


def test_closed_vanished_mismatched_and_indebted_accounts_are_shown_and_keep_their_values(
    budget, user
):
    accounts = {}
    for name in ("closed", "vanished", "dollars", "indebted", "fine"):
        at_ynab = budget.put(name=name, balance=7_000)
        accounts[name] = services.create_account(
            user=user, name=name, currency="USD" if name == "dollars" else "NOK"
        )
        # As if linked while YNAB could not be asked.
        type(accounts[name]).objects.filter(pk=accounts[name].pk).update(ynab_account_id=at_ynab)
    with at("2024-05-14T23:20"):
        sync_pensions()
    ids = {row["name"]: key for key, row in budget.accounts.items()}
    budget.put(ids["closed"], closed=True, balance=0)
    budget.delete(ids["vanished"])
    budget.put(ids["indebted"], balance=-5)
    budget.put(ids["fine"], balance=8_000)
    with at("2024-05-15T23:20"):
        sync_pensions()
    run = SyncRun.objects.first()
    assert run.outcome == "attention"
    assert {line["name"]: line["outcome"] for line in run.accounts} == {
        "closed": "closed",
        "vanished": "missing",
        "dollars": "failed",
        "indebted": "failed",
        "fine": "written",
    }
    for name in ("closed", "vanished", "indebted"):
        assert values_of(accounts[name]) == [("2024-05-14", D("7"), "ynab")]
    assert values_of(accounts["dollars"]) == []
    assert [value for _, value, _ in values_of(accounts["fine"])] == [D("7"), D("8")]


def test_one_users_failure_does_not_stop_the_next(ynab, other_user, linked):
    other_plan = ynab.plan("Other")
    balance = other_plan.put(balance=3_000)
    choose_budget(user=other_user, budget_id=other_plan.id, assign=True)
    other = services.create_account(
        user=other_user, name="Own", currency="NOK", ynab_account_id=balance
    )
    del ynab.plans[YnabSettings.objects.get(user=linked.user).budget_id]
    YnabBudget.objects.update(currency_fetched_at=None)
    with at("2024-05-14T23:20"):
        sync_pensions()
    assert values_of(linked) == []
    assert [value for _, value, _ in values_of(other)] == [D("3")]
    assert SyncRun.objects.get(user=linked.user).outcome == "failed"


def test_the_nightly_sync_asks_once_for_a_budget_however_many_accounts(ynab, budget, user, linked):
    for number in range(5):
        services.create_account(
            user=user,
            name=f"Account {number}",
            currency="NOK",
            ynab_account_id=budget.put(balance=number),
        )
    ynab.requests.clear()
    sync_pensions()
    assert ynab.requests == [f"/plans/{budget.id}/accounts"]
    assert PensionValueEntry.objects.count() == 6


def test_a_budget_saved_while_ynab_was_down_learns_its_name_at_night(ynab, plan, user):
    ynab.mode = 500
    choose_budget(user=user, budget_id=plan.id, assign=True)
    ynab.mode = "ok"
    account = services.create_account(
        user=user, name="Own", currency="NOK", ynab_account_id=plan.put(balance=1_000)
    )
    sync.sync_everybody()
    assert YnabBudget.objects.get().name == "Household"
    assert [value for _, value, _ in values_of(account)] == [D("1")]


def test_old_runs_and_forsaken_budgets_are_forgotten(ynab, user, linked):
    with at("2023-01-01T23:20"):
        sync_pensions()
    assert SyncRun.objects.count() == 1
    YnabBudget.objects.create(id="forsaken", name="Old")
    with at("2024-05-14T23:20"):
        sync_pensions()
    assert [run.started_at.year for run in SyncRun.objects.all()] == [2024]
    assert not YnabBudget.objects.filter(pk="forsaken").exists()


def test_the_nightly_task_is_known_to_celery_and_to_beat():
    entry = app.conf.beat_schedule["sync pensions"]
    app.loader.import_default_modules()
    assert entry["task"] in app.tasks
    assert entry["schedule"].hour == {23}


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2024-05-31", "2024-05-31"),
        ("2024-05-30", "2024-04-30"),
        ("2024-03-01", "2024-02-29"),
        ("2024-01-05", "2023-12-31"),
    ],
)
def test_the_last_month_end_is_found(day, expected):
    assert services.last_month_end(date.fromisoformat(day)) == date.fromisoformat(expected)


def test_an_error_of_our_own_is_recorded_and_does_not_stop_the_night(monkeypatch, linked):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(sync, "fresh_balances_of", broken)
    sync_pensions()
    assert (SyncRun.objects.first().outcome, SyncRun.objects.first().detail) == (
        "failed",
        "An error of our own: see the log.",
    )
    with pytest.raises(ZeroDivisionError):
        sync.sync_account(account=linked)
    assert (SyncRun.objects.first().trigger, SyncRun.objects.first().outcome) == (
        "manual",
        "failed",
    )


def test_users_who_may_not_sign_in_any_more_are_left_alone(ynab, user, linked):
    type(user).objects.update(is_active=False)
    ynab.requests.clear()
    sync_pensions()
    assert (ynab.requests, SyncRun.objects.count()) == ([], 0)


def test_a_closed_account_is_refused_and_its_value_stays(api, budget, at_ynab, linked):
    services.record_value(account=linked, on=date(2026, 1, 31), value=D("490000"))
    before = values_of(linked)
    budget.put(at_ynab, closed=True, balance=0)
    response = api.post(f"{PENSIONS}/{linked.pk}/sync")
    assert (response.status_code, errors(response)) == (409, [("ynab_account_closed", None)])
    assert values_of(linked) == before
    assert outcomes() == ("failed", ["failed"])
