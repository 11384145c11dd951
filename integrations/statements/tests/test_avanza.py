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
    assert (body["format"], body["created"], body["ignored"]) == ("avanza", 6, 0)
    money = Transaction.objects.filter(holding=None).order_by("date")
    assert list(money.values_list("type", "settlement_amount")) == [
        ("deposit", 20000),
        ("interest", D("1.5")),
    ]
    # 100 at 110.25 and 39: 110.64; 40 sold for 5220 - 39
    assert held()["SKOGEN.SEK.DEMO"] == (60, D("110.64"), D("6638.4"), D("755.4"), 0, 0)
    # (400 + 39/10.5) x 10.5; the dividend's rate is in its amount: 21 / 2
    assert rounded(held()["ATLAS.USD.DEMO"]) == (4, D("100.93"), 4239, 0, 21, 0)
    twice(upload, data)


def test_avanza_turning_one_fund_into_another_is_an_exchange(account):
    data = text(
        AVANZA,
        "2024-03-10;77;Övrigt;Ny Fond;7;;;;;;;SE0000000013;",
        "2024-03-10;77;Övrigt;Gammal Fond;-3,5;;;;;;;SE0000000014;",
        "2024-02-01;77;Köp;Gammal Fond;3,5;100,00;-350;SEK;0;;SEK;SE0000000014;",
    )
    known = choices(SE0000000013="NY.SEK.DEMO", SE0000000014="GAMMAL.SEK.DEMO")
    body = account("SEK").done(data=data, instruments=known)
    assert (body["failed"], body["groups_created"]) == (0, 1)
    assert held()["GAMMAL.SEK.DEMO"][0] == 0
    assert held()["NY.SEK.DEMO"][:3] == (7, 50, 350)


def test_avanzas_splits_with_one_isin_or_two(account):
    bought = "2024-02-01;77;Köp;{};4;100,00;-400;SEK;0;;SEK;{};"
    data = text(
        AVANZA,
        "2024-03-10;77;Övrigt;Skogen A;20;;;;;;;SE0000000012;",
        "2024-03-10;77;Övrigt;Skogen A;-4;;;;;;;SE0000000012;",
        "2024-03-10;77;Övrigt;Hexan B;8;;;;;;;SE0000000013;",
        "2024-03-10;77;Övrigt;Hexan B;-4;;;;;;;SE0000000014;",
        bought.format("Hexan B", "SE0000000014"),
        bought.format("Skogen A", "SE0000000012"),
    )
    known = choices(
        SE0000000012="SKOGEN.SEK.DEMO", SE0000000013="HEX.SEK.DEMO", SE0000000014="HEX.SEK.DEMO"
    )
    upload = account("SEK")
    body = upload.done(data=data, instruments=known)
    # The new ISIN of Hexan is that of the same ticker, so the exchange is a split.
    assert (body["created"], body["ignored"], body["groups_created"]) == (4, 2, 0)
    assert held()["SKOGEN.SEK.DEMO"][:3] == (20, 20, 400)
    assert held()["HEX.SEK.DEMO"][:3] == (8, 50, 400)
    twice(upload, data)


def test_two_funds_that_change_on_one_day_are_two_exchanges(account):
    data = text(
        AVANZA,
        "2024-03-10;77;Byte;Alfa C;7;;;;;;;SE0000000013;",
        "2024-03-10;77;Byte;Alfa A;-4;;;;;;;SE0000000014;",
        "2024-03-10;77;Byte;Beta C;9;;;;;;;SE0000000015;",
        "2024-03-10;77;Byte;Beta A;-4;;;;;;;SE0000000012;",
        "2024-02-01;77;Köp;Alfa A;4;100,00;-400;SEK;0;;SEK;SE0000000014;",
        "2024-02-01;77;Köp;Beta A;4;50,00;-200;SEK;0;;SEK;SE0000000012;",
    )
    known = choices(
        SE0000000012="B1.SEK.DEMO",
        SE0000000013="A2.SEK.DEMO",
        SE0000000014="A1.SEK.DEMO",
        SE0000000015="B2.SEK.DEMO",
    )
    body = account("SEK").done(data=data, instruments=known)
    assert (body["groups_created"], body["failed"]) == (2, 0)
    assert (held()["A2.SEK.DEMO"][2], held()["B2.SEK.DEMO"][2]) == (400, 200)


def test_shares_that_avanza_redeems_or_brings_for_money_are_trades(account):
    data = text(
        AVANZA,
        "2024-03-12;77;Tilldelning;Skogen TR;10;;;;;;;SE0000000013;",
        "2024-03-11;77;Övrigt;Skogen A;-4;30,00;120;SEK;0;;SEK;SE0000000012;",
        "2024-03-10;77;Nyemission;Skogen A;10;20,00;-200;SEK;0;;SEK;SE0000000012;",
    )
    known = choices(SE0000000012="SKOGEN.SEK.DEMO", SE0000000013="TR.SEK.DEMO")
    body = account("SEK").done(data=data, instruments=known)
    assert (body["created"], body["failed"]) == (3, 0)
    assert held()["SKOGEN.SEK.DEMO"][:4] == (6, 20, 120, 40)
    assert held()["TR.SEK.DEMO"][:3] == (10, 0, 0)


