"""Avanza files through the REST API."""

from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import choices, held, rounded, text, twice
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db


AVANZA = (
    "Datum;Konto;Typ av transaktion;Värdepapper/beskrivning;Antal;Kurs;Belopp;Transaktionsvaluta;Courtage (SEK);"
    "Valutakurs;Instrumentvaluta;ISIN;Resultat"
)


def test_avanza(account):
    upload = account("SEK")
    data = text(
        AVANZA,
        "2024-05-20;77;Ränta;;;;1,50;SEK;;;;;",
        "2024-05-10;77;Utdelning;Atlas Inc;4;0,50;21,00;SEK;;1;USD;US0000000011;",
        "2024-04-02;77;Sälj;Skogen A;-40;130,50;5181;SEK;39;;SEK;SE0000000012;1000",
        "2024-03-04;77;Köp;Atlas Inc;4;100,00;-4239;SEK;39;10,50;USD;US0000000011;",
        "2024-02-01;77;Köp;Skogen A;100;110,25;-11064;SEK;39;;SEK;SE0000000012;",
        "2024-01-15;77;Insättning;Insättning;;;20000;SEK;;;;;",
    )
    body = upload.done(
        data=data,
        instruments=choices(US0000000011="ATLAS.USD.DEMO", SE0000000012="SKOGEN.SEK.DEMO"),
    )
    assert (body["format"], body["created"], body["ignored"]) == ("avanza", 4, 2)
    assert [one["type"] for one in body["ignored_sums"]] == ["insättning", "ränta"]
    # 100 at 110.25 and 39: 110.64; 40 sold for 5220 - 39
    assert held()["SKOGEN.SEK.DEMO"] == (60, D("110.64"), D("6638.4"), D("755.4"), 0, 0)
    # (400 + 39/10.5) x 10.5; the dividend's rate is in its amount: 21 / 2
    assert rounded(held()["ATLAS.USD.DEMO"]) == (4, D("100.93"), 4239, 0, 21, 0)
    twice(upload, data)


def test_avanza_turning_one_fund_into_another_is_refused_where_the_cost_is_unknown(account):
    data = text(
        AVANZA,
        "2024-03-10;77;Övrigt;Ny Fond;3,5;;;;;;;SE0000000013;",
        "2024-03-10;77;Övrigt;Gammal Fond;-3,5;;;;;;;SE0000000014;",
        "2024-02-01;77;Köp;Gammal Fond;3,5;100,00;-350;SEK;0;;SEK;SE0000000014;",
    )
    known = choices(SE0000000013="NY.SEK.DEMO", SE0000000014="GAMMAL.SEK.DEMO")
    body = account("SEK").done(data=data, instruments=known, on_error="skip")
    assert [(error["row"], error["column"], error["code"]) for error in body["errors"]] == [
        (2, "price", "required")
    ]
    assert held()["GAMMAL.SEK.DEMO"][0] == 0


AVANZA_2025 = AVANZA.replace("Courtage (SEK)", "Courtage")


def test_avanza_since_2025_has_its_commission_in_the_currency_of_the_transaction(account):
    upload = account("SEK")
    data = text(
        AVANZA_2025,
        "2025-12-31;77;Preliminärskatt kapitalränta;;;;-0,73;SEK;;;;;",
        "2025-12-31;77;Inlåningsränta;;;;2,44;SEK;;;;;",
        "2025-10-14;77;ADR-avgift;ADR ARM.O 2025-08-27;;;-3,8;SEK;;;;;",
        "2025-10-10;77;Köp;Kodiak AI;190;9,22;-16772,74;SEK;57,25;9,541895;USD;US0000000011;",
        "2025-10-09;77;Köp;Skogsfonden;0,332;225,8516;-74,98;SEK;;;SEK;SE0000000012;",
        "2025-10-01;77;Autogiroinsättning;Autogiroinsättning;;;20000;SEK;;;;;",
    )
    known = choices(US0000000011="ATLAS.USD.DEMO", SE0000000012="SKOGEN.SEK.DEMO")
    body = upload.done(data=data, instruments=known)
    assert (body["format"], body["created"], body["ignored"], body["errors"]) == (
        "avanza",
        2,
        4,
        [],
    )
    assert {one["type"]: one["amount"] for one in body["ignored_sums"]} == {
        "autogiroinsättning": "20000", "adr-avgift": "-3.8", "inlåningsränta": "2.44",
        "preliminärskatt kapitalränta": "-0.73",
    }  # fmt: skip
    # 190 x 9.22 x 9.541895 + 57.25
    assert held()["ATLAS.USD.DEMO"][2].quantize(D("0.01")) == D("16772.74")
    assert Transaction.objects.get(quantity=190).commission.quantize(D("0.000001")) == D(
        "5.999856"
    )  # in dollars
    assert held()["SKOGEN.SEK.DEMO"][2].quantize(D("0.01")) == D("74.98")
    twice(upload, data)


