"""Mergers and other actions, words that a person explains, and older files of Revolut."""

import json
from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import choices, faults, held, rounded, text, twice
from integrations.statements.tests.test_revolut import REVOLUT
from portfolios.models import Transaction, TransactionGroup

pytestmark = pytest.mark.django_db

KNOWN = choices(ATL="ATLAS.USD.DEMO", HBR="HARBOUR.USD.DEMO")
BOUGHT = "2024-01-03T10:00:00.000Z,ATL,BUY - MARKET,4,USD 10.00,USD 40.00,USD,1"


def stock(kind, ticker, quantity, total="USD 0", moment="2024-06-01T10:00:00.100Z"):
    return f"{moment},{ticker},{kind},{quantity},,{total},USD,1"


def test_a_merger_into_other_shares_keeps_their_cost(account):
    upload = account("USD")
    data = text(
        REVOLUT,
        BOUGHT,
        stock("MERGER - STOCK", "ATL", "-4"),
        stock("MERGER - STOCK", "HBR", "2.5", moment="2024-06-01T10:00:00.200Z"),
    )
    body = upload.done(data=data, instruments=KNOWN)
    assert (body["created"], body["groups_created"], body["failed"]) == (3, 1, 0)
    assert TransactionGroup.objects.get().label == "Merger"
    assert held()["ATLAS.USD.DEMO"][:4] == (0, None, 0, 0)
    assert held()["HARBOUR.USD.DEMO"][:4] == (D("2.5"), 16, 40, 0)
    twice(upload, data)


def test_the_money_of_a_merger_belongs_to_the_shares_that_went(account):
    upload = account("USD")
    data = text(
        REVOLUT,
        BOUGHT,
        stock("MERGER - STOCK", "ATL", "-4"),
        stock("MERGER - STOCK", "HBR", "2"),
        stock("MERGER - CASH", "ATL", "", "USD 6.00"),
    )
    body = upload.done(data=data, instruments=KNOWN)
    assert (body["created"], body["groups_created"], body["ignored"]) == (3, 1, 1)
    assert Transaction.objects.get(type="exchange_out").settlement_amount == 6
    twice(upload, data)


@pytest.mark.parametrize(
    "rows",
    [
        [stock("MERGER - STOCK", "ATL", "-4"), stock("MERGER - CASH", "ATL", "", "USD 60.00")],
        [stock("MERGER - CASH", "ATL", "4", "USD 60.00")],
        [stock("MERGER - CASH", "ATL", "", "USD 60.00")],
    ],
)
def test_a_merger_for_money_is_a_sale(account, rows):
    body = account("USD").done(data=text(REVOLUT, BOUGHT, *rows), instruments=KNOWN)
    assert (body["created"], body["ignored"], body["failed"]) == (2, len(rows) - 1, 0)
    assert held()["ATLAS.USD.DEMO"][:4] == (0, None, 0, 20)


def test_shares_of_a_new_company_come_at_no_cost_with_a_warning(account):
    data = text(REVOLUT, BOUGHT, stock("SPINOFF", "HBR", "1.5"))
    body = account("USD").done(data=data, instruments=KNOWN)
    assert ("unpaired_action", 3) in {(one["code"], one.get("row")) for one in body["warnings"]}
    assert held()["HARBOUR.USD.DEMO"][:4] == (D("1.5"), 0, 0, 0)


def test_shares_that_go_in_a_merger_without_others_or_money_are_an_error(account):
    data = text(REVOLUT, BOUGHT, stock("MERGER - STOCK", "ATL", "-4"))
    body = account("USD")(data=data, instruments=KNOWN).json()
    assert faults(body) == [(3, "Type", "unknown_type")]
    assert not Transaction.objects.exists()


