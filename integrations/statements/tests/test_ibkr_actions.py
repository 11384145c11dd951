"""Interactive Brokers: what companies did to their shares, in statements and Flex queries."""

from datetime import date
from decimal import Decimal as D

import pytest

from integrations.statements.tests.samples.ibkr import _flex
from integrations.statements.tests.support import choices, faults, held, text, twice
from integrations.statements.tests.test_ibkr import (
    ACTIONS,
    ACTIVITY,
    ATLAS_KNOWN,
    BOUGHT,
    ORDERS,
)
from portfolios.models import Transaction, TransactionGroup

pytestmark = pytest.mark.django_db

ATL, HBR, SKG = "US0000000011", "GB0000000021", "SE0000000012"
RIGHTS = "US0000000094"
KNOWN = choices(
    **{ATL: "ATLAS.USD.DEMO", HBR: "HARBOR.USD.DEMO", SKG: "SKOG.USD.DEMO"},
    ATL="ATLAS.USD.DEMO",
)
ROW = "Corporate Actions,Data,Stocks,USD,2026-03-02,2026-03-01 20:25:00,{},{},{},0,0,{}"


def action(words, quantity, proceeds=0, code=""):
    return ROW.format(f'"{words}"', quantity, proceeds, code)


def statement(*rows):
    """100 ATL bought for 501, then `rows`."""
    return text(ACTIVITY, ORDERS, BOUGHT, ACTIONS, *rows)


def made():
    rows = Transaction.objects.order_by("sequence").exclude(type="buy", quantity=100)
    return [
        tuple(row) for row in rows.values_list("type", "quantity", "price", "settlement_amount")
    ]


def groups():
    return sorted(TransactionGroup.objects.values_list("kind", flat=True))


@pytest.mark.parametrize(
    ("words", "quantity", "proceeds", "row"),
    [
        (f"Merged(Acquisition) FOR USD 6.00 PER SHARE (ATL, ATLAS, {ATL})", -100, 600, ("sell", 100, 6, 600)),
        (f"Delisted (ATL, ATLAS, {ATL})", -100, 0, ("sell", 100, 0, None)),
        (f"Stock Dividend {ATL} 1 for 20 (ATL, ATLAS, {ATL})", 5, 0, ("split", D("1.05"), None, None)),
        (f"Split 5 for 2 (ATL, ATLAS, {ATL})", 150, 0, ("split", D("2.5"), None, None)),
    ],
)  # fmt: skip
def test_actions_of_one_row_are_known_by_their_words(account, words, quantity, proceeds, row):
    data = statement(action(f"ATL({ATL}) {words}", quantity, proceeds))
    account("USD").done(data=data, instruments=ATLAS_KNOWN)
    assert made() == [row]


def test_shares_that_others_replace_keep_their_cost(account):
    merger = f"ATL({ATL}) MERGED(Acquisition) WITH {HBR} 1 FOR 2"
    data = statement(
        action(f"{merger} (ATL, ATLAS INC, {ATL})", -100),
        action(f"{merger} (HBR, HARBOUR, PLC, {HBR})", 50),
    )
    upload = account("USD")
    body = upload.done(data=data, instruments=KNOWN)
    assert (body["created"], body["groups_created"], groups()) == (3, 1, ["exchange"])
    assert held()["ATLAS.USD.DEMO"][0] == 0
    assert held()["HARBOR.USD.DEMO"][:3] == (50, D("10.02"), 501)
    [leg] = Transaction.objects.filter(type="exchange_in")
    assert leg.carried.lots[0].bought_on == Transaction.objects.get(type="buy").date
    twice(upload, data)


def test_shares_and_money_for_others_are_one_group(account):
    merger = f"ATL({ATL}) MERGED(Acquisition) WITH {HBR} 1 FOR 2 AND USD 0.4"
    data = statement(
        action(f"{merger} (ATL, ATLAS INC, {ATL})", -100, 40),
        action(f"{merger} (HBR, HARBOUR, PLC, {HBR})", 50),
    )
    body = account("USD").done(data=data, instruments=KNOWN)
    assert (body["created"], body["groups_created"], groups()) == (3, 1, ["exchange"])
    assert ("exchange_out", 100, None, 40) in made()
    now = held()
    realised = now["ATLAS.USD.DEMO"][3]
    # What leaves one holding arrives in the others or is sold for the cash, exactly.
    assert (now["HARBOR.USD.DEMO"][2] + (40 - realised)).quantize(D("1e-9")) == 501


def test_a_spin_off_is_a_group_with_the_company_that_it_comes_from(account):
    words = f"ATL({ATL}) Spinoff  1 for 5 (SKG, SKOG (NEW) AB, {SKG})"
    upload = account("USD")
    data = statement(action(words, 20))
    body = upload.done(data=data, instruments=KNOWN)
    assert (body["created"], body["groups_created"], groups()) == (2, 1, ["spin_off"])
    assert held()["ATLAS.USD.DEMO"][0] == 100
    assert held()["SKOG.USD.DEMO"][0] == 20
    now = held()
    assert now["ATLAS.USD.DEMO"][2] + now["SKOG.USD.DEMO"][2] == 501
    twice(upload, data)
    assert upload.api.delete(f"/api/v1/imports/{body['id']}").status_code == 204
    assert not TransactionGroup.objects.exists()


