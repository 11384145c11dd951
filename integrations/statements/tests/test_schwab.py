"""Schwab files through the REST API."""

import json
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
    assert (body["format"], body["created"], body["ignored"]) == ("schwab", 7, 1)
    # 1,000 at 40; 100 sold for 4,090; half a share more
    assert held()["ATLAS.USD.DEMO"] == (D("900.5"), 40, 36020, 90, 20, D("1.3"))
    assert str(Transaction.objects.get(type="split").date) == "2024-07-12"
    twice(upload, data)


def test_schwab_unknown_corporate_actions_are_errors(account):
    data = text(
        "Date,Action,Symbol,Description,Quantity,Price,Fees & Comm,Amount",
        '"08/22/2024","Rights Dist","APE","SOMETHING NEW","344","","",""',
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
        '"06/13/2024","Buy","912797GK7","US TREASURY BILL","10,000","$97.50","","-$9,751.00"',
        '"06/13/2024","Buy","912797GK7","ATLAS INC","100","$40.00","$10.00","-$4,010.52"',
        '"06/13/2024","Buy","912797GK7","ATLAS INC","1","$40.00","","-$40.02"',
        '"06/13/2024","Sell","912797GK7","ATLAS INC","100","$40.00","$10.00","$3,989.48"',
        '"06/13/2024","Buy","912797GK7","ATLAS INC","100","$40.00","","$4,000.00"',
        '"06/13/2024","Reinvest Shares","ATL","ATLAS INC","100","$40.00","","-$40.00"',
    ],
)
def test_a_schwab_trade_whose_amount_is_another_is_an_error_of_its_row(account, dump, line):
    upload = account("USD")
    rows = [line, '"03/01/2024","Buy","912797GK7","ATLAS INC","20,000","$1.00","","-$20,000.00"']
    before = dump()
    response = upload(
        data=text(SCHWAB, *rows), instruments='{"912797GK7": "ATLAS.USD.DEMO", "ATL": "ATL.DEMO"}'
    )
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert (error["row"], error["column"], error["code"]) == (2, "Amount", "amount_differs")
    assert dump() == before


def test_a_broker_s_amount_is_what_moved_the_cash(account):
    line = '"06/13/2024","Reinvest Shares","ATL","ATLAS INC","0.6242","$48.05","","-$29.99"'
    account("USD").done(data=text(SCHWAB, line), instruments=choices(ATL="ATLAS.USD.DEMO"))
    assert Transaction.objects.get().settlement_amount == D("-29.99")
    assert held()["ATLAS.USD.DEMO"][2] == D("29.99281")


def test_a_bill_is_priced_in_percent_where_the_amount_says_so(account):
    data = text(
        SCHWAB,
        '"09/13/2024","Full Redemption","912797GK7","US TREASURY BILL","10,000","$100.00","","$10,000.00"',
        '"06/13/2024","Buy","912797GK7","US TREASURY BILL","10,000","$97.50","","-$9,750.00"',
    )
    account("USD").done(data=data, instruments='{"912797GK7": "ATLAS.USD.DEMO"}')
    assert [row[:3] for row in ledger()] == [
        ("buy", 10000, D("0.975")),
        ("sell", 10000, 1),
    ]


TITLE = '"Transactions  for account Individual ...123 as of 12/31/2024 10:00:00 AM ET"'


def test_a_title_above_and_a_note_below_do_no_harm(account):
    data = text(
        TITLE,
        SCHWAB + ",",
        '"01/04/2024","NRA Tax Adj","ATL","ATLAS INC","","","","-$0.36",',
        '"01/04/2024","Special Qual Div","ATL","ATLAS INC","","","","$2.40",',
        '"01/02/2024","Buy","ATL","ATLAS INC","10","$180.00","","-$1800.00",',
        "",
        "Past performance is not a guide",
    )
    account("USD").done(data=data, instruments=choices(ATL="ATLAS.USD.DEMO"))
    # 2.40 of income, 0.36 of tax
    assert held()["ATLAS.USD.DEMO"] == (10, 180, 1800, 0, D("2.4"), D("0.36"))


