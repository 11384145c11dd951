"""Which exchange rates of a source are believed, without a database."""

from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.calc.price_belief import Doubted
from marketdata.calc.rate_belief import KnownRates, sift_rates, usable_rates

START = date(2026, 3, 2)


def on(place: int) -> date:
    return START + timedelta(days=place)


def dated(values: list, first: int = 0) -> list[tuple[date, D]]:
    return [(on(first + place), D(str(value))) for place, value in enumerate(values)]


def sifted(values: list, last: object = None, ecb: list = (), ecb_from: int = 0, **fields):
    """Return the rates believed and those held back with their reasons."""
    earlier = None if last is None else (on(-1), D(str(last)))
    known = KnownRates(earlier=earlier, reference=dated(ecb, ecb_from), **fields)
    believed, held = sift_rates(dated(values), known)
    return [float(rate) for _, rate in believed], [(float(x.value), x.reason) for x in held]


# --- the ECB's rate of the same day ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "is_believed"), [("9.6", 1), ("14.4", 1), ("9.59", 0), ("14.41", 0)]
)
def test_a_rate_within_20_percent_of_the_ecbs_is_believed(rate, is_believed):
    believed, held = sifted([rate], ecb=[12], last=12)
    assert (len(believed), len(held)) == (is_believed, 1 - is_believed)


def test_one_rate_of_a_hundredfold_is_held_back():
    assert sifted([11.7, 1168, 11.69], last=11.68, ecb=[11.7, 11.68, 11.69]) == (
        [11.7, 11.69],
        [(1168, "far_from_ecb")],
    )


def test_what_the_ecb_refutes_is_held_back_whatever_follows_and_whatever_stood():
    assert sifted([15, 15, 15], last=15, ecb=[11, 11, 11]) == ([], [(15, "far_from_ecb")] * 3)


def test_the_ecb_confirms_a_jump_at_once():
    assert sifted([15], last=11, ecb=[15]) == ([15], [])


def test_a_rate_that_a_person_accepted_stands_against_the_ecb():
    assert sifted([15], ecb=[11], rates={on(0): D(15)}, fixed={on(0)}) == ([15], [])


# --- the ECB's last rate, and the last one believed -----------------------------------------------


def test_without_anything_to_compare_with_a_rate_is_believed():
    assert sifted([11]) == ([11], [])


@pytest.mark.parametrize(("last", "ecb"), [(11, [20]), (20, [11]), (11, []), (None, [11])])
def test_a_rate_near_the_last_one_or_near_the_ecbs_last_is_believed(last, ecb):
    assert sifted([11.5], last=last, ecb=ecb, ecb_from=-1) == ([11.5], [])


def test_a_rate_far_from_both_waits_for_the_next_one():
    assert sifted([15], last=11, ecb=[11], ecb_from=-1) == ([], [(15, "jump")])
    assert sifted([15, 18], last=11) == ([15, 18], [])
    assert sifted([15, 18.01], last=11) == ([], [(15, "jump"), (18.01, "jump")])


def test_the_ecbs_last_rate_counts_for_90_days():
    known = KnownRates(reference=[(on(-90), D(11))])
    assert sift_rates(dated([15]), known)[0] == []
    known = KnownRates(reference=[(on(-91), D(11))])
    assert sift_rates(dated([15]), known)[0] == dated([15])


def test_a_next_rate_that_the_ecb_refutes_confirms_nothing():
    assert sifted([15, 15], last=11, ecb=[11], ecb_from=1) == (
        [],
        [(15, "jump"), (15, "far_from_ecb")],
    )


@pytest.mark.parametrize("factor", ["10", "100", "1000", "0.1", "0.01", "0.001"])
@pytest.mark.parametrize("share", ["0.8", "1", "1.2"])
def test_a_factor_of_ten_is_never_confirmed(factor, share):
    slip = D(factor) * D(share) * 11
    believed, held = sifted([slip, slip, 11], last=11)
    assert believed == [11]
    # The inverse of 11 is near a hundredth of it.
    assert {reason for _, reason in held} <= {"factor_of_ten", "inverted"}
    assert len(held) == 2


@pytest.mark.parametrize(("last", "ecb"), [(11, []), (None, [11]), (30, [11]), (11, [30])])
def test_an_inverted_rate_is_never_confirmed(last, ecb):
    believed, held = sifted([0.0909, 0.091], last=last, ecb=ecb, ecb_from=-1)
    assert (believed, held) == ([], [(0.0909, "inverted"), (0.091, "inverted")])


def test_later_rates_near_one_held_back_are_held_back_with_it():
    # 134 is not a factor of ten of 11 and would be confirmed.
    assert sifted([131, 134, 134, 11.2], last=11) == (
        [11.2],
        [(131, "factor_of_ten"), (134, "follows"), (134, "follows")],
    )


def test_a_dismissed_rate_stays_dismissed_and_holds_the_later_ones():
    doubts = {on(0): Doubted(D(15), "jump", is_dismissed=True)}
    assert sifted([15, 15.1, 11.1], last=11, doubts=doubts) == (
        [11.1],
        [(15, "jump"), (15.1, "follows")],
    )


def test_a_rate_that_is_believed_already_needs_no_confirmation():
    assert sifted([15.1], last=11, rates={on(0): D(15)}) == ([15.1], [])


@pytest.mark.parametrize("nonsense", ["0", "-1", "NaN", "Infinity"])
def test_what_is_not_above_0_is_left_out(nonsense):
    assert usable_rates([(on(0), D(nonsense)), (on(1), D(1))]) == [(on(1), D(1))]


rates = st.lists(
    st.sampled_from([D(x) for x in ("11", "12", "15", "110", "0.09", "1100")]), max_size=10
)
references = st.dictionaries(st.integers(-95, 9).map(on), st.sampled_from([D(11), D(15)]))


@given(rates, references)
def test_an_answer_in_parts_says_the_same_as_at_once(said, reference):
    ordered = sorted(reference.items())
    at_once, held_at_once = sift_rates(dated(said), KnownRates(reference=ordered))
    stored: dict = {}
    doubts: dict = {}
    for count in range(1, len(said) + 1):
        known = KnownRates(rates=stored, doubts=doubts, reference=ordered)
        believed, held = sift_rates(dated(said[:count]), known)
        stored = stored | dict(believed)
        doubts = {one.date: Doubted(one.value, one.reason) for one in held}
    assert stored == dict(at_once)
    assert doubts.keys() == {one.date for one in held_at_once}
