"""Saxo files through the REST API."""

import json
from datetime import date
from decimal import Decimal as D

import pytest

from integrations.statements.saxo_words import is_derivative
from integrations.statements.tests.support import (
    choices,
    faults,
    held,
    ledger,
    rounded,
    text,
    twice,
)
from integrations.statements.tests.workbooks import workbook
from marketdata.tests.factories import with_rates
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db


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
    assert (body["format"], body["created"], body["ignored"]) == ("saxo", 5, 0)
    # 995 and 3 of commission; 4 sold for 440 - 3
    assert held()["WERELD.EUR.DEMO"] == (6, D("99.8"), D("598.8"), D("37.8"), D("12.5"), 0)
    twice(upload, data)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (
            f'1,04-Mar-2024,06-Mar-2024,Trade,{FUND},Buy 10 @ 99.50 EUR,"-980,00",7001,1',
            "amount_differs",
        ),
        (
            f'1,04-Mar-2024,06-Mar-2024,Trade,{FUND},Buy 10 @ 99.50 EUR,"-700,00",7001,0.92',
            "amount_differs",
        ),
        (
            f'1,04-Mar-2024,06-Mar-2024,Corporate action,{FUND},Dividend,"9,20",,0.92',
            "mixed_currencies",
        ),
        (
            f'1,04-Mar-2024,06-Mar-2024,Corporate action,{FUND},Dividend,"-9,20",,1',
            "unpaired_reversal",
        ),
        (
            "1,04-Mar-2024,06-Mar-2024,Cash amount,,,EUR,,,Something new,5,,1",
            "unknown_type",
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
            "amount_differs",
            "1.500 × 10.00 = 15.00000",
        ),
        ("Buy 1,500 @ 1.00 EUR", "-1505,00", "Event", "invalid", "1,500 could be 1500 or 1.5"),
        ("Buy 10 @ 1,500 EUR", "-15005,00", "Event", "invalid", "1,500 could be 1500 or 1.5"),
        (
            "Buy 1.500.000 @ 1.00 EUR",
            "-1500005,00",
            "Event",
            "invalid",
            "1.500.000 is not a number",
        ),
        ("Buy 1.500,5 @ 1.00 EUR", "-1505,5", "Event", "invalid", "1.500,5 is not a number"),
        ("Buy 12,5 @ 1.00 EUR", "-13", "Event", "invalid", "12,5 is not a number"),
        ("Buy . @ 1.00 EUR", "-13", "Event", "invalid", ". is not a number"),
        ("Buy \u0663 @ 1.00 EUR", "-13", "Event", "invalid", "\u0663 is not a number"),
        (
            "Buy 1 @ 10.00 EUR",
            "-110,01",
            "Amount",
            "amount_differs",
            "100.01 is not a plausible commission",
        ),
        (
            "Buy 1000 @ 10.00 EUR",
            "-10500,01",
            "Amount",
            "amount_differs",
            "500.01 is not a plausible commission",
        ),
        (
            "Sell 1000 @ 10.00 EUR",
            "9499,99",
            "Amount",
            "amount_differs",
            "500.01 is not a plausible commission",
        ),
        (
            "Sell 1000 @ 10.00 EUR",
            "-9999,00",
            "Amount",
            "amount_differs",
            "19999.00 is not a plausible commission",
        ),
    ],
)
def test_an_ambiguous_saxo_row_is_an_error(account, dump, event, amount, column, code, says):
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


ATLAS = "Atlas Inc.,US0000000011,USD,NASDAQ,ATL:xnas"
KNOWN = choices(US0000000011="ATLAS.USD.DEMO", IE0000000041="WERELD.EUR.DEMO")
HEADER = SAXO.format(amount="Amount", more="")
CASH = "1,01-Mar-2024,01-Mar-2024,Cash Transfer,,,EUR,,,Deposit,1000,,1"


