"""DEGIRO files through the REST API."""

from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import (
    choices,
    faults,
    held,
    ledger,
    rounded,
    text,
    twice,
)
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db


DEGIRO = "Datum,Tijd,Valutadatum,Product,ISIN,Omschrijving,FX,Mutatie,,Saldo,,Order Id"
ORDER = "0b1f7d5e-0000-4000-8000-00000000000"
ATLAS = "ATLAS INC,US0000000011"


def test_degiro_in_dutch_with_an_exchange_of_currencies_and_two_fills(account):
    upload = account("EUR")
    data = text(
        DEGIRO,
        '03-06-2024,08:00,31-05-2024,,,Flatex Interest Income,,EUR,"0,12",EUR,"10,12",',
        f'16-05-2024,07:30,15-05-2024,{ATLAS},Dividendbelasting,,USD,"-0,45",USD,"2,55",',
        f'16-05-2024,07:30,15-05-2024,{ATLAS},Dividend,,USD,"3,00",USD,"3,00",',
        f'04-03-2024,15:31,04-03-2024,{ATLAS},Valuta Creditering,"1,0800",USD,"324,00",USD,"0,00",{ORDER}1',
        f'04-03-2024,15:31,04-03-2024,{ATLAS},Valuta Debitering,,EUR,"-300,00",EUR,"500,00",{ORDER}1',
        f'04-03-2024,15:31,04-03-2024,{ATLAS},DEGIRO Transactiekosten en/of kosten van derden,,EUR,"-2,00",EUR,"1",{ORDER}1',
        f'04-03-2024,15:31,04-03-2024,{ATLAS},"Koop 1 @ 108 USD",,USD,"-108,00",USD,"-324,00",{ORDER}1',
        f'04-03-2024,15:31,04-03-2024,{ATLAS},"Koop 2 @ 108 USD",,USD,"-216,00",USD,"-216,00",{ORDER}',
        ",,,,,,,,,,,1",
        '01-03-2024,10:00,01-03-2024,,,iDEAL Deposit,,EUR,"1.000,00",EUR,"1.000,00",',
    )
    body = upload.done(data=data, instruments=choices(US0000000011="ATLAS.USD.DEMO"))
    assert (body["format"], body["created"], body["ignored"]) == ("degiro", 4, 5)
    first, second, *_ = ledger()
    assert (first[:2], second[:2]) == (("buy", 2), ("buy", 1))
    assert first[5] == f"{ORDER}1:2024-03-04T15:31:2@108"
    assert second[5] == f"{ORDER}1:2024-03-04T15:31:1@108"
    quantity, _, cost, *_ = rounded(held()["ATLAS.USD.DEMO"])
    assert (quantity, cost) == (
        3,
        D("302.00"),
    )  # 324 USD were bought for 300 EUR, and 2 EUR of fees
    twice(upload, data)


def test_degiro_in_english_with_pence_a_split_and_a_reversed_dividend(account):
    upload = account("GBP")
    data = text(
        "Date,Time,Value date,Product,ISIN,Description,FX,Change,,Balance,,Order Id",
        "02-07-2024,09:00,02-07-2024,HARBOUR,GB0000000021,Sell 10 HARBOUR@300 GBX (GB0000000021),,GBP,30.00,GBP,31.00,b",
        "10-06-2024,08:01,10-06-2024,HARBOUR,GB0000000021,STOCK SPLIT: Buy 40 HARBOUR@250 GBX,,GBP,-100.00,GBP,1.00,",
        "10-06-2024,08:01,10-06-2024,HARBOUR,GB0000000021,STOCK SPLIT: Sell 20 HARBOUR@500 GBX,,GBP,100.00,GBP,101.00,",
        "05-06-2024,08:01,05-06-2024,HARBOUR,GB0000000021,Dividend,,GBP,-1.50,GBP,1.00,",
        "04-06-2024,08:01,04-06-2024,HARBOUR,GB0000000021,Dividend,,GBP,1.50,GBP,2.50,",
        "01-03-2024,09:00,01-03-2024,HARBOUR,GB0000000021,Buy 20 HARBOUR@496 GBX (GB0000000021),,GBP,-99.20,GBP,1.00,a",
    )
    body = upload.done(data=data, instruments=choices(GB0000000021="HARBOUR.GBP.DEMO"))
    assert (body["created"], body["ignored"]) == (3, 3)
    # 20 at 4.96 become 40 at 2.48; 10 sold at 3
    assert held()["HARBOUR.GBP.DEMO"] == (30, D("2.48"), D("74.4"), D("5.2"), 0, 0)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("14-09-2023,06:32,13-09-2023,X,NL0000000031,,,EUR,9.57,EUR,33.96,", "unknown_type"),
        (
            "14-09-2023,06:32,13-09-2023,X,NL0000000031,Iets nieuws,,EUR,9.57,EUR,33.96,",
            "unknown_type",
        ),
        (
            "14-09-2023,06:32,13-09-2023,X,NL0000000031,Buy 2 X@10 EUR,,EUR,-30.00,EUR,33.96,",
            "amount_mismatch",
        ),
        (
            "14-09-2023,06:32,13-09-2023,X,NL0000000031,MERGER: Buy 2 X@10 EUR,,EUR,-20.00,EUR,33.96,",
            "unpaired_action",
        ),
    ],
)
def test_degiro_rows_that_cannot_be_read_are_errors(account, line, code):
    body = account("EUR")(data=text(DEGIRO, line)).json()
    assert [error["code"] for error in body["errors"]] == [code]


