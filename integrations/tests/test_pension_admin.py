"""Test pensions and YNAB in the admin: errors at fields, inlines, sparkline, sync."""

from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from financeproj.core.drawing import sparkline
from financeproj.core.errors import Conflict
from integrations.models import SyncRun, YnabBudget, YnabSettings
from integrations.ynab.services import choose_budget
from integrations.ynab.tasks import sync_pensions
from pensions import services
from pensions.models import ContributionPlan, PensionAccount, PensionValueEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(client, user):
    user.is_staff = user.is_superuser = True
    user.save()
    client.force_login(user)
    return client


@pytest.fixture
def account(user):
    account = services.create_account(user=user, name="Fripolise", currency="NOK")
    services.record_value(account=account, on=date(2024, 1, 31), value=D("100"))
    services.record_value(account=account, on=date(2024, 2, 29), value=D("120.5"))
    return account


def url(model, name, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def account_form(account, values=(), plans=(), **changes):
    """Return an account's change form as a browser sends it; `values` are inline rows."""
    body = {
        "name": account.name,
        "currency": account.currency,
        "ynab_account_id": account.ynab_account_id,
        **changes,
    }
    for prefix, rows in (("values", values), ("contributions", plans)):
        stored = [row for row in rows if "id" in row]
        body |= {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": len(stored)}
        for number, row in enumerate([*stored, *(row for row in rows if "id" not in row)]):
            body |= {f"{prefix}-{number}-{name}": value for name, value in row.items()}
            body[f"{prefix}-{number}-account"] = str(account.pk)
    return body


def stored_values(account):
    return [
        {"id": str(entry.pk), "date": entry.date.isoformat(), "value": str(entry.value)}
        for entry in account.values.order_by("-date")
    ]


def values_of(account):
    rows = PensionValueEntry.objects.filter(account=account).order_by("date")
    return [(row.date.isoformat(), row.value, row.source) for row in rows]


# --- Accounts -------------------------------------------------------------------------------------


def test_an_account_is_added_and_a_taken_name_is_refused_at_the_field(page, user):
    body = {"user": str(user.pk), "name": "Fripolise", "currency": "NOK", "ynab_account_id": ""}
    assert page.post(url(PensionAccount, "add"), body).status_code == 302
    refused = page.post(url(PensionAccount, "add"), {**body, "name": "FRIPOLISE"})
    assert "already" in str(refused.context["adminform"].form.errors["name"])
    unknown = page.post(url(PensionAccount, "add"), {**body, "name": "Other", "currency": "ZZZ"})
    assert "not a currency" in str(unknown.context["adminform"].form.errors["currency"])
    assert PensionAccount.objects.count() == 1


def test_values_are_added_changed_and_removed_inline(page, account):
    latest, oldest = stored_values(account)
    latest["value"] = "121"
    oldest["DELETE"] = "on"
    new = {"date": "2024-03-31", "value": "130.25"}
    response = page.post(
        url(PensionAccount, "change", account.pk), account_form(account, [latest, oldest, new])
    )
    assert response.status_code == 302
    assert values_of(account) == [
        ("2024-02-29", D("121"), "manual"),
        ("2024-03-31", D("130.25"), "manual"),
    ]


def test_plans_are_added_and_changed_inline(page, account):
    plan = services.create_contribution(account=account, amount=D(5), start=date(2024, 1, 1))
    changed = {
        "id": str(plan.pk),
        "amount": "6",
        "frequency": "yearly",
        "start": "2024-01-01",
        "end": "2030-01-01",
        "growth": "0.02",
    }
    new = {"amount": "7", "frequency": "monthly", "start": "2024-02-01", "end": "", "growth": "0"}
    body = account_form(account, stored_values(account), [changed, new])
    assert page.post(url(PensionAccount, "change", account.pk), body).status_code == 302
    plans = ContributionPlan.objects.order_by("amount").values_list("amount", "frequency", "growth")
    assert list(plans) == [(D(6), "yearly", D("0.02")), (D(7), "monthly", D(0))]


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        ({"date": "2024-02-29", "value": "1"}, "date", "already has a value on this date"),
        (
            {"date": (timezone.localdate() + timedelta(days=1)).isoformat(), "value": "1"},
            "date",
            "in the future",
        ),
        ({"date": "2024-03-31", "value": "-1"}, "value", "0 or more"),
        ({"date": "2024-03-31", "value": "0." + "1" * 29}, "value", "significant digits"),
        ({"date": "2024-03-31", "value": ""}, "value", "required"),
    ],
)
def test_an_inline_value_that_is_invalid_is_refused_and_no_row_is_written(
    page, account, row, field, message
):
    before = values_of(account)
    good = {"date": "2024-04-30", "value": "5"}
    body = account_form(account, [*stored_values(account), good, row], name="Renamed")
    response = page.post(url(PensionAccount, "change", account.pk), body)
    assert response.status_code == 200
    errors = response.context["inline_admin_formsets"][0].formset.errors
    assert message in str(errors[-1][field])
    assert values_of(account) == before
    assert PensionAccount.objects.get().name == "Fripolise"