@pytest.mark.parametrize("rate", ["0.92", "1.0869565217"])
def test_an_amount_in_the_currency_of_the_account_gives_the_rate(account, rate):
    """The rate is written in either direction: 404.55 dollars and 1 of commission, at 0.92."""
    line = f'1,03-Jan-2025,07-Jan-2025,Trade,{ATLAS},Buy 3 @ 134.85 USD,"-373,11",5001,{rate}'
    account("EUR").done(data=text(HEADER, CASH, line), instruments=KNOWN)
    [bought] = Transaction.objects.filter(type="buy")
    assert bought.exchange_rate.quantize(D("0.00001")) == D("0.92")
    assert bought.commission.quantize(D("0.01")) == D("1")
    assert bought.settlement_amount == D("-373.11")
    assert rounded(held()["ATLAS.USD.DEMO"])[2] == D("373.11")


def test_a_dividend_in_another_currency_is_what_the_account_received(account):
    lines = [
        f'1,03-Jun-2024,07-Jun-2024,Corporate action,{ATLAS},Cash dividend,"9,20",,0.92',
        f'1,03-Jan-2024,07-Jan-2024,Trade,{ATLAS},Buy 3 @ 100.00 USD,"-276,00",5001,0.92',
    ]
    with_rates("USD", "EUR", {date(2024, 6, 3): "0.92"})
    with_rates("EUR", "USD", {date(2024, 6, 3): "1.086956521739130"})
    account("EUR").done(data=text(HEADER, CASH, *lines), instruments=KNOWN)
    assert rounded(held()["ATLAS.USD.DEMO"])[4] == D("9.2")
    assert Transaction.objects.get(type="dividend").settlement_amount == D("9.2")


def test_danish_words(account):
    header = (
        "Klient-id,Handelsdato,Valørdato,Type,Instrument,Instrument ISIN,Instrumentvaluta,"
        "Børsbeskrivelse,Instrumentsymbol,Begivenhed,Bogført beløb,Ordre-id,Omregningskurs"
    )
    data = text(
        header,
        f'1,10-jul-2024,10-jul-2024,Selskabsbegivenhed,{FUND},Udbytte,"12,50",,1',
        f'1,02-apr-2024,04-apr-2024,Handel,{FUND},"Sælg -4 @ 110,00 EUR","437,00",7002,1',
        f'1,04-mar-2024,06-mar-2024,Handel,{FUND},"Køb 10 @ 99,50 EUR","-998,00",7001,"1,0000"',
        '1,01-maj-2024,01-maj-2024,Kontantbeløb,,,EUR,,,Depotgebyr,"-3,91",,1',
        "1,01-mar-2024,01-mar-2024,Overførsel,,,EUR,,,Indbetaling,1000,,1",
    )
    body = account("EUR").done(data=data, instruments=KNOWN)
    assert (body["format"], body["created"], body["ignored"]) == ("saxo", 5, 0)
    assert held()["WERELD.EUR.DEMO"] == (6, D("99.8"), D("598.8"), D("37.8"), D("12.5"), 0)


def test_french_words_and_shares_moved_in(account):
    header = (
        "Code client,Date d'opération,Date de valeur,Type,Instrument ,Code ISIN de l'instrument,"
        "Devise de l'instrument,Description de la bourse,Symbole,Événement,Montant comptabilisé,"
        "Numéro d'ordre,Taux de change"
    )
    data = text(
        header,
        f"1,05-Jun-2024,05-Jun-2024,Opération,{FUND},Vendre -4 @ 110.00 EUR,437.00,7002,1",
        f"1,04-Mar-2024,06-Mar-2024,Opération,{FUND},Transfert entrant 10 @ 99.80 EUR,0,,1",
        "1,01-Mar-2024,01-Mar-2024,Transfert d'espèces,,,EUR,,,Dépôts,1000,,1",
    )
    body = account("EUR").done(data=data, instruments=KNOWN)
    assert (body["created"], body["ignored"]) == (3, 0)
    assert held()["WERELD.EUR.DEMO"][:4] == (6, D("99.8"), D("598.8"), D("37.8"))


def test_a_price_that_was_rounded_follows_from_an_amount_below_it(account):
    line = f'1,04-Mar-2024,06-Mar-2024,Trade,{FUND},Buy 1000 @ 10.00 EUR,"-9997,00",7001,1'
    account("EUR").done(data=text(HEADER, line), instruments=KNOWN)
    assert ledger() == [("buy", 1000, D("9.997"), 0, 1, None)]


