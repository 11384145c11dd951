"""Test contribution plans and YNAB on the pages."""

import re

import pytest

from integrations.conftest import plan, ynab  # noqa: F401  (fixtures)
from pensions.models import PensionAccount
from pensions.services import create_account, record_value
from tests.browser.test_journey import save

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.untraced]


@pytest.fixture
def account(user):
    from django.utils import timezone

    account = create_account(user=user, name="Employer", currency="NOK")
    record_value(account=account, on=timezone.localdate(), value=100_000)
    return account


@pytest.fixture(params=["wide", "phone"])
def visitor(request, visit, user, account):
    visitor = visit(request.param)
    visitor.is_signed_in_as(user)
    visitor.open("/pension")
    return visitor


def plans(visitor, account):
    return visitor.api(f"/pension/accounts/{account.pk}/contributions")


def test_a_contribution_plan_is_added_changed_ended_and_deleted_and_the_projection_follows(
    visitor, account
):
    page = visitor.page
    paid = page.locator("#outcome dt", has_text="Paid in").locator("xpath=../dd/*[@data-value]")
    assert float(paid.get_attribute("data-value")) == 0
    page.click("#add-plan")
    page.get_by_label("Amount (NOK)").fill("1,500.50")
    page.get_by_label("From").fill("2024-01-01")
    page.get_by_label("Yearly increase (%)").fill("2.5")
    save(page, "Add")
    visitor.settle()
    [one] = plans(visitor, account)
    assert (one["amount"], one["frequency"], one["start"], one["end"], one["growth"]) == (
        1500.5,
        "monthly",
        "2024-01-01",
        None,
        0.025,
    )
    assert float(paid.get_attribute("data-value")) > 12 * 1500

    # The growth is not typed again and stays as exact as it was.
    page.get_by_role("button", name=re.compile("^Edit: every month")).click()
    assert page.get_by_label("Yearly increase (%)").input_value() == "2.5"
    page.get_by_label("Frequency").select_option("quarterly")
    page.get_by_label("Until").fill("2050-12-31")
    save(page, "Save")
    visitor.settle()
    [two] = plans(visitor, account)
    assert two == one | {"frequency": "quarterly", "end": "2050-12-31"}
    page.get_by_role("button", name=re.compile("^Edit: every quarter")).click()
    page.get_by_label("Until").fill("")
    save(page, "Save")
    visitor.settle()
    assert plans(visitor, account) == [one | {"frequency": "quarterly"}]

    page.get_by_role("button", name=re.compile("^End: every quarter")).click()
    page.locator("dialog").get_by_label("Last payment date").fill("2023-12-31")
    page.locator("dialog").get_by_role("button", name="End", exact=True).click()
    page.locator("dialog .field-error, dialog .alert").first.wait_for()
    visitor.problems = [one for one in visitor.problems if "422" not in one]
    page.locator("dialog").get_by_label("Last payment date").fill("2024-06-30")
    save(page, "End")
    visitor.settle()
    assert page.locator("#plans").get_by_text("ended", exact=True).is_visible()
    assert float(paid.get_attribute("data-value")) == 0
    page.get_by_role("button", name=re.compile("^Delete: every quarter")).click()
    save(page, "Delete")
    visitor.settle()
    assert plans(visitor, account) == []
    assert "No plans yet" in page.locator("#plans").inner_text()


def test_the_slider_overrides_the_plans_until_it_is_put_back(visitor, account):
    page = visitor.page
    output = page.locator("output[for=a-monthly_contribution]")
    assert output.inner_text() == "as planned"
    with page.expect_response(lambda answer: "monthly_contribution=1000" in answer.url):
        page.get_by_label("Monthly contribution").fill("1000")
    assert output.inner_text() == "NOK\u00a01,000"
    with page.expect_response(lambda answer: "/projection" in answer.url) as answered:
        page.get_by_role("button", name="Reset to the plans").click()
    assert "monthly_contribution" not in answered.value.url
    visitor.settle()
    assert output.inner_text() == "as planned"


def test_a_budget_is_chosen_an_account_linked_synced_and_unlinked(visit, user, account, ynab, plan):
    account_id = plan.put(name="Our pension", balance=250_000_500)
    visitor = visit()
    page = visitor.page
    visitor.is_signed_in_as(user)
    visitor.open("/settings")
    assert "No plan chosen" in page.locator("#ynab").inner_text()
    plans = page.get_by_label("Plan (budget)")
    assert plans.locator("option").all_inner_texts() == ["–", "Household · NOK"]
    page.locator("#ynab").get_by_role("button", name="Save").click()
    page.locator("#ynab .alert, #ynab .field-error").first.wait_for()
    visitor.problems = [one for one in visitor.problems if "422" not in one]
    plans.select_option(plan.id)
    page.locator("#ynab").get_by_role("button", name="Save").click()
    page.locator("#ynab").get_by_text("Linked", exact=True).wait_for()
    assert "Household" in page.locator("#ynab").inner_text()
    assert page.locator("#last-sync").inner_text() == "Not synced yet."

    visitor.open("/pension")
    assert page.get_by_role("button", name="Sync: Employer").count() == 0
    page.get_by_role("button", name="Edit: Employer").click()
    page.get_by_label("YNAB account").select_option("Our pension")
    save(page, "Save")
    visitor.settle()
    assert PensionAccount.objects.get().ynab_account_id == account_id
    assert "linked to YNAB" in page.locator("#accounts").inner_text()

    # Today's value was entered by hand: it is kept, and the page says why nothing was taken.
    page.get_by_role("button", name="Sync: Employer").click()
    page.locator("#accounts [data-outcome=failed]").wait_for()
    assert visitor.api(f"/pension/accounts/{account.pk}")["current_value"] == 100_000
    account.values.all().delete()
    page.get_by_role("button", name="Sync: Employer").click()
    page.locator("#accounts [data-outcome=written]").wait_for()
    visitor.settle()
    assert page.locator("#accounts [data-value]").get_attribute("data-value") == "250000.5"
    assert "YNAB" in page.locator("#value-table").inner_text()

    ynab.mode = 401
    page.get_by_role("button", name="Sync: Employer").click()
    page.locator("#accounts [data-outcome=failed]").wait_for()
    assert visitor.api(f"/pension/accounts/{account.pk}")["current_value"] == 250_000.5
    visitor.open("/settings")
    text = page.locator("#last-sync").inner_text()
    assert "failed" in text
    assert visitor.api("/settings/ynab")["last_sync"]["detail"] in text
    ynab.mode = "ok"

    visitor.open("/pension")
    page.get_by_role("button", name="Edit: Employer").click()
    page.get_by_label("YNAB account").select_option("Not linked")
    save(page, "Save")
    visitor.settle()
    assert PensionAccount.objects.get().ynab_account_id == ""
    assert page.get_by_role("button", name="Sync: Employer").count() == 0
    visitor.problems = [one for one in visitor.problems if "409" not in one and "502" not in one]


def test_a_plan_is_named_by_its_id_while_ynab_lists_none(visit, user, ynab, plan):
    ynab.mode = 500
    visitor = visit()
    visitor.is_signed_in_as(user)
    visitor.open("/settings")
    assert visitor.page.get_by_label("Plan (budget) id").input_value() == ""
    visitor.problems = [one for one in visitor.problems if "503" not in one]
