from datetime import date
from decimal import Decimal as D

from integrations.statements.tests.samples.base import (
    ATLAS,
    sample,
)

_IBKR_CASH = '"Type","SettleDate","ISIN","Description","Amount","CurrencyPrimary"'
_ACTIVITY_HEADER = "Statement,Header,Field Name,Field Value"
_TRADES = (
    "Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,"
    "Comm/Fee,Basis,Realized P/L,MTM P/L,Code"
)
_ACTIONS = (
    "Corporate Actions,Header,Asset Category,Currency,Report Date,Date/Time,Description,Quantity,Proceeds,Value,"
    "Realized P/L,Code"
)
SAMPLES = [
    sample(
        "ibkr trades", "ibkr-trades",
        '"Buy/Sell","TradeDate","ISIN","Quantity","TradePrice","TradeMoney","CurrencyPrimary","IBCommission","IBCommissionCurrency"',
        f"""
"BUY","20240304","{ATLAS}","10","100.5","1005","USD","-1","USD"
"SELL","20240304","","-1000","1.09","-1090","USD","-2","USD"
"SELL","20240403","{ATLAS}","-4","110","-440","USD","-1","USD"
""",
        [0, 1], [1, 2],
        currency="USD", created=2, ignored=1, instruments={ATLAS: "ATLAS.USD.DEMO"},
        # 1,005 + 1 for 10; 4 sold for 440 - 1, their cost 402.40
        held={"ATLAS.USD.DEMO": (6, D("100.6"), D("603.6"), D("36.6"), 0, 0)},
    ),
    sample(
        "ibkr trades with ids and a commission in another currency", "ibkr-trades",
        '"Symbol","Description","Buy/Sell","TradeDate","ISIN","Quantity","TradePrice","CurrencyPrimary","IBCommission","IBCommissionCurrency","TradeID"',
        f"""
"ATL","ATLAS INC","BUY","2024-03-04","{ATLAS}","10","50","USD","-1","EUR","7001"
"ATL","ATLAS INC","SELL","2024-04-04","{ATLAS}","-4","60","USD","-1","EUR","7002"
""",
        [0], [0, 1],
        currency="EUR", created=2, ignored=0, instruments={ATLAS: "ATLAS.USD.DEMO"},
        rates=(("USD", "EUR", date(2024, 3, 4), "0.8"), ("USD", "EUR", date(2024, 4, 4), "0.8")),
        # 1 EUR is 1.25 USD: 501.25 USD, 401 EUR; 4 sold for 238.75 USD, 191 EUR, their cost 160.40
        # EUR
        held={"ATLAS.USD.DEMO": (6, D("50.125"), D("240.6"), D("30.6"), 0, 0)},
    ),
    sample(
        "ibkr cash with a tax paid back", "ibkr-cash", _IBKR_CASH,
        f"""
"Dividends","20240516","{ATLAS}","ATL({ATLAS}) CASH DIVIDEND USD 0.5 PER SHARE (Ordinary)","3","USD"
"Withholding Tax","20240516","{ATLAS}","ATL({ATLAS}) CASH DIVIDEND USD 0.5 - US TAX","-0.45","USD"
"Withholding Tax","20240517","{ATLAS}","ATL({ATLAS}) CASH DIVIDEND USD 0.6 - US TAX","-0.9","USD"
"Withholding Tax","20240518","{ATLAS}","ATL({ATLAS}) CASH DIVIDEND USD 0.6 - US TAX","0.9","USD"
"Broker Interest Received","20240604","","USD CREDIT INT","1.25","USD"
""",
        [0, 1], [1, 2, 3, 4],
        currency="USD", created=2, ignored=3, instruments={ATLAS: "ATLAS.USD.DEMO"},
        held={"ATLAS.USD.DEMO": (0, None, 0, 0, 3, D("0.45"))},
    ),
    sample(
        "ibkr cash with a payment in lieu", "ibkr-cash", _IBKR_CASH,
        f"""
"Payment In Lieu Of Dividends","20240610","{ATLAS}","ATL({ATLAS}) PAYMENT IN LIEU OF DIVIDEND (Ordinary Dividend)","2.5","USD"
"Dividends","20240612","{ATLAS}","ATL({ATLAS}) CASH DIVIDEND USD 1 PER SHARE (Ordinary Dividend)","10","USD"
"Withholding Tax","20240612","{ATLAS}","ATL({ATLAS}) CASH DIVIDEND USD 1 PER SHARE - US TAX","-1.5","USD"
""",
        [0, 1], [1, 2],
        currency="USD", created=3, ignored=0, instruments={ATLAS: "ATLAS.USD.DEMO"},
        held={"ATLAS.USD.DEMO": (0, None, 0, 0, D("12.5"), D("1.5"))},
    ),
    sample(
        "ibkr activity with a split", "ibkr-activity", _ACTIVITY_HEADER,
        f"""
Statement,Data,Title,Activity Statement
{_TRADES}
Trades,Data,Order,Stocks,USD,ATL,"2024-03-04, 09:45:31","1,000",10.00,10,-10000,-5.00,10005,0,0,O
Trades,Data,Order,Stocks,USD,ATL,"2024-07-03, 10:05:00","-2,000",4.00,4,8000,-5.00,-5002.5,2992.5,0,C
Trades,SubTotal,,Stocks,USD,ATL,,-1000,,,,,,,,
Trades,Data,Order,Forex,USD,EUR.USD,"2024-03-04, 09:40:00",-500,1.08,,540,-2,,,,
{_ACTIONS}
Corporate Actions,Data,Stocks,USD,2024-06-10,"2024-06-07, 20:25:00","ATL({ATLAS}) Split 4 for 1 (ATL, ATLAS INC, {ATLAS})",3000,0,0,0,
Dividends,Header,Currency,Date,Description,Amount
Dividends,Data,USD,2024-05-15,ATL({ATLAS}) Cash Dividend USD 0.05 per Share (Ordinary Dividend),50
Dividends,Data,Total,,,50
Withholding Tax,Header,Currency,Date,Description,Amount,Code
Withholding Tax,Data,USD,2024-05-15,ATL({ATLAS}) Cash Dividend USD 0.05 per Share - US Tax,-7.5,
""",
        [0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12], [0, 1, 3, 4, 6, 7, 8, 9, 10, 11, 12],
        currency="USD", created=5, ignored=1, instruments={ATLAS: "ATLAS.USD.DEMO"},
        # 1,000 for 10,005 become 4,000 at 2.50125; 2,000 sold for 7,995, their cost 5,002.50
        held={"ATLAS.USD.DEMO": (2000, D("2.50125"), D("5002.5"), D("2992.5"), 50, D("7.5"))},
    ),
    sample(
        "ibkr activity with a reverse split and cash", "ibkr-activity", _ACTIVITY_HEADER,
        f"""
Statement,Data,Title,Activity Statement
{_TRADES}
Trades,Data,Order,Stocks,USD,HRB,"2024-03-04, 09:45:31",100,5.00,5,-500,-1.00,501,0,0,O
Trades,Data,Order,Stocks,USD,HRB,"2024-07-03, 10:05:00",-4,60.00,60,240,-1.00,-200.4,38.6,0,C
{_ACTIONS}
Corporate Actions,Data,Stocks,USD,2024-06-10,"2024-06-07, 20:25:00","HRB(US0000000029) Split 1 for 10 (HRB, HARBOR INC, US0000000029)",-90,0,0,0,
Corporate Actions,Data,Total,,,,,,0,0,0,
Dividends,Header,Currency,Date,Description,Amount
Dividends,Data,USD,2024-08-15,HRB(US0000000029) Cash Dividend USD 0.5 per Share (Ordinary Dividend),3
Deposits & Withdrawals,Header,Currency,Settle Date,Description,Amount
Deposits & Withdrawals,Data,USD,2024-03-01,Electronic Fund Transfer,1000
Deposits & Withdrawals,Data,Total,,,1000
Interest,Header,Currency,Date,Description,Amount
Interest,Data,USD,2024-06-05,USD Credit Interest,1.11
""",
        [0, 1, 2, 4, 5, 6, 9, 10, 11], [0, 1, 3, 4, 5, 6, 7, 8, 12, 13],
        currency="USD", created=4, ignored=2, instruments={"US0000000029": "HARBOR.USD.DEMO"},
        # 100 for 501 become 10 at 50.10; 4 sold for 239, their cost 200.40
        held={"HARBOR.USD.DEMO": (6, D("50.1"), D("300.6"), D("38.6"), 3, 0)},
    ),
]  # fmt: skip
