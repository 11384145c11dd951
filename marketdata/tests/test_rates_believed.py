"""Rates of a source that cannot be, as they are stored."""

from datetime import date, timedelta
from decimal import Decimal as D

import pytest
import time_machine

from marketdata import services
from marketdata.models import CurrencyPair, HeldBack, HistoricalExchangeRate
from marketdata.selectors import rate_on
from marketdata.services.rate_answers import record_rate_answer
from marketdata.tests.factories import with_rates

pytestmark = pytest.mark.django_db

TODAY = date(2026, 3, 6)


def on(back: int) -> date:
    return TODAY - timedelta(days=back)


@pytest.fixture(autouse=True)
def _now():
    with time_machine.travel("2026-03-06T12:00Z"):
        yield


@pytest.fixture
def ecb(settings):
    """No source at all but what the tests store as the ECB's."""
    from marketdata.sources import registry

    settings.EXCHANGE_RATE_SOURCES = []
    registry.cache_clear()
    yield
    registry.cache_clear()


def answer(rates, base="EUR", target="NOK"):
    said = [(day, D(str(rate))) for day, rate in rates.items()]
    record_rate_answer(base=base, target=target, rates=said, source="yahoo")


def stored(base="EUR", target="NOK"):
    rows = HistoricalExchangeRate.objects.filter(pair__base=base, pair__target=target)
    return [
        (day, float(rate), source)
        for day, rate, source in rows.order_by("date").values_list("date", "rate", "source")
    ]


def held():
    rows = HeldBack.objects.filter(state="held_back").order_by("date")
    return [(row.date, float(row.value), row.reason) for row in rows]


def test_one_rate_of_a_hundredfold_is_held_back_and_the_ecbs_stands(ecb):
    with_rates("EUR", "NOK", {on(2): "11.66", on(1): "11.68"}, source="ecb")
    answer({on(2): 11.66, on(1): 1168, on(0): 11.7})
    assert stored() == [(on(2), 11.66, "yahoo"), (on(1), 11.68, "ecb"), (on(0), 11.7, "yahoo")]
    assert held() == [(on(1), 1168, "far_from_ecb")]


def test_a_repeated_answer_changes_nothing(ecb):
    with_rates("EUR", "NOK", {on(1): "11.68"}, source="ecb")
    answer({on(1): 1168, on(0): 1170})
    version = CurrencyPair.objects.get().version
    answer({on(1): 1168, on(0): 1170})
    assert CurrencyPair.objects.get().version == version
    assert held() == [(on(1), 1168, "far_from_ecb"), (on(0), 1170, "factor_of_ten")]
    assert HeldBack.objects.count() == 2


def test_a_cross_rate_is_compared_through_the_euro(ecb):
    with_rates("EUR", "NOK", {on(1): "11"}, source="ecb")
    with_rates("EUR", "USD", {on(1): "1.1"}, source="ecb")
    answer({on(1): 13, on(0): 10.1}, "USD", "NOK")
    assert stored("USD", "NOK") == [(on(0), 10.1, "yahoo")]
    assert held() == [(on(1), 13, "far_from_ecb")]
    answer({on(0): 0.09}, "NOK", "USD")
    assert stored("NOK", "USD") == [(on(0), 0.09, "yahoo")]


def test_a_jump_waits_and_is_believed_with_the_next(ecb):
    answer({on(3): 11, on(2): 15})
    assert stored() == [(on(3), 11, "yahoo")]
    answer({on(3): 11, on(2): 15, on(1): 15.1})
    assert [rate for _, rate, _ in stored()] == [11, 15, 15.1]
    assert HeldBack.objects.get().state == "believed"


def test_what_the_ecb_refutes_later_is_taken_out(ecb):
    answer({on(3): 11, on(2): 15, on(1): 15})
    with_rates("EUR", "NOK", {on(0): "11"}, source="ecb")
    with_rates("NOK", "EUR", {on(2): "0.0909", on(1): "0.0909"}, source="ecb")
    answer({on(2): 15, on(1): 15})
    assert [(day, rate) for day, rate, _ in stored()] == [(on(3), 11), (on(0), 11)]
    assert [reason for _, _, reason in held()] == ["far_from_ecb"] * 2


@pytest.mark.parametrize("nonsense", ["NaN", "Infinity", "-3", "0", "1e30", "1e-30"])
def test_what_is_no_rate_is_left_out(ecb, nonsense):
    answer({on(1): nonsense, on(0): 11})
    assert stored() == [(on(0), 11, "yahoo")]
    assert not HeldBack.objects.exists()


def test_an_accepted_rate_stands_although_the_source_repeats_it_and_the_ecb_differs(ecb):
    with_rates("EUR", "NOK", {on(1): "11"}, source="ecb")
    answer({on(1): 15})
    services.accept_held_back(row=HeldBack.objects.get())
    assert stored() == [(on(1), 15, "yahoo")]
    answer({on(1): 15, on(0): 15.1})
    assert [rate for _, rate, _ in stored()] == [15, 15.1]
    assert HeldBack.objects.get().state == "accepted"


def test_a_dismissed_rate_goes_with_those_that_follow_it_and_does_not_come_back(ecb):
    said = {on(3): 11, on(2): 15}
    answer(said)
    said |= {on(1): 15.1, on(0): 15.2}
    answer(said)
    assert len(stored()) == 4
    services.dismiss_held_back(row=HeldBack.objects.get(state="believed"))
    assert stored() == [(on(3), 11, "yahoo")]
    answer(said)
    assert stored() == [(on(3), 11, "yahoo")]
    assert held() == [(on(1), 15.1, "follows"), (on(0), 15.2, "follows")]
    assert rate_on(base="EUR", target="NOK", day=TODAY).rate == 11


def test_a_first_answer_far_from_the_real_ecb_is_held_back():
    """The package's rates are the reference without being stored."""
    answer({date(2025, 3, 6): 118, date(2025, 3, 7): 11.7})
    assert [(day, rate) for day, rate, _ in stored()] == [(date(2025, 3, 7), 11.7)]
