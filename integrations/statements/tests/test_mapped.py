"""Tables with a mapping of their columns."""

import json
from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import (
    held,
    text,
)
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db


def test_a_table_whose_columns_the_request_names(upload):
    data = text(
        "Tag;Art;Papier;Stück;Kurs;Notiz",
        "04.03.2024;buy;FJORD.DEMO;10;100,50;x",
        "05.03.2024;sell;FJORD.DEMO;4;110;",
    )
    mapping = {
        "date": "Tag",
        "type": "Art",
        "ticker": "Papier",
        "quantity": "Stück",
        "price": "Kurs",
    }
    body = upload.done(data=data, mapping=json.dumps(mapping))
    assert (body["format"], body["created"]) == ("mapped", 2)
    assert held()["FJORD.DEMO"][0] == 6
    assert Transaction.objects.exclude(note="").count() == 0


def test_text_after_a_mapped_table_is_left_out(upload):
    data = text(
        "Tag;Art;Papier;Zahl;Kurs", "04.03.2024;buy;FJORD.DEMO;10;100", "All figures are in kroner."
    )
    columns = {"date": "Tag", "type": "Art", "ticker": "Papier", "quantity": "Zahl"}
    mapping = json.dumps(columns | {"price": "Kurs"})
    body = upload.done(data=data, mapping=mapping)
    assert (body["rows"], body["created"], body["ignored"]) == (1, 1, 0)


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize(
    "last",
    [
        "Total;;;10;1234,50",
        ";;Total:;;1234,50",
        ";Summe;;;",
        ";;;;1234,50",
        "Sum",
        "Total 2024;;;;1",
    ],
)
def test_a_last_line_of_totals_is_ignored(upload, last, end, mapped):
    header = "date;type;ticker;quantity;price"
    fields = {}
    if mapped:
        header = "Tag;Art;Papier;Zahl;Kurs"
        columns = {"date": "Tag", "type": "Art", "ticker": "Papier", "quantity": "Zahl"}
        fields["mapping"] = json.dumps(columns | {"price": "Kurs"})
    data = f"{header}\n04.03.2024;buy;FJORD.DEMO;10;100,50\n{last}{end}"
    body = upload.done(data=data.encode(), **fields)
    assert (body["rows"], body["created"], body["ignored"], body["failed"]) == (2, 1, 1, 0)


@pytest.mark.parametrize(
    "last",
    [";buy;FJORD.DEMO;10;100", ";;FJORD.DEMO;10;100", ";deposit;;;100", "2024-03-05;;;10;100"],
)
def test_a_last_row_that_lacks_its_date_or_its_type_is_an_error(upload, dump, last):
    before = dump()
    rows = ("2024-03-04;buy;FJORD.DEMO;10;100", last)
    response = upload(data=text("date;type;ticker;quantity;price", *rows))
    assert response.status_code == 422
    assert {one["row"] for one in response.json()["errors"]} == {3}
    assert dump() == before


def test_two_columns_of_ours_in_one_of_theirs_are_refused_so_that_neither_is_lost(upload, dump):
    data = text(
        "Tag;Art;Papier;Antall;Kurs;Gebyr;Navn", "04.03.2024;buy;FJORD.DEMO;10;100,50;29,50;Fjord"
    )
    mapping = {
        "date": "Tag",
        "type": "Art",
        "ticker": "Papier",
        "quantity": "Antall",
        "price": "Kurs",
    }
    before = dump()
    for twice_mapped in (
        {"commission": "Gebyr", "note": "Gebyr"},
        {"note": " Gebyr", "commission": "Gebyr "},
    ):
        response = upload(data=data, mapping=json.dumps(mapping | twice_mapped))
        assert response.status_code == 422
        [error] = response.json()["errors"]
        assert (error["attr"], error["code"]) == ("file", "unknown_format")
        assert (
            error["detail"]
            == "The mapping uses the column Gebyr for commission and note. Use it for only one of them."
        )
    assert dump() == before
    body = upload.done(
        data=data, mapping=json.dumps(mapping | {"commission": "Gebyr", "company_name": "Navn"})
    )
    assert (body["created"], Transaction.objects.get().commission) == (1, D("29.5"))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"mapping": '{"date": "Tag"}'}, ("unknown_format", "file")),
        ({"mapping": '{"day": "Day"}'}, ("unknown_format", "file")),
        ({"mapping": "[1]"}, ("invalid", "mapping")),
        ({"mapping": "{"}, ("invalid", "mapping")),
        ({"format": "mapped"}, ("required", "mapping")),
        ({"instruments": '{"X": 1}'}, ("invalid", "instruments")),
        ({"instruments": '{"X": "A B"}'}, ("invalid", "instruments")),
    ],
)
def test_a_mapping_or_a_choice_that_cannot_be_used_is_refused(upload, fields, error):
    response = upload("2024-01-02,buy,FJORD.DEMO,1,1", **fields)
    assert response.status_code == 422
    assert [(one["code"], one["attr"]) for one in response.json()["errors"]] == [error]


BANK = text(
    "Kontoutskrift",
    "Dag;Hva;ISIN;Kode;Antall;Beløp",
    "04.03.2024;Kjøp;NO0010096985;;10;-2 500,00",
    "05.03.2024;Salg;;FJORD;4;1 100,50",
    "06.03.2024;Innskudd;;;;5 000,00",
    "07.03.2024;Påminnelse;;;;0",
    "08.03.2024;Rebalansering;;FJORD;1;10,00",
)
BANKS_COLUMNS = {
    "date": "Dag",
    "type": "Hva",
    "isin": "ISIN",
    "ticker": "Kode",
    "quantity": "Antall",
    "amount": "Beløp",
}
BANKS_WORDS = {"Kjøp": "buy", "salg": "sell", "Innskudd": "deposit", "Påminnelse": "ignore"}


