from datetime import date
from decimal import Decimal as D

from integrations.statements.tests.samples.base import (
    ATLAS,
    HARBOUR,
    sample,
)

SAMPLES = [
    sample(
        "trading212 in dollars and pence", "trading212",
        "Action,Time,ISIN,Ticker,Name,No. of shares,Price / share,Currency (Price / share),Exchange rate,Result,"
        "Currency (Result),Total,Currency (Total),Withholding tax,Currency (Withholding tax),Notes,ID,"
        "Currency conversion fee,Currency (Currency conversion fee),Stamp duty reserve tax,"
        "Currency (Stamp duty reserve tax)",
        f"""
Deposit,2024-03-01 08:00:00,,,,,,,,,,1000.00,EUR,,,,T-0,,,,
Market buy,2024-03-04 14:30:00,{ATLAS},ATL,Atlas,10,50.00,USD,1.25,,EUR,401.00,EUR,,,,T-1,1.00,EUR,,
Market buy,2024-03-05 09:00:00,{HARBOUR},HBR,Harbour,100,496.00,GBX,80,,EUR,624.10,EUR,,,,T-3,,,4.10,EUR
Limit sell,2024-04-04 14:30:00,{ATLAS},ATL,Atlas,4,60.00,USD,1.20,39,EUR,199.00,EUR,,,,T-2,1.00,EUR,,
Dividend (Dividend),2024-05-16 10:00:00,{HARBOUR},HBR,Harbour,100,5.00,GBX,Not available,,,5.80,EUR,0.00,GBX,,,,,,
Interest on cash,2024-06-01 02:00:00,,,,,,,,,,0.07,EUR,,,,T-4,,,,
""",
        [0, 1, 2], [1, 2, 3, 4, 5],
        currency="EUR", created=6, ignored=0, instruments={ATLAS: "ATLAS.USD.DEMO", HARBOUR: "HARBOUR.GBP.DEMO"},
        rates=(("GBP", "EUR", date(2024, 5, 16), "1.16"),),
        held={
            # 500 USD and 1 EUR = 1.25 USD, all at 1 / 1.25; 4 sold for 240 USD - 1.20 at 1 / 1.20,
            # their cost 160.40 EUR
            "ATLAS.USD.DEMO": (6, D("50.125"), D("240.60"), D("38.60"), 0, 0),
            # 496 GBP at 100 / 80 EUR and 4.10 EUR, which is 3.28 GBP; a dividend of 5 GBP
            "HARBOUR.GBP.DEMO": (100, D("4.9928"), D("624.10"), 0, D("5.80"), 0),
        },
    ),
    sample(
        "trading212 with a split and free shares in the newer layout", "trading212",
        "Action,Time (UTC),ISIN,Ticker,Name,Notes,ID,No. of shares,Price / share,Currency (Price / share),"
        "Exchange rate,Total,Currency (Total)",
        f"""
Market buy,2024-03-04 14:30:00,{ATLAS},ATL,Atlas,,E-1,29.8,2.00,EUR,1,59.60,EUR
Stock split close,2024-06-10 07:24:24,{ATLAS},ATL,Atlas,,E-2,29.8,2,EUR,1,59.60,EUR
Stock split open,2024-06-10 07:24:24,{ATLAS},ATL,Atlas,,E-3,7.45,8,EUR,1,59.60,EUR
Stock distribution,2024-07-01 07:24:24,{ATLAS},ATL,Atlas,,E-4,0.05,0.00,EUR,,0.00,EUR
Transfer out,2024-07-02 07:24:24,{ATLAS},ATL,Atlas,,E-5,2.5,8,EUR,1,20.00,EUR
""",
        [0, 1, 2], [1, 2, 3, 4],
        currency="EUR", created=4, ignored=1, instruments={ATLAS: "ATLAS.EUR.DEMO"},
        # 59.60 for 29.8, a quarter of that after 1 for 4, and 0.05 for nothing: 59.60 / 7.5 a share
        held={"ATLAS.EUR.DEMO": (5, D("7.9467"), D("39.7333"), 0, 0, 0)},
    ),
]  # fmt: skip
