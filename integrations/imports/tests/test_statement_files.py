"""Test what is detected from a file itself, and files that are refused as a whole."""

import contextlib
import tracemalloc
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from integrations.statements import generic
from integrations.statements.base import FileProblem, FileTooLarge, Options, StatementRow
from integrations.statements.registry import formats, read_statement
from portfolios.calc.import_rows import RowProblem

D = Decimal
HEADER = "date,type,ticker,quantity,price\n"
FULL_HEADER = ",".join(generic.COLUMNS) + "\n"


def no_longer_than_15_digits(value):
    return (
        RowProblem("too_precise", "Too many digits.") if len(value.as_tuple().digits) > 15 else None
    )


def options(**changes):
    return Options(
        today=date(2024, 6, 30),
        number_problem=no_longer_than_15_digits,
        is_currency={"NOK", "USD", "GBP"}.__contains__,
        **changes,
    )


def read(text, encoding="utf-8", **changes):
    return read_statement(
        text.encode(encoding) if isinstance(text, str) else text, options(**changes)
    )


def rows(*lines, header=HEADER, **changes):
    statement = read(header + "\n".join(lines), **changes)
    assert statement.problems == []
    return statement.rows


def problem(data, **changes):
    with pytest.raises(FileProblem) as caught:
        read(data, **changes)
    return caught.value


def errors(*lines, header=HEADER, **changes):
    statement = read(header + "\n".join(lines), **changes)
    assert statement.rows == []
    return [(error.row, error.column, error.code) for error in statement.problems]


BUY = "2024-01-02,buy,EQNR.OL,10,281.35"


# --- Encodings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "bom", "named"),
    [
        ("utf-8", b"", "utf-8"),
        ("utf-8", b"\xef\xbb\xbf", "utf-8"),
        ("utf-16-le", b"\xff\xfe", "utf-16"),
        ("utf-16-be", b"\xfe\xff", "utf-16"),
        ("utf-16-le", b"", "utf-16"),
        ("utf-16-be", b"", "utf-16"),
        ("windows-1252", b"", "windows-1252"),
    ],
)
def test_the_encoding_is_found_from_the_bytes(codec, bom, named):
    text = "date;type;ticker;company_name;quantity;price\r\n2024-01-02;buy;ORK.OL;Ørkla på Åsen;10;81,20\r\n"
    statement = read(bom + text.encode(codec))
    assert statement.encoding == named
    assert [(row.company_name, row.price) for row in statement.rows] == [
        ("Ørkla på Åsen", D("81.20"))
    ]


@pytest.mark.parametrize(
    "data", [b"", b"  \r\n\t\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\xff\xfe \x00\n\x00"]
)
def test_a_file_without_content_is_an_empty_file(data):
    assert problem(data).code == "empty_file"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"PK\x03\x04" + bytes(range(256)) * 10, id="a workbook"),
        pytest.param(b"%PDF-1.7\n", id="a pdf"),
        pytest.param(b"\x89PNG\r\n\x1a\n", id="a png"),
        pytest.param(b"\xff\xd8\xff\xe0\x00\x10JFIF", id="a photo"),
        pytest.param(bytes(range(256)) * 40, id="every byte"),
        pytest.param(
            b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00\x01\x02" * 500, id="a picture"
        ),
        pytest.param(b"\x00" * 5000, id="zeros"),
        pytest.param("﻿".encode("utf-32") + HEADER.encode("utf-32"), id="utf-32"),
        pytest.param(b"\xef\xbb\xbfdate,type\xff\xfe", id="a UTF-8 mark over other bytes"),
        pytest.param(("ﬁ" + HEADER + "Ø" * 40).encode() + b"\xc3", id="UTF-8 cut in a character"),
        pytest.param(b"\xff\xfed\x00a\x00t", id="UTF-16 cut in a character"),
        pytest.param(HEADER.encode() + b"\x81\x8d\x8f", id="no known encoding"),
        pytest.param(HEADER.encode() + b"x" * 200_000, id="a line of a megabyte"),
        pytest.param(
            (HEADER + f'{BUY}\n2024-01-03,buy,"EQNR' + f"\n{BUY}" * 10_000).encode(),
            id="an open quote",
        ),
        pytest.param((HEADER + '2024-01-03,buy,"EQNR"x,1,1').encode(), id="text after a quote"),
    ],
)
def test_a_file_that_is_not_text_or_not_a_table_is_unreadable(data):
    assert problem(data).code == "unreadable_file"


