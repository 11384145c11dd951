"""Interactive Brokers files through the REST API."""

import json
from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import (
    choices,
    faults,
    held,
    text,
    twice,
)
from integrations.statements.tests.test_degiro import ATLAS, DEGIRO
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db


def test_ibkr_flex_trades_and_cash(account):
    upload = account("USD")
    known = choices(US0000000011="ATLAS.USD.DEMO")
    trades = text(
        '"Symbol","Buy/Sell","TradeDate","ISIN","Quantity","TradePrice","TradeMoney","CurrencyPrimary","IBCommission",'
        '"IBCommissionCurrency"',
        '"ATL","BUY","20240304","US0000000011","10","100.5","1005","USD","-1","USD"',
        '"ATL","SELL","20240403","US0000000011","-4","110","-440","USD","-1","USD"',
        '"EUR.USD","SELL","20240304","","-1000","1.09","-1090","USD","-2","USD"',
    )
    body = upload.done(data=trades, instruments=known)
    assert (body["format"], body["created"], body["ignored"]) == ("ibkr-trades", 3, 0)
    cash = text(
        '"Type","SettleDate","ISIN","Description","Amount","CurrencyPrimary"',
        '"Dividends","20240516","US0000000011","ATL(US0000000011) CASH DIVIDEND USD 0.5 PER SHARE (Ordinary)","3","USD"',
        '"Withholding Tax","20240516","US0000000011","ATL(US0000000011) CASH DIVIDEND USD 0.5 - US TAX","-0.45","USD"',
        '"Withholding Tax","20240517","US0000000011","ATL(US0000000011) CASH DIVIDEND USD 0.6 - US TAX","-0.9","USD"',
        '"Withholding Tax","20240518","US0000000011","ATL(US0000000011) CASH DIVIDEND USD 0.6 - US TAX","0.9","USD"',
        '"Broker Interest Received","20240604","","USD CREDIT INT","1.25","USD"',
    )
    body = upload.done(data=cash)
    assert (body["format"], body["created"], body["ignored"]) == ("ibkr-cash", 3, 2)
    # 10 at 100.6; 4 sold for 439
    assert held()["ATLAS.USD.DEMO"] == (6, D("100.6"), D("603.6"), D("36.6"), 3, D("0.45"))
    twice(upload, trades)
    twice(upload, cash)


def test_ibkr_activity_statement(account):
    upload = account("USD")
    data = text(
        "Statement,Header,Field Name,Field Value",
        "Statement,Data,Title,Activity Statement",
        "Net Asset Value,Header,Asset Class,Prior Total",
        "Net Asset Value,Data,Stock,0",
        "Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,"
        "Comm/Fee,Basis,Realized P/L,MTM P/L,Code",
        'Trades,Data,Order,Stocks,USD,ATL,"2024-03-04, 09:45:31","1,000",10.00,10,-10000,-5.00,10005,0,0,O',
        'Trades,Data,Order,Stocks,USD,ATL,"2024-07-03, 10:05:00","-2,000",4.00,4,8000,-5.00,-5002.5,2992.5,0,C',
        "Trades,SubTotal,,Stocks,USD,ATL,,-1000,,,,,,,,",
        'Trades,Data,Order,Forex,USD,EUR.USD,"2024-03-04, 09:40:00",-500,1.08,,540,-2,,,,',
        "Corporate Actions,Header,Asset Category,Currency,Report Date,Date/Time,Description,Quantity,Proceeds,Value,"
        "Realized P/L,Code",
        'Corporate Actions,Data,Stocks,USD,2024-06-10,"2024-06-07, 20:25:00","ATL(US0000000011) Split 4 for 1 (ATL, '
        'ATLAS INC, US0000000011)",3000,0,0,0,',
        "Dividends,Header,Currency,Date,Description,Amount",
        "Dividends,Data,USD,2024-05-15,ATL(US0000000011) Cash Dividend USD 0.05 per Share (Ordinary Dividend),50",
        "Dividends,Data,Total,,,50",
        "Withholding Tax,Header,Currency,Date,Description,Amount,Code",
        "Withholding Tax,Data,USD,2024-05-15,ATL(US0000000011) Cash Dividend USD 0.05 per Share - US Tax,-7.5,",
    )
    body = upload.done(data=data, instruments=choices(US0000000011="ATLAS.USD.DEMO"))
    assert (body["format"], body["created"], body["ignored"]) == ("ibkr-activity", 6, 0)
    # 1,000 for 10,005 become 4,000 at 2.50125; 2,000 sold for 7,995
    assert held()["ATLAS.USD.DEMO"] == (2000, D("2.50125"), D("5002.5"), D("2992.5"), 50, D("7.5"))
    twice(upload, data)


