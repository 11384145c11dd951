"""Small files of every broker, through REST, against what they come to by hand."""

# ruff: noqa: E501 (the lines of a statement are as long as they are)

import json
from datetime import date
from decimal import Decimal as D

import pytest

from integrations.conftest import Upload
from integrations.statements.registry import formats
from marketdata.tests.factories import with_rates
from portfolios import services
from portfolios.models import Holding, Transaction

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(api, user):
    """An account at a broker: `account("EUR")(data=..., instruments=...)` imports into it."""

    def make(currency):
        return Upload(
            api, services.create_portfolio(user=user, name=f"In {currency}", currency=currency)
        )

    return make


def held():
    names = (
        "current_quantity",
        "average_cost_per_share",
        "cost_basis",
        "realised_gain",
        "income",
        "charges",
    )
    return {row[0]: row[1:] for row in Holding.objects.values_list("stock__ticker", *names)}


def rounded(holding, places="0.01"):
    return tuple(None if value is None else value.quantize(D(places)) for value in holding)


def ledger():
    names = ("type", "quantity", "price", "commission", "exchange_rate", "external_id")
    return [tuple(row) for row in Transaction.objects.order_by("sequence").values_list(*names)]


def text(*lines):
    return "\r\n".join(lines).encode()


def choices(**tickers):
    return json.dumps(tickers)


def twice(upload, data):
    """The same file again changes nothing."""
    before = held()
    again = upload(data=data)
    assert (again.status_code, again.json()["created"], again.json()["failed"]) == (200, 0, 0)
    assert held() == before


def test_every_format_reads_its_own_example_and_no_other_format_does():
    from integrations.statements.detect import read_table

    for one in formats():
        if one.example:
            table = read_table(one.example.encode())
            assert [other.name for other in formats() if other.recognises(table)] == [one.name]


# --- Avanza ---------------------------------------------------------------------------------------

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
    assert "takes an earlier row back" in error["detail"]
    assert "on_error=skip" in error["detail"]
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
    assert "Export again in some days" in error["detail"]
    assert dump() == before
    settled = "2025-10-10;77;Köp;Atlas Inc;190;9,22;-16772,74;SEK;57,25;9,541895;USD;US0000000011;"
    assert (
        upload.done(data=text(header, line, other), instruments=known, on_error="skip")["created"]
        == 1
    )
    assert upload.done(data=text(header, settled, other), instruments=known)["created"] == 1
    assert held()["ATLAS.USD.DEMO"][2].quantize(D("0.01")) == D("16772.74")


# --- DEGIRO ---------------------------------------------------------------------------------------

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


def test_degiro_in_english_with_pence_a_split_and_a_dividend_that_was_taken_back(account):
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


def test_degiros_fills_that_were_imported_under_the_ids_of_before_are_known_again(account, dump):
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
def test_degiros_fills_whose_ids_of_before_came_with_an_export_are_known_again(
    account, imported_as, dump
):
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


# --- Interactive Brokers --------------------------------------------------------------------------


def test_ibkr_flex_trades_and_cash(account):
    upload = account("USD")
    known = choices(US0000000011="ATLAS.USD.DEMO")
    trades = text(
        '"Buy/Sell","TradeDate","ISIN","Quantity","TradePrice","TradeMoney","CurrencyPrimary","IBCommission",'
        '"IBCommissionCurrency"',
        '"BUY","20240304","US0000000011","10","100.5","1005","USD","-1","USD"',
        '"SELL","20240403","US0000000011","-4","110","-440","USD","-1","USD"',
        '"SELL","20240304","","-1000","1.09","-1090","USD","-2","USD"',
    )
    body = upload.done(data=trades, instruments=known)
    assert (body["format"], body["created"], body["ignored"]) == ("ibkr-trades", 2, 1)
    cash = text(
        '"Type","SettleDate","ISIN","Description","Amount","CurrencyPrimary"',
        '"Dividends","20240516","US0000000011","ATL(US0000000011) CASH DIVIDEND USD 0.5 PER SHARE (Ordinary)","3","USD"',
        '"Withholding Tax","20240516","US0000000011","ATL(US0000000011) CASH DIVIDEND USD 0.5 - US TAX","-0.45","USD"',
        '"Withholding Tax","20240517","US0000000011","ATL(US0000000011) CASH DIVIDEND USD 0.6 - US TAX","-0.9","USD"',
        '"Withholding Tax","20240518","US0000000011","ATL(US0000000011) CASH DIVIDEND USD 0.6 - US TAX","0.9","USD"',
        '"Broker Interest Received","20240604","","USD CREDIT INT","1.25","USD"',
    )
    body = upload.done(data=cash)
    assert (body["format"], body["created"], body["ignored"]) == ("ibkr-cash", 2, 3)
    # 10 at 100.6; 4 sold for 439
    assert held()["ATLAS.USD.DEMO"] == (6, D("100.6"), D("603.6"), D("36.6"), 3, D("0.45"))
    twice(upload, trades)
    twice(upload, cash)


def test_ibkr_activity_statement(account):
    upload = account("USD")
    data = text(
        "Statement,Header,Field Name,Field Value",
        "Statement,Data,Title,Activity Statement",
        "Net Asset Value,Header,Asset Class,Prior Total",
        "Net Asset Value,Data,Stock,0",
        "Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,"
        "Comm/Fee,Basis,Realized P/L,MTM P/L,Code",
        'Trades,Data,Order,Stocks,USD,ATL,"2024-03-04, 09:45:31","1,000",10.00,10,-10000,-5.00,10005,0,0,O',
        'Trades,Data,Order,Stocks,USD,ATL,"2024-07-03, 10:05:00","-2,000",4.00,4,8000,-5.00,-5002.5,2992.5,0,C',
        "Trades,SubTotal,,Stocks,USD,ATL,,-1000,,,,,,,,",
        'Trades,Data,Order,Forex,USD,EUR.USD,"2024-03-04, 09:40:00",-500,1.08,,540,-2,,,,',
        "Corporate Actions,Header,Asset Category,Currency,Report Date,Date/Time,Description,Quantity,Proceeds,Value,"
        "Realized P/L,Code",
        'Corporate Actions,Data,Stocks,USD,2024-06-10,"2024-06-07, 20:25:00","ATL(US0000000011) Split 4 for 1 (ATL, '
        'ATLAS INC, US0000000011)",3000,0,0,0,',
        "Dividends,Header,Currency,Date,Description,Amount",
        "Dividends,Data,USD,2024-05-15,ATL(US0000000011) Cash Dividend USD 0.05 per Share (Ordinary Dividend),50",
        "Dividends,Data,Total,,,50",
        "Withholding Tax,Header,Currency,Date,Description,Amount,Code",
        "Withholding Tax,Data,USD,2024-05-15,ATL(US0000000011) Cash Dividend USD 0.05 per Share - US Tax,-7.5,",
    )
    body = upload.done(data=data, instruments=choices(US0000000011="ATLAS.USD.DEMO"))
    assert (body["format"], body["created"], body["ignored"]) == ("ibkr-activity", 5, 1)
    # 1,000 for 10,005 become 4,000 at 2.50125; 2,000 sold for 7,995
    assert held()["ATLAS.USD.DEMO"] == (2000, D("2.50125"), D("5002.5"), D("2992.5"), 50, D("7.5"))
    twice(upload, data)


