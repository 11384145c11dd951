"""Test the history of a portfolio, a holding, a transaction and a pension account on the pages."""

import re
from datetime import date
from decimal import Decimal as D

import pytest
from playwright.sync_api import expect

from conftest import api_client
from financeproj.history.context import acting
from financeproj.history.models import Door
from marketdata.services import instrument_for_trade
from pensions.services import create_account, record_value
from portfolios import services as portfolios
from tests.browser.test_journey import save

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.untraced]


@pytest.fixture
def savings(user):
    """A portfolio with a purchase whose price was changed twice: through the API and by an admin."""
    with acting(door=Door.PAGE, actor_id=user.pk):
        savings = portfolios.create_portfolio(user=user, name="Savings", currency="NOK")
        stock = instrument_for_trade(user=user, ticker="FJORD.DEMO", currency="NOK")
        row = portfolios.record_transaction(
            portfolio=savings,
            stock=stock,
            type="buy",
            date=date(2024, 5, 2),
            quantity=D(4),
            price=D(10),
        )
    with acting(door=Door.API, actor_id=user.pk):
        portfolios.update_transaction(row=row, price=D(12))
    with acting(door=Door.ADMIN):
        portfolios.update_transaction(row=row, price=D("12.0625"), note="From the contract note")
    return savings


@pytest.fixture
def account(user):
    with acting(door=Door.PAGE, actor_id=user.pk):
        account = create_account(user=user, name="Employer", currency="NOK")
        record_value(account=account, on=date(2024, 5, 2), value=D("100000.5"))
    return account


@pytest.fixture(params=["wide", "phone"])
def visitor(request, visit, user, savings):
    visitor = visit(request.param)
    visitor.is_signed_in_as(user)
    visitor.open(f"/portfolios/{savings.pk}")
    return visitor


def entries(page):
    """Return the first paragraph and the lines of each entry of the topmost dialog."""
    page.locator("dialog").last.locator(".history, .empty").wait_for()
    rows = page.locator("dialog").last.locator(".history > li")
    return [
        (row.locator("p").first.inner_text(), row.locator("ul li").all_inner_texts())
        for row in rows.all()
    ]


ABOUT_THE_PURCHASE = [
    (
        "Transaction changed by the system in the admin",
        ["Note: From the contract note", "Price changed from 12 to 12.0625"],
    ),
    ("Price changed from 10 to 12 by kari through the API", []),
]


def test_a_portfolio_shows_what_changed_by_whom_and_through_which_door(visitor):
    page = visitor.page
    page.click("#history")
    found = entries(page)
    assert found[:2] == ABOUT_THE_PURCHASE
    assert [head for head, _ in found[2:]] == [
        "Transaction added by kari on the page",
        "Portfolio added by kari on the page",
    ]
    assert {"Price: 10", "Quantity: 4", "Type: Buy", "Date: 2 May 2024"} <= set(found[2][1])
    assert {"Name: Savings", "Currency: NOK"} <= set(found[3][1])
    about = page.locator("dialog .history > li > .muted").first.inner_text()
    single = page.locator("dialog .history > li").nth(1)
    assert [part.evaluate("one => one.tagName") for part in single.locator("> *").all()] == [
        "P",
        "P",
    ]
    assert "\n0\n" not in single.inner_text()
    assert re.search(r"\d{4}, \d\d:\d\d · Buy 4 FJORD.DEMO 2 May 2024$", about), about


def test_a_holding_and_a_transaction_show_their_own(visitor):
    page = visitor.page
    page.locator("#holdings-table tbody tr").first.click()
    visitor.settle()
    page.locator("dialog").get_by_role("button", name="History", exact=True).click()
    assert [head for head, _ in entries(page)][-1] == "Transaction added by kari on the page"
    assert len(entries(page)) == 3
    save(page, "Close")
    page.get_by_role("button", name=re.compile("^Edit: Buy")).click()
    page.locator("dialog").last.get_by_role("button", name="History", exact=True).click()
    expect(page.locator("dialog h2").last).to_have_text("History: Buy, 2 May 2024")
    assert entries(page)[:2] == ABOUT_THE_PURCHASE

    save(page, "Close")
    page.get_by_label("Price", exact=True).fill("15")
    page.locator("dialog").last.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("dialog h2").last).to_have_text("Check this transaction")
    expect(page.locator("dialog").last).to_contain_text("The price 15 is far from the close of")
    save(page, "Close")
    visitor.settle()
    page.get_by_role("button", name=re.compile("^Edit: Buy")).click()
    page.locator("dialog").last.get_by_role("button", name="History", exact=True).click()
    assert entries(page)[0] == ("Price changed from 12.0625 to 15 by kari on the page", [])


def test_a_pension_account_shows_its_values(visitor, account):
    page = visitor.page
    visitor.open("/pension")
    page.get_by_role("button", name="Edit: Employer").click()
    page.locator("dialog").get_by_role("button", name="History", exact=True).click()
    [value, added] = entries(page)
    assert value[0] == "Value added by kari on the page"
    assert {"Value: 100,000.5", "Date: 2 May 2024", "Source: manual"} <= set(value[1])
    assert added[0] == "Account added by kari on the page"


def test_amounts_of_ones_own_can_be_hidden_and_prices_stay(visitor):
    page = visitor.page
    page.click("#hide-amounts")
    page.click("#history")
    entries(page)
    rows = page.locator("dialog .history ul li")
    sizes = {
        name: rows.filter(has_text=name)
        .locator(".num")
        .last.evaluate("one => getComputedStyle(one).fontSize")
        for name in ("Quantity:", "Price:")
    }
    assert sizes["Quantity:"] == "0px"
    assert sizes["Price:"] != "0px"


def test_older_entries_follow_on_request(visitor, savings):
    page = visitor.page
    for number in range(100):
        portfolios.update_portfolio(portfolio=savings, name=f"Savings {number}")
    page.click("#history")
    assert len(entries(page)) == 100
    page.get_by_role("button", name="Show older").click()
    expect(page.locator("dialog .history > li")).to_have_count(104)
    expect(page.get_by_role("button", name="Show older")).to_have_count(0)
    assert entries(page)[-1][0] == "Portfolio added by kari on the page"


def test_in_norwegian(visitor):
    page = visitor.page
    page.locator("button[lang=nb]").click()
    visitor.settle()
    page.click("#history")
    assert entries(page)[1] == ("Kurs endret fra 10 til 12 av kari gjennom API-et", [])
    expect(page.locator("dialog h2")).to_have_text("Historikk: Savings")


def test_without_entries_it_says_so(visit, user, savings):
    client = api_client(user)
    assert client.get("/api/v1/history", {"object": str(user.pk)}).status_code == 200
    visitor = visit()
    visitor.is_signed_in_as(user)
    visitor.open(f"/portfolios/{savings.pk}")
    page = visitor.page
    page.route(
        "**/api/v1/history?*",
        lambda route: route.fulfill(json={"next": None, "previous": None, "results": []}),
    )
    page.click("#history")
    expect(page.locator("dialog .empty")).to_have_text("No changes have been recorded yet.")
