"""DEGIRO files through the REST API."""

from decimal import Decimal as D

import pytest

from integrations.statements.tests import support
from integrations.statements.tests.support import choices, faults, held, rounded, text, twice
from portfolios.models import Transaction, TransactionGroup

pytestmark = pytest.mark.django_db


DEGIRO = "Datum,Tijd,Valutadatum,Product,ISIN,Omschrijving,FX,Mutatie,,Saldo,,Order Id"
ORDER = "0b1f7d5e-0000-4000-8000-00000000000"
ATLAS = "ATLAS INC,US0000000011"


def ledger():
    """Return the transactions of holdings. Others are the balance before the file, and money."""
    return [row for row in support.ledger() if row[0] in ("buy", "sell", "dividend", "tax")]


def trades():
    return Transaction.objects.filter(type__in=("buy", "sell"))


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
    assert (body["format"], body["created"], body["ignored"]) == ("degiro", 6, 3)
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
            "amount_differs",
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
        trades().order_by("date"), (f"{ORDER}5", f"{ORDER}5:2"), (4, 0), strict=True
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
def test_degiro_fills_with_former_ids_from_an_export_are_recognised(account, imported_as):
    upload = account("EUR")
    upload.done(f"2023-12-29,buy,FJORD.EUR.DEMO,34,10,4,EUR,,,{ORDER}5")
    if imported_as is not None:
        trades().update(imported_as=imported_as)
    again = upload(data=text(DEGIRO, *IN_2023), instruments=KNOWN_FJORD)
    assert (again.status_code, again.json()["created"], again.json()["duplicates"]) == (200, 0, 1)
    assert trades().get().quantity == 34


def test_degiros_fill_that_the_ids_of_before_took_for_another_is_booked_now(account):
    upload = account("EUR")
    upload.done(data=text(DEGIRO, *IN_2023), instruments=KNOWN_FJORD)
    trades().update(external_id=f"{ORDER}5")
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


SPANISH = "Fecha,Hora,Fecha valor,Producto,ISIN,Descripción,Tipo,Variación,,Saldo,,ID Orden"
GERMAN = "Datum,Uhrze,Valutadatum,Produkt,ISIN,Beschreibung,FX,Änderung,,Saldo,,Order-ID"
FRENCH = "Date,Heure,Date de,Produit,Code ISIN,Description,FX,Mouvements,,Solde,,ID Ordre"
POLISH = "Data,Czas,Data waluty,Produkt,ISIN,Opis,Kurs,Zmiana,,Saldo,,Identyfikator zlecenia"
CZECH = "Datum,Čas,Datum valuty,Produkt,ISIN,Popis,Kurz,Změna,,Zůstatek,,ID objednávky"


@pytest.mark.parametrize(
    ("header", "words", "price"),
    [
        (GERMAN, "Kauf 4 ATLAS INC zu je 12,5 EUR", "12.5"),
        (GERMAN, "Kauf 4 ATLAS INC@12,5 EUR (US0000000011)", "12.5"),
        (FRENCH, "Achat 4 ATLAS INC@12,50 EUR (US0000000011)", "12.5"),
        (SPANISH, "Compra 4 ATLAS INC@12,5 EUR (US0000000011)", "12.5"),
        (POLISH, "Kupno 4 ATLAS INC@12,5 EUR (US0000000011)", "12.5"),
        (CZECH, "Nákup 4 ATLAS INC za 12,5 EUR (US0000000011)", "12.5"),
        (DEGIRO, "Køb 4 ATLAS INC@12,5 EUR (US0000000011)", "12.5"),
        (DEGIRO, "Köp 4 ATLAS INC@12,5 EUR (US0000000011)", "12.5"),
        (DEGIRO, "Kjøp 4 ATLAS INC@12,5 EUR (US0000000011)", "12.5"),
        (DEGIRO, "Osto 4 ATLAS INC@12,5 EUR (US0000000011)", "12.5"),
        (DEGIRO, "Acquisto 4 ATLAS INC@12,5 EUR (US0000000011)", "12.5"),
        (DEGIRO, "Buy 4 3M CO@12.5 EUR (US0000000011)", "12.5"),
        # The name begins with a number that could be part of the quantity.
        (DEGIRO, "Koop 4 888 HOLDINGS@12,5 EUR (US0000000011)", "12.5"),
    ],
)
def test_degiros_words_for_a_purchase(account, header, words, price):
    row = f'01-03-2024,09:30,01-03-2024,{ATLAS},"{words}",,EUR,"-50,00",EUR,"0,00",o'
    account("EUR").done(data=text(header, row), instruments=choices(US0000000011="ATLAS.EUR.DEMO"))
    trade = trades().get()
    assert (trade.type, trade.quantity, trade.price) == ("buy", 4, D(price))
    assert trade.settlement_amount == -50