def test_the_line_at_fault_is_named():
    assert "Line 3" in problem(f"{HEADER}{BUY}\n{'x' * 1_000_000}\n").detail
    assert "line 3" in problem(f'{HEADER}{BUY}\n2024-01-03,buy,"EQNR\n{BUY}').detail


# --- Delimiters, lines, columns -------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiter_and_line_ends_are_found(delimiter, end):
    statement = read((HEADER + BUY + "\n").replace(",", delimiter).replace("\n", end))
    assert statement.delimiter == delimiter
    assert [row.price for row in statement.rows] == [D("281.35")]


def test_the_row_is_the_line_where_the_record_begins():
    header = "date,type,ticker,quantity,price,note\n"
    found = rows(
        '2024-01-02,buy,A,1,1,"two\nlines"',
        "",
        "2024-01-03,buy,A,1,1,",
        ",,,,,",
        "2024-01-04,buy,A,1,1,",
        header=header,
    )
    assert [(row.row, row.note) for row in found] == [(2, "two\nlines"), (5, ""), (7, "")]


def test_excels_delimiter_line_is_not_the_header():
    statement = read("sep=;\n" + (HEADER + BUY).replace(",", ";"))
    assert (statement.delimiter, [row.row for row in statement.rows]) == (";", [3])


def test_columns_may_stand_in_any_order_and_case():
    found = rows("1.5,Buy ,100, eqnr.ol ,2024-01-02", header="Price,TYPE,quantity,Ticker ,Date\n")
    assert found == [StatementRow(2, "buy", date(2024, 1, 2), "EQNR.OL", D(100), D("1.5"))]


def test_an_extra_cell_is_refused_even_an_empty_one():
    assert problem(f"{HEADER}{BUY}\n{BUY},more\n").code == "ragged_rows"
    # 10,5 shares at 100: were the empty cell let go, this would be 10 shares at 5.
    assert problem(f"{HEADER[:-1]},note\n2024-01-02,buy,EQNR.OL,10,5,100,\n").code == "ragged_rows"


def test_missing_last_cells_are_empty():
    assert rows("2024-01-02,split,A,4") == [StatementRow(2, "split", date(2024, 1, 2), "A", D(4))]
    assert errors("2024-01-02,buy,A,4") == [(2, "price", "required")]


def test_a_file_that_ends_in_the_middle_of_a_line_is_refused_naming_it():
    cut = problem(f"{HEADER}{BUY}\n{BUY}\n2024-01-03,buy,EQNR")
    assert (cut.code, "line 4" in cut.detail) == ("ragged_rows", True)
    assert len(rows("2024-01-02,split,A,4", "2024-01-03,split,A,4")) == 2


def test_a_column_named_twice_is_refused():
    assert problem("date,type,ticker,quantity,price,Price\n").code == "duplicate_column"


def test_an_unknown_header_names_what_the_nearest_format_has():
    found = problem("day,type,ticker,quantity,price\n")
    assert found.code == "unknown_format"
    assert "date" in found.detail


def test_a_misspelt_optional_column_is_not_dropped():
    found = problem("date,type,ticker,quantity,price,comission\n2024-01-02,buy,A,1,1,29\n")
    assert found.code == "unknown_format"
    assert "commission" in found.detail


def test_a_column_of_another_program_is_let_be():
    assert len(rows(BUY + ",main account", header="date,type,ticker,quantity,price,depot\n")) == 1


def test_a_header_without_rows_is_a_statement_without_rows():
    statement = read(HEADER)
    assert (statement.rows, statement.problems) == ([], [])


def test_too_many_rows_or_bytes_are_too_large():
    with pytest.raises(FileTooLarge, match="200,000"):
        read(HEADER + f"{BUY}\n" * 200_001)
    with pytest.raises(FileTooLarge, match="20 MB"):
        read(b"x" * 20_000_001)


def repeated(line, count, header=HEADER):
    """Return a file of `header` and lines in which {n} is the line number."""
    return (header + "".join(line.replace("{n}", str(n)) for n in range(count))).encode()


