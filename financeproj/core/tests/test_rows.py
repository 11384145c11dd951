"""Test reading from one snapshot, and inserting rows."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from financeproj.core.db.rows import insert_as_they_are, snapshot
from financeproj.users.models import User
from portfolios.models import Portfolio


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