def test_a_dividend_that_is_taken_back_goes_with_its_tax_and_one_alone_is_an_error(account):
    data = text(
        SCHWAB,
        '"03/04/2024","Cash Dividend","ATL","ATLAS INC","","","","-$1.00"',
        '"02/04/2024","NRA Tax Adj","ATL","ATLAS INC","","","","$0.36"',
        '"02/04/2024","Qualified Dividend","ATL","ATLAS INC","","","","-$2.40"',
        '"01/04/2024","NRA Tax Adj","ATL","ATLAS INC","","","","-$0.36"',
        '"01/04/2024","Qualified Dividend","ATL","ATLAS INC","","","","$2.40"',
    )
    body = account("USD")(data=data, instruments=choices(ATL="ATLAS.USD.DEMO")).json()
    assert body["ignored"] == 4
    assert [(error["row"], error["code"]) for error in body["errors"]] == [(2, "unpaired_reversal")]


def test_a_reverse_split_is_two_rows(account):
    data = text(
        SCHWAB,
        '"06/10/2024","Reverse Split","ATL","ATLAS INC","10","","",""',
        '"06/10/2024","Reverse Split","890260854","ATLAS INC XXXREVERSE SPLIT EFF: 06/10/24","-100","","",""',
        '"06/10/2024","Reverse Split","OTH","OTHER INC","1","","",""',
        '"01/02/2024","Buy","ATL","ATLAS INC","100","$18.00","","-$1800.00"',
    )
    body = account("USD")(
        data=data, instruments=choices(ATL="ATLAS.USD.DEMO"), on_error="skip"
    ).json()
    assert [(error["row"], error["code"]) for error in body["errors"]] == [(4, "unknown_type")]
    assert held()["ATLAS.USD.DEMO"][:3] == (10, 180, 1800)


def test_shares_moved_in_and_out_and_options(account):
    data = text(
        SCHWAB,
        '"03/04/2024","Buy to Open","ATL 01/17/2025 150.00 C","CALL ATLAS","1","$1.00","$0.65","-$100.65"',
        '"02/04/2024","Security Transfer","ATL","ATLAS INC","-4","","",""',
        '"01/04/2024","Journaled Shares","ATL","ATLAS INC","10","$22.91","",""',
    )
    body = account("USD")(
        data=data, instruments=choices(ATL="ATLAS.USD.DEMO"), on_error="skip"
    ).json()
    assert [(error["row"], error["code"]) for error in body["errors"]] == [
        (2, "unsupported_instrument")
    ]
    assert held()["ATLAS.USD.DEMO"][:3] == (6, D("22.91"), D("137.46"))


def test_payments_fees_and_interest_are_money(account):
    data = text(
        SCHWAB,
        '"03/07/2024","NRA Tax Adj","ATL","ATLAS INC","","","","$0.20"',
        '"03/06/2024","Misc Cash Entry","","GOODWILL","","","","$5.00"',
        '"03/05/2024","Promotional Award","","BONUS","","","","$100.00"',
        '"03/04/2024","Advisor Fee","","TO ADVISOR","","","","-$26.58"',
        '"03/03/2024","Credit Interest","","SCHWAB1 INT","","","","$1.19"',
        '"03/02/2024 as of 02/28/2024","Wire Sent","","OUT","","","","-$50.00"',
        '"03/01/2024","MoneyLink Transfer","","IN","","","","$1,000.00"',
    )
    body = account("USD").done(data=data)
    assert (body["created"], body["money_created"], body["ignored"]) == (7, 7, 0)
    rows = Transaction.objects.order_by("date")
    assert list(rows.values_list("type", "settlement_amount", "note")) == [
        ("withdrawal", -50, "Wire Sent OUT"),
        ("deposit", 1000, "MoneyLink Transfer IN"),
        ("interest", D("1.19"), "Credit Interest SCHWAB1 INT"),
        ("fee", D("-26.58"), "Advisor Fee TO ADVISOR"),
        ("deposit", 100, "Promotional Award BONUS"),
        ("adjustment", 5, "Misc Cash Entry GOODWILL"),
        ("tax", D("0.2"), "NRA Tax Adj ATL ATLAS INC"),
    ]
    assert str(rows[0].booked_on) == "2024-03-02"