def test_an_unknown_word_of_avanza_means_what_a_person_says(account):
    line = "2024-03-10;77;Tackbrev;Skogen A;5;2,00;10;SEK;;;SEK;SE0000000012;"
    upload = account("SEK")
    known = choices(SE0000000012="SKOGEN.SEK.DEMO")
    words = '{"types": {"tackbrev": "dividend"}}'
    assert upload(data=text(AVANZA, line), instruments=known).json()["failed"] == 1
    body = upload.done(data=text(AVANZA, line), instruments=known, mapping=words)
    assert (body["created"], held()["SKOGEN.SEK.DEMO"][4]) == (1, 10)


def test_shares_that_come_to_avanza_have_a_cost_that_is_not_known(account):
    data = text(AVANZA, "2024-03-10;77;Värdepappersöverföring;Skogen A;5;;;;;;;SE0000000012;")
    body = account("SEK").done(data=data, instruments=choices(SE0000000012="SKOGEN.SEK.DEMO"))
    assert [one["code"] for one in body["warnings"]] == ["cost_unknown"]
    assert held()["SKOGEN.SEK.DEMO"][0] == 5


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
        6,
        0,
        [],
    )
    money = Transaction.objects.filter(holding=None).order_by("date", "sequence")
    assert sorted(money.values_list("type", "settlement_amount")) == [
        ("deposit", 20000),
        ("fee", D("-3.8")),
        ("interest", D("2.44")),
        ("tax", D("-0.73")),
    ]
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
        "2025-10-14;77;Köp;Skogen A;50;110,25;5532;SEK;39;;SEK;SE0000000012;",
        "2025-10-14;77;Köp;Skogen A;-50;110,25;5532;SEK;39;;SEK;SE0000000012;",
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


@pytest.mark.parametrize("quantity", ["100", "-100"])
def test_a_purchase_and_its_reversal_are_neither(account, quantity):
    data = text(
        AVANZA_2025,
        f"2025-10-14;77;Köp;Skogen A;{quantity};110,25;11064;SEK;39;;SEK;SE0000000012;",
        "2025-10-10;77;Köp;Skogen A;100;110,25;-11064;SEK;39;;SEK;SE0000000012;",
        "2025-10-09;77;Köp;Skogen A;10;110,00;-1100;SEK;;;SEK;SE0000000012;",
    )
    body = account("SEK").done(data=data, instruments=choices(SE0000000012="SKOGEN.SEK.DEMO"))
    assert (body["created"], body["ignored"]) == (1, 2)
    assert held()["SKOGEN.SEK.DEMO"][:3] == (10, 110, 1100)


AVANZA_2021 = (
    "Datum;Konto;Typ av transaktion;Värdepapper/beskrivning;Antal;Kurs;Belopp;Courtage;Valuta;ISIN;"
    "Resultat"
)


def test_avanza_until_2023_gives_no_currency_of_the_price(account):
    data = text(
        AVANZA_2021,
        "2021-06-03;77;Utländsk källskatt 15%;Atlas Inc;10;-;-2,84;-;SEK;US0000000011;-",
        "2021-06-03;77;Utdelning;Atlas Inc;10;0,22;18,94;-;SEK;US0000000011;-",
        "2021-05-20;77;Split;Skogen A;-10;-;-;-;SEK;SE0000000012;-",
        "2021-05-20;77;Split;Skogen A;40;-;-;-;SEK;SE0000000012;-",
        "2021-05-03;77;Köp;Atlas Inc;10;132,54;-11176,65;39;SEK;US0000000011;-",
        "2021-05-02;77;Köp;Skogen A;10;200,10;-2040,00;39;SEK;SE0000000012;-",
        "2021-05-01;77;Övrigt;Avkastningsskatt;-;-;-50;-;SEK;-;-",
        "2021-05-01;77;Insättning;Insättning;-;-;20000;-;SEK;-;-",
    )
    known = choices(US0000000011="ATLAS.USD.DEMO", SE0000000012="SKOGEN.SEK.DEMO")
    body = account("SEK").done(data=data, instruments=known)
    assert (body["created"], body["ignored"], body["failed"]) == (7, 1, 0)
    # (2,001 + 39) / 40
    assert held()["SKOGEN.SEK.DEMO"][:3] == (40, 51, 2040)
    # The rate is in the amount: (11,176.65 - 39) / 1,325.40
    trade = Transaction.objects.get(type="buy", quantity=10, price=D("132.54"))
    assert trade.exchange_rate.quantize(D("0.0001")) == D("8.4032")
    assert held()["ATLAS.USD.DEMO"][2].quantize(D("0.01")) == D("11176.65")
    assert rounded(held()["ATLAS.USD.DEMO"])[4:] == (D("18.94"), D("2.84"))


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (AVANZA_2021, "2021-05-02;77;Köp;Skogen A;10;200,10;-2100,00;39;SEK;SE0000000012;-"),
        (AVANZA, "2024-04-02;77;Köp;Skogen A;10;200,10;-2100,00;SEK;39;;SEK;SE0000000012;"),
        (AVANZA_2025, "2025-04-02;77;Sälj;Skogen A;-10;200,10;2001,00;SEK;39;;SEK;SE0000000012;"),
        (AVANZA_2025, "2025-04-02;77;Köp;Atlas;10;9,00;-950,00;SEK;5;9,50;USD;SE0000000012;"),
    ],
)
def test_an_amount_that_is_not_quantity_times_price_is_an_error(account, header, line):
    upload = account("SEK")
    response = upload(data=text(header, line), instruments=choices(SE0000000012="S.SEK.DEMO"))
    [error] = response.json()["errors"]
    assert (error["column"], error["code"]) == ("Belopp", "amount_differs")