def test_avanza_in_dollars_has_its_commission_in_dollars_since_2025(account):
    line = "2025-10-10;77;Köp;Kodiak AI;10;9,00;-96;USD;6,00;;USD;US0000000011;"
    account("USD").done(
        data=text(AVANZA_2025, line), instruments=choices(US0000000011="ATLAS.USD.DEMO")
    )
    assert held()["ATLAS.USD.DEMO"][:3] == (10, D("9.6"), 96)


@pytest.mark.parametrize("column", ["Avgift", "Courtage;Courtage (SEK)"])
def test_an_avanza_file_without_exactly_one_known_column_of_commissions_is_of_no_known_format(
    account, dump, column
):
    line = (
        "2025-10-10;77;Köp;Skogen A;1;9,22;-66,47;SEK;57,25;;SEK;SE0000000012;"
        + ";" * column.count(";")
    )
    upload = account("SEK")
    before = dump()
    response = upload(data=text(AVANZA_2025.replace("Courtage", column), line))
    assert (response.status_code, response.json()["errors"][0]["code"]) == (422, "unknown_format")
    assert dump() == before


@pytest.mark.parametrize("header", [AVANZA, AVANZA_2025])
@pytest.mark.parametrize(
    "line",
    [
        "2025-10-14;77;Köp;Skogen A;100;110,25;11064;SEK;39;;SEK;SE0000000012;",
        "2025-10-14;77;Köp;Skogen A;-100;110,25;11064;SEK;39;;SEK;SE0000000012;",
        "2025-10-14;77;Sälj;Skogen A;-40;130,50;-5181;SEK;39;;SEK;SE0000000012;",
        "2025-10-14;77;Sälj;Skogen A;40;1,50;-21;SEK;39;;SEK;SE0000000012;",
        "2025-10-14;77;Utdelning;Skogen A;-60;2,50;-150;SEK;;;SEK;SE0000000012;",
        "2025-10-14;77;Utdelning;Atlas Inc;4;0,50;-21,00;SEK;;;USD;US0000000011;",
        "2025-10-14;77;Utländsk källskatt;Utdelning ATL.K;4;;3,15;SEK;;;USD;US0000000011;",
    ],
)
def test_a_payment_that_avanza_takes_back_is_an_error_and_never_a_second_payment(
    account, dump, header, line
):
    upload = account("SEK")
    known = choices(US0000000011="ATLAS.USD.DEMO", SE0000000012="SKOGEN.SEK.DEMO")
    first = "2025-10-10;77;Köp;Skogen A;100;110,25;-11064;SEK;39;;SEK;SE0000000012;"
    before = dump()
    response = upload(data=text(header, line, first), instruments=known)
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert (error["row"], error["column"], error["code"]) == (2, "Belopp", "unpaired_reversal")
    assert "reverses all or part of an earlier one" in error["detail"]
    assert "skip this row" in error["detail"]
    assert dump() == before
    upload.done(data=text(header, line, first), instruments=known, on_error="skip")
    assert held() == {"SKOGEN.SEK.DEMO": (100, D("110.64"), 11064, 0, 0, 0)}


def test_avanza_shares_sold_for_less_than_the_commission_are_a_sale(account):
    data = text(
        AVANZA_2025,
        "2025-10-14;77;Sälj;Skogen A;-40;0,50;-19;SEK;39;;SEK;SE0000000012;",
        "2025-10-10;77;Köp;Skogen A;100;1,00;-100;SEK;;;SEK;SE0000000012;",
    )
    account("SEK").done(data=data, instruments=choices(SE0000000012="SKOGEN.SEK.DEMO"))
    assert held()["SKOGEN.SEK.DEMO"] == (60, 1, 60, -59, 0, 0)  # 20 - 39, and their cost of 40


@pytest.mark.parametrize("header", [AVANZA, AVANZA_2025])
@pytest.mark.parametrize(
    "line",
    [
        "2025-10-10;77;Köp;Atlas Inc;190;9,22;-1751,80;USD;;;USD;US0000000011;",
        "2025-10-10;77;Sälj;Atlas Inc;-190;9,22;1751,80;USD;;;USD;US0000000011;",
    ],
)
def test_a_foreign_trade_that_avanza_has_not_settled_is_an_error_until_it_is(
    account, dump, header, line
):
    upload = account("SEK")
    known = choices(US0000000011="ATLAS.USD.DEMO", SE0000000012="SKOGEN.SEK.DEMO")
    other = "2025-10-09;77;Köp;Skogen A;100;110,25;-11064;SEK;39;;SEK;SE0000000012;"
    before = dump()
    response = upload(data=text(header, line, other), instruments=known)
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert (error["row"], error["column"], error["code"]) == (2, "Valutakurs", "not_settled")
    assert "Export the file again in a few days" in error["detail"]
    assert dump() == before
    settled = "2025-10-10;77;Köp;Atlas Inc;190;9,22;-16772,74;SEK;57,25;9,541895;USD;US0000000011;"
    assert (
        upload.done(data=text(header, line, other), instruments=known, on_error="skip")["created"]
        == 1
    )
    assert upload.done(data=text(header, settled, other), instruments=known)["created"] == 1
    assert held()["ATLAS.USD.DEMO"][2].quantize(D("0.01")) == D("16772.74")
