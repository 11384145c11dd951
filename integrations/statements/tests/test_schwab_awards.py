"""Charles Schwab's equity awards: shares of a plan, and what became of them."""

from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import choices, faults, held, text, twice
from integrations.statements.tests.test_schwab import SCHWAB
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db

AWARDS = (
    "Date,Action,Symbol,Description,Quantity,FeesAndCommissions,DisbursementElection,Amount,Type,Shares,SalePrice,"
    "PurchaseDate,PurchasePrice,PurchaseFairMarketValue,VestDate,VestFairMarketValue,AwardDate,AwardId,"
    "NetSharesDeposited"
)
LAPSES = (
    "Date,Action,Symbol,Description,Quantity,FeesAndCommissions,DisbursementElection,Amount,AwardDate,AwardId,"
    "FairMarketValuePrice,SalePrice,SharesSoldWithheldForTaxes,NetSharesDeposited,Taxes"
)
KNOWN = choices(ATL="ATLAS.USD.DEMO")
VESTED = (
    "06/27/2024,Deposit,ATL,RS,10,,,,,,,,,,,,,,",
    ",,,,,,,,,,,,,,06/25/2024,$20.00,03/01/2023,A1,",
)


def lot(shares, price):
    return f",,,,,,,,RS,{shares},${price},,,,,,,,"


def test_shares_come_at_what_they_were_worth_and_are_sold_in_lots(account):
    data = text(
        AWARDS,
        '09/02/2024,Wire Transfer,ATL,Cash Disbursement,,,,"-$1,600.00",,,,,,,,,,,',
        '08/01/2024,Sale,ATL,Share Sale,60,$0.50,Journal,"$1,619.50",,,,,,,,,,,',
        lot(40, "26.00"),
        lot(20, "29.00"),
        "07/20/2024,Tax Reversal,ATL,Credit,,,,$0.50,,,,,,,,,,,",
        "07/15/2024,Tax Withholding,ATL,Debit,,,,-$1.50,,,,,,,,,,,",
        "07/15/2024,Dividend,ATL,Credit,,,,$10.00,,,,,,,,,,,",
        "06/30/2024,Deposit,ATL,ESPP,90,,,,,,,,,,,,,,",
        ",,,,,,,,,,,06/28/2024,$18.00,$21.00,,,,,70",
        *VESTED,
        "06/25/2024,Lapse,ATL,Restricted Stock Lapse,15,,,,,,,,,,,,,,",
    )
    upload = account("USD")
    body = upload.done(data=data, instruments=KNOWN)
    assert (body["format"], body["created"], body["ignored"]) == ("schwab-awards", 7, 1)
    # 10 at 20 and 70 at 18 are 1,460; 60 sold for 1,620 - 0.50
    assert held()["ATLAS.USD.DEMO"] == (20, D("18.25"), 365, D("524.5"), 10, D("1.5"))
    vested = Transaction.objects.get(quantity=10)
    assert (str(vested.date), str(vested.booked_on)) == ("2024-06-25", "2024-06-27")
    money = Transaction.objects.filter(holding=None).order_by("date")
    assert [(one.type, one.settlement_amount) for one in money] == [
        ("tax", D("0.5")),
        ("withdrawal", -1600),
    ]
    twice(upload, data)


@pytest.mark.parametrize(
    ("shares", "lots", "is_right"),
    [
        ("4.9", [lot("4.911", "20.00")], True),  # The number of all is rounded.
        ("5", [lot("4.911", "20.00")], True),
        ("6", [lot("4.911", "20.00")], False),
        ("4.911", [lot("4.911", "21.00")], False),
        ("4.911", [], True),
    ],
)
def test_the_lots_of_a_sale_give_its_amount(account, shares, lots, is_right):
    sale = f"08/01/2024,Sale,ATL,Share Sale,{shares},$0.02,Journal,$98.20,,,,,,,,,,,"
    data = text(AWARDS, sale, *lots, *VESTED)
    response = account("USD")(data=data, instruments=KNOWN)
    if is_right:
        assert response.status_code == 201
        sold = Transaction.objects.get(type="sell")
        assert (sold.quantity, sold.price, sold.commission) == (D("4.911"), 20, D("0.02"))
    else:
        assert faults(response.json()) == [(2, "Amount", "amount_differs")]
        assert not Transaction.objects.exists()


def test_shares_without_their_award_have_an_unknown_cost_and_others_are_moved_and_split(account):
    data = text(
        AWARDS,
        "08/02/2024,Transfer,ATL,Share Transfer,5,,,,,,,,,,,,,,",
        "08/01/2024,Stock Split,ATL,Split,10,,,,,,,,,,,,,,",
        "06/27/2024,Deposit,ATL,RS,10,,,,,,,,,,,,,,",
    )
    body = account("USD").done(data=data, instruments=KNOWN)
    assert "cost_unknown" in [one["code"] for one in body["warnings"]]
    assert held()["ATLAS.USD.DEMO"][0] == 15


def test_other_words_and_a_dividend_that_is_taken_back_are_errors(account):
    data = text(
        AWARDS,
        "08/02/2024,Exercise and Sell,ATL,Options,5,,,$10.00,,,,,,,,,,,",
        "08/01/2024,Dividend,ATL,Debit,,,,-$10.00,,,,,,,,,,,",
    )
    body = account("USD")(data=data, instruments=KNOWN).json()
    assert faults(body) == [(2, "Action", "unknown_type"), (3, "Amount", "unpaired_reversal")]
    assert not Transaction.objects.exists()


def test_a_file_of_lapses_has_the_shares_that_are_left_after_tax(account):
    data = text(
        LAPSES,
        "06/25/2024,Lapse,ATL,Restricted Stock Lapse,15,,,,,,,,,,",
        ",,,,,,,,03/01/2023,A1,$20.00,,5,10,$100.00",
        "05/25/2024,Lapse,ATL,Restricted Stock Lapse,5,,,,,,,,,,",
        ",,,,,,,,03/01/2023,A1,$20.00,,5,0,$100.00",
    )
    upload = account("USD")
    body = upload.done(data=data, instruments=KNOWN)
    assert (body["format"], body["created"], body["ignored"]) == ("schwab-lapses", 1, 1)
    assert held()["ATLAS.USD.DEMO"][:3] == (10, 20, 200)
    # The history of the account that got the shares has them too.
    history = text(SCHWAB, '"06/25/2024","Stock Plan Activity","ATL","ATLAS","10","","",""')
    response = upload(data=history)
    assert response.status_code == 422
    assert response.json()["errors"][0]["code"] == "repeats_import"
    assert held()["ATLAS.USD.DEMO"][0] == 10