def test_a_merger_for_shares_and_money_is_one_exchange(account):
    data = text(
        SCHWAB,
        '"03/05/2024","Cash/Stock Merger","NEW","NEW NAME","5","","",""',
        '"03/05/2024","Cash/Stock Merger","ATL","ATLAS","-10","","","$100.00"',
        '"03/01/2024","Buy","ATL","ATLAS","10","$20.00","","-$200.00"',
    )
    known = json.dumps({"ATL": "ATLAS.USD.DEMO", "NEW": "HARBOR.USD.DEMO"})
    upload = account("USD")
    body = upload.done(data=data, instruments=known)
    assert (body["failed"], body["groups_created"]) == (0, 1)
    now = held()
    assert now["ATLAS.USD.DEMO"][0] == 0
    assert now["HARBOR.USD.DEMO"][0] == 5
    # What leaves one holding arrives in the other, or is sold for the money.
    left = now["HARBOR.USD.DEMO"][2] + 100 - now["ATLAS.USD.DEMO"][3]
    assert left.quantize(D("1e-9")) == 200
    twice(upload, data)


CANCELLED = (
    '"03/04/2024","Cancel Buy","ATL","ATLAS","10","$20.00","","$200.00"',
    '"03/04/2024","Buy","ATL","ATLAS","9","$20.00","","-$180.00"',
)
WRONG = '"03/01/2024","Buy","ATL","ATLAS","10","$20.00","","-$200.00"'


def test_a_cancelled_trade_counts_for_nothing(account):
    body = account("USD").done(
        data=text(SCHWAB, *CANCELLED, WRONG), instruments='{"ATL": "ATLAS.USD.DEMO"}'
    )
    assert (body["created"], body["ignored"]) == (1, 2)
    assert held()["ATLAS.USD.DEMO"][0] == 9


def test_a_trade_of_an_earlier_file_may_be_cancelled(account):
    upload = account("USD")
    upload.done(data=text(SCHWAB, WRONG), instruments='{"ATL": "ATLAS.USD.DEMO"}')
    body = upload.done(data=text(SCHWAB, *CANCELLED))
    assert (body["created"], body["failed"]) == (2, 0)
    assert held()["ATLAS.USD.DEMO"][:3] == (9, 20, 180)


def test_a_merger_for_money_alone_is_a_sale(account):
    data = text(
        SCHWAB,
        '"03/05/2024","Cash Merger","ATL","ATLAS","","","","$300.00"',
        '"03/05/2024","Cash Merger","ATL","ATLAS","-10","","",""',
        '"03/01/2024","Buy","ATL","ATLAS","10","$20.00","","-$200.00"',
    )
    body = account("USD").done(data=data, instruments='{"ATL": "ATLAS.USD.DEMO"}')
    assert (body["created"], body["ignored"]) == (2, 1)
    assert held()["ATLAS.USD.DEMO"][:4] == (0, None, 0, 100)


def test_mergers_and_changes_of_names_are_exchanges_and_a_spin_off_comes_at_no_cost(account):
    data = text(
        SCHWAB,
        '"03/05/2024","Spin-off","SPN","SPUN","2","","",""',
        '"03/04/2024","Name Change","NEW","NEW NAME","10","","",""',
        '"03/04/2024","Name Change","000000001","ATLAS XXXNAME CHANGE","-10","","",""',
        '"03/01/2024","Buy","000000001","ATLAS","10","$20.00","","-$200.00"',
    )
    known = json.dumps(
        {"000000001": "ATLAS.USD.DEMO", "NEW": "NEW.USD.DEMO", "SPN": "SPN.USD.DEMO"}
    )
    body = account("USD").done(data=data, instruments=known)
    assert (body["failed"], body["groups_created"]) == (0, 1)
    assert held()["NEW.USD.DEMO"][:3] == (10, 20, 200)
    assert held()["SPN.USD.DEMO"][:3] == (2, 0, 0)
    assert "unpaired_action" in [one["code"] for one in body["warnings"]]


def test_cash_in_lieu_that_was_recorded_as_a_dividend_is_known_again(account):
    former = (
        "date,type,ticker,quantity,price,currency",
        "2024-02-13,buy,HARBOR.USD.DEMO,10,100,USD",
        "2024-06-07,dividend,HARBOR.USD.DEMO,1,5.49,USD",
    )
    line = '"06/10/2024 as of 06/07/2024","Cash In Lieu","HRB","HARBOR ADR","","","","$5.49"'
    known = choices(HRB="HARBOR.USD.DEMO")
    upload = account("USD")
    upload.done(data=text(*former))
    again = upload(data=text(SCHWAB, line), instruments=known).json()
    assert (again["created"], again["duplicates"]) == (0, 1)


