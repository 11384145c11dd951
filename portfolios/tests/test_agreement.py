"""Test the comparison of checkpoints with the ledger against sums made by hand."""

from datetime import date, timedelta
from decimal import Decimal as D
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from portfolios.calc.agreement import BookedRow, Stated, Thing, compare, openings
from portfolios.calc.duplicates import fingerprint
from portfolios.calc.import_rows import Checkpoint

NOK, FJORD = Thing(False, "NOK"), Thing(True, "FJORD")
FIRST, SECOND = uuid4(), uuid4()


def day(number):
    return date(2024, 11, number)


def stated(on, amount, *, ticker="", rows_of_day=1, decimals=2, row=2, by=FIRST):
    checkpoint = Checkpoint(
        day=day(on), amount=D(amount), decimals=decimals, row=row, rows_of_day=rows_of_day,
        currency="" if ticker else "NOK", ticker=ticker,
    )  # fmt: skip
    return Stated(checkpoint, by)


def moved(on, amount, **fields):
    """A deposit or withdrawal as it was imported, or as `fields` say."""
    amount = D(amount)
    kind = "deposit" if amount > 0 else "withdrawal"
    was = {
        "import_id": FIRST,
        "imported_as": fingerprint(":NOK", day(on), kind, D(1), amount, None),
        "imported_currency": "NOK",
        "imported_amount": amount,
        "imported_on": day(on),
        "settlement_amount": amount,
    }
    return row_of(kind, on, "1", str(abs(amount)), **was | fields)


def row_of(kind, on, quantity, price, **fields):
    columns = {
        "pk": uuid4(), "ticker": None, "type": kind, "date": day(on), "effective_date": day(on),
        "sequence": 1, "quantity": D(quantity), "price": D(price), "commission": D(0),
        "tax": D(0), "exchange_rate": D(1), "settlement_currency": "NOK",
        "settlement_amount": None, "booked_on": None,
        "carried": None, "source": "import", "import_id": None,
    }  # fmt: skip
    return BookedRow(**columns | fields)


def compared(points, rows):
    return compare(points, rows, "NOK")


def test_without_checkpoints_nothing_is_said():
    found = compared([], [moved(1, "9000")])
    assert (found.agrees_until, found.first_difference, found.checkpoints) == (None, None, 0)
    assert found.reason == "no_checkpoints"


def test_the_last_day_of_checkpoints_that_all_agree_is_how_far_it_agrees():
    rows = [moved(1, "9000"), moved(4, "-500.25")]
    found = compared([stated(1, "9000"), stated(4, "8499.75")], rows)
    assert (found.agrees_until, found.first_difference, found.reason) == (day(4), None, None)


def test_the_first_difference_names_what_stands_in_the_file_and_in_the_ledger():
    rows = [moved(1, "9000"), moved(4, "-500"), moved(6, "-100")]
    points = [stated(1, "9000"), stated(4, "8400", row=7), stated(6, "8400")]
    found = compared(points, rows)
    first = found.first_difference
    assert (found.agrees_until, first.day, first.got) == (day(1), day(4), D("8500"))
    assert (first.stated.checkpoint.row, first.stated.import_id) == (7, FIRST)
    assert found.culprit is None  # every row is as it was imported


def test_a_difference_on_the_first_day_leaves_nothing_that_agrees():
    found = compared([stated(1, "9001")], [moved(1, "9000")])
    assert (found.agrees_until, found.first_difference.got) == (None, D("9000"))


def test_k1_of_two_files_the_one_with_more_rows_of_the_day_counts():
    noon, evening = stated(9, "9000"), stated(9, "8500", rows_of_day=2, by=SECOND)
    rows = [moved(9, "9000"), moved(9, "-500", import_id=SECOND)]
    for points in ([noon, evening], [evening, noon]):
        assert compared(points, rows).agrees_until == day(9)
    undone = compared([noon], rows[:1])
    assert (undone.agrees_until, undone.first_difference) == (day(9), None)


def test_of_equal_files_the_newest_counts():
    older, newer = stated(9, "9000"), stated(9, "8500", by=SECOND)
    assert compared([older, newer], [moved(9, "8500")]).agrees_until == day(9)
    assert compared([newer, older], [moved(9, "8500")]).first_difference.stated == older


def test_k2_shares_count_on_the_day_on_which_each_row_was_booked():
    rows = [
        row_of("buy", 1, "10", "5", ticker="FJORD"),
        row_of("sell", 4, "5", "6", ticker="FJORD", booked_on=day(6)),
        row_of("buy", 5, "3", "6", ticker="FJORD", booked_on=day(5)),
    ]
    points = [
        stated(5, "13", ticker="FJORD", decimals=0),
        stated(6, "8", ticker="FJORD", decimals=0),
    ]
    assert compared(points, rows).agrees_until == day(6)


def test_a_split_counts_on_the_brokers_day_although_the_ledger_dates_it_otherwise():
    buy = row_of("buy", 1, "10", "5", ticker="FJORD")
    split = row_of("split", 8, "4", "0", ticker="FJORD", effective_date=day(6))
    rows = [buy, split]
    points = [stated(7, "10", ticker="FJORD"), stated(8, "40", ticker="FJORD")]
    assert compared(points, rows).agrees_until == day(8)