def test_rights_come_at_no_cost_and_are_exercised_for_money(account):
    issued = f"ATL({ATL}) Subscribable Rights Issue 1 for 1 (ATL.RTS, ATLAS - RIGHTS, {RIGHTS})"
    used = f"ATL.RTS({RIGHTS}) Subscribes To {ATL} 1 for 2"
    lapsed = f"ATL.RTS({RIGHTS}) Rights Expired (ATL.RTS, ATLAS - RIGHTS, {RIGHTS})"
    data = statement(
        action(issued, 100),
        action(f"{used} (ATL.RTS, ATLAS - RIGHTS, {RIGHTS})", -60),
        action(f"{used} (ATL, ATLAS, {ATL})", 30, -90),
        action(lapsed, -40),
    )
    known = choices(**{ATL: "ATLAS.USD.DEMO", RIGHTS: "HARBOR.USD.DEMO"}, ATL="ATLAS.USD.DEMO")
    body = account("USD").done(data=data, instruments=known)
    assert (body["created"], body["groups_created"], groups()) == (5, 2, ["exercise", "spin_off"])
    assert "cost_share_unknown" not in [one["code"] for one in body["warnings"]]
    quantity, _average, cost = held()["ATLAS.USD.DEMO"][:3]
    assert (quantity, cost) == (130, 591)
    assert held()["HARBOR.USD.DEMO"][:1] == (0,)
    assert ("sell", 40, 0, None) in made()


def test_an_action_that_was_cancelled_counts_for_nothing(account):
    words = f"ATL({ATL}) Spinoff  1 for 5 (SKG, SKOG AB, {SKG})"
    data = statement(action(words, 20), action(words, -20, code="Ca"), action(words, 21))
    body = account("USD").done(data=data, instruments=KNOWN)
    assert (body["created"], body["ignored"]) == (2, 2)
    assert held()["SKOG.USD.DEMO"][0] == 21


def test_the_same_shares_under_another_isin_are_no_exchange(account):
    words = f"ATL({ATL}) CUSIP/ISIN Change to ({HBR})"
    data = statement(
        action(f"{words} (ATL.OLD, ATLAS INC, {ATL})", -100),
        action(f"{words} (ATL, ATLAS INC, {HBR})", 100),
    )
    known = choices(**{ATL: "ATLAS.USD.DEMO", HBR: "ATLAS.USD.DEMO"}, ATL="ATLAS.USD.DEMO")
    upload = account("USD")
    body = upload.done(data=data, instruments=known)
    assert (body["created"], body["ignored"], body["groups_created"]) == (1, 2, 0)
    assert held()["ATLAS.USD.DEMO"][:3] == (100, D("5.01"), 501)
    twice(upload, data)


def test_the_same_shares_in_another_number_are_a_split(account):
    words = f"ATL({ATL}) Merged(Acquisition) WITH {HBR}"
    data = statement(
        action(f"{words} (ATL, ATLAS INC, {ATL})", -100),
        action(f"{words} (ATL, ATLAS INC, {HBR})", 50),
    )
    known = choices(**{ATL: "ATLAS.USD.DEMO", HBR: "ATLAS.USD.DEMO"}, ATL="ATLAS.USD.DEMO")
    body = account("USD").done(data=data, instruments=known)
    assert (body["created"], body["ignored"], made()) == (2, 1, [("split", D("0.5"), None, None)])


def test_a_cusip_becomes_the_isin_that_the_words_name(account):
    merger = f"ATL({ATL}) MERGED(Acquisition) WITH US9256521090 2492 FOR 10000"
    data = statement(
        action(f"{merger} (ATL, ATLAS INC, 000000001)", -100),
        action(f"{merger} (VIC, VICI INC, 925652109)", 24.92),
    )
    known = choices(
        **{ATL: "ATLAS.USD.DEMO", "US9256521090": "HARBOR.USD.DEMO"}, ATL="ATLAS.USD.DEMO"
    )
    account("USD").done(data=data, instruments=known)
    assert held()["HARBOR.USD.DEMO"][0] == D("24.92")


def test_an_exchange_of_shares_for_themselves_is_an_error_of_its_rows(account):
    words = f"ATL({ATL}) Tendered to US0000000099 1 for 1"
    data = statement(
        action(f"{words} (ATL, ATLAS, {ATL})", -100), action(f"{words} (ATL.T, ATLAS, {ATL})", 100)
    )
    body = account("USD")(data=data, instruments=ATLAS_KNOWN).json()
    assert [fault[2] for fault in faults(body)] == ["incomplete_group"] * 2
    assert not Transaction.objects.exists()


