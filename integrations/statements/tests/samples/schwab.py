from decimal import Decimal as D

from integrations.statements.tests.samples.base import sample

_SCHWAB = "Date,Action,Symbol,Description,Quantity,Price,Fees & Comm,Amount"
_AWARDS = (
    "Date,Action,Symbol,Description,Quantity,FeesAndCommissions,DisbursementElection,Amount,Type,Shares,SalePrice,"
    "VestDate,VestFairMarketValue,AwardDate,AwardId"
)
_LAPSES = (
    "Date,Action,Symbol,Description,Quantity,FeesAndCommissions,DisbursementElection,Amount,AwardDate,"
    "FairMarketValuePrice,NetSharesDeposited"
)
SAMPLES = [
    sample(
        "schwab with a split and a reinvestment", "schwab", _SCHWAB,
        """
"10/31/2024","Reinvest Shares","ATL","ATLAS INC","0.5","$40.00","","-$20.00"
"10/31/2024","Reinvest Dividend","ATL","ATLAS INC","","","","$20.00"
"09/06/2024","Foreign Tax Paid","ATL","ATLAS INC","","","","-$1.30"
"08/22/2024","Sell","ATL","ATLAS INC","100","$41.00","$10.00","$4,090.00"
"07/15/2024 as of 07/12/2024","Stock Split","ATL","ATLAS INC","900","","",""
"06/13/2024","Buy","ATL","ATLAS INC","100","$400.00","","-$40,000.00"
"06/12/2024","MoneyLink Transfer","","TFR BANK","","","","$50,000.00"
Transactions Total,,,,,,,"$14,078.70"
""",
        [3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5, 7],
        currency="USD", created=7, ignored=1, instruments={"ATL": "ATLAS.USD.DEMO"},
        # 1,000 at 40; 100 sold for 4,100 - 10; half a share more at 40
        held={"ATLAS.USD.DEMO": (D("900.5"), 40, 36020, 90, 20, D("1.3"))},
    ),
    sample(
        "schwab with free shares, fees and shares moved away", "schwab", _SCHWAB,
        """
"06/28/2024","Service Fee","","WIRE","","","","−$25.00"
"06/20/2024","Journaled Shares","HRB","HARBOR ADR","-1","","",""
"06/10/2024 as of 06/07/2024","Cash In Lieu","HRB","HARBOR ADR","","","","$5.49"
"05/06/2024","ADR Mgmt Fee","HRB","HARBOR ADR","","","","-$0.50"
"05/06/2024","Foreign Tax Paid","HRB","HARBOR ADR","","","","-$1.30"
"04/22/2024","Sell","HRB","HARBOR ADR","3","$90.00","$5.00","$265.00"
"03/15/2024","Stock Div Dist","HRB","HARBOR ADR","2","","",""
"02/13/2024","Buy","HRB","HARBOR ADR","10","$100.00","","-$1,000.00"
""",
        [3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5],
        currency="USD", created=8, ignored=0, instruments={"HRB": "HARBOR.USD.DEMO"},
        # 12 for 1,000; 3 sold for 270 - 5, their cost 250; 5.49 paid back of the 750 of nine, of which one moved away
        held={"HARBOR.USD.DEMO": (8, D("82.7233"), D("661.7867"), 15, 0, D("1.8"))},
    ),
    sample(
        "schwab awards with a sale of two lots", "schwab-awards", _AWARDS,
        """
08/01/2024,Sale,ATL,Share Sale,6,$0.50,Journal,$159.50,,,,,,,
,,,,,,,,RS,4,$26.00,,,,
,,,,,,,,RS,2,$28.00,,,,
07/15/2024,Tax Withholding,ATL,Debit,,,,-$1.50,,,,,,,
07/15/2024,Dividend,ATL,Credit,,,,$10.00,,,,,,,
06/27/2024,Deposit,ATL,RS,10,,,,,,,,,,
,,,,,,,,,,,06/25/2024,$20.00,03/01/2023,A1
""",
        [3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6],
        currency="USD", created=4, ignored=0, instruments={"ATL": "ATLAS.USD.DEMO"},
        # 10 at 20; 6 sold for 160 - 0.50
        held={"ATLAS.USD.DEMO": (4, 20, 80, D("39.5"), 10, D("1.5"))},
    ),
    sample(
        "schwab lapses", "schwab-lapses", _LAPSES,
        """
09/25/2024,Lapse,ATL,Restricted Stock Lapse,15,,,,,,
,,,,,,,,03/01/2023,$30.00,10
06/25/2024,Lapse,ATL,Restricted Stock Lapse,15,,,,,,
,,,,,,,,03/01/2023,$20.00,10
""",
        [2, 3], [0, 1, 2, 3],
        currency="USD", created=2, ignored=0, instruments={"ATL": "ATLAS.USD.DEMO"},
        held={"ATLAS.USD.DEMO": (20, 25, 500, 0, 0, 0)},
    ),
    sample(
        "schwab lapses of one award", "schwab-lapses", _LAPSES,
        """
06/25/2024,Lapse,ATL,Restricted Stock Lapse,15,,,,,,
,,,,,,,,03/01/2023,$20.00,10
""",
        [0, 1], [0, 1],
        currency="USD", created=1, ignored=0, instruments={"ATL": "ATLAS.USD.DEMO"},
        held={"ATLAS.USD.DEMO": (10, 20, 200, 0, 0, 0)},
    ),
    sample(
        "schwab awards with shares that are moved", "schwab-awards", _AWARDS,
        """
08/01/2024,Transfer,ATL,Share Transfer,6,,,,,,,,,,
06/27/2024,Deposit,ATL,RS,10,,,,,,,,,,
,,,,,,,,,,,06/25/2024,$20.00,03/01/2023,A1
""",
        [1, 2], [0, 1, 2],
        currency="USD", created=2, ignored=0, instruments={"ATL": "ATLAS.USD.DEMO"},
        held={"ATLAS.USD.DEMO": (4, 20, 80, 0, 0, 0)},
    ),
]  # fmt: skip
