"""Interactive Brokers: bonds, grants, moved shares and the kinds of Flex queries."""

from decimal import Decimal as D

import pytest

from integrations.statements.tests.samples.ibkr import _FLEX, _flex
from integrations.statements.tests.support import choices, faults, held, text, twice
from integrations.statements.tests.test_ibkr import ACTIVITY, ATLAS_KNOWN, BOUGHT, ORDERS
from integrations.statements.tests.test_ibkr_kinds import settled
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db

ATL = "US0000000011"
BOND = choices(**{ATL: "BOND.USD.DEMO", "T 4 02/28/26": "BOND.USD.DEMO"})


def element(name, **attributes):
    fields = {"accountId": "U1", "currency": "USD", "symbol": "ATL", "isin": ATL} | attributes
    return f"<{name} " + " ".join(f'{key}="{value}"' for key, value in fields.items()) + " />"


def trade(side, quantity, price, money, **attributes):
    fields = {
        "assetCategory": "STK", "tradeID": f"{side}{quantity}", "tradeDate": "20240301",
        "buySell": side, "quantity": quantity, "tradePrice": price, "tradeMoney": money,
        "ibCommission": "-1", "ibCommissionCurrency": "USD", "levelOfDetail": "EXECUTION",
    }  # fmt: skip
    return element("Trade", **fields | attributes)


def cash(kind, amount, description, **attributes):
    fields = {"type": kind, "amount": amount, "description": description}
    return element("CashTransaction", **fields | {"dateTime": "20240305"} | attributes)


# --- Accrued interest -------------------------------------------------------------------------


def test_interest_that_accrued_is_part_of_the_price_of_a_bond(account):
    data = _flex(
        trade("BUY", 10000, "95.5", 9550, assetCategory="BOND"),
        trade("SELL", -4000, "96", -3840, assetCategory="BOND", tradeDate="20240601"),
        cash("Bond Interest Paid", "-50", "PURCHASE ACCRUED INT T 4 02/28/26", transactionID="1"),
        cash("Bond Interest Received", "8", "SALE ACCRUED INT T 4", dateTime="20240603"),
        cash("Bond Interest Received", "200", "BOND COUPON PAYMENT (T 4)", transactionID="3"),
    )
    upload = account("USD")
    body = upload.done(data=data, instruments=BOND)
    assert (body["created"], body["ignored"]) == (3, 2)
    bought, sold = Transaction.objects.exclude(type="interest").order_by("date")
    assert (bought.price, bought.settlement_amount) == (D("0.96"), -9601)
    assert bought.note == "Accrued interest 50 USD."
    assert (sold.price, sold.settlement_amount) == (D("0.962"), 3847)
    assert held()["BOND.USD.DEMO"][4] == 200
    twice(upload, data)


def test_accrued_interest_without_its_trade_stays_interest(account):
    data = _flex(
        trade("BUY", 10000, "95.5", 9550, assetCategory="BOND"),
        cash("Bond Interest Paid", "-50", "PURCHASE ACCRUED INT T 4", dateTime="20240320"),
        cash("Bond Interest Paid", "-60", "PURCHASE ACCRUED INT T 5", isin="US0000000094"),
        cash("Bond Interest Received", "70", "SALE ACCRUED INT T 4"),
    )
    account("USD").done(data=data, instruments=BOND)
    assert settled()[0] == ("buy", 10000, D("0.955"), None, -9551)
    interest = Transaction.objects.filter(type="interest")
    assert sorted(interest.values_list("settlement_amount", flat=True)) == [-60, -50, 70]


def test_a_statement_has_accrued_interest_in_a_section_of_its_own(account):
    row = (
        'Trades,Data,Order,Bonds,USD,T 4 02/28/26,"2026-01-12, 09:45:31",{},95.5,95.6,{},-5,0,0,0,O'
    )
    data = text(
        ACTIVITY,
        ORDERS,
        row.format('"10,000"', -9550),
        row.replace("-12", "-13").format(-4000, 3820),
        "Interest,Header,Currency,Date,Description,Amount",
        "Interest,Data,USD,2026-01-14,Purchase Accrued Interest T 4 02/28/26,-50",
        "Interest,Data,USD,2026-01-15,Sale Accrued Interest T 4 02/28/26,20",
        "Interest,Data,USD,2026-01-15,USD Credit Interest for Dec-2025,1",
    )
    upload = account("USD")
    body = upload.done(data=data, instruments=BOND)
    assert (body["created"], body["ignored"]) == (3, 2)
    assert settled()[:2] == [
        ("buy", 10000, D("0.96"), None, -9605),
        ("sell", 4000, D("0.96"), None, 3835),
    ]
    twice(upload, data)