def test_an_ibkr_statement_without_any_of_its_sections_is_of_no_known_format(account):
    data = text(
        "Statement,Header,Field Name,Field Value",
        "Routing,Header,Date",
        "Routing,Data,x",
    )
    response = account("USD")(data=data)
    assert response.json()["errors"][0]["code"] == "unknown_format"


TRADE_COLUMNS = "AssetClass,Buy/Sell,TradeDate,ISIN,Symbol,Quantity,TradePrice,TradeMoney,CurrencyPrimary,IBCommission,IBCommissionCurrency"
ATLAS_KNOWN = choices(US0000000011="ATLAS.USD.DEMO")


def test_ibkr_trades_of_shares_funds_and_currencies_are_distinguished_by_class(account):
    upload = account("USD")
    data = text(
        TRADE_COLUMNS,
        "STK,BUY,20240304,US0000000011,ATL,10,100.5,1005,USD,-1,USD",
        "FUND,BUY,20240305,US0000000011,ATL,1,100,100,USD,0,USD",
        "STK,BUY,20240305,,ATL,2,100,200,USD,0,USD",
        "CASH,SELL,20240304,,EUR.USD,-1000,1.09,-1090,USD,-2,USD",
    )
    known = json.dumps({"US0000000011": "ATLAS.USD.DEMO", "ATL": "ATLAS.USD.DEMO"})
    body = upload.done(data=data, instruments=known)
    assert (body["created"], body["ignored"]) == (4, 0)
    assert (body["money_created"], body["groups_created"]) == (3, 1)
    assert held()["ATLAS.USD.DEMO"][::2] == (13, 1306, 0)
    twice(upload, data)


@pytest.mark.parametrize("asset", ["CFD", "OPT", "FUT", "CMDTY", ""])
def test_ibkr_trades_of_anything_else_are_errors(account, dump, asset):
    upload = account("USD")
    before = dump()
    line = f"{asset},BUY,20240301,US912810TM09,T 4 11/15/52,10000,95.5,9550,USD,-5,USD"
    response = upload(data=text(TRADE_COLUMNS, line))
    assert (response.status_code, faults(response.json())) == (
        422,
        [(2, "AssetClass", "unsupported_instrument")],
    )
    assert "Options, futures and CFDs are not imported" in response.json()["errors"][0]["detail"]
    assert dump() == before


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        # A bond is priced in percent, an option is of a hundred shares.
        (
            "BUY,20240301,US912810TM09,T 4 11/15/52,10000,95.5,9550,USD,-5,USD",
            (2, "TradeMoney", "amount_differs"),
        ),
        ("BUY,20240301,,,2,1.50,300,USD,-1,USD", (2, "TradeMoney", "amount_differs")),
        ("BUY,20240301,,ATL   240621C00180000,2,1.50,300,USD,-1,USD", (2, "ISIN", "required")),
        ("BUY,20240301,,ATL,2,150,300,USD,-1,USD", (2, "ISIN", "required")),
        ("BUY,20240301,,ATL.XYZ,2,150,300,USD,-1,USD", (2, "ISIN", "required")),
    ],
)
def test_ibkr_trades_without_a_class_that_may_be_no_shares_are_errors(account, dump, line, fault):
    upload = account("USD")
    before = dump()
    response = upload(data=text(TRADE_COLUMNS.removeprefix("AssetClass,"), line))
    assert (response.status_code, faults(response.json())) == (422, [fault])
    assert dump() == before


def test_ibkr_trades_without_a_class_are_forex_where_the_symbol_is_a_pair_of_currencies(account):
    header = TRADE_COLUMNS.removeprefix("AssetClass,")
    lines = (
        "SELL,20240304,,EUR.USD,-1000,1.09,-1090,USD,-2,USD",
        "SELL,20240304,,USD.CNH,-1000,7.1,-7100,CNH,-2,USD",
    )
    body = account("USD")(data=text(header, *lines), on_error="skip").json()
    assert (body["created"], body["groups_created"]) == (1, 1)
    assert faults(body) == [(3, "Symbol", "unknown_currency")]


