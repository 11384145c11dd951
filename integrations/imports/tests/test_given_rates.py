"""Test that a file's rate between equal currencies can only be 1."""

import json

import pytest

from integrations.conftest import csv
from portfolios.models import Holding, Transaction

pytestmark = pytest.mark.django_db
SHARES = "2024-03-01,buy,EQNR.DEMO,10,281,0,NOK"
MESSAGE = "Both amounts are in NOK, so the exchange rate must be 1. Leave it out."
OF_GROUPS = "date,type,ticker,quantity,price,currency,exchange_rate,group,group_kind"


def refused(response, *lines):
    body = response.json()
    assert response.status_code == 422
    found = [(one["row"], one["column"], one["value"], one["code"]) for one in body["errors"]]
    expected = [(line, "exchange_rate", "1.05", "same_currency_rate") for line in lines]
    assert [one for one in found if one[1] == "exchange_rate"] == expected
    assert body["errors"][0]["detail"] == MESSAGE
    assert not Transaction.objects.exists()


def test_trades_payments_and_money_cannot_have_another_rate(upload):
    response = upload(
        f"{SHARES},1.05",
        "2024-03-02,dividend,EQNR.DEMO,10,3,0,NOK,1.05",
        "2024-03-03,deposit,,1,500,0,NOK,1.05",
        "2024-03-04,deposit,,1,500,0,NOK,1",
    )
    refused(response, 2, 3, 4)
    assert response.json()["failed"] == 3


def test_the_other_rows_are_taken_with_skip(upload):
    body = upload.done(f"{SHARES},1.05", "2024-03-04,deposit,,1,500,0,NOK,1", on_error="skip")
    assert (body["created"], body["failed"]) == (1, 1)


def test_a_mapped_table_cannot_have_one_either(upload):
    table = b"Tag;Art;Papier;Anzahl;Kurs;Devisenkurs\n2024-03-01;buy;EQNR.DEMO;10;281;1,05\n"
    columns = {"date": "Tag", "type": "Art", "ticker": "Papier", "quantity": "Anzahl"}
    columns |= {"price": "Kurs", "exchange_rate": "Devisenkurs"}
    refused(upload(data=table, mapping=json.dumps({"columns": columns})), 2)


def test_one_leg_of_a_conversion_does_not_stand_alone(upload):
    header = "date,type,ticker,quantity,price,currency,settlement_amount,exchange_rate,group"
    response = upload(
        data=csv(
            "2024-03-01,conversion,,1,,NOK,-1050,1.05,a",
            "2024-03-01,conversion,,1,,EUR,100,,a",
            header=header,
        )
    )
    refused(response, 2)
    assert [one["code"] for one in response.json()["errors"]] == [
        "same_currency_rate",
        "unpaired_conversion",
    ]


def test_a_leg_that_takes_over_cost_in_one_currency_cannot_have_one(upload):
    response = upload(
        data=csv(
            "2024-03-01,buy,OLD.DEMO,10,281,NOK",
            "2024-04-01,exchange_out,OLD.DEMO,,,NOK,,m,exchange",
            "2024-04-01,exchange_in,NEW.DEMO,5,,NOK,1.05,m,exchange",
            header=OF_GROUPS,
        )
    )
    body = response.json()
    found = [(one["row"], one["column"], one["code"]) for one in body["errors"]]
    assert found == [(3, "type", "same_currency_rate"), (4, "exchange_rate", "same_currency_rate")]
    assert not Transaction.objects.exists()


def test_a_leg_in_another_currency_than_what_it_came_from_has_its_rate(upload):
    upload.done(
        data=csv(
            "2024-03-01,buy,OLD.USD.DEMO,10,50,USD,10",
            "2024-04-01,exchange_out,OLD.USD.DEMO,,,USD,,m,exchange",
            "2024-04-01,exchange_in,NEW.DEMO,5,,NOK,10,m,exchange",
            header=OF_GROUPS,
        )
    )
    assert Holding.objects.get(stock__ticker="NEW.DEMO").cost_basis == 5000


def test_shares_that_are_moved_in_keep_the_rate_that_was_paid(upload):
    upload.done("2024-03-01,transfer_in,EQNR.DEMO,10,100,0,NOK,1.05")
    assert Holding.objects.get().cost_basis == 1050