def test_an_ibkr_statement_without_any_of_its_sections_is_of_no_known_format(account):
    data = text(
        "Statement,Header,Field Name,Field Value",
        "Transaction History,Header,Date",
        "Transaction History,Data,x",
    )
    response = account("USD")(data=data)
    assert response.json()["errors"][0]["code"] == "unknown_format"


TRADE_COLUMNS = "AssetClass,Buy/Sell,TradeDate,ISIN,Symbol,Quantity,TradePrice,TradeMoney,CurrencyPrimary,IBCommission,IBCommissionCurrency"
ATLAS_KNOWN = choices(US0000000011="ATLAS.USD.DEMO")


def faults(body):
    return [(error["row"], error["column"], error["code"]) for error in body["errors"]]


def test_ibkr_trades_of_shares_funds_and_currencies_are_told_by_their_class(account):
    upload = account("USD")
    data = text(
        TRADE_COLUMNS,
        "STK,BUY,20240304,US0000000011,ATL,10,100.5,1005,USD,-1,USD",
        "FUND,BUY,20240305,US0000000011,ATL,1,100,100,USD,0,USD",
        "STK,BUY,20240305,,ATL,2,100,200,USD,0,USD",
        "CASH,SELL,20240304,,EUR.USD,-1000,1.09,-1090,USD,-2,USD",
    )
    known = json.dumps({"US0000000011": "ATLAS.USD.DEMO", "ATL": "ATLAS.USD.DEMO"})
    body = upload.done(data=data, instruments=known)
    assert (body["created"], body["ignored"]) == (3, 1)
    assert body["ignored_sums"] == [
        {"type": "forex", "currency": "USD", "count": 1, "amount": "-1090"}
    ]
    assert held()["ATLAS.USD.DEMO"][::2] == (13, 1306, 0)
    twice(upload, data)


@pytest.mark.parametrize("asset", ["BOND", "OPT", "FUT", "WAR", ""])
def test_ibkr_trades_of_anything_else_are_errors(account, dump, asset):
    upload = account("USD")
    before = dump()
    line = f"{asset},BUY,20240301,US912810TM09,T 4 11/15/52,10000,95.5,9550,USD,-5,USD"
    response = upload(data=text(TRADE_COLUMNS, line))
    assert (response.status_code, faults(response.json())) == (
        422,
        [(2, "AssetClass", "unknown_type")],
    )
    assert "Options, futures and bonds are not read" in response.json()["errors"][0]["detail"]
    assert dump() == before


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        # A bond is priced in percent, an option is of a hundred shares.
        (
            "BUY,20240301,US912810TM09,T 4 11/15/52,10000,95.5,9550,USD,-5,USD",
            (2, "TradeMoney", "amount_mismatch"),
        ),
        ("BUY,20240301,,,2,1.50,300,USD,-1,USD", (2, "TradeMoney", "amount_mismatch")),
        ("BUY,20240301,,ATL   240621C00180000,2,1.50,300,USD,-1,USD", (2, "ISIN", "required")),
        ("BUY,20240301,,ATL,2,150,300,USD,-1,USD", (2, "ISIN", "required")),
        ("BUY,20240301,,ATL.XYZ,2,150,300,USD,-1,USD", (2, "ISIN", "required")),
    ],
)
def test_ibkr_trades_without_a_class_that_may_be_no_shares_are_errors(account, dump, line, fault):
    upload = account("USD")
    before = dump()
    response = upload(data=text(TRADE_COLUMNS.removeprefix("AssetClass,"), line))
    assert (response.status_code, faults(response.json())) == (422, [fault])
    assert dump() == before


def test_ibkr_trades_without_a_class_are_forex_where_the_symbol_is_a_pair_of_currencies(account):
    header = TRADE_COLUMNS.removeprefix("AssetClass,")
    lines = (
        "SELL,20240304,,EUR.USD,-1000,1.09,-1090,USD,-2,USD",
        "SELL,20240304,,USD.CNH,-1000,7.1,-7100,CNH,-2,USD",
    )
    body = account("USD")(data=text(header, *lines)).json()
    assert (body["ignored"], body["errors"]) == (2, [])


def test_ibkr_trades_in_two_levels_of_detail_are_read_once(account):
    upload = account("USD")
    header = f"{TRADE_COLUMNS},LevelOfDetail,TradeID"
    order = "STK,BUY,20240304,US0000000011,ATL,10,100,1000,USD,-1,USD,ORDER,"
    fills = [
        f"STK,BUY,20240304,US0000000011,ATL,5,100,500,USD,-0.5,USD,EXECUTION,{number}"
        for number in (71, 72)
    ]
    body = upload.done(data=text(header, order, *fills), instruments=ATLAS_KNOWN)
    assert (body["created"], body["ignored"]) == (2, 1)
    assert body["ignored_sums"] == [
        {"type": "level of detail order", "currency": "", "count": 1, "amount": "0"}
    ]
    assert held()["ATLAS.USD.DEMO"][:3] == (10, D("100.1"), 1001)
    alone = account("EUR").done(data=text(header, order), instruments=ATLAS_KNOWN)
    assert (alone["created"], alone["ignored"]) == (1, 0)


def test_ibkr_cash_in_two_levels_of_detail_is_read_once(account):
    header = "Type,SettleDate,ISIN,Description,Amount,CurrencyPrimary,LevelOfDetail"
    words = "ATL(US0000000011) CASH DIVIDEND USD 0.5 PER SHARE (Ordinary)"
    data = text(
        header,
        f"Dividends,20240516,US0000000011,{words},3,USD,SUMMARY",
        f"Dividends,20240516,US0000000011,{words},3,USD,DETAIL",
    )
    upload = account("USD")
    body = upload.done(data=data, instruments=ATLAS_KNOWN)
    assert (body["created"], body["ignored"]) == (1, 1)
    assert held()["ATLAS.USD.DEMO"][4] == 3
    twice(upload, data)


