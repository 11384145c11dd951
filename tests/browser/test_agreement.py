"""Test that a portfolio's page says until when it agrees with its broker."""

import json
from decimal import Decimal as D

import pytest
from playwright.sync_api import expect

from integrations.imports.pipeline import import_statement
from integrations.imports.tests.test_agreement import CHOICES, YEARS
from integrations.statements.tests.test_nordnet import statement
from portfolios.services import create_portfolio, update_transaction

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.untraced]


def test_a_changed_price_breaks_the_agreement_and_can_be_put_right(visit, user):
    portfolio = create_portfolio(
        user=user, name="Savings", currency="NOK", brokerage_firm="Nordnet"
    )
    rows = [row for year in YEARS.values() for row in year]
    file = {"data": statement(rows[::-1]), "file_name": "nordnet.csv"}
    import_statement(portfolio=portfolio, instruments=json.loads(CHOICES), **file)
    visitor = visit("wide")
    visitor.is_signed_in_as(user)
    visitor.open(f"/portfolios/{portfolio.pk}")
    page = visitor.page
    said = page.locator("#agreement")
    expect(said).to_contain_text("✓ Agrees with Nordnet until")
    sale = portfolio.transactions.get(external_id="203")
    update_transaction(row=sale, price=D(14))
    visitor.open(f"/portfolios/{portfolio.pk}")
    expect(said).to_contain_text("First difference on")
    expect(said).to_contain_text("(line 3 of the file)")
    suspect = said.get_by_role("button", name="Sell NORDLYS.DEMO")
    suspect.click()
    page.get_by_label("Price", exact=True).fill("13")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(said).to_contain_text("✓ Agrees with Nordnet until")
    expect(said).not_to_contain_text("First difference")
    assert visitor.problems == []