def test_the_currency_of_an_account_with_values_stays(page, account):
    body = account_form(account, stored_values(account), currency="SEK")
    response = page.post(url(PensionAccount, "change", account.pk), body)
    assert "has values or contributions" in str(
        response.context["adminform"].form.errors["currency"]
    )


def test_a_value_of_its_own_page_is_saved_by_the_service(page, account):
    body = {"account": str(account.pk), "date": "2024-03-31", "value": "130"}
    assert page.post(url(PensionValueEntry, "add"), body).status_code == 302
    refused = page.post(url(PensionValueEntry, "add"), body)
    assert "already" in str(refused.context["adminform"].form.errors["date"])
    entry = PensionValueEntry.objects.get(date=date(2024, 3, 31))
    change = page.post(
        url(PensionValueEntry, "change", entry.pk), {"date": "2024-03-30", "value": "131"}
    )
    assert change.status_code == 302
    entry.refresh_from_db()
    assert (entry.date, entry.value) == (date(2024, 3, 30), D(131))
    assert page.post(url(PensionValueEntry, "delete", entry.pk), {"post": "yes"}).status_code == 302
    assert PensionValueEntry.objects.count() == 2


def test_a_plan_of_its_own_page_is_saved_by_the_service(page, account):
    body = {
        "account": str(account.pk),
        "amount": "9",
        "frequency": "monthly",
        "start": "2024-03-31",
        "growth": "0",
    }
    assert page.post(url(ContributionPlan, "add"), body).status_code == 302
    refused = page.post(url(ContributionPlan, "add"), {**body, "end": "2024-01-01"})
    assert "before the start" in str(refused.context["adminform"].form.errors["end"])
    assert ContributionPlan.objects.count() == 1


def test_plans_and_accounts_are_deleted_by_the_service(page, account):
    plan = services.create_contribution(account=account, amount=D(5), start=date(2024, 1, 1))
    row = {
        "id": str(plan.pk),
        "amount": "5",
        "frequency": "monthly",
        "start": "2024-01-01",
        "growth": "0",
    }
    body = account_form(account, stored_values(account), [{**row, "DELETE": "on"}])
    assert page.post(url(PensionAccount, "change", account.pk), body).status_code == 302
    assert not ContributionPlan.objects.exists()
    action = {"action": "delete_selected", "_selected_action": [str(account.pk)], "post": "yes"}
    assert page.post(url(PensionAccount, "changelist"), action).status_code == 302
    assert not PensionAccount.objects.exists()


@pytest.mark.parametrize(("linked", "names"), [("yes", ["Linked"]), ("no", ["Fripolise"])])
def test_accounts_are_filtered_by_their_link(page, user, account, linked, names):
    services.create_account(user=user, name="Linked", currency="NOK", ynab_account_id="abc")
    response = page.get(url(PensionAccount, "changelist"), {"linked": linked})
    assert [row.name for row in response.context["cl"].result_list] == names


def test_a_refusal_while_the_rows_are_written_is_a_message_not_an_error(page, account, monkeypatch):
    def refused(**kwargs):
        raise Conflict("Another request was faster.")

    monkeypatch.setattr(services, "record_value", refused)
    body = account_form(account, [*stored_values(account), {"date": "2024-03-31", "value": "1"}])
    response = page.post(url(PensionAccount, "change", account.pk), body, follow=True)
    assert [str(message) for message in response.context["messages"]] == [
        "Another request was faster."
    ]


def test_lists_ask_no_query_per_row(page, user, account):
    services.create_contribution(account=account, amount=D(1), start=date(2024, 1, 1))
    SyncRun.objects.create(user=user, trigger="nightly", started_at=timezone.now())
    models = (PensionAccount, PensionValueEntry, ContributionPlan, SyncRun)

    def count():
        found = []
        for model in models:
            with CaptureQueriesContext(connection) as queries:
                assert page.get(url(model, "changelist")).status_code == 200
            found.append(len(queries))
        return found

    count()
    before = count()
    for number in range(6):
        other = services.create_account(user=user, name=f"Account {number}", currency="NOK")
        services.record_value(account=other, on=date(2024, 1, 31), value=D(1))
        services.create_contribution(account=other, amount=D(1), start=date(2024, 1, 1))
        SyncRun.objects.create(user=user, trigger="nightly", started_at=timezone.now())
    assert count() == before


# --- Sparkline ------------------------------------------------------------------------------------


def test_the_list_draws_the_values_without_script_or_style(page, account):
    html = page.get(url(PensionAccount, "changelist")).content.decode()
    assert 'aria-label="From 100 on 2024-01-31 to 120.5 on 2024-02-29"' in html
    assert '<polyline points="2.0,30.0 158.0,2.0"' in html
    assert (
        'style="'
        not in html[html.index("<svg xmlns") : html.index("</svg>", html.index("<svg xmlns"))]
    )


