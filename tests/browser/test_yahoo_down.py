"""Yahoo is down, a first file is imported, prices are entered by hand, and Yahoo is back."""

import re
from datetime import date

import pytest
from playwright.sync_api import expect

from financeproj.core.shared import locks
from integrations.conftest import csv
from portfolios.models import Holding
from portfolios.services import create_portfolio
from tests.servers.cache import empty_cache

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.untraced]

ZERO = re.compile(r"(NOK|kr|USD)\s?0(?![\d.,])")
SAID = re.compile(r"Yahoo cannot be reached since \d\d:\d\d")


@pytest.fixture
def market(yahoo, settings):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 5
    yahoo.list("ACME", {date(2024, 5, 2): 100.0} | {date(2026, 1, 5): 120.0}, currency="NOK")
    yahoo.list("LATER", {date(2024, 5, 2): 50.0} | {date(2026, 1, 5): 60.0}, currency="NOK")
    yahoo.fault = "500"
    return yahoo


def shot(visitor, name, folder):
    visitor.page.screenshot(path=str(folder / f"{name}.png"), full_page=True)


def shown(visitor, selector):
    return visitor.page.locator(selector).inner_text()


def expected_refusals(visitor):
    """Remove the browser's own reports of answers that a source's outage explains."""
    visitor.problems[:] = [one for one in visitor.problems if "503" not in one]


@pytest.mark.parametrize("size", ["wide", "phone"])
def test_what_was_paid_for_is_never_worth_nothing_while_yahoo_is_down(
    visit, user, market, tmp_path, size
):
    portfolio = create_portfolio(user=user, name="Savings", currency="NOK")
    visitor = visit(size)
    visitor.is_signed_in_as(user)
    page, url = visitor.page, f"/portfolios/{portfolio.pk}"
    visitor.open(url)

    page.click("#import")
    rows = ("2024-05-02,buy,ACME,10,100,,NOK", "2024-05-02,buy,LATER,4,50,,NOK")
    file = {"name": "first.csv", "mimeType": "text/csv", "buffer": csv(*rows)}
    page.set_input_files("#import-file", file)
    expect(page.locator("dialog .source-note")).to_contain_text(SAID)
    shot(visitor, "1-preview", tmp_path)
    page.get_by_role("button", name="Import 2 transactions").click()
    page.get_by_role("button", name="Done").click()
    visitor.settle()

    for path, panel in ((url, "#summary"), ("/dashboard", "#hero"), (url, "#summary")):
        visitor.open(path)
        expect(page.locator(f"{panel} .source-note")).to_contain_text(SAID)
        assert "1,200" in shown(visitor, panel)
        assert "price history not fetched yet" in shown(visitor, panel)
        shot(visitor, f"2-down-{panel[1:]}", tmp_path)
    assert not ZERO.search(shown(visitor, "#holdings"))
    assert "what was last paid" in shown(visitor, "#holdings")

    page.get_by_role("button", name="Add a transaction").first.click()
    page.get_by_label("Ticker, name or ISIN").fill("nor")
    expect(page.locator("dialog .source-note")).to_contain_text(SAID)
    page.get_by_role("button", name="Close").click()

    page.get_by_role("button", name="Enter a price: ACME").click()
    page.get_by_label("Price (NOK)").fill("110")
    page.get_by_role("button", name="Save the price").click()
    expect(page.locator("dialog .rows")).to_contain_text("110.00")
    shot(visitor, "3-price", tmp_path)
    page.get_by_role("button", name="Close").click()
    visitor.settle()
    assert "1,300" in shown(visitor, "#summary")
    shot(visitor, "4-by-hand", tmp_path)

    market.fault = None
    locks._local.clear()
    empty_cache()
    visitor.open(url)
    assert "1,440" in shown(visitor, "#summary")
    expect(page.locator(".source-note")).to_have_count(0)
    assert "what was last paid" not in shown(visitor, "#holdings")
    shot(visitor, "5-back", tmp_path)
    visitor.open("/dashboard")
    assert "1,440" in shown(visitor, "#hero")
    assert {holding.stock.owner for holding in Holding.objects.all()} == {None}
    expected_refusals(visitor)
