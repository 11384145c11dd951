"""Test what becomes of a row of money whose word is unknown, with balances and without."""

from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import text
from integrations.statements.tests.test_degiro import DEGIRO
from integrations.statements.tests.test_nordnet import statement
from integrations.statements.tests.test_swissquote import HEADER as SWISSQUOTE
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db

WORD = "SAMLERABATT"
# Newest first, in the form of test_nordnet.
BEFORE = "1|2025-08-01|2025-08-01|INNSKUDD|||||  |1 000|||1 000|||"


def nordnet(amount="25", balance="1 025", *, name="", isin="", before=BEFORE, word=WORD):
    row = f"2|2025-08-04|2025-08-04|{word}|{name}|{isin}||||{amount}|||{balance}|||"
    return statement([row, *([before] if before else [])])


def degiro(amount, balance):
    return text(
        DEGIRO,
        f"04-03-2024,09:30,04-03-2024,,,Iets nieuws,,EUR,{amount},EUR,{balance},",
        "01-03-2024,09:30,01-03-2024,,,iDEAL Deposit,,EUR,1000.00,EUR,1000.00,",
    )


def swissquote(amount, balance):
    rows = (
        f"04-03-2024 09:00:00;0;Gift;;;;1.0;0.00;0.00;0.00;{amount};{balance};CHF",
        "01-03-2024 09:00:00;0;Deposit;;;;1.0;0.00;0.00;0.00;1000.00;1000.00;CHF",
    )
    return "\n".join([SWISSQUOTE, *rows]).encode()


def adjustments():
    rows = Transaction.objects.filter(type="adjustment")
    return list(rows.values_list("settlement_amount", "settlement_currency", "note"))


@pytest.mark.parametrize(
    ("currency", "data", "word", "line"),
    [
        ("NOK", nordnet(), WORD, 2),
        ("EUR", degiro("25.00", "1025.00"), "Iets nieuws", 2),
        ("CHF", swissquote("25.00", "1025.00"), "Gift", 2),
    ],
    ids=["nordnet", "degiro", "swissquote"],
)
def test_it_is_an_adjustment_if_the_balance_moves_by_the_amount(
    account, api, currency, data, word, line
):
    upload = account(currency)
    body = upload.done(data=data)
    assert (body["created"], body["failed"], body["reconciled"]) == (2, 0, True)
    assert adjustments() == [(25, currency, word)]
    [warning] = body["warnings"]
    assert (warning["code"], warning["row"]) == ("unknown_word", line)
    assert warning["detail"].startswith(f"{word} is not a known type of this format.")
    found = api.get(f"/api/v1/portfolios/{body['portfolio_id']}/agreement").json()
    assert found["first_difference"] is None
    assert upload(data=data).json()["duplicates"] == 2


@pytest.mark.parametrize(
    ("currency", "data"),
    [
        ("NOK", nordnet(balance="1 000")),
        ("NOK", nordnet(balance="1 025,01")),
        ("NOK", nordnet(balance="")),
        ("NOK", nordnet(amount="")),
        ("NOK", nordnet(amount="0", balance="1 000")),
        ("NOK", nordnet(name="Fjordlaks", isin="NO0000000101")),
        ("NOK", nordnet(name="Fjordlaks")),
        # What stood before the first row is not known.
        ("NOK", nordnet(before="")),
        ("NOK", nordnet(word="")),
        ("EUR", degiro("25.00", "1000.00")),
        ("CHF", swissquote("25.00", "1000.00")),
    ],
)
def test_it_is_an_error_where_the_balances_do_not_show_it(account, dump, currency, data):
    upload = account(currency)
    before = dump()
    body = upload(data=data).json()
    assert [(error["row"], error["code"]) for error in body["errors"]] == [(2, "unknown_type")]
    assert dump() == before


def test_a_cancelled_row_before_it_moves_no_balance(account):
    cancelled = "1|2025-08-02|2025-08-02|UTTAK|||||  |-500|||500|||2025-08-03"
    rows = [f"2|2025-08-04|2025-08-04|{WORD}||||||-25|||975|||", cancelled]
    body = account("NOK").done(data=statement([*rows, BEFORE.replace("1|", "0|", 1)]))
    assert (body["created"], body["ignored"]) == (2, 1)
    assert adjustments() == [(D("-25"), "NOK", WORD)]


def test_what_a_person_said_of_the_word_counts(account):
    mapping = f'{{"types": {{"{WORD}": "interest"}}}}'
    body = account("NOK").done(data=nordnet(), mapping=mapping)
    assert (body["warnings"], adjustments()) == ([], [])
    assert Transaction.objects.get(type="interest").settlement_amount == 25
