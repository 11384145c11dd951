"""Test downloading the rows that cannot be imported, and importing them once they are corrected."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from integrations.statements.tests.support import choices, text
from integrations.statements.tests.workbooks import workbook
from portfolios.models import ImportBatch, Transaction

pytestmark = pytest.mark.django_db

URL = "/api/v1/transactions/import-csv/failed-rows"
HEADER = "date;type;ticker;quantity;price"
ROWS = (
    "2024-03-04;buy;FJORD.DEMO;1;100",
    "2024-03-05;buy;;1;-1",
    "2024-03-06;frob;FJORD.DEMO;1;100",
    "2024-03-07;sell;FJORD.DEMO;5;100",
)


@pytest.fixture
def failed(api, portfolio):
    def failed(data, name="trades.csv", **fields):
        body = {"portfolio_id": str(portfolio.pk), "file": SimpleUploadedFile(name, data)}
        return api.post(URL, body | fields, format="multipart")

    return failed


def content_of(response):
    return b"".join(response.streaming_content)


def test_the_failed_rows_come_with_all_their_errors(failed):
    response = failed(text(HEADER, *ROWS), name="My trades.csv")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="failed-My trades.csv"'
    lines = content_of(response).decode("utf-8-sig").splitlines()
    assert lines[0] == f"{HEADER};Import problem"
    assert lines[1] == f"{ROWS[1]};This field is required. Enter a number of 0 or more."
    assert lines[2].startswith(f"{ROWS[2]};The type must be one of adjustment, buy, ")
    assert lines[3] == f"{ROWS[3]};FJORD.DEMO: 5 requested, 1 held on 2024-03-07."
    assert not Transaction.objects.exists()
    assert not ImportBatch.objects.exists()


def test_corrected_rows_are_taken_in_without_duplicates(failed, upload):
    data = text(HEADER, *ROWS)
    assert upload.done(data=data, on_error="skip")["created"] == 1
    content = content_of(failed(data)).decode("utf-8-sig")
    corrected = content.replace("frob", "buy").replace(";5;100", ";2;100").encode()
    assert upload.done(data=corrected, on_error="skip")["created"] == 2
    again = upload(data=corrected, on_error="skip").json()
    assert (again["created"], again["duplicates"], again["failed"]) == (0, 2, 1)
    kinds = Transaction.objects.order_by("date").values_list("type", "quantity")
    assert list(kinds) == [("buy", 1), ("buy", 1), ("sell", 2)]


def test_a_workbooks_rows_are_a_workbook(failed, upload):
    header = HEADER.split(";")
    rows = [row.split(";") for row in ROWS]
    response = failed(workbook({"Trades": [header, *rows]}), name="trades.xlsx")
    assert response["Content-Type"].endswith("spreadsheetml.sheet")
    assert response["Content-Disposition"] == 'attachment; filename="failed-trades.xlsx"'
    content = content_of(response)
    body = upload(data=content, name="failed-trades.xlsx").json()
    assert (body["encoding"], body["rows"], body["failed"]) == ("xlsx", 3, 3)
    assert [one["row"] for one in body["errors"]] == [2, 2, 3, 4]


def test_rows_of_unknown_instruments_are_read_with_the_choices_of_the_request(failed):
    header = "date;time;status;reference;description;assetType;type;isin;shares;price;amount;fee;tax;currency"
    row = '2024-03-0{};09:00:00;Executed;"S-{}";"Atlas";Security;Buy;{};10;100,5;-1005;0;0;NOK'
    data = text(header, row.format(4, 1, "US0000000011"), row.format(5, 2, "NO0000000012"))
    known = choices(US0000000011="FJORD.DEMO")
    lines = content_of(failed(data, instruments=known)).decode("utf-8-sig").splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("2024-03-05;09:00:00;Executed;S-2;")
    assert "Could not identify Atlas (NO0000000012)" in lines[1]


def test_the_words_of_a_saved_mapping_are_used(failed, upload):
    columns = {
        "date": "Tag",
        "type": "Art",
        "ticker": "Papier",
        "quantity": "Zahl",
        "price": "Kurs",
    }
    said = json.dumps({"columns": columns})
    data = text("Tag;Art;Papier;Zahl;Kurs", *ROWS)
    upload.done(data=data, mapping=said, on_error="skip", save_mapping_as="My bank")
    content = content_of(failed(data))
    body = upload(data=content, on_error="skip").json()
    assert (body["mapping_name"], body["rows"], body["failed"]) == ("My bank", 3, 3)


def test_more_than_a_thousand_rows_are_all_there(failed):
    rows = ["2024-03-05;frob;FJORD.DEMO;1;100"] * 1200
    lines = content_of(failed(text(HEADER, *rows))).decode("utf-8-sig").splitlines()
    assert len(lines) == 1201
    assert all(line.count(";") == 5 for line in lines)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b"hello;you\n1;2\n", "unknown_format"),
        (
            b'<FlexQueryResponse><FlexStatements><FlexStatement accountId="U1">'
            b'<Trades><Trade accountId="U1" currency="USD" assetCategory="STK" symbol="A" />'
            b"</Trades></FlexStatement></FlexStatements></FlexQueryResponse>",
            "no_excerpt",
        ),
    ],
)
def test_a_file_that_is_no_table_is_refused(failed, data, code):
    response = failed(data)
    [error] = response.json()["errors"]
    assert (response.status_code, error["code"], error["attr"]) == (422, code, "file")


def test_another_users_portfolio_is_unknown(other_api, portfolio):
    body = {"portfolio_id": str(portfolio.pk), "file": SimpleUploadedFile("a.csv", text(HEADER))}
    response = other_api.post(URL, body, format="multipart")
    assert response.status_code == 422
    assert response.json()["errors"][0]["code"] == "unknown_portfolio"
