import json
from decimal import Decimal as D

from integrations.statements.tests import test_nordnet
from integrations.statements.tests.samples.base import (
    Sample,
)

_FINNISH = [
    "12|2025-05-15|2025-05-09|ENNAKKOPIDÄTYS|Kone|FI0000000106|4|||-1,02||0|875,98||ENNAKKOPIDÄTYS|",
    "11|2025-05-15|2025-05-09|OSINKO|Kone|FI0000000106|4|1||4||0|877||OSINKO KONE 1 EUR/OSAKE|",
    "10|2025-05-02|2025-05-02|MYYNTI|Kone|FI0000000106|1|23|0|23|EUR|4|873|||",
    "9|2025-04-02|2025-04-01|OSTO|Kone|FI0000000106|5|30|0|-150|EUR|5|850|||",
    "8|2025-04-01|2025-04-01|TALLETUS|||||  |1 000|||1 000|||",
]


def _finnish(rows: list[str]) -> bytes:
    text = test_nordnet.statement(rows, test_nordnet.FINNISH).decode("utf-16")
    return text.replace("NOK", "EUR").encode("utf-16")


SAMPLES = [
    Sample(
        "nordnet in Norwegian", "nordnet", "NOK",
        data=test_nordnet.statement(), older=test_nordnet.statement(test_nordnet.ROWS[5:]),
        newer=test_nordnet.statement(test_nordnet.ROWS[:9]),
        created=12, ignored=2, reconciled=True, instruments=json.loads(test_nordnet.CHOICES),
        held={
            # 40 at 201.70 and 2 x 39: 203.65 a share; 30 sold for 7,800 - 39, their cost 6,109.50
            "FJORDLAKS.DEMO": (10, D("203.65"), D("2036.5"), D("1651.5"), 0, 0),
            # 25 at 39.9876, split 4 for 1
            "NORDLYS.DEMO": (100, D("9.9969"), D("999.69"), 0, 0, 0),
            # 990 + 0.05 x 1000.5
            "FONDET.DEMO": (D("1.05"), D("990.5"), D("1040.025"), 0, D("50.025"), 0),
            # 5 x 210 x 10.5 + 99; 5 x 1 x 10.4076; 7.81 of tax
            "HARBOR.USD.DEMO": (5, D("211.886"), D("11124.00"), 0, D("52.038"), D("7.81")),
        },
    ),
    Sample(
        "nordnet in Finnish", "nordnet", "EUR",
        data=_finnish(_FINNISH), older=_finnish(_FINNISH[1:]), newer=_finnish(_FINNISH[:3]),
        created=5, ignored=0, reconciled=True, instruments={"FI0000000106": "KONE.EUR.DEMO"},
        held={"KONE.EUR.DEMO": (4, 30, 120, -7, 4, D("1.02"))},  # one of five sold for 23
    ),
]  # fmt: skip
