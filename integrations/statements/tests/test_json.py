"""Schwab's JSON files, and others, through the REST API."""

import json
from decimal import Decimal as D

import pytest

from integrations.statements.base import MAX_ROWS, FileProblem, FileTooLarge
from integrations.statements.detect import CUT_OFF, MAX_CELL
from integrations.statements.json_table import MAX_VALUES, is_json, read_json
from integrations.statements.tests.support import choices, faults, held, rounded, text, twice
from integrations.statements.tests.test_schwab import SCHWAB

KNOWN = choices(ATL="ATLAS.USD.DEMO")
NAMES = SCHWAB.split(",")


def history(*rows):
    """Make a history of a brokerage account from the cells of its rows."""
    found = [dict(zip(NAMES, row, strict=True)) for row in rows]
    whole = {
        "FromDate": "01/01/2024",
        "ToDate": "12/31/2024",
        "TotalTransactionsAmount": "$0.00",
        "BrokerageTransactions": found,
    }
    return json.dumps(whole, indent=2).encode()


def event(action, description, quantity=None, fee=None, amount=None, *, day, details=()):
    """Make a transaction of an account of equity awards."""
    return {
        "Date": day,
        "Action": action,
        "Symbol": "ATL",
        "Quantity": quantity,
        "Description": description,
        "FeesAndCommissions": fee,
        "DisbursementElection": None,
        "Amount": amount,
        "TransactionDetails": [{"Details": each} for each in details],
    }


BOUGHT = ("06/13/2024", "Buy", "ATL", "ATLAS INC", "100", "$40.00", "", "-$4,000.00")
PAID = ("07/15/2024 as of 07/12/2024", "Cash Dividend", "ATL", "ATLAS INC", "", "", "", "$4.50")
SOLD = ("08/22/2024", "Sell", "ATL", "ATLAS INC", "10", "$41.00", "$1.00", "$409.00")


@pytest.mark.django_db
def test_schwabs_history_as_json_is_what_it_is_as_csv(account):
    upload = account("USD")
    data = history(SOLD, PAID, BOUGHT)
    body = upload.done(data=data, instruments=KNOWN)
    assert (body["format"], body["created"]) == ("schwab", 3)
    # 90 left at 40; 10 sold for 410 less 1
    assert held()["ATLAS.USD.DEMO"] == (90, 40, 3600, 9, D("4.5"), 0)
    twice(upload, data)
    lines = (",".join(f'"{cell}"' for cell in row) for row in (SOLD, PAID, BOUGHT))
    again = upload(data=text(SCHWAB, *lines)).json()
    assert (again["created"], again["duplicates"]) == (0, 3)


@pytest.mark.django_db
def test_a_failed_entry_is_numbered_as_below_a_header(account):
    odd = ("08/23/2024", "Merged", "ATL", "ATLAS INC", "10", "", "", "")
    upload = account("USD")
    assert faults(upload(data=history(odd, BOUGHT), instruments=KNOWN).json()) == [
        (2, "Action", "unknown_type")
    ]


@pytest.mark.django_db
def test_schwabs_awards_as_json_have_their_lots(account):
    lots = (
        {"Type": "RS", "Shares": "4", "SalePrice": "$26.00", "GrossProceeds": "$104.00"},
        {"Type": "RS", "Shares": "2", "SalePrice": "$28.00", "GrossProceeds": "$56.00"},
    )
    vest = {"AwardDate": "03/01/2023", "VestDate": "06/25/2024", "VestFairMarketValue": "$20.00"}
    sale = event("Sale", "Share Sale", "6", "$0.50", "$159.50", day="08/01/2024", details=lots)
    gave = event("Deposit", "RS", "10", day="06/27/2024", details=[vest])
    left = event("Journal", "Journal To Account", amount="-$100.00", day="08/05/2024")
    upload = account("USD")
    data = json.dumps({"FromDate": "01/01/2024", "Transactions": [left, sale, gave]}).encode()
    body = upload.done(data=data, instruments=KNOWN)
    assert (body["format"], body["created"]) == ("schwab-awards", 3)
    # 10 at 20; 6 sold for 160 less 0.50
    assert rounded(held()["ATLAS.USD.DEMO"]) == (4, 20, 80, D("39.5"), 0, 0)
    twice(upload, data)