@pytest.mark.parametrize("word", ["Full Redemption", "Cash Merger"])
def test_money_in_a_row_of_its_own_makes_the_shares_a_sale(account, word):
    upload = account("USD")
    data = text(
        SCHWAB,
        f'"05/15/2024","{word} Adj","ATL","ATLAS","","","$5.00","$1,195.00"',
        f'"05/15/2024","{word}","ATL","ATLAS","-10","","",""',
        '"02/13/2024","Buy","ATL","ATLAS","10","$100.00","","-$1,000.00"',
    )
    body = upload.done(data=data, instruments=choices(ATL="ATLAS.USD.DEMO"))
    assert (body["created"], body["ignored"], body["failed"]) == (2, 1, 0)
    assert held()["ATLAS.USD.DEMO"][:4] == (0, None, 0, 195)
    assert Transaction.objects.get(type="sell").settlement_amount == 1195
    twice(upload, data)


def test_a_redemption_whose_money_is_not_in_the_file_is_an_error(account):
    data = text(SCHWAB, '"05/15/2024","Full Redemption","ATL","ATLAS","-10","","",""')
    body = account("USD")(data=data, instruments=choices(ATL="ATLAS.USD.DEMO")).json()
    assert [(one["row"], one["column"], one["code"]) for one in body["errors"]] == [
        (2, "Price", "required")
    ]


def test_more_words_of_money_are_known(account):
    data = text(
        SCHWAB,
        '"05/15/2024","Security Transfer","","TRANSFER","","","","$10,000.00"',
        '"05/15/2024","Bank Interest Adj","","BANK","","","","-$0.10"',
        '"05/15/2024","Misc Cash Entry","ATL","LITIGATION","","","","$2.00"',
        '"05/15/2024","Pr Yr NRA Tax","ATL","ATLAS","","","","$1.00"',
    )
    account("USD").done(data=data)
    names = ("type", "settlement_amount", "holding")
    assert set(Transaction.objects.values_list(*names)) == {
        ("deposit", 10000, None),
        ("interest", D("-0.1"), None),
        ("adjustment", 2, None),
        ("tax", 1, None),
    }


def test_the_price_of_cheap_shares_that_are_named_by_their_cusip_is_in_dollars(account):
    line = '"06/13/2024","Buy","123456AB7","ATLAS RIGHTS","1,000","$0.03","","-$30.00"'
    account("USD").done(
        data=text(SCHWAB, line), instruments=choices(**{"123456AB7": "ATLAS.USD.DEMO"})
    )
    assert [row[:3] for row in ledger()] == [("buy", 1000, D("0.03"))]


TREASURY = "91282CEG2", "US TREASURY NT 4.25%24 DUE 03/31/24"


@pytest.mark.parametrize(
    ("side", "amount", "price", "note"),
    [
        ("Buy", "-$9,812.34", D("0.981234"), "Accrued interest 62.34 USD."),
        ("Sell", "$9,760.00", D("0.976"), "Accrued interest 10.00 USD."),
        ("Buy", "-$9,750.00", D("0.975"), ""),
    ],
)
def test_interest_that_accrued_on_a_bond_is_part_of_its_price(account, side, amount, price, note):
    held_before = (
        f'"01/02/2024","Buy","{TREASURY[0]}","{TREASURY[1]}","50,000","$100.00","","-$50,000.00"'
    )
    line = f'"06/13/2024","{side}","{TREASURY[0]}","{TREASURY[1]}","10,000","$97.50","","{amount}"'
    upload = account("USD")
    upload.done(
        data=text(SCHWAB, line, held_before), instruments=f'{{"{TREASURY[0]}": "BOND.USD.DEMO"}}'
    )
    last = Transaction.objects.order_by("date").last()
    assert (last.price, last.note) == (price, note)


@pytest.mark.parametrize(
    "line",
    [
        f'"06/13/2024","Buy","{TREASURY[0]}","{TREASURY[1]}","10,000","$97.50","","-$10,450.00"',
        f'"06/13/2024","Buy","{TREASURY[0]}","{TREASURY[1]}","10,000","$97.50","","-$9,700.00"',
        f'"06/13/2024","Buy","{TREASURY[0]}","{TREASURY[1]}","10,000","$97.50","","$9,812.34"',
    ],
)
def test_a_difference_that_is_no_accrued_interest_is_an_error(account, line):
    body = account("USD")(
        data=text(SCHWAB, line), instruments='{"91282CEG2": "BOND.USD.DEMO"}'
    ).json()
    assert [(one["column"], one["code"]) for one in body["errors"]] == [
        ("Amount", "amount_differs")
    ]
    assert not Transaction.objects.exists()