HOSTILE = {
    "a long line": repeated("x" * 200_000, 1),
    "nothing but delimiters": repeated("1" + "," * 9_000 + "\n", 22),
    "a wide header": repeated("ab," * 6_000 + "\n", 10, header=HEADER[:-1] + ",ab" * 6_000 + "\n"),
    "short cells": repeated("ab," * 32 + "ab\n", 2_000, header=HEADER[:-1] + ",c" * 28 + "\n"),
    "quotes": repeated('"', 200_000),
    "blank lines": repeated("\n", 200_000),
    "an open quote": repeated('2024-01-02,buy,"A\n', 1)
    + repeated("2024-01-02,buy,A,1,2\n", 9_000, header=""),
    "different numbers": repeated("2024-01-02,buy,T{n},{n}.{n},{n}\n", 5_000),
    "nothing right": repeated("x,y,?,a{n},b{n}\n", 10_000),
}


@pytest.mark.untraced
@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_reading_a_file_needs_memory_in_proportion_to_its_size(data):
    tracemalloc.start()
    try:
        with contextlib.suppress(FileProblem):
            read(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A cell of two letters is a string of 51 bytes in a list, and a short row with an error a few
    # times its text.
    assert peak < 80 * len(data)


# --- Dates ----------------------------------------------------------------------------------------


def dates(*texts, **changes):
    lines = [f"{text},buy,A,1,1" for text in texts]
    return [row.date for row in rows(*lines, **changes)]


def test_iso_and_dotted_dates_read_one_way_only():
    assert dates("2024-02-01", "01.02.2024", "1.2.2024") == [date(2024, 2, 1)] * 3


def test_one_date_that_reads_one_way_decides_for_all_slashed_ones():
    assert dates("02/03/2024", "13/03/2024") == [date(2024, 3, 2), date(2024, 3, 13)]
    assert dates("02/03/2024", "03/13/2024") == [date(2024, 2, 3), date(2024, 3, 13)]


def test_slashed_dates_that_read_both_ways_need_a_word():
    assert problem(f"{HEADER}02/03/2024,buy,A,1,1\n").code == "ambiguous_dates"
    assert dates("02/03/2024", date_format="dmy") == [date(2024, 3, 2)]
    assert dates("02/03/2024", date_format="mdy") == [date(2024, 2, 3)]


def test_slashed_dates_that_contradict_each_other_are_refused():
    contradiction = f"{HEADER}13/03/2024,buy,A,1,1\n03/13/2024,buy,A,1,1\n"
    assert problem(contradiction).code == "ambiguous_dates"
    statement = read(contradiction, date_format="dmy")
    assert [(error.row, error.column, error.code) for error in statement.problems] == [
        (3, "date", "invalid")
    ]
    assert len(statement.rows) == 1


def test_the_same_day_and_month_reads_the_same_both_ways():
    assert dates("05/05/2024") == [date(2024, 5, 5)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2024-07-01", "future_date"),
        ("1899-12-31", "out_of_range"),
        ("2024-02-30", "invalid"),
        ("45293", "invalid"),
        ("yesterday", "invalid"),
        ("24-01-02", "invalid"),
        ("٢٠٢٤-٠١-٠٢", "invalid"),
        ("", "required"),
    ],
)
def test_a_date_that_is_none_or_out_of_range_is_an_error_of_its_row(text, code):
    assert errors(f"{text},buy,A,1,1") == [(2, "date", code)]


def test_today_is_not_in_the_future():
    assert dates("2024-06-30") == [date(2024, 6, 30)]


# --- Numbers --------------------------------------------------------------------------------------


def prices(*texts, delimiter=",", **changes):
    lines = [delimiter.join(["2024-01-02", "buy", "A", "1", f'"{text}"']) for text in texts]
    return [row.price for row in rows(*lines, header=HEADER.replace(",", delimiter), **changes)]


