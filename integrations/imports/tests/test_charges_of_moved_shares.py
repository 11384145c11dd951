"""Test that shares moved in have no charge: what they cost is in the price."""

from datetime import date
from decimal import Decimal as D

import pytest

from integrations.statements.generic import EXPORTED
from marketdata.tests.factories import instrument
from portfolios.models import Holding, Transaction
from portfolios.tests.conftest import trade

pytestmark = pytest.mark.django_db

URL = "/api/v1/transactions"


@pytest.fixture
def fjord():
    return instrument("FJORD.DEMO", currency="NOK", source="simulated")


@pytest.fixture
def of_before(portfolio, fjord):
    """Return shares that an earlier version moved in with a charge."""
    row = trade(portfolio, fjord, "buy", "4", "100", commission="6", on=date(2024, 1, 2))
    Transaction.objects.filter(pk=row.pk).update(type="transfer_in")
    return Transaction.objects.get()


def body(portfolio, **fields):
    return {
        "portfolio_id": str(portfolio.pk),
        "ticker": "FJORD.DEMO",
        "type": "transfer_in",
        "date": "2024-01-02",
        "quantity": 4,
        "price": 100,
        **fields,
    }


def codes(response):
    return [(error["code"], error["attr"]) for error in response.json()["errors"]]


def exported(*values):
    """Return a file as every version has exported it, with one row."""
    return "\n".join([",".join(EXPORTED), ",".join(values)]).encode()


OLD = ("2024-01-02", "transfer_in", "FJORD.DEMO", "", "4", "100", "NOK", "6", "1", "", "")


@pytest.mark.parametrize("field", ["commission", "tax"])
def test_shares_with_a_charge_are_refused_one_by_one_and_in_bulk(
    api, portfolio, fjord, dump, field
):
    before = dump()
    alone = api.post(URL, body(portfolio, **{field: 6}))
    assert (alone.status_code, codes(alone)) == (422, [("no_charge", field)])
    bulk = api.post(f"{URL}/bulk", {"transactions": [body(portfolio, **{field: 6})]})
    assert (bulk.status_code, codes(bulk)) == (422, [("no_charge", f"transactions.0.{field}")])
    assert dump() == before
    assert api.post(URL, body(portfolio, **{field: 0})).status_code == 201


def test_a_purchase_with_a_charge_cannot_become_shares_moved_in(api, portfolio, fjord, dump):
    row = trade(portfolio, fjord, "buy", "4", "100", commission="6")
    before = dump()
    refused = api.patch(f"{URL}/{row.pk}", {"type": "transfer_in"})
    assert (refused.status_code, codes(refused)) == (422, [("no_charge", "commission")])
    assert dump() == before
    moved = api.patch(f"{URL}/{row.pk}", {"type": "transfer_in", "commission": 0, "price": 101.5})
    assert moved.json()["average_cost_per_share_at_transaction"] == 101.5


def test_a_row_of_before_keeps_its_charge_until_that_changes(api, of_before, dump):
    place = f"{URL}/{of_before.pk}"
    sent_back = api.put(place, api.get(place).json() | {"note": "from the old bank"})
    assert (sent_back.status_code, sent_back.json()["commission"]) == (200, 6)
    assert sent_back.json()["average_cost_per_share_at_transaction"] == 101.5
    before = dump()
    assert codes(api.patch(place, {"commission": 7})) == [("no_charge", "commission")]
    assert codes(api.patch(place, {"tax": 1})) == [("no_charge", "commission")]
    assert dump() == before
    assert api.patch(place, {"commission": 0}).json()["commission"] == 0
    assert codes(api.patch(place, {"commission": 6})) == [("no_charge", "commission")]


def test_a_row_of_a_file_with_a_charge_is_an_error(upload, dump, fjord):
    before = dump()
    answer = upload("2024-01-02,transfer_in,FJORD.DEMO,4,100,6,NOK")
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["code"], error["column"]) == (422, "no_charge", "commission")
    assert (error["row"], error["value"]) == (2, "6")
    assert dump() == before


def test_the_charge_of_an_old_export_goes_into_the_price(upload, fjord):
    assert upload.done(data=exported(*OLD))["created"] == 1
    row = Transaction.objects.get()
    assert (row.price, row.commission, row.tax) == (D("101.5"), 0, 0)
    assert Holding.objects.get().cost_basis == 406
    again = upload(data=exported(*OLD))
    assert (again.status_code, again.json()["duplicates"], again.json()["id"]) == (200, 1, None)


def test_an_export_of_rows_of_before_adds_nothing_where_they_are(api, upload, of_before, dump):
    file = b"".join(api.get(f"{URL}/export.csv").streaming_content)
    assert b"transfer_in" in file
    before = dump()
    again = upload(data=file)
    assert (again.status_code, again.json()["duplicates"], again.json()["id"]) == (200, 1, None)
    assert dump() == before


def test_an_imported_row_of_before_keeps_its_charge(upload, fjord, dump):
    as_purchase = [OLD[0], "buy", *OLD[2:]]
    upload.done(data=exported(*as_purchase))
    row = Transaction.objects.get()
    row.type, row.imported_as = "transfer_in", row.imported_as.replace("|buy|", "|transfer_in|")
    row.save()
    before = dump()
    again = upload(data=exported(*OLD))
    assert (again.status_code, again.json()["duplicates"], again.json()["id"]) == (200, 1, None)
    assert dump() == before
