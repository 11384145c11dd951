"""Test the versioned cache of a process, and storing results of reads."""

import gc
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction

from financeproj.core.shared.versioned_cache import VersionedCache, write_of_a_read
from financeproj.users.models import User

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_value_is_found_at_its_version_only():
    kept = VersionedCache(100)
    kept.put("a", 1, "one", 10)
    assert (kept.get("a", 1), kept.get("a", 2), kept.get("b", 1)) == ("one", None, None)
    kept.put("a", 2, "two", 20)
    assert (kept.get("a", 1), kept.get("a", 2), kept.size) == (None, "two", 20)


def test_the_least_recently_used_entry_is_removed_first():
    kept = VersionedCache(30)
    for key in "abc":
        kept.put(key, 1, key, 10)
    kept.get("a", 1)
    kept.put("d", 1, "d", 10)
    assert [kept.get(key, 1) for key in "abcd"] == ["a", None, "c", "d"]
    kept.put("huge", 1, "huge", 31)
    assert (kept.get("huge", 1), kept.size) == (None, 0)


def test_nothing_of_a_transaction_is_stored_or_found():
    kept = VersionedCache(100)
    with transaction.atomic():
        kept.put("a", 1, "perhaps rolled back", 10)
    assert kept.get("a", 1) is None
    kept.put("a", 1, "true", 10)
    with transaction.atomic():
        assert kept.get("a", 1) is None
    assert kept.get("a", 1) == "true"


@dataclass
class Row:
    pk: UUID
    version: int


def test_only_rows_of_a_new_version_are_read_again():
    one, two = Row(UUID(int=1), 1), Row(UUID(int=2), 1)
    kept = VersionedCache(100)
    reads = []

    def read(rows):
        reads.append([row.pk for row in rows])
        return {row.pk: row.version * "x" for row in rows}

    assert kept.get_or_read([one, two], read, len) == {one.pk: "x", two.pk: "x"}
    two.version = 2
    assert kept.get_or_read([one, two], read, len) == {one.pk: "x", two.pk: "xx"}
    assert kept.get_or_read([], read, len) == {}
    assert reads == [[one.pk, two.pk], [two.pk]]
    assert kept.size == 3


def test_a_read_stores_its_result_without_waiting():
    with write_of_a_read():
        User.objects.create_user(username="stored")
    assert User.objects.count() == 1
    if connection.vendor != "sqlite":
        return
    writer = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    with pytest.raises(DatabaseError), write_of_a_read():
        User.objects.create_user(username="too late")
    assert time.monotonic() - begun < 2  # not the 30 s of a write that may wait
    writer.execute("ROLLBACK")
    writer.close()
    assert User.objects.count() == 1
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA busy_timeout").fetchone() == (30_000,)


def test_garbage_collection_does_not_deadlock_two_threads():
    if connection.vendor != "sqlite":
        pytest.skip("of the one write lock that SQLite has")
    gc.collect()
    refused, may_wait = Event(), Event()

    def reader():
        try:
            with pytest.raises(DatabaseError), write_of_a_read():
                pass
            refused.set()
            may_wait.wait(30)
            with (
                transaction.atomic()
            ):  # waits for the lock in SQLite, which holds this connection meanwhile
                return User.objects.count()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            User.objects.create_user(username="written")
            other = pool.submit(reader)
            assert refused.wait(30)
            may_wait.set()
            time.sleep(1)  # until it waits
            gc.collect()  # what its refusal left behind
        assert other.result() == 1
