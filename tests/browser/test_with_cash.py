"""Test a portfolio's page with money: the switch, what moved the value, the account's statement."""

from datetime import date, timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from financeproj.users.models import User
from marketdata import services as market
from marketdata.models import StockMetadata
from portfolios import services
from portfolios.tests.conftest import quote, trade
from portfolios.tests.test_cash import money

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.untraced]


@pytest.fixture
def account(user):
    """2,000 paid in, of which 1,020 bought shares that are worth 1,100 now."""
    portfolio = services.create_portfolio(user=user, name="Savings", currency="NOK")
    stock = StockMetadata.objects.create(
        ticker="FJORD.DEMO",
        currency="NOK",
        company_name="Fjord",
        source="simulated",
        history_fetched_at=timezone.now(),
    )
    quote(stock, "110")
    begins = timezone.localdate() - timedelta(days=20)
    market.record_prices(stock=stock, closes=[(begins, 100)], source="simulated")
    money(portfolio, "deposit", "2000", on=begins)
    trade(portfolio, stock, "buy", "10", "100", commission="20", on=begins + timedelta(1))
    services.set_cash_from(portfolio=portfolio, cash_from=begins, openings={})
    return portfolio


@pytest.mark.parametrize("size", ["wide", "phone"])
def test_the_switch_counts_the_money_and_is_remembered_per_person(visit, user, account, size):
    visitor = visit(size)
    visitor.is_signed_in_as(user)
    visitor.open(f"/portfolios/{account.pk}")
    page = visitor.page
    switch = page.get_by_label("With cash")
    expect(switch).not_to_be_checked()
    switch.check()
    visitor.settle()
    expect(page.locator("#value .legend")).to_contain_text("Value with cash")
    expect(page.locator("#value .legend")).to_contain_text("Net invested")
    expect(page.locator("#value .legend")).to_contain_text("2,080")
    rows = page.locator("#moved tr")
    expect(rows.filter(has_text="Deposits")).to_contain_text("2,000")
    expect(rows.filter(has_text="From securities")).to_contain_text("1,020")
    visitor.open(f"/portfolios/{account.pk}")
    expect(page.get_by_label("With cash")).to_be_checked()
    assert page.evaluate("document.documentElement.scrollWidth") <= (
        375 if size == "phone" else 1440
    )
    other = User.objects.create_user("other", password="x")
    theirs = services.create_portfolio(user=other, name="Theirs", currency="NOK")
    services.set_cash_from(portfolio=theirs, cash_from=date(2024, 1, 1), openings={})
    visitor.is_signed_in_as(other)
    visitor.open(f"/portfolios/{theirs.pk}")
    expect(page.get_by_label("With cash")).not_to_be_checked()


def test_the_statement_has_running_balances_filters_and_links(visit, user, account):
    visitor = visit()
    visitor.is_signed_in_as(user)
    visitor.open(f"/portfolios/{account.pk}")
    page = visitor.page
    rows = page.locator("#statement tbody tr")
    expect(rows).to_have_count(4)  # two balances, newest first
    expect(rows.nth(0)).to_contain_text("980.00")
    expect(rows.nth(1)).to_contain_text("FJORD.DEMO")
    expect(rows.nth(2)).to_contain_text("2,000.00")
    page.locator("#account-tools").get_by_label("Statement shows").select_option("deposit")
    expect(rows).to_have_count(3)
    page.locator("#account-tools").get_by_label("Statement shows").select_option("")
    rows.nth(1).get_by_role("button", name="Buy").click()
    expect(page.locator("dialog")).to_contain_text("Edit the transaction")


def test_without_known_money_there_is_no_switch(visit, user):
    portfolio = services.create_portfolio(user=user, name="Savings", currency="NOK")
    visitor = visit()
    visitor.is_signed_in_as(user)
    visitor.open(f"/portfolios/{portfolio.pk}")
    expect(visitor.page.get_by_label("With cash")).to_be_hidden()
    expect(visitor.page.locator("#account")).to_contain_text("No money recorded yet.")
