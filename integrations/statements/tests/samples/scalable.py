from decimal import Decimal as D

from integrations.statements.tests.samples.base import ATLAS, FUND, sample

_SCALABLE = "date;time;status;reference;description;assetType;type;isin;shares;price;amount;fee;tax;currency"
_GERMAN = "Datum;Uhrzeit;Typ;Wertpapiername;ISIN;Wert;Stück;Buchungswährung;Gebühren;Steuern;Bruttobetrag;Notiz"
SAMPLES = [
    sample(
        "scalable with a taxed distribution", "scalable", _SCALABLE,
        f"""
2024-05-16;11:40:50;Executed;"S-4";"Atlas Inc";Cash;Distribution;{ATLAS};;;8,5;0;1,5;EUR
2024-04-03;09:00:00;Executed;"S-3";"Atlas Inc";Security;Sell;{ATLAS};-4;110;440;0,99;2;EUR
2024-03-05;09:00:00;Pending;"S-2";"Atlas Inc";Security;Buy;{ATLAS};1;100;-100;0;0;EUR
2024-03-04;09:00:00;Executed;"S-1";"Atlas Inc";Security;Savings plan;{ATLAS};10;100,5;-1005;0;0;EUR
2024-03-01;09:00:00;Executed;"S-0";"Bank";Cash;Deposit;;;;2500;0;;EUR
""",
        [1, 2, 3, 4], [0, 1, 2],
        currency="EUR", created=4, ignored=1, instruments={ATLAS: "ATLAS.EUR.DEMO"},
        # 10 at 100.50; 4 sold for 440 - 2.99, their cost 402; 8.50 after 1.50 of tax
        held={"ATLAS.EUR.DEMO": (6, D("100.5"), 603, D("35.01"), D("8.5"), 0)},
    ),
    sample(
        "scalable with thousands", "scalable", _SCALABLE,
        f"""
2024-07-16;11:40:50;Executed;"S-8";"Wereldfonds";Cash;Distribution;{FUND};;;6;0;0;EUR
2024-07-10;09:00:00;Cancelled;"S-7";"Wereldfonds";Security;Sell;{FUND};-1;111;111;0;0;EUR
2024-06-03;09:00:00;Executed;"S-6";"Wereldfonds";Security;Sell;{FUND};-2;110;220;0,99;1,5;EUR
2024-05-04;09:00:00;Executed;"S-5";"Wereldfonds";Security;Buy;{FUND};12;102,88;-1.234,56;0,99;0;EUR
""",
        [2, 3], [0, 1, 2],
        currency="EUR", created=3, ignored=1, instruments={FUND: "WERELD.EUR.DEMO"},
        # 1,234.56 + 0.99 for 12; 2 sold for 220 - 2.49, their cost 205.925
        held={"WERELD.EUR.DEMO": (10, D("102.9625"), D("1029.625"), D("11.585"), 6, 0)},
    ),
    sample(
        "scalable in German with a move to another bank and money", "scalable", _GERMAN,
        f"""
06.12.2025;01:00:00;;Wereldfonds;{FUND};1060,00;10;EUR;0,00;0,00;0,00;SWITCH-101-1
05.12.2025;01:00:00;;Wereldfonds;{FUND};-1050,00;10;EUR;0,00;0,00;0,00;WWUM 00596687933
08.09.2025 00:00:00;02:00:00;FEE;;;-4,99;;EUR;0,00;0,00;0,00;Entgelt PRIME+ Broker
15.07.2025;02:00:00;Dividende;Wereldfonds;{FUND};6,00;;EUR;0,00;0,00;0,00;WWEK 06138145
03.06.2025;09:12:00;Verkauf;Wereldfonds;{FUND};217,51;2;EUR;0,99;1,50;220,00;ORDER-2
04.05.2025;09:00:00;Kauf;Wereldfonds;{FUND};-1235,55;12;EUR;0,99;0,00;1234,56;ORDER-1
01.05.2025;02:00:00;Einlage;;;2000,00;;EUR;0,00;0,00;0,00;Bank
""",
        [0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5],
        currency="EUR", created=5, ignored=2, instruments={FUND: "WERELD.EUR.DEMO"},
        held={"WERELD.EUR.DEMO": (10, D("102.9625"), D("1029.625"), D("11.585"), 6, 0)},
    ),
]  # fmt: skip