def test_a_sparkline_is_to_scale():
    flat = sparkline([(date(2024, 1, 1), D(5)), (date(2024, 1, 3), D(5))])
    assert 'points="2.0,16.0 158.0,16.0"' in flat
    steps = sparkline(
        [(date(2024, 1, 1), D(0)), (date(2024, 1, 2), D(10)), (date(2024, 1, 5), D(5))]
    )
    assert 'points="2.0,30.0 41.0,2.0 158.0,16.0"' in steps
    assert sparkline([(date(2024, 1, 1), D(5))]) == sparkline([]) == "–"


# --- YNAB -----------------------------------------------------------------------------------------


@pytest.fixture
def linked(user, budget):
    at_ynab = budget.put(name="Pension", balance=5_000_500)
    return services.create_account(
        user=user, name="Linked", currency="NOK", ynab_account_id=at_ynab
    )


def messages_of(response):
    return [str(message) for message in response.context["messages"]]


def test_sync_now_takes_the_balances_of_the_chosen_accounts_with_one_request(
    page, ynab, user, linked, budget
):
    other = services.create_account(
        user=user,
        name="Other",
        currency="NOK",
        ynab_account_id=budget.put(name="Other", balance=7_000),
    )
    by_hand = services.create_account(user=user, name="By hand", currency="NOK")
    ynab.requests.clear()
    body = {
        "action": "sync_now",
        "_selected_action": [str(row.pk) for row in (linked, other, by_hand)],
    }
    response = page.post(url(PensionAccount, "changelist"), body, follow=True)
    today = timezone.localdate()
    assert sorted(messages_of(response)) == [
        "By hand: This pension account is not linked to a YNAB account.",
        f"Linked: 5000.5 on {today}",
        f"Other: 7 on {today}",
    ]
    assert ynab.requests == [f"/plans/{budget.id}/accounts"]
    assert values_of(linked) == [(today.isoformat(), D("5000.5"), "ynab")]


def test_a_sync_that_fails_says_why(page, ynab, linked):
    ynab.mode = 403
    body = {"action": "sync_now", "_selected_action": [str(linked.pk)]}
    response = page.post(url(PensionAccount, "changelist"), body, follow=True)
    assert messages_of(response) == ["Linked: The YNAB subscription has lapsed."]
    run = SyncRun.objects.get()
    html = page.get(url(SyncRun, "change", run.pk)).content.decode()
    assert "The YNAB subscription has lapsed." in html


def test_sync_runs_are_read_only(page, linked):
    sync_pensions()
    run = SyncRun.objects.get()
    assert page.get(url(SyncRun, "add")).status_code == 403
    assert page.post(url(SyncRun, "change", run.pk), {"outcome": "failed"}).status_code == 403
    run.refresh_from_db()
    assert run.outcome == "done"
    listed = page.get(url(SyncRun, "changelist")).content.decode()
    assert "1 written" in listed


def test_the_budget_is_chosen_through_the_service(page, ynab, plan, user):
    body = {"user": str(user.pk), "budget_id": plan.id}
    assert page.post(url(YnabSettings, "add"), body).status_code == 302
    assert YnabBudget.objects.get().verified
    refused = page.post(url(YnabSettings, "change", user.pk), {"budget_id": "unknown"})
    assert "has no such budget" in str(refused.context["adminform"].form.errors["budget_id"])
    bad = page.post(url(YnabSettings, "change", user.pk), {"budget_id": "../x"})
    assert bad.context["adminform"].form.errors["budget_id"]
    ynab.mode = 401
    key = page.post(url(YnabSettings, "change", user.pk), {"budget_id": "other"})
    assert "wrong or has been revoked" in str(key.context["adminform"].form.errors["__all__"])
    assert YnabSettings.objects.get().budget_id == plan.id
    assert page.post(url(YnabSettings, "delete", user.pk), {"post": "yes"}).status_code == 302
    assert not YnabSettings.objects.exists()


def test_the_known_accounts_of_a_budget_are_shown(page, budget, linked, other_user):
    choose_budget(user=other_user, budget_id=budget.id, assign=True)
    html = page.get(url(YnabBudget, "change", budget.id)).content.decode()
    assert "Pension: 5000.5 NOK" in html
    assert page.get(url(YnabBudget, "changelist")).status_code == 200
    assert page.get(url(YnabSettings, "changelist")).status_code == 200


def test_a_user_with_sync_runs_can_be_deleted(page, make_user):
    other = make_user("berit")
    SyncRun.objects.create(user=other, trigger="nightly", started_at=timezone.now())
    services.create_account(user=other, name="Own", currency="NOK")
    response = page.post(reverse("admin:users_user_delete", args=[other.pk]), {"post": "yes"})
    assert response.status_code == 302
    assert not SyncRun.objects.exists()