ACTIVITY = "Statement,Header,Field Name,Field Value"
ORDERS = "Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,Comm/Fee,Basis,Realized P/L,MTM P/L,Code"
BOUGHT = 'Trades,Data,Order,Stocks,USD,ATL,"2026-01-12, 09:45:31",100,5.00,5,-500,-1.00,501,0,0,O'
ACTIONS = "Corporate Actions,Header,Asset Category,Currency,Report Date,Date/Time,Description,Quantity,Proceeds,Value,Realized P/L,Code"
PAID = "Dividends,Header,Currency,Date,Description,Amount"


def test_ibkrs_reverse_split_in_two_rows_is_one_split(account):
    split = 'Corporate Actions,Data,Stocks,USD,2026-03-03,"2026-03-02, 20:25:00","ATL(US0000000011) Split 1 for 10 ({}"'
    data = text(
        ACTIVITY,
        ORDERS,
        BOUGHT,
        ACTIONS,
        split.format("ATL.OLD, ATLAS INC, US0000000011)") + ",-100,0,0,0,",
        split.format("ATL, ATLAS INC, US0000000099)") + ",10,0,0,0,",
    )
    upload = account("USD")
    body = upload.done(data=data, instruments=ATLAS_KNOWN)
    assert (body["created"], body["ignored"]) == (2, 1)
    assert body["ignored_sums"] == [
        {"type": "part of a split", "currency": "", "count": 1, "amount": "0"}
    ]
    assert held()["ATLAS.USD.DEMO"][:3] == (10, D("50.1"), 501)
    twice(upload, data)


def test_ibkr_activity_sections_beyond_trades_and_dividends_are_read_or_told(account):
    data = text(
        ACTIVITY,
        ORDERS,
        BOUGHT,
        "Payment In Lieu Of Dividends,Header,Currency,Date,Description,Amount",
        "Payment In Lieu Of Dividends,Data,USD,2026-02-15,ATL(US0000000011) Payment in Lieu of Dividend (Ordinary Dividend),7",
        "Payment In Lieu Of Dividends,Data,Total,,,7",
        "Transaction Fees,Header,Asset Category,Currency,Date/Time,Symbol,Description,Quantity,Trade Price,Amount,Code",
        'Transaction Fees,Data,Stocks,USD,"2026-01-12, 09:45:31",ATL,Stamp Tax,100,5,-2.5,',
        "Transaction Fees,Data,Total,,,,,,,-2.5,",
        "Fees,Header,Subtitle,Currency,Date,Description,Amount",
        "Fees,Data,Other Fees,USD,2026-02-01,Market data,-2",
        "Fees,Data,Total,,,,-2",
        "Commission Adjustments,Header,Currency,Date,Description,Amount",
        "Commission Adjustments,Data,USD,2026-02-01,Commission of a kind,0.25",
        "Commission Adjustments,Data,Total,,,0.25",
        "Routing,Header,Venue,Amount",
        "Routing,Data,ISLAND,n/a,of more cells,than its header",
        "Open Positions,Header,DataDiscriminator,Asset Category,Currency,Symbol,Quantity",
        "Open Positions,Data,Summary,Stocks,USD,ATL,100",
    )
    upload = account("USD")
    body = upload.done(data=data, instruments=ATLAS_KNOWN)
    assert (body["created"], body["ignored"]) == (3, 3)
    assert body["ignored_sums"] == [
        {"type": "fees", "currency": "USD", "count": 1, "amount": "-2"},
        {"type": "commission adjustments", "currency": "USD", "count": 1, "amount": "0.25"},
        {"type": "routing", "currency": "", "count": 1, "amount": "0"},
    ]
    assert held()["ATLAS.USD.DEMO"] == (100, D("5.01"), 501, 0, 7, D("2.5"))
    twice(upload, data)


@pytest.mark.parametrize(
    "lines",
    [
        [
            "Transfers,Header,Asset Category,Currency,Symbol,Date,Type,Direction,Xfer Company,Xfer Account,Qty,Xfer Price,"
            "Market Value,Realized P/L,Cash Amount,Code",
            "Transfers,Data,Stocks,USD,ATL,2026-02-01,FOP,In,--,--,10,--,50,0,0,",
            "Transfers,Data,Cash,USD,--,2026-02-01,FOP,In,--,--,--,--,0,0,5,",
            "Transfers,Data,Total,,,,,,,,,,50,0,5,",
        ],
        [
            "Grant Activity,Header,Symbol,Report Date,Quantity",
            "Grant Activity,Data,ATL,2026-02-01,10",
        ],
    ],
    ids=["transfers", "grants"],
)
def test_ibkrs_shares_that_come_without_a_trade_are_errors(account, dump, lines):
    upload = account("USD")
    before = dump()
    response = upload(
        data=text(ACTIVITY, ORDERS, BOUGHT, *lines), instruments=choices(ATL="ATLAS.USD.DEMO")
    )
    assert (response.status_code, faults(response.json())) == (422, [(5, "Symbol", "unsupported")])
    assert "transfer_in" in response.json()["errors"][0]["detail"]
    assert dump() == before


def test_a_payment_that_ibkr_takes_back_after_it_was_imported_is_named(account):
    upload = account("USD")
    header = "Type,SettleDate,ISIN,Description,Amount,CurrencyPrimary,TransactionID"
    words = "ATL(US0000000011) CASH DIVIDEND USD 0.5 PER SHARE"
    paid = f"Dividends,20240516,US0000000011,{words},25,USD,1"
    back = f"Dividends,20240516,US0000000011,{words} - REVERSAL,-25,USD,2"
    right = f"Dividends,20240516,US0000000011,{words},26,USD,3"
    assert upload.done(data=text(header, paid), instruments=ATLAS_KNOWN)["warnings"] == []
    body = upload.done(data=text(header, paid, back, right))
    assert (body["created"], body["ignored"]) == (1, 2)
    assert body["warnings"] == [
        "The broker took back what line 2 says, but it is recorded here: delete the dividend of ATLAS.USD.DEMO on "
        "2024-05-16."
    ]
    Transaction.objects.get(external_id="1").delete()
    assert upload(data=text(header, paid, back, right)).json()["warnings"] == []


