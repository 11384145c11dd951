"""Test what Nordnet's export says of money alone: deposits, interest, fees, exchanges."""

from decimal import Decimal as D

import pytest

from integrations.statements.tests.test_nordnet import CHOICES, ROWS, statement
from portfolios.models import Transaction, TransactionGroup

pytestmark = pytest.mark.django_db


def money(portfolio):
    rows = Transaction.objects.filter(portfolio=portfolio, holding=None).order_by("sequence")
    columns = rows.values_list("type", "settlement_currency", "settlement_amount", "note")
    return list(columns)


def row_of(word, amount, *, name="", isin="", quantity="", price="", text=""):
    return f"7|2025-08-01|2025-08-01|{word}|{name}|{isin}|{quantity}|{price}||{amount}||||| {text}|"


@pytest.mark.parametrize(
    ("word", "amount", "kind"),
    [
        ("Overføring via Trustly", "50 000", "deposit"),
        ("PREMIEINNBETALING", "1 000", "deposit"),
        ("UTBETALING", "-500", "withdrawal"),
        ("UTTAK INTERNT", "-1", "withdrawal"),
        # A deposit that the broker takes back is money out, whatever the word.
        ("INNSKUDD", "-100", "withdrawal"),
        ("FORSIKRINGSKOSTNAD", "-25", "fee"),
        ("PLATTFORMAVG KORR", "3", "fee"),
        ("MVA", "-1", "fee"),
        ("OVERBELÅNINGSRENTE", "-2", "interest"),
        ("KREDITRENTE", "2", "interest"),
        ("ERSTATNING", "1", "adjustment"),
        ("INS. KREDIT", "30 000", "deposit"),
        ("KAP. DEB RÄNTA", "-12,50", "interest"),
        ("INDBETALING", "2 500", "deposit"),
        ("TALLETUSKORKO", "1,20", "interest"),
    ],
)
def test_a_word_says_what_the_money_is(upload, portfolio, word, amount, kind):
    body = upload.done(data=statement([row_of(word, amount)]))
    assert (body["created"], body["money_created"], body["ignored"]) == (1, 1, 0)
    signed = D(amount.replace(" ", "").replace(",", "."))
    assert money(portfolio) == [(kind, "NOK", signed, "")]


def test_a_funds_fee_that_is_paid_back_names_the_fund(upload, portfolio):
    row = row_of("TILBAKEBET. FOND AVG", "4,50", name="Verdensfond", isin="NO0000000104")
    upload.done(data=statement([row]))
    assert money(portfolio) == [("fee", "NOK", D("4.50"), "Verdensfond")]


def test_tax_that_is_paid_back_is_money_alone(upload, portfolio):
    row = row_of("KUPONGSKATT", "7,81", name="Harbor", isin="US0000000103")
    upload.done(data=statement([row]))
    assert money(portfolio) == [("tax", "NOK", D("7.81"), "Harbor")]


def test_income_from_lending_shares_is_interest_of_the_instrument(upload, portfolio):
    row = row_of("Utbetaling aksjeutlån", "12", name="Fjordlaks", isin="NO0000000101")
    upload.done(data=statement([row, *ROWS]), instruments=CHOICES)
    paid = Transaction.objects.get(type="interest")
    assert (paid.own_holding.stock.ticker, paid.quantity, paid.price) == ("FJORDLAKS.DEMO", 1, 12)
    assert (paid.settlement_amount, paid.settlement_currency) == (12, None)


@pytest.mark.parametrize(
    ("word", "amount", "legs"),
    [
        ("KJØP VALUTA", "-1 050", [("NOK", -1050), ("USD", 100)]),
        ("SALG VALUTA", "1 060", [("NOK", 1060), ("USD", -100)]),
    ],
)
def test_an_exchange_of_currencies_is_a_group_of_two_legs(
    upload, api, portfolio, word, amount, legs
):
    row = row_of(word, amount, name="USD/NOK", quantity="100", price="10,50")
    body = upload.done(data=statement([row]))
    assert (body["created"], body["money_created"], body["groups_created"]) == (1, 2, 1)
    assert [(leg[0], leg[1], leg[2]) for leg in money(portfolio)] == [
        ("conversion", currency, amount) for currency, amount in legs
    ]
    group = TransactionGroup.objects.get()
    assert (group.kind, group.transactions.count()) == ("conversion", 2)
    again = upload(data=statement([row])).json()
    assert (again["created"], again["duplicates"], again["rows"]) == (0, 1, 1)
    assert api.delete(f"/api/v1/imports/{body['id']}").status_code == 204
    assert (money(portfolio), TransactionGroup.objects.count()) == ([], 0)


def test_an_exchange_that_names_no_pair_is_an_error_of_its_row(upload, dump):
    before = dump()
    body = upload(data=statement([row_of("KJØP VALUTA", "-1 050", quantity="100")])).json()
    assert [error["code"] for error in body["errors"]] == ["unpaired_conversion"]
    assert dump() == before


def test_a_row_that_moves_nothing_is_ignored(upload, portfolio):
    body = upload(data=statement([row_of("DEBETRENTE", "0")])).json()
    assert (body["id"], body["created"], body["ignored"]) == (None, 0, 1)
    assert money(portfolio) == []


def test_a_payment_with_an_instrument_is_not_taken_for_money(upload, dump):
    before = dump()
    row = row_of("UTTAK", "0", name="Fjordlaks", isin="NO0000000101", quantity="20")
    body = upload(data=statement([row])).json()
    assert [error["code"] for error in body["errors"]] == ["unknown_type"]
    assert dump() == before


def test_trades_keep_the_brokers_amount_and_booking_day(upload):
    upload.done(data=statement(), instruments=CHOICES)
    sale = Transaction.objects.get(external_id="208")
    assert (sale.date.isoformat(), sale.booked_on.isoformat()) == ("2025-06-18", "2025-06-20")
    assert (sale.settlement_amount, sale.settlement_currency) == (7761, None)


def test_a_row_of_money_entered_by_hand_takes_the_id_of_the_file(upload, api, portfolio):
    body = {
        "portfolio_id": str(portfolio.pk),
        "type": "deposit",
        "date": "2025-08-01",
        "amount": "1000",
        "currency": "NOK",
    }
    entered = api.post("/api/v1/transactions", body).json()
    answer = upload(data=statement([row_of("INNSKUDD", "1 000")])).json()
    assert (answer["created"], answer["duplicates"]) == (0, 1)
    stored = Transaction.objects.get(holding=None)
    assert (str(stored.pk), stored.external_id, stored.settlement_amount) == (
        entered["id"],
        "7",
        1000,
    )


def test_the_preview_shows_money_in_the_order_of_the_file(upload):
    body = upload(data=statement(), instruments=CHOICES, dry_run="true").json()
    kinds = [row["type"] for row in body["preview"]]
    assert (kinds[0], kinds[-1], len(kinds)) == ("deposit", "fee", 13)
    assert body["preview"][0]["id"] is None
