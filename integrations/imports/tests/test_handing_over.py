"""Test what becomes of rows that several imports have when one of these is undone."""

import pytest

from portfolios.models import ImportBatch, Transaction

pytestmark = pytest.mark.django_db

COLUMNS = "date,type,ticker,quantity,price,commission,tax,settlement_amount,external_id"
FIRST = "2025-05-02,buy,FJORD.DEMO,10,100,,,,a"
SECOND = "2025-05-15,dividend,FJORD.DEMO,10,3,7.69,,,b"
SECOND_NOW = "2025-05-15,dividend,FJORD.DEMO,10,3,,7.69,22.31,b"
THIRD = "2025-06-02,buy,FJORD.DEMO,1,100,,,,c"
FOURTH = "2025-07-02,buy,FJORD.DEMO,2,100,,,,d"


@pytest.fixture
def send(upload):
    return lambda *lines: upload.done(data="\n".join([COLUMNS, *lines]).encode())


@pytest.fixture
def undo(api):
    def delete(body):
        assert api.delete(f"/api/v1/imports/{body['id']}").status_code == 204

    return delete


def ids():
    return set(Transaction.objects.values_list("external_id", flat=True))


def counts(body):
    stored = ImportBatch.objects.get(pk=body["id"])
    return stored.created, stored.duplicates, stored.rows


def test_rows_that_a_later_import_has_too_go_over_to_it(send, undo):
    first = send(FIRST, SECOND)
    second = send(FIRST, SECOND, THIRD)
    assert counts(second) == (1, 2, 3)
    undo(first)
    assert (ids(), counts(second)) == ({"a", "b", "c"}, (3, 0, 3))
    undo(second)
    assert ids() == set()


def test_rows_that_no_other_import_has_go(send, undo):
    first = send(FIRST, SECOND)
    second = send(SECOND, THIRD)
    undo(first)
    assert (ids(), counts(second)) == ({"b", "c"}, (2, 0, 2))


def test_the_oldest_import_that_has_them_takes_them(send, undo):
    first = send(FIRST)
    second = send(FIRST, THIRD)
    third = send(FIRST, THIRD, FOURTH)
    undo(first)
    assert (counts(second), counts(third)) == ((2, 0, 2), (1, 2, 3))
    undo(second)
    assert (ids(), counts(third)) == ({"a", "c", "d"}, (3, 0, 3))


def test_an_undone_import_takes_nothing(send, undo):
    first = send(FIRST)
    second = send(FIRST, THIRD)
    undo(second)
    undo(first)
    assert ids() == set()


def test_a_completion_stays_while_a_later_import_says_the_same(send, undo):
    send(FIRST, SECOND)
    completing = send(FIRST, SECOND_NOW, THIRD)
    later = send(FIRST, SECOND_NOW, FOURTH)
    undo(completing)
    row = Transaction.objects.get(external_id="b")
    assert (str(row.tax.normalize()), row.commission) == ("7.69", 0)
    undo(later)
    row.refresh_from_db()
    assert (row.tax, str(row.commission.normalize())) == (0, "7.69")
