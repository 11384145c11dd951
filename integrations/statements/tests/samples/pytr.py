from decimal import Decimal as D

from integrations.statements.tests.samples.base import ATLAS, FUND, sample

SAMPLES = [
    sample(
        "pytr in German with a taxed dividend and a split", "pytr",
        "Datum;Typ;Wert;Notiz;ISIN;Stück;Gebühren;Steuern;ISIN2;Stück2",
        f"""
2024-03-01T08:00:00;Einlage;2.000;Kari;;;;;;
2024-03-04T09:30:00;Kauf;-1.001;Atlas;{ATLAS};10;1;;;
2024-05-16T00:55:48;Dividende;7,50;Atlas;{ATLAS};10;;2,50;;
2024-06-03T14:22:10;Split;0;Atlas;{ATLAS};10;;;;
2024-06-04T14:22:10;Verkauf;233,00;Atlas;{ATLAS};4;1;6;;
2024-06-05T14:22:10;Entnahme;-27,27;Shop;;;;;;
""",
        [0, 1, 2, 3], [1, 2, 3, 4, 5],
        currency="EUR", created=6, ignored=0, instruments={ATLAS: "ATLAS.EUR.DEMO"},
        # 1,000 + 1 for 10, which are 20 after the split; 4 sold for 240 - 1 - 6, their cost 200.20
        held={"ATLAS.EUR.DEMO": (16, D("50.05"), D("800.8"), D("32.8"), D("7.5"), 0)},
    ),
    sample(
        "pytr in English with points, and minus signs at the fees", "pytr",
        "Date;Type;Value;Note;ISIN;Shares;Fees;Taxes",
        f"""
2024-12-02T11:30:27;Buy;-501.0;Wereldfonds;{FUND};5.0;-1.0;
2024-12-10T10:25:01;Sell;43.25;Wereldfonds;{FUND};0.4;-1.0;
2025-01-01;Interest;0.5;Cash;;;;
2025-01-16T16:13:36;Buy;-25.0;Wereldfonds;{FUND};0.2;;
""",
        [0, 1], [1, 2, 3],
        currency="EUR", created=4, ignored=0, instruments={FUND: "WERELD.EUR.DEMO"},
        # 501 for 5; 0.4 sold for 43.25, their cost 40.08; 0.2 for 25
        held={"WERELD.EUR.DEMO": (D("4.8"), D("101.2333"), D("485.92"), D("3.17"), 0, 0)},
    ),
]  # fmt: skip
