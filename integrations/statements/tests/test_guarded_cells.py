"""Test that no cell that we write is a formula anywhere, and that reading gives the same text."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.statements.generic import guarded, unguarded

FORMULA_CHARACTERS = "=+-@\t\r＝＋－＠"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("＝1＋1", "'＝1＋1"),
        ("－5", "'－5"),
        ("＠SUM", "'＠SUM"),
        ("a;=1+1", "a;'=1+1"),
        ("a;＝1;b;@x", "a;'＝1;b;'@x"),
        ("a;'=1", "a;''=1"),
        ('a;"=1"', 'a;\'"=1"'),
        ("a\n=1", "a\n'=1"),
        ("'=1", "''=1"),
        ("'tis; so-so = fine", "'tis; so-so = fine"),
        ("", ""),
    ],
)
def test_a_text_becomes_a_cell_and_again_the_text(text, cell):
    assert guarded(text) == cell
    assert unguarded(cell) == text


@given(st.text(st.sampled_from(f"a'\";\n {FORMULA_CHARACTERS}")))
def test_every_text_survives_and_no_spreadsheet_reads_a_formula(text):
    cell = guarded(text)
    assert unguarded(cell) == text
    assert cell[:1] not in FORMULA_CHARACTERS or not cell


@given(st.text(st.sampled_from(f"a'\";\n {FORMULA_CHARACTERS}"), min_size=1))
def test_no_cell_of_a_spreadsheet_that_splits_at_semicolons_is_a_formula(text):
    line = io.StringIO()
    csv.writer(line).writerow(["first", guarded(text)])
    for row in csv.reader(io.StringIO(line.getvalue(), newline=""), delimiter=";"):
        # The first cell holds what stood before the first semicolon, `first,…`.
        for found in row:
            assert found[:1] not in FORMULA_CHARACTERS or not found.strip("\r\n")
