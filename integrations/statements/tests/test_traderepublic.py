"""Trade Republic files through the REST API."""

from datetime import date
from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import choices, faults, held, text, twice
from marketdata.tests.factories import with_rates
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db

HEADER = (
    "datetime,date,account_type,category,type,asset_class,name,symbol,shares,price,amount,fee,tax,currency,"
    "original_amount,original_currency,fx_rate,description,transaction_id"
)
ATLAS, BOND = "US0000000011", "XS0000000009"
KNOWN = choices(**{ATLAS: "ATLAS.EUR.DEMO", BOND: "BOND.EUR.DEMO"})


def row(day, category, kind, symbol="", shares="", price="", amount="", fee="", tax="", **rest):
    number = rest.get("id", f"{day}-{kind}-{amount}")
    asset = rest.get("asset", "STOCK" if symbol else "")
    return (
        f"{day}T{rest.get('time', '09:00:00')}.000Z,{day},DEFAULT,{category},{kind},{asset},Name,{symbol},"
        f"{shares},{price},{amount},{fee},{tax},EUR,,,,,{number}"
    )


BOUGHT = row("2024-03-04", "TRADING", "BUY", ATLAS, "10", "100.00", "-1000.00", "-1.00")


def charged():
    names = ("type", "quantity", "price", "commission", "tax", "settlement_amount", "note")
    return list(Transaction.objects.order_by("sequence").values_list(*names))


def test_a_bond_with_accrued_interest_its_coupon_and_its_maturity(account):
    bond = {"asset": "BOND"}
    data = text(
        HEADER,
        row("2025-01-27", "TRADING", "BUY", BOND, "20", "1.000000", "-20.44", "-1.00", **bond),
        row("2025-03-13", "CASH", "FINAL_MATURITY", BOND, "20", "", "20.000000", **bond),
        row("2025-03-13", "CASH", "INTEREST_PAYMENT", BOND, "20", "", "0.50", "", "-0.13", **bond),
        row("2025-03-13", "CORPORATE_ACTION", "FINAL_MATURITY", BOND, "-20", **bond),
    )
    upload = account("EUR")
    body = upload.done(data=data, instruments=KNOWN)
    assert body["created"] == 3
    assert sorted(charged()) == [
        ("buy", 20, D("1.022"), 1, 0, D("-21.44"), "Interest of 0.44 EUR had accrued."),
        ("interest", 1, D("0.5"), 0, D("0.13"), D("0.37"), ""),
        ("sell", 20, 1, 0, 0, 20, ""),
    ]
    assert held()["BOND.EUR.DEMO"] == (0, None, 0, D("-1.44"), D("0.37"), 0)
    twice(upload, data)


def test_money_of_a_maturity_without_its_shares_is_an_error_of_its_row(account):
    data = text(HEADER, row("2025-03-13", "CASH", "FINAL_MATURITY", BOND, "", "", "20.00"))
    assert faults(account("EUR")(data=data, instruments=KNOWN).json()) == [
        (2, "type", "unpaired_action")
    ]


def test_a_reversed_dividend_leaves_the_one_booked_in_its_place(account):
    data = text(
        HEADER,
        BOUGHT,
        row("2025-07-17", "CASH", "DIVIDEND", ATLAS, "10", "", "29.58", "", "-7.56", id="d-1"),
        row("2026-03-27", "CASH", "DIVIDEND", ATLAS, "10", "", "-29.58", "", "7.56", id="d-2", time="12:17:00"),
        row("2026-03-27", "CASH", "DIVIDEND", ATLAS, "10", "", "29.58", "", "-7.80", id="d-3", time="12:44:00"),
    )  # fmt: skip
    body = account("EUR").done(data=data, instruments=KNOWN)
    assert (body["created"], body["ignored"]) == (2, 2)
    assert Transaction.objects.get(type="dividend").external_id == "d-3"
    assert held()["ATLAS.EUR.DEMO"][4] == D("21.78")


def test_a_reversal_without_its_dividend_is_an_error_of_its_row(account):
    data = text(
        HEADER,
        BOUGHT,
        row("2026-03-27", "CASH", "DIVIDEND", ATLAS, "10", "", "-29.58", "", "7.56", id="d-2", time="12:17:00"),
        row("2026-03-27", "CASH", "DIVIDEND", ATLAS, "10", "", "29.58", "", "-7.80", id="d-3", time="12:44:00"),
    )  # fmt: skip
    body = account("EUR")(data=data, instruments=KNOWN).json()
    assert faults(body) == [(3, "amount", "unpaired_reversal")]