def test_an_ibkr_statement_whose_rows_lost_their_header_is_refused(account, dump):
    upload = account("USD")
    before = dump()
    response = upload(
        data=text(
            ACTIVITY, ORDERS, BOUGHT, PAID.replace("Dividends", "Codes"), "Dividends,Data,USD,x,y,1"
        )
    )
    [error] = response.json()["errors"]
    assert (response.status_code, error["code"], "Line 5" in error["detail"]) == (
        422,
        "unreadable_file",
        True,
    )
    assert dump() == before


def test_ibkrs_tax_paid_back_and_tax_on_interest_are_no_taxes_on_dividends(account):
    words = "ATL(US0000000011) Cash Dividend USD 0.26 per Share - US Tax"
    data = text(
        ACTIVITY,
        ORDERS,
        BOUGHT,
        "Withholding Tax,Header,Currency,Date,Description,Amount,Code",
        f"Withholding Tax,Data,USD,2026-02-15,{words},-3.9,",
        f"Withholding Tax,Data,USD,2026-02-20,{words},3.9,",
        f"Withholding Tax,Data,USD,2026-02-20,{words},-2.6,",
        "Withholding Tax,Data,USD,2026-02-05,Withholding @ 20% on Credit Int for Jan-2026,-0.4,",
        "Withholding Tax,Data,Total,,,-3,",
    )
    upload = account("USD")
    body = upload.done(data=data, instruments=ATLAS_KNOWN)
    assert (body["created"], body["ignored"]) == (2, 3)
    assert body["ignored_sums"] == [
        {"type": "reversed", "currency": "", "count": 2, "amount": "0"},
        {"type": "withholding tax on interest", "currency": "USD", "count": 1, "amount": "-0.4"},
    ]
    assert held()["ATLAS.USD.DEMO"][5] == D("2.6")
    twice(upload, data)
    cash = "Type,SettleDate,ISIN,Description,Amount,CurrencyPrimary"
    line = "Withholding Tax,20260205,,WITHHOLDING @ 20% ON CREDIT INT FOR JAN-2026,-0.4,USD"
    body = upload(data=text(cash, line)).json()
    assert (body["ignored"], body["errors"]) == (1, [])


@pytest.mark.parametrize(
    ("format_name", "lines"),
    [
        (
            "ibkr-cash",
            [
                "Type,SettleDate,ISIN,Description,Amount,CurrencyPrimary",
                "Dividends,20240516,US0000000011,ATL(US0000000011) CASH DIVIDEND USD 0.5 PER SHARE - REVERSAL,-25,USD",
            ],
        ),
        (
            "ibkr-cash",
            [
                "Type,SettleDate,ISIN,Description,Amount,CurrencyPrimary",
                "Withholding Tax,20240516,US0000000011,ATL(US0000000011) CASH DIVIDEND USD 0.5 - US TAX,2.5,USD",
            ],
        ),
        (
            "ibkr-activity",
            [ACTIVITY, PAID, "Dividends,Data,USD,2024-05-16,ATL(US0000000011) Cash Dividend USD 0.5 - Reversal,-25"],
        ),
        (
            "degiro",
            [DEGIRO, f'16-05-2024,07:30,15-05-2024,{ATLAS},Dividend,,USD,"-3,00",USD,"3,00",'],
        ),
    ],
)  # fmt: skip
def test_a_payment_taken_back_without_its_first_row_says_what_to_do(
    account, dump, format_name, lines
):
    upload = account("EUR")
    before = dump()
    response = upload(data=text(*lines), format=format_name)
    [error] = response.json()["errors"]
    assert (response.status_code, error["row"], error["code"]) == (
        422,
        len(lines),
        "unpaired_reversal",
    )
    assert error["detail"] == (
        "The broker takes an earlier row back here, or a part of it: delete or correct the transaction that was made "
        "of that, and leave this row out (on_error=skip)."
    )
    assert dump() == before


# --- Trading 212 ----------------------------------------------------------------------------------

T212 = (
    "Action,Time,ISIN,Ticker,Name,No. of shares,Price / share,Currency (Price / share),Exchange rate,Result,"
    "Currency (Result),Total,Currency (Total),Withholding tax,Currency (Withholding tax),Notes,ID,"
    "Currency conversion fee,Currency (Currency conversion fee),Stamp duty reserve tax,"
    "Currency (Stamp duty reserve tax)"
)


def test_trading_212_in_dollars_and_pence(account):
    upload = account("EUR")
    data = text(
        T212,
        "Deposit,2024-03-01 08:00:00,,,,,,,,,,1000.00,EUR,,,,T-0,,,,",
        "Market buy,2024-03-04 14:30:00,US0000000011,ATL,Atlas,10,50.00,USD,1.25,,EUR,401.00,EUR,,,,T-1,1.00,EUR,,",
        "Limit sell,2024-04-04 14:30:00,US0000000011,ATL,Atlas,4,60.00,USD,1.20,39,EUR,199.00,EUR,,,,T-2,1.00,EUR,,",
        "Market buy,2024-03-05 09:00:00,GB0000000021,HBR,Harbour,100,496.00,GBX,80,,EUR,624.10,EUR,,,,T-3,,,4.10,EUR",
        "Dividend (Dividend),2024-05-16 10:00:00,GB0000000021,HBR,Harbour,100,5.00,GBX,Not available,,,5.80,EUR,0.00,"
        "GBX,,,,,,",
        "Interest on cash,2024-06-01 02:00:00,,,,,,,,,,0.07,EUR,,,,T-4,,,,",
    )
    known = choices(US0000000011="ATLAS.USD.DEMO", GB0000000021="HARBOUR.GBP.DEMO")
    body = upload.done(data=data, instruments=known)
    assert (body["format"], body["created"], body["ignored"]) == ("trading212", 4, 2)
    # 500 USD and a fee of 1 EUR = 1.25 USD at 0.8; 4 sold for 240 - 1.2 USD at 1/1.2
    assert rounded(held()["ATLAS.USD.DEMO"]) == (
        6,
        D("50.12"),
        D("240.60"),
        D("38.60"),
        0,
        0,
    )  # 50.125
    # 496 GBP at 100/80 EUR and 4.10 EUR of tax
    quantity, average, cost, _, income, _ = held()["HARBOUR.GBP.DEMO"]
    assert (quantity, average, cost.quantize(D("0.01"))) == (100, D("4.9928"), D("624.10"))
    assert 5 < income < 7  # 5 GBP at the rate of the day
    twice(upload, data)


