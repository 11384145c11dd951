"""Test when imports let cash follow from the transactions, and when they only warn."""

from datetime import date

import pytest

from integrations.statements.tests.test_nordnet import CHOICES, ROWS, statement
from portfolios.models import CashFromBy, Portfolio, Transaction

pytestmark = pytest.mark.django_db

# Without the broker's balances.
DEPOSIT = "1|2025-01-02|2025-01-02|INNSKUDD|||||  |6 000|||||Innskudd|"
INTEREST = "2|2025-01-10|2025-01-10|KREDITRENTE|||||  |1,20|||||Renter|"
PURCHASE = "3|2025-01-15|2025-01-13|KJØPT|Fjordlaks|NO0000000101|25|200|0|-5 000|NOK|25|||avtale 1|"
SALE = "4|2025-02-03|2025-02-01|SALG|Fjordlaks|NO0000000101|25|200|0|5 000|NOK|0|||avtale 2|"


@pytest.fixture
def send(upload):
    return lambda *rows: upload.done(data=statement(rows), instruments=CHOICES)


def stored():
    return Portfolio.objects.values_list("cash_from", "cash_from_by").get()


def codes(body):
    return [warning["code"] for warning in body["warnings"] if warning["code"][:4] == "cash"]


def test_a_file_with_balances_lets_cash_follow_from_its_earliest_row(upload, api, portfolio):
    planned = upload(data=statement(), instruments=CHOICES, dry_run="true").json()
    assert (planned["cash_from"], stored()) == ("2025-01-02", (None, ""))
    body = upload.done(data=statement(), instruments=CHOICES)
    assert (body["cash_from"], codes(body)) == ("2025-01-02", [])
    assert stored() == (date(2025, 1, 2), CashFromBy.IMPORT)
    shown = api.get(f"/api/v1/portfolios/{portfolio.pk}/cash").json()
    assert (shown["cash"], shown["currencies"][0]["balance"]) == (36601.04, 36601.04)
    assert api.delete(f"/api/v1/imports/{body['id']}").status_code == 204
    assert stored() == (None, "")


def test_deposits_that_cover_every_day_are_enough(send):
    body = send(DEPOSIT, INTEREST, PURCHASE)
    assert (body["cash_from"], codes(body)) == ("2025-01-02", [])


def test_without_deposits_the_lowest_balance_is_named_and_nothing_is_set(send, api, portfolio):
    body = send(INTEREST, PURCHASE, SALE)
    assert (body["cash_from"], codes(body)) == (None, ["cash_incomplete"])
    [warning] = [one for one in body["warnings"] if one["code"] == "cash_incomplete"]
    assert "-4998.8 NOK" in warning["detail"]
    shown = api.get(f"/api/v1/portfolios/{portfolio.pk}").json()
    assert (shown["cash"], shown["used_credit"], stored()) == (0, 0, (None, ""))


def test_a_file_that_brings_the_deposits_later_sets_the_day_and_its_undo_takes_it_back(send, api):
    send(INTEREST, PURCHASE)
    body = send(DEPOSIT)
    assert body["cash_from"] == "2025-01-02"
    assert api.delete(f"/api/v1/imports/{body['id']}").status_code == 204
    assert stored() == (None, "")


def test_a_row_by_hand_keeps_it_from_being_set_but_not_from_staying(send, api, portfolio):
    entered = {
        "portfolio_id": str(portfolio.pk),
        "type": "deposit",
        "date": "2025-01-01",
        "amount": "100",
        "currency": "NOK",
    }
    made = api.post("/api/v1/transactions", entered).json()
    body = send(DEPOSIT)
    assert (body["cash_from"], codes(body)) == (None, [])
    api.delete(f"/api/v1/transactions/{made['id']}")
    assert send(INTEREST)["cash_from"] == "2025-01-02"
    api.post("/api/v1/transactions", entered)
    assert send(PURCHASE)["cash_from"] == "2025-01-01"


def test_a_value_by_hand_keeps_it_from_being_set(send, api, portfolio):
    url = f"/api/v1/portfolios/{portfolio.pk}/cash"
    assert api.put(url, {"cash": 250, "date": "2025-01-31"}).status_code == 200
    body = send(DEPOSIT)
    assert (body["cash_from"], codes(body), stored()) == (None, [], (None, ""))


@pytest.mark.parametrize("by_hand", ["2025-03-01", None])
def test_a_day_that_a_person_set_or_took_back_never_moves(send, api, portfolio, by_hand):
    url = f"/api/v1/portfolios/{portfolio.pk}/cash-from"
    assert api.put(url, {"cash_from": by_hand}).status_code == 200
    assert send(DEPOSIT, PURCHASE)["cash_from"] == by_hand


def test_trades_of_a_file_of_ones_own_say_nothing_about_cash(upload):
    body = upload.done("2025-01-13,buy,FJORD.DEMO,25,200,,NOK")
    assert (body["cash_from"], codes(body)) == (None, [])


def test_a_second_account_sets_nothing(upload):
    upload.done(data=statement(ROWS[-3:]), instruments=CHOICES)
    other = statement([DEPOSIT]).decode("utf-16").replace("12345678", "87654321").encode("utf-16")
    assert upload.done(data=other)["cash_from"] == "2025-01-02"
    assert not Transaction.objects.filter(type="opening").exists()
