"""Test that money is added, edited and deleted on a portfolio's page."""

import os
from decimal import Decimal as D
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from portfolios import services
from portfolios.models import Transaction, TransactionGroup
from portfolios.tests.test_cash import money

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.untraced]
DAY = timezone.localdate().replace(day=1)


@pytest.fixture
def account(user):
    services.create_portfolio(user=user, name="Pension", currency="NOK")
    return services.create_portfolio(user=user, name="Savings", currency="NOK")


@pytest.fixture
def show(visit, user, account):
    """Open the page of the portfolio, and return its visitor and the panel of the account."""

    def show(size="wide", locale="en-GB"):
        visitor = visit(size, locale=locale)
        visitor.is_signed_in_as(user)
        visitor.open(f"/portfolios/{account.pk}")
        return visitor, visitor.page.locator("section", has=visitor.page.locator("#account"))

    return show


def picture(visitor, name):
    if folder := os.environ.get("PICTURES"):
        visitor.page.screenshot(path=Path(folder) / f"{name}.png")


def add(visitor, panel, kind, **values):
    """Fill the form for new money and send it."""
    panel.get_by_role("button", name="Add money").click()
    dialog = visitor.page.locator("dialog")
    dialog.get_by_label("Type").select_option(kind)
    for name, value in values.items():
        box = dialog.locator(f"[name={name}]")
        if box.evaluate("box => box.tagName") == "SELECT":
            box.select_option(value)
        else:
            box.fill(value)
    picture(visitor, f"add-{kind}")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog).to_have_count(0)
    visitor.settle()


def rows():
    columns = ("type", "settlement_currency", "settlement_amount", "tax")
    return list(Transaction.objects.order_by("sequence", "type").values_list(*columns))


def test_each_kind_of_money_can_be_added(show, account):
    visitor, panel = show()
    day = DAY.isoformat()
    add(visitor, panel, "deposit", date=day, amount="1,000.50")
    add(visitor, panel, "withdrawal", date=day, amount="100")
    add(visitor, panel, "interest", date=day, amount="7", tax="3")
    add(visitor, panel, "fee", date=day, amount="5", note="Platform")
    add(visitor, panel, "tax", date=day, amount="2", way="in")
    add(visitor, panel, "adjustment", date=day, amount="0.5", way="out")
    assert rows() == [
        ("deposit", "NOK", D("1000.50"), 0),
        ("withdrawal", "NOK", D(-100), 0),
        ("interest", "NOK", D(7), 3),
        ("fee", "NOK", D(-5), 0),
        ("tax", "NOK", D(2), 0),
        ("adjustment", "NOK", D("-0.5"), 0),
    ]
    expect(panel.locator("#balances")).to_contain_text("904.00")
    expect(panel.locator("#statement tbody tr")).to_have_count(8)
    picture(visitor, "statement")


def test_an_exchange_and_a_transfer_are_groups_that_change_and_go_as_one(show, account):
    visitor, panel = show()
    day = DAY.isoformat()
    add(visitor, panel, "conversion", date=day, amount="1100", to_amount="100", to_currency="USD")
    add(visitor, panel, "transfer", date=day, amount="50")
    assert sorted(rows()) == [
        ("conversion", "NOK", -1100, 0),
        ("conversion", "USD", 100, 0),
        ("deposit", "NOK", 50, 0),
        ("withdrawal", "NOK", -50, 0),
    ]
    assert TransactionGroup.objects.count() == 2
    page, dialog = visitor.page, visitor.page.locator("dialog")
    panel.get_by_role("button", name="Conversion").click()
    expect(dialog.get_by_label("Amount paid")).to_have_value("1100")
    picture(visitor, "edit-conversion")
    dialog.get_by_label("Amount received").fill("110")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    visitor.settle()
    assert Transaction.objects.get(settlement_currency="USD").settlement_amount == 110
    panel.get_by_role("button", name="Withdrawal").click()
    expect(dialog.get_by_label("To the portfolio")).to_contain_text("Pension")
    dialog.get_by_role("button", name="Delete").click()
    page.locator("dialog").last.get_by_role("button", name="Delete").click()
    expect(dialog).to_have_count(0)
    visitor.settle()
    assert list(Transaction.objects.values_list("type", flat=True)) == ["conversion"] * 2


def test_a_row_of_the_statement_is_edited_and_deleted(show, account):
    row = money(account, "deposit", "2000", on=DAY)
    visitor, panel = show()
    dialog = visitor.page.locator("dialog")
    panel.get_by_role("button", name="Deposit").click()
    expect(dialog.get_by_label("Amount", exact=True)).to_have_value("2000")
    dialog.get_by_label("Amount", exact=True).fill("1500")
    dialog.get_by_label("Note").fill("From the bank")
    picture(visitor, "edit-deposit")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    visitor.settle()
    row.refresh_from_db()
    assert (row.settlement_amount, row.note, row.date) == (1500, "From the bank", DAY)
    panel.get_by_role("button", name="Deposit").click()
    dialog.get_by_role("button", name="Delete").click()
    visitor.page.locator("dialog").last.get_by_role("button", name="Delete").click()
    expect(dialog).to_have_count(0)
    visitor.settle()
    assert not Transaction.objects.exists()
    expect(panel).to_contain_text("No money recorded yet.")


def test_what_the_api_refuses_stands_at_its_field(show, account):
    visitor, panel = show()
    panel.get_by_role("button", name="Add money").click()
    dialog = visitor.page.locator("dialog")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog.locator(".field", has_text="Amount").first).to_contain_text("Enter a number.")
    visitor.problems.clear()
    assert not Transaction.objects.exists()


def test_cash_follows_from_the_transactions_from_a_day_by_hand(show, account):
    money(account, "deposit", "2000", on=DAY)
    visitor, panel = show()
    expect(panel).to_contain_text("Cash is what you enter")
    panel.get_by_role("button", name="Change").click()
    dialog = visitor.page.locator("dialog")
    dialog.get_by_label("From", exact=True).fill(DAY.isoformat())
    dialog.get_by_label("Balance the evening before (NOK)").fill("500")
    picture(visitor, "cash-from")
    dialog.get_by_role("button", name="Save").click()
    expect(panel).to_contain_text("Cash follows from the transactions since")
    visitor.settle()
    expect(panel.locator("#balances")).to_contain_text("2,500.00")
    account.refresh_from_db()
    assert account.cash_from == DAY
    panel.get_by_role("button", name="Opening balance").click()
    expect(dialog).to_contain_text("It cannot be changed here.")


def test_the_form_fits_a_phone_in_norwegian(show, account):
    visitor, panel = show("phone", "nb-NO")
    panel.get_by_role("button", name="Før penger").click()
    dialog = visitor.page.locator("dialog")
    dialog.get_by_label("Type").select_option(label="Valutaveksling")
    expect(dialog.get_by_label("Mottatt beløp")).to_be_visible()
    picture(visitor, "phone")
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 375
