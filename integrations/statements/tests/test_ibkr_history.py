"""Interactive Brokers' transaction history: what its amounts say of a trade."""

from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import choices, faults, held, text, twice
from integrations.statements.tests.test_ibkr import ACTIVITY
from integrations.statements.tests.test_ibkr_kinds import HISTORY
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db

KNOWN = choices(ATL="ATLAS.USD.DEMO")
ROW = "Transaction History,Data,2026-05-28,U***1,"


def history(currency, *rows, columns=HISTORY):
    return text(
        ACTIVITY, f"Summary,Data,Base Currency,{currency}", columns, *[ROW + row for row in rows]
    )


def refused(upload, dump, data):
    """Return the faults of a file that changes nothing."""
    before = dump()
    response = upload(data=data, instruments=KNOWN)
    assert response.status_code == 422
    assert dump() == before
    return faults(response.json())


def traded():
    names = ("type", "quantity", "price", "commission", "exchange_rate", "settlement_amount")
    return list(Transaction.objects.order_by("sequence").values_list(*names))


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        # The same trade of two contracts of a hundred barrels, with and without their name.
        (
            "MCL JUN26,Buy,MCLM6,2,99.94,USD,-17128.51,-1.2,208.66",
            ("Symbol", "unsupported_instrument"),
        ),
        (
            "MICRO CRUDE,Buy,MCLM6,2,99.94,USD,-17128.51,-1.2,208.66",
            ("Gross Amount", "amount_differs"),
        ),
        (
            "MNQ 18JUN26,Sell,MNQM6,-2,21000,USD,72240,-1.2,72238.8",
            ("Symbol", "unsupported_instrument"),
        ),
        # Twice the price in dollars is near a plausible rate, but the net amount shows it.
        (
            "MICRO NASDAQ,Buy,MNQM6,1,21000,USD,-36120,-1.2,208.66",
            ("Net Amount", "amount_differs"),
        ),
        (
            "MICRO CRUDE,Buy,MCLM6,2,99.94,USD,-17128.51(1),-1.2,208.66",
            ("Symbol", "unsupported_instrument"),
        ),
        (
            "CALL,Buy,C UBSE 20291221 28 M,1,2,EUR,-200,-1,-201",
            ("Symbol", "unsupported_instrument"),
        ),
        ("ATLAS,Buy,ATL,10,50,EUR,-450,-1,-451", ("Gross Amount", "amount_differs")),
    ],
)
def test_a_trade_whose_amount_is_not_that_of_shares_is_an_error(account, dump, row, fault):
    assert refused(account("EUR"), dump, history("EUR", row)) == [(4, *fault)]


@pytest.mark.parametrize(
    ("base", "row", "trade"),
    [
        # In per cent: 98.5 % of 10000 dollars at 0.86, at 10 and at 150.
        (
            "EUR",
            "T 4 06/30/26,Buy,ATL,10000,98.5,USD,-8471,-4.3,-8475.3",
            ("buy", 10000, D("0.985"), 5, D("0.86"), D("-8475.3")),
        ),
        (
            "NOK",
            "T 4 06/30/26,Buy,ATL,10000,98.5,USD,-98500,-50,-98550",
            ("buy", 10000, D("0.985"), 5, 10, -98550),
        ),
        (
            "JPY",
            "T 4 06/30/26,Buy,ATL,10000,98.5,USD,-1477500,-750,-1478250",
            ("buy", 10000, D("0.985"), 5, 150, -1478250),
        ),
        # In the account's own currency.
        (
            "USD",
            "T 4 06/30/26,Buy,ATL,10000,98.5,USD,-9850,-5,-9855",
            ("buy", 10000, D("0.985"), 5, 1, -9855),
        ),
        # Per share.
        (
            "EUR",
            "ATLAS,Buy,ATL,10,50,USD,-430,-0.86,-430.86",
            ("buy", 10, 50, 1, D("0.86"), D("-430.86")),
        ),
        # A commission that the file states may be a large part of a small trade.
        ("JPY", "ATLAS,Buy,ATL,1,10,USD,-1500,-150,-1650", ("buy", 1, 10, 1, 150, -1650)),
    ],
)
def test_a_price_is_that_of_one_unit_in_each_base_currency(account, base, row, trade):
    account(base).done(data=history(base, row), instruments=KNOWN)
    assert traded() == [trade]


def test_a_bond_is_in_per_cent_by_the_rate_of_its_row(account):
    row = "T 4 06/30/26,Buy,ATL,10000,98.5,USD,-8471,-4.3,-8475.3,0.86"
    data = history("EUR", row, columns=f"{HISTORY},Exchange Rate")
    account("EUR").done(data=data, instruments=KNOWN)
    assert traded() == [("buy", 10000, D("0.985"), 5, D("0.86"), D("-8475.3"))]


# --- Rows that are not trades -------------------------------------------------------------------------


def test_an_exercised_option_is_a_trade_of_its_shares(account):
    data = history(
        "USD",
        "Sell 40 ATLAS (Exercise),Exercise,ATL,-40,25,USD,1000,-,1000",
        "Buy 100 ATLAS (Assignment),Assignment,ATL,100,20,USD,-2000,-1,-2001",
    )
    upload = account("USD")
    upload.done(data=data, instruments=KNOWN)
    assert traded() == [("buy", 100, 20, 1, 1, -2001), ("sell", 40, 25, 0, 1, 1000)]
    twice(upload, data)


