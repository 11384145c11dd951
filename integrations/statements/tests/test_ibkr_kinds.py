"""Interactive Brokers: languages, levels, cancelled trades, XML, and the transaction history."""

import time
from decimal import Decimal as D

import pytest

from integrations.statements.base import FileProblem
from integrations.statements.tests.samples.ibkr import _FLEX, _flex
from integrations.statements.tests.support import choices, faults, held, text, twice
from integrations.statements.tests.test_ibkr import (
    ACTIVITY,
    ATLAS_KNOWN,
    BOUGHT,
    ORDERS,
    TRADE_COLUMNS,
)
from integrations.statements.xml_table import read_xml
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db

HISTORY = (
    "Transaction History,Header,Date,Account,Description,Transaction Type,Symbol,Quantity,Price,Price Currency,"
    "Gross Amount,Commission,Net Amount"
)


def settled():
    names = ("type", "quantity", "price", "settlement_currency", "settlement_amount")
    return list(Transaction.objects.order_by("sequence").values_list(*names))


# --- The activity statement -----------------------------------------------------------------------


def test_trades_of_each_level_are_read_once(account):
    row = 'Trades,Data,{},Stocks,USD,{},"2025-10-20, 09:30:04",{},10.00,10,{},-0.35,0,0,0,O'
    data = text(
        ACTIVITY,
        ORDERS,
        row.format("Trade", "ADB", 5, -50),
        row.format("Execution", "PYP", 5, -50),
        row.format("Order", "ATL", 8, -80),
        row.format("Trade", "ATL", 3, -30),
        row.format("Execution", "ATL", 3, -30),
        row.format("ClosedLot", "ATL", 3, ""),
    )
    known = choices(ADB="ATLAS.USD.DEMO", PYP="HARBOR.USD.DEMO", ATL="WERELD.USD.DEMO")
    upload = account("USD")
    body = upload.done(data=data, instruments=known)
    assert (body["created"], body["ignored"]) == (3, 3)
    assert sorted(one[1] for one in settled()) == [5, 5, 8]
    twice(upload, data)


def test_a_cancelled_trade_of_a_statement_counts_for_nothing(account):
    bought = 'Trades,Data,Order,Stocks,USD,ATL,"2026-01-12, 09:45:31",{},5.00,5,{},-1.00,501,0,0,{}'
    data = text(
        ACTIVITY,
        ORDERS,
        bought.format(5, -25, "O"),
        bought.format(-5, 25, "O;Ca"),
        bought.format(5, -25, "O;Co"),
    )
    body = account("USD").done(data=data, instruments=choices(ATL="ATLAS.USD.DEMO"))
    assert (body["created"], body["ignored"]) == (1, 2)
    assert held()["ATLAS.USD.DEMO"][0] == 5


def test_proceeds_that_the_other_figures_contradict_are_an_error_of_their_row(account):
    data = text(ACTIVITY, ORDERS, BOUGHT.replace("-500", "-505"))
    body = account("USD")(data=data, instruments=choices(ATL="ATLAS.USD.DEMO")).json()
    assert faults(body) == [(3, "Proceeds", "amount_differs")]


def test_bonds_are_priced_in_per_cent(account):
    line = (
        'Trades,Data,Order,Bonds,USD,T 4,"2026-01-12, 09:45:31",10000,95.5,95.6,-9550,-5,9555,0,0,O'
    )
    account("USD").done(data=text(ACTIVITY, ORDERS, line), instruments='{"T 4": "BOND.USD.DEMO"}')
    assert settled() == [("buy", 10000, D("0.955"), None, -9555)]


@pytest.mark.parametrize("category", ["Mutual Funds", "Stocks - Held with Interactive Brokers LLC"])
def test_funds_and_shares_that_others_hold_are_shares(account, category):
    line = BOUGHT.replace("Stocks", category)
    body = account("USD").done(
        data=text(ACTIVITY, ORDERS, line), instruments=choices(ATL="ATLAS.USD.DEMO")
    )
    assert body["created"] == 1


