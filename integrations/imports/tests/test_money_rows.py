"""Test rows of money alone in our own CSV: read, refused, and exported and imported again."""

from decimal import Decimal as D

import pytest

from portfolios import services
from portfolios.models import Transaction, TransactionGroup

pytestmark = pytest.mark.django_db

COLUMNS = (
    "date,type,ticker,quantity,price,currency,tax,settlement_currency,settlement_amount,booked_on,"
    "group,group_kind,commission"
)


@pytest.fixture
def send(upload):
    def post(*lines, **fields):
        return upload(data="\n".join([COLUMNS, *lines]).encode(), **fields)

    return post


def money(portfolio):
    rows = Transaction.objects.filter(portfolio=portfolio, holding=None).order_by("sequence")
    return list(rows.values_list("type", "settlement_currency", "settlement_amount", "tax"))


def faults(response):
    return [(one["row"], one["column"], one["code"]) for one in response.json()["errors"]]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2025-01-02,deposit,,,1000,NOK", ("deposit", "NOK", D(1000), 0)),
        ("2025-01-02,deposit,,1,1000,", ("deposit", "NOK", D(1000), 0)),
        ("2025-01-02,withdrawal,,1,250.5,EUR", ("withdrawal", "EUR", D("-250.5"), 0)),
        ("2025-01-02,fee,,2,12.5,NOK", ("fee", "NOK", D(-25), 0)),
        ("2025-01-02,interest,,,7,NOK,3", ("interest", "NOK", D(7), 3)),
        ("2025-01-02,interest,,,,,,NOK,-7", ("interest", "NOK", D(-7), 0)),
        ("2025-01-02,tax,,,,,,USD,1.20", ("tax", "USD", D("1.20"), 0)),
        ("2025-01-02,adjustment,,,,,,NOK,-1", ("adjustment", "NOK", D(-1), 0)),
        ("2025-01-02,opening,,,,,,NOK,5000", ("opening", "NOK", D(5000), 0)),
    ],
)
def test_a_row_without_an_instrument_is_money(send, portfolio, line, expected):
    response = send(line)
    assert (response.status_code, faults(response)) == (201, [])
    assert money(portfolio) == [expected]


@pytest.mark.parametrize(
    ("line", "column", "code"),
    [
        ("2025-01-02,deposit,,,0,NOK", "settlement_amount", "wrong_sign"),
        ("2025-01-02,deposit,,,,,,NOK,-5", "settlement_amount", "wrong_sign"),
        ("2025-01-02,withdrawal,,,,,,NOK,5", "settlement_amount", "wrong_sign"),
        ("2025-01-02,adjustment,,,5,NOK", "settlement_amount", "settlement_amount_required"),
        ("2025-01-02,deposit,FJORD.DEMO,1,5,NOK", "ticker", "invalid"),
        ("2025-01-02,buy,,1,5,NOK", "ticker", "required"),
        ("2025-01-02,fee,,,5,NOK,1", "tax", "invalid"),
        ("2025-01-02,fee,,,5,NOK,,,,,,,2", "commission", "invalid"),
        ("2025-01-02,deposit,,,5,XYZ", "currency", "unknown_currency"),
        ("2030-01-02,deposit,,,5,NOK", "date", "future_date"),
        ("2025-01-02,conversion,,,,,,NOK,-5", "type", "unpaired_conversion"),
        ("2025-01-02,conversion,,,,,,NOK,-5,,a,conversion", "type", "unpaired_conversion"),
    ],
)
def test_money_that_cannot_be_is_an_error_of_its_row(send, dump, line, column, code):
    before = dump()
    response = send(line)
    assert (response.status_code, faults(response)) == (422, [(2, column, code)])
    assert dump() == before


def test_two_legs_in_one_currency_are_no_conversion(send, dump):
    before = dump()
    lines = [
        "2025-01-02,conversion,,,,,,NOK,-5,,a,conversion",
        "2025-01-02,conversion,,,,,,NOK,5,,a,conversion",
    ]
    response = send(*lines)
    assert [fault[2] for fault in faults(response)] == ["unpaired_conversion"] * 2
    assert dump() == before


def test_the_legs_of_a_conversion_become_a_group(send, portfolio):
    lines = [
        "2025-01-02,conversion,,,,,,NOK,-1050,,a,conversion",
        "2025-01-02,conversion,,,,,,USD,100,,a,conversion",
        "2025-01-03,conversion,,,,,,NOK,-1050,,b,conversion",
        "2025-01-03,conversion,,,,,,USD,99,,b,conversion",
    ]
    body = send(*lines).json()
    assert (body["created"], body["money_created"], body["groups_created"]) == (4, 4, 2)
    assert {group.transactions.count() for group in TransactionGroup.objects.all()} == {2}


def test_a_second_opening_in_a_currency_is_an_error_in_the_file_and_after_it(send, dump):
    opening = "2025-01-02,opening,,,,,,NOK,5000"
    twice = send(opening, "2025-01-03,opening,,,,,,NOK,1")
    assert faults(twice) == [(3, "settlement_currency", "duplicate_opening")]
    assert send(opening).status_code == 201
    before = dump()
    later = send("2025-01-03,opening,,,,,,NOK,1")
    assert faults(later) == [(2, "settlement_currency", "duplicate_opening")]
    assert dump() == before


def test_two_equal_deposits_of_a_day_both_count_and_once_more_neither(send, portfolio):
    line = "2025-01-02,deposit,,,1000,NOK"
    assert send(line, line).json()["created"] == 2
    again = send(line, line).json()
    assert (again["created"], again["duplicates"], len(money(portfolio))) == (0, 2, 2)


def test_an_export_has_the_money_and_can_be_imported_again(send, api, user, portfolio, upload):
    send(
        "2025-01-02,opening,,,,,,NOK,5000",
        "2025-01-02,deposit,,,1000,NOK",
        "2025-01-03,conversion,,,,,,NOK,-1050,2025-01-07,a,conversion",
        "2025-01-03,conversion,,,,,,USD,100,2025-01-07,a,conversion",
        "2025-02-01,interest,,,7,NOK,3",
        "2025-02-01,buy,FJORD.DEMO,2,100,NOK",
        "2025-03-01,tax,,,,,,NOK,4.5",
    )
    url = "/api/v1/transactions/export.csv"
    exported = b"".join(api.get(url, {"portfolio_id": portfolio.pk}).streaming_content)
    same = upload(data=exported).json()
    assert (same["created"], same["duplicates"], same["errors"]) == (0, 7, [])
    other = services.create_portfolio(user=user, name="Copy", currency="NOK")
    upload.portfolio = other
    body = upload.done(data=exported)
    assert (body["created"], body["money_created"], body["groups_created"]) == (7, 6, 1)
    assert money(other) == money(portfolio)
    assert {
        str(row)
        for row in other.transactions.exclude(group=None).values_list("booked_on", flat=True)
    } == {"2025-01-07"}