@pytest.mark.parametrize(
    ("meaning", "line", "recorded"),
    [
        ("dividend", stock("LENDING INCOME", "ATL", "", "USD 0.55"), ("dividend", D("0.55"))),
        ("buy", stock("LENDING INCOME", "ATL", "2", "USD 30.00"), ("buy", -30)),
        ("sell", stock("LENDING INCOME", "ATL", "2", "USD 30.00"), ("sell", 30)),
        ("deposit", stock("LENDING INCOME", "", "", "USD 7.00"), ("deposit", 7)),
        ("fee", stock("LENDING INCOME", "", "", "USD -7.00"), ("fee", -7)),
    ],
)
def test_a_person_says_what_an_unknown_word_means(account, meaning, line, recorded):
    mapping = json.dumps({"types": {"LENDING INCOME": meaning}})
    body = account("USD").done(data=text(REVOLUT, BOUGHT, line), instruments=KNOWN, mapping=mapping)
    assert body["failed"] == 0
    row = Transaction.objects.latest("sequence")
    assert (row.type, row.settlement_amount) == recorded


def test_a_payment_below_0_is_no_dividend_whatever_its_word_means(account):
    mapping = json.dumps({"types": {"LENDING INCOME": "dividend"}})
    line = stock("LENDING INCOME", "ATL", "", "USD -0.55")
    response = account("USD")(data=text(REVOLUT, line), instruments=KNOWN, mapping=mapping)
    assert faults(response.json()) == [(2, "Total Amount", "unpaired_reversal")]


OLDER = (
    "Type,Product,Started Date,Completed Date,Description,Amount,Currency,Fiat amount,"
    "Fiat amount (inc. fees),Fee,Base currency,State,Balance"
)


def coin(kind, day, description, amount, fiat, with_fee, fee, state="COMPLETED"):
    return f"{kind},Current,{day} 10:00:00,{day} 10:00:05,{description},{amount},BTC,{fiat},{with_fee},{fee},EUR,{state},0"


def test_coins_in_the_statements_until_2024(account):
    upload = account("EUR")
    data = text(
        OLDER,
        coin("EXCHANGE", "2023-01-01", "Exchanged to BTC", "0.0300", "600.00", "609.15", "9.15"),
        coin("EXCHANGE", "2023-01-02", "Exchanged to EUR", "-0.0100", "-400.00", "-394.86", "5.14"),
        coin("TRANSFER", "2023-02-08", "Transferred to Savings", "-0.0100", "-200", "-200", "0"),
        coin("EXCHANGE", "2023-02-09", "Exchanged to BTC", "1", "9", "9", "0", state="REVERTED"),
        coin("REWARD", "2023-03-01", "Reward", "0.0010", "20.00", "20.00", "0.00"),
        coin("CARD_PAYMENT", "2023-05-06", "Payment to a shop", "-0.0050", "-100.00", "-100", "0"),
    )
    body = upload.done(data=data, instruments='{"BTC-EUR": "BITCOIN.EUR.DEMO"}')
    assert (body["format"], body["created"], body["ignored"]) == ("revolut-crypto", 4, 2)
    rows = Transaction.objects.order_by("sequence").values_list("type", "settlement_amount")
    assert list(rows) == [
        ("buy", D("-609.15")),
        ("sell", D("394.86")),
        ("dividend", None),
        ("buy", None),
        ("sell", 100),
    ]
    assert held()["BITCOIN.EUR.DEMO"][0] == D("0.016")
    twice(upload, data)


def test_a_fee_of_coins_that_the_amounts_contradict_is_an_error(account):
    line = coin("EXCHANGE", "2023-01-01", "Exchanged to BTC", "0.03", "600.00", "640.15", "9.15")
    response = account("EUR")(data=text(OLDER, line), instruments='{"BTC-EUR": "BITCOIN.EUR.DEMO"}')
    assert faults(response.json()) == [(2, "Fiat amount (inc. fees)", "amount_differs")]


SAVINGS = 'Date,Description,"Value, EUR",Price per share,Quantity of shares'
FUND = "IE000AZVL3K0"