NEWEST = AVANZA.replace("Courtage (SEK)", "Courtage")
BOLAGET = choices(
    SE0000000010="BOLAG.SEK.DEMO", SE0000000007="RETT.SEK.DEMO", US0000000011="ATLAS.USD.DEMO"
)


def rows_of(kind):
    found = Transaction.objects.filter(type=kind).order_by("sequence")
    return list(found.values_list("quantity", "price", "settlement_amount"))


@pytest.mark.parametrize(
    ("words", "amount", "kind"),
    [
        ("Övrigt;Riskpremie", "-1,20", "fee"),
        ("Övrigt;Moms", "-3", "fee"),
        ("Övrigt;Tjänster K4-underlag", "-3", "fee"),
        ("Övrigt;Nollställning av outnyttjad kredit", "1,20", "deposit"),
        ("Övrigt;Överföring ränta kapitalmedelskonto", "3", "interest"),
        ("Övrigt;Återbetalning utländsk källskatt", "30", "tax"),
    ],
)
def test_the_description_of_other_rows_says_what_the_money_is(account, words, amount, kind):
    row = f"2025-10-08;1;{words};;;{amount};SEK;;;;;"
    account("SEK").done(data=text(NEWEST, row))
    [made] = Transaction.objects.all()
    assert (made.type, made.settlement_amount) == (kind, D(amount.replace(",", ".")))


def test_a_correction_is_ignored_with_the_row_that_it_takes_back(account):
    data = text(
        NEWEST,
        "2025-10-06;1;Köp, rättelse;Bolag;-10;5;50;SEK;;;SEK;SE0000000010;",
        "2025-10-05;1;Köp;Bolag;10;5;-50;SEK;;;SEK;SE0000000010;",
        "2025-10-04;1;Köp;Bolag;20;5;-100;SEK;;;SEK;SE0000000010;",
    )
    body = account("SEK").done(data=data, instruments=BOLAGET)
    assert (body["created"], body["ignored"]) == (1, 2)
    assert held()["BOLAG.SEK.DEMO"][:3] == (20, 5, 100)


def test_both_rows_of_an_exchange_of_currencies_are_a_group(account):
    rows = (
        "2025-10-07;1;Valutaväxling;USD;;;100;USD;;;;;",
        "2025-10-07;1;Valutaväxling;SEK;;;-950;SEK;;;;;",
    )
    body = account("SEK").done(data=text(NEWEST, *rows))
    assert (body["created"], body["groups_created"]) == (2, 1)
    alone = account("USD")(data=text(NEWEST, rows[0])).json()
    assert [(one["row"], one["code"]) for one in alone["errors"]] == [(2, "unpaired_conversion")]


def test_bonds_rights_and_payments_without_a_price(account):
    data = text(
        NEWEST,
        "2025-10-09;1;Utländsk källskatt;Återbetalning källskatt;;;6;SEK;;;;US0000000011;",
        "2025-10-08;1;Övrigt;Bolag TR;10;;;SEK;;;SEK;SE0000000007;",
        "2025-10-08;1;Utdelning;Bolag;;;200,00;SEK;;;SEK;SE0000000010;",
        "2025-10-08;1;Övrigt;Utländsk källskatt 15%;20;0;-30;SEK;;;SEK;SE0000000010;",
        "2025-10-07;1;Köp;Bolag;10000;98,50;-9889;SEK;39;;SEK;SE0000000010;",
    )
    body = account("SEK").done(data=data, instruments=BOLAGET)
    assert (body["created"], body["failed"]) == (5, 0)
    assert rows_of("buy") == [(10000, D("0.985"), -9889)]
    assert rows_of("dividend") == [(1, 200, 200)]
    assert sorted(rows_of("tax")) == [(1, 6, 6), (1, 30, -30)]
    assert Transaction.objects.get(settlement_amount=6).holding is None
    assert [one["code"] for one in body["warnings"]].count("unpaired_action") == 1
    assert held()["RETT.SEK.DEMO"][:3] == (10, 0, 0)
