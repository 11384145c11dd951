"""Test a user's way through the pages from the first sign-in, on a wide screen and a phone."""

import re
import zipfile

import pytest
from playwright.sync_api import expect

from conftest import PASSWORD
from financeproj.core.api.query import LinkedPages
from integrations.imports.pipeline import import_statement
from portfolios.services import create_portfolio

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.untraced]

STATEMENT = """date,type,ticker,company_name,quantity,price,currency,commission,external_id
2024-03-01,buy,FJORD.DEMO,Fjord,10,100,NOK,29,one
2024-04-01,buy,NORDLYS.DEMO,Nordlys,5,200,NOK,29,two
2024-05-01,dividend,FJORD.DEMO,Fjord,10,2,NOK,0,three
"""

FIVE_BUYS = b"""date,type,ticker,quantity,price,currency
2024-03-01,buy,FJORD.DEMO,1,100,NOK
2024-03-04,buy,FJORD.DEMO,1,101,NOK
2024-03-05,buy,FJORD.DEMO,1,102,NOK
2024-03-06,buy,FJORD.DEMO,1,103,NOK
2024-03-07,buy,FJORD.DEMO,1,104,NOK
"""


@pytest.fixture(params=["wide", "phone"])
def visitor(request, visit, user):
    visitor = visit(request.param)
    visitor.sign_in("kari", PASSWORD)
    return visitor


def shown(page, label):
    """Return the number of a fact in the summary."""
    fact = page.locator("#summary dt", has_text=label).locator("xpath=../dd//*[@data-value]")
    return float(fact.first.get_attribute("data-value"))


def save(page, label):
    """Press the button of the topmost dialog and wait until the dialog closes."""
    box = page.locator("dialog").last
    count = page.locator("dialog").count()
    box.get_by_role("button", name=label, exact=True).click()
    expect(page.locator("dialog")).to_have_count(count - 1)


def test_portfolio_import_undo_and_transactions(visitor, tmp_path):
    page = visitor.page
    page.get_by_role("link", name="Portfolios", exact=True).first.click()
    visitor.settle()
    page.click("#add")
    page.get_by_label("Name").fill("Savings")
    page.get_by_label("Currency").select_option("NOK")
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_url(re.compile(r"/portfolios/[0-9a-f-]{36}$"))
    visitor.settle()
    assert page.locator("h1").inner_text() == "Savings"
    assert "No holdings" in page.locator("#holdings").inner_text()

    # A file: previewed, nothing saved; then imported; then known already; then undone.
    file = tmp_path / "trades.csv"
    file.write_text(STATEMENT)
    page.click("#import")
    page.set_input_files("#import-file", file)
    page.get_by_role("button", name="Import 3 transactions").wait_for()
    assert page.locator("dialog tbody tr").count() == 3
    assert visitor.api("/imports") == []
    page.get_by_role("button", name="Import 3 transactions").click()
    page.get_by_text("3 transactions imported.").wait_for()
    page.get_by_role("button", name="Done").click()
    visitor.settle()
    assert page.locator("#holdings-table tbody tr").count() == 2
    page.click("#import")
    page.set_input_files("#import-file", file)
    page.get_by_text("3 rows were imported before").wait_for()
    assert page.get_by_role("button", name="Import 0 transactions").is_disabled()
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Undo: trades.csv").click()
    save(page, "Undo")
    visitor.settle()
    assert page.locator("#holdings-table").count() == 0
    assert visitor.api("/imports")[0]["state"] == "undone"

    # A transaction: its ticker suggested, added, then edited; the value follows.
    page.click("#add")
    ticker = page.get_by_role("combobox", name="Ticker, name or ISIN")
    ticker.fill("FJO")
    page.get_by_role("option").filter(has_text="FJORD.DEMO").first.wait_for()
    ticker.press("ArrowDown")
    ticker.press("Enter")
    assert ticker.input_value().endswith(".DEMO")
    ticker.fill("FJORD.DEMO")
    page.get_by_label("Currency of the instrument").fill("NOK")
    page.get_by_label("Date").fill("2024-03-01")
    page.get_by_label("Quantity").fill("10")
    page.get_by_label("Price").fill("250.5")
    save(page, "Add")
    visitor.settle()
    before = shown(page, "Market value")
    assert shown(page, "Cost") == 2505
    page.locator("#holdings-table button.name").first.click()
    page.get_by_role("button", name=re.compile("^Edit: Buy")).click()
    page.locator("dialog").last.get_by_label("Quantity").fill("20")
    save(page, "Save")
    visitor.settle()
    assert shown(page, "Cost") == 5010
    assert shown(page, "Market value") == pytest.approx(2 * before)

    # An error is shown at its field, and nothing changes.
    page.locator("dialog").last.get_by_role("button", name="Add a transaction").click()
    page.get_by_label("Type").select_option("sell")
    page.get_by_label("Quantity").fill("2000")
    page.get_by_label("Price").fill("1")
    page.locator("dialog").last.get_by_role("button", name="Add", exact=True).click()
    page.locator("dialog").last.locator(".field-error, .alert").first.wait_for()
    visitor.problems = [
        one for one in visitor.problems if "422" not in one
    ]  # the browser reports the refusal itself
    page.locator("dialog").last.get_by_role("button", name="Close").click()
    page.get_by_role("button", name=re.compile("^Delete: Buy")).click()
    save(page, "Delete")
    page.get_by_text("No transactions.").wait_for()