def test_words_instruments_and_amounts_of_a_table_get_their_meaning(upload):
    mapping = {
        "columns": BANKS_COLUMNS,
        "types": BANKS_WORDS,
        "currency": "NOK",
        "ticker_suffix": ".DEMO",
        "skip": 1,
    }
    body = upload.done(
        data=BANK,
        on_error="skip",
        mapping=json.dumps(mapping),
        instruments=json.dumps({"NO0010096985": "FJORD.DEMO"}),
    )
    assert (body["rows"], body["created"], body["ignored"], body["failed"]) == (5, 3, 1, 1)
    assert [(one["row"], one["code"]) for one in body["errors"]] == [(7, "unknown_type")]
    assert body["ignored_sums"] == [
        {"type": "Påminnelse", "currency": "", "count": 1, "amount": "0"}
    ]
    rows = Transaction.objects.order_by("sequence")
    assert [(row.type, row.quantity, row.price, row.settlement_amount) for row in rows] == [
        ("buy", 10, 250, -2500),
        ("sell", 4, D("275.125"), D("1100.5")),
        ("deposit", 1, 5000, 5000),
    ]


def test_price_and_amount_must_agree_with_or_without_the_charges(upload):
    data = text(
        "day,what,code,number,price,fee,sum",
        "2024-03-04,buy,FJORD.DEMO,10,100.00,5,1005",
        "2024-03-05,buy,FJORD.DEMO,10,100.00,5,1000",
        "2024-03-06,buy,FJORD.DEMO,10,100.00,5,1010",
    )
    columns = {
        "date": "day",
        "type": "what",
        "ticker": "code",
        "quantity": "number",
        "price": "price",
        "commission": "fee",
        "amount": "sum",
    }
    body = upload.done(data=data, on_error="skip", mapping=json.dumps({"columns": columns}))
    assert [(one["row"], one["code"]) for one in body["errors"]] == [(4, "amount_differs")]
    assert [row.settlement_amount for row in Transaction.objects.all()] == [-1005, -1005]


@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        ({"columns": {}, "colums": {}}, "unknown_field"),
        ({"columns": {"day": "Dag"}}, "unknown_field"),
        ({"types": {"Kjøp": "bought"}}, "invalid"),
        ({"types": {" ": "buy"}}, "invalid"),
        ({"skip": -1}, "invalid"),
        ({"decimal": "dot"}, "invalid"),
        ({"ticker_suffix": "OL"}, "invalid"),
        ({"currency": "NOKK"}, "unknown_currency"),
    ],
)
def test_what_a_mapping_does_not_know_it_refuses(upload, mapping, code):
    response = upload(data=BANK, mapping=json.dumps(mapping))
    assert response.status_code == 422
    assert [(one["code"], one["attr"]) for one in response.json()["errors"]] == [(code, "mapping")]


SCALABLE = (
    "date;time;status;reference;description;assetType;type;isin;shares;price;amount;fee;tax;currency",
    "2024-03-04;09:00:00;Executed;S1;;Cash;Deposit;;;;1000;0;0;EUR",
    "2024-03-05;09:00:00;Executed;S2;;Cash;Treuebonus;;;;12,50;0;0;EUR",
    "2024-03-06;09:00:00;Executed;S3;Atlas;Security;Umtausch;US0000000011;10;;-500;0;0;EUR",
    "2024-03-07;09:00:00;Executed;S4;;Cash;Hinweis;;;;0;0;0;EUR",
)


def test_a_brokers_unknown_words_are_read_as_a_person_says(account):
    upload = account("EUR")
    data = text(*SCALABLE)
    refused = upload(data=data, dry_run="true", on_error="skip").json()
    assert [one["value"] for one in refused["errors"]] == ["Treuebonus", "Umtausch", "Hinweis"]
    types = {"treuebonus": "deposit", "UMTAUSCH": "buy", "Hinweis": "ignore"}
    body = upload.done(
        data=data,
        mapping=json.dumps({"types": types}),
        instruments=json.dumps({"US0000000011": "ATLAS.EUR.DEMO"}),
    )
    assert (body["format"], body["created"], body["ignored"]) == ("scalable", 3, 1)
    rows = Transaction.objects.order_by("sequence")
    assert [(row.type, row.quantity, row.price, row.settlement_amount) for row in rows] == [
        ("deposit", 1, 1000, 1000),
        ("deposit", 1, D("12.5"), D("12.5")),
        ("buy", 10, 50, -500),
    ]


def test_a_table_of_several_accounts_is_read_one_account_at_a_time(upload):
    data = text(
        "day,what,code,number,price,depot",
        "2024-03-04,buy,FJORD.DEMO,10,100,A",
        "2024-03-05,buy,FJORD.DEMO,3,100,B",
        "2024-03-06,buy,FJORD.DEMO,7,100,",
    )
    columns = {"date": "day", "type": "what", "ticker": "code", "quantity": "number"}
    columns |= {"price": "price", "account": "depot"}
    mapping = json.dumps({"columns": columns})
    refused = upload(data=data, mapping=mapping).json()
    assert (refused["errors"][0]["code"], refused["accounts"]) == ("several_accounts", ["A", "B"])
    body = upload.done(data=data, mapping=mapping, account="B", on_error="skip")
    assert (body["rows"], body["created"], body["failed"]) == (2, 1, 1)
    assert held()["FJORD.DEMO"][0] == 3
