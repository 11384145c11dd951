"""Test the questions of the import dialog, and the progress of a long import."""

import re
from datetime import date
from decimal import Decimal as D

import pytest
from playwright.sync_api import expect

from conftest import PASSWORD
from integrations.conftest import csv
from integrations.imports.tests.test_listings import DEGIRO, EURO, FRANCS
from integrations.imports.tests.test_resolving import ISIN, bought, found
from integrations.statements.tests.support import text
from integrations.statements.tests.workbooks import workbook
from marketdata.models import StockMetadata
from marketdata.services import record_prices
from marketdata.tests.factories import with_rates
from portfolios.models import InstrumentAlias
from portfolios.services import create_portfolio
from tests.servers.processes import installation  # noqa: F401

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.untraced]


XTB = "ID;Type;Time;Symbol;Comment;Amount\n1;Deposit;01.03.2024 09:00:00;;Bank;500\n"


@pytest.fixture(params=["wide", "phone"])
def visitor(request, visit, user):
    portfolio = create_portfolio(user=user, name="Savings", currency="NOK")
    visitor = visit(request.param)
    visitor.is_signed_in_as(user)
    visitor.open(f"/portfolios/{portfolio.pk}")
    return visitor


def choose(page, name, data):
    """Open the dialog and choose a file of this name and content."""
    page.click("#import")
    page.set_input_files("#import-file", {"name": name, "mimeType": "text/csv", "buffer": data})


def refusals(visitor):
    """Remove the browser's own reports of 422 answers. Return their number."""
    before = len(visitor.problems)
    visitor.problems = [one for one in visitor.problems if "422" not in one]
    return before - len(visitor.problems)


def test_a_file_of_no_known_format_is_read_by_saying_which_column_is_which(visitor):
    page = visitor.page
    choose(
        page, "own.csv", "Tag;Art;Papier;Stück;Kurs\n04.03.2024;buy;FJORD.DEMO;10;100,50\n".encode()
    )
    page.get_by_role("heading", name="Columns").wait_for()
    assert refusals(visitor) == 1
    page.get_by_label("Date *").select_option("Tag")
    assert (
        "04.03.2024" in page.locator("dialog .field", has=page.get_by_label("Date *")).inner_text()
    )
    page.get_by_role("button", name="Use these columns").click()
    expect(page.get_by_label("Type *")).to_have_attribute("aria-invalid", "true")
    for ours, theirs in (
        ("Type *", "Art"),
        ("Ticker", "Papier"),
        ("Quantity", "Stück"),
    ):
        page.get_by_label(ours, exact=True).select_option(theirs)
    page.get_by_role("button", name="Use these columns").click()
    expect(page.get_by_label("Price", exact=True)).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Price", exact=True).select_option("Kurs")
    page.get_by_label("Save these columns as").fill("My bank")
    page.get_by_role("button", name="Use these columns").click()
    page.get_by_role("button", name="Import 1 transaction", exact=True).click()
    page.get_by_text("1 transaction imported.").wait_for()
    done = visitor.api("/imports")[0]
    assert (done["format"], done["created"], done["file_name"]) == ("mapped", 1, "own.csv")
    row = visitor.api("/transactions")["results"][0]
    assert (row["date"], row["quantity"], row["price"]) == ("2024-03-04", 10, 100.5)
    assert [one["name"] for one in visitor.api("/imports/mappings")] == ["My bank"]
    page.get_by_role("button", name="Done").click()
    page.get_by_text("Remembered columns and words").click()
    page.get_by_role("button", name="Forget: My bank").click()
    page.locator("dialog").get_by_role("button", name="Forget").click()
    page.get_by_text("Remembered columns and words").wait_for(state="detached")
    assert visitor.api("/imports/mappings") == []