@pytest.mark.parametrize(
    ("texts", "delimiter", "expected"),
    [
        (["1234.5", "0.1", ".5", "5.", "1.234"], ",", ["1234.5", "0.1", "0.5", "5", "1.234"]),
        (["1,234.56", "1,234"], ",", ["1234.56", "1234"]),
        (["1.234,56", "1.234", "7,5"], ",", ["1234.56", "1234", "7.5"]),
        (["1,234,567"], ",", ["1234567"]),
        (["1.234.567"], ",", ["1234567"]),
        (["0,123"], ",", ["0.123"]),
        (["1234,567"], ",", ["1234.567"]),
        (["1,234"], ";", ["1.234"]),
        (["1,234"], "\t", ["1.234"]),
        (["1,234.50", "1,234"], ";", ["1234.50", "1234"]),
        (
            ["10\u00a0759,20", "1\u2009000", "2 431,50", "1\u202f234\u202f567"],
            ";",
            ["10759.20", "1000", "2431.50", "1234567"],
        ),
        (["1.5E-05", "2e3"], ",", ["0.000015", "2000"]),
        (["-0", "+7"], ",", ["0", "7"]),
    ],
)
def test_the_decimal_separator_is_decided_for_the_file_as_a_whole(texts, delimiter, expected):
    assert prices(*texts, delimiter=delimiter) == [D(text) for text in expected]


@pytest.mark.parametrize(
    ("texts", "delimiter"),
    [
        (["1,234"], ","),
        (["1,234", "1.234"], ","),
        (["12.5", "12,5"], ","),
        (["1.234"], ";"),
        (["12.5", "1,234"], ";"),
        (["1,234.5", "1.234,5"], ","),
    ],
)
def test_numbers_that_read_both_ways_or_contradict_each_other_need_a_word(texts, delimiter):
    lines = "".join(
        delimiter.join(["2024-01-02", "buy", "A", "1", f'"{text}"']) + "\n" for text in texts
    )
    data = HEADER.replace(",", delimiter) + lines
    assert problem(data).code == "ambiguous_numbers"
    assert read(data, decimal="point").rows != read(data, decimal="comma").rows


def test_the_word_of_the_request_settles_it():
    assert prices("1,234", decimal="point") == [D(1234)]
    assert prices("1,234", decimal="comma") == [D("1.234")]


def test_a_minus_sign_of_typographers_is_a_minus():
    assert errors("2024-01-02,buy,A,1,\u22125") == [(2, "price", "too_small")]


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "Infinity",
        "1_000",
        "１２",
        "0x10",
        "1,23,4",
        "12,34.5",
        "1 2",
        "1e4000",
        "--1",
        "5 kr",
        "'5",
        "½",
    ],
)
def test_an_invalid_number_is_an_error_of_its_row(text):
    assert errors(f'2024-01-02,buy,A,1,"{text}"', decimal="point") == [(2, "price", "invalid")]


def test_a_number_with_more_digits_than_are_kept_is_an_error_of_its_row():
    assert errors("2024-01-02,buy,A,1," + "1" * 30) == [(2, "price", "too_precise")]


# --- Rows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2024-01-02,steal,A,1,1", [("type", "unknown_type")]),
        ("2024-01-02,,A,1,1", [("type", "required")]),
        ("2024-01-02,buy,,1,1", [("ticker", "required")]),
        ("2024-01-02,buy,A B,1,1", [("ticker", "invalid")]),
        (f"2024-01-02,buy,{'A' * 41},1,1", [("ticker", "max_length")]),
        ("2024-01-02,buy,A,,1", [("quantity", "required")]),
        ("2024-01-02,buy,A,0,1", [("quantity", "not_above")]),
        ("2024-01-02,sell,A,-1,1", [("quantity", "too_small")]),
        ("2024-01-02,split,A,1,", [("quantity", "invalid")]),
        ("2024-01-02,buy,A,1,-1", [("price", "too_small")]),
        ("2024-01-02,buy,A,1,", [("price", "required")]),
        (
            "2030-01-02,bye,,x,y",
            [
                ("date", "future_date"),
                ("quantity", "invalid"),
                ("price", "invalid"),
                ("ticker", "required"),
                ("type", "unknown_type"),
            ],
        ),
    ],
)
def test_every_fault_of_a_row_is_listed(line, expected):
    assert errors(line) == [(2, column, code) for column, code in expected]


@pytest.mark.parametrize(
    ("column", "text", "code"),
    [
        ("commission", "-1", "too_small"),
        ("exchange_rate", "0", "not_above"),
        ("exchange_rate", "-1", "too_small"),
        ("currency", "XYZ", "unknown_currency"),
        ("currency", "GBp", "minor_currency"),
        ("currency", "GBX", "minor_currency"),
        ("company_name", "x" * 201, "max_length"),
        ("note", "x" * 501, "max_length"),
        ("external_id", "x" * 201, "max_length"),
        ("note", "a\x00b", "null_characters_not_allowed"),
    ],
)
def test_a_wrong_optional_cell_is_an_error_of_its_row(column, text, code):
    assert errors(f"{BUY},{text}", header=f"{HEADER[:-1]},{column}\n") == [(2, column, code)]