def test_a_dividend_that_is_taken_back_goes_with_it(account):
    data = text(
        HEADER,
        f'1,12-Jul-2024,12-Jul-2024,Corporate action,{FUND},Dividend,"-12,50",,1',
        f'1,10-Jul-2024,10-Jul-2024,Corporate action,{FUND},Dividend,"12,50",,1',
        f'1,04-Mar-2024,06-Mar-2024,Trade,{FUND},Buy 10 @ 99.50 EUR,"-998,00",7001,1',
    )
    body = account("EUR").done(data=data, instruments=KNOWN)
    assert (body["created"], body["ignored"]) == (1, 2)


def test_payments_interest_and_fees_are_money(account):
    data = text(
        HEADER,
        "1,05-Mar-2024,05-Mar-2024,Cash Transfer,,,EUR,,,Withdrawal,-200,,1",
        '1,04-Mar-2024,04-Mar-2024,Cash amount,,,EUR,,,Interest,"0,55",,1',
        '1,03-Mar-2024,03-Mar-2024,Cash amount,,,EUR,,,VAT,"-0,98",,1',
        '1,02-Mar-2024,02-Mar-2024,Cash amount,,,EUR,,,Custody Fee,"-3,91",,1',
        CASH,
    )
    body = account("EUR").done(data=data)
    assert (body["created"], body["money_created"], body["ignored"]) == (5, 5, 0)
    rows = Transaction.objects.order_by("date").values_list("type", "settlement_amount", "note")
    assert list(rows) == [
        ("deposit", 1000, "Deposit"),
        ("fee", D("-3.91"), "Custody Fee"),
        ("fee", D("-0.98"), "VAT"),
        ("interest", D("0.55"), "Interest"),
        ("withdrawal", -200, "Withdrawal"),
    ]


LONG = (
    "Client ID,Trade Date,Value Date,Account ID,Trade ID,Corporate Action Id,Transaction Type,Event,"
    "Booked Amount,Currency,Conversion Rate,Conversion cost,Total cost,Comment,Instrument,"
    "Instrument Symbol,Instrument ISIN,Instrument currency,Type,Exchange Description"
)
STOCK = "Wereldfonds,WERELD:xams,IE0000000041,EUR,Stock,Euronext Amsterdam"


def long_row(kind, event, amount, currency="EUR", rate="1", day="04-mrt-2024"):
    return f'1,{day},{day},1/A,,,{kind},{event},"{amount}",{currency},{rate},0,0,,{STOCK}'


def test_the_long_layout_has_its_kinds_in_another_column(account):
    data = text(
        LONG,
        long_row("Corporate action", "Dividend", "12,50", day="10-jul-2024"),
        long_row("Trade", "Sell -4 @ 110.00 EUR", "437,00", day="02-apr-2024"),
        long_row("Trade", "Buy 10 @ 99.50 EUR", "-998,00"),
        '1,01-Mar-2024,01-Mar-2024,1/A,,,Cash Transfer,Deposit,"1000,00",EUR,1,0,0,,,,,EUR,,',
    )
    upload = account("EUR")
    body = upload.done(data=data, instruments=WERELD)
    assert (body["format"], body["created"], body["ignored"]) == ("saxo", 4, 0)
    assert held()["WERELD.EUR.DEMO"] == (6, D("99.8"), D("598.8"), D("37.8"), D("12.5"), 0)
    twice(upload, data)


def test_the_long_layout_says_the_currency_of_the_amount(account):
    with_rates("EUR", "NOK", {date(2024, 3, 4): "11.5"})
    data = text(LONG, long_row("Trade", "Buy 10 @ 100.00 EUR", "-11500,00", "NOK", "11.5"))
    account("NOK").done(data=data, instruments=WERELD)
    made = Transaction.objects.get()
    assert (made.settlement_amount, made.exchange_rate) == (-11500, D("11.5"))


