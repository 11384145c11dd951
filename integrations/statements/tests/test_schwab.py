"""Schwab files through the REST API."""

from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import choices, held, ledger, text, twice
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db


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


def test_schwab_unknown_corporate_actions_are_errors(account):
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