@pytest.mark.parametrize(
    ("words", "change", "quantity", "price"),
    [
        ("Compra 2 ATLAS INC@1.670 EUR", "-3340,00", 2, 1670),
        ("Nákup 10 ATLAS INC za 1 035 EUR", "-10350,00", 10, 1035),
        ("Koop 1.000 ATLAS INC@2 EUR", "-2000,00", 1000, 2),
        ("Achat 1 046 ATLAS INC@2,5 EUR", "-2615,00", 1046, "2.5"),
    ],
)
def test_degiros_thousands_are_read_as_its_words_write_them(
    account, words, change, quantity, price
):
    row = f'01-03-2024,09:30,01-03-2024,{ATLAS},"{words}",,EUR,"{change}",EUR,"0,00",o'
    account("EUR").done(data=text(SPANISH, row), instruments=choices(US0000000011="ATLAS.EUR.DEMO"))
    trade = trades().get()
    assert (trade.quantity, trade.price) == (quantity, D(price))


def test_degiros_deposits_fees_interest_and_exchanges_are_money(account):
    data = text(
        DEGIRO,
        '04-06-2024,18:33,04-06-2024,,,"Overboeking naar uw geldrekening bij flatexDEGIRO Bank: 98,12 EUR",,,,EUR,"955,31",',
        '04-06-2024,18:33,04-06-2024,FLATEX EURO BANKACCOUNT,NLFLATEXACNT,Degiro Cash Sweep Transfer,,EUR,"98,12",EUR,"1053,43",',
        '03-06-2024,09:00,03-06-2024,,,flatex terugstorting,,EUR,"-50,00",EUR,"955,31",',
        '03-06-2024,08:00,31-05-2024,,,Flatex Interest,,EUR,"-0,12",EUR,"1005,31",',
        '02-06-2024,08:37,02-06-2024,,,Valuta Creditering,,EUR,"1,28",EUR,"1005,43",',
        '02-06-2024,08:37,02-06-2024,,,Valuta Debitering,"1,0613",USD,"-1,36",USD,"0,00",',
        '01-06-2024,08:00,01-06-2024,,,DEGIRO Aansluitingskosten 2024 (Xetra - XET),,EUR,"-2,50",EUR,"1004,15",',
        f'30-05-2024,08:00,30-05-2024,{ATLAS},ADR/GDR Externe Kosten,,USD,"-0,04",USD,"1,36",',
        f'29-05-2024,08:00,29-05-2024,{ATLAS},Dividend,,USD,"1,40",USD,"1,40",',
        '28-05-2024,08:00,28-05-2024,,,DEGIRO courtesy,,EUR,"6,65",EUR,"1006,65",',
        '27-05-2024,08:00,27-05-2024,,,iDEAL Deposit,,EUR,"1000,00",EUR,"1000,00",',
        '27-05-2024,08:00,27-05-2024,,,Reservation iDEAL / Sofort Deposit,,EUR,"-1000,00",EUR,"0,00",',
        '25-05-2024,08:00,25-05-2024,,,Reservation iDEAL / Sofort Deposit,,EUR,"1000,00",EUR,"1000,00",',
    )
    upload = account("EUR")
    body = upload.done(data=data, instruments=choices(US0000000011="ATLAS.USD.DEMO"))
    assert (body["money_created"], body["groups_created"], body["ignored"]) == (7, 1, 4)
    assert (body["reconciled"], body["first_divergence"]) == (True, None)
    money = Transaction.objects.filter(holding=None).exclude(type="opening").order_by("date")
    assert sorted(money.values_list("type", "settlement_amount", "settlement_currency")) == [
        ("adjustment", D("6.65"), "EUR"),
        ("conversion", D("-1.36"), "USD"),
        ("conversion", D("1.28"), "EUR"),
        ("deposit", 1000, "EUR"),
        ("fee", D("-2.5"), "EUR"),
        ("interest", D("-0.12"), "EUR"),
        ("withdrawal", -50, "EUR"),
    ]
    twice(upload, data)