def test_accrued_interest_is_not_of_a_bond_whose_symbol_ends_like_another(account):
    data = text(
        ACTIVITY,
        ORDERS,
        'Trades,Data,Order,Bonds,USD,L 4 2026,"2026-01-12, 09:45:31","10,000",95.5,95.6,-9550,-5,'
        "0,0,0,O",
        "Interest,Header,Currency,Date,Description,Amount",
        "Interest,Data,USD,2026-01-14,Purchase Accrued Interest PYPL 4 2026,-50",
    )
    body = account("USD").done(data=data, instruments=choices(**{"L 4 2026": "BOND.USD.DEMO"}))
    assert (body["created"], body["ignored"]) == (2, 0)
    assert settled()[0] == ("buy", 10000, D("0.955"), None, -9555)


# --- Shares that come or go without a trade ------------------------------------------------------


def test_granted_shares_come_at_their_price_and_vesting_moves_nothing(account):
    data = text(
        ACTIVITY,
        ORDERS,
        BOUGHT,
        "Grant Activity,Header,Symbol,Report Date,Description,Award Date,Vesting Date,Quantity,Price,Value",
        "Grant Activity,Data,ATL,2026-02-01,Stock Award Grant for Cash Deposit,2026-02-01,2027-02-01,2,10,20",
        "Grant Activity,Data,ATL,2027-02-01,Stock Award Vesting,2026-02-01,2027-02-01,2,12,24",
        "Grant Activity,Data,ATL,2027-02-01,Stock Award Withholding,2026-02-01,2027-02-01,-0.5,12,-6",
        "Grant Activity,Data,Total,,,,,3.5,,38",
    ).replace(b"2027", b"2026")
    upload = account("USD")
    body = upload.done(data=data, instruments=choices(ATL="ATLAS.USD.DEMO"))
    assert (body["created"], body["ignored"]) == (3, 1)
    moved = Transaction.objects.exclude(type="buy").order_by("type")
    assert [(one.type, one.quantity, one.price) for one in moved] == [
        ("transfer_in", 2, 10),
        ("transfer_out", D("0.5"), 12),
    ]
    twice(upload, data)


def test_the_cost_of_shares_that_come_without_a_value_is_unknown(account):
    data = _flex(
        element("Transfer", assetCategory="STK", date="20240505", direction="IN", quantity=10),
        element("Transfer", assetCategory="STK", date="20240605", direction="OUT", quantity=-4),
    )
    body = account("USD").done(data=data, instruments=ATLAS_KNOWN)
    assert [one["code"] for one in body["warnings"]] == ["cost_unknown"]
    assert held()["ATLAS.USD.DEMO"][0] == 6


def test_options_that_are_moved_are_errors(account):
    option = element("Transfer", assetCategory="OPT", date="20240505", direction="IN", quantity=1)
    body = account("USD")(data=_flex(option)).json()
    assert faults(body) == [(1, "Symbol", "unsupported")]


def test_rights_of_an_unnamed_company_come_at_no_cost(account):
    rights = element(
        "CorporateAction", description=f"ATL({ATL}) SUBSCRIBABLE RIGHTS ISSUE",
        reportDate="20240610", quantity="10", proceeds="0",
    )  # fmt: skip
    body = account("USD").done(data=_flex(rights), instruments=ATLAS_KNOWN)
    assert [one["code"] for one in body["warnings"]] == ["unpaired_action"]
    assert held()["ATLAS.USD.DEMO"][:3] == (10, 0, 0)


# --- Options --------------------------------------------------------------------------------------


def test_options_that_expire_are_left_out_and_those_that_were_paid_for_are_errors(account, dump):
    expired = {"assetCategory": "OPT", "isin": "", "ibCommission": "0", "netCash": "0"}
    adjusted = element(
        "CorporateAction", assetCategory="OPT", description="ATL 21JAN23 10 C Adjustment",
        reportDate="20240610", quantity="0", proceeds="0",
    )  # fmt: skip
    alone = [trade("SELL", -1, 0, 0, **expired), adjusted]
    body = account("USD").done(data=_flex(*alone, _FLEX[2]))
    assert (body["created"], body["ignored"]) == (1, 2)
    before = dump()
    bought = trade("BUY", 1, "2.5", 250, assetCategory="OPT")
    moved = adjusted.replace('quantity="0"', 'quantity="1"')
    body = account("EUR")(data=_flex(*alone, bought, moved)).json()
    assert faults(body) == [
        (3, "AssetClass", "unsupported_instrument"),
        (4, "AssetClass", "unsupported_instrument"),
    ]
    assert Transaction.objects.count() == 1
    assert len(dump()) == len(before)


