from datetime import date
from decimal import Decimal as D

from integrations.statements.tests.samples.base import (
    ATLAS,
    FUND,
    sample,
)

_SWISSQUOTE = "Date;Order #;Transaction;Symbol;Name;ISIN;Quantity;Unit price;Costs;Accrued Interest;Net Amount;Balance;Currency"
SAMPLES = [
    sample(
        "swissquote in francs", "swissquote", _SWISSQUOTE,
        f"""
30-06-2024 18:01:13;00000000;Custody Fees;;;;1.0;50.00;3.85;0.00;-53.85;1300.00;CHF
30-06-2024 16:35:13;00000000;Dividend;WERELD;WERELDFONDS;{FUND};1.0;48.50;0.00;0.00;48.50;1353.85;CHF
16-06-2024 13:14:35;110152600;Sell;WERELD;WERELDFONDS;{FUND};40.0;32.50;15.25;0.00;1284.75;1305.35;CHF
10-05-2024 14:31:42;106824458;Buy;WERELD;WERELDFONDS;{FUND};94.0;30.00;24.00;0.00;-2844.00;20.60;CHF
10-05-2024 14:31:42;106824458;Buy;WERELD;WERELDFONDS;{FUND};6.0;30.00;1.00;0.00;-181.00;2864.60;CHF
""",
        [2, 3, 4], [0, 1, 2],
        currency="CHF", created=5, ignored=0, reconciled=True, instruments={FUND: "WERELD.CHF.DEMO"},
        # 3,000 + 25 for 100; 40 sold for 1,300 - 15.25, their cost 1,210
        held={"WERELD.CHF.DEMO": (60, D("30.25"), 1815, D("74.75"), D("48.5"), 0)},
    ),
    sample(
        "swissquote in dollars after an exchange", "swissquote", _SWISSQUOTE,
        f"""
05-07-2024 09:22:24;113885172;Sell;ATL;ATLAS;{ATLAS};4.0;60.00;6.00;0.00;234.00;734.00;USD
23-05-2024 12:00:25;114723639;Forex credit;;;;1.0;1000.00;0.00;0.00;1000.00;1000.00;USD
23-05-2024 12:00:25;114723639;Forex debit;;;;1.0;900.00;0.00;0.00;-900.00;4100.00;CHF
24-05-2024 15:30:02;113947121;Buy;ATL;ATLAS;{ATLAS};10.0;49.50;5.00;0.00;-500.00;500.00;USD
""",
        [1, 2, 3], [0, 1, 3],
        currency="CHF", created=4, ignored=0, reconciled=True, instruments={ATLAS: "ATLAS.USD.DEMO"},
        rates=(("USD", "CHF", date(2024, 5, 24), "0.9"), ("USD", "CHF", date(2024, 7, 5), "0.88")),
        # 500 USD at 0.9 for 10; 4 sold for 234 USD at 0.88 = 205.92, their cost 180
        held={"ATLAS.USD.DEMO": (6, 50, 270, D("25.92"), 0, 0)},
    ),
]  # fmt: skip