def test_degiros_exchange_of_an_order_is_part_of_the_trade(account):
    data = text(
        DEGIRO,
        f'04-03-2024,15:31,04-03-2024,{ATLAS},Valuta Creditering,"1,0800",USD,"324,00",USD,"0,00",{ORDER}1',
        f'04-03-2024,15:31,04-03-2024,{ATLAS},Valuta Debitering,,EUR,"-300,01",EUR,"697,99",{ORDER}1',
        f'04-03-2024,15:31,04-03-2024,{ATLAS},DEGIRO Transactiekosten en/of kosten van derden,,EUR,"-2,00",EUR,"998,00",{ORDER}1',
        f'04-03-2024,15:31,04-03-2024,{ATLAS},"Koop 1 @ 108 USD",,USD,"-108,00",USD,"-324,00",{ORDER}1',
        f'04-03-2024,15:31,04-03-2024,{ATLAS},"Koop 2 @ 108 USD",,USD,"-216,00",USD,"-216,00",{ORDER}1',
    )
    body = account("EUR").done(data=data, instruments=choices(US0000000011="ATLAS.USD.DEMO"))
    assert (body["created"], body["groups_created"], body["ignored"]) == (2, 0, 3)
    # 300.01 shared as 216 to 108, and the fee with the first; in the portfolio's currency
    settled = trades().order_by("sequence").values_list("settlement_amount", "settlement_currency")
    assert list(settled) == [(D("-202.01"), None), (-100, None)]


def test_an_exchange_of_another_amount_than_the_order_is_one_of_its_own(account):
    data = text(
        DEGIRO,
        f'04-03-2024,15:31,04-03-2024,{ATLAS},Valuta Creditering,"1,0800",USD,"54,00",USD,"0,00",{ORDER}1',
        f'04-03-2024,15:31,04-03-2024,{ATLAS},Valuta Debitering,,EUR,"-50,00",EUR,"698,00",{ORDER}1',
        f'04-03-2024,15:31,04-03-2024,{ATLAS},"Koop 1 @ 108 USD",,USD,"-108,00",USD,"-54,00",{ORDER}1',
    )
    body = account("EUR").done(data=data, instruments=choices(US0000000011="ATLAS.USD.DEMO"))
    assert (body["groups_created"], body["ignored"]) == (1, 0)
    trade = Transaction.objects.get(type="buy")
    assert (trade.settlement_amount, trade.settlement_currency) == (-108, "USD")


def test_charges_in_a_third_currency_are_fees_and_taxes_are_taxes(account):
    data = text(
        DEGIRO,
        f'04-03-2024,15:31,04-03-2024,{ATLAS},Stamp Duty - London/Dublin,,USD,"-0,54",USD,"0,00",{ORDER}1',
        f'04-03-2024,15:31,04-03-2024,{ATLAS},DEGIRO Transactiekosten en/of kosten van derden,,EUR,"-2,00",EUR,"998,00",{ORDER}1',
        f'04-03-2024,15:31,04-03-2024,{ATLAS},"Koop 1 @ 108 USD",,USD,"-108,00",USD,"0,54",{ORDER}1',
    )
    account("EUR").done(data=data, instruments=choices(US0000000011="ATLAS.USD.DEMO"))
    trade, fee = Transaction.objects.filter(holding__isnull=False).order_by("sequence")
    assert (trade.commission, trade.tax, trade.settlement_amount) == (0, D("0.54"), D("-108.54"))
    assert (fee.type, fee.settlement_amount, fee.settlement_currency) == ("fee", -2, None)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("01-03-2024,09:30,01-03-2024,,,Valuta Creditering,,EUR,9.57,EUR,33.96,", "unpaired_conversion"),
        ("01-03-2024,09:30,01-03-2024,,,Iets nieuws,,EUR,9.57,EUR,33.96,", "unknown_type"),
        (f"01-03-2024,09:30,01-03-2024,{ATLAS},Sell 2 X@10 EUR,,EUR,-20.00,EUR,33.96,", "amount_differs"),
        (f"01-03-2024,09:30,01-03-2024,{ATLAS},Buy 2 X@10 USD,,EUR,-20.00,EUR,33.96,", "mixed_currencies"),
        (f"01-03-2024,09:30,01-03-2024,{ATLAS},Dividend,,EUR,-2.00,EUR,33.96,", "unpaired_reversal"),
    ],
)  # fmt: skip
def test_what_degiros_rows_leave_open_is_an_error(account, row, code):
    body = account("EUR")(
        data=text(DEGIRO, row), instruments=choices(US0000000011="ATLAS.EUR.DEMO")
    ).json()
    assert [error["code"] for error in body["errors"]] == [code]


