"""Trades in which a broker refunds more than it charges."""

from datetime import date
from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import choices, held, ledger, text, twice
from integrations.statements.tests.test_ibkr import ATLAS_KNOWN, TRADE_COLUMNS
from marketdata.tests.factories import with_rates

pytestmark = pytest.mark.django_db


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
def test_a_refund_beyond_the_charges_of_a_trade_is_interest(account, name):
    upload = account("EUR")
    body = upload.done(data=text(*BACK[name]), instruments=choices(US0000000011="ATLAS.EUR.DEMO"))
    assert (body["format"], body["created"], body["failed"]) == (name, 2, 0)
    assert ledger() == [
        ("buy", 10, 100, 0, 1, "id-1"),
        ("sell", 4, 90, 0, 1, "id-2"),
        ("interest", 1, 24, 0, 1, "id-2:back"),
    ]
    assert held()["ATLAS.EUR.DEMO"] == (6, 100, 600, -40, 24, 0)
    twice(upload, text(*BACK[name]))


def test_a_rebate_in_another_currency_without_ids_is_converted_and_recognised(
    account,
):
    with_rates("USD", "EUR", {date(2024, 3, 4): "0.8"})
    upload = account("USD")
    line = "STK,BUY,20240304,US0000000011,ATL,10,100,1000,USD,0.12,EUR"
    upload.done(data=text(TRADE_COLUMNS, line), instruments=ATLAS_KNOWN)
    assert [row[:4] for row in ledger()] == [("buy", 10, 100, 0), ("interest", 1, D("0.15"), 0)]
    twice(upload, text(TRADE_COLUMNS, line))


def test_a_tax_paid_back_with_a_dividend_is_interest_too(account):
    """What the file states is after tax: 8.50 and 1.50 paid back."""
    header = BACK["scalable"][0]
    line = '2024-05-16;11:40:50;Executed;"S-4";"Atlas Inc";Cash;Distribution;US0000000011;;;10;0;-1,5;EUR'
    upload = account("EUR")
    upload.done(data=text(header, line), instruments=choices(US0000000011="ATLAS.EUR.DEMO"))
    assert held()["ATLAS.EUR.DEMO"][4] == 10
    twice(upload, text(header, line))
