"""What companies do to their shares in Trade Republic's export, and moved shares."""

from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import choices, faults, held, rounded, text, twice
from integrations.statements.tests.test_traderepublic import ATLAS, BOUGHT, HEADER, row
from portfolios.models import Transaction, TransactionGroup

pytestmark = pytest.mark.django_db

HARBOUR = "US0000000021"
KNOWN = choices(**{ATLAS: "ATLAS.EUR.DEMO", HARBOUR: "HARBOUR.EUR.DEMO"})
ACTION = "CORPORATE_ACTION"


def action(kind, symbol, shares, day="2024-06-03", **rest):
    return row(day, ACTION, kind, symbol, shares, id=f"{kind}-{symbol}-{shares}", **rest)


@pytest.mark.parametrize(
    "kind", ["SHARE_EXCHANGE", "ADR_DISCONTINUATION", "REORGANISATION", "REVERSE_SPLIT", "MERGER"]
)
def test_shares_that_come_for_others_keep_their_cost(account, kind):
    upload = account("EUR")
    data = text(HEADER, BOUGHT, action(kind, ATLAS, "-10"), action(kind, HARBOUR, "4"))
    body = upload.done(data=data, instruments=KNOWN)
    assert (body["created"], body["groups_created"], body["failed"]) == (3, 1, 0)
    assert TransactionGroup.objects.get().label == kind.replace("_", " ").capitalize()
    assert held()["ATLAS.EUR.DEMO"][:4] == (0, None, 0, 0)
    assert held()["HARBOUR.EUR.DEMO"][:4] == (4, D("250.25"), 1001, 0)
    twice(upload, data)


def test_money_for_a_part_of_merged_shares_realises_a_gain(account):
    upload = account("EUR")
    cash = row("2024-06-03", "CASH", "MERGER", ATLAS, "", "", "300.00", "", "-20.00", id="m-1")
    legs = (action("MERGER", ATLAS, "-10"), action("MERGER", HARBOUR, "4"))
    data = text(HEADER, BOUGHT, *legs, cash)
    body = upload.done(data=data, instruments=KNOWN)
    assert (body["created"], body["groups_created"], body["ignored"]) == (4, 1, 0)
    (out,) = Transaction.objects.filter(type="exchange_out")
    assert out.settlement_amount == 300
    (tax,) = Transaction.objects.filter(type="tax")
    assert (tax.settlement_amount, tax.external_id) == (-20, "m-1:tax")
    assert held()["HARBOUR.EUR.DEMO"][0] == 4
    twice(upload, data)


def test_shares_of_a_new_company_come_at_no_cost_with_a_warning(account):
    upload = account("EUR")
    data = text(HEADER, BOUGHT, action("SPIN_OFF", HARBOUR, "2.5"))
    body = upload.done(data=data, instruments=KNOWN)
    assert ("unpaired_action", 3) in {(one["code"], one.get("row")) for one in body["warnings"]}
    assert held()["HARBOUR.EUR.DEMO"][:4] == (D("2.5"), 0, 0, 0)
    assert held()["ATLAS.EUR.DEMO"][:3] == (10, D("100.1"), 1001)


def test_a_stock_dividend_that_was_booked_again_counts_once(account):
    upload = account("EUR")
    data = text(
        HEADER,
        BOUGHT,
        action("STOCK_DIVIDEND", ATLAS, "0.5", day="2024-06-03"),
        action("STOCK_DIVIDEND", ATLAS, "0.5", day="2024-07-03", time="17:00:00"),
        action("STOCK_DIVIDEND", ATLAS, "-0.5", day="2024-07-03", time="22:00:00"),
    )
    body = upload.done(data=data, instruments=KNOWN)
    assert (body["created"], body["ignored"]) == (2, 2)
    assert rounded(held()["ATLAS.EUR.DEMO"])[:3] == (D("10.5"), D("95.33"), 1001)


def test_a_dividend_that_was_reinvested_is_a_dividend_and_a_purchase(account):
    upload = account("EUR")
    data = text(
        HEADER,
        BOUGHT,
        row("2024-06-03", "CASH", "DIVIDEND", ATLAS, "10", "", "23.20", "", "-6.11", id="d-1"),
        action("DIVIDEND_REINVESTMENT", ATLAS, "0.2", time="16:00:56"),
        row("2024-06-03", "CASH", "DIVIDEND", ATLAS, "10", "", "-23.20", id="d-2", time="16:01:14"),
    )
    body = upload.done(data=data, instruments=KNOWN)
    assert (body["created"], body["ignored"]) == (3, 1)
    amounts = Transaction.objects.order_by("sequence").values_list("type", "settlement_amount")
    assert sorted(amounts) == [("buy", -1001), ("buy", D("-23.2")), ("dividend", D("17.09"))]
    assert held()["ATLAS.EUR.DEMO"][0] == D("10.2")
    twice(upload, data)