def test_shares_taken_for_cash_alone_are_a_sale(account):
    data = text(
        DEGIRO,
        f'01-06-2024,09:30,01-06-2024,{ATLAS},"FUSIE: Verkoop 4 @ 20 EUR",,EUR,"80,00",EUR,"80,00",',
        f'01-03-2024,09:30,01-03-2024,{ATLAS},"Koop 4 @ 12,5 EUR",,EUR,"-50,00",EUR,"0,00",o',
    )
    account("EUR").done(data=data, instruments=choices(US0000000011="ATLAS.EUR.DEMO"))
    assert held()["ATLAS.EUR.DEMO"] == (0, None, 0, 30, 0, 0)


def test_shares_under_another_isin_are_an_exchange(account):
    data = text(
        DEGIRO,
        '31-01-2024,06:45,31-01-2024,NEW,GB0000000021,"WIJZIGING ISIN: Koop 65 @ 22,795 EUR",,EUR,"-1481,68",EUR,"0,00",',
        f'31-01-2024,06:45,31-01-2024,{ATLAS},"WIJZIGING ISIN: Verkoop 65 @ 22,795 EUR",,EUR,"1481,68",EUR,"1481,68",',
        f'10-01-2024,09:00,10-01-2024,{ATLAS},"Koop 65 @ 20,00 EUR",,EUR,"-1300,00",EUR,"0,00",o',
    )
    known = choices(US0000000011="ATLAS.EUR.DEMO", GB0000000021="NEW.EUR.DEMO")
    body = account("EUR").done(data=data, instruments=known)
    assert (body["failed"], body["ignored"], body["groups_created"]) == (0, 0, 1)
    assert held()["ATLAS.EUR.DEMO"][0] == 0
    assert held()["NEW.EUR.DEMO"][:3] == (65, 20, 1300)


HBR, SKG, RTS = "GB0000000021", "SE0000000012", "NO0000000103"
THREE = choices(
    US0000000011="ATLAS.EUR.DEMO",
    GB0000000021="HARBOR.EUR.DEMO",
    SE0000000012="SKOG.EUR.DEMO",
    NO0000000103="FJORD.EUR.DEMO",
)
HELD = f'01-03-2024,09:30,01-03-2024,{ATLAS},"Koop 10 @ 50 EUR",,EUR,"-500,00",EUR,"500,00",a'


def action(words, change, what=ATLAS, time="06:45"):
    return f'01-06-2024,{time},01-06-2024,{what},"{words} EUR",,EUR,"{change}",EUR,"500,00",'


def done(account, *rows):
    upload = account("EUR")
    body = upload.done(data=text(DEGIRO, *rows, HELD), instruments=THREE)
    twice(upload, text(DEGIRO, *rows, HELD))
    kinds = TransactionGroup.objects.values_list("kind", flat=True)
    return body, sorted(kinds)


@pytest.mark.parametrize(
    "name", ["SPIN-OFF", "ABSPALTUNG", "SCISSION", "SCISSIONE", "ESCISIÓN", "CISÃO", "AFSPLITSING"]
)
def test_a_spin_off_takes_the_part_of_the_cost_that_its_prices_say(account, name):
    _body, groups = done(
        account,
        action(f"{name}: Koop 2 @ 50", "-100,00", f"SKOG,{SKG}"),
        action(f"{name}: Koop 10 @ 40", "-400,00"),
        action(f"{name}: Verkoop 10 @ 50", "500,00"),
    )
    assert groups == ["spin_off"]
    now = held()
    assert now["ATLAS.EUR.DEMO"][:3] == (10, 40, 400)
    assert now["SKOG.EUR.DEMO"][:3] == (2, 50, 100)


