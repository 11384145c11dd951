"""Excel workbooks through the REST API, and workbooks that are refused."""

from datetime import date
from decimal import Decimal as D

import pytest

from integrations.imports.options import reading_options
from integrations.statements.base import FileProblem
from integrations.statements.registry import read_statement
from integrations.statements.tests.support import choices, faults, held, ledger, twice
from integrations.statements.tests.workbooks import MAIN, Raw, archive, sheet, workbook, workbook_of
from integrations.statements.workbook import number_text, read_workbook

pytestmark = pytest.mark.django_db

GENERIC = ["date", "type", "ticker", "quantity", "price", "currency"]
SAXO = [
    "Client ID", "Trade Date", "Value Date", "Type", "Instrument", "Instrument ISIN",
    "Instrument currency", "Exchange Description", "Instrument Symbol", "Event", "Booked Amount",
    "Order ID", "Conversion Rate",
]  # fmt: skip
PAPER = ["Wereldfonds", "NL0000000000", "EUR", "Euronext Amsterdam", "WERELD:xams"]


def refusal(data, **fields):
    with pytest.raises(FileProblem) as caught:
        read_workbook(data, decimal=None, **fields)
    return caught.value


def one_cell(reference, before=""):
    return workbook_of(
        {
            "Trades": f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1"><v>1</v></c></row>'
            f'<row>{before}<c r="{reference}"><v>1</v></c></row></sheetData></worksheet>'
        }
    )


def test_saxos_workbook_is_read_with_its_dates_and_numbers(account):
    upload = account("EUR")
    data = workbook(
        {
            "Transactions": [
                SAXO,
                [1, date(2024, 4, 2), date(2024, 4, 4), "Trade", *PAPER, "Sell 4 @ 110.00 EUR", 437, 7002, 1],
                [1, date(2024, 3, 4), date(2024, 3, 6), "Trade", *PAPER, "Buy 10 @ 99.50 EUR", -998.5, 7001, 1],
            ],
        }
    )  # fmt: skip
    body = upload.done(
        data=data, name="saxo.xlsx", instruments=choices(NL0000000000="WERELD.EUR.DEMO")
    )
    assert (body["format"], body["encoding"], body["created"]) == ("saxo", "xlsx", 2)
    # 995 and 3.50 of commission; 4 sold for 440 - 3, their cost 399.40
    assert held()["WERELD.EUR.DEMO"] == (6, D("99.85"), D("599.1"), D("37.6"), 0, 0)
    twice(upload, data)


def test_revoluts_workbook_is_read(account):
    data = workbook(
        {
            "Sheet1": [
                ["Date", "Ticker", "Type", "Quantity", "Price per share", "Total Amount", "Currency", "FX Rate"],
                [date(2024, 3, 4), "ATL", "BUY - MARKET", 2, "USD 1,000.50", "USD 2,002", "USD", 1.08],
            ]
        }
    )  # fmt: skip
    account("USD").done(data=data, instruments=choices(ATL="ATLAS.USD.DEMO"))
    assert ledger()[0][:4] == ("buy", D("2"), D("1000.5"), D("1"))


def test_the_sheet_with_a_known_header_is_read(account):
    data = workbook({"About": [["Statement of 2024"]], "Trades": [GENERIC, _row(10, 100)]})
    assert account("NOK").done(data=data)["created"] == 1


def test_two_sheets_of_transactions_are_refused_by_name(upload):
    rows = [GENERIC, _row(10, 100)]
    refused = upload(data=workbook({"A": rows, "About": [["2024"]], "B": rows})).json()
    error = refused["errors"][0]
    assert (error["code"], refused["sheets"]) == ("several_sheets", ["A", "B"])
    assert "The sheets A and B all have transactions." in error["detail"]
    assert ledger() == []
    one_sheet = upload.done(data=workbook({"A": rows, "B": rows}), mapping='{"sheet": "B"}')
    assert (one_sheet["format"], one_sheet["created"]) == ("generic", 1)


def test_a_sheet_of_a_text_file_is_refused(upload):
    response = upload("2024-03-01,buy,EQNR.OL,1,100", mapping='{"sheet": "B"}')
    assert response.json()["errors"][0]["code"] == "unknown_sheet"


def test_a_row_with_a_number_among_dates_or_a_number_of_sixteen_digits_fails(upload):
    data = workbook(
        {
            "Trades": [
                [*GENERIC, "external_id"],
                [*_row(10, 100), "a"],
                [*_row(1, 100), 1234567890123456],
                [45300, *_row(1, 100)[1:], "b"],
                [*_row(2, 100), "c"],
            ]
        }
    )
    body = upload.done(data=data, on_error="skip")
    assert (body["rows"], body["created"], body["failed"]) == (4, 2, 2)
    assert faults(body) == [(3, "external_id", "invalid"), (4, "date", "invalid")]
    assert [error["value"] for error in body["errors"]] == ["1234567890123456", "45300"]
    assert [problem["sample"] for problem in body["problems"]] == [
        "2024-03-01 buy EQNR.OL 1 100 NOK 1234567890123456",
        "45300 buy EQNR.OL 1 100 NOK b",
    ]


def test_a_formula_counts_by_its_result_and_merged_cells_hold_theirs_in_the_first(upload):
    total = Raw("<f>5+5</f><v>10</v>")
    data = workbook_of(
        {
            "Trades": sheet(
                [GENERIC, _row(total, 100)], after='<mergeCells><mergeCell ref="C2:C2"/></mergeCells>'
            )
        }
    )  # fmt: skip
    upload.done(data=data)
    assert ledger()[0][1] == 10


SUM = Raw("<f>SUM(D2:D3)</f>")