# Two fills of one order, one in each year, and the fees of each.
FJORD = "FJORD,NO0000000021"
IN_2023 = [
    f'29-12-2023,17:10,29-12-2023,{FJORD},DEGIRO Transactiekosten en/of kosten van derden,,EUR,"-3,00",EUR,"657,00",{ORDER}5',
    f'29-12-2023,17:10,29-12-2023,{FJORD},"Koop 34 @ 10,00 EUR",,EUR,"-340,00",EUR,"660,00",{ORDER}5',
]
IN_2024 = [
    f'02-01-2024,09:10,02-01-2024,{FJORD},DEGIRO Transactiekosten en/of kosten van derden,,EUR,"-1,00",EUR,"616,00",{ORDER}5',
    f'02-01-2024,09:10,02-01-2024,{FJORD},"Koop 4 @ 10,00 EUR",,EUR,"-40,00",EUR,"617,00",{ORDER}5',
]
KNOWN_FJORD = choices(NO0000000021="FJORD.EUR.DEMO")


@pytest.mark.parametrize(
    ("files", "duplicates"),
    [
        ([IN_2023, IN_2024], [0, 0]),
        ([IN_2024, IN_2023], [0, 0]),
        ([IN_2023, IN_2024 + IN_2023], [0, 1]),
        ([IN_2024, IN_2024 + IN_2023], [0, 1]),
        ([IN_2024 + IN_2023], [0]),
    ],
    ids=["one after the other", "the newer first", "older, whole", "newer, whole", "whole"],
)
def test_degiros_fills_of_one_order_in_two_files_are_all_booked_once(account, files, duplicates):
    upload = account("EUR")
    bodies = [upload.done(data=text(DEGIRO, *file), instruments=KNOWN_FJORD) for file in files]
    assert [body["duplicates"] for body in bodies] == duplicates
    # 340 and a fee of 3, 40 and a fee of 1
    assert rounded(held()["FJORD.EUR.DEMO"])[:3] == (38, D("10.11"), 384)
    assert sorted(ledger()) == [
        ("buy", 4, 10, 1, 1, f"{ORDER}5:2024-01-02T09:10:4@10"),
        ("buy", 34, 10, 3, 1, f"{ORDER}5:2023-12-29T17:10:34@10"),
    ]
    for file in files:
        twice(upload, text(DEGIRO, *file))


def test_degiros_equal_fills_of_one_minute_are_all_booked(account):
    fill = f'02-01-2024,09:10,02-01-2024,{FJORD},"Koop 4 @ 10,00 EUR",,EUR,"-40,00",EUR,"616,00",{ORDER}6'
    upload = account("EUR")
    assert upload.done(data=text(DEGIRO, fill, fill), instruments=KNOWN_FJORD)["created"] == 2
    assert [row[5] for row in ledger()] == [
        f"{ORDER}6:2024-01-02T09:10:4@10",
        f"{ORDER}6:2024-01-02T09:10:4@10:2",
    ]
    twice(upload, text(DEGIRO, fill, fill))


