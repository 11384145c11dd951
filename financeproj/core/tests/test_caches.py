"""Test that the caches store JSON, never pickles, and what both caches must do."""

import pickle
import time

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connections

from financeproj.core.shared.json_values import JsonSerializer, from_json, to_json
from tests.servers.cache import empty_cache

pytestmark = pytest.mark.django_db(databases=list(settings.DATABASES))

embedded = pytest.mark.skipif(bool(settings.REDIS_URL), reason="of the cache without Redis")
with_redis = pytest.mark.skipif(not settings.REDIS_URL, reason="on Redis: TEST_SERVICES=1")


class Harmful:
    """Appends to `ran` when it is unpickled."""

    ran: list[str] = []

    def __reduce__(self):
        return Harmful.ran.append, ("code",)


@pytest.fixture
def harmful():
    Harmful.ran.clear()
    return pickle.dumps(Harmful())


@pytest.mark.parametrize(
    "value", [1, 1.5, True, False, "text", "ØRE ＝", [1, "a", None], {"a": [1.25, {}]}]
)
def test_a_value_is_read_as_it_was_stored(value):
    cache.set("key", value, 60)
    found = cache.get("key")
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes"])
def test_what_is_not_json_is_refused_when_it_is_stored(value):
    with pytest.raises(TypeError):
        cache.set("key", value, 60)
    assert cache.get("key") is None


@embedded
def test_a_pickle_in_the_embedded_cache_is_a_missing_value_and_runs_nothing(harmful):
    cache.set("key", 1, 60)
    with connections["cache"].cursor() as cursor:
        cursor.execute("UPDATE cached SET value = %s", [harmful.decode("latin1")])
    assert cache.get("key", "missing") == "missing"
    assert Harmful.ran == []


@with_redis
def test_a_pickle_in_redis_is_a_missing_value_and_runs_nothing(harmful):
    from django_redis import get_redis_connection

    get_redis_connection("default").set(cache.make_key("key"), harmful)
    assert cache.get("key") is None
    assert Harmful.ran == []


@pytest.mark.parametrize("text", [b"\x80\x04K\x01.", b"gASVBAAAAAAAAABLAS4=", b"", b"[" * 100_000])
def test_bytes_that_are_not_json_are_a_missing_value(text):
    assert JsonSerializer({}).loads(text) is None
    assert from_json(text) is None


def test_json_is_compact():
    assert to_json({"a": (1, 2)}) == '{"a":[1,2]}'


# --- The embedded cache ---------------------------------------------------------------------------


@embedded
def test_add_stores_only_what_is_missing_or_expired(time_machine):
    time_machine.move_to("2026-03-02T10:00:00Z", tick=False)
    assert cache.add("key", "first", 10)
    assert not cache.add("key", "second", 10)
    assert cache.get("key") == "first"
    time_machine.move_to("2026-03-02T10:00:10Z", tick=False)
    assert cache.get("key") is None
    assert cache.add("key", "second", 10)
    assert cache.get("key") == "second"


@embedded
def test_a_timeout_counts_fractions_of_a_second(time_machine):
    time_machine.move_to("2026-03-02T10:00:00Z", tick=False)
    cache.set("key", 1, 0.5)
    time_machine.shift(0.4)
    assert cache.get("key") == 1
    time_machine.shift(0.2)
    assert cache.get("key") is None


@embedded
def test_touch_prolongs_only_what_is_stored(time_machine):
    time_machine.move_to("2026-03-02T10:00:00Z", tick=False)
    cache.set("key", 1, 10)
    assert cache.touch("key", 100)
    assert not cache.touch("other", 100)
    time_machine.shift(50)
    assert cache.get("key") == 1
    time_machine.shift(51)
    assert not cache.touch("key", 100)


@embedded
def test_a_value_without_a_timeout_stays(time_machine):
    cache.set("key", 1, None)
    time_machine.move_to("2099-01-01T00:00:00Z")
    assert cache.get("key") == 1


@embedded
def test_delete_says_whether_there_was_a_value():
    cache.set("key", 1, 60)
    assert cache.delete("key")
    assert not cache.delete("key")
    assert cache.get("key", 7) == 7


@embedded
def test_a_full_cache_drops_what_has_expired_then_a_third_of_the_rest(monkeypatch, time_machine):
    time_machine.move_to("2026-03-02T10:00:00Z", tick=False)
    monkeypatch.setattr(cache._connections[cache._alias], "_max_entries", 6)
    for number in range(3):
        cache.set(f"short-{number}", number, 10)
    for number in range(3):
        cache.set(f"long-{number}", number, 100 + number)
    time_machine.shift(20)
    cache.set("new", 1, 200)
    with connections["cache"].cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM cached")
        assert cursor.fetchone() == (4,)
    for number in range(3):
        cache.set(f"more-{number}", number, 300)
    assert [cache.get(f"long-{number}") for number in range(3)] == [None, None, 2]
    assert cache.get("new") == 1


@embedded
def test_a_broken_file_is_an_empty_cache():
    with connections["cache"].cursor() as cursor:
        cursor.execute("ALTER TABLE cached RENAME TO away")
    try:
        cache.set("key", 1, 60)
        assert cache.get("key") is None
        assert not cache.add("key", 1, 60)
        assert not cache.delete("key")
    finally:
        with connections["cache"].cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO cached")
    empty_cache()


def test_a_lease_ends_on_time():
    from financeproj.core.shared.locks import lease

    assert lease("one", seconds=0.3)
    assert lease("one", seconds=0.3) is None
    time.sleep(0.35)
    assert lease("one", seconds=0.3)
