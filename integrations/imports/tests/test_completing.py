"""Test what becomes of rows that a file says more of than when they were imported."""

from datetime import date
from decimal import Decimal as D

import pytest

from integrations.statements.tests.test_nordnet import CHOICES, ROWS, statement
from portfolios.models import Holding, ImportBatch, Transaction

pytestmark = pytest.mark.django_db

COLUMNS = "date,type,ticker,quantity,price,commission,tax,settlement_amount,external_id"
OLD = "2025-05-15,dividend,FJORD.DEMO,10,3,7.69,,,a"
NEW = "2025-05-15,dividend,FJORD.DEMO,10,3,,7.69,22.31,a"
PURCHASE = "2025-05-02,buy,FJORD.DEMO,10,100,,,,b"


@pytest.fixture
def send(upload):
    return lambda *lines: upload(data="\n".join([COLUMNS, *lines]).encode()).json()


def dividend():
    row = Transaction.objects.get(type="dividend")
    return row.commission, row.tax, row.settlement_amount


def income():
    return Holding.objects.get().income


def test_tax_that_stood_in_the_commission_moves_to_its_own_column(send, api):
    first = send(PURCHASE, OLD)
    assert (dividend(), income()) == ((D("7.69"), 0, None), D("22.31"))
    body = send(PURCHASE, NEW)
    assert (body["created"], body["duplicates"], body["completed"]) == (0, 2, 1)
    assert body["id"] not in (None, first["id"])
    assert (dividend(), income()) == ((0, D("7.69"), D("22.31")), D("22.31"))
    again = send(PURCHASE, NEW)
    assert (again["id"], again["duplicates"], again["completed"]) == (None, 2, 0)
    assert api.delete(f"/api/v1/imports/{body['id']}").status_code == 204
    assert dividend() == (D("7.69"), 0, None)


def test_a_net_price_becomes_the_gross_one_and_the_figures_follow(send, api):
    send(PURCHASE, "2025-05-15,dividend,FJORD.DEMO,10,2.231,,,,a")
    body = send("2025-05-15,dividend,FJORD.DEMO,10,3,,7.69,22.30,a")
    assert (body["completed"], dividend()) == (1, (0, D("7.69"), D("22.30")))
    assert income() == D("22.31")
    api.delete(f"/api/v1/imports/{body['id']}")
    assert (Transaction.objects.get(type="dividend").price, income()) == (D("2.231"), D("22.31"))


def test_a_dry_run_counts_and_changes_nothing(send, upload, dump):
    send(PURCHASE, OLD)
    before = dump()
    data = "\n".join([COLUMNS, PURCHASE, NEW]).encode()
    body = upload(data=data, dry_run="true").json()
    assert (body["completed"], body["duplicates"]) == (1, 2)
    assert dump() == before


def test_a_row_that_was_edited_since_stays_and_is_named(send, api, dump):
    send(PURCHASE, OLD)
    row = Transaction.objects.get(type="dividend")
    api.patch(f"/api/v1/transactions/{row.pk}", {"price": 4})
    body = send(PURCHASE, NEW)
    assert (body["completed"], body["duplicates"]) == (0, 2)
    assert [(one["code"], one["row"]) for one in body["warnings"]] == [("edited_since", 3)]
    assert dividend() == (D("7.69"), 0, None)


def test_an_edit_of_a_row_of_which_the_file_says_nothing_more_is_no_warning(send, api):
    send(PURCHASE, OLD)
    row = Transaction.objects.get(type="dividend")
    api.patch(f"/api/v1/transactions/{row.pk}", {"price": 4})
    assert send(PURCHASE, OLD)["warnings"] == []


def test_a_row_entered_by_hand_takes_amount_and_booking_day_alone(upload, api, portfolio):
    upload.done(data=statement(ROWS[-3:]), instruments=CHOICES)
    Transaction.objects.filter(external_id="197").update(
        source="manual", imported_as="", external_id=None, settlement_amount=None, booked_on=None,
        import_batch=None, imported_amount=None, commission=39,
    )  # fmt: skip
    body = upload(data=statement(ROWS[-3:])).json()
    assert (body["created"], body["completed"]) == (0, 1)
    row = Transaction.objects.get(external_id="197")
    assert (row.settlement_amount, row.booked_on) == (-4073, date(2025, 1, 14))
    assert (row.source, row.commission) == ("manual", 39)
    api.delete(f"/api/v1/imports/{body['id']}")
    row.refresh_from_db()
    assert (row.settlement_amount, row.booked_on, row.external_id) == (None, None, None)


def test_a_file_of_before_gains_money_amounts_and_booking_days(upload):
    upload.done(data=statement(), instruments=CHOICES)
    Transaction.objects.filter(holding=None).delete()
    Transaction.objects.update(settlement_amount=None, booked_on=None, imported_amount=None)
    body = upload(data=statement()).json()
    assert (body["created"], body["money_created"]) == (2, 2)
    assert (body["completed"], body["reconciled"]) == (8, True)
    assert ImportBatch.objects.count() == 2
