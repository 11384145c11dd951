"""Test rows of Nordnet's export that take others of it back, and words that few files have."""

import pytest

from integrations.statements.tests.test_nordnet import CHOICES, statement
from integrations.statements.tests.test_nordnet_shares import BOUGHT, FJORD, row_of, rows, shares
from portfolios.models import Holding, Transaction

pytestmark = pytest.mark.django_db


def paid(number, word, day, amount, balance, what=FJORD):
    return f"{number}|{day}|{day}|{word}|{what}|100|1||{amount}||0|{balance}|||"


FIRST = paid(2, "UTBYTTE", "2025-05-02", "100", "30 100")
BETWEEN = "3|2025-05-05|2025-05-05|INNSKUDD|||||  |5|||30 105|||"


@pytest.mark.parametrize("word", ["UTBYTTE", "MAK UTBYTTE", "MAK UTDELNING"])
def test_a_dividend_that_a_later_row_takes_back_is_ignored_with_it(upload, word):
    back = paid(4, word, "2025-05-09", "-100", "30 005")
    again = paid(5, "UTBYTTE", "2025-05-12", "90", "30 095").replace("|100|1|", "|100|0,9|")
    data = statement([again, back, BETWEEN, FIRST, BOUGHT])
    body = upload.done(data=data, instruments=CHOICES)
    assert (body["created"], body["ignored"], body["failed"]) == (3, 2, 0)
    # The balances of the days between have the dividend in them.
    assert (body["reconciled"], body["first_divergence"]) == (True, None)
    assert Holding.objects.get(stock__ticker="FJORDLAKS.DEMO").income == 90
    assert upload(data=data).json()["created"] == 0


def test_a_dividend_of_an_earlier_file_is_taken_back(upload):
    upload.done(data=statement([BETWEEN, FIRST, BOUGHT]), instruments=CHOICES)
    back = paid(4, "MAK UTBYTTE", "2025-05-09", "-100", "30 005")
    body = upload.done(data=statement([back]))
    assert (body["created"], body["failed"], body["reconciled"]) == (1, 0, True)
    assert not Transaction.objects.filter(type="dividend").exists()


def test_a_split_that_is_taken_back_is_none(upload):
    data = statement(
        [
            row_of(5, "MAK SPLITT INNLEGG VP", "400"),
            row_of(4, "MAK SPLITT UTTAK VP", "100"),
            row_of(3, "SPLITT INNLEGG VP", "400"),
            row_of(2, "SPLITT UTTAK VP", "100"),
            BOUGHT,
        ]
    )
    body = upload.done(data=data, instruments=CHOICES)
    assert (body["created"], body["ignored"], shares()) == (1, 4, {"FJORDLAKS.DEMO": 100})


def test_shares_that_are_taken_back_without_their_row_are_an_error(upload):
    data = statement([row_of(2, "MAK BYTTE UTTAK VP", "100"), BOUGHT])
    errors = upload(data=data, instruments=CHOICES).json()["errors"]
    assert [one["code"] for one in errors] == ["unpaired_reversal"]
    assert not Transaction.objects.exists()


def test_tax_on_the_account_is_money_alone(upload):
    data = statement(["2|2025-05-05|2025-05-05|AVKASTNINGSSKATT|||||  |-5|||29 995|||", BOUGHT])
    upload.done(data=data, instruments=CHOICES)
    tax = Transaction.objects.get(type="tax")
    assert (tax.holding, tax.settlement_amount) == (None, -5)


def test_shares_and_money_of_a_subscription_may_be_two_rows(upload):
    came = row_of(2, "TEGNING INNLEGG VP", "10", total="110")
    money = row_of(3, "TEGNING LIKVID", "10", price="150", amount="-1 500", total="0")
    body = upload.done(data=statement([money, came, BOUGHT]), instruments=CHOICES)
    assert (body["created"], body["ignored"]) == (2, 1)
    assert ("FJORDLAKS.DEMO", 10, 150) in rows("buy")


def test_new_shares_without_money_come_at_no_cost(upload):
    came = row_of(2, "EM INLÄGG VP", "10", total="110")
    body = upload.done(data=statement([came, BOUGHT]), instruments=CHOICES)
    assert rows("exchange_in") == [("FJORDLAKS.DEMO", 10, None)]
    assert "unpaired_action" in [one["code"] for one in body["warnings"]]