def test_trading_212_splits_and_free_shares_in_the_newer_layout(account):
    header = (
        "Action,Time (UTC),ISIN,Ticker,Name,Notes,ID,No. of shares,Price / share,Currency (Price / share),Exchange rate,"
        "Total,Currency (Total)"
    )
    data = text(
        header,
        "Market buy,2024-03-04 14:30:00,US0000000011,ATL,Atlas,,E-1,29.8,2.00,EUR,1,59.60,EUR",
        "Stock split close,2024-06-10 07:24:24,US0000000011,ATL,Atlas,,E-2,29.8,2,EUR,1,59.60,EUR",
        "Stock split open,2024-06-10 07:24:24,US0000000011,ATL,Atlas,,E-3,7.45,8,EUR,1,59.60,EUR",
        "Stock distribution,2024-07-01 07:24:24,US0000000011,ATL,Atlas,,E-4,0.05,0.00,EUR,,0.00,EUR",
        "Transfer out,2024-07-02 07:24:24,US0000000011,ATL,Atlas,,E-5,2.5,8,EUR,1,20.00,EUR,,,",
        "Market look,2024-07-03 07:24:24,US0000000011,ATL,Atlas,,E-6,1,1,EUR,1,1,EUR",
    )
    body = account("EUR").done(
        data=data, instruments=choices(US0000000011="ATLAS.EUR.DEMO"), on_error="skip"
    )
    assert [(error["row"], error["code"]) for error in body["errors"]] == [(7, "unknown_type")]
    assert (body["created"], body["ignored"]) == (4, 1)
    quantity, average, cost, *_ = held()["ATLAS.EUR.DEMO"]
    assert (quantity, rounded((average, cost))) == (
        5,
        (D("7.95"), D("39.73")),
    )  # 59.60 / 7.5 a share


def test_trading_212_merges_three_shares_into_one_although_both_numbers_are_rounded(account):
    header = "Action,Time (UTC),ISIN,Ticker,Name,ID,No. of shares,Price / share,Currency (Price / share),Exchange rate,Total,Currency (Total)"
    data = text(
        header,
        "Market buy,2024-03-04 14:30:00,US0000000011,ATL,Atlas,E-1,22.36,2.00,EUR,1,44.72,EUR",
        "Stock split close,2024-06-10 07:24:24,US0000000011,ATL,Atlas,E-2,22.36,2,EUR,1,44.72,EUR",
        "Stock split open,2024-06-10 07:24:24,US0000000011,ATL,Atlas,E-3,7.4533333,6,EUR,1,44.72,EUR",
    )
    account("EUR").done(data=data, instruments=choices(US0000000011="ATLAS.EUR.DEMO"))
    assert Transaction.objects.get(type="split").quantity == D("0.333333333333333")
    assert held()["ATLAS.EUR.DEMO"][0] == D("7.45333333333333")


@pytest.mark.parametrize(
    ("old", "new", "ratio", "left"),
    [
        ("1500", "10", "0.00666666666666667", 10),
        ("1234.5678", "8.230452", "0.00666666666666667", D("8.230452")),
        ("30", "10", "0.333333333333333", 10),
        ("3", "21", "7", 21),
        (
            "12345",
            "12370.69",
            "1.00208100445525",
            D("12370.69"),
        ),  # no plain ratio: what the file says
    ],
)
def test_trading_212_splits_leave_the_shares_that_the_file_says(account, old, new, ratio, left):
    header = "Action,Time (UTC),ISIN,Ticker,Name,ID,No. of shares,Price / share,Currency (Price / share),Exchange rate,Total,Currency (Total)"
    data = text(
        header,
        f"Market buy,2024-03-04 14:30:00,US0000000011,ATL,Atlas,E-1,{old},2.00,EUR,1,44.72,EUR",
        f"Stock split close,2024-06-10 07:24:24,US0000000011,ATL,Atlas,E-2,{old},2,EUR,1,44.72,EUR",
        f"Stock split open,2024-06-10 07:24:24,US0000000011,ATL,Atlas,E-3,{new},6,EUR,1,44.72,EUR",
    )
    upload = account("EUR")
    upload.done(data=data, instruments=choices(US0000000011="ATLAS.EUR.DEMO"))
    assert Transaction.objects.get(type="split").quantity == D(ratio)
    assert held()["ATLAS.EUR.DEMO"][0].quantize(D("0.00000001")) == left
    twice(upload, data)


def test_trading_212_fees_of_any_name_are_part_of_the_commission(account):
    data = text(
        f"{T212},PTM levy,Currency (PTM levy),Charge amount,Currency (Charge amount)",
        "Market buy,2024-03-05 09:00:00,GB0000000021,HBR,Harbour,100,50.00,GBP,1,,GBP,5027.00,GBP,,,,T-3,,,25.00,GBP,2.00,GBP,"
        "5027.00,GBP",
    )
    upload = account("GBP")
    upload.done(data=data, instruments=choices(GB0000000021="HARBOUR.GBP.DEMO"))
    assert held()["HARBOUR.GBP.DEMO"][:3] == (100, D("50.27"), 5027)
    twice(upload, data)


# --- Saxo -----------------------------------------------------------------------------------------

SAXO = (
    "Client ID,Trade Date,Value Date,Type,Instrument,Instrument ISIN,Instrument currency,Exchange Description,"
    "Instrument Symbol,Event,{amount},Order ID,Conversion Rate{more}"
)
FUND = "Wereldfonds,IE0000000041,EUR,Euronext Amsterdam,WERELD:xams"
WERELD = choices(IE0000000041="WERELD.EUR.DEMO")


