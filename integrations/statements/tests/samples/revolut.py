from decimal import Decimal as D

from integrations.statements.tests.samples.base import FUND, sample

_REVOLUT = "Date,Ticker,Type,Quantity,Price per share,Total Amount,Currency,FX Rate"
_SAVINGS = 'Date,Description,"Value, EUR",Price per share,Quantity of shares'
_COINS = "Symbol,Type,Quantity,Price,Value,Fees,Date"
_GAINS = (
    "Date acquired,Date sold,Symbol,Security name,ISIN,Country,Quantity,Cost basis,Gross proceeds,Gross PnL,"
    "Currency"
)
SAMPLES = [
    sample(
        "revolut in dollars with a split", "revolut", _REVOLUT,
        """
2024-03-01T08:00:00.000Z,,CASH TOP-UP,,,$500,USD,1.08
2024-03-04T14:30:00.000Z,ATL,BUY - MARKET,2,"$1,000.50","$2,002.00",USD,1.08
2024-04-04T14:30:00.000Z,ATL,STOCK SPLIT,6,,$0,USD,1.08
2024-05-04T14:30:00.000Z,ATL,SELL - LIMIT,3,$300.00,$899.00,USD,1.08
2024-05-16T14:30:00.000Z,ATL,DIVIDEND,,,$1.25,USD,1.08
2024-06-02T14:30:00.000Z,,CUSTODY FEE,,,−$0.10,USD,1.08
""",
        [0, 1, 2, 3], [1, 2, 3, 4, 5],
        currency="USD", created=6, ignored=0, instruments={"ATL": "ATLAS.USD.DEMO"},
        # 2 for 2,002 become 8 at 250.25; 3 sold for 900 - 1, their cost 750.75
        held={"ATLAS.USD.DEMO": (5, D("250.25"), D("1251.25"), D("148.25"), D("1.25"), 0)},
    ),
    sample(
        "revolut in euro, points and commas in one file", "revolut", _REVOLUT,
        """
2025-06-05T07:26:04.809Z,ATL,BUY - MARKET,"0,5",€100.00,€50,EUR,1.0000
2025-07-01T07:26:04.809Z,ATL,BUY - MARKET,1.5,€90.00,€136,EUR,1.0000
2025-08-08T07:29:03.333Z,ATL,SELL - MARKET,1,€120.00,€119.50,EUR,1
2025-09-01T07:29:03.333Z,ATL,DIVIDEND,,,€2.00,EUR,1
2025-09-02T07:29:03.333Z,,CASH WITHDRAWAL,,,-€20,EUR,1
""",
        [0, 1, 2], [2, 3, 4],
        currency="EUR", created=5, ignored=0, instruments={"ATL": "ATLAS.EUR.DEMO"},
        # 50 and 135 + 1 for 2; one sold for 120 - 0.50
        held={"ATLAS.EUR.DEMO": (1, 93, 93, D("26.5"), 2, 0)},
    ),
    sample(
        "revolut crypto in euro", "revolut-crypto", _COINS,
        """
BTC,Buy,0.01,"€40,000.00",€400.00,€6.00,"Mar 4, 2024, 10:10:57 AM"
BTC,Sell,0.004,"€50,000.00",€200.00,€3.00,"Apr 4, 2024, 10:10:57 PM"
BTC,Stake,0.001,"€50,000.00",€50.00,€0.00,"Apr 5, 2024, 10:10:57 PM"
BTC,Staking reward,0.001,,,,"Apr 6, 2024, 10:10:57 PM"
BTC,Send,0.002,"€51,000.00",€102.00,€0.00,"Apr 7, 2024, 10:10:57 PM"
""",
        [0, 1, 2], [1, 2, 3, 4],
        currency="EUR", created=4, ignored=1, instruments={"BTC-EUR": "BITCOIN.EUR.DEMO"},
        # 400 + 6; 0.004 sold for 200 - 3, their cost 162.40; 243.60 for 0.007 with the reward, of
        # which 0.002 leave
        held={"BITCOIN.EUR.DEMO": (D("0.005"), 34800, 174, D("34.6"), 0, 0)},
    ),
    sample(
        "revolut crypto in kronor", "revolut-crypto", _COINS,
        """
ETH,Buy,0.5,"20,000.00 SEK","10,000.00 SEK",100.00 SEK,"May 5, 2024, 10:10:57 PM"
ETH,Receive,0.5,"22,000.00 SEK","11,000.00 SEK",0.00 SEK,"Jun 1, 2024, 6:18:21 PM"
ETH,Sell,0.4,"25,000.00 SEK","10,000.00 SEK",50.00 SEK,"Jun 2, 2024, 9:10:31 PM"
ETH,Learn reward,0.1,,,,"Nov 9, 2024, 3:50:00 AM"
""",
        [0, 1, 2], [1, 2, 3],
        currency="SEK", created=4, ignored=0, instruments={"ETH-SEK": "ETHER.SEK.DEMO"},
        # 10,100 and 11,000 for 1; 0.4 sold for 9,950, their cost 8,440; 12,660 for 0.7
        held={"ETHER.SEK.DEMO": (D("0.7"), D("18085.714"), 12660, 1510, 0, 0)},
    ),
    sample(
        "revolut savings in euro", "revolut-savings", _SAVINGS,
        f"""
"Apr 5, 2026, 9:00:00 AM",BUY EUR Class R {FUND},"3,200.00",1.00,"3,200.00"
"Apr 6, 2026, 4:12:29 AM",Interest PAID EUR Class R {FUND},22.24,,
"Apr 6, 2026, 4:12:29 AM",Service Fee Charged EUR Class {FUND},-0.89,,
"Apr 7, 2026, 12:30:20 PM",Interest Reinvested Class R EUR {FUND},-21.35,,
"Apr 7, 2026, 12:30:20 PM",BUY EUR Class R {FUND},21.35,1.00,21.35
""",
        [0, 1, 2], [1, 2, 3, 4],
        currency="EUR", created=4, ignored=1, instruments={FUND: "WERELD.EUR.DEMO"},
        held={"WERELD.EUR.DEMO": (D("3221.35"), 1, D("3221.35"), 0, D("22.24"), D("0.89"))},
    ),
    sample(
        "revolut savings that are taken out", "revolut-savings", _SAVINGS,
        f"""
"5 Apr 2026, 09:00:00",BUY EUR Class R {FUND},500.00,1.00,500.00
"6 Apr 2026, 04:12:29",Return PAID EUR Class R {FUND},2.24,,
"8 Apr 2026, 09:00:00",SELL EUR Class R {FUND},-200.00,1.00,200.00
"8 Apr 2026, 09:00:00",Return WITHDRAWN EUR Class R {FUND},-0.89,,
""",
        [0, 1, 2], [1, 2, 3],
        currency="EUR", created=4, ignored=0, instruments={FUND: "WERELD.EUR.DEMO"},
        held={"WERELD.EUR.DEMO": (300, 1, 300, 0, D("2.24"), 0)},
    ),
    sample(
        "revolut gains of two lots", "revolut-gains", _GAINS,
        f"""
2023-03-01,2024-03-01,WRLD,Wereld,{FUND},IE,2,200.00,260.00,60.00,EUR
2023-03-02,2024-03-01,WRLD,Wereld,{FUND},IE,1,110.00,130.00,20.00,EUR
""",
        [0], [0, 1],
        currency="EUR", created=2, ignored=0, instruments={FUND: "WERELD.EUR.DEMO"},
        held={"WERELD.EUR.DEMO": (0, None, 0, 80, 0, 0)},
    ),
    sample(
        "revolut gains with a taxed dividend and a fee", "revolut-gains",
        f"Income from Sells\r\n{_GAINS}",
        f"""
2023-03-01,2024-03-01,WRLD,Wereld,{FUND},IE,10,"1,000.00","1,250.00",250.00,EUR
Other income & fees
Date,Symbol,Security name,ISIN,Country,Gross amount,Withholding tax,Net Amount,Currency
2023-06-10,WRLD,Wereld dividend,{FUND},IE,20.00,€3.00,€17.00,EUR
2023-07-01,,Custody fee,,-,,-,-0.50,EUR
""",
        [0, 1, 2, 3], [0, 1, 2, 3, 4],
        currency="EUR", created=3, ignored=0, instruments={FUND: "WERELD.EUR.DEMO"},
        held={"WERELD.EUR.DEMO": (0, None, 0, 250, 17, 0)},
    ),
    sample(
        "revolut savings account with a balance", "revolut-pocket",
        "Transaction/Value Date,Description,AER,NIR,Money in,Money out,Balance",
        """
"Jan 5, 2026",Deposit to 'Rainy days',2.25%,,€100.00,,€100.00
"Jan 6, 2026",Net Interest Paid to 'Rainy days' for Jan 6,2.25%,,€0.01,,€100.01
"Jan 8, 2026",Withdrawal from 'Rainy days',,,,€50.00,€50.01
""",
        [0, 1], [1, 2],
        currency="EUR", created=3, ignored=0, held={},
    ),
    sample(
        "revolut savings account with interest alone", "revolut-pocket",
        "Date,Description,Gross Interest,Money in",
        """
"Jan 6, 2026",Net Interest Paid to 'Rainy days' for Jan 6,0.0225,€0.18
"Jan 7, 2026",Net Interest Paid to 'Rainy days' for Jan 7,0.0225,€0.19
""",
        [0], [0, 1],
        currency="EUR", created=2, ignored=0, held={},
    ),
]  # fmt: skip