def test_options_are_errors_that_say_so(account):
    line = BOUGHT.replace("Stocks", "Equity and Index Options")
    body = account("USD")(data=text(ACTIVITY, ORDERS, line)).json()
    assert faults(body) == [(3, "Asset Category", "unsupported_instrument")]


def test_an_exchange_has_two_legs_and_its_commission(account):
    header = "Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,,Proceeds,Comm in CHF,,,MTM in CHF,Code"
    line = (
        'Trades,Data,Order,Forex,USD,EUR.USD,"2026-01-12, 09:45:31","-1,000",1.09,,1090,-1.8,,,0,'
    )
    body = account("CHF").done(data=text(ACTIVITY, header, line))
    assert (body["created"], body["money_created"], body["groups_created"]) == (1, 3, 1)
    assert sorted(one[::3] + one[4:] for one in settled()) == [
        ("conversion", "EUR", -1000),
        ("conversion", "USD", 1090),
        ("fee", "CHF", D("-1.8")),
    ]


def test_shares_moved_in_come_at_their_market_value(account):
    data = text(
        ACTIVITY,
        ORDERS,
        "Transfers,Header,Asset Category,Currency,Symbol,Date,Type,Direction,Xfer Company,Xfer Account,Qty,Xfer Price,"
        "Market Value,Realized P/L,Cash Amount,Code",
        "Transfers,Data,Stocks,USD,ATL,2026-02-01,FOP,In,--,--,10,--,50,0,0,",
        "Transfers,Data,Cash,USD,--,2026-02-01,FOP,In,--,--,--,--,0,0,5,",
    )
    body = account("USD")(data=data, instruments=choices(ATL="ATLAS.USD.DEMO")).json()
    assert faults(body) == []
    assert [one[:3] for one in settled()] == [("transfer_in", 10, 5), ("deposit", 1, 5)]


# --- Flex queries ---------------------------------------------------------------------------------


def test_a_cancelled_and_rebooked_trade_counts_once(account):
    header = f"{TRADE_COLUMNS},TradeID"
    data = text(
        header,
        "STK,BUY,20240304,US0000000011,ATL,5,100,500,USD,-1,USD,1",
        "STK,BUY (Ca.),20240304,US0000000011,ATL,-5,100,-500,USD,1,USD,2",
        "STK,BUY,20240304,US0000000011,ATL,5,100,500,USD,-1,USD,3",
    )
    upload = account("USD")
    body = upload.done(data=data, instruments=ATLAS_KNOWN)
    assert (body["created"], body["ignored"]) == (1, 2)
    assert held()["ATLAS.USD.DEMO"][:3] == (5, D("100.2"), 501)
    twice(upload, data)


def test_a_cancellation_without_its_trade_is_an_error_of_its_row(account):
    line = "STK,BUY (Ca.),20240304,US0000000011,ATL,-5,100,-500,USD,1,USD"
    body = account("USD")(data=text(TRADE_COLUMNS, line), instruments=ATLAS_KNOWN).json()
    assert faults(body) == [(2, "Quantity", "unpaired_reversal")]


def test_an_exchange_that_names_one_currency_takes_the_other_from_the_request(account):
    header = TRADE_COLUMNS.removeprefix("AssetClass,")
    line = "SELL,20240304,,,-1000,1.1,-1100,USD,-1.8,CHF"
    upload = account("CHF")
    assert faults(upload(data=text(header, line)).json()) == [(2, "Symbol", "unpaired_conversion")]
    upload.done(data=text(header, line), mapping='{"currency": "CHF"}')
    assert sorted(one[3:] for one in settled()) == [
        ("CHF", -1000),
        ("CHF", D("-1.8")),
        ("USD", 1100),
    ]