def test_a_coin_is_never_looked_up_as_a_share(account):
    coins = (
        row("2024-05-02", "TRADING", "BUY", "ATOM", "0.4616", "10.83", "-5.00", asset="CRYPTO"),
        row("2024-05-03", "TRADING", "BUY", "XF000BTC0017", "0.001", "50000", "-50.00", asset="CRYPTO"),
    )  # fmt: skip
    body = account("EUR")(data=text(HEADER, *coins)).json()
    assert {one["symbol"]: one["isin"] for one in body["instruments"]} == {
        "ATOM-EUR": None,
        "BTC-EUR": None,
    }


@pytest.mark.parametrize("amount", ["440.00", "439.00", "434.00"])
def test_the_amount_of_a_sale_may_be_before_or_after_its_charges(account, amount):
    sale = row("2024-06-03", "TRADING", "SELL", ATLAS, "-4", "110.00", amount, "-1.00", "-5.00")
    account("EUR").done(data=text(HEADER, BOUGHT, sale), instruments=KNOWN)
    assert charged()[1] == ("sell", 4, 110, 1, 5, 434, "")


def test_an_amount_that_the_other_figures_contradict_is_an_error_of_its_row(account):
    sale = row("2024-06-03", "TRADING", "SELL", ATLAS, "-4", "110.00", "430.00", "-1.00")
    body = account("EUR")(data=text(HEADER, BOUGHT, sale), instruments=KNOWN).json()
    assert faults(body) == [(3, "amount", "amount_differs")]


def test_a_split_adds_shares_to_those_that_the_file_holds(account):
    split = row("2024-06-03", "CORPORATE_ACTION", "SPLIT", ATLAS, "190")
    upload = account("EUR")
    upload.done(data=text(HEADER, BOUGHT, split), instruments=KNOWN)
    assert Transaction.objects.get(type="split").quantity == 20
    assert held()["ATLAS.EUR.DEMO"][0] == 200
    twice(upload, text(HEADER, BOUGHT, split))


def test_what_became_worthless_is_sold_for_nothing(account):
    gone = row("2024-06-03", "CORPORATE_ACTION", "WORTHLESS", ATLAS, "-10")
    account("EUR").done(data=text(HEADER, BOUGHT, gone), instruments=KNOWN)
    assert held()["ATLAS.EUR.DEMO"][:4] == (0, None, 0, -1001)


def test_tax_alone_is_a_charge_of_the_fund_that_it_names(account):
    tax = row("2024-06-03", "CASH", "PRE_DETERMINED_TAX_BASE", ATLAS, "", "", "0.00", "", "-4.21")
    account("EUR").done(data=text(HEADER, BOUGHT, tax), instruments=KNOWN)
    assert charged()[1][:3] == ("tax", 1, D("4.21"))
    assert held()["ATLAS.EUR.DEMO"][5] == D("4.21")


def test_an_unknown_word_is_an_error_of_its_row(account):
    data = text(HEADER, row("2024-06-03", "CASH", "CITI_TRADING", ATLAS, "", "", "5.00"))
    body = account("EUR")(data=data, instruments=KNOWN).json()
    assert faults(body) == [(2, "type", "unknown_type")]


def test_rows_of_money_with_their_fee_and_tax(account):
    data = text(
        HEADER,
        row("2026-03-06", "CASH", "CUSTOMER_INPAYMENT", "", "", "", "50.50", "-0.50", id="m-1"),
        row("2026-03-07", "CASH", "TRANSFER_OUT", "", "", "", "-20.00", id="m-2"),
        row("2026-03-08", "CASH", "CARD_ORDERING_FEE", "", "", "", "0.00", "-5.00", id="m-3"),
        row("2026-03-09", "CASH", "INTEREST_PAYMENT", "", "", "", "10.00", "", "-2.50", id="m-4"),
        row("2026-03-10", "CASH", "TAX_OPTIMIZATION", "", "", "", "0.00", "", "4.21", id="m-5"),
        row("2026-03-11", "CASH", "BENEFITS_SAVEBACK", ATLAS, "", "", "3.00", id="m-6"),
    )
    upload = account("EUR")
    body = upload.done(data=data)
    assert (body["created"], body["money_created"]) == (6, 7)
    rows = Transaction.objects.order_by("sequence")
    assert list(rows.values_list("type", "settlement_amount", "tax", "external_id")) == [
        ("deposit", D("50.5"), 0, "m-1"),
        ("fee", D("-0.5"), 0, "m-1:fee"),
        ("withdrawal", -20, 0, "m-2"),
        ("fee", -5, 0, "m-3:fee"),
        ("interest", D("7.5"), D("2.5"), "m-4"),
        ("tax", D("4.21"), 0, "m-5"),
        ("deposit", 3, 0, "m-6"),
    ]
    twice(upload, data)


