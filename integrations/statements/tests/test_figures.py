"""Test what a file of one currency, which no column names, says by its balances."""

from datetime import date
from decimal import Decimal as D

from integrations.statements.base import Options, Table
from integrations.statements.days import iso_day
from integrations.statements.figures import leave_balances, moved_by_balance
from integrations.statements.sheet import Sheet

OPTIONS = Options(
    today=date(2026, 1, 1),
    number_problem=lambda value: None,
    is_currency=lambda code: code in {"NOK", "USD"},
)
HEADER = ["Date", "Action", "Amount", "Balance"]
ROWS = [["2024-03-01", "Deposit", "2000.00", "2000.00"], ["2024-03-04", "Toll", "-5.00", "1995.00"]]


def sheet_of(rows):
    table = Table("utf-8", ",", 1, HEADER, list(range(2, 2 + len(rows))), rows)
    sheet = Sheet("test", table, OPTIONS, read_day=iso_day, decimal="point")
    sheet.for_words = {"date": "Date", "amount": "Amount", "currency": "NOK"}
    sheet.moved_by_balance = moved_by_balance(
        sheet, balance="Balance", currency="NOK", amounts=["Amount"]
    )
    return sheet


def test_an_unknown_word_in_a_file_of_one_currency_is_an_adjustment_in_it():
    sheet = sheet_of(ROWS)
    for raw in sheet.rows[1:]:
        with sheet.collect_problem(raw):
            raise sheet.unknown_type("Action", raw["Action"])
    [row] = sheet.statement.rows
    assert (row.type, row.settlement_amount, row.settlement_currency) == (
        "adjustment",
        D("-5.00"),
        "NOK",
    )
    assert (sheet.statement.problems, sheet.statement.unknown_words) == ([], [(3, "Toll")])


def test_the_balances_of_a_file_of_one_currency_are_checkpoints_in_it():
    sheet = sheet_of(ROWS)
    leave_balances(sheet, sheet.rows, booked="Date", balance="Balance", currency="NOK")
    found = [(one.day, one.amount, one.currency) for one in sheet.statement.checkpoints]
    assert found == [(date(2024, 3, 1), D(2000), "NOK"), (date(2024, 3, 4), D(1995), "NOK")]