def test_the_currency_is_asked_for_where_the_file_does_not_name_it(visitor, yahoo):
    page = visitor.page
    choose(page, "xtb.csv", XTB.encode())
    page.get_by_label("The account's currency").select_option("NOK")
    assert refusals(visitor) == 1
    page.get_by_role("button", name="Import 1 transaction", exact=True).click()
    page.get_by_text("1 transaction imported.").wait_for()
    row = visitor.api("/transactions?kind=money")["results"][0]
    assert (row["type"], row["settlement_amount"], row["currency"]) == ("deposit", 500, "NOK")


def test_a_mapping_that_the_api_refuses_is_asked_again_as_it_was(visitor):
    page = visitor.page
    choose(page, "own.csv", b"date,kind,ticker,quantity,price\nlater,buy,FJORD.DEMO,10,100\n")
    assert page.get_by_label("Date *").input_value() == "date"
    page.get_by_label("Type *").select_option("kind")
    page.get_by_role("button", name="Use these columns").click()
    page.locator("dialog .problems li", has_text="later").wait_for()
    assert page.get_by_role("button", name="Import 0 transactions").is_disabled()
    assert refusals(visitor) == 1
    assert visitor.api("/imports") == []


def test_of_two_plausible_formats_one_is_chosen(visitor):
    page = visitor.page
    header = b"Date,Action,Symbol,Description,Quantity,Price,Fees & Comm,Amount,Type,Ticker\n"
    choose(page, "both.csv", header + b"2024-03-04,Buy,FJORD.DEMO,Fjord,1,100,,,buy,FJORD.DEMO\n")
    page.get_by_role("heading", name="Which broker is this file from?").wait_for()
    assert refusals(visitor) == 1
    labels = {one["format"]: one["label"] for one in visitor.api("/imports/formats")}
    assert page.get_by_role("button", name=labels["schwab"]).is_visible()
    page.get_by_role("button", name=labels["generic"]).click()
    page.get_by_role("button", name="Import 1 transaction", exact=True).click()
    page.get_by_text("1 transaction imported.").wait_for()
    assert visitor.api("/imports")[0]["format"] == "generic"


def test_an_instrument_that_nothing_fits_is_named_once_and_remembered(visitor, yahoo):
    yahoo.list("ATL.DE", [40.0, 41.0], currency="EUR")
    found(yahoo, "ATL.DE")
    page = visitor.page
    choose(page, "first.csv", bought(symbol="ATLX"))
    page.get_by_text("1 instrument could not be identified").wait_for()
    assert page.get_by_role("button", name="Import 0 transactions").is_disabled()
    asked = page.get_by_role("combobox", name=ISIN)
    page.get_by_role("button", name="ATL.DE").click()
    assert asked.input_value() == "ATL.DE"
    asked.fill("no ticker")
    asked.press("Tab")  # closes the suggestions, which may open over the button
    page.get_by_role("button", name="Use these tickers").click()
    page.get_by_text('"NO TICKER" is not a valid ticker.').wait_for()
    assert refusals(visitor) == 1
    asked.fill("ATLAS.USD.DEMO")
    asked.press("Tab")
    with page.expect_response("**/import-csv"):
        page.get_by_role("button", name="Use these tickers").click()
    page.get_by_role("button", name="Import 1 transaction", exact=True).click()
    page.get_by_text("1 transaction imported.").wait_for()
    assert dict(InstrumentAlias.objects.values_list("key", "ticker")) == {ISIN: "ATLAS.USD.DEMO"}
    page.get_by_role("button", name="Done").click()
    choose(page, "second.csv", bought(symbol="ATLX").replace(b"T-1", b"T-2"))
    page.get_by_text("1 instrument identified").click()
    assert page.get_by_role("combobox", name=ISIN).input_value() == "ATLAS.USD.DEMO"
    assert page.get_by_role("button", name="Import 1 transaction", exact=True).is_enabled()


