"""Mutated files: always an answer that the contract knows, never a part of an import. `make fuzz`
tries 10,000.
"""

import json
import os

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrations.statements.registry import formats
from integrations.statements.tests.samples import SAMPLES
from portfolios import services
from tests.servers.cache import empty_cache

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
SEEDS = (
    [one.example.encode() for one in formats()]
    + [sample.data for sample in SAMPLES]
    + [
        b"date,type,ticker,quantity,price\n02/03/2024,buy,A.DEMO,1,2\n14/03/2024,sell,A.DEMO,1,2\n15/03/2024,split,A.DEMO,2,\n",
        "date;type;ticker;quantity;price;note\n1.2.2024;buy;B.DEMO;1 000,5;1.234,56;æ\n".encode(
            "utf-16"
        ),
        "date\ttype\tticker\tquantity\tprice\tnote\n2024-01-02\tbuy\tB.DEMO\t1\t2\tøre\n".encode(
            "cp1252"
        ),
    ]
)
INSTRUMENTS = {
    "US0378331005": "ATLAS.USD.DEMO", "NL0010273215": "ASML.EUR.DEMO", "SCHB": "SCHB.USD.DEMO",
    "NO0003733800": "ORKLA.DEMO", "SE0015811963": "SKOGEN.SEK.DEMO", "AAPL": "ATLAS.USD.DEMO",
} | {name: ticker for sample in SAMPLES for name, ticker in sample.instruments.items()}  # fmt: skip
CHOICES = {"on_error": "skip", "instruments": json.dumps(INSTRUMENTS)}
MAPPINGS = [sample.fields for sample in SAMPLES if sample.fields]
SPLICES = st.sampled_from(
    [b'"', b",", b";", b"\t", b"\n", b"\r", b"\x00", b"\xff\xfe", b"\xc3", b"-", b".", b"'", b"=", b"1e400", b"NaN",
     b"9" * 30, b"\xe2\x88\x92", b"\xc2\xa0", b"GBp", b"2030-01-01", b"\n2024-01-02,sell,A.DEMO,99,1", b"0"]
)  # fmt: skip


@st.composite
def mutated(draw):
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        action = draw(st.sampled_from(["insert", "delete", "flip", "repeat"]))
        until = min(len(data), at + draw(st.integers(0, 20)))
        if action == "insert":
            data[at:at] = draw(SPLICES)
        elif action == "delete":
            del data[at:until]
        elif action == "flip" and at < len(data):
            data[at] = draw(st.integers(0, 255))
        elif action == "repeat":
            data[at:at] = data[at:until]
    return bytes(data)


@pytest.mark.untraced
@pytest.mark.django_db
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    data=mutated(),
    fields=st.sampled_from(
        [
            {},
            {"on_error": "skip"},
            {"date_format": "dmy", "decimal": "comma"},
            CHOICES,
            CHOICES,
            *MAPPINGS,
        ]
    ),
)
def test_any_file_is_imported_whole_or_refused_by_name(api, user, dump, data, fields):
    empty_cache()  # so many requests a minute would be too many
    with transaction.atomic():
        portfolio = services.create_portfolio(user=user, name="Fuzz", currency="NOK")
        before = dump()
        body = {
            "portfolio_id": str(portfolio.pk),
            "file": SimpleUploadedFile("fuzz.csv", data),
        } | fields
        response = api.post("/api/v1/transactions/import-csv", body, format="multipart")
        answer = response.json()
        assert response.status_code in (200, 201, 422)
        if response.status_code != 201 and not answer.get("id"):  # with one it left checkpoints
            assert dump() == before
        if "errors" in answer and "rows" not in answer:
            assert [error["attr"] for error in answer["errors"]] == ["file"]
        else:
            assert answer["rows"] == sum(
                answer[name] for name in ("created", "duplicates", "ignored", "failed")
            )
            is_recorded = portfolio.transactions.filter(source="import").exists()
            assert is_recorded == bool(answer["id"] and answer["created"])
        transaction.set_rollback(True)
