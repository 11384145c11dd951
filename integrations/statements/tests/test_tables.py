"""Read tables that have lines of text above and below them."""

from dataclasses import replace
from datetime import date
from decimal import Decimal as D

import pytest

from integrations.statements.base import Options
from integrations.statements.registry import read_statement
from integrations.statements.tests.samples import SAMPLES

OPTIONS = Options(
    today=date(2026, 1, 1), number_problem=lambda value: None, is_currency=lambda code: True
)
HEADER = "date;type;ticker;quantity;price"
ROW = "2024-03-01;buy;EQNR.OL;10;281,35"


def read(*lines, end="\n", **options):
    data = ("\n".join(lines) + end).encode()
    return read_statement(data, OPTIONS, **options)


@pytest.mark.parametrize("blank", [0, 1])
@pytest.mark.parametrize("titles", [1, 5, 18])
def test_the_header_is_found_within_the_first_20_lines(titles, blank):
    above = ["Kontoutskrift for Kari Nordmann"] * titles + [""] * blank
    statement = read(*above, HEADER, ROW)
    assert (statement.format, statement.delimiter) == ("generic", ";")
    assert [(row.row, row.price) for row in statement.rows] == [(titles + blank + 2, D("281.35"))]


def test_a_header_below_the_20th_line_is_not_looked_for():
    with pytest.raises(Exception, match="does not match any known format"):
        read(*["Konto;Navn;Valuta"] * 20, HEADER, ROW)


@pytest.mark.parametrize(
    "note",
    [
        "Disclaimer",
        "Generated;today",
        "This file was made on 1 March; it is not, as such, a tax document; ask; your; bank; first",
    ],
)
def test_lines_of_text_after_the_table_do_no_harm(note):
    statement = read(HEADER, ROW, "", note, note)
    assert (len(statement.rows), statement.failed, statement.ignored) == (1, 0, 0)


def test_a_row_without_a_day_is_an_error_and_no_note():
    statement = read(
        "ticker;company_name;type;quantity;price;date", "EQNR.OL;Equinor;buy;10;281,35;"
    )
    assert (len(statement.rows), statement.failed) == (0, 1)


def test_a_name_of_many_words_in_the_first_column_is_no_note():
    statement = read(
        "company_name;date;type;ticker;quantity;price",
        "Vanguard FTSE All World;2024-03-01;buy;VWRL.AS;10;95,50",
    )
    assert [row.ticker for row in statement.rows] == ["VWRL.AS"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1'234.50", "1234.50"),
        ("1’234.50", "1234.50"),
        ("12'345'678", "12345678"),
        ("-1'000.0", "-1000.0"),
    ],
)
def test_swiss_thousands_have_an_apostrophe(text, number):
    statement = read(
        "date,type,ticker,quantity,price,settlement_amount,settlement_currency",
        f"2024-03-01,fee,EQNR.OL,1,1,{'-' + text.lstrip('-')},CHF",
    )
    assert statement.rows[0].settlement_amount == -abs(D(number))


@pytest.mark.parametrize("text", ["1'23.50", "1''234", "12'34", "0'123"])
def test_an_apostrophe_elsewhere_is_not_a_number(text):
    statement = read("date,type,ticker,quantity,price", f"2024-03-01,buy,EQNR.OL,1,{text}")
    assert [problem.code for problem in statement.problems] == ["invalid"]


OURS = {
    "avanza", "degiro", "generic", "revolut", "revolut-crypto", "saxo", "schwab", "swissquote",
}  # fmt: skip


@pytest.mark.parametrize(
    "sample", [one for one in SAMPLES if one.format in OURS], ids=lambda one: one.name
)
def test_lines_around_a_brokers_table_do_no_harm(sample):
    options = replace(OPTIONS, today=date(2030, 1, 1))
    plain = read_statement(sample.data, options)
    data = b"My account\r\n\r\n" + sample.data + b"\r\nThis file is not a tax document\r\n"
    around = read_statement(data, options)
    assert (around.format, around.failed, plain.failed) == (plain.format, 0, 0)
    assert [row.row - 2 for row in around.rows] == [row.row for row in plain.rows]
    assert list(map(what, around.rows)) == list(map(what, plain.rows))


def what(row):
    return row.type, row.date, row.quantity, row.price, row.commission, row.settlement_amount