def test_a_merger_for_shares_and_cash_divides_the_cost_by_its_prices(account):
    body, groups = done(
        account,
        action("FUSIE: Koop 5 @ 80", "-400,00", f"HARBOUR,{HBR}"),
        action("FUSIE: Verkoop 10 @ 60", "600,00"),
    )
    assert (groups, body["warnings"]) == (["exchange"], body["warnings"])
    now = held()
    # Two thirds of 500 go with the shares; the cash of 200 realises the rest.
    assert now["HARBOR.EUR.DEMO"][2].quantize(D("0.01")) == D("333.33")
    assert now["ATLAS.EUR.DEMO"][3].quantize(D("0.01")) == D("33.33")


@pytest.mark.parametrize("name", ["CLAIMEMISSIE", "BEZUGSRECHT", "DROITS", "DIRITTI", "DERECHOS"])
def test_rights_come_at_no_cost_are_exercised_and_lapse(account, name):
    body, groups = done(
        account,
        action(f"{name}: Koop 10 @ 0", "0,00", f"RIGHTS,{RTS}", "06:00").replace("01-06", "20-05"),
        action(f"{name}: Koop 3 @ 20", "-60,00"),
        action(f"{name}: Verkoop 6 @ 0", "0,00", f"RIGHTS,{RTS}"),
        action("DELISTING: Verkoop 4 @ 0", "0,00", f"RIGHTS,{RTS}").replace("01-06", "05-06"),
    )
    assert (groups, body["created"]) == (["exercise"], 5)
    now = held()
    assert (now["ATLAS.EUR.DEMO"][0], now["ATLAS.EUR.DEMO"][2]) == (13, 560)
    assert now["FJORD.EUR.DEMO"][0] == 0


def test_two_companies_that_change_their_isin_on_one_day_are_two_exchanges(account):
    _body, groups = done(
        account,
        action("WIJZIGING ISIN: Koop 10 @ 50", "-500,00", f"HARBOUR,{HBR}"),
        action("WIJZIGING ISIN: Verkoop 10 @ 50", "500,00"),
        action("WIJZIGING ISIN: Koop 7 @ 3", "-21,00", f"SKOG,{SKG}"),
        action("WIJZIGING ISIN: Verkoop 7 @ 3", "21,00", f"RIGHTS,{RTS}"),
        f'02-03-2024,09:30,02-03-2024,RIGHTS,{RTS},"Koop 7 @ 2 EUR",,EUR,"-14,00",EUR,"486,00",b',
    )
    assert groups == ["exchange", "exchange"]
    now = held()
    assert now["HARBOR.EUR.DEMO"][:3] == (10, 50, 500)
    assert now["SKOG.EUR.DEMO"][:3] == (7, 2, 14)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Retenue à la source sur dividendes", "tax"),
        ("Werbeaktion", "deposit"),
        ("DEGIRO Gutschrift", "adjustment"),
        ("Reimbursement offer DEGIRO", "adjustment"),
        ("Remboursement", "adjustment"),
        ("Rückerstattung", "adjustment"),
    ],
)
def test_degiros_words_for_money(account, words, kind):
    row = f'05-06-2024,06:45,05-06-2024,,,{words},,EUR,"20,00",EUR,"520,00",'
    account("EUR").done(data=text(DEGIRO, row))
    [made] = Transaction.objects.exclude(type="opening")
    assert (made.type, made.settlement_amount) == (kind, 20)


@pytest.mark.parametrize(
    "words",
    ["Corporate Action Cash Settlement Stock", "Contante Verrekening Aandelen", "Barausgleich"],
)
def test_money_beside_an_action_comes_out_of_the_cost(account, words):
    paid = f'05-06-2024,06:45,05-06-2024,{ATLAS},{words},,EUR,"20,00",EUR,"520,00",'
    done(account, paid)
    assert held()["ATLAS.EUR.DEMO"][:5] == (10, 48, 480, 0, 0)


