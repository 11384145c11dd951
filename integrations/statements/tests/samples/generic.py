from decimal import Decimal as D

from integrations.statements.tests.samples.base import sample

SAMPLES = [
    sample(
        "generic with points", "generic", "date,type,ticker,quantity,price,commission,currency,exchange_rate",
        """
2024-01-02,buy,FJORD.DEMO,10,100.5,29,NOK,
2024-02-01,dividend,FJORD.DEMO,10,1.5,,NOK,
2024-03-01,sell,FJORD.DEMO,4,120,29,NOK,
2024-03-04,buy,ATLAS.USD.DEMO,2,50,1,USD,10.25
""",
        [0, 1, 2], [1, 2, 3],
        currency="NOK", created=4, ignored=0,
        held={
            # 10 x 100.5 + 29 = 1034; 4 sold for 480 - 29 = 451, their cost 413.6
            "FJORD.DEMO": (6, D("103.4"), D("620.4"), D("37.4"), 15, 0),
            "ATLAS.USD.DEMO": (2, D("50.5"), D("1035.25"), 0, 0, 0),  # 101 x 10.25
        },
    ),
    sample(
        "generic with commas, newest first", "generic", "date;type;ticker;quantity;price;commission",
        """
28.06.2024;fee;FJORD.DEMO;1;12,50;
03.06.2024;sell;FJORD.DEMO;30;1\u00a0260,00;39
01.04.2024;split;FJORD.DEMO;4;;
02.01.2024;buy;FJORD.DEMO;10;4.000,00;100
""",
        [2, 3], [0, 1, 2],
        currency="NOK", created=4, ignored=0,
        # 40,100 / 40 = 1002.5; 30 sold for 37,800 - 39 = 37,761, their cost 30,075
        held={"FJORD.DEMO": (10, D("1002.5"), 10025, 7686, 0, D("12.5"))},
    ),
]  # fmt: skip