def test_shares_that_come_for_no_known_reason_are_an_error(account):
    data = statement(action(f"ATL({ATL}) Something new (SKG, SKOG AB, {SKG})", 20))
    body = account("USD")(data=data, instruments=KNOWN).json()
    assert faults(body) == [(5, "Description", "unknown_type")]
    assert not Transaction.objects.exists()


def test_a_flex_query_says_the_action_apart_from_the_name(account):
    trade = (
        f'<Trade accountId="U1" currency="USD" assetCategory="STK" symbol="ATL" isin="{ATL}" tradeID="1" '
        'tradeDate="20240301" quantity="10" tradePrice="100" tradeMoney="1000" ibCommission="0" '
        'ibCommissionCurrency="USD" buySell="BUY" />'
    )
    spun_off = (
        f'<CorporateAction accountId="U1" currency="USD" assetCategory="STK" symbol="SKG" isin="{SKG}" '
        f'description="SKOG AB" actionDescription="ATL({ATL}) SPINOFF  1 FOR 5 (SKG, SKOG AB, {SKG})" '
        'reportDate="20240402" dateTime="20240401;202500" quantity="2" proceeds="0" code="" type="SO" '
        'actionID="9" transactionID="7" levelOfDetail="DETAIL" />'
    )
    upload = account("USD")
    body = upload.done(data=_flex(trade, spun_off), instruments=KNOWN)
    assert (body["created"], groups()) == (2, ["spin_off"])
    leg = Transaction.objects.get(type="exchange_in")
    assert (leg.date, leg.external_id) == (date(2024, 4, 2), "7")
    twice(upload, _flex(trade, spun_off))


_HEADER = (
    "ClientAccountID,CurrencyPrimary,AssetClass,Symbol,Description,ISIN,Report Date,"
    "ActionDescription,Proceeds,Quantity,Code,Type,TransactionID,ActionID"
)
_SPLIT = (
    f"U1,USD,STK,ATL,ATLAS INC,{ATL},20240610,\"ATL({ATL}) SPLIT 2 FOR 1 (ATL, ATLAS, {ATL})\",0,10,,FS,5,8"
)  # fmt: skip
_TRADES = (
    "ClientAccountID,CurrencyPrimary,AssetClass,Symbol,Description,ISIN,TradeID,TradeDate,Quantity,"
    "TradePrice,TradeMoney,IBCommission,IBCommissionCurrency,Buy/Sell"
)
_BOUGHT = f"U1,USD,STK,ATL,ATLAS INC,{ATL},1,20240301,10,100,1000,-1,USD,BUY"
_POSITIONS = "ClientAccountID,CurrencyPrimary,AssetClass,Symbol,PositionValue"


def test_the_sections_of_a_flex_query_may_stand_in_one_csv(account):
    data = text(
        _POSITIONS, "U1,USD,STK,ATL,1000", _HEADER, _SPLIT, _TRADES, _BOUGHT,
    )  # fmt: skip
    upload = account("USD")
    body = upload.done(data=data, instruments=ATLAS_KNOWN)
    assert (body["format"], body["created"], body["rows"]) == ("ibkr-flex-csv", 2, 2)
    assert held()["ATLAS.USD.DEMO"][:3] == (20, D("50.05"), 1001)
    twice(upload, data)


def test_sections_may_have_codes(account):
    data = text(
        '"BOF","U1","All","20240101","20241231","20250101","120000","3"',
        '"BOA","U1"',
        '"BOS","TRNT","Trades; trade date basis"',
        f'"HEADER","TRNT",{_TRADES}',
        f'"DATA","TRNT",{_BOUGHT}',
        '"EOS","TRNT","1","Trades; trade date basis"',
        f'"HEADER","CORP",{_HEADER}',
        f'"DATA","CORP",{_SPLIT}',
        '"EOA","U1"',
        '"EOF","U1","All"',
    )
    body = account("USD").done(data=data, instruments=ATLAS_KNOWN)
    assert (body["format"], body["created"], body["rows"]) == ("ibkr-flex-csv", 2, 2)
    assert held()["ATLAS.USD.DEMO"][0] == 20


def test_a_flex_query_of_two_accounts_names_them(account):
    data = text(_TRADES, _BOUGHT, _HEADER, _SPLIT.replace("U1", "U2"))
    upload = account("USD")
    body = upload(data=data, instruments=ATLAS_KNOWN).json()
    assert (body["errors"][0]["code"], body["accounts"]) == ("several_accounts", ["U1", "U2"])
    body = upload.done(data=data, instruments=ATLAS_KNOWN, account="U1")
    assert body["rows"] == 1


def test_a_flex_query_without_transactions_is_refused(account):
    data = text(
        '"BOF","U1","All"', f'"HEADER","POST",{_POSITIONS}', '"DATA","POST",U1,USD,STK,ATL,1'
    )
    error = account("USD")(data=data).json()["errors"][0]
    assert (error["code"], error["attr"]) == ("unknown_format", "file")