def test_one_failed_row_counts_once_and_leaves_the_others():
    statement = read(f"{HEADER}{BUY}\n2030-01-01,buy,,1,1\n{BUY}\n")
    assert ([row.row for row in statement.rows], statement.failed, len(statement.problems)) == (
        [2, 4],
        1,
        2,
    )


def test_splits_and_transfers_out_need_no_price():
    assert [row.price for row in rows("2024-01-02,split,A,4,", "2024-01-02,transfer_out,A,4,")] == [
        None,
        None,
    ]


# --- Cells that a spreadsheet would calculate -----------------------------------------------------


@pytest.mark.parametrize(
    "text", ["=1+1", "+47", "-5", "@x", "\tx", "\rx", "'=1", "''@x", "'", "'x", "plain", ""]
)
def test_text_that_starts_like_a_formula_is_guarded_and_comes_back(text):
    guarded = generic.guarded(text)
    assert guarded[:1] not in ("=", "+", "-", "@", "\t", "\r")
    assert generic.unguarded(guarded) == text


def test_the_import_removes_exactly_one_apostrophe():
    header = "date,type,ticker,quantity,price,note\n"
    found = rows(f"{BUY},'=A1", f"{BUY},''=A1", f"{BUY},'tis", f"{BUY},=A1", header=header)
    assert [row.note for row in found] == ["=A1", "'=A1", "'tis", "=A1"]


texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\t\r\n'=+-@"), max_size=30
)
stripped = texts.map(str.strip)
amounts = st.decimals(0, 10**8, places=6).filter(
    lambda value: len(value.normalize().as_tuple().digits) <= 15
)
statement_rows = st.builds(
    StatementRow,
    row=st.just(0),
    type=st.sampled_from(["buy", "sell", "dividend", "fee", "transfer_in"]),
    date=st.dates(date(1900, 1, 1), date(2024, 6, 30)),
    ticker=st.from_regex(r"[ABC.=^+-]{0,7}[ABC]", fullmatch=True),
    quantity=amounts.map(lambda value: value + 1),
    price=amounts,
    commission=st.none() | amounts,
    exchange_rate=st.none() | amounts.map(lambda value: value + 1),
    currency=st.sampled_from([None, "NOK", "USD"]),
    company_name=stripped,
    note=texts,
    external_id=stripped.map(lambda text: text or None),
).filter(lambda row: row.type != "transfer_in" or not row.commission)  # it goes into the price


@given(st.lists(statement_rows, max_size=8))
def test_written_values_read_back_the_same(written):
    statement = read("".join(generic.write(written)))
    assert statement.problems == []
    assert [replace(row, row=0) for row in statement.rows] == written


@given(
    st.binary(max_size=400)
    | st.binary(max_size=200).map(lambda tail: (HEADER + BUY).encode() + tail)
)
def test_no_bytes_make_the_reader_fail_otherwise(data):
    with contextlib.suppress(FileProblem):
        read(data)


@given(
    st.lists(st.text("0123456789.,-+eE'\"; /=\t\n\rabuyNOK\u2212\xa0", max_size=12), max_size=40)
)
def test_no_cells_make_the_reader_fail_otherwise(cells):
    with contextlib.suppress(FileProblem):
        statement = read(FULL_HEADER + ",".join(cells))
        assert statement.failed == len({error.row for error in statement.problems})


OF_BROKERS = [one for one in formats() if one.name not in ("generic", "mapped")]


@pytest.mark.parametrize("named", OF_BROKERS, ids=lambda found: found.name)
def test_a_named_format_refuses_the_file_of_another(named):
    files = [one.example.encode() for one in formats() if one.name != named.name and one.example]
    for data in (*files, b"a,b\n1,2\n", b"a,b\n"):
        with pytest.raises(FileProblem, match=r"The header is not that of") as refused:
            read_statement(data, options(), named.name)
        assert refused.value.code == "unknown_format"
