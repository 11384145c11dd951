"""Test files of several accounts, of which a request imports one."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from integrations.conftest import Upload
from integrations.statements.tests.support import choices, text
from portfolios import services
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db

AVANZA = (
    "Datum;Konto;Typ av transaktion;Värdepapper/beskrivning;Antal;Kurs;Belopp;Transaktionsvaluta;"
    "Courtage;Valutakurs;Instrumentvaluta;ISIN;Resultat"
)
ROWS = (
    "2025-02-03;1111;Köp;Skogen A;10;100,00;-1000;SEK;;;SEK;SE0000000012;",
    "2025-02-02;2222;Köp;Skogen A;5;100,00;-500;SEK;;;SEK;SE0000000012;",
    "2025-02-01;1111;Insättning;Insättning;;;1500;SEK;;;;;",
)
KNOWN = choices(SE0000000012="SKOGEN.SEK.DEMO")


@pytest.fixture
def upload(api, user):
    portfolio = services.create_portfolio(user=user, name="Swedish", currency="SEK")
    return Upload(api, portfolio)


def test_a_file_of_several_accounts_needs_the_name_of_one(upload):
    response = upload(data=text(AVANZA, *ROWS), instruments=KNOWN)
    body = response.json()
    assert (response.status_code, body["errors"][0]["code"]) == (422, "several_accounts")
    assert body["errors"][0]["attr"] == "file"
    assert body["accounts"] == ["1111", "2222"]
    assert "1111, 2222" in body["errors"][0]["detail"]
    assert not Transaction.objects.exists()


def test_all_counts_are_of_the_account_that_is_named(upload):
    body = upload.done(data=text(AVANZA, *ROWS), instruments=KNOWN, account="1111")
    assert (body["rows"], body["created"], body["ignored"], body["failed"]) == (2, 2, 0, 0)
    assert Transaction.objects.get(type="buy").quantity == 10
    again = upload(data=text(AVANZA, *ROWS), instruments=KNOWN, account="1111").json()
    assert (again["created"], again["duplicates"]) == (0, 2)


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1]])
def test_an_account_that_the_file_does_not_have_is_refused(upload, rows):
    response = upload(data=text(AVANZA, *rows), instruments=KNOWN, account="3333")
    body = response.json()
    assert (response.status_code, body["errors"][0]["code"]) == (422, "unknown_account")
    assert body["accounts"][0] == "1111"


def test_a_file_that_names_no_accounts_has_not_the_one_that_is_asked_for(upload):
    response = upload("2024-01-02,buy,ATLAS.SEK.DEMO,1,2", account="3333")
    body = response.json()
    assert (response.status_code, body["errors"][0]["code"]) == (422, "unknown_account")
    assert body["accounts"] == []


def test_a_row_without_account_in_a_file_of_several_is_an_error(upload):
    row = "2025-02-03;;Köp;Skogen A;1;100,00;-100;SEK;;;SEK;SE0000000012;"
    body = upload(data=text(AVANZA, row, *ROWS), instruments=KNOWN, account="1111").json()
    assert [(one["row"], one["column"], one["code"]) for one in body["errors"]] == [
        (2, "Konto", "required")
    ]


def test_the_one_account_of_a_file_can_be_named(upload):
    body = upload.done(data=text(AVANZA, ROWS[0]), instruments=KNOWN, account="1111")
    assert body["created"] == 1


def test_the_command_takes_an_account(upload, user, tmp_path):
    file = tmp_path / "avanza.csv"
    file.write_bytes(text(AVANZA, *ROWS))
    options = {
        "user": user.username,
        "portfolio": "Swedish",
        "instrument": ["SE0000000012=SKOGEN.SEK.DEMO"],
    }
    with pytest.raises(CommandError, match="name it with --account"):
        call_command("import_transactions", str(file), **options)
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("import_transactions", str(file), as_json=True, stdout=out, **options)
    answer = upload(data=text(AVANZA, *ROWS), instruments=KNOWN).json()
    assert json.loads(out.getvalue()) == {**answer, "request_id": None}
    assert not Transaction.objects.exists()
    call_command("import_transactions", str(file), account="2222", **options)
    assert Transaction.objects.get().quantity == 5
