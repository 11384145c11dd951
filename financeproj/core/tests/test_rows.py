"""Test reading from one snapshot, and inserting rows."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, connections, transaction

from financeproj.core.db.rows import by_pk, insert_as_they_are, pks_of, reading, snapshot
from financeproj.users.models import User
from portfolios.models import Portfolio
from tests.timing import SLACK


def test_rows_are_named_by_their_keys_in_their_order():
    rows = [User(username="kari"), User(username="ola")]
    assert pks_of(rows) == [rows[0].pk, rows[1].pk]
    assert list(by_pk(rows).items()) == [(rows[0].pk, rows[0]), (rows[1].pk, rows[1])]
    assert (pks_of([]), by_pk([])) == ([], {})


@pytest.mark.django_db(transaction=True)
def test_a_snapshot_stays_the_same_and_blocks_no_writer():
    User.objects.create_user(username="before")
    with snapshot() as using:
        assert User.objects.using(using).count() == 1
        User.objects.create_user(username="meanwhile")
        User.objects.filter(username="before").update(email="new@example.org")
        assert User.objects.count() == 2
        assert list(User.objects.using(using).values_list("username", "email")) == [("before", "")]
    with snapshot() as using:
        assert User.objects.using(using).count() == 2


def in_thread(function):
    def run():
        try:
            return function()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(10)


@pytest.mark.django_db(transaction=True)
def test_reading_sees_one_moment_blocks_no_writer_and_cannot_write():
    User.objects.create_user(username="before")
    with reading():
        assert User.objects.count() == 1
        begun = time.monotonic()
        in_thread(lambda: User.objects.filter(username="before").update(email="new@example.org"))
        in_thread(lambda: User.objects.create_user(username="meanwhile"))
        assert time.monotonic() - begun < 2 * SLACK
        assert list(User.objects.values_list("username", "email")) == [("before", "")]
    assert User.objects.count() == 2
    with pytest.raises(DatabaseError), reading():
        User.objects.filter(username="before").update(email="never@example.org")
    assert User.objects.get(username="before").email == "new@example.org"
    # Afterwards the connection writes as before, and takes the lock when a transaction begins.
    with transaction.atomic():
        User.objects.filter(username="before").update(email="later@example.org")
    if connection.vendor == "sqlite":
        assert connection.transaction_mode == "IMMEDIATE"
    assert User.objects.get(username="before").email == "later@example.org"


@pytest.mark.django_db
def test_within_a_transaction_it_is_that_transactions_own_view(user):
    with snapshot() as using:
        assert list(User.objects.using(using).values_list("username", flat=True)) == ["kari"]


@pytest.mark.django_db
def test_rows_are_inserted_with_their_own_keys_and_times(user):
    pk, then = uuid4(), datetime(2001, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
    row = Portfolio(
        id=pk,
        user=user,
        name="Old",
        name_key="old",
        currency="NOK",
        created_at=then,
        updated_at=then,
    )
    assert insert_as_they_are(Portfolio, iter([row])) == 1
    stored = Portfolio.objects.get()
    assert (stored.pk, stored.created_at, stored.updated_at, stored.cash) == (pk, then, then, 0)
