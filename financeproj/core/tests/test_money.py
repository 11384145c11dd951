"""Test formatting of decimals, and shares after a split."""

from decimal import Decimal as D

import pytest

from financeproj.core.money import in_new_shares, round_for_display, strip_zeros


@pytest.mark.parametrize(
    ("value", "written"),
    [("0.10", "0.1"), ("1E+2", "100"), ("0", "0"), ("1E+51", "1" + 51 * "0"), ("1E-60", "1E-60")],
)
def test_a_number_is_written_without_trailing_zeros_however_large_it_is(value, written):
    assert str(strip_zeros(D(value))) == str(round_for_display(D(value))) == written


@pytest.mark.parametrize(
    ("ratio", "of_30"),
    [
        ("4", "120"),
        ("0.1", "3"),
        ("0.333333333333333", "10"),
        ("0.3333333333333333", "10"),
        ("0.666666666666666", "20"),
        ("0.0666666666666667", "2"),
        ("1.33333333333333", "40"),
        ("2.33333333333333", "70"),
        # What is not written out to the end of a float is meant as it stands.
        ("0.3333", "9.999"),
        ("0.33333333333333", "9.9999999999999"),
        ("0.123456789012345", "3.70370367037035"),
    ],
)
def test_a_ratio_that_is_a_fraction_cut_off_counts_as_that_fraction(ratio, of_30):
    assert in_new_shares(D(30), D(ratio)) == D(of_30)
