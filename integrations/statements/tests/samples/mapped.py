import json
from decimal import Decimal as D

from integrations.statements.tests.samples.base import (
    sample,
)

MAPPING = json.dumps(
    {"date": "Tag", "type": "Art", "ticker": "Papier", "quantity": "Stück", "price": "Kurs"}
)
SAMPLES = [
    sample(
        "mapped with semicolons", "mapped", "Tag;Art;Papier;Stück;Kurs;Notiz",
        """
04.03.2024;buy;FJORD.DEMO;10;100,50;x
05.03.2024;sell;FJORD.DEMO;4;110;
""",
        [0], [0, 1],
        currency="NOK", created=2, ignored=0, fields={"mapping": MAPPING},
        held={"FJORD.DEMO": (6, D("100.5"), 603, 38, 0, 0)},
    ),
    sample(
        "mapped with commas", "mapped", "Kurs,Papier,Art,Tag,Stück,Gebühr",
        """
50.25,BREEN.DEMO,buy,2024-03-04,8,1.60
2.00,BREEN.DEMO,dividend,2024-05-04,8,
51.00,BREEN.DEMO,buy,2024-05-05,2,0
""",
        [0, 1], [1, 2],
        currency="NOK", created=3, ignored=0,
        fields={"mapping": json.dumps(json.loads(MAPPING) | {"commission": "Gebühr"})},
        # 402 + 1.60 + 102 = 505.60 for 10
        held={"BREEN.DEMO": (10, D("50.56"), D("505.6"), 0, 16, 0)},
    ),
]  # fmt: skip