def test_a_split_may_have_a_row_for_the_old_and_one_for_the_new_shares(account):
    data = text(
        HEADER, BOUGHT, action("REVERSE_SPLIT", ATLAS, "-10"), action("REVERSE_SPLIT", ATLAS, "2")
    )
    body = account("EUR").done(data=data, instruments=KNOWN)
    assert (body["created"], body["ignored"]) == (2, 1)
    assert held()["ATLAS.EUR.DEMO"][:3] == (2, D("500.5"), 1001)


def test_shares_that_go_for_nothing_that_the_file_has_are_an_error_of_their_row(account):
    data = text(HEADER, BOUGHT, action("MERGER", ATLAS, "-10"))
    body = account("EUR")(data=data, instruments=KNOWN).json()
    assert faults(body) == [(3, "shares", "unpaired_action")]
    assert not Transaction.objects.exists()


def test_moved_shares_without_a_price_have_an_unknown_cost(account):
    data = text(
        HEADER,
        row("2024-03-04", "DELIVERY", "FREE_RECEIPT", ATLAS, "10", id="f-1"),
        row("2024-06-03", "DELIVERY", "FREE_DELIVERY", ATLAS, "-4", "90.00", id="f-2"),
    )
    body = account("EUR").done(data=data, instruments=KNOWN)
    assert ("cost_unknown", 2) in {(one["code"], one.get("row")) for one in body["warnings"]}
    assert held()["ATLAS.EUR.DEMO"][0] == 6


@pytest.mark.parametrize(
    ("word", "paid_as", "paid_on"),
    [
        ("LIQUIDATION_DIVIDEND", "TILG", "2024-06-03"),
        ("LIQUIDATION", "EXCHANGE", "2024-06-04"),
        ("LIQUIDATION", "LIQUIDATION_PROCEEDS", "2024-06-10"),
    ],
)
def test_what_is_liquidated_is_sold_for_the_money_of_another_row(account, word, paid_as, paid_on):
    money = row(paid_on, "CASH", paid_as, ATLAS, "", "", "900.00", "", "-5.00", id="m-1")
    data = text(HEADER, BOUGHT, action(word, ATLAS, "-10"), money)
    body = account("EUR").done(data=data, instruments=KNOWN)
    assert (body["created"], body["ignored"]) == (2, 1)
    (sold,) = Transaction.objects.filter(type="sell")
    assert (sold.quantity, sold.price, sold.tax, sold.settlement_amount) == (10, 90, 5, 895)


def test_money_of_another_week_is_not_that_of_a_liquidation(account):
    money = row("2024-06-11", "CASH", "EXCHANGE", ATLAS, "", "", "900.00", id="m-1")
    data = text(HEADER, BOUGHT, action("LIQUIDATION", ATLAS, "-10"), money)
    body = account("EUR")(data=data, instruments=KNOWN).json()
    assert [(one[0], one[2]) for one in faults(body)] == [(3, "required")]
    assert not Transaction.objects.exists()


@pytest.mark.parametrize("word", ["CAPITAL_REPAYMENT", "LIQUIDATION_DIVIDEND"])
def test_repaid_capital_comes_out_of_the_cost(account, word):
    money = row("2024-06-03", "CASH", word, ATLAS, "10", "", "200.00", id="m-1")
    account("EUR").done(data=text(HEADER, BOUGHT, money), instruments=KNOWN)
    assert held()["ATLAS.EUR.DEMO"][:5] == (10, D("80.1"), 801, 0, 0)


def test_a_cancelled_action_is_ignored_with_the_one_it_takes_back(account):
    rows = (action("BONUS_ISSUE", HARBOUR, "5"), action("BONUS_ISSUE_CANCELLED", HARBOUR, "-5"))
    body = account("EUR").done(data=text(HEADER, BOUGHT, *rows), instruments=KNOWN)
    assert (body["created"], body["ignored"]) == (1, 2)
    assert set(held()) == {"ATLAS.EUR.DEMO"}


@pytest.mark.parametrize(("shares", "amount"), [("4", "-480.00"), ("-4", "480.00")])
def test_a_cancelled_sale_is_ignored_with_its_cancellation(account, shares, amount):
    rows = (
        row("2024-06-03", "TRADING", "SELL", ATLAS, "-4", "120.00", "480.00", id="s-1"),
        row("2024-06-03", "TRADING", "SELL_CANCELLED", ATLAS, shares, "120.00", amount, id="s-2"),
    )
    body = account("EUR").done(data=text(HEADER, BOUGHT, *rows), instruments=KNOWN)
    assert (body["created"], body["ignored"]) == (1, 2)
    assert held()["ATLAS.EUR.DEMO"][0] == 10


