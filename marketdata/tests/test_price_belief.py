"""Which closes of a source are believed, without a database."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.calc.names import is_other_name
from marketdata.calc.price_belief import Doubted, Known, Verdict, sift, sift_first, usable
from marketdata.calc.sanity import Doubt

START = date(2026, 1, 5)


def on(place: int) -> date:
    return START + timedelta(days=place)


def dated(values: list, first: int = 0) -> list[tuple[date, D]]:
    return [(on(first + place), D(str(value))) for place, value in enumerate(values)]


def known(values: list = (), **fields) -> Known:
    """Return what is known after `values` were stored on the days before day 0."""
    return Known(closes=dict(dated(values, -len(values))), **fields)


def ends(verdict: Verdict) -> tuple[list[float], list[tuple[float, str]]]:
    believed = [float(verdict.believed[day]) for day in sorted(verdict.believed)]
    held = [(float(one.value), one.reason) for _, one in sorted(verdict.held.items())]
    return believed, held


def sifted(values: list, stored: list = (100,), name: str = "", **fields):
    return ends(sift(dated(values), known(stored, **fields), name=name))


# --- moves that wait ------------------------------------------------------------------------------


@pytest.mark.parametrize("close", [40, 160])
def test_a_move_of_60_percent_is_believed_at_once(close):
    assert sifted([close]) == ([close], [])


@pytest.mark.parametrize("close", ["39.99", "160.01"])
def test_a_larger_move_waits_for_the_next_trading_day(close):
    assert sifted([close]) == ([], [(float(close), "jump")])


@pytest.mark.parametrize(
    ("following", "is_confirmed"), [(24, 1), (36, 1), ("23.9", 0), ("36.1", 0)]
)
def test_a_move_is_confirmed_by_a_next_close_within_20_percent(following, is_confirmed):
    believed, _ = sifted([30, following])
    assert (30.0 in believed) == bool(is_confirmed)


def test_only_the_next_close_confirms():
    assert sifted([30, 60, 30]) == ([60.0, 30.0], [(30.0, "jump")])


def test_a_move_that_waited_is_confirmed_by_a_later_answer():
    waiting = {on(0): Doubted(D(30))}
    assert sifted([30, 29], doubts=waiting) == ([30, 29], [])


def test_moves_are_seen_through_splits():
    splits = [(on(0), D(4))]
    assert sifted([25, 26], splits=splits) == ([25, 26], [])
    assert sifted([100, 26], splits=splits) == ([26], [(100, "unadjusted")])


# --- moves that nothing confirms ------------------------------------------------------------------


@pytest.mark.parametrize("factor", ["100", "1000", "0.01", "0.001"])
@pytest.mark.parametrize("share", ["0.81", "1", "1.19"])
def test_a_slip_of_units_is_never_confirmed(factor, share):
    slip = D(factor) * D(share) * 100
    believed, held = sifted([slip, slip, slip, 101])
    assert believed == [101]
    # 1.2 of a factor is another move, and 0.81 follows.
    assert [reason for _, reason in held] == ["unit_slip"] * 3


def test_three_closes_in_pounds_are_held_back_and_pence_stand():
    assert sifted(["0.06", "0.0602", "0.0601", "6.01"], stored=[6, 6]) == (
        [6.01],
        [(0.06, "unit_slip"), (0.0602, "unit_slip"), (0.0601, "unit_slip")],
    )


def test_a_factor_of_10_can_be_confirmed():
    assert sifted([1000, 1010]) == ([1000, 1010], [])


@pytest.mark.parametrize(
    ("ratio", "close"), [(4, 400), (4, 25), ("0.1", 10), ("1.5", 150), (2, 55)]
)
@pytest.mark.parametrize("days", [-30, 30])
def test_a_move_by_the_ratio_of_a_split_within_30_days_is_never_confirmed(ratio, close, days):
    seen = Known(closes={on(-1): D(100)}, splits=[(on(days), D(ratio))])
    assert ends(sift(dated([close]), seen)) == ([], [(close, "unadjusted")])


@pytest.mark.parametrize("days", [-31, 40])
def test_splits_further_away_do_not_matter(days):
    assert sifted([400, 401], splits=[(on(days), D(4))]) == ([400, 401], [])


def test_a_small_split_explains_nothing():
    assert sifted([140, 141], splits=[(on(20), D("1.4"))]) == ([140, 141], [])


def test_another_name_and_a_move_of_more_than_20_percent_are_never_confirmed():
    seen = replace(known([100]), name="Alpha Inc.")
    verdict = sift(dated([120, 145, 118]), seen, name="Beta plc")
    assert ends(verdict) == ([120, 118], [(145, "other_name")])
    assert ends(sift(dated([120, 145, 118]), seen, name="ALPHA INC")) == ([120, 145, 118], [])


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        ("Equinor ASA", "EQUINOR", False),
        ("Procter & Gamble Co.", "Procter Gamble Company", False),
        ("Nestlé S.A.", "Nestle SA", False),
        ("Alpha Inc", "Beta Inc", True),
        ("", "Beta", False),
    ],
)
def test_names_are_compared_without_case_punctuation_and_legal_form(one, other, differs):
    assert is_other_name(one, other) is differs


def test_later_closes_are_held_back_with_the_last_one_until_one_is_near_what_stands():
    # 13000 is not a factor of 100, but near 10000.
    assert sifted([10000, 13000, 20000, 110, 111]) == (
        [110, 111],
        [(10000, "unit_slip"), (13000, "follows"), (20000, "follows")],
    )


def test_closes_near_one_that_was_held_back_in_an_earlier_answer_are_held_back_with_it():
    doubts = {on(-1): Doubted(D(10000), "unit_slip")}
    seen = Known(closes={on(-2): D(100)}, doubts=doubts)
    assert ends(sift(dated([13000, 13100]), seen)) == (
        [],
        [(13000, "follows"), (13100, "follows")],
    )


def test_a_dismissed_close_stays_dismissed_and_holds_the_later_ones():
    doubts = {on(0): Doubted(D(30), "jump", is_dismissed=True)}
    assert sifted([30, 29, 28, 95], doubts=doubts) == (
        [95],
        [(30, "jump"), (29, "follows"), (28, "follows")],
    )
    assert sifted([98, 97], doubts=doubts) == ([98, 97], [])
    assert sifted([31], doubts=doubts) == ([], [(30, "jump")])


# --- levels that return ---------------------------------------------------------------------------


def test_a_return_after_a_jump_of_more_than_20_fold_takes_back_what_lies_between():
    verdict = sift(dated([600]), known([600, 20, 21]))
    assert ends(verdict) == ([600], [(20, "returned"), (21, "returned")])
    assert verdict.taken_back == {on(-2), on(-1)}


def test_what_waited_between_a_jump_and_the_return_is_held_back_for_good():
    """The old level is 10,000, seen once in a first history whose other closes are 100."""
    stored = dated([D(100), D(100), D(10_000)], -3)
    seen = after(Known(), sift_first(stored, Known()))
    said = dated([D(30), D(30), D(100), D(10_000)])
    once = sift(said, seen)
    assert list(once.believed.values()) == [10_000]
    assert [one.reason for one in once.held.values()] == ["returned"] * 3
    twice = sift(said, after(seen, once))
    assert (twice.believed, twice.held.keys()) == (once.believed, once.held.keys())


def test_a_return_within_one_answer():
    assert sifted([20, 21, 600], stored=[600]) == ([600], [(20, "returned"), (21, "returned")])


@pytest.mark.parametrize(("days", "is_back"), [(90, True), (91, False)])
def test_a_return_is_one_for_90_days(days, is_back):
    seen = Known(closes={on(-days - 1): D(600), on(-days): D(20), on(-1): D(21)})
    believed, held = ends(sift(dated([600]), seen))
    assert believed == ([600] if is_back else [])
    assert len(held) == (2 if is_back else 1)


def test_a_jump_of_20_fold_is_not_taken_back():
    believed, held = sifted([100, 101], stored=[100, 5, 5])
    assert (believed, held) == ([100, 101], [])


def test_what_a_person_accepted_is_not_taken_back():
    seen = known([600, 20, 21], fixed={on(-2)})
    assert ends(sift(dated([600]), seen)) == ([600], [(21, "returned")])


def test_a_source_that_slips_again_and_again_is_held_back_each_time():
    values = [600, 6, 600, 6, "6.1", 600, 6]
    assert sifted(values, stored=[600]) == (
        [600, 600, 600],
        [(6, "unit_slip"), (6, "unit_slip"), (6.1, "unit_slip"), (6, "unit_slip")],
    )
    doubts = {on(-2): Doubted(D(6), "unit_slip")}
    seen = Known(closes={on(-3): D(600), on(-1): D(600)}, doubts=doubts)
    assert ends(sift(dated([6, 6]), seen)) == ([], [(6, "unit_slip")] * 2)


# --- a first history ------------------------------------------------------------------------------


def first(values: list, **fields):
    return ends(sift_first(dated(values), Known(**fields)))


def test_the_level_of_more_of_the_last_20_closes_is_believed():
    assert first([600] * 10 + [6] * 11) == ([6] * 11, [(600, "other_side")] * 10)
    assert first([600] * 30 + [6] * 3) == ([600] * 30, [(6, "other_side")] * 3)
    assert first([6] * 300 + [600] * 20) == ([600] * 20, [(6, "other_side")] * 300)


def test_of_as_many_the_level_of_the_latest_is_believed():
    assert first([600] * 10 + [6] * 10) == ([6] * 10, [(600, "other_side")] * 10)
    assert first([600, 6]) == ([6], [(600, "other_side")])


def test_levels_alternate_in_a_first_history():
    assert first([600, 6, 601, 6.01, 602]) == (
        [600, 601, 602],
        [(6, "other_side"), (6.01, "other_side")],
    )


def test_a_last_move_of_a_first_history_waits():
    assert first([100, 101, 30]) == ([100, 101], [(30, "jump")])
    assert first([100, 30]) == ([100], [(30, "jump")])
    assert first([100, 30, 31]) == ([100, 30, 31], [])


def test_levels_of_a_first_history_are_seen_through_splits():
    splits = [(on(5), D(4))]
    values = [400] * 5 + [100] * 5
    assert first(values, splits=splits) == (values, [])
    # Two closes were not adjusted yet.
    values = [400] * 5 + [400, 400] + [100] * 8
    assert first(values, splits=splits) == ([400] * 5 + [100] * 8, [(400, "other_side")] * 2)


def test_the_old_level_returns_after_a_history_that_ended_on_the_other():
    verdict = sift_first(dated([600] * 10 + [6] * 15, -25), Known())
    doubts = {day: Doubted(one.value, one.reason) for day, one in verdict.held.items()}
    seen = Known(closes=verdict.believed, doubts=doubts)
    believed, held = ends(sift(dated([600]), seen))
    assert (believed, held) == ([600], [(6, "returned")] * 15)


def test_reading_a_history_again_may_change_sides():
    stored = dict(dated([6] * 5))
    verdict = sift_first(dated([6] * 5 + [600] * 15), Known(closes=stored))
    assert verdict.taken_back == set(stored)
    assert ends(verdict) == ([600] * 15, [(6, "other_side")] * 5)


def test_an_empty_history_says_nothing():
    assert sift_first([], Known()) == Verdict()
    assert sift([], Known()) == Verdict()


# --- days that are said again ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("again", "is_held"), [(80, False), (120, False), ("79.9", True), (130, True)]
)
def test_a_finished_day_said_again_more_than_20_percent_off_is_held_back(again, is_held):
    seen = Known(closes={on(0): D(100)})
    verdict = sift(dated([again]), seen)
    expected = {on(0): Doubt(on(0), D(str(again)), "restated", D(100))} if is_held else {}
    assert verdict.held == expected
    assert verdict.believed == ({} if is_held else {on(0): D(str(again))})
    assert not verdict.taken_back


def test_a_corrected_split_explains_closes_that_are_said_again():
    restated = [((on(5), D("12")), (on(5), D("20")))]
    seen = Known(closes={on(0): D(60), on(6): D(5)}, restated=restated)
    assert ends(sift([(on(0), D(100)), (on(6), D(5))], seen)) == ([100, 5], [])
    assert ends(sift([(on(0), D(94))], seen)) == ([], [(94, "restated")])


def test_a_withdrawn_split_and_one_that_came_back_explain_closes():
    split = (on(5), D(4))
    seen = Known(closes={on(0): D(400)})
    assert ends(sift(dated([100]), replace(seen, restated=[(split, None)]))) == ([100], [])
    seen = Known(closes={on(0): D(100)})
    assert ends(sift(dated([400]), replace(seen, restated=[(None, split)]))) == ([400], [])


def test_a_moved_split_explains_the_days_between():
    restated = [((on(2), D(4)), (on(4), D(4)))]
    seen = Known(closes={on(1): D(400), on(3): D(100)}, restated=restated)
    assert ends(sift([(on(1), D(400)), (on(3), D(400))], seen)) == ([400, 400], [])


def test_a_price_by_hand_stays_and_is_compared_with():
    seen = Known(closes={on(0): D(50)}, fixed={on(0)})
    assert ends(sift(dated([100, 51]), seen)) == ([51], [])


# --- nothing that is not a price ------------------------------------------------------------------


@pytest.mark.parametrize("nonsense", ["0", "-5", "NaN", "Infinity", "-Infinity", "sNaN"])
def test_what_is_not_above_0_is_left_out(nonsense):
    assert usable([(on(0), D(nonsense)), (on(1), D(1))]) == [(on(1), D(1))]


values = st.lists(
    st.sampled_from([D(x) for x in ("100", "101", "30", "31", "10000", "1", "0.1", "3000", "151")]),
    max_size=14,
)


@given(values, values, st.booleans())
def test_every_close_is_believed_or_held_back_once_and_again_the_same(stored, said, is_first):
    seen = known([float(value) for value in stored])
    closes = dated(said)
    verdict = sift_first(closes, seen) if is_first else sift(closes, seen)
    days = {day for day, _ in closes}
    assert verdict.believed.keys() | verdict.held.keys() >= days
    assert not verdict.believed.keys() & verdict.held.keys()
    assert verdict.taken_back <= verdict.held.keys() | days
    for day, close in verdict.believed.items():
        assert dict(closes)[day] == close


def after(seen: Known, verdict: Verdict) -> Known:
    """Return what is known once `verdict` is stored."""
    closes = {**seen.closes, **verdict.believed}
    for day in verdict.taken_back:
        closes.pop(day, None)
    doubts = dict(seen.doubts)
    for day in verdict.believed:
        doubts.pop(day, None)
    for day, one in verdict.held.items():
        doubts[day] = Doubted(one.value, one.reason)
    return Known(closes=closes, doubts=doubts)


@given(values, values)
def test_an_answer_that_is_repeated_changes_nothing(stored, said):
    seen = after(Known(), sift_first(dated(stored, -len(stored)), Known()))
    once = sift(dated(said), seen)
    twice = sift(dated(said), after(seen, once))
    assert twice.believed == once.believed
    assert not twice.taken_back
    days = dict(dated(said)).keys()
    assert twice.held.keys() == once.held.keys() & days


@given(values, values)
def test_an_answer_says_the_same_in_parts(stored, said):
    """Each refresh reads some days again and brings one more."""
    seen = after(Known(), sift_first(dated(stored, -len(stored)), Known()))
    at_once = after(seen, sift(dated(said), seen))
    for count in range(1, len(said) + 1):
        seen = after(seen, sift(dated(said[:count]), seen))
    assert seen.closes == at_once.closes
    assert seen.doubts.keys() == at_once.doubts.keys()