def test_an_amount_that_cannot_be_in_its_currency_is_an_error(account):
    data = text(LONG, long_row("Trade", "Buy 10 @ 100.00 EUR", "-1000,00", "NOK", "1"))
    body = account("EUR")(data=data, instruments=WERELD).json()
    assert [fault[2] for fault in faults(body)] == ["mixed_currencies"]


@pytest.mark.parametrize("header", [LONG, SAXO.format(amount="Amount", more="")])
def test_a_person_says_what_an_event_means(account, header):
    if header == LONG:
        row = long_row("Corporate action", "Exchange", "17,28")
        bought = long_row("Trade", "Buy 10 @ 100.00 EUR", "-1000,00")
    else:
        row = f'1,04-Mar-2024,04-Mar-2024,Corporate action,{FUND},Exchange,"17,28",,1'
        bought = f'1,04-Mar-2024,06-Mar-2024,Trade,{FUND},Buy 10 @ 100.00 EUR,"-1000,00",,1'
    mapping = '{"types": {"Exchange": "dividend"}}'
    data = text(header, row, bought)
    account("EUR").done(data=data, instruments=WERELD, mapping=mapping)
    assert Transaction.objects.get(type="dividend").settlement_amount == D("17.28")


DUTCH = (
    "Klant-id;Transactiedatum;Valutadatum;Rekening-ID;Transactie-ID; Positie-ID;Corporate action-Id;"
    "Bk\u00a0Record\u00a0Id;Transactietype;Acties;Aantal;Valuta;Boekingsbedrag;_Valuta;Omrekeningskoers;"
    "Totale kosten;Instrument;Instrumentsymbool;Instrument ISIN;Instrumentvaluta;Type"
)
AANDEEL = "Wereldfonds;WERELD:xams;IE0000000041;EUR;Aandeel"
KASGELD = ";;;EUR;Cash"


def dutch(
    kind, event, amount, currency="EUR", rate="1", what=AANDEEL, day="04-mrt-2024", action=""
):
    ids = f"69900/1{currency};;;{action};"
    money = f"{amount};EUR;{amount};{currency};{rate};0"
    return f"1;{day};{day};{ids};{kind};{event};{money};{what}"


def test_the_dutch_layout_has_the_amount_in_the_currency_of_its_part_of_the_account(account):
    with_rates("USD", "EUR", {date(2024, 3, 4): "0.92", date(2024, 7, 12): "0.91"})
    atlas = "Atlas Inc.;ATL:xnas;US0000000011;USD;Aandeel"
    data = text(
        DUTCH,
        dutch("Geldoverboeking", "Opname", "-100", day="05-aug-2024", what=KASGELD),
        dutch("Geldoverboeking", "Service fee", "-4,50", day="01-aug-2024", what=KASGELD),
        dutch("Geldoverboeking", "Rente", "1,50", day="31-jul-2024", what=KASGELD),
        dutch("Corporate action", "ADR-kosten", "-0,50", "USD", "0,91", atlas, "12-jul-2024"),
        dutch("Corporate action", "Roerende voorheffing", "-3,75", day="10-jul-2024"),
        dutch("Corporate action", "Cashdividend", "12,50", day="10-jul-2024"),
        dutch("Transactie", "Verkoop -4 @ 110.00 EUR", "437,00", day="02-apr-2024"),
        dutch("Transactie", "Koop 40 @ 5.75 USD", "-238,00", "USD", "0,911413", atlas),
        dutch("Transactie", "Deponering 10 @ 99.80 EUR", "0"),
        dutch("Geldoverboeking", "Storting", "1000", day="01-mrt-2024", what=KASGELD),
    )
    body = account("EUR").done(data=data, instruments=KNOWN)
    assert (body["format"], body["created"], body["ignored"]) == ("saxo", 10, 0)
    assert held()["WERELD.EUR.DEMO"] == (6, D("99.8"), D("598.8"), D("37.8"), D("12.5"), D("3.75"))
    bought = Transaction.objects.get(type="buy")
    assert (bought.commission, bought.settlement_amount, bought.settlement_currency) == (
        8, -238, "USD",
    )  # fmt: skip
    money = Transaction.objects.filter(holding=None).order_by("date")
    assert [one.type for one in money] == ["deposit", "interest", "fee", "withdrawal"]


