"""What companies do with shares, shares that are moved, and more words of Swissquote."""

from decimal import Decimal as D

import pytest

from integrations.statements.tests.samples.base import ATLAS, FUND
from integrations.statements.tests.support import choices, faults, held, text, twice
from integrations.statements.tests.test_swissquote import HEADER
from portfolios.models import Transaction, TransactionGroup

pytestmark = pytest.mark.django_db

KNOWN = choices(**{ATLAS: "WERELD.EUR.DEMO", FUND: "NOORDZEE.EUR.DEMO"})
BOUGHT = f"02-01-2024 10:00:00;1;Buy;ATL;ATLAS;{ATLAS};10.0;50.00;0.00;0.00;-500.00;0;EUR"


def of(word, isin, quantity, net="0.00", price="-", day="05-06-2024 00:00:00"):
    return f"{day};00000000;{word};X;NAME;{isin};{quantity};{price};0.00;0.00;{net};0;EUR"


def sent(account, *rows):
    return account("EUR").done(data=text(HEADER, *rows[::-1], BOUGHT), instruments=KNOWN)


@pytest.mark.parametrize(
    "word", ["Fusion", "Umtausch", "Échange de titres", "Internal exchange transaction"]
)
def test_shares_that_become_others_keep_their_cost(account, word):
    upload = account("EUR")
    data = text(HEADER, of(word, FUND, "4"), of(word, ATLAS, "-10"), BOUGHT)
    body = upload.done(data=data, instruments=KNOWN)
    assert (body["created"], body["groups_created"], body["failed"]) == (3, 1, 0)
    assert TransactionGroup.objects.get().label == word
    assert held()["NOORDZEE.EUR.DEMO"][:4] == (4, 125, 500, 0)
    twice(upload, data)


def test_the_money_of_a_merger_belongs_to_its_shares(account):
    body = sent(account, of("Fusion", ATLAS, "-10", "12.50"), of("Fusion", FUND, "4"))
    assert (body["created"], body["groups_created"]) == (3, 1)
    assert Transaction.objects.get(type="exchange_out").settlement_amount == D("12.5")


def test_rights_that_are_used_are_exercised(account):
    word = "Ausübung von Anrechten"
    body = sent(account, of(word, ATLAS, "-10"), of(word, FUND, "2", "-40.00", "20.00"))
    assert (body["created"], body["groups_created"]) == (3, 1)
    assert TransactionGroup.objects.get().kind == "exercise"
    assert held()["NOORDZEE.EUR.DEMO"][:3] == (2, 270, 540)


def test_shares_of_a_new_company_come_at_no_cost_with_a_warning(account):
    body = sent(account, of("Spin off", FUND, "3"))
    assert ("unpaired_action", 2) in {(one["code"], one.get("row")) for one in body["warnings"]}
    assert held()["NOORDZEE.EUR.DEMO"][:3] == (3, 0, 0)


@pytest.mark.parametrize("word", ["Reverse Split", "Split inverse", "Aktiensplit"])
def test_a_split_of_the_same_instrument_keeps_its_cost(account, word):
    body = sent(account, of(word, ATLAS, "-10"), of(word, ATLAS, "2"))
    assert (body["created"], body["ignored"]) == (2, 1)
    assert held()["WERELD.EUR.DEMO"][:3] == (2, 250, 500)


def test_shares_that_are_rebooked_stay(account):
    word = "Interne Titelumbuchung"
    body = sent(account, of(word, ATLAS, "-10"), of(word, ATLAS, "10"))
    assert (body["created"], body["ignored"]) == (1, 2)


def test_rights_that_lapse_are_sold_for_nothing(account):
    sent(account, of("Verfall von Anrechten", ATLAS, "-10"))
    assert held()["WERELD.EUR.DEMO"][:4] == (0, None, 0, -500)


def test_shares_that_are_taken_back_for_money_are_sold(account):
    sent(account, of("Rückkaufangebot", ATLAS, "-10", "600.00", "60.00"))
    assert held()["WERELD.EUR.DEMO"][:4] == (0, None, 0, 100)


def test_shares_that_are_moved_are_transferred(account):
    body = sent(account, of("Titelausgang", ATLAS, "-4"), of("Titeleingang", FUND, "3"))
    assert body["created"] == 3
    assert ("cost_unknown", 2) in {(one["code"], one.get("row")) for one in body["warnings"]}
    assert Transaction.objects.get(type="transfer_in").quantity == 3
    assert Transaction.objects.get(type="transfer_out").quantity == 4


@pytest.mark.parametrize(
    ("word", "reversal"),
    [
        ("Dividende", "Storno (Dividende)"),
        ("Dividend", "Reversal (Dividend)"),
        ("Dividende", "Annulation (Dividende)"),
        ("Dividende", "Dividende (storniert)"),
    ],
)
def test_a_payment_and_its_reversal_leave_nothing(account, word, reversal):
    body = sent(
        account,
        of(word, ATLAS, "10", "5.00", "0.50"),
        of(reversal, ATLAS, "10", "-5.00", "0.50"),
        of("Dividende", ATLAS, "10", "6.00", "0.60"),
    )
    assert (body["created"], body["ignored"]) == (2, 2)
    assert Transaction.objects.get(type="dividend").settlement_amount == 6


@pytest.mark.parametrize(
    ("word", "net", "kind"),
    [
        ("Kommission AM", "-3.00", "fee"),
        ("Negativzins", "-0.40", "interest"),
        ("Kartentransaktion", "-20.00", "withdrawal"),
        ("Bonifico", "100.00", "deposit"),
        ("Korrekturbuchung", "1.00", "adjustment"),
        ("Trading Platform Fees", "-10.00", "fee"),
        ("Real-Time Data Fee", "-5.00", "fee"),
        ("Overdraft interest", "-0.25", "interest"),
    ],
)
def test_money_in_more_words(account, word, net, kind):
    row = f"05-06-2024 00:00:00;0;{word};;;;-;-;0.00;0.00;{net};0;EUR"
    assert sent(account, row)["created"] == 2
    assert Transaction.objects.get(holding=None, type=kind).settlement_amount == D(net)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (of("Split", ATLAS, "10"), "unpaired_split"),
        (of("Fusion", ATLAS, "-10"), "unpaired_action"),
        (of("Dividende (storniert)", ATLAS, "10", "-5.00", "0.50"), "unpaired_reversal"),
        (of("Buy-to-open", ATLAS, "1", "-5.00", "5.00"), "unsupported_instrument"),
        (
            of("Expiration", ATLAS, "1").replace(";X;", ";ATL APR25 119C;"),
            "unsupported_instrument",
        ),
    ],
)
def test_what_the_file_does_not_tell_is_an_error(account, row, code):
    response = account("EUR")(data=text(HEADER, row, BOUGHT), instruments=KNOWN)
    assert [fault[2] for fault in faults(response.json())] == [code]
