"""Test single flight, deadline, circuit breaker and rate limit, without third parties."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import structlog
import time_machine
from django.db import connections

from financeproj.core.shared import locks, waiting
from financeproj.history.context import acting
from marketdata import flights, gateway
from marketdata.gateway import Call, CircuitOpen, Party, TooBusy, ask, ask_all
from marketdata.limits import InLine, count_in_hour, take_token
from marketdata.sources import (
    BadAnswer,
    NoData,
    RateLimited,
    Refusal,
    SourceTimeout,
    SourceUnavailable,
    UnknownTicker,
)
from tests.timing import EARLY, SLACK

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


class Third:
    """A fake third party: its answer, its delay, and its number of calls."""

    def __init__(self, name="third", **limits):
        self.party = Party(name, **{"calls_per_second": 1000, "burst": 1000, **limits})
        self.error = None
        self.gate = None
        self.seconds = 0
        self.asked = 0
        self.kept = {}

    def answer(self, key):
        self.asked += 1
        if self.gate is not None:
            self.gate.wait(20)
        time.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return f"answer to {key}"

    def call(self, key="a", is_kept=None):
        return Call(
            key=key,
            party=self.party,
            run=lambda: self.answer(key),
            keep=lambda answer: self.kept.update({key: answer}),
            is_kept=is_kept or (lambda: key in self.kept),
        )

    def fail(self, error, times=1):
        self.error = error
        for number in range(times):
            with pytest.raises(type(error)):
                ask(self.call(f"failing-{self.asked}-{number}"), seconds=5)
        self.error = None

    @property
    def circuit(self):
        return gateway.state()[self.party.name]


@pytest.fixture
def third():
    made = Third()
    yield made
    if made.gate is not None:
        made.gate.set()
    for thread in threading.enumerate():
        if thread.name == "third-party":
            thread.join(3)
    del gateway.parties[made.party.name]


def in_thread(function):
    def run(*args):
        try:
            return function(*args)
        finally:
            connections.close_all()

    return run


def test_an_answer_is_kept_before_the_asker_goes_on(third):
    ask(third.call(), seconds=5)
    assert third.kept == {"a": "answer to a"}


def test_stored_data_is_not_fetched(third):
    third.kept["a"] = "old"
    ask(third.call(), seconds=5)
    assert third.asked == 0


def test_a_requests_log_line_says_how_long_it_waited(third):
    third.seconds = 0.05
    with structlog.contextvars.bound_contextvars(request_id="one", waited_ms=1000.0):
        ask(third.call(), seconds=5)
        assert structlog.contextvars.get_contextvars()["waited_ms"] >= 1000 + 50 * EARLY
    ask(third.call("b"), seconds=5)  # outside of a request
    assert "waited_ms" not in structlog.contextvars.get_contextvars()


def test_many_threads_wanting_the_same_cause_one_call(third, monkeypatch):
    monkeypatch.setattr(waiting, "slots", waiting.Slots(20))
    third.gate = threading.Event()
    threading.Timer(0.3, third.gate.set).start()
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(in_thread(lambda _: ask(third.call(), seconds=10)), range(20)))
    assert third.asked == 1


def test_those_who_waited_for_a_failure_share_it(third, monkeypatch):
    monkeypatch.setattr(waiting, "slots", waiting.Slots(20))
    third.gate, third.error = threading.Event(), BadAnswer("nonsense")
    threading.Timer(0.3, third.gate.set).start()

    def attempt(_):
        try:
            ask(third.call(), seconds=10)
        except BadAnswer as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(in_thread(attempt), range(8))) == ["nonsense"] * 8
    assert third.asked == 1


def test_a_call_of_another_process_is_waited_for_and_its_answer_taken(third):
    token = locks.lease("flight:a", seconds=30)

    def other_process():
        third.kept["a"] = "theirs"
        locks.release("flight:a", token)

    threading.Timer(0.3, in_thread(other_process)).start()
    ask(third.call(), seconds=10)
    assert third.kept == {"a": "theirs"}
    assert third.asked == 0


def test_a_failure_in_another_process_is_shared_too(third):
    token = locks.lease("flight:a", seconds=30)

    def other_process():
        flights.remember_failure("a", RateLimited("slow down", 33))
        locks.release("flight:a", token)

    threading.Timer(0.3, in_thread(other_process)).start()
    with pytest.raises(RateLimited, match="slow down") as raised:
        ask(third.call(), seconds=10)
    assert raised.value.retry_after_seconds == 33
    assert third.asked == 0


def test_with_little_patience_another_process_is_not_waited_for(third):
    locks.lease("flight:a", seconds=30)
    begun = time.monotonic()
    with pytest.raises(SourceTimeout):
        ask(third.call(), seconds=10, patience=0.2)
    assert time.monotonic() - begun < 1 * SLACK
    assert third.asked == 0


def test_a_dead_process_does_not_block_others_forever(third):
    locks.lease("flight:a", seconds=1)
    ask(third.call(), seconds=10)
    assert third.asked == 1


def test_a_call_that_hangs_is_abandoned_at_the_deadline(third):
    third.gate = threading.Event()
    begun = time.monotonic()
    with pytest.raises(SourceTimeout):
        ask(third.call(), seconds=0.3)
    assert 0.3 * EARLY <= time.monotonic() - begun < 0.3 + 1 * SLACK
    assert third.circuit["failures"] == 1


def test_hanging_calls_are_bounded_in_number(third, monkeypatch):
    monkeypatch.setattr(flights, "_threads", waiting.Slots(2))
    third.gate = threading.Event()
    for key in ("a", "b"):
        with pytest.raises(SourceTimeout):
            ask(third.call(key), seconds=0.1)
    with pytest.raises(TooBusy):
        ask(third.call("c"), seconds=5)
    assert third.asked == 2
    third.gate.set()
    until = time.monotonic() + 5
    while not flights._threads.free and time.monotonic() < until:
        time.sleep(0.01)
    ask(third.call("c"), seconds=5)
    assert third.kept["c"] == "answer to c"


def test_all_but_two_of_the_threads_wait(third, settings):
    third.gate = threading.Event()
    assert settings.WEB_THREADS == 12
    with ThreadPoolExecutor(12) as pool:
        waiters = [
            pool.submit(in_thread(lambda key: ask(third.call(key), seconds=10)), f"k{number}")
            for number in range(10)
        ]
        until = time.monotonic() + 5
        while third.asked < 10 and time.monotonic() < until:
            time.sleep(0.01)
        begun = time.monotonic()
        with pytest.raises(TooBusy):
            ask(third.call("one-more"), seconds=10)
        assert time.monotonic() - begun < 0.6 * SLACK
        third.gate.set()
        for one in waiters:
            one.result()
    assert third.asked == 10


def test_many_things_are_asked_within_one_time_limit(third):
    third.gate = threading.Event()
    begun = time.monotonic()
    outcomes = ask_all([third.call(str(number)) for number in range(20)], seconds=0.4)
    assert time.monotonic() - begun < 1 * SLACK
    assert {type(error) for error in outcomes.values()} == {SourceTimeout}
    assert len(outcomes) == 20
    assert third.asked == gateway.ASKED_AT_ONCE


def test_all_that_one_request_asks_shares_one_time_limit(third):
    third.gate = threading.Event()
    begun = time.monotonic()
    with gateway.at_most(0.5):
        for key in ("a", "b", "c"):
            with pytest.raises(SourceTimeout):
                ask(third.call(key), seconds=0.3)
    assert time.monotonic() - begun < 1 * SLACK
    assert third.asked == 2
    third.gate.set()
    ask(third.call("after"), seconds=5)


def test_one_slow_thing_does_not_hold_up_the_others(third):
    slow = threading.Event()

    def run(key):
        if key == "0":
            slow.wait(60)
        return key

    calls = [
        Call(
            str(n),
            third.party,
            lambda n=n: run(str(n)),
            lambda a: third.kept.update({a: a}),
            lambda: False,
        )
        for n in range(12)
    ]
    outcomes = ask_all(calls, seconds=2)
    slow.set()
    assert [key for key, error in outcomes.items() if error] == ["0"]
    assert len(third.kept) == 11


# --- The circuit ----------------------------------------------------------------------------------


def test_the_first_429_opens_the_circuit_for_a_minute(third):
    with time_machine.travel("2026-03-02T12:00Z", tick=False) as clock:
        third.fail(RateLimited("429"))
        with pytest.raises(CircuitOpen) as raised:
            ask(third.call(), seconds=5)
        assert 59 <= raised.value.retry_after_seconds <= 61
        assert third.circuit["state"] == "open"
        clock.shift(61)
        assert third.circuit["state"] == "half_open"
        ask(third.call(), seconds=5)
        assert third.circuit["state"] == "closed"


def test_retry_after_is_respected(third):
    with time_machine.travel("2026-03-02T12:00Z", tick=False) as clock:
        third.fail(RateLimited("429", 300))
        clock.shift(299)
        with pytest.raises(CircuitOpen):
            ask(third.call(), seconds=5)
        clock.shift(5)
        ask(third.call(), seconds=5)


def test_each_probe_that_is_limited_doubles_the_pause_up_to_an_hour(third):
    pauses = []
    with time_machine.travel("2026-03-02T12:00Z", tick=False) as clock:
        for _ in range(9):
            third.fail(RateLimited("429"))
            pauses.append(third.circuit["retry_after_seconds"])
            clock.shift(pauses[-1] + 40)
    expected = [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert [round(pause / base, 1) for pause, base in zip(pauses, expected, strict=True)] == [
        1.0
    ] * 9
    assert all(pause >= base for pause, base in zip(pauses, expected, strict=True))


def test_a_circuit_that_was_closed_starts_at_a_minute_again(third):
    with time_machine.travel("2026-03-02T12:00Z", tick=False) as clock:
        for pause in (61, 130):
            third.fail(RateLimited("429"))
            clock.shift(pause)
        ask(third.call(), seconds=5)
        third.fail(RateLimited("429"))
        assert 60 <= third.circuit["retry_after_seconds"] <= 61


def test_five_other_failures_in_a_row_open_it_for_half_a_minute(third):
    with time_machine.travel("2026-03-02T12:00Z", tick=False) as clock:
        third.fail(SourceUnavailable("500"), times=4)
        assert third.circuit == {
            "state": "closed", "failures": 4, "retry_after_seconds": 0, "reason": "500"
        }  # fmt: skip
        third.fail(BadAnswer("garbage"))
        assert third.circuit["state"] == "open"
        assert 30 <= third.circuit["retry_after_seconds"] <= 31
        clock.shift(31)
        ask(third.call(), seconds=5)
        assert third.circuit["failures"] == 0


def test_a_success_in_between_resets_the_count(third):
    third.fail(SourceUnavailable("500"), times=4)
    ask(third.call(), seconds=5)
    third.fail(SourceUnavailable("500"), times=4)
    assert third.circuit["state"] == "closed"


def test_not_to_know_a_ticker_is_an_answer(third):
    third.fail(SourceUnavailable("500"), times=4)
    third.fail(UnknownTicker("no such thing"))
    assert (third.circuit["state"], third.circuit["failures"]) == ("closed", 4)


def test_two_hundred_refusals_in_a_row_leave_the_circuit_closed(third):
    for refusal in (UnknownTicker("unknown"), NoData("nothing"), Refusal("HTTP 400")):
        third.fail(refusal, times=200)
    assert third.circuit == {
        "state": "closed",
        "failures": 0,
        "retry_after_seconds": 0,
        "reason": "",
    }


def test_a_refusal_does_not_end_a_row_of_failures(third):
    third.fail(SourceUnavailable("500"), times=4)
    third.fail(NoData("nothing of these days"), times=3)
    third.fail(SourceUnavailable("500"))
    assert third.circuit["state"] == "open"


def test_a_refusal_as_the_answer_to_the_probe_closes_the_circuit(third):
    with time_machine.travel("2026-03-02T12:00Z", tick=False) as clock:
        third.fail(SourceUnavailable("500"), times=5)
        assert third.circuit["state"] == "open"
        clock.shift(31)
        third.fail(NoData("nothing of these days"))
        assert (third.circuit["state"], third.circuit["failures"]) == ("closed", 0)


@pytest.mark.parametrize(("things", "failures_to_open"), [(1, 10), (2, 10), (3, 5), (5, 5)])
def test_the_circuit_opens_after_five_failures_about_three_things_or_ten_about_fewer(
    third, things, failures_to_open
):
    third.error = SourceTimeout("late")
    for number in range(failures_to_open):
        assert third.circuit["state"] == "closed"
        with pytest.raises(SourceTimeout):
            ask(third.call(f"thing-{number % things}"), seconds=5)
    assert third.circuit["state"] == "open"


def test_a_hundred_requests_during_a_429_are_one_call_a_period(third):
    third.error = RateLimited("429")
    with time_machine.travel("2026-03-02T12:00Z", tick=False) as clock:
        for period in (1, 2, 3):
            for number in range(100):
                with pytest.raises((RateLimited, CircuitOpen)):
                    ask(third.call(f"{period}-{number}"), seconds=5)
            assert third.asked == period
            clock.shift(60 * 2**period)


def test_only_one_probe_is_let_through(third, monkeypatch):
    with time_machine.travel("2026-03-02T12:00Z") as clock:
        third.fail(RateLimited("429"))
        clock.shift(70)
        third.asked, third.gate = 0, threading.Event()
        with ThreadPoolExecutor(2) as pool:
            probe = pool.submit(in_thread(lambda: ask(third.call("probe"), seconds=10)))
            until = time.monotonic() + 5
            while not third.asked and time.monotonic() < until:
                time.sleep(0.01)
            with pytest.raises(CircuitOpen):
                ask(third.call("other"), seconds=5)
            third.gate.set()
            probe.result()
        assert third.asked == 1
        ask(third.call("other"), seconds=5)


def test_an_error_of_the_code_itself_is_a_bad_answer_and_counts(third):
    third.error = KeyError("chart")
    with pytest.raises(BadAnswer, match="KeyError"):
        ask(third.call(), seconds=5)
    assert third.circuit["failures"] == 1


# --- The rate limit -------------------------------------------------------------------------------


def test_after_the_burst_calls_wait_for_their_turn():
    third = Third("limited", calls_per_second=10, burst=3)
    begun = time.monotonic()
    for number in range(6):
        ask(third.call(str(number)), seconds=5)
    assert 0.25 <= time.monotonic() - begun < 2 * SLACK
    del gateway.parties["limited"]


def test_a_turn_too_far_away_is_not_waited_for():
    third = Third("limited", calls_per_second=0.01, burst=2)
    for number in range(2):
        ask(third.call(str(number)), seconds=5)
    begun = time.monotonic()
    with pytest.raises(TooBusy) as raised:
        ask(third.call("third"), seconds=5)
    assert raised.value.retry_after_seconds > 90
    assert time.monotonic() - begun < 1 * SLACK
    assert third.asked == 2
    assert third.circuit["state"] == "closed"
    del gateway.parties["limited"]


# --- Users share it -------------------------------------------------------------------------------

KARI, OLA = uuid4(), uuid4()


def asks(user, third, key, seconds=4):
    """Ask for a user; return the refusal, None for an answer."""
    with acting(door="api", actor_id=user):
        try:
            ask(third.call(key), seconds=seconds)
        except TooBusy as error:
            return error
    return None


@pytest.fixture
def limited():
    made = Third("limited", calls_per_second=5, burst=10)
    yield made
    del gateway.parties["limited"]


def test_a_user_alone_gets_the_whole_bucket_and_its_refill(limited):
    tokens = [take_token(limited.party, 2, "kari") for _ in range(20)]
    assert tokens[:10] == [0] * 10
    assert tokens[-1] == pytest.approx(2, abs=0.2)
    with pytest.raises(TooBusy) as raised:
        take_token(limited.party, 1, "kari")
    assert type(raised.value) is TooBusy  # waiting in line would not help


def test_while_another_user_waits_a_user_gets_half_of_the_bucket(limited):
    party = limited.party
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        for _ in range(20):  # ten more than the bucket: two seconds ahead
            take_token(party, 2, "kari")
        with pytest.raises(InLine) as raised:
            take_token(party, 2, "ola")
        assert raised.value.retry_after_seconds == pytest.approx(2.2)
        clock.shift(0.4)  # two calls are refilled; they are not Kari's
        with pytest.raises(InLine) as raised:
            take_token(party, 2, "kari")
        assert raised.value.retry_after_seconds == pytest.approx((18 + 1 - 5) / 5)
        assert take_token(party, 2, "ola") == pytest.approx(1.8)
        clock.shift(3)
        # Of 19 calls 15 are refilled: Kari has 4 × 18 ÷ 19 left, and may come up to 5.
        assert take_token(party, 2, "kari") == 0
        with pytest.raises(InLine):
            take_token(party, 2, "kari")
        assert [take_token(party, 2, "ola") for _ in range(4)] == [0, 0, 0, 0]
        # No other user waits any more: all of it is Kari's again.
        clock.shift(20)
        assert [take_token(party, 2, "kari") for _ in range(10)] == [0] * 10


def test_a_user_cannot_use_up_a_third_party_for_another(limited):
    """Ten of fifteen answers to another user were once 503."""
    stopped = threading.Event()

    def flood(number):
        count = 0
        while not stopped.is_set():
            asks(KARI, limited, f"kari-{number}-{count}")
            count += 1
            time.sleep(0.05)

    with ThreadPoolExecutor(9) as pool:
        flooding = [pool.submit(in_thread(flood), number) for number in range(8)]
        time.sleep(2)
        refusals, slowest = [], 0.0
        for number in range(15):
            begun = time.monotonic()
            refusals.append(asks(OLA, limited, f"ola-{number}"))
            slowest = max(slowest, time.monotonic() - begun)
            time.sleep(0.2)
        stopped.set()
        for one in flooding:
            one.result()
    assert [error for error in refusals if error is not None] == []
    assert slowest < 4
    assert len([key for key in limited.kept if key.startswith("kari")]) >= 15


def test_a_user_that_used_up_the_hour_gets_half_of_it_while_another_waits():
    party = Party("hourly", calls_per_second=1000, burst=1000, calls_per_hour=4)
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        for _ in range(4):
            count_in_hour(party, "kari")
            clock.shift(60)
        with pytest.raises(TooBusy) as raised:
            count_in_hour(party, "ola")
        assert raised.value.retry_after_seconds == 3600 - 240
        clock.shift(3600 - 240 + 1)  # Kari's first call is an hour ago
        with pytest.raises(TooBusy):
            count_in_hour(party, "kari")
        count_in_hour(party, "ola")
    del gateway.parties["hourly"]


# --- Without the shared cache ---------------------------------------------------------------------


@pytest.fixture
def no_shared_cache(settings, monkeypatch):
    """Make the cache unavailable: Redis refuses connections, or the cache file cannot be opened."""
    if settings.REDIS_URL:
        from redis.exceptions import ConnectionError

        def refuse(*args):
            raise ConnectionError("refused")

        monkeypatch.setattr(locks, "_change_in_redis", refuse)
    else:
        from django.db import OperationalError

        def refuse(*args):
            raise OperationalError("disk I/O error")

        monkeypatch.setattr(locks, "_change_embedded", refuse)


def test_a_fault_of_the_shared_cache_keeps_every_limit_within_the_process(
    third, no_shared_cache, monkeypatch
):
    monkeypatch.setattr(waiting, "slots", waiting.Slots(20))
    third.gate = threading.Event()
    threading.Timer(0.3, third.gate.set).start()
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(in_thread(lambda _: ask(third.call(), seconds=10)), range(20)))
    assert third.asked == 1
    third.fail(RateLimited("429"))
    for number in range(50):
        with pytest.raises(CircuitOpen):
            ask(third.call(f"later-{number}"), seconds=5)
    assert third.asked == 2