def test_an_expired_option_of_a_statement_is_left_out(account):
    row = 'Trades,Data,Order,Equity and Index Options,USD,ATL 19JUN26 2 C,"2026-01-12, 16:20:00",-1,0,0,0,0,0,0,0,C;Ep'
    body = account("USD").done(
        data=text(ACTIVITY, ORDERS, BOUGHT, row), instruments=choices(ATL="ATLAS.USD.DEMO")
    )
    assert (body["created"], body["ignored"]) == (1, 1)


# --- Kinds of Flex queries ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "quantity", "price", "money", "of_one"),
    [
        ("WAR", 100, "1.25", 125, D("1.25")),
        ("IOPT", 100, "1.25", 125, D("1.25")),
        ("IOPT", 5000, "98.5", 4925, D("0.985")),
        ("BILL", 5000, "98.5", 4925, D("0.985")),
        ("FUND", "2.5", "40", 100, 40),
    ],
)
def test_each_class_of_a_flex_query_has_the_price_of_one_unit(
    account, kind, quantity, price, money, of_one
):
    data = _flex(trade("BUY", quantity, price, money, assetCategory=kind))
    account("USD").done(data=data, instruments=ATLAS_KNOWN)
    assert settled() == [("buy", D(quantity), of_one, None, -money - 1)]


def test_a_coin_of_a_flex_query_is_quoted_in_its_currency(account):
    data = _flex(
        trade("BUY", "0.01", 50000, 500, assetCategory="CRYPTO", symbol="BTC.USD-PAXOS", isin="")
    )
    account("USD").done(data=data, instruments=choices(**{"BTC-USD": "WERELD.USD.DEMO"}))
    assert settled() == [("buy", D("0.01"), 50000, None, -501)]


def test_trade_confirmations_have_other_names(account):
    confirmed = element(
        "TradeConfirm", assetCategory="STK", tradeID="1", dateTime="2024-03-01, 10:00:00",
        buySell="BUY", quantity="10", price="100", amount="1000", commission="-1", tax="-2",
        commissionCurrency="USD", levelOfDetail="EXECUTION",
    )  # fmt: skip
    account("USD").done(data=_flex(confirmed), instruments=ATLAS_KNOWN)
    [bought] = Transaction.objects.all()
    assert (bought.price, bought.commission, bought.tax, bought.settlement_amount) == (
        100, 1, 2, -1003,
    )  # fmt: skip


def test_taxes_of_their_own_are_charges_and_those_of_a_trade_are_in_it(account):
    data = _flex(
        trade("BUY", 10, 100, 1000, taxes="-2"),
        element("TransactionTax", date="20240301", taxAmount="-2", source="TRADE"),
        element("TransactionTax", date="20240302", taxAmount="-3", source="STANDALONE"),
        element("SalesTax", date="20240303", salesTax="-0.5", symbol="", isin=""),
    )
    account("USD").done(data=data, instruments=ATLAS_KNOWN)
    amounts = Transaction.objects.order_by("date").values_list("type", "settlement_amount")
    assert list(amounts) == [("buy", -1003), ("fee", -3), ("fee", D("-0.5"))]


def test_a_trade_transfer_without_a_side_is_an_error(account):
    moved = element("TradeTransfer", assetCategory="STK", quantity="10", tradePrice="3.1")
    body = account("USD")(data=_flex(moved), instruments=ATLAS_KNOWN).json()
    assert faults(body) == [(1, "Buy/Sell", "unknown_type")]


@pytest.mark.parametrize(
    "day", ["20240313", "2024-03-13", "20240313;101500", "13-Mar-24", "03/13/2024", "13/03/2024"]
)
def test_days_are_read_in_each_form_of_a_query(account, day):
    data = _flex(trade("BUY", 10, 100, 1000, tradeDate=day))
    account("USD").done(data=data, instruments=ATLAS_KNOWN)
    assert str(Transaction.objects.get().date) == "2024-03-13"


def test_days_that_could_be_of_two_months_are_errors(account):
    body = account("USD")(
        data=_flex(trade("BUY", 10, 100, 1000, tradeDate="03/04/2024")), instruments=ATLAS_KNOWN
    ).json()
    assert faults(body) == [(1, "TradeDate", "invalid")]