def test_each_listing_of_an_isin_gets_its_own_ticker(visitor, yahoo):
    with_rates("EUR", "NOK", {date(2025, 2, 1): "11.7"})
    with_rates("CHF", "NOK", {date(2025, 1, 31): "12.4"})
    page = visitor.page
    choose(page, "degiro.csv", text(DEGIRO, FRANCS, EURO))
    page.get_by_text("2 instruments could not be identified").wait_for()
    for currency in ("EUR", "CHF"):
        asked = page.get_by_role("combobox", name=f"IE0000000041 · {currency}")
        asked.fill(f"FUND.{currency}.DEMO")
        asked.press("Tab")
    with page.expect_response("**/import-csv"):
        page.get_by_role("button", name="Use these tickers").click()
    page.get_by_role("button", name=re.compile("^Import 2 transactions$")).click()
    page.get_by_text("2 transactions imported.").wait_for()
    rows = visitor.api("/transactions")["results"]
    assert [(row["ticker"], row["quantity"]) for row in rows] == [
        ("FUND.EUR.DEMO", 10),
        ("FUND.CHF.DEMO", 4),
    ]


def test_instruments_are_looked_up_until_all_are_identified(visitor, yahoo):
    yahoo.search_fault = "500"
    page = visitor.page
    choose(page, "first.csv", bought("NOK", symbol=""))
    page.get_by_text("0 of 1 instruments identified. The others are being looked up.").wait_for()
    found(yahoo, "ATL.OL")
    yahoo.search_fault = None
    page.get_by_text("1 instrument identified").wait_for(timeout=60_000)
    assert page.get_by_text("being looked up").count() == 0
    page.get_by_role("button", name="Import 1 transaction", exact=True).click()
    page.get_by_text("1 transaction imported.").wait_for()


def test_a_single_candidate_is_offered(visitor, yahoo):
    found(yahoo, "ATL.DE")
    page = visitor.page
    choose(page, "first.csv", bought(symbol=""))
    page.get_by_text("1 instrument could not be identified").wait_for()
    assert page.get_by_role("combobox", name=ISIN).input_value() == "ATL.DE"


def test_a_big_file_is_followed_until_a_worker_has_done_it(visit, installation):
    installation.start_web()
    session = installation.sign_in()
    worker = installation.start_worker()
    installation.wait_for_worker()
    body = {"name": "Nordic", "currency": "NOK"}
    portfolio = session.post(f"{installation.url}/api/v1/portfolios", json=body, timeout=30).json()
    visitor = visit(origin=installation.url)
    page = visitor.page
    visitor.sign_in("kari", PASSWORD)
    visitor.open(f"/portfolios/{portfolio['id']}")
    rows = 15_000
    data = csv(*(f"2024-01-02,buy,T{row % 20}.DEMO,1,{row + 1}" for row in range(rows)))
    choose(page, "big.csv", data)
    go = page.get_by_role("button", name="Import 15000 transactions")
    go.wait_for(timeout=60_000)
    with page.expect_response("**/import-csv") as answered:
        go.click()
    assert (answered.value.status, answered.value.json()["state"]) == (202, "running")
    bar = page.locator("dialog progress")
    expect(bar).to_have_attribute("value", "0")
    expect(bar).to_have_attribute("value", re.compile(r"^0\.\d+$"), timeout=60_000)
    page.get_by_role(
        "button", name="Close"
    ).click()  # it goes on, and the list of imports tells of it
    page.locator("#imports progress").wait_for()
    page.get_by_role("button", name="Undo: big.csv").wait_for(timeout=120_000)
    expect(page.locator("#holdings-table tbody tr")).to_have_count(20, timeout=60_000)
    installation.kill(worker)


SCALABLE = (
    "date;time;status;reference;description;assetType;type;isin;shares;price;amount;fee;tax;currency\n"
    "2024-03-05;09:00:00;Executed;S2;;Cash;Treuebonus;;;;12,50;0;0;NOK\n"
    "2024-03-06;09:00:00;Executed;S3;Hytte;Security;Buy;NO0010999999;10;100;-1000;0;0;NOK\n"
)