def test_shares_that_leave_for_shares_of_several_kinds_are_an_error(account):
    data = text(
        DEGIRO,
        action("FUSIE: Koop 5 @ 80", "-400,00", f"HARBOUR,{HBR}"),
        action("FUSIE: Verkoop 4 @ 60", "240,00", f"RIGHTS,{RTS}"),
        action("FUSIE: Verkoop 10 @ 60", "600,00"),
        HELD,
    )
    body = account("EUR")(data=data, instruments=THREE).json()
    assert [one["code"] for one in body["errors"]] == ["unpaired_action"] * 3
    assert not Transaction.objects.exists()


# Consistent: each balance follows from the one before. Newest first.
WHOLE_ACCOUNT = [
    '10-07-2024,09:00,10-07-2024,,,Terugstorting,,EUR,"-100,00",EUR,"800,48",',
    f'05-07-2024,16:00,05-07-2024,{ATLAS},Valuta Creditering,,EUR,"101,00",EUR,"900,48",{ORDER}2',
    f'05-07-2024,16:00,05-07-2024,{ATLAS},Valuta Debitering,"1,0891",USD,"-110,00",USD,"0,00",{ORDER}2',
    f'05-07-2024,16:00,05-07-2024,{ATLAS},DEGIRO Transactiekosten en/of kosten van derden,,EUR,"-1,00",EUR,"799,48",{ORDER}2',
    f'05-07-2024,16:00,05-07-2024,{ATLAS},"Verkoop 1 @ 110 USD",,USD,"110,00",USD,"110,00",{ORDER}2',
    '03-06-2024,08:00,31-05-2024,,,Flatex Interest Income,,EUR,"0,12",EUR,"800,48",',
    '17-05-2024,07:30,16-05-2024,,,Valuta Creditering,,EUR,"2,36",EUR,"800,36",',
    '17-05-2024,07:30,16-05-2024,,,Valuta Debitering,"1,0805",USD,"-2,55",USD,"0,00",',
    f'16-05-2024,07:30,15-05-2024,{ATLAS},Dividendbelasting,,USD,"-0,45",USD,"2,55",',
    f'16-05-2024,07:30,15-05-2024,{ATLAS},Dividend,,USD,"3,00",USD,"3,00",',
    f'04-03-2024,15:31,04-03-2024,{ATLAS},Valuta Creditering,"1,0800",USD,"216,00",USD,"0,00",{ORDER}1',
    f'04-03-2024,15:31,04-03-2024,{ATLAS},Valuta Debitering,,EUR,"-200,00",EUR,"798,00",{ORDER}1',
    f'04-03-2024,15:31,04-03-2024,{ATLAS},DEGIRO Transactiekosten en/of kosten van derden,,EUR,"-2,00",EUR,"998,00",{ORDER}1',
    f'04-03-2024,15:31,04-03-2024,{ATLAS},"Koop 2 @ 108 USD",,USD,"-216,00",USD,"-216,00",{ORDER}1',
    '01-03-2024,10:00,01-03-2024,,,iDEAL Deposit,,EUR,"1000,00",EUR,"1000,00",',
]  # fmt: skip


def test_a_consistent_account_of_two_currencies_agrees_to_its_last_day(account, api):
    body = account("EUR").done(
        data=text(DEGIRO, *WHOLE_ACCOUNT), instruments=choices(US0000000011="ATLAS.USD.DEMO")
    )
    assert (body["failed"], body["reconciled"], body["cash_from"]) == (0, True, "2024-03-01")
    url = f"/api/v1/portfolios/{body['portfolio_id']}"
    found = api.get(f"{url}/agreement").json()
    assert (found["agrees_until"], found["first_difference"]) == ("2024-07-10", None)
    balances = [
        (one["currency"], one["balance"]) for one in api.get(f"{url}/cash").json()["currencies"]
    ]
    assert balances == [("EUR", 800.48), ("USD", 0)]
    assert held()["ATLAS.USD.DEMO"][0] == 1


def test_old_statements_have_names_above_the_amounts_and_not_above_the_currencies(account):
    data = text(
        "Date,Time,Value date,Product,ISIN,Description,FX,,Amount,,Balance,Order Id",
        "02-03-2024,09:00,02-03-2024,ATLAS INC,US0000000011,Dividend,,USD,10.00,USD,10.00,",
    )
    body = account("USD").done(data=data, instruments=choices(US0000000011="ATLAS.USD.DEMO"))
    assert body["format"] == "degiro"
    assert held()["ATLAS.USD.DEMO"][4] == 10