def test_the_price_of_a_bond_is_in_per_cent(account):
    bond = "Staat 7,5%;;IE0000000041;EUR;Obligatie"
    data = text(
        DUTCH,
        dutch("Transactie", "Verkoop -1000 @ 101.50 EUR", "1010,00", what=bond, day="02-apr-2024"),
        dutch("Transactie", "Deponering 3000 @ 139.46 EUR", "0", what=bond),
    )
    account("EUR").done(data=data, instruments=WERELD)
    assert [row[:4] for row in ledger()] == [
        ("transfer_in", 3000, D("1.3946"), 0),
        ("sell", 1000, D("1.015"), 5),
    ]


def test_a_row_with_terugboeking_takes_the_dividend_back(account):
    data = text(
        DUTCH,
        dutch("Corporate action", "Dividend - Terugboeking", "-7,50", day="11-jul-2024"),
        dutch("Corporate action", "Dividend", "7,50", day="10-jul-2024"),
        dutch("Transactie", "Koop 10 @ 99.50 EUR", "-998,00"),
    )
    body = account("EUR").done(data=data, instruments=WERELD)
    assert (body["created"], body["ignored"]) == (1, 2)


def test_a_dividend_that_moved_no_money_is_an_error_without_the_shares(account):
    """It was paid in shares, and this file does not say in how many."""
    data = text(
        DUTCH,
        dutch("Corporate action", "Keuzedividend", "0", day="10-jul-2024"),
        dutch("Transactie", "Koop 10 @ 99.50 EUR", "-998,00"),
    )
    body = account("EUR")(data=data, instruments=WERELD).json()
    assert faults(body) == [(2, "Acties", "unknown_type")]
    assert not Transaction.objects.exists()


MOVED = [
    "Corporate action-Id", "Acties", "Trade\u00a0Event\u00a0Type", "Traded\u00a0Quantity",
    "Instrument", "Instrumentsymbool", "Instrument ISIN",
]  # fmt: skip
NEW = choices(
    IE0000000041="WERELD.EUR.DEMO", NL0000000029="NIEUW.EUR.DEMO", NL0000000037="RECHT.EUR.DEMO"
)


def saxo_workbook(rows, moved):
    lines = [DUTCH, *rows, dutch("Transactie", "Koop 15 @ 100.00 EUR", "-1500")]
    return workbook(
        {
            "Transacties": [line.split(";") for line in lines],
            "_Transacties": [MOVED, *moved],
            "Bookings": [["Acties", "Boekingsbedrag"], ["Koop", -1500]],
        }
    )


def moved(event, shares, isin="IE0000000041", action="7"):
    return [action, event, "x", shares, "Wereldfonds", "", isin]


@pytest.mark.parametrize(
    ("events", "legs", "expected"),
    [
        (
            [("Stock split", "0")],
            [moved("Stock split", 45), moved("Stock split", -15)],
            [("split", 3, None)],
        ),
        (
            [("Omwisseling", "0"), ("Omwisseling", "20,5")],
            [moved("Omwisseling", -15), moved("Omwisseling", 5, "NL0000000029")],
            [("exchange_out", 15, D("20.5")), ("exchange_in", 5, None)],
        ),
        (
            [("Fusie", "1700")],
            [moved("Fusie", -15)],
            [("sell", 15, 1700)],
        ),
        ([("Expiratie", "0")], [moved("Expiratie", -15)], [("sell", 15, None)]),
        (
            [("Terugkoopaanbod", "300"), ("Terugkoopaanbod - Terugboeking", "-100")],
            [
                moved("Terugkoopaanbod", -10),
                moved("Terugkoopaanbod - Terugboeking", 10),
                moved("Terugkoopaanbod", -5),
            ],
            [("sell", 5, 200)],
        ),
        (
            [("Keuzedividend", "0"), ("Keuzedividend", "0,75")],
            [moved("Keuzedividend", 2, "NL0000000037")],
            [("exchange_in", 2, None), ("dividend", 1, D("0.75"))],
        ),
        (
            [("Keuzedividend", "0,75")],
            [moved("Keuzedividend", 2, "NL0000000037")],
            [("dividend", 1, D("0.75")), ("exchange_in", 2, None)],
        ),
    ],
)  # fmt: skip
def test_the_workbook_has_the_shares_of_corporate_actions(account, events, legs, expected):
    rows = [
        dutch("Corporate action", event, amount, day="10-jul-2024", action="7")
        for event, amount in reversed(events)
    ]
    account("EUR").done(data=saxo_workbook(rows, legs), instruments=NEW)
    made = Transaction.objects.exclude(type="buy").order_by("sequence")
    assert [(one.type, one.quantity, one.settlement_amount) for one in made] == expected