def test_an_unknown_word_gets_a_meaning_and_an_instrument_is_priced_by_hand(visitor, yahoo):
    page = visitor.page
    choose(page, "scalable.csv", SCALABLE.encode())
    page.get_by_text("0 of 2 rows are understood.").wait_for()
    page.get_by_label("Treuebonus").select_option("deposit")
    page.get_by_role("button", name="Use these meanings").click()
    page.get_by_text("1 of 2 rows are understood.").wait_for()
    page.get_by_role("button", name="Price it by hand").click()
    page.get_by_role("button", name="Import 2 transactions", exact=True).click()
    page.get_by_text("2 transactions imported.").wait_for()
    assert visitor.api("/imports/mappings")[0]["mapping"] == {"types": {"Treuebonus": "deposit"}}
    assert visitor.api("/transactions")["results"][0]["ticker"] == "NO0010999999"


def test_all_unknown_instruments_are_priced_by_hand_with_one_click(visitor, yahoo):
    page = visitor.page
    header, _, first = SCALABLE.splitlines()
    second = first.replace("S3", "S4").replace("NO0010999999", "NO0010888888")
    choose(page, "scalable.csv", "\n".join([header, first, second]).encode())
    page.get_by_text("2 instruments could not be identified. Choose their tickers.").wait_for()
    page.get_by_role("button", name="Price all of them by hand").click()
    page.get_by_role("button", name="Import 2 transactions", exact=True).click()
    page.get_by_text("2 transactions imported.").wait_for()
    tickers = {row["ticker"] for row in visitor.api("/transactions")["results"]}
    assert tickers == {"NO0010999999", "NO0010888888"}


def test_rows_with_errors_are_downloaded_with_the_reason(visitor):
    page = visitor.page
    data = "date;type;ticker;quantity;price\n2024-03-04;buy;FJORD.DEMO;1;100\n2024-03-05;buy;;1;1\n"
    choose(page, "own.csv", data.encode())
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the rows with errors").click()
    assert download.value.suggested_filename == "failed-own.csv"
    assert download.value.path().read_text("utf-8-sig").splitlines() == [
        "date;type;ticker;quantity;price;Import problem",
        "2024-03-05;buy;;1;1;This field is required.",
    ]


def generic(*rows):
    return ("date,type,ticker,quantity,price\n" + "".join(f"{row}\n" for row in rows)).encode()


def choose_all(page, files):
    """Open the dialog and choose several files, given as name → content."""
    page.get_by_role("button", name="Import a file").click()
    page.locator("#import-file").set_input_files(
        [
            {"name": name, "mimeType": "text/csv", "buffer": content}
            for name, content in files.items()
        ]
    )


def files_shown(page):
    """Return the name and the mark of each file in the list."""
    items = page.locator("dialog .files > li")
    return [
        (one.locator(".name").inner_text(), one.locator(".tag").inner_text()) for one in items.all()
    ]


def is_in_view(page, locator):
    """Return whether the element is inside the window, at all four sides."""
    box, window = locator.bounding_box(), page.viewport_size
    right, bottom = box["x"] + box["width"], box["y"] + box["height"]
    return min(box["x"], box["y"]) >= 0 and right <= window["width"] and bottom <= window["height"]


def test_several_files_are_imported_oldest_first_with_one_summary(visitor):
    page = visitor.page
    files = {
        "transactions-and-notes-export-2025.csv": generic("2025-01-02,sell,FJORD.DEMO,4,110"),
        "transactions-and-notes-export-2024.csv": generic("2024-01-02,buy,FJORD.DEMO,10,100"),
        "notes.csv": b"hello;you\n",
    }
    choose_all(page, files)
    go = page.get_by_role("button", name="Import 2 files")
    go.wait_for()
    assert refusals(visitor) == 1  # of the notes
    assert files_shown(page) == [
        ("transactions-and-notes-export-2024.csv", "ready"),
        ("transactions-and-notes-export-2025.csv", "with errors"),
        ("notes.csv", "cannot be read"),
    ]
    counts = page.locator("dialog .facts")
    assert counts.locator("dd").all_inner_texts() == ["3", "1", "0", "1", "1"]
    assert is_in_view(page, go)
    assert is_in_view(page, counts)
    assert visitor.api("/imports") == []
    go.click()
    page.get_by_text("2 transactions imported.").wait_for()
    page.get_by_text("1 file was not imported.").wait_for()
    assert files_shown(page) == [
        ("transactions-and-notes-export-2024.csv", "imported"),
        ("transactions-and-notes-export-2025.csv", "imported"),
        ("notes.csv", "not imported"),
    ]
    assert [one["file_name"] for one in visitor.api("/imports")] == list(files)[:2]