@pytest.mark.parametrize(
    ("amount", "more"),
    [("Amount", ""), ("Booked Amount", ",From Derivative,Underlying asset type")],
)
def test_saxo_in_both_layouts(account, amount, more):
    end = ",No," if more else ""
    data = text(
        SAXO.format(amount=amount, more=more),
        f'1,10-jul-2024,10-jul-2024,Corporate action,{FUND},Dividend,"12,50",,1{end}',
        f'1,02-Apr-2024,04-Apr-2024,Trade,{FUND},Sell 4 @ 110.00 EUR,"437,00",7002,1{end}',
        f'1,04-mrt-2024,06-mrt-2024,Transactie,{FUND},Koop 10 @ 99.50 EUR,"-998,00",7001,1{end}',
        f"1,01-Mar-2024,01-Mar-2024,Cash Transfer,,,EUR,,,Deposit,1000,,1{end}",
        f'1,01-Mar-2024,01-Mar-2024,Cash amount,,,EUR,,,Custody Fee,"-3,91",,1{end}',
    )
    upload = account("EUR")
    body = upload.done(data=data, instruments=choices(IE0000000041="WERELD.EUR.DEMO"))
    assert (body["format"], body["created"], body["ignored"]) == ("saxo", 3, 2)
    # 995 and 3 of commission; 4 sold for 440 - 3
    assert held()["WERELD.EUR.DEMO"] == (6, D("99.8"), D("598.8"), D("37.8"), D("12.5"), 0)
    twice(upload, data)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (
            f'1,04-Mar-2024,06-Mar-2024,Trade,{FUND},Buy 10 @ 99.50 EUR,"-980,00",7001,1',
            "amount_mismatch",
        ),
        (
            f'1,04-Mar-2024,06-Mar-2024,Trade,{FUND},Buy 10 @ 99.50 EUR,"-980,00",7001,0.92',
            "mixed_currencies",
        ),
        (
            f'1,04-Mar-2024,06-Mar-2024,Corporate action,{FUND},Merger,"-980,00",7001,1',
            "unknown_type",
        ),
    ],
)
def test_saxo_rows_that_cannot_be_read_are_errors(account, line, code):
    body = account("EUR")(data=text(SAXO.format(amount="Amount", more=""), line)).json()
    assert [error["code"] for error in body["errors"]] == [code]


@pytest.mark.parametrize(
    ("event", "amount", "quantity", "price", "commission"),
    [
        ("Buy 1,500.5 @ 10.00 EUR", "-15008,00", D("1500.5"), 10, 3),
        ("Buy 1,500,000 @ 0.01 EUR", "-15003,00", 1500000, D("0.01"), 3),
        ("Buy 1.5 @ 1,000.25 EUR", "-1503,375", D("1.5"), D("1000.25"), 3),
        ("Buy 0.125 @ 800 EUR", "-103,00", D("0.125"), 800, 3),
        ("Buy 1 @ 1.00 EUR", "-101,00", 1, 1, 100),  # 100 % of it, but 100
        ("Buy 1000 @ 10.00 EUR", "-10500,00", 1000, 10, 500),  # 500, but 5 % of it
        ("Buy 1000 @ 10.00 EUR", "-10000,00", 1000, 10, 0),
    ],
)
def test_saxos_words_have_a_decimal_point_and_commas_where_only_thousands_can_be_meant(
    account, event, amount, quantity, price, commission
):
    line = f'1,04-Mar-2024,06-Mar-2024,Trade,{FUND},"{event}","{amount}",7001,1'
    upload = account("EUR")
    upload.done(data=text(SAXO.format(amount="Amount", more=""), line), instruments=WERELD)
    assert ledger() == [("buy", quantity, price, commission, 1, None)]


@pytest.mark.parametrize(
    ("event", "amount", "column", "code", "says"),
    [
        (
            "Buy 1.500 @ 10.00 EUR",
            "-15005,00",
            "Amount",
            "amount_mismatch",
            "1.500 at 10.00 is 15.00000",
        ),
        ("Buy 1,500 @ 1.00 EUR", "-1505,00", "Event", "invalid", "1,500 could be 1500 or 1.5"),
        ("Buy 10 @ 1,500 EUR", "-15005,00", "Event", "invalid", "1,500 could be 1500 or 1.5"),
        ("Buy 1.500.000 @ 1.00 EUR", "-1500005,00", "Event", "invalid", "1.500.000 is no number"),
        ("Buy 1.500,5 @ 1.00 EUR", "-1505,5", "Event", "invalid", "1.500,5 is no number"),
        ("Buy 12,5 @ 1.00 EUR", "-13", "Event", "invalid", "12,5 is no number"),
        ("Buy . @ 1.00 EUR", "-13", "Event", "invalid", ". is no number"),
        ("Buy \u0663 @ 1.00 EUR", "-13", "Event", "invalid", "\u0663 is no number"),
        ("Buy 1 @ 10.00 EUR", "-110,01", "Amount", "amount_mismatch", "100.01 is no commission"),
        (
            "Buy 1000 @ 10.00 EUR",
            "-10500,01",
            "Amount",
            "amount_mismatch",
            "500.01 is no commission",
        ),
        (
            "Sell 1000 @ 10.00 EUR",
            "9499,99",
            "Amount",
            "amount_mismatch",
            "500.01 is no commission",
        ),
        (
            "Sell 1000 @ 10.00 EUR",
            "-9999,00",
            "Amount",
            "amount_mismatch",
            "19999.00 is no commission",
        ),
    ],
)
def test_what_saxos_words_and_amount_leave_open_is_an_error_of_its_row(
    account, dump, event, amount, column, code, says
):
    upload = account("EUR")
    header = SAXO.format(amount="Amount", more="")
    held_before = f'1,01-Mar-2024,05-Mar-2024,Trade,{FUND},Buy 2000 @ 9.00 EUR,"-18003,00",7000,1'
    line = f'1,04-Mar-2024,06-Mar-2024,Trade,{FUND},"{event}","{amount}",7001,1'
    before = dump()
    response = upload(data=text(header, line, held_before), instruments=WERELD)
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert (error["row"], error["column"], error["code"]) == (2, column, code)
    assert says in error["detail"]
    assert dump() == before


# --- Revolut --------------------------------------------------------------------------------------


def test_revolut_stocks(account):
    upload = account("USD")
    data = text(
        "Date,Ticker,Type,Quantity,Price per share,Total Amount,Currency,FX Rate",
        "2024-03-01T08:00:00.000Z,,CASH TOP-UP,,,$500,USD,1.08",
        '2024-03-04T14:30:00.000Z,ATL,BUY - MARKET,2,"$1,000.50","$2,002.00",USD,1.08',
        "2024-04-04T14:30:00.000Z,ATL,STOCK SPLIT,6,,$0,USD,1.08",
        "2024-05-04T14:30:00.000Z,ATL,SELL - LIMIT,3,$300.00,$899.00,USD,1.08",
        "2024-05-16T14:30:00.000Z,ATL,DIVIDEND,,,$1.25,USD,1.08",
        "2024-06-01T14:30:00.000Z,ATL,TRANSFER FROM REVOLUT TRADING LTD TO REVOLUT SECURITIES EUROPE UAB,5,,$0,USD,1.08",
        "2024-06-02T14:30:00.000Z,,CUSTODY FEE,,,-$0.10,USD,1.08",
    )
    body = upload.done(data=data, instruments=choices(ATL="ATLAS.USD.DEMO"))
    assert (body["format"], body["created"], body["ignored"]) == ("revolut", 4, 3)
    # 2 for 2,002 become 8 at 250.25; 3 sold for 900 - 1
    assert held()["ATLAS.USD.DEMO"] == (5, D("250.25"), D("1251.25"), D("148.25"), D("1.25"), 0)
    twice(upload, data)