def test_capital_paid_back_is_no_dividend(account):
    header = "Type,SettleDate,ISIN,Description,Amount,CurrencyPrimary"
    bought = "STK,BUY,20240304,US0000000011,ATL,10,100,1000,USD,0,USD"
    line = "Dividends,20240516,US0000000011,ATL(US0000000011) CASH DIVIDEND USD 0.69 PER SHARE (Return of Capital),6.9,USD"
    upload = account("USD")
    upload.done(data=text(TRADE_COLUMNS, bought), instruments=ATLAS_KNOWN)
    upload.done(data=text(header, line))
    assert settled()[1] == ("return_of_capital", 1, D("6.9"), None, D("6.9"))


def test_a_flex_query_as_xml_is_read_by_its_elements(account):
    upload = account("USD")
    body = upload.done(data=_flex(*_FLEX), instruments=ATLAS_KNOWN)
    assert (body["format"], body["created"], body["rows"]) == ("ibkr-flex", 7, 7)
    assert held()["ATLAS.USD.DEMO"] == (20, D("50.05"), 1001, 0, 5, D("0.75"))
    twice(upload, _flex(*_FLEX))


def test_errors_of_xml_name_the_number_of_the_transaction(account):
    option = _FLEX[0].replace('"STK"', '"OPT"')
    body = account("USD")(data=_flex(_FLEX[2], option), instruments=ATLAS_KNOWN).json()
    assert faults(body) == [(2, "AssetClass", "unsupported_instrument")]


@pytest.mark.parametrize(
    "start",
    [
        '<!DOCTYPE x [<!ENTITY a "ha">]>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
        '<?xml version="1.0"?><!DOCTYPE x>',
    ],
)
def test_xml_with_a_dtd_is_refused(start):
    with pytest.raises(FileProblem, match="DTD"):
        read_xml(f"{start}<FlexQueryResponse/>".encode())


@pytest.mark.parametrize(
    "data",
    [b"<a>", b"<a b='1' b='2'/>", b"<a>&b;</a>", b"<a" * 99, b"<a>" * 99 + b"</a>" * 99],
)
def test_xml_that_is_broken_or_nested_too_deeply_is_refused(data):
    with pytest.raises(FileProblem):
        read_xml(data)


def test_reading_xml_takes_time_by_its_size():
    def seconds(data):
        found = []
        for _attempt in range(3):
            start = time.process_time()
            read_xml(data)
            found.append(time.process_time() - start)
        return min(found)

    many = [b"<a>" + b'<b c="1" d="x"/>' * count + b"</a>" for count in (2_000, 20_000)]
    long = [b'<a b="' + b"x" * size + b'"/>' for size in (100_000, 1_000_000)]
    for small, large in (many, long):
        assert seconds(large) < 40 * seconds(small) + 0.05


# --- The transaction history ----------------------------------------------------------------------


def test_a_history_without_its_currency_is_refused(account):
    line = "Transaction History,Data,2026-04-10,U***00,Deposit,Deposit,,,,,5000.00,,5000.00"
    response = account("USD")(data=text(ACTIVITY, HISTORY, line))
    assert response.json()["errors"][0]["code"] == "currency_required"


def test_amounts_of_a_history_are_in_the_base_currency(account):
    data = text(
        ACTIVITY,
        "Summary,Data,Base Currency,PLN",
        f"{HISTORY},Sub Type,Exchange Rate",
        "Transaction History,Data,2026-06-15,U***1,FX Translations P&L,Adjustment,-,-,-,-,-33.21,-,-33.21,-,1.0",
        "Transaction History,Data,2026-05-28,U***1,ATLAS,Buy,ATL,108.0,38.6,EUR,-17623.602,-12.6825,-17636.2845,-,4.2275",
        "Transaction History,Data,2026-05-20,U***1,ATL(US0000000011) Cash Dividend - US Tax,Foreign Tax Withholding,ATL,-,-,-,-4,-,-4,-,1.0",
        "Transaction History,Data,2026-05-15,U***1,Electronic Fund Transfer,Deposit,-,-,-,-,35000.0,-,35000.0,-,1.0",
    )
    known = choices(ATL="ATLAS.EUR.DEMO", US0000000011="ATLAS.EUR.DEMO")
    body = account("PLN")(data=data, instruments=known, on_error="skip").json()
    assert body["format"] == "ibkr-history"
    bought = Transaction.objects.get(type="buy")
    assert (bought.quantity, bought.price, bought.commission) == (108, D("38.6"), 3)
    assert (bought.exchange_rate, bought.settlement_amount) == (D("4.2275"), D("-17636.2845"))
    money = Transaction.objects.filter(holding=None).order_by("sequence")
    assert list(money.values_list("type", "settlement_amount")) == [
        ("deposit", 35000),
        ("adjustment", D("-33.21")),
    ]


