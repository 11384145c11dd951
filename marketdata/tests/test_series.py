"""Test vectors of closes and rates against their rows."""

import random
from datetime import date, timedelta
from decimal import Decimal as D

import numpy as np
import pytest
import time_machine
from django.utils import timezone

from marketdata import selectors, series, services, vectors
from marketdata.models import HistoricalStockPrice, PairVector, StockVector
from marketdata.tests.factories import instrument, with_closes, with_quote, with_rates, with_splits

pytestmark = pytest.mark.django_db

MON, TUE, WED, THU, FRI, SAT, SUN = (date(2024, 3, 4) + timedelta(days=n) for n in range(7))


@pytest.fixture(autouse=True)
def _empty_process():
    vectors.vector_cache.clear()


def days(*values):
    return np.where(np.isnan(values), None, values).tolist()


def test_closes_are_carried_forward_and_unknown_before_the_first():
    stock = with_closes(instrument(), {TUE: 10, THU: 12.5})
    other = instrument("NONE")
    matrix = series.closes([stock.pk, other.pk], MON, SAT)
    assert matrix.dtype == np.float64
    assert days(*matrix[0]) == [None, 10, 10, 12.5, 12.5, 12.5]
    assert days(*matrix[1]) == [None] * 6


@pytest.mark.parametrize(
    ("start", "end"), [(MON - timedelta(days=9), MON), (THU, THU), (FRI, SUN), (WED, FRI)]
)
def test_any_window_is_a_part_of_the_whole(start, end):
    stock = with_closes(instrument(), {TUE: 10, THU: 12.5})
    whole = series.closes([stock.pk], MON - timedelta(days=9), SUN)[0]
    offset = (start - (MON - timedelta(days=9))).days
    np.testing.assert_array_equal(
        series.closes([stock.pk], start, end)[0], whole[offset : offset + (end - start).days + 1]
    )


def test_a_gap_over_a_split_moves_by_the_split_only():
    stock = with_splits(with_closes(instrument(), {MON: 400, THU: 101}), {WED: 4})
    assert days(*series.closes([stock.pk], MON, THU)[0]) == [400, 400, 100, 101]


def test_a_split_after_the_last_close_restates_what_is_carried():
    stock = with_splits(with_closes(instrument(), {MON: 400}), {WED: 4})
    assert days(*series.closes([stock.pk], MON, FRI)[0]) == [400, 400, 100, 100, 100]


def test_a_split_on_a_day_with_a_close_changes_nothing():
    stock = with_splits(with_closes(instrument(), {MON: 400, TUE: 101}), {TUE: 4})
    assert days(*series.closes([stock.pk], MON, WED)[0]) == [400, 101, 101]


def test_today_has_the_latest_known_price():
    with time_machine.travel(f"{THU}T12:00Z"):
        stock = with_quote(with_closes(instrument(), {TUE: 10, WED: 11}), 11.75, THU)
        assert days(*series.closes([stock.pk], TUE, THU)[0]) == [10, 11, 11.75]
        assert selectors.prices_now([stock.pk])[stock.pk].price == D("11.75")


@pytest.mark.parametrize("kept_in_process", [True, False])
def test_no_write_leaves_a_stale_vector_behind(kept_in_process):
    stock = instrument()

    def read():
        if not kept_in_process:
            vectors.vector_cache.clear()
        return days(*series.closes([stock.pk], MON, WED)[0])

    assert read() == [None, None, None]
    with_closes(stock, {MON: 10})
    assert read() == [10, 10, 10]
    with_closes(stock, {MON: 20, WED: 30})
    assert read() == [20, 20, 30]
    row = HistoricalStockPrice.objects.get(stock=stock, date=WED)
    row.close = D(31)
    services.save_price(row)
    assert read() == [20, 20, 31]
    services.delete_price(row)
    assert read() == [20, 20, 20]
    with_splits(stock, {TUE: 2})
    assert read() == [20, 10, 10]


def test_rows_refuse_writes_that_would_leave_a_vector_behind():
    stock = with_closes(instrument(), {MON: 10})
    rows = HistoricalStockPrice.objects.filter(stock=stock)
    for write in (
        lambda: rows.update(close=1),
        rows.delete,
        lambda: HistoricalStockPrice.objects.bulk_create([]),
        lambda: HistoricalStockPrice.objects.bulk_update([], ["close"]),
    ):
        with pytest.raises(TypeError, match=r"Use marketdata\.services"):
            write()
    assert rows.get().close == D(10)


