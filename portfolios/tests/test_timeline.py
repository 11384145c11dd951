from datetime import date

import numpy as np
import pytest

from portfolios.calc.timeline import sample, tidy, tidy_fraction, tidy_index, tidy_series

EPOCH = date(1970, 1, 1).toordinal()


def dates(start, end, interval):
    """The dates of the points of a period and how many days each covers."""
    first_day, columns = start.toordinal() - EPOCH - 1, (end - start).days + 2
    chosen = sample(first_day, columns, interval)
    covered = chosen.sums(np.concatenate(([99.0], np.ones(columns - 1))))
    return [(date.fromordinal(int(first_day + at) + EPOCH).isoformat(), int(days)) for at, days in
            zip(chosen.last, covered, strict=True)]  # fmt: skip


def test_every_day_is_a_point():
    assert dates(date(2024, 2, 28), date(2024, 3, 1), "day") == [
        ("2024-02-28", 1),
        ("2024-02-29", 1),
        ("2024-03-01", 1),
    ]


def test_weeks_end_on_sundays_and_the_last_one_with_the_period():
    assert dates(date(2024, 12, 27), date(2025, 1, 7), "week") == [
        ("2024-12-29", 3),
        ("2025-01-05", 7),
        ("2025-01-07", 2),
    ]


def test_months_end_on_their_last_day():
    assert dates(date(2024, 1, 30), date(2024, 3, 31), "month") == [
        ("2024-01-31", 2),
        ("2024-02-29", 29),
        ("2024-03-31", 31),
    ]


@pytest.mark.parametrize("interval", ["day", "week", "month"])
def test_a_period_of_one_day_is_one_point(interval):
    assert dates(date(2024, 5, 15), date(2024, 5, 15), interval) == [("2024-05-15", 1)]


def test_the_last_digits_of_floats_are_not_shown():
    assert tidy(np.array([0.1 + 0.2, -0.0, 1e-20])).tolist() == [0.3, 0.0, 0.0]
    assert tidy(np.array([123456.78 * 1.1])).tolist() == [135802.458]
    assert tidy(np.zeros(2)).tolist() == [0.0, 0.0]
    assert tidy_fraction(1.1 - 1) == 0.1


def test_an_index_keeps_its_digits_wherever_it_is():
    index = np.array([100 * 1.1, 1.23456789012345e9, 1.23456789012345e-5, 0.0, np.nan])
    shown = tidy_index(index)
    assert shown[:4].tolist() == [110.0, 1234567890.12, 1.23456789012e-5, 0.0]
    assert np.isnan(shown[4])


def test_a_series_has_twelve_digits_each_and_none_below_the_noise_of_its_largest():
    shown = tidy_series(np.array([3.980000000000005, 1.4e-13, -1 / 3, 2_000_000.1 / 3]))
    assert shown.tolist() == [3.98, 0.0, -0.3333333, 666666.7]
    small = tidy_series(np.array([3.980000000000005, 1.4e-13, -1 / 3]))
    assert small.tolist() == [3.98, 0.0, -0.333333333333]
    large = tidy_series(np.array([123456789012345678.0, np.nan]))
    assert large[0] == 123456789012000000.0
    assert np.isnan(large[1])


def test_omitted_values_are_below_a_billionth_of_the_largest():
    series = np.array([9.87654321987654321e9, 1.23456789e-3])
    assert np.abs(tidy(series) - series).max() <= 1e-12 * series[0]


def test_what_is_unknown_on_a_day_leaves_the_other_days_tidy():
    tidied = tidy_series(np.array([3.980000000000005, np.nan, 1.4e-13, 12345.6]))
    assert tidied[[0, 2, 3]].tolist() == [3.98, 0, 12345.6]
    assert np.isnan(tidied[1])
