"""Tables with a mapping of their columns."""

import json
from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import (
    held,
    text,
)
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db


def test_a_table_whose_columns_the_request_names(upload):
    data = text(
        "Tag;Art;Papier;Stück;Kurs;Notiz",
        "04.03.2024;buy;FJORD.DEMO;10;100,50;x",
        "05.03.2024;sell;FJORD.DEMO;4;110;",
    )
    mapping = {
        "date": "Tag",
        "type": "Art",
        "ticker": "Papier",
        "quantity": "Stück",
        "price": "Kurs",
    }
    body = upload.done(data=data, mapping=json.dumps(mapping))
    assert (body["format"], body["created"]) == ("mapped", 2)
    assert held()["FJORD.DEMO"][0] == 6
    assert Transaction.objects.exclude(note="").count() == 0


def test_two_columns_of_ours_in_one_of_theirs_are_refused_so_that_neither_is_lost(upload, dump):
    data = text(
        "Tag;Art;Papier;Antall;Kurs;Gebyr;Navn", "04.03.2024;buy;FJORD.DEMO;10;100,50;29,50;Fjord"
    )
    mapping = {
        "date": "Tag",
        "type": "Art",
        "ticker": "Papier",
        "quantity": "Antall",
        "price": "Kurs",
    }
    before = dump()
    for twice_mapped in (
        {"commission": "Gebyr", "note": "Gebyr"},
        {"note": " Gebyr", "commission": "Gebyr "},
    ):
        response = upload(data=data, mapping=json.dumps(mapping | twice_mapped))
        assert response.status_code == 422
        [error] = response.json()["errors"]
        assert (error["attr"], error["code"]) == ("file", "unknown_format")
        assert (
            error["detail"]
            == "The mapping uses the column Gebyr for commission and note. Use it for only one of them."
        )
    assert dump() == before
    body = upload.done(
        data=data, mapping=json.dumps(mapping | {"commission": "Gebyr", "company_name": "Navn"})
    )
    assert (body["created"], Transaction.objects.get().commission) == (1, D("29.5"))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"mapping": '{"date": "Tag"}'}, ("unknown_format", "file")),
        ({"mapping": '{"day": "Day"}'}, ("unknown_format", "file")),
        ({"mapping": "[1]"}, ("invalid", "mapping")),
        ({"mapping": "{"}, ("invalid", "mapping")),
        ({"format": "mapped"}, ("required", "mapping")),
        ({"instruments": '{"X": 1}'}, ("invalid", "instruments")),
        ({"instruments": '{"X": "A B"}'}, ("invalid", "instruments")),
    ],
)
def test_a_mapping_or_a_choice_that_cannot_be_used_is_refused(upload, fields, error):
    response = upload("2024-01-02,buy,FJORD.DEMO,1,1", **fields)
    assert response.status_code == 422
    assert [(one["code"], one["attr"]) for one in response.json()["errors"]] == [error]