REVOLUT = "Date,Ticker,Type,Quantity,Price per share,Total Amount,Currency,FX Rate"


@pytest.mark.parametrize(
    ("line", "commission"),
    [
        ('BUY - MARKET,2,$180.00,"$1,360.00"', "1000.00"),
        ("BUY - MARKET,2,$180.00,$460.01", "100.01"),
        ('BUY - MARKET,20,$180.00,"$3,780.01"', "180.01"),
        ("SELL - MARKET,2,$180.00,$259.99", "100.01"),
        ("SELL - MARKET,2,$180.00,-$360.00", "720.00"),
    ],
)
def test_a_commission_that_revolut_cannot_have_taken_is_an_error_of_its_row(
    account, dump, line, commission
):
    upload = account("USD")
    rows = [
        f"2024-05-04T14:30:00.000Z,ATL,{line},USD,1.08",
        "2024-03-04T14:30:00Z,ATL,BUY - MARKET,9,$9,$81,USD,1.08",
    ]
    before = dump()
    response = upload(data=text(REVOLUT, *rows), instruments=choices(ATL="ATLAS.USD.DEMO"))
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert (error["row"], error["column"], error["code"]) == (2, "Total Amount", "amount_mismatch")
    assert f"{commission} is no commission" in error["detail"]
    assert dump() == before


@pytest.mark.parametrize(
    ("quantity", "total", "commission"), [(2, "$460.00", 100), (20, "$3780.00", 180)]
)
def test_revolut_may_take_100_or_5_percent(account, quantity, total, commission):
    line = f"2024-03-04T14:30:00.000Z,ATL,BUY - MARKET,{quantity},$180.00,{total},USD,1.08"
    account("USD").done(data=text(REVOLUT, line), instruments=choices(ATL="ATLAS.USD.DEMO"))
    assert ledger() == [("buy", quantity, 180, commission, 1, None)]


def test_revolut_crypto(account):
    upload = account("EUR")
    data = text(
        "Symbol,Type,Quantity,Price,Value,Fees,Date",
        'BTC,Buy,0.01,"€40,000.00",€400.00,€6.00,"Mar 4, 2024, 10:10:57 AM"',
        'BTC,Sell,0.004,"€50,000.00",€200.00,€3.00,"Apr 4, 2024, 10:10:57 PM"',
        'BTC,Stake,0.001,"€50,000.00",€50.00,€0.00,"Apr 5, 2024, 10:10:57 PM"',
        'BTC,Staking reward,0.001,,,,"Apr 6, 2024, 10:10:57 PM"',
        'BTC,Send,0.002,"€51,000.00",€102.00,€0.00,"Apr 7, 2024, 10:10:57 PM"',
    )
    body = upload.done(data=data, instruments='{"BTC-EUR": "BITCOIN.EUR.DEMO"}')
    assert (body["format"], body["created"], body["ignored"]) == ("revolut-crypto", 4, 1)
    quantity, average, cost, realised, *_ = held()["BITCOIN.EUR.DEMO"]
    # 0.006 for 243.60 after the sale, 0.007 with the reward; 0.002 leave at average
    assert (quantity, average, cost, realised) == (D("0.005"), 34800, 174, D("34.6"))
    twice(upload, data)


# --- Schwab ---------------------------------------------------------------------------------------


def test_schwab(account):
    upload = account("USD")
    data = text(
        "Date,Action,Symbol,Description,Quantity,Price,Fees & Comm,Amount",
        '"10/31/2024","Reinvest Shares","ATL","ATLAS INC","0.5","$40.00","","-$20.00"',
        '"10/31/2024","Reinvest Dividend","ATL","ATLAS INC","","","","$20.00"',
        '"09/06/2024","Foreign Tax Paid","ATL","ATLAS INC","","","","-$1.30"',
        '"08/22/2024","Sell","ATL","ATLAS INC","100","$41.00","$10.00","$4,090.00"',
        '"07/15/2024 as of 07/12/2024","Stock Split","ATL","ATLAS INC","900","","",""',
        '"06/13/2024","Buy","ATL","ATLAS INC","100","$400.00","","-$40,000.00"',
        '"06/12/2024","MoneyLink Transfer","","TFR BANK","","","","$50,000.00"',
        'Transactions Total,,,,,,,"$14,079.70"',
    )
    body = upload.done(data=data, instruments=choices(ATL="ATLAS.USD.DEMO"))
    assert (body["format"], body["created"], body["ignored"]) == ("schwab", 6, 2)
    # 1,000 at 40; 100 sold for 4,090; half a share more
    assert held()["ATLAS.USD.DEMO"] == (D("900.5"), 40, 36020, 90, 20, D("1.3"))
    assert str(Transaction.objects.get(type="split").date) == "2024-07-12"
    twice(upload, data)


def test_schwab_corporate_actions_that_cannot_be_told_are_errors(account):
    data = text(
        "Date,Action,Symbol,Description,Quantity,Price,Fees & Comm,Amount",
        '"08/22/2024","Spin-off","APE","SOMETHING NEW","344","","",""',
        '"07/15/2024","Stock Split","ATL","ATLAS INC","9","","",""',
    )
    body = account("USD")(data=data).json()
    assert [(error["row"], error["code"]) for error in body["errors"]] == [
        (2, "unknown_type"),
        (3, "unknown_split_ratio"),
    ]


SCHWAB = "Date,Action,Symbol,Description,Quantity,Price,Fees & Comm,Amount"


