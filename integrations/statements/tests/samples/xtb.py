from decimal import Decimal as D

from integrations.statements.tests.samples.base import sample

IN_EURO = {"mapping": '{"currency": "EUR"}'}
SAMPLES = [
    sample(
        "xtb in English with a taxed dividend", "xtb", "ID;Type;Time;Symbol;Comment;Amount",
        """
108;Free funds interests tax;05.06.2024 13:42:58;;Free-funds Interest Tax 2024-05;-0.1
107;Free funds interests;05.06.2024 13:42:58;;Free-funds Interest 2024-05;0.5
106;Withholding tax;16.05.2024 11:00:23;WERELD.EUR.DEMO.DE;WERELD EUR WHT 15%;-1.2
105;Dividend;16.05.2024 11:00:23;WERELD.EUR.DEMO.DE;WERELD EUR 0.8000/ SHR;8
104;Stocks/ETF sale;03.04.2024 11:42:37;WERELD.EUR.DEMO.DE;CLOSE BUY 4/10 @ 110.00;440
103;Stocks/ETF purchase;04.03.2024 13:01:45;WERELD.EUR.DEMO.DE;OPEN BUY 7/10 @ 100.00;-700
102;Stocks/ETF purchase;04.03.2024 13:01:44;WERELD.EUR.DEMO.DE;OPEN BUY 3/10 @ 100.00;-300
101;Deposit;01.03.2024 09:00:00;;Bank;2000
""",
        [3, 4, 5, 6, 7], [0, 1, 2, 3, 4],
        currency="EUR", created=8, ignored=0, fields=IN_EURO,
        instruments={"WERELD.EUR.DEMO.DE": "WERELD.EUR.DEMO"},
        held={"WERELD.EUR.DEMO": (6, 100, 600, 40, 8, D("1.2"))},
    ),
    sample(
        "xtb in Polish with dollars and a sale in two rows", "xtb", "ID;Typ;Czas;Komentarz;Symbol;Kwota",
        """
201;Wpłata;01.03.2024 09:00:00;Bank;;2000
202;Zakup akcji/ETF;04.03.2024 13:01:45;OPEN BUY 10 @ 50.00;ATLAS.US;-400
203;Stock sale;03.04.2024 11:42:37;CLOSE BUY 4/10 @ 60.00;ATLAS.US;160
204;close trade;03.04.2024 11:42:37;Profit of position #12;ATLAS.US;40
205;Wypłata;04.04.2024 09:00:00;Bank;;-100
;Total;;;;1700
""",
        [0, 1, 2, 3], [1, 2, 3, 4, 5],
        currency="EUR", created=4, ignored=2, fields=IN_EURO,
        instruments={"ATLAS.US": "ATLAS.USD.DEMO"},
        # 500 dollars for 400 euro; 4 sold for 200 euro, their cost 160
        held={"ATLAS.USD.DEMO": (6, 50, D("240.00"), D("40.00"), 0, 0)},
    ),
    sample(
        "xtb closed positions in dollars", "xtb-positions",
        "Position;Symbol;Type;Volume;Open time;Open price;Close time;Close price;Purchase value;Sale value;"
        "Commission;Swap;Rollover;Gross P/L;Comment",
        """
301;ATLAS.US;BUY;10;04.03.2024 13:01:45;50.00;03.04.2024 11:42:37;60.00;400;540;0;0;0;140;
302;ATLAS.US;BUY;5;04.03.2024 14:01:45;50.00;03.04.2024 11:42:37;60.00;200;270;0;0;0;70;
Total;;;;;;;;;;0;0;0;210;
""",
        [0, 2], [0, 1, 2],
        currency="EUR", created=2, ignored=1, fields=IN_EURO,
        instruments={"ATLAS.US": "ATLAS.USD.DEMO"},
        held={"ATLAS.USD.DEMO": (0, None, 0, 210, 0, 0)},
    ),
    sample(
        "xtb closed positions since 2025 with a commission", "xtb-positions",
        "Instrument;Ticker;Category;Type;Volume;Open Price;Open Time (UTC);Close Price;Close Time (UTC);"
        "Gross Profit;Purchase Value;Sale Value;Commission;Swap;Rollover",
        """
Wereld;WERELD.EUR.DEMO.DE;ETF;BUY;4;100,00;2025-03-04 10:00:00;110,00;2025-06-04 10:00:00;40,00;400,00;440,00;-1,00;;
Wereld;WERELD.EUR.DEMO.DE;ETF;BUY;2;100,00;2025-03-04 10:00:00;90,00;2025-07-04 10:00:00;-20,00;200,00;180,00;0,00;;
""",
        [0], [0, 1],
        currency="EUR", created=2, ignored=0, fields=IN_EURO, instruments={"Wereld": "WERELD.EUR.DEMO"},
        # 440 - 1 - 400, and 180 - 200
        held={"WERELD.EUR.DEMO": (0, None, 0, 19, 0, 0)},
    ),
]  # fmt: skip