def test_a_quote_moves_the_version_and_keeps_the_vector():
    stock = with_closes(instrument(), {MON: 10})
    series.closes([stock.pk], MON, MON)
    before = series.fingerprint(stock_ids=[stock.pk])
    with_quote(stock, 11, TUE)
    assert StockVector.objects.get(stock=stock).version == stock.version
    assert series.fingerprint(stock_ids=[stock.pk]) != before


@pytest.mark.django_db(transaction=True)  # within a transaction nothing is kept
def test_stored_data_takes_two_queries_and_cached_data_one(django_assert_num_queries):
    stocks = [with_closes(instrument(f"S{number}"), {MON: number + 1}) for number in range(5)]
    ids = [stock.pk for stock in stocks]
    series.prepare(ids)
    vectors.vector_cache.clear()
    with django_assert_num_queries(2):
        first = series.closes(ids, MON, FRI)
    with django_assert_num_queries(1):
        second = series.closes(ids, MON, FRI)
    np.testing.assert_array_equal(first, second)
    assert list(first[:, 0]) == [1, 2, 3, 4, 5]


@pytest.mark.django_db(transaction=True)
def test_the_process_keeps_no_more_than_its_limit(monkeypatch):
    stocks = [
        with_closes(instrument(f"S{number}"), {MON: 1, MON + timedelta(days=99): 2})
        for number in range(5)
    ]
    monkeypatch.setattr(vectors.vector_cache, "max_size", 2 * 100 * 8)
    series.closes([stock.pk for stock in stocks], MON, FRI)
    assert vectors.vector_cache.size == 2 * 100 * 8


def test_rates_follow_the_lookup_rule_day_by_day():
    generator = random.Random(7)
    start, end = date(2024, 1, 1), date(2024, 3, 31)
    every_day = [start + timedelta(days=n) for n in range((end - start).days + 1)]
    for base, target in [
        ("USD", "NOK"),
        ("NOK", "USD"),
        ("EUR", "NOK"),
        ("EUR", "USD"),
        ("USD", "SEK"),
        ("NOK", "EUR"),
    ]:
        # Sparse, so that routes go in and out of their week.
        known = {
            day: round(0.05 + generator.random(), 6)
            for day in every_day[5:]
            if generator.random() < 0.08
        }
        with_rates(base, target, known)
    pairs = [
        ("USD", "NOK"),
        ("NOK", "USD"),
        ("EUR", "NOK"),
        ("SEK", "NOK"),
        ("NOK", "NOK"),
        ("GBP", "NOK"),
    ]
    values, ages = series.rates_with_age(pairs, start, end)
    for number, day in enumerate(every_day):
        expected = selectors.rates_on(pairs, day)
        for position, pair in enumerate(pairs):
            rate = expected.get(pair)
            if rate is None:
                assert np.isnan(values[position, number])
                assert ages[position, number] == series.NEVER
            else:
                assert values[position, number] == pytest.approx(float(rate.rate), rel=1e-13)
                assert ages[position, number] == (day - rate.date).days
    assert (ages[:4] > 7).any()
    assert (ages[:4] <= 7).any()


def test_a_new_rate_makes_a_new_vector():
    with_rates("EUR", "NOK", {MON: 11})
    assert days(*series.rates([("EUR", "NOK")], MON, WED)[0]) == [11, 11, 11]
    before = series.fingerprint(pairs=[("NOK", "SEK")])
    with_rates("EUR", "NOK", {TUE: 12})
    assert days(*series.rates([("EUR", "NOK")], MON, WED)[0]) == [11, 12, 12]
    assert series.fingerprint(pairs=[("NOK", "SEK")]) != before  # through EUR
    assert PairVector.objects.count() == 1


def test_todays_rate_is_that_of_the_summaries():
    today = timezone.localdate()
    with_rates("USD", "NOK", {today - timedelta(days=1): 10.1, today: 10.2})
    assert series.rates([("USD", "NOK")], today, today)[0, 0] == 10.2
    assert selectors.rates_now([("USD", "NOK")])["USD", "NOK"].rate == D("10.2")