@pytest.mark.parametrize(
    "line",
    [
        # A T-bill: priced in percent of what it pays back.
        '"06/13/2024","Buy","912797GK7","US TREASURY BILL","10,000","$97.50","","-$9,750.00"',
        '"06/13/2024","Sell","912797GK7","US TREASURY BILL","10,000","$97.50","","$9,750.00"',
        '"06/13/2024","Buy","912797GK7","ATLAS INC","100","$40.00","$10.00","-$4,050.02"',
        '"06/13/2024","Buy","912797GK7","ATLAS INC","1","$40.00","","-$41.01"',
        '"06/13/2024","Sell","912797GK7","ATLAS INC","100","$40.00","$10.00","$3,949.98"',
        '"06/13/2024","Buy","912797GK7","ATLAS INC","100","$40.00","","$4,000.00"',
        '"06/13/2024","Reinvest Shares","912797GK7","ATLAS INC","100","$40.00","","-$40.00"',
    ],
)
def test_a_schwab_trade_whose_amount_is_another_is_an_error_of_its_row(account, dump, line):
    upload = account("USD")
    rows = [line, '"03/01/2024","Buy","912797GK7","ATLAS INC","20,000","$1.00","","-$20,000.00"']
    before = dump()
    response = upload(data=text(SCHWAB, *rows), instruments='{"912797GK7": "ATLAS.USD.DEMO"}')
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert (error["row"], error["column"], error["code"]) == (2, "Amount", "amount_mismatch")
    assert dump() == before


@pytest.mark.parametrize("amount", ["-$4,050.00", "-$3,970.00", "-$4,010.00", ""])
def test_a_schwab_amount_may_be_off_by_one_percent(account, amount):
    line = f'"06/13/2024","Buy","ATL","ATLAS INC","100","$40.00","$10.00","{amount}"'
    account("USD").done(data=text(SCHWAB, line), instruments=choices(ATL="ATLAS.USD.DEMO"))
    assert ledger() == [("buy", 100, 40, 10, 1, None)]


# --- Scalable Capital -----------------------------------------------------------------------------


def test_scalable_capital(account):
    upload = account("EUR")
    data = text(
        "date;time;status;reference;description;assetType;type;isin;shares;price;amount;fee;tax;currency",
        '2024-05-16;11:40:50;Executed;"S-4";"Atlas Inc";Cash;Distribution;US0000000011;;;10;0;1,5;EUR',
        '2024-04-03;09:00:00;Executed;"S-3";"Atlas Inc";Security;Sell;US0000000011;-4;110;440;0,99;2;EUR',
        '2024-03-05;09:00:00;Pending;"S-2";"Atlas Inc";Security;Buy;US0000000011;1;100;-100;0;0;EUR',
        '2024-03-04;09:00:00;Executed;"S-1";"Atlas Inc";Security;Savings plan;US0000000011;10;100,5;-1005;0;0;EUR',
        '2024-03-01;09:00:00;Executed;"S-0";"Bank";Cash;Deposit;;;;2500;0;;EUR',
    )
    body = upload.done(data=data, instruments=choices(US0000000011="ATLAS.EUR.DEMO"))
    assert (body["format"], body["created"], body["ignored"]) == ("scalable", 3, 2)
    assert held()["ATLAS.EUR.DEMO"] == (6, D("100.5"), 603, D("35.01"), D("8.5"), 0)
    twice(upload, data)


# --- More paid back than charged ------------------------------------------------------------------

BACK = {
    # Ten for 1,000, four sold at 90 with a fee of 1 and 25 of tax paid back.
    "traderepublic": (
        "datetime,date,account_type,category,type,asset_class,name,symbol,shares,price,amount,fee,tax,currency,"
        "original_amount,original_currency,fx_rate,description,transaction_id",
        "2024-03-04T09:30:00.000Z,2024-03-04,DEFAULT,TRADING,BUY,STOCK,Atlas,US0000000011,10,100,-1000,,,EUR,,,,,id-1",
        "2024-06-03T09:30:00.000Z,2024-06-03,DEFAULT,TRADING,SELL,STOCK,Atlas,US0000000011,-4,90,360,-1.00,25.00,EUR,,,,,id-2",
    ),
    "scalable": (
        "date;time;status;reference;description;assetType;type;isin;shares;price;amount;fee;tax;currency",
        '2024-03-04;09:00:00;Executed;"id-1";"Atlas Inc";Security;Buy;US0000000011;10;100;-1000;0;0;EUR',
        '2024-06-03;09:00:00;Executed;"id-2";"Atlas Inc";Security;Sell;US0000000011;-4;90;360;1,00;-25,00;EUR',
    ),
    "ibkr-trades": (
        f"{TRADE_COLUMNS},TradeID",
        "STK,BUY,20240304,US0000000011,ATL,10,100,1000,EUR,0,EUR,id-1",
        "STK,SELL,20240603,US0000000011,ATL,-4,90,-360,EUR,24,EUR,id-2",
    ),
}


@pytest.mark.parametrize("name", BACK)
def test_what_is_paid_back_beyond_the_charges_of_a_trade_is_interest(account, name):
    upload = account("EUR")
    body = upload.done(data=text(*BACK[name]), instruments=choices(US0000000011="ATLAS.EUR.DEMO"))
    assert (body["format"], body["created"], body["failed"]) == (name, 3, 0)
    assert ledger() == [
        ("buy", 10, 100, 0, 1, "id-1"),
        ("sell", 4, 90, 0, 1, "id-2"),
        ("interest", 1, 24, 0, 1, "id-2:back"),
    ]
    assert held()["ATLAS.EUR.DEMO"] == (6, 100, 600, -40, 24, 0)
    twice(upload, text(*BACK[name]))


def test_a_rebate_in_another_currency_without_ids_is_turned_into_the_listings_and_known_again(
    account,
):
    with_rates("USD", "EUR", {date(2024, 3, 4): "0.8"})
    upload = account("USD")
    line = "STK,BUY,20240304,US0000000011,ATL,10,100,1000,USD,0.12,EUR"
    upload.done(data=text(TRADE_COLUMNS, line), instruments=ATLAS_KNOWN)
    assert [row[:4] for row in ledger()] == [("buy", 10, 100, 0), ("interest", 1, D("0.15"), 0)]
    twice(upload, text(TRADE_COLUMNS, line))


def test_a_tax_paid_back_with_a_dividend_is_interest_too(account):
    header = BACK["scalable"][0]
    line = '2024-05-16;11:40:50;Executed;"S-4";"Atlas Inc";Cash;Distribution;US0000000011;;;10;0;-1,5;EUR'
    upload = account("EUR")
    upload.done(data=text(header, line), instruments=choices(US0000000011="ATLAS.EUR.DEMO"))
    assert held()["ATLAS.EUR.DEMO"][4] == D("11.5")
    twice(upload, text(header, line))


# --- Any table ------------------------------------------------------------------------------------


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
            == "The mapping names the column Gebyr for commission and note: it can be only one of them."
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
