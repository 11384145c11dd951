"""Test rows that a broker reverses in a later file than the one that they were imported from."""

from datetime import date
from decimal import Decimal as D

import pytest

from integrations.conftest import Upload
from integrations.statements.tests.support import choices, held, text
from integrations.statements.tests.test_degiro import DEGIRO
from integrations.statements.tests.test_nordnet import CHOICES, ROWS, statement
from portfolios import services
from portfolios.models import ImportBatch, KnownRows, Transaction

pytestmark = pytest.mark.django_db

ATL = "US0000000011"
KNOWN = choices(**{ATL: "ATLAS.EUR.DEMO"}, ATL="ATLAS.EUR.DEMO")


@pytest.fixture
def account(api, user):
    return Upload(api, services.create_portfolio(user=user, name="Broker", currency="EUR"))


def degiro(day, words, change, balance, product=f"ATLAS,{ATL}"):
    return f'{day},09:30,{day},{product},{words},,EUR,"{change}",EUR,"{balance}",'


MONEY_IN = degiro("01-01-2024", "Storting", "1000,00", "1000,00", ",")
BOUGHT = degiro("01-02-2024", "Koop 10 @ 50 EUR", "-500,00", "500,00")
PAID = degiro("01-03-2024", "Dividend", "20,00", "520,00")
BACK = degiro("15-03-2024", "Dividend", "-20,00", "500,00")
FIRST = text(DEGIRO, PAID, BOUGHT, MONEY_IN)
SECOND = text(DEGIRO, BACK)


def types():
    return sorted(Transaction.objects.exclude(type="opening").values_list("type", flat=True))


def everything():
    left_out = {"updated_at", "version"}
    fields = Transaction._meta.concrete_fields
    names = [field.attname for field in fields if field.attname not in left_out]
    return sorted(map(repr, Transaction.objects.values_list(*names)))


def undo(account, body):
    return account.api.delete(f"/api/v1/imports/{body['id']}").status_code


def test_a_dividend_that_a_later_file_reverses_is_gone_from_its_day(account):
    account.done(data=FIRST, instruments=KNOWN)
    before = everything()
    body = account.done(data=SECOND)
    assert (body["rows"], body["created"], body["failed"]) == (1, 1, 0)
    assert types() == ["buy", "deposit"]
    assert held()["ATLAS.EUR.DEMO"][4] == 0  # income
    assert ("reversed", 2) in [(one["code"], one.get("row")) for one in body["warnings"]]
    assert undo(account, body) == 204
    assert everything() == before
    assert held()["ATLAS.EUR.DEMO"][4] == 20


def test_the_balances_of_both_files_still_agree(account):
    more = degiro("10-03-2024", "Storting", "1,00", "521,00", ",")
    back = degiro("15-03-2024", "Dividend", "-20,00", "501,00")
    account.done(data=text(DEGIRO, more, PAID, BOUGHT, MONEY_IN), instruments=KNOWN)
    dry = account(data=text(DEGIRO, back), dry_run="true").json()
    body = account.done(data=text(DEGIRO, back))
    assert (dry["reconciled"], body["reconciled"]) == (True, True)
    path = f"/api/v1/portfolios/{account.portfolio.pk}/agreement"
    found = account.api.get(path).json()
    assert (found["agrees_until"], found["first_difference"]) == ("2024-03-15", None)


def test_both_files_again_change_nothing(account):
    account.done(data=FIRST, instruments=KNOWN)
    account.done(data=SECOND)
    before = everything()
    for data, rows in ((SECOND, 1), (FIRST, 3)):
        again = account(data=data)
        body = again.json()
        assert (again.status_code, body["created"], body["duplicates"]) == (200, 0, rows)
        assert everything() == before


def test_a_dry_run_takes_nothing_back(account):
    account.done(data=FIRST, instruments=KNOWN)
    before = everything()
    body = account(data=SECOND, dry_run="true").json()
    assert (body["created"], body["failed"]) == (1, 0)
    assert everything() == before


def test_a_file_with_both_rows_takes_back_what_an_earlier_one_had(account):
    account.done(data=FIRST, instruments=KNOWN)
    body = account(data=text(DEGIRO, BACK, PAID, BOUGHT, MONEY_IN)).json()
    assert (body["created"], body["duplicates"], body["ignored"]) == (0, 2, 2)
    assert types() == ["buy", "deposit"]
    assert undo(account, body) == 204
    assert types() == ["buy", "deposit", "dividend"]


def test_what_was_paid_again_stays(account):
    account.done(data=FIRST, instruments=KNOWN)
    again = degiro("20-03-2024", "Dividend", "20,00", "520,00")
    account.done(data=text(DEGIRO, again, BACK, PAID))
    [paid] = Transaction.objects.filter(type="dividend")
    assert paid.date == date(2024, 3, 20)


@pytest.mark.parametrize(
    "row",
    [
        degiro("15-03-2024", "Dividend", "-21,00", "500,00"),
        degiro("15-02-2024", "Dividend", "-20,00", "500,00"),
        degiro("15-03-2024", "Dividend", "-20,00", "500,00", "HARBOR,GB0000000021"),
    ],
)
def test_a_reversal_of_another_amount_day_or_instrument_is_an_error(account, row):
    account.done(data=FIRST, instruments=KNOWN)
    before = everything()
    known = choices(**{ATL: "ATLAS.EUR.DEMO", "GB0000000021": "HARBOR.EUR.DEMO"})
    response = account(data=text(DEGIRO, row), instruments=known)
    [error] = response.json()["errors"]
    assert (response.status_code, error["row"], error["code"]) == (422, 2, "unpaired_reversal")
    assert everything() == before