WITH_NET = "STK,BUY,20240304,US0000000011,ATL,10,100.5,1005,USD,-1,{},{}"


@pytest.mark.parametrize(
    ("commission_in", "net", "settled"),
    [
        ("USD", "-1006", "-1006"),
        ("USD", "-1006.4", "-1006.4"),  # the whole figures explain half a unit
        ("EUR", "-1005", "-1005"),  # a commission in another currency is not in the net amount
    ],
)
def test_ibkr_trades_settle_for_their_net_amount(account, commission_in, net, settled):
    data = text(f"{TRADE_COLUMNS},NetCash", WITH_NET.format(commission_in, net))
    account("USD").done(data=data, instruments=ATLAS_KNOWN)
    assert Transaction.objects.get(type="buy").settlement_amount == D(settled)


def test_an_ibkr_trade_whose_net_amount_contradicts_its_value_and_charges_is_an_error(
    account, dump
):
    upload = account("USD")
    before = dump()
    data = text(f"{TRADE_COLUMNS},NetCash", WITH_NET.format("USD", "-1016"))
    response = upload(data=data, instruments=ATLAS_KNOWN)
    assert response.status_code == 422
    assert faults(response.json()) == [(2, "NetCash", "amount_differs")]
    assert response.json()["errors"][0]["detail"] == (
        "10 × 100.5 with charges of 1 gives -1006, but the amount is -1016."
    )
    assert dump() == before


def test_ibkr_trades_in_two_levels_of_detail_are_read_once(account):
    upload = account("USD")
    header = f"{TRADE_COLUMNS},LevelOfDetail,TradeID"
    order = "STK,BUY,20240304,US0000000011,ATL,10,100,1000,USD,-1,USD,ORDER,"
    fills = [
        f"STK,BUY,20240304,US0000000011,ATL,5,100,500,USD,-0.5,USD,EXECUTION,{number}"
        for number in (71, 72)
    ]
    body = upload.done(data=text(header, order, *fills), instruments=ATLAS_KNOWN)
    assert (body["created"], body["ignored"]) == (2, 1)
    assert body["ignored_sums"] == [
        {"type": "level of detail order", "currency": "", "count": 1, "amount": "0"}
    ]
    assert held()["ATLAS.USD.DEMO"][:3] == (10, D("100.1"), 1001)
    alone = account("EUR").done(data=text(header, order), instruments=ATLAS_KNOWN)
    assert (alone["created"], alone["ignored"]) == (1, 0)


def test_ibkr_cash_in_two_levels_of_detail_is_read_once(account):
    header = "Type,SettleDate,ISIN,Description,Amount,CurrencyPrimary,LevelOfDetail"
    words = "ATL(US0000000011) CASH DIVIDEND USD 0.5 PER SHARE (Ordinary)"
    data = text(
        header,
        f"Dividends,20240516,US0000000011,{words},3,USD,SUMMARY",
        f"Dividends,20240516,US0000000011,{words},3,USD,DETAIL",
    )
    upload = account("USD")
    body = upload.done(data=data, instruments=ATLAS_KNOWN)
    assert (body["created"], body["ignored"]) == (1, 1)
    assert held()["ATLAS.USD.DEMO"][4] == 3
    twice(upload, data)


ACTIVITY = "Statement,Header,Field Name,Field Value"
ORDERS = "Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,Comm/Fee,Basis,Realized P/L,MTM P/L,Code"
BOUGHT = 'Trades,Data,Order,Stocks,USD,ATL,"2026-01-12, 09:45:31",100,5.00,5,-500,-1.00,501,0,0,O'
ACTIONS = "Corporate Actions,Header,Asset Category,Currency,Report Date,Date/Time,Description,Quantity,Proceeds,Value,Realized P/L,Code"
PAID = "Dividends,Header,Currency,Date,Description,Amount"


