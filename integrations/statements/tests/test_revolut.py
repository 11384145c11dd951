"""Revolut files through the REST API."""

from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import choices, held, ledger, text, twice

pytestmark = pytest.mark.django_db


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
    assert f"A difference of {commission} is not a plausible commission" in error["detail"]
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