@pytest.mark.parametrize(
    "totals",
    [["Total", "", "", SUM, SUM], ["", "", "", SUM], ["Summe", "", "", 30, Raw("<f>SUBTOTAL(9,D2:D3)</f>")]],
)  # fmt: skip
def test_a_line_of_totals_may_have_sums_without_a_result(upload, totals):
    rows = [GENERIC, _row(10, 100), _row(20, 100)]
    body = upload.done(data=workbook({"Trades": [*rows, totals]}))
    assert (body["created"], body["failed"]) == (2, 0)
    assert [row[1] for row in ledger()] == [D(10), D(20)]


@pytest.mark.parametrize(
    ("row", "cell"),
    [
        (["2024-03-01", "buy", "EQNR.OL", SUM, 100, "NOK"], "D4"),
        (["Total SE", date(2024, 3, 1), "buy", 10, SUM, "NOK"], "E4"),
        (["Total SE", Raw("<f>TODAY()</f>"), 10, SUM], "B4"),
        ([45300, 10, SUM], "C4"),
        (["Total", "", "", Raw("<f>D2+D3</f>")], "D4"),
    ],
)
def test_a_row_with_a_sum_without_a_result_is_never_left_out(upload, row, cell):
    rows = [GENERIC, _row(10, 100), _row(20, 100), row]
    refused = upload(data=workbook({"Trades": rows}))
    assert refused.status_code == 422
    assert f"Cell {cell} has a formula without its result." in refused.json()["errors"][0]["detail"]
    assert ledger() == []


def test_text_that_may_be_two_numbers_fails_where_the_others_are_numbers(upload):
    data = workbook({"Trades": [GENERIC, _row(1.5, 100), _row("1,234", 100)]})
    body = upload.done(data=data, on_error="skip")
    assert faults(body) == [(3, "quantity", "ambiguous_numbers")]
    twice_read = upload.done(data=data, decimal="point")
    assert (twice_read["created"], twice_read["duplicates"]) == (1, 1)
    assert [row[1] for row in ledger()] == [D("1.5"), D("1234")]


def test_number_cells_mean_the_same_with_a_decimal_comma(upload):
    data = workbook({"Trades": [GENERIC, _row(1.234, 100)]})
    upload.done(data=data, decimal="comma")
    assert ledger()[0][1] == D("1.234")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\x03\x04 and nothing more", "it is damaged"),
        (archive({"trades.csv": "a,b"}), "This is a ZIP archive, not an Excel workbook."),
        (archive({"xl/workbook.bin": "a"}), "Save it as .xlsx or CSV."),
        (one_cell("Z1048576"), "Cell Z1048576 is below row 200,000"),
        (one_cell("XFD1048576"), "Cell XFD1048576 is below row 200,000"),
        (one_cell("A200001"), "Cell A200001 is below row 200,000"),
        (one_cell("IW2"), "Cell IW2 is beyond column IV"),
        (one_cell("IV200000"), "Cell IV200000 is too far from the others"),
        (workbook({"S": [["a", Raw("<v>#N/A</v>", "e")]]}), "Cell B1 holds an error."),
        (workbook({"S": [["a"], [Raw("<f>B1</f>")]]}), "Cell A2 has a formula without its result"),
        (workbook({"S": [["a", "x" * 32_768]]}), "more than 32,767 characters"),
        (workbook({"S": []}), "no header"),
        (
            workbook_of({"S": "<!DOCTYPE a [<!ENTITY b 'c'>]><worksheet>&b;</worksheet>"}),
            "The workbook is damaged",
        ),
    ],
)
def test_a_workbook_that_cannot_be_relied_on_is_refused_in_a_sentence(data, message):
    assert message in refusal(data).detail


def test_a_workbook_that_unpacks_to_more_than_25_mb_is_refused():
    data = workbook({"S": [["a"]]}, **{"xl/theme.xml": f"<a>{' ' * 26_000_000}</a>"})
    assert len(data) < 50_000
    assert refusal(data).code == "too_large"


def test_an_empty_cell_far_away_does_no_harm():
    far = f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1"><v>1</v></c></row>'
    far += '<row r="1048576"><c r="XFD1048576" s="1"/></row></sheetData></worksheet>'
    assert read_workbook(workbook_of({"S": far}), decimal=None)[0].header == ["1"]


def test_a_fault_of_another_sheet_names_it_and_the_way_out():
    data = workbook({"Sum": [[Raw("<v>#N/A</v>", "e")]], "Trades": [GENERIC]})
    assert "Sheet Sum: Cell A1 holds an error." in refusal(data).detail
    assert refusal(data).sheets == ["Trades"]
    assert read_workbook(data, decimal=None, sheet="Trades")[0].header == GENERIC
    unknown = refusal(data, sheet="Buys")
    assert (unknown.code, unknown.sheets) == ("unknown_sheet", ["Sum", "Trades"])


def test_rows_keep_their_numbers_below_empty_ones(reading):
    data = workbook({"S": [["", "Statement"], [], ["", *GENERIC], [], ["", *_row(0.1, 2.5)]]})
    [row] = read_statement(data, reading).rows
    assert (row.row, row.quantity, row.price, row.date) == (5, D("0.1"), D("2.5"), date(2024, 3, 1))


@pytest.fixture
def reading():
    return reading_options(None, None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10.0, "10"),
        (0.1 + 0.2, "0.3"),
        (1e-7, "0.0000001"),
        (1234567.89, "1234567.89"),
        (-0.5, "-0.5"),
        (1e15, "1000000000000000"),
    ],
)
def test_a_number_has_the_digits_that_a_spreadsheet_shows(value, text):
    assert number_text(value) == text


def _row(quantity, price):
    return [date(2024, 3, 1), "buy", "EQNR.OL", quantity, price, "NOK"]
