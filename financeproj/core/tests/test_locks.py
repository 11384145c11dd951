"""Test shared state on this run's cache and without a cache."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import DatabaseError, connections

from financeproj.core.shared import locks
from financeproj.core.shared.locks import change, lease, release


@pytest.fixture(params=["shared", "this process only"])
def where(request, transactional_db, monkeypatch):
    if request.param != "shared":

        def broken(*args):
            raise DatabaseError("gone")

        monkeypatch.setattr(locks, "_change_embedded", broken)
        monkeypatch.setattr(locks, "_change_in_redis", broken)


def in_threads(function, times):
    def run(index):
        try:
            return function(index)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(run, range(times)))


def test_forty_threads_counting_count_to_forty(where):
    in_threads(lambda index: change("count", lambda n: (n or 0) + 1, timeout_seconds=60), 40)
    assert change("count", lambda n: n, timeout_seconds=60) == 40


def test_of_many_who_want_a_lease_one_gets_it(where):
    tokens = in_threads(lambda index: lease("refresh", seconds=60), 16)
    assert len([token for token in tokens if token]) == 1


def test_a_lease_is_free_again_when_released_by_its_holder_only(where):
    token = lease("refresh", seconds=60)
    release("refresh", "another holder")
    assert lease("refresh", seconds=60) is None
    release("refresh", token)
    assert lease("refresh", seconds=60) is not None


def test_a_lease_ends_by_itself(where):
    assert lease("refresh", seconds=0.05)
    time.sleep(0.1)
    assert lease("refresh", seconds=60)


def test_none_forgets_the_value(where):
    change("key", lambda old: {"a": 1}, timeout_seconds=60)
    assert change("key", lambda old: None, timeout_seconds=60) is None
    assert change("key", lambda old: [old], timeout_seconds=60) == [None]