def test_the_tax_of_a_dividend_is_converted_with_it(account):
    with_rates("USD", "EUR", {date(2024, 3, 4): "0.8", date(2024, 5, 16): "0.8"})
    upload = account("EUR")
    upload.done("2024-03-04,buy,ATLAS.USD.DEMO,10,100,,USD,0.8")
    dividend = row("2024-05-16", "CASH", "DIVIDEND", ATLAS, "10", "", "8.00", "", "-2.00")
    upload.done(data=text(HEADER, dividend), instruments=choices(US0000000011="ATLAS.USD.DEMO"))
    assert charged()[1] == ("dividend", 1, 10, 0, D("2.5"), 6, "")


def test_tax_that_was_recorded_as_commission_becomes_tax(account):
    upload = account("EUR")
    former = (
        "date,type,ticker,quantity,price,commission,external_id",
        "2025-05-01,buy,ATLAS.EUR.DEMO,10,50,,b",
        "2025-05-16,dividend,ATLAS.EUR.DEMO,1,30,7.69,div-1",
    )
    upload.done(data=text(*former))
    line = (
        "2025-05-16T06:00:00.000Z,2025-05-16,DEFAULT,CASH,DIVIDEND,STOCK,Atlas,US0000000011,10,,30.00,,-7.69,EUR,,,,"
        "Dividend,div-1"
    )
    known = choices(US0000000011="ATLAS.EUR.DEMO")
    body = upload(data=text(HEADER, line), instruments=known).json()
    assert (body["created"], body["duplicates"], body["completed"]) == (0, 1, 1)
    row = Transaction.objects.get(type="dividend")
    assert (row.commission, row.tax, row.settlement_amount) == (0, D("7.69"), D("22.31"))
    assert held()["ATLAS.EUR.DEMO"][4:] == (D("22.31"), 0)


@pytest.mark.parametrize(
    "kind", ["SAVINGS_PLAN_EXECUTED", "SAVINGS_PLAN_EXECUTION", "IPO_SUBSCRIPTION"]
)
def test_a_purchase_under_another_word_is_a_purchase(account, kind):
    data = text(HEADER, row("2025-03-04", "TRADING", kind, ATLAS, "2", "50.00", "-100.00", "-1.00"))
    account("EUR").done(data=data, instruments=KNOWN)
    assert charged() == [("buy", 2, 50, 1, 0, -101, "")]


def test_transfers_under_other_words_move_money_by_their_sign(account):
    data = text(
        HEADER,
        row("2025-03-04", "CASH", "INCOMING_TRANSFER", "", "", "", "80.00"),
        row("2025-03-05", "CASH", "OUTGOING_TRANSFER", "", "", "", "-30.00"),
        row("2025-03-06", "CASH", "PAYMENT_INBOUND", "", "", "", "5.00"),
        row("2025-03-07", "CASH", "REFERRAL_FIRST_TRADE", "", "", "", "10.00"),
    )
    account("EUR").done(data=data, instruments=KNOWN)
    assert [moved[0::5] for moved in charged()] == [
        ("deposit", 80),
        ("withdrawal", -30),
        ("deposit", 5),
        ("deposit", 10),
    ]


def test_a_coupon_under_the_short_word_is_interest_of_its_bond(account):
    data = text(
        HEADER,
        row("2025-01-27", "TRADING", "BUY", BOND, "20", "1.00", "-20.00", asset="BOND"),
        row("2025-03-13", "CASH", "COUPON", BOND, "20", "", "0.50", "", "-0.13", asset="BOND"),
    )
    account("EUR").done(data=data, instruments=KNOWN)
    assert charged()[1] == ("interest", 1, D("0.5"), 0, D("0.13"), D("0.37"), "")