def test_from_one_of_several_files_the_way_leads_back_to_the_list(visitor, yahoo):
    page = visitor.page
    word = SCALABLE.replace("S2", "S4").replace("2024-03-05", "2023-03-05")
    choose_all(page, {"2024.csv": SCALABLE.encode(), "2023.csv": word.encode(), "n.csv": b"a;b\n"})
    page.get_by_role("button", name="Import 2 files").wait_for()
    assert refusals(visitor) == 1
    page.get_by_role("button", name="Look at it: 2023.csv").click()
    page.get_by_label("Treuebonus").select_option("deposit")
    page.get_by_role("button", name="Use these meanings").click()
    page.get_by_role("button", name="Price it by hand").click()
    page.get_by_role("button", name="Import 2 transactions", exact=True).wait_for()
    page.get_by_role("button", name="Back to the files").click()
    page.get_by_role("button", name="Import 2 files").wait_for()
    assert refusals(visitor) == 1  # of the file that cannot be read, again
    # What was said of one file counts for the others.
    marks = [("2023.csv", "ready"), ("2024.csv", "ready"), ("n.csv", "cannot be read")]
    assert files_shown(page) == marks
    page.get_by_role("button", name="Look at it: n.csv").click()
    page.get_by_text("This is not a table of transactions.").wait_for()
    assert refusals(visitor) == 1
    page.get_by_role("button", name="Back to the files").click()
    page.get_by_role("button", name="Import 2 files").click()
    page.get_by_text("1 file was not imported.").wait_for()
    assert refusals(visitor) == 1
    assert [one["created"] for one in visitor.api("/imports")] == [1, 2]


def test_of_several_sheets_a_person_picks_one(visitor):
    page = visitor.page
    header = ["date", "type", "ticker", "quantity", "price"]
    data = workbook(
        {
            "First half": [header, [date(2024, 3, 4), "buy", "FJORD.DEMO", 1, 100]],
            "Second half": [header, [date(2024, 9, 4), "buy", "FJORD.DEMO", 2, 100]],
        }
    )
    choose(page, "year.xlsx", data)
    page.get_by_role("heading", name="Which sheet of the workbook is to be imported?").wait_for()
    assert refusals(visitor) == 1
    page.get_by_role("button", name="Second half").click()
    page.get_by_role("button", name="Import 1 transaction", exact=True).click()
    page.get_by_text("1 transaction imported.").wait_for()
    rows = visitor.api("/transactions")["results"]
    assert [(row["date"], row["quantity"]) for row in rows] == [("2024-09-04", 2)]