def test_rows_from_td_ameritrade_name_their_share_in_the_text(account):
    data = text(
        SCHWAB,
        '"07/28/2024","Journaled Shares","","TDA TRAN - W-8 WITHHOLDING (ATL)","","","","-$1.02"',
        '"07/28/2024","Cash Dividend","","TDA TRAN - QUALIFIED DIVIDEND (ATL)","","","","$3.41"',
        '"07/27/2024","ADR Mgmt Fee","","TDA TRAN - ADR FEE (ATL)","","","","-$0.08"',
        '"05/15/2024","Internal Transfer","ATL","ATLAS INC","5","","",""',
        '"05/13/2024","Journaled Shares","ATL","TDA TRAN - TRANSFER OF SECURITY OUT (ATL)","-5","","",""',
        '"04/12/2024","Buy","11111A111","TDA TRAN - Bought 5 (ATL) @4.8800","5","$4.88","","-$24.40"',
    )
    upload = account("USD")
    body = upload.done(data=data, instruments=choices(ATL="ATLAS.USD.DEMO"))
    assert (body["created"], body["ignored"]) == (4, 2)
    assert held()["ATLAS.USD.DEMO"] == (5, D("4.88"), D("24.4"), 0, D("3.41"), D("1.10"))
    twice(upload, data)


def test_shares_that_left_long_ago_are_no_pair_with_those_that_come(account):
    data = text(
        SCHWAB,
        '"05/25/2024","Internal Transfer","ATL","ATLAS INC","5","","",""',
        '"05/13/2024","Journaled Shares","ATL","ATLAS INC","-5","","",""',
        '"04/12/2024","Buy","ATL","ATLAS INC","5","$4.88","","-$24.40"',
    )
    body = account("USD").done(data=data, instruments=choices(ATL="ATLAS.USD.DEMO"))
    assert (body["created"], body["ignored"]) == (3, 0)


def test_words_are_known_by_their_parts(account):
    data = text(
        SCHWAB,
        '"07/09/2024","Final Cash Liquid Adj","OLD","OLD INC","-10","","",""',
        '"07/09/2024","Final Cash Liquid","OLD","OLD INC","","","","$12.00"',
        '"07/08/2024","Funds Disbursed","","WIRE","","","","-$100.00"',
        '"07/07/2024","NRA Withhold","ATL","ATLAS INC","","","","-$6.30"',
        '"07/07/2024","Foreign Cash Div","ATL","ATLAS INC","","","","$42.00"',
        '"07/06/2024","Non-Qualified Div Adj","ATL","ATLAS INC","","","","$2.00"',
        '"07/06/2024","Qualified Div Adj","ATL","ATLAS INC","","","","-$2.00"',
        '"7/1/2024","Qualified Dividend","ATL","ATLAS INC","","","","$2.00"',
        '"01/02/2024","Stock Plan Activity","ATL","ATLAS INC","4","$25.00","","-$100.00"',
        '"01/02/2024","Buy","OLD","OLD INC","10","$1.00","","-$10.00"',
    )
    known = choices(ATL="ATLAS.USD.DEMO", OLD="HARBOR.USD.DEMO")
    body = account("USD").done(data=data, instruments=known)
    # The reclassified dividend and its correction go; that under its right name stays.
    assert (body["created"], body["ignored"], body["failed"]) == (7, 3, 0)
    assert held()["ATLAS.USD.DEMO"] == (4, 25, 100, 0, 44, D("6.3"))
    assert held()["HARBOR.USD.DEMO"][:4] == (0, None, 0, 2)


def test_options_that_moved_no_money_are_left_out(account):
    data = text(
        SCHWAB,
        '"06/21/2024","Assigned","ATL 06/21/2024 450.00 C","Assignment","1","","",""',
        '"05/17/2024","Expired","ATL 05/17/2024 500.00 C","Expiration","1","","",""',
        '"05/16/2024","Exchange or Exercise","ATL","ATLAS","1","","",""',
    )
    body = account("USD")(data=data, instruments=choices(ATL="ATLAS.USD.DEMO")).json()
    assert body["ignored"] == 2
    assert [(one["row"], one["code"]) for one in body["errors"]] == [(4, "unsupported_instrument")]