def test_each_of_two_reversals_takes_one_of_two_equal_payments(account):
    twice = degiro("02-03-2024", "Dividend", "20,00", "540,00")
    account.done(data=text(DEGIRO, twice, PAID, BOUGHT, MONEY_IN), instruments=KNOWN)
    other = degiro("16-03-2024", "Dividend", "-20,00", "500,00")
    body = account.done(data=text(DEGIRO, other, BACK))
    assert (body["created"], types()) == (2, ["buy", "deposit"])
    third = degiro("17-03-2024", "Dividend", "-20,00", "480,00")
    assert account(data=text(DEGIRO, third)).status_code == 422


def test_a_reversal_goes_over_to_another_import_that_has_it(account):
    account.done(data=FIRST, instruments=KNOWN)
    second = account.done(data=SECOND)
    more = degiro("20-03-2024", "Storting", "5,00", "505,00", ",")
    third = account.done(data=text(DEGIRO, more, BACK))
    assert (third["created"], third["duplicates"]) == (1, 1)
    assert undo(account, second) == 204
    assert types() == ["buy", "deposit", "deposit"]
    counts = ImportBatch.objects.get(pk=third["id"])
    assert (counts.created, counts.duplicates) == (2, 0)
    assert undo(account, third) == 204
    assert types() == ["buy", "deposit", "dividend"]


def test_undoing_the_first_import_leaves_nothing_to_put_back(account):
    first = account.done(data=FIRST, instruments=KNOWN)
    second = account.done(data=SECOND)
    assert undo(account, first) == 204
    assert undo(account, second) == 204
    assert not Transaction.objects.exists()
    assert not KnownRows.objects.exists()


def test_a_row_that_is_put_back_belongs_to_the_import_that_has_it(account):
    first = account.done(data=FIRST, instruments=KNOWN)
    second = account.done(data=SECOND)
    assert undo(account, first) == 204
    again = account.done(data=FIRST)
    assert (again["created"], again["duplicates"]) == (2, 1)
    assert undo(account, second) == 204
    dividend = Transaction.objects.get(type="dividend")
    assert str(dividend.import_batch_id) == again["id"]
    assert undo(account, again) == 204
    assert not Transaction.objects.exists()


def test_a_purchase_that_a_later_sale_needs_is_not_taken_back(api, user):
    upload = Upload(api, services.create_portfolio(user=user, name="N", currency="NOK"))
    upload.done(data=statement(ROWS), instruments=CHOICES)
    before = everything()
    cancelled = [
        row.replace("avtale 2|", "avtale 2|2025-07-02").replace("avtale 1|", "avtale 1|2025-07-02")
        for row in ROWS
        if row.startswith(("197|", "198|"))
    ]
    response = upload(data=statement(cancelled))
    assert response.status_code == 422
    assert {one["code"] for one in response.json()["errors"]} == {"insufficient_quantity"}
    assert everything() == before


def test_ibkr_cancels_a_trade_of_an_earlier_file(account):
    header = (
        "AssetClass,Buy/Sell,TradeDate,ISIN,Symbol,Quantity,TradePrice,TradeMoney,CurrencyPrimary,"
        "IBCommission,IBCommissionCurrency"
    )
    bought = f"STK,BUY,20240304,{ATL},ATL,5,100,500,EUR,-1,EUR"
    more = f"STK,BUY,20240305,{ATL},ATL,7,100,700,EUR,-1,EUR"
    account.done(data=text(header, bought, more), instruments=KNOWN)
    cancelled = f"STK,BUY (Ca.),20240306,{ATL},ATL,-5,100,-500,EUR,1,EUR"
    right = f"STK,BUY,20240304,{ATL},ATL,5,99,495,EUR,-1,EUR"
    body = account.done(data=text(header, cancelled, right))
    assert (body["created"], body["failed"]) == (2, 0)
    assert held()["ATLAS.EUR.DEMO"][:1] == (12,)
    assert held()["ATLAS.EUR.DEMO"][2] == D(701 + 496)


def test_avanza_takes_back_a_dividend_of_an_earlier_file(api, user):
    upload = Upload(api, services.create_portfolio(user=user, name="A", currency="SEK"))
    header = (
        "Datum;Konto;Typ av transaktion;Värdepapper/beskrivning;Antal;Kurs;Belopp;"
        "Transaktionsvaluta;Courtage;Valutakurs;Instrumentvaluta;ISIN;Resultat"
    )
    bought = "2024-01-02;1;Köp;Skog;10;50;-500;SEK;0;;SEK;SE0000000012;"
    paid = "2024-03-01;1;Utdelning;Skog;10;2;20;SEK;;;SEK;SE0000000012;"
    back = "2024-03-05;1;Utdelning;Skog;10;2;-20;SEK;;;SEK;SE0000000012;"
    upload.done(data=text(header, paid, bought), instruments=choices(SE0000000012="SKOG.SEK.DEMO"))
    body = upload.done(data=text(header, back))
    assert (body["created"], types()) == (1, ["buy"])
