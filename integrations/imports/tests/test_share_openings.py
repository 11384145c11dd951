"""Test the shares that were held before a file begins: offered, accepted, worked out again."""

from datetime import date
from decimal import Decimal as D

import pytest
from django.core.management import call_command

from integrations.statements.tests.test_nordnet import statement
from marketdata.models import HistoricalStockPrice, StockMetadata, StockSplit
from portfolios.models import Holding, ImportBatch, Transaction, TransactionVector
from portfolios.reports.vectors import vector_cache

pytestmark = pytest.mark.django_db

FJORD = "NO0000000101"
CHOICES = f'{{"{FJORD}": "FJORD.X"}}'
# id, booked, traded, type, name, isin, quantity, price, fees, amount, result currency, total,
# balance, rate, text, cancelled. 40 shares and 100,000 stood there before 2024.
YEARS = {
    2023: [
        f"101|2023-02-03|2023-02-01|KJØPT|Fjord|{FJORD}|50|90|0|-4 500|NOK|50|95 500|||",
        f"102|2023-06-02|2023-06-02|SALG|Fjord|{FJORD}|10|100|0|1 000|NOK|40|96 500|||",
    ],
    2024: [
        f"201|2024-02-02|2024-02-02|SALG|Fjord|{FJORD}|10|120|0|1 200|NOK|30|97 700|||",
        f"202|2024-03-04|2024-03-04|KJØPT|Fjord|{FJORD}|5|130|0|-650|NOK|35|97 050|||",
    ],
    2025: [
        f"301|2025-03-03|2025-03-03|SALG|Fjord|{FJORD}|35|140|0|4 900|NOK|0|101 950|||",
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def stock(user):
    """Store an instrument with closes on two days before first rows."""
    stock = StockMetadata.objects.create(
        ticker="FJORD.X",
        currency="NOK",
        company_name="Fjord",
        source="manual",
        isin=FJORD,
        owner=user,
    )
    for day, close in ((date(2024, 1, 31), "118"), (date(2025, 2, 28), "139")):
        HistoricalStockPrice.objects.create(stock=stock, date=day, close=D(close), source="manual")
    return stock


@pytest.fixture
def year(upload):
    """Return a function that sends the file of one or more years, the newest row first."""

    def send(*years, **fields):
        rows = [row for number in years for row in YEARS[number]]
        return upload(data=statement(rows[::-1]), instruments=CHOICES, **fields)

    return send


@pytest.fixture
def accepted(year):
    """The same, with the shares that stood before accepted."""

    def send(*years, **fields):
        response = year(*years, accept_opening="true", **fields)
        assert response.status_code in (200, 201), response.json()
        return response.json()

    return send


@pytest.fixture
def agreement(api, portfolio):
    return lambda: api.get(f"/api/v1/portfolios/{portfolio.pk}/agreement").json()


def openings():
    rows = Transaction.objects.filter(type="transfer_in")
    return [
        (str(row.date), row.quantity, row.price, row.source)
        for row in rows.order_by("date", "sequence")
    ]


def held():
    return Holding.objects.get().current_quantity


def test_a_sale_of_shares_from_before_the_file_is_an_error_that_offers_them(year):
    response = year(2024)
    body = response.json()
    assert response.status_code == 422
    assert [(one["row"], one["code"]) for one in body["errors"]] == [(3, "insufficient_quantity")]
    assert body["opening"] == [
        {"currency": "NOK", "amount": 96500, "date": "2024-02-01"},
        {"ticker": "FJORD.X", "quantity": 40, "date": "2024-02-01"},
    ]
    assert not Transaction.objects.exists()


def test_accepted_shares_come_in_at_the_close_of_the_day_before_the_first_row(
    accepted, agreement, api
):
    body = accepted(2024)
    assert (body["created"], body["rows"], body["opening"]) == (2, 2, [])
    assert [(one["code"], one["row"]) for one in body["warnings"]] == [("cost_unknown", 3)]
    assert openings() == [("2024-02-01", D(40), D(118), "derived")]
    assert (held(), agreement()["first_difference"]) == (35, None)
    shown = api.get(f"/api/v1/imports/{body['id']}").json()
    assert (shown["opening"], shown["reconciled"]) == ([], True)
    # Money begins with the first row, not with what stood there before.
    assert shown["cash_from"] == "2024-02-02"
    money = Transaction.objects.get(type="opening")
    assert (str(money.date), money.settlement_amount) == ("2024-02-01", 96500)


def test_reports_begin_with_the_first_row_and_not_with_what_was_there_before(
    accepted, api, portfolio
):
    accepted(2024)
    for query in ("", "?include_cash=true"):
        found = api.get(f"/api/v1/portfolios/{portfolio.pk}/performance{query}").json()
        assert found["start"] == "2024-02-02"
    bridge = api.get(f"/api/v1/portfolios/{portfolio.pk}/bridge").json()
    assert (bridge["start"], bridge["start_value"]) == ("2024-02-02", 40 * 118)
    TransactionVector.objects.get()  # as stored
    vector_cache.clear()
    assert api.get(f"/api/v1/portfolios/{portfolio.pk}/timeline").json()["start"] == "2024-02-02"


def test_a_dry_run_offers_the_same_and_shows_what_would_be_booked(year):
    body = year(2024, dry_run="true", accept_opening="true").json()
    assert (body["failed"], body["created"], body["reconciled"]) == (0, 2, True)
    assert body["opening"] == [
        {"currency": "NOK", "amount": 96500, "date": "2024-02-01"},
        {"ticker": "FJORD.X", "quantity": 40, "date": "2024-02-01"},
    ]
    shown = [(one["type"], one["quantity"], one["price"]) for one in body["preview"]]
    assert ("transfer_in", 40, 118) in shown
    assert not Transaction.objects.exists()


def test_shares_that_no_sale_needs_are_offered_by_the_import_and_accepted_with_it_sent_again(
    year, upload, agreement, api
):
    rows = [YEARS[2024][1]]
    body = upload.done(data=statement(rows), instruments=CHOICES)
    assert body["opening"] == [{"ticker": "FJORD.X", "quantity": 30, "date": "2024-03-03"}]
    assert api.get(f"/api/v1/imports/{body['id']}").json()["opening"] == body["opening"]
    assert agreement()["first_difference"]["got"] == 5
    again = upload(data=statement(rows), instruments=CHOICES, accept_opening="true").json()
    assert (again["created"], again["duplicates"], again["opening"]) == (0, 1, [])
    # No close is known within a week.
    assert openings() == [("2024-03-03", D(30), D(0), "derived")]
    assert (held(), agreement()["first_difference"]) == (35, None)
    assert api.delete(f"/api/v1/imports/{again['id']}").status_code == 204
    assert (openings(), held()) == ([], 5)


def test_an_earlier_year_takes_them_away_and_undone_gives_them_back(accepted, year, agreement, api):
    accepted(2024)
    earlier = year(2023)
    assert earlier.status_code == 201, earlier.json()
    assert (openings(), held()) == ([], 35)
    assert agreement()["first_difference"] is None
    assert api.delete(f"/api/v1/imports/{earlier.json()['id']}").status_code == 204
    assert openings() == [("2024-02-01", D(40), D(118), "derived")]
    assert (held(), agreement()["first_difference"]) == (35, None)


def test_an_earlier_year_that_begins_in_the_middle_too_moves_them_to_its_first_day(
    accepted, upload, agreement, api
):
    later = accepted(2025)
    assert openings() == [("2025-03-02", D(35), D(139), "derived")]
    [row] = Transaction.objects.filter(type="transfer_in")
    rows = YEARS[2024][::-1]
    earlier = upload.done(data=statement(rows), instruments=CHOICES)
    assert earlier["opening"] == []
    assert openings() == [("2024-02-01", D(40), D(118), "derived")]
    assert Transaction.objects.get(type="transfer_in").pk == row.pk
    assert (held(), agreement()["first_difference"]) == (0, None)
    # They belong to the import that accepted them.
    assert api.delete(f"/api/v1/imports/{earlier['id']}").status_code == 204
    assert openings() == [("2025-03-02", D(35), D(139), "derived")]
    assert api.delete(f"/api/v1/imports/{later['id']}").status_code == 204
    assert not Transaction.objects.exists()
    assert not Holding.objects.exists()


def test_an_edited_price_stays_whatever_is_imported_and_undone(accepted, upload, api):
    accepted(2025)
    [row] = Transaction.objects.filter(type="transfer_in")
    changed = api.patch(f"/api/v1/transactions/{row.pk}", {"price": 77})
    assert changed.status_code == 200, changed.json()
    earlier = upload.done(data=statement(YEARS[2024][::-1]), instruments=CHOICES)
    assert openings() == [("2024-02-01", D(40), D(77), "derived")]
    assert api.delete(f"/api/v1/imports/{earlier['id']}").status_code == 204
    assert openings() == [("2025-03-02", D(35), D(77), "derived")]


@pytest.mark.parametrize(
    "fields", [{"quantity": 3}, {"date": "2024-01-01"}, {"type": "buy"}], ids=str
)
def test_what_is_worked_out_of_them_cannot_be_changed(accepted, api, fields):
    accepted(2024)
    [row] = Transaction.objects.filter(type="transfer_in")
    url = f"/api/v1/transactions/{row.pk}"
    response = api.patch(url, fields)
    assert (response.status_code, response.json()["errors"][0]["code"]) == (409, "derived_row")
    assert api.delete(url).status_code == 409
    assert openings() == [("2024-02-01", D(40), D(118), "derived")]


def test_they_are_not_offered_where_a_person_recorded_them(year, api, portfolio, agreement):
    fields = {"portfolio_id": str(portfolio.pk), "ticker": "FJORD.X", "type": "transfer_in"}
    fields |= {"date": "2024-01-15", "quantity": 40, "price": 100}
    assert api.post("/api/v1/transactions", fields).status_code == 201
    body = year(2024).json()
    assert (body["created"], body["opening"]) == (2, [])
    assert openings() == [("2024-01-15", D(40), D(100), "manual")]


def test_files_of_several_accounts_offer_and_book_none(year, upload):
    first = year(2023)
    assert first.status_code == 201
    rows = [YEARS[2024][1]]
    other = statement(rows).decode("utf-16").replace("12345678", "87654321")
    body = upload(data=other.encode("utf-16"), instruments=CHOICES, accept_opening="true").json()
    assert (body["opening"], openings()) == ([], [])


def test_a_split_between_them_and_the_first_number_counts(accepted, upload, stock):
    rows = [
        f"401|2024-05-03|2024-05-03|UTBYTTE|Fjord|{FJORD}|20|1||20|||20||UTBYTTE 1 NOK/AKSJE|",
        f"402|2024-06-03|2024-06-03|SPLITT INNLEGG VP|Fjord|{FJORD}|40|||0||40|20|||",
        f"403|2024-06-03|2024-06-03|SPLITT UTTAK VP|Fjord|{FJORD}|20|||0||0|20|||",
        f"404|2024-07-03|2024-07-03|SALG|Fjord|{FJORD}|10|60|0|600|NOK|30|620|||",
    ]
    body = upload(data=statement(rows[::-1]), instruments=CHOICES, accept_opening="true").json()
    assert body["errors"] == []
    assert openings() == [("2024-05-02", D(20), D(0), "derived")]
    assert held() == 30


# The dividend comes before the split, and the number of shares after it.
SILENT = [
    f"501|2024-05-03|2024-05-03|UTBYTTE|Fjord|{FJORD}|20|1||20|||20||UTBYTTE 1 NOK/AKSJE|",
    f"502|2024-07-03|2024-07-03|SALG|Fjord|{FJORD}|10|60|0|600|NOK|30|620|||",
]


def split(stock, *days, ratio="2"):
    for day in days:
        StockSplit.objects.create(stock=stock, date=day, ratio=D(ratio), source="manual")


def test_a_split_that_only_the_source_knows_counts(upload, stock, agreement, api):
    split(stock, date(2024, 4, 2), date(2024, 6, 3), date(2024, 8, 1))
    fields = {"data": statement(SILENT[::-1]), "instruments": CHOICES, "accept_opening": "true"}
    offered = upload(**fields, dry_run="true").json()["opening"]
    assert {"ticker": "FJORD.X", "quantity": 20, "date": "2024-05-02"} in offered
    body = upload.done(**fields)
    assert openings() == [("2024-05-02", D(20), D(0), "derived")]
    # 20, 40 after the first split within, 30 after the sale, 60 after the second.
    assert held() == 60
    assert agreement()["first_difference"] is None
    again = upload(**fields).json()
    assert (again["id"], openings()[0][1], held()) == (None, 20, 60)
    assert api.delete(f"/api/v1/imports/{body['id']}").status_code == 204
    assert not Transaction.objects.exists()


def test_a_split_of_the_source_that_the_file_tells_too_counts_once(upload, stock):
    split(stock, date(2024, 6, 5))
    rows = [
        SILENT[0],
        f"511|2024-06-03|2024-06-03|SPLITT INNLEGG VP|Fjord|{FJORD}|40|||0||40|20|||",
        f"512|2024-06-03|2024-06-03|SPLITT UTTAK VP|Fjord|{FJORD}|20|||0||0|20|||",
        SILENT[1],
    ]
    fields = {"data": statement(rows[::-1]), "instruments": CHOICES, "accept_opening": "true"}
    assert upload(**fields).json()["errors"] == []
    assert openings() == [("2024-05-02", D(20), D(0), "derived")]
    assert held() == 30


def test_an_earlier_file_moves_them_before_a_split_of_the_source(upload, stock, agreement, api):
    split(stock, date(2024, 6, 3))
    fields = {"instruments": CHOICES, "accept_opening": "true"}
    upload.done(data=statement([SILENT[1]]), **fields)
    assert openings() == [("2024-07-02", D(40), D(0), "derived")]
    earlier = upload.done(data=statement([SILENT[0]]), instruments=CHOICES)
    assert openings() == [("2024-05-02", D(20), D(0), "derived")]
    assert (held(), agreement()["first_difference"]) == (30, None)
    assert api.delete(f"/api/v1/imports/{earlier['id']}").status_code == 204
    assert openings() == [("2024-07-02", D(40), D(0), "derived")]
    assert (held(), agreement()["first_difference"]) == (30, None)


def test_shares_bought_before_a_split_of_the_source_leave_nothing_to_offer(upload, stock):
    split(stock, date(2024, 6, 3))
    rows = [
        f"521|2024-05-03|2024-05-03|KJØPT|Fjord|{FJORD}|20|100|0|-2 000|NOK|20|0|||",
        SILENT[1].replace("|620|", "|600|"),
    ]
    body = upload.done(data=statement(rows[::-1]), instruments=CHOICES)
    assert [one for one in body["opening"] if "ticker" in one] == []
    assert held() == 30


def test_the_command_books_them_with_an_option(user, portfolio, tmp_path, capsys):
    path = tmp_path / "nordnet.csv"
    path.write_bytes(statement([YEARS[2024][1]]))
    wanted = ["import_transactions", str(path), "--user", user.username]
    wanted += ["--portfolio", portfolio.name, "--instrument", f"{FJORD}=FJORD.X"]
    call_command(*wanted, "--dry-run")
    said = capsys.readouterr().out
    assert "30 FJORD.X, not booked (--accept-opening books them)" in said
    call_command(*wanted, "--accept-opening")
    assert openings() == [("2024-03-03", D(30), D(0), "derived")]
    assert ImportBatch.objects.get().accepts_opening