def test_ibkrs_reverse_split_in_two_rows_is_one_split(account):
    split = 'Corporate Actions,Data,Stocks,USD,2026-03-03,"2026-03-02, 20:25:00","ATL(US0000000011) Split 1 for 10 ({}"'
    data = text(
        ACTIVITY,
        ORDERS,
        BOUGHT,
        ACTIONS,
        split.format("ATL.OLD, ATLAS INC, US0000000011)") + ",-100,0,0,0,",
        split.format("ATL, ATLAS INC, US0000000099)") + ",10,0,0,0,",
    )
    upload = account("USD")
    body = upload.done(data=data, instruments=ATLAS_KNOWN)
    assert (body["created"], body["ignored"]) == (2, 1)
    assert body["ignored_sums"] == [
        {"type": "part of a split", "currency": "", "count": 1, "amount": "0"}
    ]
    assert held()["ATLAS.USD.DEMO"][:3] == (10, D("50.1"), 501)
    twice(upload, data)


def test_ibkr_activity_sections_beyond_trades_and_dividends_are_read_or_reported(account):
    data = text(
        ACTIVITY,
        ORDERS,
        BOUGHT,
        "Payment In Lieu Of Dividends,Header,Currency,Date,Description,Amount",
        "Payment In Lieu Of Dividends,Data,USD,2026-02-15,ATL(US0000000011) Payment in Lieu of Dividend (Ordinary Dividend),7",
        "Payment In Lieu Of Dividends,Data,Total,,,7",
        "Transaction Fees,Header,Asset Category,Currency,Date/Time,Symbol,Description,Quantity,Trade Price,Amount,Code",
        'Transaction Fees,Data,Stocks,USD,"2026-01-12, 09:45:31",ATL,Stamp Tax,100,5,-2.5,',
        "Transaction Fees,Data,Total,,,,,,,-2.5,",
        "Fees,Header,Subtitle,Currency,Date,Description,Amount",
        "Fees,Data,Other Fees,USD,2026-02-01,Market data,-2",
        "Fees,Data,Total,,,,-2",
        "Commission Adjustments,Header,Currency,Date,Description,Amount",
        "Commission Adjustments,Data,USD,2026-02-01,Commission of a kind,0.25",
        "Commission Adjustments,Data,Total,,,0.25",
        "Routing,Header,Venue,Amount",
        "Routing,Data,ISLAND,n/a,of more cells,than its header",
        "Open Positions,Header,DataDiscriminator,Asset Category,Currency,Symbol,Quantity",
        "Open Positions,Data,Summary,Stocks,USD,ATL,100",
    )
    upload = account("USD")
    body = upload.done(data=data, instruments=ATLAS_KNOWN)
    assert (body["created"], body["ignored"]) == (5, 1)
    assert body["ignored_sums"] == [
        {"type": "routing", "currency": "", "count": 1, "amount": "0"},
    ]
    assert held()["ATLAS.USD.DEMO"] == (100, D("5.01"), 501, 0, 7, D("2.5"))
    (duty,) = Transaction.objects.filter(type="tax")
    assert (duty.price, duty.note) == (D("2.5"), "Stamp Tax")
    # Earlier versions called it a fee.
    Transaction.objects.filter(pk=duty.pk).update(type="fee")
    twice(upload, data)


def test_ibkrs_granted_shares_without_their_price_are_errors(account, dump):
    upload = account("USD")
    before = dump()
    lines = [
        "Grant Activity,Header,Symbol,Report Date,Quantity",
        "Grant Activity,Data,ATL,2026-02-01,10",
    ]
    response = upload(
        data=text(ACTIVITY, ORDERS, BOUGHT, *lines), instruments=choices(ATL="ATLAS.USD.DEMO")
    )
    assert (response.status_code, faults(response.json())) == (422, [(5, "Symbol", "unsupported")])
    assert "transfer_in" in response.json()["errors"][0]["detail"]
    assert dump() == before


def test_a_payment_that_ibkr_takes_back_after_it_was_imported_is_gone(account):
    upload = account("USD")
    header = "Type,SettleDate,ISIN,Description,Amount,CurrencyPrimary,TransactionID"
    words = "ATL(US0000000011) CASH DIVIDEND USD 0.5 PER SHARE"
    paid = f"Dividends,20240516,US0000000011,{words},25,USD,1"
    back = f"Dividends,20240516,US0000000011,{words} - REVERSAL,-25,USD,2"
    right = f"Dividends,20240516,US0000000011,{words},26,USD,3"
    first = upload.done(data=text(header, paid), instruments=ATLAS_KNOWN)
    assert [warning["code"] for warning in first["warnings"]] == ["cash_incomplete"]
    body = upload.done(data=text(header, paid, back, right))
    assert (body["created"], body["ignored"]) == (1, 2)
    assert ("reversed", 2) in [(one["code"], one.get("row")) for one in body["warnings"]]
    assert [row.external_id for row in Transaction.objects.all()] == ["3"]
    again = upload(data=text(header, paid, back, right)).json()
    assert (again["created"], again["duplicates"], again["ignored"]) == (0, 1, 2)