def test_both_are_rounded_to_the_decimals_that_the_file_writes():
    rows = [
        row_of("buy", 1, "7", "5", ticker="FJORD"),
        row_of("split", 2, "0.333333333333333", "0", ticker="FJORD"),
    ]
    said = stated(2, "2.3333", ticker="FJORD", decimals=4)
    assert compared([said], rows).agrees_until == day(2)
    exact = stated(2, "2.3333", ticker="FJORD", decimals=6)
    assert compared([exact], rows).agrees_until is None


def test_money_comes_before_shares_of_the_same_day():
    rows = [row_of("buy", 1, "10", "5", ticker="FJORD", settlement_amount=D("-50"))]
    points = [stated(1, "11", ticker="FJORD"), stated(1, "-51")]
    assert compared(points, rows).first_difference.stated.thing == NOK


@pytest.mark.parametrize(
    "change",
    [
        {"settlement_amount": D("-400")},
        {"booked_on": date(2024, 11, 8)},
        {"settlement_currency": "SEK"},
    ],
)
def test_the_row_to_look_at_is_the_first_that_is_not_as_imported(change):
    edited = replace(moved(4, "-500"), **change)
    by_hand = moved(3, "-1", import_id=None, imported_as="")
    rows = [moved(1, "9000"), by_hand, edited, moved(5, "-10")]
    found = compared([stated(1, "9000"), stated(5, "8490")], rows)
    assert (found.agrees_until, found.culprit) == (day(1), edited.pk)


def test_else_it_is_the_first_row_that_no_import_brought():
    by_hand = moved(3, "-1", import_id=None, imported_as="")
    rows = [moved(1, "9000"), by_hand, moved(4, "-500")]
    assert compared([stated(1, "9000"), stated(4, "8500")], rows).culprit == by_hand.pk


def test_a_row_of_an_earlier_release_is_known_by_its_fingerprint():
    rows = []
    for price in ("5", "6"):
        print_ = fingerprint("FJORD", day(2), "buy", D(10), D(5), D(0))
        row = row_of("buy", 2, "10", price, ticker="FJORD", import_id=FIRST, imported_as=print_)
        rows.append(row)
    as_imported, edited = rows
    assert compared([stated(2, "-49")], [as_imported]).culprit is None
    assert compared([stated(2, "-50")], [edited]).culprit == edited.pk


def test_an_import_is_compared_where_no_better_file_contradicts_it():
    noon, evening = stated(9, "9000"), stated(9, "8500", rows_of_day=2, by=SECOND)
    found = compared([noon, evening], [moved(9, "9000")])
    assert found.of_import([noon.checkpoint]) == []
    [own] = found.of_import([evening.checkpoint])
    assert (own.agrees, own.got) == (False, D("9000"))


def test_k3_what_stood_before_the_first_file_goes_when_the_years_before_come():
    this_year = [stated(5, "1300"), stated(6, "1200")]
    rows = [moved(5, "-200", import_id=SECOND), moved(6, "-100", import_id=SECOND)]
    assert openings(this_year, rows, "NOK") == {"NOK": D("1500")}
    years = [stated(1, "1500"), *this_year]
    assert openings(years, [moved(1, "1500"), *rows], "NOK") == {}


def test_an_opening_takes_imported_rows_as_they_were_imported():
    edited = moved(5, "-200", settlement_amount=D("-250"))
    assert openings([stated(5, "1300")], [edited], "NOK") == {"NOK": D("1500")}
    derived = moved(1, "700", source="derived", imported_on=None)
    assert openings([stated(5, "1300")], [edited, derived], "NOK") == {"NOK": D("1500")}


AMOUNTS = st.integers(-10_000, 10_000).filter(bool).map(lambda cents: D(cents) / 100)


@given(st.lists(st.tuples(st.integers(0, 20), AMOUNTS), min_size=1, max_size=12), st.data())
def test_a_file_agrees_with_its_own_rows_after_its_opening_and_one_cent_more_is_found(moves, data):
    """Balances after each day follow from an opening of 100 and the rows."""
    rows, points, balance = [], [], D(100)
    for number, amount in sorted(moves):
        balance += amount
        on = date(2024, 1, 1) + timedelta(days=number)
        rows.append(replace(moved(1, amount), date=on, imported_on=on))
        checkpoint = Checkpoint(
            day=on, amount=balance, decimals=2, row=2, rows_of_day=len(rows), currency="NOK"
        )
        points.append(Stated(checkpoint, FIRST))
    assert openings(points, rows, "NOK") == {"NOK": D(100)}
    opening = moved(1, "100", source="derived", type="opening", import_id=None, imported_on=None)
    opening = replace(opening, date=date(2023, 12, 31))
    found = compared(points, [*rows, opening])
    assert (found.agrees_until, found.first_difference) == (rows[-1].date, None)
    at = data.draw(st.integers(0, len(rows) - 1))
    one = rows[at]
    rows[at] = replace(one, settlement_amount=one.settlement_amount + D("0.01"))
    found = compared(points, [*rows, opening])
    assert (found.first_difference.day, found.culprit) == (one.date, one.pk)
