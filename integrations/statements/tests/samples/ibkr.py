from datetime import date
from decimal import Decimal as D

from integrations.statements.tests.samples.base import (
    ATLAS,
    SKOG,
    Sample,
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
_FRENCH = (
    "Transactions,Header,DataDiscriminator,Catégorie d'actifs,Devise,Compte,Symbole,Date/Heure,Quantité,Prix trans.,"
    "Cours de clôt.,Produit,Comm/Tarif,Base,P/L réalisé,P/L MTM,Code"
)
_GERMAN = (
    "Transaktionen,Header,DataDiscriminator,Vermögenswertkategorie,Währung,Symbol,Datum/Zeit,Menge,T.-Kurs,"
    "Schlussk.,Erlös,Prov./Gebühr,Basis,Realisierter G&V,MTM-G&V,Code"
)
_FLEX_TRADES = (
    "ClientAccountID,CurrencyPrimary,AssetClass,Symbol,Description,ISIN,TradeID,TradeDate,Quantity,TradePrice,"
    "TradeMoney,IBCommission,IBCommissionCurrency,Buy/Sell"
)
_FLEX_ACTIONS = (
    "ClientAccountID,CurrencyPrimary,AssetClass,Symbol,Description,ISIN,Report Date,ActionDescription,Proceeds,"
    "Quantity,Code,Type,TransactionID,ActionID"
)
_HISTORY = (
    "Transaction History,Header,Date,Account,Description,Transaction Type,Symbol,Quantity,Price,Price Currency,"
    "Gross Amount,Commission,Net Amount"
)
_FLEX = [
    f'<Trade accountId="U1" currency="USD" assetCategory="STK" symbol="ATL" isin="{ATLAS}" tradeID="1" tradeDate='
    '"20240301" quantity="10" tradePrice="100" tradeMoney="1000" ibCommission="-1" ibCommissionCurrency="USD" '
    'netCash="-1001" buySell="BUY" levelOfDetail="EXECUTION" />',
    f'<CashTransaction accountId="U1" currency="USD" symbol="ATL" isin="{ATLAS}" description="ATL({ATLAS}) CASH '
    'DIVIDEND" dateTime="2024-05-16" amount="5" type="Dividends" transactionID="2" />',
    '<CashTransaction accountId="U1" currency="USD" description="CASH RECEIPTS" dateTime="2024-02-16" '
    'amount="5000" type="Deposits/Withdrawals" transactionID="3" />',
    f'<CorporateAction accountId="U1" currency="USD" description="ATL({ATLAS}) SPLIT 2 FOR 1 (ATL, ATLAS, {ATLAS})" '
    'reportDate="2024-06-10" quantity="10" proceeds="0" />',
    f'<CashTransaction accountId="U1" currency="USD" symbol="ATL" isin="{ATLAS}" description="ATL({ATLAS}) CASH '
    'DIVIDEND - US TAX" dateTime="2024-05-16" amount="-0.75" type="Withholding Tax" transactionID="4" />',
    '<CashTransaction accountId="U1" currency="USD" description="USD CREDIT INT" dateTime="2024-06-04" '
    'amount="1.25" type="Broker Interest Received" transactionID="5" />',
    '<CashTransaction accountId="U1" currency="USD" description="MARKET DATA" dateTime="2024-06-04" '
    'amount="-10" type="Other Fees" transactionID="6" />',
]


def _flex(*elements):
    inner = "\r\n".join(elements)
    return (
        '<FlexQueryResponse queryName="All" type="AF">\r\n<FlexStatements count="1">\r\n<FlexStatement accountId="U1">'
        f"\r\n{inner}\r\n</FlexStatement>\r\n</FlexStatements>\r\n</FlexQueryResponse>\r\n"
    ).encode()


SAMPLES = [
    sample(
        "ibkr trades", "ibkr-trades",
        '"Symbol","Buy/Sell","TradeDate","ISIN","Quantity","TradePrice","TradeMoney","CurrencyPrimary","IBCommission","IBCommissionCurrency"',
        f"""
"ATL","BUY","20240304","{ATLAS}","10","100.5","1005","USD","-1","USD"
"EUR.USD","SELL","20240304","","-1000","1.09","-1090","USD","-2","USD"
"ATL","SELL","20240403","{ATLAS}","-4","110","-440","USD","-1","USD"
""",
        [0, 1], [1, 2],
        currency="USD", created=3, ignored=0, instruments={ATLAS: "ATLAS.USD.DEMO"},
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
        currency="USD", created=3, ignored=2, instruments={ATLAS: "ATLAS.USD.DEMO"},
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
        currency="USD", created=6, ignored=0, instruments={ATLAS: "ATLAS.USD.DEMO"},
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
        currency="USD", created=6, ignored=0, instruments={"US0000000029": "HARBOR.USD.DEMO"},
        # 100 for 501 become 10 at 50.10; 4 sold for 239, their cost 200.40
        held={"HARBOR.USD.DEMO": (6, D("50.1"), D("300.6"), D("38.6"), 3, 0)},
    ),
    sample(
        "ibkr activity in French with trades, a cancelled one, and money", "ibkr-activity",
        "Statement,Header,Nom champ,Valeur champ",
        f"""
Statement,Data,Title,Relevé de compte
{_FRENCH}
Transactions,Data,Order,Actions,EUR,U1,ATL,"2025-01-10, 03:17:30",15,9.265,8.92,-138.975,-0.695,139.67,0,-5.175,O
Transactions,Data,Order,Actions,EUR,U1,ATL,"2025-01-13, 03:17:30",5,9.5,8.92,-47.5,-0.5,48,0,0,O
Transactions,Data,Order,Actions,EUR,U1,ATL,"2025-01-14, 03:17:30",-5,9.5,8.92,47.5,0.5,-48,0,0,C;Ca
Dividendes,Header,Devise,Compte,Date,Description,Montant
Dividendes,Data,EUR,U1,2025-02-10,ATL({ATLAS}) Dividende en espèces EUR 0.14 par action,2.1
Dividendes,Data,Total,,,,2.1
Dépôts et retraits,Header,Devise,Compte,Date de règlement,Description,Montant
Dépôts et retraits,Data,EUR,U1,2025-01-05,Transfert électronique de fonds,2000
Intérêt,Header,Devise,Compte,Date,Description,Montant
Intérêt,Data,EUR,U1,2025-02-05,EUR Intérêts débiteurs,-0.79
""",
        [0, 1, 2, 5, 6, 8, 9], [0, 1, 3, 4, 5, 6, 7, 10, 11],
        currency="EUR", created=4, ignored=2, instruments={ATLAS: "ATLAS.EUR.DEMO"},
        # 15 for 138.975 and 0.695
        held={"ATLAS.EUR.DEMO": (15, D("9.3113"), D("139.67"), 0, D("2.1"), 0)},
    ),
    sample(
        "ibkr activity in German with exchanges and points", "ibkr-activity",
        "Statement,Header,Feldname,Feldwert",
        f"""
Statement,Data,Title,Umsatzübersicht
{_GERMAN}
Transaktionen,Data,Order,Aktien,USD,ATL,"2025-01-10, 03:17:30",10,50,51,-500,-1,501,0,0,O
Transaktionen,Data,Order,Devisen,USD,EUR.USD,"2025-01-09, 03:17:30",-500,1.04,,520,-2,,,,
Quellensteuer,Header,Währung,Datum,Beschreibung,Betrag,Code
Quellensteuer,Data,USD,2025-02-10,ATL({ATLAS}) Bardividende USD 0.5 pro Aktie - US Steuer,-0.75,
Dividenden,Header,Währung,Datum,Beschreibung,Betrag
Dividenden,Data,USD,2025-02-10,ATL({ATLAS}) Bardividende USD 0.5 pro Aktie,5
Dividenden,Data,Gesamt,,,5
Einzahlungen & Auszahlungen,Header,Währung,Abwicklungsdatum,Beschreibung,Betrag
Einzahlungen & Auszahlungen,Data,EUR,2025-01-05,Elektronische Überweisung,2000
""",
        [0, 1, 2, 4, 5], [0, 1, 2, 3, 6, 7, 8, 9, 10],
        currency="USD", created=5, ignored=0, instruments={ATLAS: "ATLAS.USD.DEMO"},
        held={"ATLAS.USD.DEMO": (10, D("50.1"), 501, 0, 5, D("0.75"))},
    ),
    sample(
        "ibkr history with its base currency", "ibkr-history", _ACTIVITY_HEADER,
        f"""
Statement,Data,Title,Transaction History
Summary,Data,Base Currency,EUR
{_HISTORY},Exchange Rate
Transaction History,Data,2026-05-14,U***00,ATL({ATLAS}) Cash Dividend USD 0.5,Dividend,ATL,-,-,-,4,-,4,-
Transaction History,Data,2026-05-02,U***00,ATLAS INC,Sell,ATL,-4,60,USD,192,-0.8,191.2,0.8
Transaction History,Data,2026-05-01,U***00,ATLAS INC,Buy,ATL,10,50,USD,-400,-0.8,-400.8,0.8
Transaction History,Data,2026-04-10,U***00,Deposit,Deposit,-,-,-,-,5000.00,-,5000.00,-
""",
        [0, 1, 2, 5, 6], [0, 1, 2, 3, 4, 5],
        currency="EUR", created=4, ignored=0, instruments={ATLAS: "ATLAS.USD.DEMO", "ATL": "ATLAS.USD.DEMO"},
        rates=(("USD", "EUR", date(2026, 5, 14), "0.8"),),
        # 501 dollars at 0.8 for 10; 4 sold for 239 dollars, their cost 160.32
        held={"ATLAS.USD.DEMO": (6, D("50.1"), D("240.48"), D("30.88"), 4, 0)},
    ),
    sample(
        "ibkr history whose currency the request names", "ibkr-history", _ACTIVITY_HEADER,
        f"""
Statement,Data,Title,Transaction History
{_HISTORY}
Transaction History,Data,2026-05-01,U***00,HARBOR INC,Buy,HRB,5,420.00,USD,-2100.00,-1.0,-2101.00
Transaction History,Data,2026-04-10,U***00,Deposit,Deposit,,,,,5000.00,,5000.00
""",
        [0, 1, 3], [0, 1, 2],
        currency="USD", created=2, ignored=0, instruments={"HRB": "HARBOR.USD.DEMO"},
        fields={"mapping": '{"currency": "USD"}'},
        held={"HARBOR.USD.DEMO": (5, D("420.2"), 2101, 0, 0, 0)},
    ),
    sample(
        "ibkr flex csv with rights", "ibkr-flex-csv", _FLEX_TRADES,
        f"""
U1,USD,STK,ATL,ATLAS INC,{ATLAS},1,20240301,10,100,1000,-1,USD,BUY
U1,USD,STK,ATL,ATLAS INC,{ATLAS},2,20240304,10,110,1100,-1,USD,BUY
{_FLEX_ACTIONS}
U1,USD,STK,SKG,SKOG AB,{SKOG},20240402,"ATL({ATLAS}) SUBSCRIBABLE RIGHTS ISSUE 1 FOR 5 (SKG, SKOG AB, {SKOG})",0,4,,SO,7,9
U1,USD,STK,ATL,ATLAS INC,{ATLAS},20240610,"ATL({ATLAS}) SPLIT 2 FOR 1 (ATL, ATLAS, {ATLAS})",0,20,,FS,8,10
""",
        [0, 1, 2, 3], [0, 1, 2, 3, 4],
        currency="USD", created=4, ignored=0,
        instruments={ATLAS: "ATLAS.USD.DEMO", SKOG: "SKOG.USD.DEMO"},
        # Rights come at no cost.
        held={"ATLAS.USD.DEMO": (40, D("52.55"), 2102, 0, 0, 0), "SKOG.USD.DEMO": (4, 0, 0, 0, 0, 0)},
    ),
    sample(
        "ibkr flex csv with actions alone", "ibkr-flex-csv", _FLEX_ACTIONS,
        f"""
U1,USD,STK,SKG,SKOG AB,{SKOG},20240402,"SKG({SKOG}) OVER SUBSCRIBE (SKG, SKOG AB, {SKOG})",-40,4,,OR,7,9
U1,USD,STK,SKG,SKOG AB,{SKOG},20240610,"SKG({SKOG}) SPLIT 2 FOR 1 (SKG, SKOG AB, {SKOG})",0,4,,FS,8,10
""",
        [0], [0, 1],
        currency="USD", created=2, ignored=0, instruments={SKOG: "SKOG.USD.DEMO"},
        held={"SKOG.USD.DEMO": (8, 5, 40, 0, 0, 0)},
    ),
    *[
        Sample(
            name, "ibkr-flex", currency="USD", data=_flex(*elements), older=_flex(*elements[:2]),
            newer=_flex(*elements[1:]), instruments={ATLAS: "ATLAS.USD.DEMO"}, **truth,
        )
        for name, elements, truth in (
            (
                "ibkr flex with a split and a dividend", _FLEX[:4],
                {"created": 4, "ignored": 0,
                 "held": {"ATLAS.USD.DEMO": (20, D("50.05"), 1001, 0, 5, 0)}},
            ),
            (
                "ibkr flex with money", [_FLEX[0], *_FLEX[4:]],
                {"created": 4, "ignored": 0,
                 "held": {"ATLAS.USD.DEMO": (10, D("100.1"), 1001, 0, 0, D("0.75"))}},
            ),
        )
    ],
]  # fmt: skip
