"""Test the page of an instrument: what is known of it, its prices by hand, and answers to a source."""

from datetime import date
from decimal import Decimal as D

import pytest
from playwright.sync_api import expect

from marketdata.models import StockMetadata
from portfolios.models import Transaction
from portfolios.services import create_portfolio
from portfolios.tests.conftest import trade
from tests.servers.yahoo import FakeYahoo

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.untraced]


@pytest.fixture
def portfolio(user):
    return create_portfolio(user=user, name="Savings", currency="NOK")


def buy(visitor, portfolio, **fields):
    """Enter a purchase as a client does, so that the instrument is learned from its source."""
    body = {"portfolio_id": str(portfolio.pk), "type": "buy", "quantity": 10, "price": 100}
    return visitor.page.evaluate(
        """body => fetch('/api/v1/transactions', {method: 'POST', body: JSON.stringify(body),
            headers: {'Content-Type': 'application/json',
                'X-CSRFToken': document.querySelector('meta[name="csrf-token"]').content}})
            .then(answer => answer.json())""",
        body | fields,
    )


def shown(visitor, selector):
    return visitor.page.locator(selector).inner_text()


@pytest.mark.parametrize("size", ["wide", "phone"])
def test_an_instrument_of_a_source_shows_its_closes_events_and_holdings(
    visit, user, portfolio, yahoo: FakeYahoo, size
):
    days = {date(2026, 11, 26): 100.0, date(2026, 11, 27): 102.0}
    yahoo.list("EQNR.OL", days, currency="NOK", name="Equinor ASA")
    visitor = visit(size)
    visitor.is_signed_in_as(user)
    visitor.open("/portfolios")
    buy(visitor, portfolio, ticker="EQNR.OL", date="2026-11-26")
    visitor.open(f"/portfolios/{portfolio.pk}")
    visitor.page.get_by_role("link", name="EQNR.OL").click()
    visitor.page.wait_for_url("**/instruments/EQNR.OL")
    visitor.settle()
    assert shown(visitor, "h1") == "Equinor ASA"
    assert "102.00" in shown(visitor, "#price")
    assert "Closing price" in shown(visitor, "#closes")
    for text in ("NOK", "Stock", "yahoo", "102.00", "27 Nov 2026"):
        assert text in shown(visitor, "#facts")
    assert "No splits or dividends are known." in shown(visitor, "#events")
    assert shown(visitor, "#holdings").split() == ["Savings", "10"]
    expect(visitor.page.locator("#by-hand")).to_have_count(0)
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= (
        375 if size == "phone" else 1440
    )


def test_an_instrument_of_ones_own_is_described_and_priced_by_hand(visit, user, portfolio):
    cabin = StockMetadata.objects.create(
        ticker="CABIN", currency="NOK", source="manual", owner=user
    )
    trade(portfolio, cabin, "buy", "1", "100", on=date(2024, 3, 1))
    visitor = visit()
    visitor.is_signed_in_as(user)
    visitor.open("/instruments/cabin")
    page = visitor.page
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Name").fill("A cabin")
    page.get_by_label("Country").fill("Norway")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("h1")).to_have_text("A cabin")
    page.get_by_label("Price (NOK)").fill("250")
    page.get_by_role("button", name="Save the price").click()
    expect(page.locator("#by-hand .rows")).to_contain_text("250.00")
    expect(page.locator("#price .big")).to_have_text("250.00")
    expect(page.locator("#facts")).to_contain_text("Norway")
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("#by-hand")).to_contain_text("No prices entered yet.")
    expect(page.locator("#price")).to_contain_text("No price yet.")
    cabin.refresh_from_db()
    assert (cabin.company_name, cabin.country) == ("A cabin", "Norway")
    visitor.problems[:] = [one for one in visitor.problems if "404" not in one]


def test_a_split_that_is_held_back_is_accepted_on_the_page(
    visit, user, portfolio, yahoo: FakeYahoo
):
    days = {date(2026, 11, 23): 100.0, date(2026, 11, 27): 99.0}
    splits = {date(2026, 11, 25): (1281, 1000)}
    yahoo.list("GE", days, currency="NOK", name="GE Aerospace", splits=splits)
    visitor = visit()
    visitor.is_signed_in_as(user)
    visitor.open("/portfolios")
    buy(visitor, portfolio, ticker="GE", date="2026-11-23")
    visitor.open(f"/portfolios/{portfolio.pk}")  # asks for the history
    visitor.open("/instruments/GE")
    page = visitor.page
    expect(page.locator("#events")).to_contain_text("A price factor, or a stock dividend")
    page.get_by_role("button", name="Accept: GE").click()
    expect(page.locator("#holdings")).to_contain_text("12.81")
    expect(page.get_by_role("button", name="Dismiss: GE")).to_have_count(1)
    booked = Transaction.objects.get(type="split")
    assert (booked.quantity, booked.date) == (D("1.281"), date(2026, 11, 25))


def test_a_new_ticker_is_proposed_and_exchanged_in_the_dialog_or_dismissed(
    visit, user, portfolio, yahoo: FakeYahoo
):
    days = {date(2026, 11, 26): 100.0, date(2026, 11, 27): 102.0}
    for symbol in ("OLD.OL", "NEW.OL"):
        yahoo.list(symbol, days, currency="NOK", name="Equinor ASA")
    yahoo.listed["OLD.OL"].answers_as = "NEW.OL"
    visitor = visit("wide")
    visitor.is_signed_in_as(user)
    visitor.open("/portfolios")
    buy(visitor, portfolio, ticker="OLD.OL", date="2026-11-26")
    visitor.open(f"/portfolios/{portfolio.pk}")
    page = visitor.page
    page.get_by_role("link", name="listed as NEW.OL now").click()
    page.wait_for_url("**/instruments/OLD.OL#h-holdings")
    visitor.settle()
    page.get_by_role("button", name="Keep the old one: Savings").click()
    page.get_by_role("button", name="Propose it again: Savings").click()
    page.get_by_role("button", name="Take the new ticker: Savings").click()
    box = page.locator("dialog")
    expect(box.get_by_label("What did you get?")).to_have_value("NEW.OL")
    expect(box.get_by_label("How many?")).to_have_value("10")
    box.get_by_role("button", name="Show before and after").click()
    box.get_by_role("button", name="Save", exact=True).click()
    expect(box).to_have_count(0)
    visitor.settle()
    held = portfolio.holdings.values_list("stock__ticker", "current_quantity", "cost_basis")
    assert sorted(held) == [("NEW.OL", 10, 1000), ("OLD.OL", 0, 0)]
    expect(page.get_by_role("button", name="Take the new ticker: Savings")).to_have_count(0)