@pytest.mark.django_db
def test_a_sale_alone_is_recognised_as_one_of_awards(account):
    sale = event("Sale", "Share Sale", "6", "$0.50", "$159.50", day="08/01/2024")
    data = json.dumps({"Transactions": [sale]}).encode()
    body = account("USD")(data=data, instruments=KNOWN).json()
    assert (body["format"], faults(body)) == (
        "schwab-awards",
        [(2, "quantity", "insufficient_quantity")],
    )


@pytest.mark.django_db
def test_a_list_of_another_file_is_read_by_a_mapping(account):
    day = {
        "when": "2024-03-04",
        "what": "buy",
        "share": {"name": "FJORD.DEMO"},
        "n": 2,
        "at": 10.50,
    }
    mapping = {
        "date": "when",
        "type": "what",
        "ticker": "share.name",
        "quantity": "n",
        "price": "at",
    }
    body = account("NOK").done(
        data=json.dumps({"meta": {"version": 1}, "trades": [day]}).encode(),
        format="mapped",
        mapping=json.dumps(mapping),
    )
    assert body["created"] == 1
    assert held()["FJORD.DEMO"] == (2, D("10.5"), 21, 0, 0, 0)


def test_a_json_file_is_recognised_whatever_is_before_it():
    assert is_json(b'\xef\xbb\xbf\r\n {\n "a": 1}')
    assert is_json('{"a": 1}'.encode("utf-16"))
    assert not is_json(b"{braces},date,type\n")
    assert not is_json(b"date,type\n")


def test_names_and_values_of_a_json_file_become_columns_and_cells():
    data = b'{"few": [{}], "all": [{"a": 1.50, "b": null, "c": {"a": true}}, 7, {"d": "x\\u0000"}]}'
    table = read_json(data)
    assert (table.header, table.header_line) == (["a", "b", "c.a", "d"], 1)
    assert (table.lines, table.records) == ([2, 3], [["1.50", "", "True", ""], ["", "", "", "x "]])


def test_a_long_value_is_cut_off():
    (cells,) = read_json(json.dumps({"all": [{"a": "x" * 5000}]}).encode()).records
    assert cells == ["x" * MAX_CELL + CUT_OFF]


@pytest.mark.parametrize(
    "data",
    [
        b'{"all": [{"a": "1"}',
        b'{"all": [{"a": "\\ud800"}]}',
        b'{"all": ' + b"[" * 100_000,
        b'{"all": [{' + b",".join(b'"n%d": 1' % number for number in range(300)) + b"}]}",
    ],
)
def test_a_json_file_that_is_cut_off_broken_deep_or_wide_is_refused(data):
    with pytest.raises(FileProblem) as problem:
        read_json(data)
    assert problem.value.code == "unreadable_file"


@pytest.mark.parametrize("data", [b"{}", b'{"all": {}}', b'{"all": []}', b'{"all": [1, {}]}'])
def test_a_json_file_without_a_list_of_objects_is_refused(data):
    with pytest.raises(FileProblem) as problem:
        read_json(data)
    assert problem.value.code == "unknown_format"


@pytest.mark.parametrize(
    "data",
    [
        b'{"all": [' + b"{}," * MAX_ROWS + b"{}]}",
        b'{"all": [' + b"1," * (MAX_VALUES + 1) + b"1]}",
    ],
)
def test_a_json_file_with_too_many_entries_or_values_is_refused(data):
    with pytest.raises(FileTooLarge):
        read_json(data)