@pytest.mark.parametrize("language", ["en-GB", "nb-NO"])
def test_an_instrument_in_doubt_is_named_once_before_and_after_the_import(visit, user, language):
    stock = StockMetadata.objects.create(ticker="LONDON.DEMO", currency="GBP", source="simulated")
    record_prices(stock=stock, closes=[(date(2024, 5, 2), D("0.72"))], source="simulated")
    portfolio = create_portfolio(user=user, name="Savings", currency="GBP")
    visitor = visit("phone", locale=language)
    visitor.is_signed_in_as(user)
    visitor.open(f"/portfolios/{portfolio.pk}")
    page = visitor.page
    rows = [f"2024-05-02,buy,LONDON.DEMO,1,{price}" for price in range(70, 77)]
    choose(page, "pence.csv", generic(*rows))
    notes = page.locator("dialog .note", has_text="LONDON.DEMO")
    go = page.locator("dialog .actions .primary")
    go.wait_for()
    expected = (
        "Lines 2, 3, 4, 5, 6 and 2 more: LONDON.DEMO: The price 70 is far from the close of 0.72 "
        "GBP on 2024-05-02. If it is in pence or cents, divide it by 100."
    )
    if language == "nb-NO":
        expected = (
            "Linjene 2, 3, 4, 5, 6 og 2 til: LONDON.DEMO: Prisen 70 er langt fra sluttkursen 0.72 "
            "GBP den 2024-05-02. Del den på 100 hvis den er i pence eller cent."
        )
    assert notes.all_inner_texts() == [expected]
    go.click()
    expect(go).to_have_text("Done" if language == "en-GB" else "Ferdig")
    assert notes.all_inner_texts() == [expected]
    assert visitor.api("/imports")[0]["created"] == 7


def test_a_file_that_only_lacks_an_answer_is_marked_so_in_the_list(visitor):
    page = visitor.page
    files = {
        "xtb.csv": XTB.encode(),
        "own.csv": b"Tag;Art;Papier;Kurs\n2024-03-04;buy;FJORD.DEMO;10\n",
        "picture.csv": b"\x89PNG\r\n\x1a\n\x00\x00",
        "2024.csv": generic("2024-01-02,buy,FJORD.DEMO,10,100"),
    }
    choose_all(page, files)
    page.get_by_role("button", name="Import 1 file").wait_for()
    assert refusals(visitor) == 3
    assert sorted(files_shown(page)) == [
        ("2024.csv", "ready"),
        ("own.csv", "to answer"),
        ("picture.csv", "cannot be read"),
        ("xtb.csv", "to answer"),
    ]
    assert page.locator("dialog .facts dd").all_inner_texts() == ["4", "1", "0", "2", "1"]
    page.get_by_role("button", name="Look at it: picture.csv").click()
    page.get_by_text("This is a picture. Export the statement as CSV.").wait_for()
    assert refusals(visitor) == 1
    assert page.get_by_text("Request").count() == 0
    page.get_by_role("button", name="Back to the files").click()
    page.get_by_role("button", name="Look at it: xtb.csv").click()
    page.get_by_label("The account's currency").select_option("NOK")
    page.get_by_role("button", name="Import 1 transaction", exact=True).wait_for()
    page.get_by_role("button", name="Back to the files").click()
    page.get_by_role("button", name="Import 2 files").wait_for()
    refusals(visitor)
    assert ("xtb.csv", "ready") in files_shown(page)
    assert visitor.api("/imports") == []


def test_the_columns_of_an_unknown_file_are_proposed_by_their_words(visitor):
    page = visitor.page
    header = (
        "Timestamp,Transaction Type,Asset,Quantity Transacted,Price Currency,Price at Trade,Fees"
    )
    choose(page, "coins.csv", f"{header}\n2024-03-04,buy,FJORD.DEMO,2,NOK,100,5\n".encode())
    page.get_by_label("Date *").wait_for()
    assert refusals(visitor) == 1
    labels = ["Date *", "Type *", "Ticker", "Quantity", "Currency", "Price", "Commission"]
    proposed = [page.get_by_label(label, exact=True).input_value() for label in labels]
    # Two columns have to do with a price.
    expected = "Timestamp,Transaction Type,Asset,Quantity Transacted,Price Currency,,Fees"
    assert ",".join(proposed) == expected
    page.get_by_label("Price", exact=True).select_option("Price at Trade")
    page.get_by_role("button", name="Use these columns").click()
    page.get_by_role("button", name="Import 1 transaction", exact=True).click()
    page.get_by_text("1 transaction imported.").wait_for()
    row = visitor.api("/transactions")["results"][0]
    shown = [row[name] for name in ("ticker", "quantity", "price", "commission")]
    assert shown == ["FJORD.DEMO", 2, 100, 5]