def test_savings_in_a_fund(account):
    upload = account("EUR")
    data = text(
        SAVINGS,
        f'"Apr 28, 2026, 9:00:00 AM",Return WITHDRAWN EUR Class R {FUND},-0.38,,',
        f'"Apr 27, 2026, 12:52:19 PM",SELL EUR Class R {FUND},-200,1.00,200',
        f'"Apr 7, 2026, 12:30:20 PM",BUY EUR Class R {FUND},21.35,1.00,21.35',
        f'"Apr 7, 2026, 12:30:20 PM",Interest Reinvested Class R EUR {FUND},-21.35,,',
        f'"Apr 6, 2026, 4:12:29 AM",Service Fee Charged EUR Class {FUND},-0.5142,,',
        f'"Apr 6, 2026, 4:12:29 AM",Interest PAID EUR Class R {FUND},22.2442,,',
        f'"Apr 5, 2026, 9:00:00 AM",BUY EUR Class R {FUND},"3,200.00",1.00,"3,200.00"',
    )
    body = upload.done(data=data, instruments=choices(**{FUND: "WERELD.EUR.DEMO"}))
    assert (body["format"], body["created"], body["ignored"]) == ("revolut-savings", 6, 1)
    quantity, average, *_, income, charges = rounded(held()["WERELD.EUR.DEMO"])
    assert (quantity, average, income, charges) == (
        D("3021.35"),
        1,
        D("22.24"),
        D("0.51"),
    )
    money = Transaction.objects.filter(holding=None).order_by("date")
    assert list(money.values_list("type", "settlement_amount")) == [
        ("deposit", 3200),
        ("withdrawal", -200),
        ("withdrawal", D("-0.38")),
    ]
    twice(upload, data)


def test_savings_in_dollars_also_state_their_value_in_euro(account):
    header = 'Date,Description,"Value, USD","Value, EUR",FX Rate,Price per share,Quantity of shares'
    line = '"Jan 2, 2025, 2:33:08 AM",BUY USD Class R IE000H9J0QX4,-50.00,-42.59,0.8518,,50.00'
    account("USD").done(
        data=text(header, line), instruments=choices(IE000H9J0QX4="WERELD.USD.DEMO")
    )
    assert held()["WERELD.USD.DEMO"][:3] == (50, 1, 50)


POCKET = "Transaction/Value Date,Description,AER,NIR,Money in,Money out,Balance"


def moved():
    rows = Transaction.objects.order_by("date", "sequence")
    return list(rows.values_list("type", "settlement_amount"))


def test_a_savings_account_has_interest_and_money_that_goes_in_and_out(account):
    upload = account("EUR")
    data = text(
        POCKET,
        """"Jan 5, 2026",Deposit to 'Interest pot',2.25%,,€100.00,,€100.00""",
        """"Jan 6, 2026",Net Interest Paid to 'Interest pot' for Jan 6,2.25%,,€0.01,,€100.01""",
        """"Jan 7, 2026",Net Interest Paid to 'Interest pot' for Jan 7,2.25%,,€0.00,,€100.01""",
        """"Jan 8, 2026",Withdrawal from 'Interest pot',,,,€50.00,€50.01""",
    )
    body = upload.done(data=data)
    assert (body["format"], body["created"], body["ignored"]) == ("revolut-pocket", 3, 1)
    assert moved() == [("deposit", 100), ("interest", D("0.01")), ("withdrawal", -50)]
    twice(upload, data)


def test_a_savings_account_without_a_column_for_money_out(account):
    line = "29 May 2025,Net Interest Paid to 'Pot' for 29 May 2025,2.25%,€0.18"
    account("EUR").done(data=text("Date,Description,Gross Interest,Money in", line))
    assert moved() == [("interest", D("0.18"))]


def test_savings_that_are_not_understood_are_errors(account):
    lines = (
        """"Jan 5, 2026",Bonus for 'Pot',,,€1.00,,€1.00""",
        """"Jan 5, 2026",Deposit to 'Pot',,,1.00,,2.00""",
    )
    body = account("EUR")(data=text(POCKET, *lines)).json()
    assert faults(body) == [
        (2, "Description", "unknown_type"),
        (3, "Money in", "currency_required"),
    ]
    assert not Transaction.objects.exists()
