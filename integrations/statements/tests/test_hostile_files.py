"""Test that crafted files are read or refused in linear time."""

import gc
import time
from datetime import date

import pytest

from financeproj.core.currencies import is_currency
from integrations.imports.tests.test_statement_files import no_longer_than_15_digits
from integrations.statements import checks
from integrations.statements.base import FileProblem, FileTooLarge, Options, Statement
from integrations.statements.detect import CUT_OFF, MAX_CELL, read_table
from integrations.statements.registry import formats, read_statement
from integrations.statements.tests.hostile import GENERIC, KINDS, header_of

OPTIONS = Options(
    today=date(2025, 6, 30),
    number_problem=no_longer_than_15_digits,
    is_currency=is_currency,
    currency="EUR",  # of files that do not name their own
)
MOST_SECONDS = 0.5
# Ten times the size takes ten times as long, and something for the memory that it takes.
MOST_RATIO = 12
SHORT_SECONDS = (
    0.02  # of a file that is refused at its beginning, which no ratio says anything about
)


def read(data: bytes) -> Statement | FileProblem:
    try:
        return read_statement(data, OPTIONS)
    except FileProblem as problem:
        return problem


@pytest.fixture
def _no_collector():
    """Disable the garbage collector, whose time depends on other objects in the process."""
    gc.disable()
    yield
    gc.enable()


def seconds_for(data: bytes) -> float:
    """Return the CPU time of this process for reading the file."""
    start = time.process_time()
    read(data)
    return time.process_time() - start


def statement(name: str, row: str) -> bytes:
    return f"{header_of(name)}\n{row}\n".encode()


# --- Each of these once took minutes --------------------------------------------------------------

BLANKS = "-" + " " * 1000 + "x"


@pytest.mark.parametrize(
    ("name", "row", "column"),
    [
        ("revolut", f"2024-03-01T14:30:00.000Z,AAPL,BUY - MARKET,{BLANKS},180,360,USD,1", "Quantity"),
        ("revolut", f"2024-03-01T14:30:00.000Z,AAPL,BUY - MARKET,2,{BLANKS},360,USD,1", "Price per share"),
        ("revolut", f"2024-03-01T14:30:00.000Z,AAPL,BUY - MARKET,2,180,{BLANKS},USD,1", "Total Amount"),
        ("ibkr-cash", f"Dividends,20240516,,A{' ' * 2000}x,2.5,USD", "note"),
        ("ibkr-cash", f"Dividends,20240516,,{' ' * 2000},x,USD", "Amount"),
        ("degiro", f"01-03-2024,09:30,01-03-2024,A,NL0010273215,Koop{' ' * 2000}x,,EUR,-1,EUR,2,", "Omschrijving"),
        ("degiro", f"01-03-2024,09:30,01-03-2024,A,NL0010273215,Koop 1{' 000' * 900},,EUR,-1,EUR,2,", "Omschrijving"),
    ],
)  # fmt: skip
def test_a_cell_of_blanks_is_an_error_of_its_row_at_once(name, row, column):
    start = time.process_time()
    found = read_statement(statement(name, row), OPTIONS)
    assert time.process_time() - start < MOST_SECONDS
    assert found.rows == []
    assert [(error.row, error.column) for error in found.problems][:1] == [(2, column)]


@pytest.mark.parametrize("blank", [" ", "\x0b", "\xa0"])
@pytest.mark.parametrize("one", [one for one in formats() if one.example], ids=lambda one: one.name)
def test_a_first_line_of_blanks_is_passed_over_at_once(one, blank):
    data = (blank * 40_000 + "\n" + one.example).encode()
    start = time.process_time()
    assert read_statement(data, OPTIONS).format == one.name
    assert time.process_time() - start < MOST_SECONDS


# --- What is too long -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        ("2024-01-02,buy,A.DEMO,1,2,{}", "note", "max_length"),
        ("2024-01-02,buy,A.DEMO,1" + " " * MAX_CELL + "{},2,", "quantity", "invalid"),
        ("2024-01-02" + " " * MAX_CELL + "{},buy,A.DEMO,1,2,", "date", "invalid"),
        ("2024-01-02,buy,A.DEMO" + " " * MAX_CELL + "{},1,2,", "ticker", "max_length"),
    ],
)
def test_a_cell_that_is_cut_off_is_never_taken_for_what_is_left_of_it(row, column, code):
    found = read(f"{GENERIC},note\n{row.format('x' * 6000)}\n".encode())
    assert found.rows == []
    assert [(error.column, error.code) for error in found.problems] == [(column, code)]
    assert all(len(error.value) == MAX_CELL + 1 for error in found.problems)
    assert all(error.value.endswith(CUT_OFF) for error in found.problems)


def test_a_long_cell_in_a_column_that_is_not_read_does_no_harm():
    text = f"{GENERIC},remark\n2024-01-02,buy,A.DEMO,1,2,{'x' * 6000}\n"
    found = read(text.encode())
    assert [(row.ticker, str(row.quantity)) for row in found.rows] == [("A.DEMO", "1")]
    assert found.problems == []


def test_long_tickers_do_not_stay_in_memory():
    rows = [f"2024-01-02,buy,{'A' * 3000}{number},1,2" for number in range(1000)]
    kept = checks._characters_problem.cache_info().currsize
    found = read("\n".join([GENERIC, *rows, ""]).encode())
    assert {error.code for error in found.problems} == {"max_length"}
    assert checks._characters_problem.cache_info().currsize == kept


def test_a_cell_of_4_000_characters_is_kept_whole():
    table = read_table(f"a,b\n{'x' * 4000},{'y' * 4001}\n".encode())
    assert table.records == [["x" * 4000, "y" * 4000 + "…"]]


def test_a_header_of_more_than_250_columns_is_refused():
    names = ",".join(f"c{number}" for number in range(251))
    with pytest.raises(FileProblem, match="The header has more than 250 columns"):
        read_table(f"{names}\n1\n".encode())
    assert len(read_table(f"{names[:-5]},,,,,,\n1\n".encode()).header) == 256


def test_short_rows_under_a_wide_header_are_refused_before_they_are_filled_up():
    data = (GENERIC + "," * 20_000 + "\n" + "x\n" * 2_000).encode()
    with pytest.raises(FileTooLarge, match="Too many rows are shorter than the header"):
        read_statement(data, OPTIONS)


# --- Growth ---------------------------------------------------------------------------------------


@pytest.mark.untraced
@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("kind", KINDS)
def test_ten_times_the_size_takes_at_most_twelve_times_as_long(kind):
    """`python -m benchmarks bench_hostile_files` goes on to 10 MB."""
    small, large = KINDS[kind](100_000), KINDS[kind](1_000_000)
    for _ in range(5):  # what else the machine does can only make it slower
        before, after = seconds_for(small), seconds_for(large)
        if after <= max(SHORT_SECONDS, MOST_RATIO * before):
            return
    raise AssertionError(f"{before:.4f} s for 0.1 MB, {after:.4f} s for 1 MB")
