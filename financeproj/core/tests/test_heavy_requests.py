"""Test the leases of costly requests, on this run's cache and without a cache."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import time_machine
from django.db import DatabaseError, connections

from financeproj.core.errors import TooManyAtOnce
from financeproj.core.shared import heavy_requests, locks, waiting
from financeproj.core.shared.heavy_requests import heavy_request
from tests.timing import EARLY, SLACK


@pytest.fixture(params=["shared", "this process only"])
def where(request, transactional_db, monkeypatch):
    if request.param != "shared":

        def broken(*args):
            raise DatabaseError("gone")

        monkeypatch.setattr(locks, "_change_embedded", broken)
        monkeypatch.setattr(locks, "_change_in_redis", broken)


@pytest.fixture
def impatient(where, monkeypatch):
    monkeypatch.setattr(heavy_requests, "WAIT_SECONDS", 0)


class Running:
    """Costly requests that run until the end of the test, each in a thread of its own."""

    def __init__(self):
        self.until = {}

    def start(self, name, user):
        """Return whether the request got its lease."""
        begun, done = threading.Event(), threading.Event()
        outcome = []

        def run():
            try:
                with heavy_request(user):
                    outcome.append(True)
                    begun.set()
                    done.wait(30)
            except TooManyAtOnce:
                outcome.append(False)
            finally:
                connections.close_all()
                begun.set()

        thread = threading.Thread(target=run)
        thread.start()
        begun.wait(30)
        self.until[name] = done, thread
        return outcome[0]

    def end(self, name):
        done, thread = self.until.pop(name)
        done.set()
        thread.join()


@pytest.fixture
def running(where):
    made = Running()
    yield made
    for name in list(made.until):
        made.end(name)


def test_a_user_gets_two_and_all_together_four(impatient, running):
    assert running.start("a1", "a")
    assert running.start("a2", "a")
    assert not running.start("a3", "a")
    assert running.start("b1", "b")
    assert running.start("c1", "c")
    assert not running.start("d1", "d")
    running.end("a1")
    assert running.start("d1", "d")


def test_a_second_one_needs_two_free_leases(impatient, running):
    for user in ("a", "b", "c"):
        assert running.start(f"{user}1", user)
    assert not running.start("a2", "a")  # one is free: it is for a fourth user
    running.end("c1")
    assert running.start("a2", "a")


def test_a_request_waits_for_a_lease_and_then_runs(running):
    assert running.start("a1", "a")
    assert running.start("a2", "a")
    timer = threading.Timer(0.5, running.end, ["a1"])
    timer.start()
    begun = time.monotonic()
    assert running.start("a3", "a")
    assert 0.5 * EARLY <= time.monotonic() - begun < 0.5 + 1 * SLACK
    timer.join()


def test_after_five_seconds_it_is_refused_with_the_time_to_wait(running):
    assert heavy_requests.WAIT_SECONDS == 5
    running.start("a1", "a")
    running.start("a2", "a")
    begun = time.monotonic()
    with pytest.raises(TooManyAtOnce) as raised, heavy_request("a"):
        pass
    assert 5 * EARLY <= time.monotonic() - begun < 5 + 1 * SLACK
    assert raised.value.code == "too_many_at_once"
    assert raised.value.retry_after == 5


def test_a_lease_ends_with_an_error_too(impatient):
    for _ in range(10):
        with pytest.raises(KeyError), heavy_request("a"):
            raise KeyError


def test_a_lease_is_renewed_as_long_as_its_request_runs(impatient, running, monkeypatch):
    monkeypatch.setattr(heavy_requests, "LEASE_SECONDS", 0.8)
    monkeypatch.setattr(heavy_requests, "RENEWED_EVERY_SECONDS", 0.1)
    running.start("a1", "a")
    running.start("a2", "a")
    time.sleep(1.5)
    assert not running.start("a3", "a")


def test_a_lease_of_a_killed_process_ends_after_six_seconds(impatient, running, monkeypatch):
    """Nothing renews it any more."""
    assert (heavy_requests.LEASE_SECONDS, heavy_requests.RENEWED_EVERY_SECONDS) == (6, 2)
    monkeypatch.setattr(heavy_requests._Lease, "keep", lambda self: None)
    monkeypatch.setattr(heavy_requests, "LEASE_SECONDS", 0.8)
    running.start("a1", "a")
    running.start("a2", "a")
    assert not running.start("a3", "a")
    time.sleep(0.9)
    assert running.start("a3", "a")


def test_a_lease_ends_after_three_minutes_at_most(impatient, running, monkeypatch):
    assert heavy_requests.LONGEST_SECONDS == 180
    monkeypatch.setattr(heavy_requests, "LEASE_SECONDS", 0.5)
    monkeypatch.setattr(heavy_requests, "RENEWED_EVERY_SECONDS", 0.1)
    monkeypatch.setattr(heavy_requests, "LONGEST_SECONDS", 0.4)
    running.start("a1", "a")
    running.start("a2", "a")
    time.sleep(1.2)
    assert running.start("a3", "a")


def test_a_clock_set_back_frees_leases_that_nothing_renews(impatient, monkeypatch):
    monkeypatch.setattr(heavy_requests._Lease, "keep", lambda self: None)
    monkeypatch.setattr(heavy_requests._Lease, "end", lambda self: None)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(heavy_request("a"))
    with pytest.raises(TooManyAtOnce), heavy_request("a"):
        pass
    with time_machine.travel(time.time() - 3600), heavy_request("a"):
        pass


# --- Threads --------------------------------------------------------------------------------------


def test_one_owner_holds_at_most_two_thirds_of_the_slots():
    slots = waiting.Slots(10)
    assert [slots.take("a") for _ in range(7)] == [True] * 6 + [False]
    assert [slots.take("b") for _ in range(5)] == [True] * 4 + [False]
    assert not slots.take("c")
    slots.give_back("a")
    assert slots.take("c")
    assert slots.free == 0


def test_a_thread_that_has_a_slot_needs_no_second_one(monkeypatch):
    monkeypatch.setattr(waiting, "slots", waiting.Slots(2))
    with waiting.waiting_slot("a") as first, waiting.waiting_slot("a") as second:
        assert first
        assert second
        assert waiting.slots.free == 1
    assert waiting.slots.free == 2


def test_two_threads_of_a_process_are_kept_free(where, monkeypatch, settings):
    """The eleventh request that would wait for a lease is refused at once."""
    assert waiting.slots.count == settings.WEB_THREADS - 2 == 10
    monkeypatch.setattr(heavy_requests, "WAIT_SECONDS", 1.5)

    def attempt(number):
        begun = time.monotonic()
        try:
            with heavy_request(f"user {number}"):
                time.sleep(2.5)
        except TooManyAtOnce:
            return time.monotonic() - begun
        finally:
            connections.close_all()

    with ThreadPoolExecutor(12) as pool:
        waited = list(pool.map(attempt, range(12)))
    assert waited.count(None) == 4
    refused = sorted(seconds for seconds in waited if seconds is not None)
    assert len(refused) == 8
    assert refused[1] < 1
    assert refused[2] >= 1.5