def test_options_that_moved_no_money_are_left_out(account, dump):
    """What was paid for them is an error that says so."""
    alone = [
        "Sell 1 ATL (Assignment),Assignment,ATL  260417P00040000,1,0,USD,-,-,0",
        "ATL 17APR26 40 P,Expiration,ATL  260417P00040000,1,0,USD,0,-,0",
    ]
    body = account("USD")(data=history("USD", *alone)).json()
    assert (body["created"], body["ignored"]) == (0, 2)
    sold = "ATL 17APR26 40 P,Sell,ATL  260417P00040000,-1,2.5,USD,250,-1,249"
    assert refused(account("EUR"), dump, history("USD", *alone, sold)) == [
        (6, "Symbol", "unsupported_instrument")
    ]


def test_further_words_of_money_are_read(account):
    data = history(
        "USD",
        "Coupon,Investment Interest Received,-,-,-,-,-,-,4.5",
        "Accrued,Investment Interest Paid,-,-,-,-,-,-,-1.25",
        "GST,Sales Tax,-,-,-,-,-,-,-1.5",
    )
    account("USD").done(data=data)
    money = Transaction.objects.order_by("sequence").values_list("type", "settlement_amount")
    assert list(money) == [("fee", D("-1.5")), ("interest", D("-1.25")), ("interest", D("4.5"))]


def test_the_currency_of_the_price_may_be_named_currency(account):
    columns = HISTORY.replace("Price Currency", "Currency")
    data = history("EUR", "ATLAS,Buy,ATL,10,50,USD,-430,-0.86,-430.86", columns=columns)
    account("EUR").done(data=data, instruments=KNOWN)
    assert traded() == [("buy", 10, 50, 1, D("0.86"), D("-430.86"))]


def test_the_base_currency_may_be_named_in_spanish(account):
    data = history("USD", "ATLAS,Buy,ATL,10,50,USD,-500,-1,-501")
    data = data.replace(b"Base Currency", b"Divisa base")
    account("USD").done(data=data, instruments=KNOWN)
    assert traded() == [("buy", 10, 50, 1, 1, -501)]


def test_moved_shares_are_added_at_the_price_that_their_value_confirms(account):
    data = history("USD", "ATLAS,Transfer,ATL,10,50,USD,500,-,0")
    account("USD").done(data=data, instruments=KNOWN)
    assert traded() == [("transfer_in", 10, 50, 0, 1, None)]


@pytest.mark.parametrize("amounts", ["10,-,-,-,-,0", "10,50,USD,-,-,0"])
def test_the_cost_of_moved_shares_is_unknown_without_their_value(account, amounts):
    body = account("USD").done(
        data=history("USD", f"ATLAS,Transfer,ATL,{amounts}"), instruments=KNOWN
    )
    assert [one["code"] for one in body["warnings"]] == ["cost_unknown"]
    assert traded()[0][:2] == ("transfer_in", 10)


def test_a_value_that_is_not_that_of_the_moved_shares_is_an_error(account, dump):
    data = history("USD", "ATLAS,Transfer,ATL,10,50,USD,50000,-,0")
    assert refused(account("USD"), dump, data) == [(4, "Gross Amount", "amount_differs")]


REDEEMED = (
    '"(US0000000011) Full Call / Early Redemption for USD 1.00 per Bond (ATL, ATLAS, US0000000011)"'
)


def test_a_redemption_is_of_as_many_as_its_price_says(account):
    data = history(
        "USD",
        f"{REDEEMED},Corporate Action,ATL,-,-,-,10000.00,0,10000.00",
        "T 4 06/30/26,Buy,ATL,10000,98.5,USD,-9850,-5,-9855",
    )
    known = choices(ATL="ATLAS.USD.DEMO", US0000000011="ATLAS.USD.DEMO")
    upload = account("USD")
    upload.done(data=data, instruments=known)
    assert traded() == [
        ("buy", 10000, D("0.985"), 5, 1, -9855),
        ("sell", 10000, 1, 0, 1, 10000),
    ]
    assert held()["ATLAS.USD.DEMO"][:4] == (0, None, 0, 145)


def test_an_action_without_its_shares_is_an_error(account, dump):
    # Paid in another currency than the price: how many there were is not known.
    row = f"{REDEEMED},Corporate Action,ATL,-,-,-,8600.00,0,8600.00"
    assert refused(account("EUR"), dump, history("EUR", row)) == [
        (4, "Description", "unknown_type")
    ]


def test_a_split_of_a_history_is_added_once(account):
    words = "ATL(US0000000011) Split 4 for 1 (ATL, ATLAS, US0000000011)"
    data = history(
        "USD",
        f'"{words}",Corporate Action,ATL,30,-,-,-,-,0',
        "ATLAS,Buy,ATL,10,50,USD,-500,-1,-501",
    ).replace(b"2026-05-28,U***1,ATLAS", b"2026-05-04,U***1,ATLAS")
    known = choices(ATL="ATLAS.USD.DEMO", US0000000011="ATLAS.USD.DEMO")
    account("USD").done(data=data, instruments=known)
    assert held()["ATLAS.USD.DEMO"][:3] == (40, D("12.525"), 501)