@pytest.mark.parametrize(
    ("amount", "legs"),
    [
        ("-300", [moved("Emissie", 5)]),
        ("0", [moved("Fusie", -15), moved("Fusie", -3, "NL0000000029")]),
        ("20", [moved("Splitsing", -15), moved("Splitsing", 30)]),
    ],
)
def test_an_action_that_is_not_clear_is_an_error_of_its_rows(account, amount, legs):
    row = dutch("Corporate action", "Overige Corporate Action", amount, action="7")
    body = account("EUR")(data=saxo_workbook([row, row], legs), instruments=NEW).json()
    assert faults(body) == [(2, "Acties", "unknown_type"), (3, "Acties", "unknown_type")]
    assert not Transaction.objects.exists()


def test_an_action_that_was_taken_back_is_left_out_and_its_reversal_alone_is_an_error(account):
    done = dutch("Corporate action", "Fusie", "1700", action="7")
    back = dutch("Corporate action", "Fusie - Terugboeking", "-1700", action="7")
    legs = [moved("Fusie", -15), moved("Fusie - Terugboeking", 15)]
    upload = account("EUR")
    body = upload(data=saxo_workbook([back], legs[1:]), instruments=NEW).json()
    assert faults(body) == [(2, "Acties", "unknown_type")]
    assert not Transaction.objects.exists()
    body = upload.done(data=saxo_workbook([back, done], legs), instruments=NEW)
    assert (body["created"], body["ignored"]) == (1, 2)
    assert held()["WERELD.EUR.DEMO"][0] == 15


@pytest.mark.parametrize(
    ("instrument", "end"),
    [
        ("Atlas Mar2025 200 C,,USD,CBOE,ATL/25H200:xcbf", ",No,Stock"),
        ("Atlas Mar2025 200 C,,USD,CBOE,ATLC200", ",No,Stock"),
        ("Atlas Inc.,US0000000011,USD,NASDAQ,ATL:xnas", ",Yes,Stock"),
    ],
)
def test_an_option_is_not_read_as_shares_with_a_high_commission(account, instrument, end):
    # 100 at 0.45 and a commission of 2.00, which would be one share and 46.55
    bought = f'1,10-jul-2024,10-jul-2024,Trade,{instrument},Buy 1 @ 0.45 USD,"-47,00",,1{end}'
    more = ",From Derivative,Underlying asset type"
    body = account("USD")(data=text(SAXO.format(amount="Booked Amount", more=more), bought)).json()
    assert faults(body) == [(2, "Event", "unsupported_instrument")]


def test_a_share_without_an_isin_is_read_where_its_commission_is_small(account):
    bought = (
        '1,10-jul-2024,10-jul-2024,Trade,Atlas,,USD,NASDAQ,ATL:xnas,Buy 10 @ 40.00 USD,"-405,00",,1'
    )
    account("USD").done(
        data=text(SAXO.format(amount="Amount", more=""), bought),
        instruments=json.dumps({"ATL:xnas": "ATLAS.USD.DEMO"}),
    )
    assert held()["ATLAS.USD.DEMO"] == (10, D("40.5"), 405, 0, 0, 0)


def test_contracts_are_refused_by_the_kind_of_their_instrument():
    assert is_derivative("ESH5:xcme", "ContractFutures", "")
    assert is_derivative("AAPL:xnas", "CfdOnStock", "")
    assert not is_derivative("BRKb:xnys", "Stock", "No")