def test_degiro_fills_imported_under_former_ids_are_recognised(account, dump):
    upload = account("EUR")
    whole = text(DEGIRO, *IN_2024, *IN_2023)
    upload.done(data=whole, instruments=KNOWN_FJORD)
    # As it was: named after the order, in the order of the file, and all fees with the first.
    for row, name, fee in zip(
        Transaction.objects.order_by("date"), (f"{ORDER}5", f"{ORDER}5:2"), (4, 0), strict=True
    ):
        row.external_id, row.imported_as = name, f"{row.imported_as.rpartition('|')[0]}|{fee}"
        row.save(update_fields=["external_id", "imported_as"])
    before = dump()
    for file, count in ((whole, 2), (text(DEGIRO, *IN_2024), 1), (text(DEGIRO, *IN_2023), 1)):
        again = upload(data=file)
        assert (again.status_code, again.json()["created"], again.json()["duplicates"]) == (
            200,
            0,
            count,
        )
    assert dump() == before


@pytest.mark.parametrize("imported_as", [None, ""], ids=["as imported", "as it is"])
def test_degiro_fills_with_former_ids_from_an_export_are_recognised(account, imported_as, dump):
    upload = account("EUR")
    upload.done(f"2023-12-29,buy,FJORD.EUR.DEMO,34,10,4,EUR,,,{ORDER}5")
    if imported_as is not None:
        Transaction.objects.update(imported_as=imported_as)
    before = dump()
    again = upload(data=text(DEGIRO, *IN_2023), instruments=KNOWN_FJORD)
    assert (again.status_code, again.json()["created"], again.json()["duplicates"]) == (200, 0, 1)
    assert dump() == before


def test_degiros_fill_that_the_ids_of_before_took_for_another_is_booked_now(account):
    upload = account("EUR")
    upload.done(data=text(DEGIRO, *IN_2023), instruments=KNOWN_FJORD)
    Transaction.objects.update(external_id=f"{ORDER}5")
    assert upload.done(data=text(DEGIRO, *IN_2024))["created"] == 1
    assert held()["FJORD.EUR.DEMO"][::2] == (38, 384, 0)


@pytest.mark.parametrize(
    ("line", "column", "row"),
    [
        (3, "change", "10-06-2024,08:01,10-06-2024,HARBOUR,GB0000000021,STOCK SPLIT: Sell 20 HARBOUR@500 GBX,,GBP,n/a,GBP,100.80,"),
        (5, "balance", "04-06-2024,08:01,04-06-2024,HARBOUR,GB0000000021,Dividend,,GBP,1.50,GBP,n/a,"),
    ],
)  # fmt: skip
def test_an_unreadable_figure_of_an_ignored_row_is_an_error_of_that_row(account, line, column, row):
    lines = [
        "Date,Time,Value date,Product,ISIN,Description,FX,Change,,Balance,,Order Id",
        "10-06-2024,08:01,10-06-2024,HARBOUR,GB0000000021,STOCK SPLIT: Buy 40 HARBOUR@250 GBX,,GBP,-100.00,GBP,0.80,",
        "10-06-2024,08:01,10-06-2024,HARBOUR,GB0000000021,STOCK SPLIT: Sell 20 HARBOUR@500 GBX,,GBP,100.00,GBP,100.80,",
        "05-06-2024,08:01,05-06-2024,HARBOUR,GB0000000021,Dividend,,GBP,-1.50,GBP,0.80,",
        "04-06-2024,08:01,04-06-2024,HARBOUR,GB0000000021,Dividend,,GBP,1.50,GBP,2.30,",
        "01-03-2024,09:00,01-03-2024,HARBOUR,GB0000000021,Buy 20 HARBOUR@496 GBX (GB0000000021),,GBP,-99.20,GBP,0.80,a",
    ]
    lines[line - 1] = row
    response = account("GBP")(
        data=text(*lines), instruments=choices(GB0000000021="HARBOR.GBX.DEMO")
    )
    assert response.status_code == 422
    assert faults(response.json()) == [(line, column, "invalid")]
    assert Transaction.objects.count() == 0
