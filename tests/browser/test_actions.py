"""Test the dialog for what happened to a share: before and after, recorded, changed, deleted."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from marketdata.models import HeldBack, HistoricalStockPrice, StockMetadata
from portfolios.models import Holding, Transaction, TransactionGroup
from portfolios.services import create_portfolio
from portfolios.tests.conftest import trade

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.untraced]
JANUARY, JUNE = date(2024, 1, 2), date(2024, 6, 3)


def instrument(ticker, closes=()):
    stock = StockMetadata.objects.create(
        ticker=ticker,
        company_name=f"{ticker.partition('.')[0].title()} ASA",
        currency="NOK",
        source="simulated",
        history_fetched_at=timezone.now(),
    )
    for day, close in closes:
        HistoricalStockPrice.objects.as_service().create(
            stock=stock, date=day, close=D(close), source="simulated"
        )
    return stock


@pytest.fixture
def portfolio(user):
    return create_portfolio(user=user, name="Savings", currency="NOK")


@pytest.fixture
def open_page(visit, user, portfolio):
    def open_page(size="wide", locale="en-GB"):
        visitor = visit(size, locale=locale)
        visitor.is_signed_in_as(user)
        visitor.open(f"/portfolios/{portfolio.pk}")
        return visitor

    return open_page


def held(portfolio, stock):
    holding = Holding.objects.get(portfolio=portfolio, stock=stock)
    return holding.current_quantity, holding.cost_basis, holding.realised_gain


def save(page, label="Save"):
    """Press the button of the topmost dialog and wait until the dialog closes."""
    count = page.locator("dialog").count()
    page.locator("dialog").last.get_by_role("button", name=label, exact=True).click()
    expect(page.locator("dialog")).to_have_count(count - 1)


def figures(box, title):
    """Return the texts of a holding in the table of before and after."""
    rows = box.locator("tbody", has_text=title).locator("tr")
    return [cell.strip() for cell in rows.locator("td").all_inner_texts()]


@pytest.mark.parametrize("size", ["wide", "phone"])
def test_a_merger_is_shown_before_it_is_recorded(open_page, portfolio, size):
    t = instrument("TTT.DEMO", [(JANUARY, "30")])
    a = instrument("AAA.DEMO", [(JUNE, "125")])
    trade(portfolio, t, "buy", "120", "30", on=JANUARY)
    page = open_page(size).page
    page.click("#action")
    box = page.locator("dialog")
    box.get_by_label("Date").fill("2024-06-03")
    box.get_by_label("What did you get?").fill("AAA.DEMO")
    box.get_by_label("How many?").fill("48")
    box.get_by_label("Was money received or paid?").select_option("received")
    box.get_by_label("Amount", exact=True).fill("1200")
    box.get_by_role("button", name="Show before and after").click()
    expect(box.get_by_text("16.67% of the cost goes to the cash")).to_be_visible()
    assert figures(box, "TTT.DEMO") == ["120", "0", "3,600.00", "0.00", "30.00", "–"]
    assert figures(box, "AAA.DEMO") == ["0", "48", "0.00", "3,000.00", "–", "62.50"]
    expect(box.locator("li", has_text="(by the market value of that day)")).to_have_count(2)
    assert TransactionGroup.objects.count() == 0
    save(page)
    assert held(portfolio, t) == (0, 0, 600)
    assert held(portfolio, a) == (48, 3000, 0)


def test_a_group_is_changed_and_deleted_from_its_transactions(open_page, portfolio):
    x, y = instrument("XXX.DEMO"), instrument("YYY.DEMO")
    trade(portfolio, x, "buy", "100", "50", on=JANUARY)
    visitor = open_page()
    page = visitor.page
    page.click("#action")
    box = page.locator("dialog").last
    box.get_by_label("What happened?").select_option("spin_off")
    box.get_by_label("Date").fill("2024-06-03")
    box.get_by_label("What did you get?").fill("YYY.DEMO")
    box.get_by_label("How many?").fill("25")
    box.get_by_role("button", name="Show before and after").click()
    expect(box.get_by_text("A cost share could not be worked out")).to_be_visible()
    expect(box.get_by_text("a price of that day is unknown")).to_be_visible()
    box.get_by_label("Part of the cost (%)", exact=True).fill("20")
    expect(box.get_by_text("Before and after", exact=True)).to_have_count(0)  # it is out of date
    box.get_by_role("button", name="Show before and after").click()
    save(page)
    visitor.settle()
    assert held(portfolio, y) == (25, 1000, 0)

    page.locator("#holdings").get_by_role("button", name="Yyy ASA").click()
    page.get_by_role("button", name="Edit: Exchanged in 3 Jun 2024").click()
    box = page.locator("dialog").last
    expect(box.get_by_label("Part of the cost (%)", exact=True)).to_have_value("20")
    box.get_by_label("Part of the cost (%)", exact=True).fill("30")
    box.get_by_role("button", name="Show before and after").click()
    expect(box.get_by_text("Before and after", exact=True)).to_be_visible()
    assert figures(box, "XXX.DEMO")[2:4] == ["5,000.00", "3,500.00"]
    save(page)
    visitor.settle()
    assert held(portfolio, y) == (25, 1500, 0)

    page.locator("dialog").get_by_role("button", name="Close").click()
    page.click("#history")
    said = page.locator("dialog").locator(".history > li", has_text="Spin-off")
    expect(said.filter(has_text="Group added")).to_have_count(1)
    expect(said).to_have_count(2)
    page.locator("dialog").get_by_role("button", name="Close").click()
    page.locator("#holdings").get_by_role("button", name="Yyy ASA").click()
    page.get_by_role("button", name="Delete: Exchanged in 3 Jun 2024").click()
    save(page, "Delete")
    visitor.settle()
    assert held(portfolio, x) == (100, 5000, 0)
    assert TransactionGroup.objects.count() == 0


def test_what_cannot_be_is_said_at_its_field(open_page, portfolio):
    x = instrument("XXX.DEMO")
    instrument("YYY.DEMO")
    trade(portfolio, x, "buy", "100", "50", on=JANUARY)
    visitor = open_page()
    page = visitor.page
    page.click("#action")
    box = page.locator("dialog")
    box.get_by_label("Date").fill("2024-06-03")
    box.get_by_label("What did you get?").fill("XXX.DEMO")
    box.get_by_label("How many?").fill("10")
    preview = box.get_by_role("button", name="Show before and after")
    preview.click()
    expect(box.locator(".field-error")).to_have_text("XXX.DEMO cannot be exchanged for itself.")
    box.get_by_label("What did you get?").fill("YYY.DEMO")
    box.get_by_label("How many shares went?").fill("101")
    preview.click()
    expect(box.locator(".field-error")).to_contain_text("101 requested, 100 held")
    assert Transaction.objects.count() == 1
    assert all("422" in problem for problem in visitor.problems)
    visitor.problems.clear()


def test_two_transactions_that_stand_become_one_move(open_page, user, portfolio):
    x = instrument("XXX.DEMO")
    other = create_portfolio(user=user, name="Other", currency="NOK")
    trade(portfolio, x, "buy", "10", "100", on=JANUARY)
    trade(portfolio, x, "transfer_out", "7", None, on=JUNE)
    trade(other, x, "transfer_in", "7", "140", on=date(2024, 6, 5))
    visitor = open_page()
    page = visitor.page
    page.click("#action")
    box = page.locator("dialog")
    box.get_by_label("What happened?").select_option("link")
    pair = "7 out of Savings on 3 Jun 2024, into Other on 5 Jun 2024"
    expect(box.get_by_label("Which transactions?")).to_contain_text(pair)
    box.get_by_role("button", name="Show before and after").click()
    expect(box.get_by_text("Before and after", exact=True)).to_be_visible()
    assert figures(box, "XXX.DEMO · Other")[:4] == ["0", "7", "0.00", "700.00"]
    save(page)
    visitor.settle()
    assert held(other, x) == (7, 700, 0)
    assert TransactionGroup.objects.get().is_linked


def test_transactions_behind_the_newest_hundred_can_be_linked_too(open_page, user, portfolio):
    x = instrument("XXX.DEMO")
    other = create_portfolio(user=user, name="Other", currency="NOK")
    trade(portfolio, x, "buy", "10", "100", on=JANUARY)
    trade(portfolio, x, "transfer_out", "7", None, on=JANUARY)
    first = trade(other, x, "transfer_in", "7", "140", on=JANUARY)
    for _ in range(100):
        trade(other, x, "transfer_in", "1", "100", on=JUNE)
    page = open_page().page
    page.click("#action")
    box = page.locator("dialog")
    box.get_by_label("What happened?").select_option("link")
    pair = "7 out of Savings on 2 Jan 2024, into Other on 2 Jan 2024"
    expect(box.get_by_label("Which transactions?")).to_contain_text(pair)
    box.get_by_role("button", name="Show before and after").click()
    expect(box.get_by_text("Before and after", exact=True)).to_be_visible()
    save(page)
    first.refresh_from_db()
    assert first.group is not None


def test_shares_without_their_other_side_are_completed(open_page, portfolio):
    x, rights = instrument("XXX.DEMO"), instrument("RTS.DEMO")
    trade(portfolio, x, "buy", "100", "50", on=JANUARY)
    row = trade(portfolio, rights, "transfer_in", "100", "0", on=JUNE)
    visitor = open_page()
    page = visitor.page
    page.click("#action")
    box = page.locator("dialog")
    box.get_by_label("What happened?").select_option("rights")
    box.get_by_label("The transaction that brought it").select_option(str(row.pk))
    expect(box.get_by_label("Date")).to_have_value("2024-06-03")
    expect(box.get_by_label("How many?")).to_have_value("100")
    box.get_by_role("button", name="Show before and after").click()
    expect(box.get_by_text("0.00% of the cost goes to RTS.DEMO (as entered)")).to_be_visible()
    save(page)
    visitor.settle()
    group = TransactionGroup.objects.get()
    assert (group.kind, group.label) == ("spin_off", "Rights issue")
    row.refresh_from_db()
    assert (row.group, row.type) == (group, "exchange_in")


def test_shares_move_bonus_shares_come_and_capital_is_paid_back(open_page, user, portfolio):
    x = instrument("XXX.DEMO")
    other = create_portfolio(user=user, name="Other", currency="NOK")
    trade(portfolio, x, "buy", "100", "50", on=JANUARY)
    visitor = open_page()
    page = visitor.page

    def happened(event):
        page.click("#action")
        box = page.locator("dialog")
        box.get_by_label("What happened?").select_option(event)
        box.get_by_label("Date").fill("2024-06-03")
        return box

    box = happened("bonus")
    expect(box.get_by_label("How many did you hold the day before?")).to_have_value("100")
    box.get_by_label("How many came?").fill("5")
    box.get_by_role("button", name="Show before and after").click()
    expect(box.get_by_text("Before and after", exact=True)).to_be_visible()
    assert figures(box, "XXX.DEMO") == ["100", "105", "5,000.00", "5,000.00", "50.00", "47.619048"]
    assert held(portfolio, x) == (100, 5000, 0)
    save(page)
    visitor.settle()
    assert held(portfolio, x) == (105, 5000, 0)
    box = happened("capital")
    box.get_by_label("Amount in all (NOK)").fill("500")
    box.get_by_role("button", name="Show before and after").click()
    expect(box.get_by_text("Realised gain: 0.00")).to_be_visible()
    assert figures(box, "XXX.DEMO")[:4] == ["105", "105", "5,000.00", "4,500.00"]
    assert held(portfolio, x) == (105, 5000, 0)
    save(page)
    visitor.settle()
    assert held(portfolio, x) == (105, 4500, 0)
    box = happened("transfer")
    box.get_by_label("How many shares?").fill("70")
    box.get_by_role("button", name="Show before and after").click()
    expect(box.get_by_text("Before and after", exact=True)).to_be_visible()
    assert figures(box, "XXX.DEMO · Other")[:4] == ["0", "70", "0.00", "3,000.00"]
    save(page)
    visitor.settle()
    assert held(other, x) == (70, 3000, 0)


@pytest.mark.parametrize("locale", ["en-GB", "nb-NO"])
def test_a_held_back_factor_opens_the_spin_off_that_answers_it(visit, user, portfolio, locale):
    stock = instrument("GEX.DEMO")
    instrument("NEW.DEMO")
    HeldBack.objects.create(
        kind="split", stock=stock, date=JUNE, value=D("1.25"), source="yahoo", reason="price_factor"
    )
    trade(portfolio, stock, "buy", "100", "50", on=JANUARY)
    visitor = visit(locale=locale)
    visitor.is_signed_in_as(user)
    visitor.open("/held-back")
    page = visitor.page
    is_norwegian = locale == "nb-NO"
    words = "Det var en fisjon" if is_norwegian else "It was a spin-off"
    page.get_by_role("button", name=words).click()
    box = page.locator("dialog")
    expect(box.locator("[name=date]")).to_have_value("2024-06-03")
    expect(box.locator("[name=event]")).to_have_value("spin_off")
    expect(box.locator(".note")).to_contain_text("20")
    box.locator("[name=ticker]").fill("NEW.DEMO")
    box.locator("[name=quantity]").fill("100")
    box.locator("[name=cost_share]").fill("20")
    box.locator("form .button.primary").click()
    box.locator("[role=status] .button.primary").click()
    expect(page.locator("dialog")).to_have_count(0)
    visitor.settle()
    nothing = "Ingenting er holdt tilbake" if is_norwegian else "Nothing is held back."
    expect(page.locator("#held-back")).to_contain_text(nothing)
    assert held(portfolio, stock) == (100, 4000, 0)
    assert Transaction.objects.filter(type="split").count() == 0


def test_shares_of_a_file_without_a_cost_are_completed_after_the_import(open_page, portfolio):
    x, y = instrument("XXX.DEMO"), instrument("YYY.DEMO")
    trade(portfolio, x, "buy", "100", "50", on=JANUARY)
    page = open_page().page
    page.click("#import")
    lines = b"date,type,ticker,quantity,price\n2024-06-03,exchange_in,YYY.DEMO,25,\n"
    file = {"name": "rows.csv", "mimeType": "text/csv", "buffer": lines}
    page.set_input_files("#import-file", file)
    page.get_by_role("button", name="Import 1 transaction", exact=True).click()
    page.get_by_role("button", name="Complete: 2").click()
    box = page.locator("dialog").last
    expect(box.get_by_label("How many?")).to_have_value("25")
    box.get_by_label("Part of the cost (%)", exact=True).fill("20")
    box.get_by_role("button", name="Show before and after").click()
    save(page)
    assert held(portfolio, x) == (100, 4000, 0)
    assert held(portfolio, y) == (25, 1000, 0)