def test_options_of_a_history_are_errors_that_say_so(account):
    data = text(
        ACTIVITY,
        HISTORY,
        "Transaction History,Data,2026-05-28,U***1,PUT,Buy,PYPL  260417P00040000,1,2,USD,-200,-1,-201",
    )
    body = account("USD")(data=data, mapping='{"currency": "USD"}').json()
    assert faults(body) == [(3, "Symbol", "unsupported_instrument")]


def test_an_unknown_section_of_money_is_an_error(account):
    data = text(
        ACTIVITY,
        ORDERS,
        BOUGHT,
        "Bonus Program,Header,Currency,Date,Description,Amount",
        "Bonus Program,Data,USD,2026-02-01,For loyalty,12.5",
        "Bonus Program,Data,Total,,,12.5",
    )
    body = account("USD")(data=data, instruments=choices(ATL="ATLAS.USD.DEMO")).json()
    assert faults(body) == [(5, "Section", "unknown_type")]


# --- Several accounts -----------------------------------------------------------------------------

_LINE = "Transaction History,Data,2026-04-10,{},Deposit,Deposit,,,,,{},,{}"
_ROW = 'Trades,Data,Order,Stocks,USD,{},ATL,"2025-10-20, 09:30:04",{},10.00,10,{},-1,0,0,0,O'
OF_TWO_ACCOUNTS = {
    "history": text(
        "Statement,Header,Field Name,Field Value",
        "Summary,Data,Base Currency,USD",
        HISTORY,
        _LINE.format("U1", 100, 100),
        _LINE.format("U2", 50, 50),
    ),
    "activity": text(
        ACTIVITY,
        ORDERS.replace("Currency,", "Currency,Account,"),
        _ROW.format("U1", 3, -30),
        "Trades,SubTotal,,Stocks,USD,,ATL,,3,,,-30,-1,0,0,0,",
        _ROW.format("U2", 2, -20),
    ),
}
OF_TWO_ACCOUNTS["xml"] = (
    "<FlexQueryResponse><FlexStatements>"
    + "".join(
        f'<FlexStatement accountId="{name}"><Trades><Trade currency="USD" assetCategory="STK" symbol="ATL" '
        f'isin="US0000000011" tradeID="{name}" tradeDate="20250110" quantity="{shares}" tradePrice="10" '
        'ibCommission="-1" ibCommissionCurrency="USD" buySell="BUY" /></Trades>'
        "</FlexStatement>"
        for name, shares in (("U1", 3), ("U2", 2))
    )
    + "</FlexStatements></FlexQueryResponse>"
).encode()


@pytest.mark.parametrize("kind", OF_TWO_ACCOUNTS)
def test_one_account_of_several_is_named_by_the_request(account, kind):
    upload = account("USD")
    known = choices(US0000000011="ATLAS.USD.DEMO", ATL="ATLAS.USD.DEMO")
    refused = upload(data=OF_TWO_ACCOUNTS[kind], instruments=known)
    assert refused.status_code == 422
    [problem] = refused.json()["errors"]
    assert (problem["code"], refused.json()["accounts"]) == ("several_accounts", ["U1", "U2"])
    body = upload.done(data=OF_TWO_ACCOUNTS[kind], instruments=known, account="U2")
    assert (body["created"], body["failed"]) == (1, 0)
    if kind != "history":
        assert held()["ATLAS.USD.DEMO"][0] == 2
    wrong = upload(data=OF_TWO_ACCOUNTS[kind], instruments=known, account="U3")
    assert wrong.json()["errors"][0]["code"] == "unknown_account"