def test_a_cancellation_without_its_action_is_an_error(account):
    rows = (action("BONUS_ISSUE_CANCELLED", ATLAS, "-5"),)
    body = account("EUR")(data=text(HEADER, BOUGHT, *rows), instruments=KNOWN).json()
    assert faults(body) == [(3, "shares", "unpaired_reversal")]
    assert not Transaction.objects.exists()


def test_a_cancellation_takes_back_the_sale_of_an_earlier_file(account):
    upload = account("EUR")
    sold = row("2024-06-03", "TRADING", "SELL", ATLAS, "-4", "120.00", "480.00", id="s-1")
    back = row("2024-06-04", "TRADING", "SELL_CANCELLED", ATLAS, "4", "120.00", "-480.00", id="s-2")
    upload.done(data=text(HEADER, BOUGHT, sold), instruments=KNOWN)
    assert held()["ATLAS.EUR.DEMO"][0] == 6
    upload.done(data=text(HEADER, back))
    assert held()["ATLAS.EUR.DEMO"][0] == 10


def test_a_tax_of_a_country_is_a_tax_and_a_delivery_moves_shares(account):
    duty = row("2024-06-03", "CASH", "STAMP_DUTY", "", "", "", "-2.00", id="d-1")
    moved = row("2024-06-04", "DELIVERY", "TRANSFER_OUT", ATLAS, "-4", "100.00", "", id="d-2")
    account("EUR").done(data=text(HEADER, BOUGHT, duty, moved), instruments=KNOWN)
    (tax,) = Transaction.objects.filter(type="tax")
    assert tax.settlement_amount == -2
    assert held()["ATLAS.EUR.DEMO"][0] == 6


def test_a_private_market_is_paid_before_its_shares_come(account):
    private = {"asset": "PRIVATE_FUND"}
    data = text(
        HEADER,
        row("2025-10-02", "CASH", "PRIVATE_MARKET_BUY", ATLAS, "", "", "-50.00", id="p-1"),
        row("2025-10-20", "TRADING", "BUY", ATLAS, "0.5", "100.00", "", id="p-2", **private),
    )
    account("EUR").done(data=data, instruments=KNOWN)
    rows = Transaction.objects.order_by("date").values_list("type", "settlement_amount")
    assert list(rows) == [("withdrawal", -50), ("transfer_in", None)]
    assert held()["ATLAS.EUR.DEMO"][:3] == (D("0.5"), 100, 50)


def test_a_trade_that_was_taken_back_is_ignored_with_it(account):
    back = row("2024-03-05", "TRADING", "BUY", ATLAS, "-10", "100.00", "1000.00", "1.00", id="b-2")
    body = account("EUR")(data=text(HEADER, BOUGHT, back), instruments=KNOWN).json()
    assert (body["created"], body["ignored"], body["failed"]) == (0, 2, 0)


def test_the_accounts_of_one_export_are_named_and_picked(account):
    pea = BOUGHT.replace("DEFAULT", "PEA").replace("2024-03-04-BUY", "pea-1")
    data = text(HEADER, BOUGHT, pea)
    upload = account("EUR")
    response = upload(data=data, instruments=KNOWN)
    (error,) = response.json()["errors"]
    assert (response.status_code, error["code"]) == (422, "several_accounts")
    body = upload.done(data=data, instruments=KNOWN, account="PEA")
    assert (body["rows"], body["created"]) == (1, 1)
    assert held()["ATLAS.EUR.DEMO"][0] == 10


@pytest.mark.parametrize(
    ("kind", "amount", "recorded"),
    [
        ("CUSTOMER_OUTBOUND", "-20.00", "withdrawal"),
        ("CUSTOMER_INPAYMENT_REVERSAL", "-20.00", "withdrawal"),
        ("VIBAN_TRANSFER_INBOUND", "20.00", "deposit"),
        ("CARD_TRANSACTION_REFUND", "20.00", "deposit"),
        ("TRANSFER_DIRECT_DEBIT_OUTBOUND", "-20.00", "withdrawal"),
        ("KINDERGELD_BONUS", "20.00", "deposit"),
        ("ROUND_UP_FEE", "-1.00", "fee"),
        ("COMPENSATION", "20.00", "adjustment"),
    ],
)
def test_words_of_money_alone(account, kind, amount, recorded):
    upload = account("EUR")
    upload.done(data=text(HEADER, row("2024-06-03", "CASH", kind, "", "", "", amount)))
    (found,) = Transaction.objects.all()
    assert (found.type, found.settlement_amount) == (recorded, D(amount))