def test_an_ibkr_statement_whose_rows_lost_their_header_is_refused(account, dump):
    upload = account("USD")
    before = dump()
    response = upload(
        data=text(
            ACTIVITY, ORDERS, BOUGHT, PAID.replace("Dividends", "Codes"), "Dividends,Data,USD,x,y,1"
        )
    )
    [error] = response.json()["errors"]
    assert (response.status_code, error["code"], "Line 5" in error["detail"]) == (
        422,
        "unreadable_file",
        True,
    )
    assert dump() == before


def test_ibkr_refunded_tax_and_tax_on_interest_are_not_taxes_on_dividends(account):
    words = "ATL(US0000000011) Cash Dividend USD 0.26 per Share - US Tax"
    data = text(
        ACTIVITY,
        ORDERS,
        BOUGHT,
        "Withholding Tax,Header,Currency,Date,Description,Amount,Code",
        f"Withholding Tax,Data,USD,2026-02-15,{words},-3.9,",
        f"Withholding Tax,Data,USD,2026-02-20,{words},3.9,",
        f"Withholding Tax,Data,USD,2026-02-20,{words},-2.6,",
        "Withholding Tax,Data,USD,2026-02-05,Withholding @ 20% on Credit Int for Jan-2026,-0.4,",
        "Withholding Tax,Data,Total,,,-3,",
    )
    upload = account("USD")
    body = upload.done(data=data, instruments=ATLAS_KNOWN)
    assert (body["created"], body["ignored"]) == (3, 2)
    assert body["ignored_sums"] == [
        {"type": "reversed", "currency": "", "count": 2, "amount": "0"},
    ]
    assert held()["ATLAS.USD.DEMO"][5] == D("2.6")
    twice(upload, data)
    cash = "Type,SettleDate,ISIN,Description,Amount,CurrencyPrimary"
    line = "Withholding Tax,20260205,,WITHHOLDING @ 20% ON CREDIT INT FOR JAN-2026,-0.4,USD"
    body = upload(data=text(cash, line)).json()
    assert (body["duplicates"], body["errors"]) == (1, [])


def test_tax_that_ibkr_pays_back_is_money_alone(account):
    header = "Type,SettleDate,ISIN,Description,Amount,CurrencyPrimary"
    line = "Withholding Tax,20240516,US0000000011,ATL(US0000000011) CASH DIVIDEND USD 0.5 - US TAX,2.5,USD"
    account("USD").done(data=text(header, line))
    assert list(Transaction.objects.values_list("type", "settlement_amount", "holding")) == [
        ("tax", D("2.5"), None)
    ]


@pytest.mark.parametrize(
    ("format_name", "lines"),
    [
        (
            "ibkr-cash",
            [
                "Type,SettleDate,ISIN,Description,Amount,CurrencyPrimary",
                "Dividends,20240516,US0000000011,ATL(US0000000011) CASH DIVIDEND USD 0.5 PER SHARE - REVERSAL,-25,USD",
            ],
        ),
        (
            "ibkr-activity",
            [ACTIVITY, PAID, "Dividends,Data,USD,2024-05-16,ATL(US0000000011) Cash Dividend USD 0.5 - Reversal,-25"],
        ),
        (
            "degiro",
            [DEGIRO, f'16-05-2024,07:30,15-05-2024,{ATLAS},Dividend,,USD,"-3,00",USD,"3,00",'],
        ),
    ],
)  # fmt: skip
def test_a_reversal_without_its_first_row_says_what_to_do(account, dump, format_name, lines):
    upload = account("EUR")
    before = dump()
    response = upload(data=text(*lines), format=format_name)
    [error] = response.json()["errors"]
    assert (response.status_code, error["row"], error["code"]) == (
        422,
        len(lines),
        "unpaired_reversal",
    )
    assert error["detail"] == (
        "This row reverses all or part of an earlier one that is not in this file. "
        "Delete or correct that transaction, then import again and skip this row."
    )
    assert dump() == before
