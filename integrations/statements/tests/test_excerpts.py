"""Test files of failed rows: they are read like the files that they come from."""

import json
from datetime import date, datetime, time, timedelta

import pytest

from financeproj.core.errors import DomainError
from integrations.imports.mappings import read_mapping
from integrations.imports.options import reading_options
from integrations.statements.base import FileProblem
from integrations.statements.excerpts import NoExcerpt, excerpt
from integrations.statements.registry import AUTO, MAPPED, read_statement
from integrations.statements.tests.samples import SAMPLES
from integrations.statements.tests.samples.ibkr import _flex
from integrations.statements.tests.support import text
from integrations.statements.tests.workbooks import workbook
from integrations.statements.workbook import read_workbook
from integrations.statements.workbook_writing import write_workbook

pytestmark = pytest.mark.django_db
HEADER = "date;type;ticker;quantity;price"
GOOD = "2024-03-04;buy;FJORD.DEMO;1;100"
BAD = "2024-03-05;frob;FJORD.DEMO;1;100"


def reader(mapping=None, account="", format_name=AUTO, **options):
    said = read_mapping(mapping or {})
    if said.columns:
        format_name = MAPPED
    known = reading_options(options.get("date_format"), options.get("decimal"), said, account)

    def read(data):
        try:
            return read_statement(data, known, format_name)
        except FileProblem as problem:
            raise DomainError(problem.detail) from problem

    return read


def taken(data, reasons, read=None):
    read = read or reader()
    return excerpt(data, read(data), reasons, read)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_third_of_a_sample_means_what_it_meant(sample):
    options = {name: value for name, value in sample.options.items() if name != "instruments"}
    options["mapping"] = json.loads(options.get("mapping", "{}"))
    options["format_name"] = options.pop("format", AUTO)
    read = reader(**options)
    whole = read(sample.data)
    chosen = sorted({row.row for row in whole.rows})[::3]
    if sample.format == "ibkr-flex":
        with pytest.raises(NoExcerpt):
            taken(sample.data, dict.fromkeys(chosen, "Why"), read)
        return
    part = read(taken(sample.data, dict.fromkeys(chosen, "=Why"), read))
    expected = [(row.type, row.date, row.quantity, row.price, row.charge) for row in whole.rows]
    wanted = [one for one, row in zip(expected, whole.rows, strict=True) if row.row in chosen]
    found = [(row.type, row.date, row.quantity, row.price, row.charge) for row in part.rows]
    assert part.format == sample.format
    assert not [one for one in wanted if one not in found]


def test_the_rows_keep_their_layout_and_say_why():
    data = text("Account of Kari", "", HEADER, GOOD, BAD).decode()
    content = taken(data.encode("utf-16"), {5: "=Not known."})
    assert content.decode("utf-8-sig").split("\r\n") == [
        "Account of Kari",
        "",
        f"{HEADER};Import problem",
        f"{BAD};'=Not known.",
        "",
    ]


def test_rows_that_belong_together_stay_together():
    """The fee of an order is part of its purchase."""
    header = "Datum,Tijd,Valutadatum,Product,ISIN,Omschrijving,FX,Mutatie,,Saldo,,Order Id"
    row = "0{0},09:30,0{0},ATLAS,US0000000011,{1},,EUR,{2},EUR,100,{3}"
    rows = [
        row.format("2-03-2024", "DEGIRO transactiekosten", "-2", "order-2"),
        row.format("2-03-2024", "Koop 1 @ 20 EUR", "-20", "order-2"),
        row.format("1-03-2024", "DEGIRO transactiekosten", "-1", "order-1"),
        row.format("1-03-2024", "Koop 1 @ 10 EUR", "-10", "order-1"),
    ]
    content = taken(text(header, *rows), {5: "Why"})
    assert content.decode("utf-8-sig").splitlines() == [
        f"{header},Import problem",
        rows[2],
        f"{rows[3]},Why",
    ]
    [bought] = reader()(content).rows
    assert (bought.price, bought.commission) == (10, 1)


def test_a_workbook_stays_one_with_its_dates_and_numbers():
    header = ["date", "type", "ticker", "quantity", "price", "currency"]
    rows = [
        ["Kari's account"],
        header,
        [date(2024, 3, 4), "buy", "FJORD.DEMO", 1, 100.25, "NOK"],
        [date(2024, 3, 5), "frob & <co>", "FJORD.DEMO", 2, 1.5, "NOK"],
        [45000, "buy", "FJORD.DEMO", 1, 100, "NOK"],
    ]
    content = taken(workbook({"Notes": [["hello"]], "Trades": rows}), {4: "Word", 5: "Date"})
    [table] = read_workbook(content, decimal=None)
    assert (table.sheet, table.lines) == ("Trades", [2, 3, 4])
    assert table.records == [
        [*header, "Import problem"],
        ["2024-03-05", "frob & <co>", "FJORD.DEMO", "2", "1.5", "NOK", "Word"],
        ["45000", "buy", "FJORD.DEMO", "1", "100", "NOK", "Date"],
    ]


def test_every_kind_of_cell_is_written_as_it_was():
    values = [
        date(2024, 12, 31), datetime.fromisoformat("2024-12-31 23:15:30"), time(6, 30), timedelta(hours=30),
        True, 12, -0.1, "a\x0bb <&> \"c\"", "  blanks ",
    ]  # fmt: skip
    content = write_workbook("A & B", [(1, ["x"] * len(values)), (3, values)])
    [table] = read_workbook(content, decimal=None)
    assert (table.sheet, table.lines) == ("A & B", [3])
    assert table.records == [
        [
            "2024-12-31", "2024-12-31 23:15:30", "06:30:00", "1 day, 6:00:00", "TRUE", "12",
            "-0.1", "ab <&> \"c\"", "  blanks ",
        ]
    ]  # fmt: skip


def test_a_text_of_a_workbook_stays_a_text():
    texts = ["=1+1", "{=A1}", "https://example.com", "007", "_x0041_", "+4712345678"]
    [table] = read_workbook(write_workbook("A", [(1, ["x"]), (2, texts)]), decimal=None)
    assert table.records == [texts]


@pytest.mark.parametrize("name", ["A sheet with a name of more than 31", "Jan/Feb"])
def test_a_sheet_whose_name_excel_does_not_allow_cannot_stand_alone(name):
    rows = [["date", "type", "ticker", "quantity", "price"], ["2024-03-05", "frob", "A.DEMO", 2, 1]]
    with pytest.raises(NoExcerpt):
        taken(workbook({name: rows}), {2: "Word"})


def test_a_column_of_reasons_is_not_read_as_one_of_the_file():
    read = reader()
    plain = read(text(HEADER, GOOD, BAD))
    again = read(text(f"{HEADER};Import problem", f"{GOOD};", f"{BAD};Not known."))
    assert (again.rows, again.unread) == (plain.rows, [])
    assert again.problems == plain.problems


def test_xml_has_no_rows_to_cut_out():
    data = _flex('<Trade accountId="U1" currency="USD" assetCategory="STK" symbol="ATL" />')
    with pytest.raises(NoExcerpt):
        taken(data, {1: "Why"})