# --- Words that are given a meaning ----------------------------------------------------------------


def test_an_unknown_word_of_a_flex_query_means_what_a_person_says(account):
    header = "Type,SettleDate,ISIN,Symbol,Description,Amount,CurrencyPrimary,TransactionID"
    data = text(
        header,
        "Loyalty Award,20240516,,,For loyalty,12.5,USD,1",
        "Special Payout,20240517,US0000000011,ATL,ATL(US0000000011) PAYOUT,7,USD,2",
    )
    upload = account("USD")
    assert [one[2] for one in faults(upload(data=data, instruments=ATLAS_KNOWN).json())] == [
        "unknown_type"
    ] * 2
    words = '{"types": {"loyalty award": "deposit", "Special Payout": "dividend"}}'
    body = upload.done(data=data, mapping=words, instruments=ATLAS_KNOWN)
    assert body["created"] == 2
    assert settled() == [("deposit", 1, D("12.5"), "USD", D("12.5")), ("dividend", 1, 7, None, 7)]
    again = upload(data=data).json()  # The words are remembered.
    assert (again["created"], again["duplicates"]) == (0, 2)


def test_an_unknown_section_of_a_statement_means_what_a_person_says(account):
    data = text(
        ACTIVITY,
        ORDERS,
        BOUGHT,
        "Bonus Program,Header,Currency,Date,Description,Amount",
        "Bonus Program,Data,USD,2026-02-01,For loyalty,12.5",
    )
    known = choices(ATL="ATLAS.USD.DEMO")
    words = '{"types": {"bonus program": "deposit"}}'
    account("USD").done(data=data, instruments=known, mapping=words)
    assert ("deposit", 1, D("12.5"), "USD", D("12.5")) in settled()


def test_an_unknown_word_of_a_history_means_what_a_person_says(account):
    line = "Transaction History,Data,2026-04-10,U***00,Thanks,Loyalty,,,,,5.00,,5.00"
    words = '{"currency": "USD", "types": {"Loyalty": "deposit"}}'
    account("USD").done(data=text(ACTIVITY, HISTORY, line), mapping=words)
    assert settled() == [("deposit", 1, 5, "USD", 5)]


def test_warrants_notes_and_coins_are_read_at_the_price_of_one_unit(account):
    row = 'Trades,Data,Order,{},USD,{},"2026-01-12, 09:45:31",{},{},1,{},-1,0,0,0,O'
    data = text(
        ACTIVITY,
        ORDERS,
        row.format("Warrants", "WRT", 100, "1.25", -125),
        row.format("Structured Products", "NTE", 5000, "98.5", -4925),
        row.format("Cryptocurrency", "BTC.USD-PAXOS", "0.01", 50000, -500),
    )
    known = choices(WRT="ATLAS.USD.DEMO", NTE="HARBOR.USD.DEMO", **{"BTC-USD": "WERELD.USD.DEMO"})
    assert account("USD").done(data=data, instruments=known)["created"] == 3
    assert settled() == [
        ("buy", D(100), D("1.25"), None, D(-126)),
        ("buy", D(5000), D("0.985"), None, D(-4926)),
        ("buy", D("0.01"), D(50000), None, D(-501)),
    ]


def test_a_row_of_a_level_that_is_not_known_is_an_error(account):
    data = text(ACTIVITY, ORDERS, BOUGHT.replace(",Order,", ",Trade Cancel,"))
    body = account("USD")(data=data, instruments=choices(ATL="ATLAS.USD.DEMO")).json()
    assert faults(body) == [(3, "DataDiscriminator", "unknown_type")]
