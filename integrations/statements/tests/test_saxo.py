"""Saxo files through the REST API."""

from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import choices, held, ledger, text, twice

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
            "amount_mismatch",
            "100.01 is not a plausible commission",
        ),
        (
            "Buy 1000 @ 10.00 EUR",
            "-10500,01",
            "Amount",
            "amount_mismatch",
            "500.01 is not a plausible commission",
        ),
        (
            "Sell 1000 @ 10.00 EUR",
            "9499,99",
            "Amount",
            "amount_mismatch",
            "500.01 is not a plausible commission",
        ),
        (
            "Sell 1000 @ 10.00 EUR",
            "-9999,00",
            "Amount",
            "amount_mismatch",
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