def test_the_transactions_of_a_holding_go_on_behind_the_first_page(visitor, user, monkeypatch):
    monkeypatch.setattr(LinkedPages, "max_page_size", 2)
    portfolio = create_portfolio(user=user, name="Long", currency="NOK")
    import_statement(portfolio=portfolio, data=FIVE_BUYS, file_name="five.csv")
    page = visitor.page
    visitor.open(f"/portfolios/{portfolio.pk}")
    page.locator("#holdings-table button.name").first.click()
    rows = page.locator("dialog tbody tr")
    older = page.get_by_role("button", name="Show older")
    expect(rows).to_have_count(2)
    for count in (4, 5):
        older.click()
        expect(rows).to_have_count(count)
    expect(older).to_have_count(0)
    days = page.locator("dialog tbody th").all_inner_texts()
    assert len(set(days)) == 5


def test_a_dropped_file_is_previewed(visitor):
    page = visitor.page
    token = page.locator('meta[name="csrf-token"]').get_attribute("content")
    made = page.evaluate(
        """token => fetch("/api/v1/portfolios", {method: "POST", headers: {"Content-Type": "application/json",
           "X-CSRFToken": token}, body: JSON.stringify({name: "Dropped", currency: "NOK"})}).then(a => a.json())""",
        token,
    )
    visitor.open(f"/portfolios/{made['id']}")
    page.evaluate(
        """text => {
            const data = new DataTransfer();
            data.items.add(new File([text], "dropped.csv", {type: "text/csv"}));
            document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
        }""",
        STATEMENT.replace("2024-05-01", "yesterday"),
    )
    page.locator("dialog .problems li").wait_for()
    assert page.get_by_role("button", name="Import 2 transactions").is_disabled()
    page.get_by_label("Skip rows with errors").check()
    page.get_by_role("button", name="Import 2 transactions").click()
    page.get_by_text("2 transactions imported.").wait_for()


def test_pension_values_and_projection(visitor):
    page = visitor.page
    visitor.open("/pension")
    page.click("#add-account")
    page.get_by_label("Name").fill("Employer")
    save(page, "Add")
    visitor.settle()
    page.locator("#add-value").click()
    page.get_by_label("Value (NOK)").fill("250,000.50")
    save(page, "Save")
    visitor.settle()
    assert page.locator("#accounts [data-value]").get_attribute("data-value") == "250000.5"
    expected = page.locator("#outcome dt", has_text="Expected").locator(
        "xpath=../dd/*[@data-value]"
    )
    before = float(expected.get_attribute("data-value"))
    with page.expect_response(lambda answer: "monthly_contribution=" in answer.url):
        page.get_by_label("Monthly contribution").focus()
        for _ in range(4):
            page.keyboard.press("ArrowRight")
    visitor.settle()
    assert float(expected.get_attribute("data-value")) > before
    # 20 years is the slider's; with the number left to the API it is 30.
    with page.expect_response(lambda answer: "years=" in answer.url):
        page.get_by_label("Years").fill("10")
    visitor.settle()
    wanted = visitor.api(visitor.calls[-1].removeprefix("/api/v1"))
    assert float(expected.get_attribute("data-value")) == wanted["points"][-1]["value"]


def test_language_theme_and_hidden_amounts_stay(visitor):
    page = visitor.page
    page.get_by_role("button", name="Norsk bokmål").click()
    expect(page.locator("html")).to_have_attribute("lang", "nb")
    visitor.settle()
    assert page.get_by_role("link", name="Porteføljer").count() >= 1
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.click("#theme")
    dark = page.evaluate(ground)
    assert dark != light
    page.click("#hide-amounts")
    visitor.open("/dashboard")
    assert page.evaluate(ground) == dark
    assert page.locator("html").get_attribute("data-amounts") == "hidden"
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.big .amount')).fontSize") == "0px"
    )
    page.get_by_role("button", name="Logg ut").click()
    page.wait_for_url("**/login")
    assert page.get_by_role("heading", name="Logg inn").is_visible()


def test_a_failed_panel_shows_the_request_id_and_a_retry(visitor):
    page = visitor.page
    problem = {"code": "busy", "detail": "Busy now.", "attr": None}
    body = {"type": "server_error", "errors": [problem], "request_id": "r-17"}
    page.route("**/api/v1/net-worth*", lambda route: route.fulfill(status=503, json=body))
    visitor.open("/dashboard")
    assert "Busy now." in page.locator("#time").inner_text()
    assert "r-17" in page.locator("#time").inner_text()
    page.unroute("**/api/v1/net-worth*")
    page.locator("#time").get_by_role("button", name="Try again").click()
    page.get_by_text("No data yet").wait_for()
    visitor.problems = [one for one in visitor.problems if "503" not in one]


def test_everything_is_exported_as_one_zip(visitor):
    page = visitor.page
    visitor.open("/settings")
    with page.expect_download() as downloaded:
        page.get_by_role("link", name="Export all data").click()
    with zipfile.ZipFile(downloaded.value.path()) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) >= 3
    with page.expect_download() as downloaded:
        page.get_by_role("link", name="Download transactions").click()
    assert downloaded.value.path().read_text().startswith("date,type,ticker")


def test_settings_are_saved(visitor):
    page = visitor.page
    visitor.open("/settings")
    page.get_by_label("Amount (NOK)").fill("5000000")
    page.get_by_label("By the end of the year").fill("2050")
    page.locator("#goal").get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").wait_for()
    page.get_by_label("Base currency").select_option("EUR")
    with page.expect_response("**/users/me"):
        page.locator("#me").get_by_role("button", name="Save").click()
    me = visitor.api("/users/me")
    assert (me["retirement_goal_amount"], me["retirement_goal_year"], me["base_currency"]) == (
        5_000_000,
        2050,
        "EUR",
    )
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password").fill("another good password 7")
    page.get_by_role("button", name="Change password").click()
    page.get_by_text("Password changed").wait_for()
    visitor.open("/dashboard")  # still signed in
    assert page.url.endswith("/dashboard")
