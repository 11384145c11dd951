"""Trading 212 files through the REST API."""

from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import choices, held, rounded, text, twice
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db


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
