"""Test that the errors of a file are put together for people."""

import importlib

import pytest

from integrations.statements.tests.support import text
from portfolios.calc.import_problems import group_problems
from portfolios.calc.import_rows import RowProblem
from portfolios.models import ImportBatch

pytestmark = pytest.mark.django_db

HEADER = "date;time;status;reference;description;assetType;type;isin;shares;price;amount;fee;tax;currency"
BONUS = "2024-03-{day:02};09:00:00;Executed;S{day};;Cash;Treuebonus;;;;12,50;0;0;NOK"
GENERIC = "date,type,ticker,quantity,price,currency"


def test_an_unknown_word_is_one_problem_with_its_rows_and_the_first_of_them(upload):
    rows = [BONUS.format(day=day) for day in range(1, 26)]
    body = upload(data=text(HEADER, *rows)).json()
    assert len(body["errors"]) == 25
    [problem] = body["problems"]
    assert problem["code"] == "unknown_type"
    assert (problem["value"], problem["count"]) == ("Treuebonus", 25)
    assert problem["rows"] == list(range(2, 22))
    assert problem["sample"].startswith("2024-03-01 09:00:00 Executed S1 Cash Treuebonus 12,50")
    assert problem["hint"] == "Say what the word means, or ignore its rows."


def test_the_sales_of_an_instrument_without_its_purchases_are_one_problem(upload):
    body = upload(
        data=text(
            GENERIC,
            "2024-03-04,sell,FJORD.DEMO,10,100,NOK",
            "2024-03-05,sell,FJORD.DEMO,20,110,NOK",
            "2024-03-05,sell,VIDDE.DEMO,1,50,NOK",
        )
    ).json()
    problems = body["problems"]
    assert [one["code"] for one in problems] == ["insufficient_quantity"] * 2
    assert [one["instrument"] for one in problems] == ["FJORD.DEMO", "VIDDE.DEMO"]
    assert [one["rows"] for one in problems] == [[2, 3], [4]]
    assert [one["count"] for one in problems] == [2, 1]
    assert problems[0]["sample"] == "2024-03-04 sell FJORD.DEMO 10 100"


def test_a_file_without_errors_has_no_problems_and_a_saved_import_keeps_its_own(upload, api):
    good = "2024-03-04,buy,FJORD.DEMO,10,100,NOK"
    bad = "2024-03-05,sell,VIDDE.DEMO,1,50,NOK"
    assert upload.done(data=text(GENERIC, good))["problems"] == []
    later = "2024-03-06,buy,FJORD.DEMO,1,101,NOK"
    body = upload.done(data=text(GENERIC, later, bad), on_error="skip")
    stored = api.get(f"/api/v1/imports/{body['id']}").json()
    assert [one["rows"] for one in stored["problems"]] == [[3]]
    assert stored["problems"] == body["problems"]


def test_two_errors_of_one_row_count_once():
    problem = RowProblem("required", "A value is required.", {}, 7, "price")
    [entry] = group_problems([problem, problem], [])
    assert (entry["count"], entry["rows"]) == (1, [7])


def test_the_errors_of_earlier_imports_are_put_together_by_the_migration():
    migration = importlib.import_module("portfolios.migrations.0022_grouped_problems")
    errors = [
        {"row": 2, "column": "type", "value": "X", "code": "unknown_type", "detail": "No."},
        {"row": 5, "column": "type", "value": "X", "code": "unknown_type", "detail": "No."},
        {"row": 6, "column": "price", "value": "", "code": "required", "detail": "Missing."},
    ]
    assert migration.problems_of(errors) == [
        {
            "column": "type",
            "value": "X",
            "code": "unknown_type",
            "detail": "No.",
            "count": 2,
            "rows": [2, 5],
            "sample": "",
        },
        {
            "column": "price",
            "value": "",
            "code": "required",
            "detail": "Missing.",
            "count": 1,
            "rows": [6],
            "sample": "",
        },
    ]
    assert ImportBatch._meta.get_field("problems").default is list
