"""Scalable Capital files through the REST API."""

from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import choices, faults, held, text, twice
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db

HEADER = "date;time;status;reference;description;assetType;type;isin;shares;price;amount;fee;tax;currency"
GERMAN = "Datum;Uhrzeit;Status;Referenz;Beschreibung;Anlageklasse;Typ;ISIN;Stück;Kurs;Betrag;Gebühr;Steuer;Währung"
WITH_GROSS = "Datum;Uhrzeit;Typ;Wertpapiername;ISIN;Wert;Stück;Buchungswährung;Gebühren;Steuern;Bruttobetrag;Notiz"
ATLAS = "US0000000011"
KNOWN = choices(US0000000011="ATLAS.EUR.DEMO")
BOUGHT = f'2024-03-04;09:00:00;Executed;"S-1";"Atlas";Security;Buy;{ATLAS};10;100;-1000;0,99;0;EUR'


def charged():
    names = ("type", "quantity", "price", "commission", "tax", "settlement_amount")
    return list(Transaction.objects.order_by("sequence").values_list(*names))


def money():
    rows = Transaction.objects.filter(holding=None).order_by("sequence")
    return list(rows.values_list("type", "settlement_amount"))


def test_scalable_capital(account):
    upload = account("EUR")
    data = text(
        HEADER,
        '2024-05-16;11:40:50;Executed;"S-4";"Atlas Inc";Cash;Distribution;US0000000011;;;8,5;0;1,5;EUR',
        '2024-04-03;09:00:00;Executed;"S-3";"Atlas Inc";Security;Sell;US0000000011;-4;110;440;0,99;2;EUR',
        '2024-03-05;09:00:00;Pending;"S-2";"Atlas Inc";Security;Buy;US0000000011;1;100;-100;0;0;EUR',
        '2024-03-04;09:00:00;Executed;"S-1";"Atlas Inc";Security;Savings plan;US0000000011;10;100,5;-1005;0;0;EUR',
        '2024-03-01;09:00:00;Executed;"S-0";"Bank";Cash;Deposit;;;;2500;0;;EUR',
    )
    body = upload.done(data=data, instruments=KNOWN)
    assert (body["format"], body["created"], body["ignored"]) == ("scalable", 4, 1)
    assert held()["ATLAS.EUR.DEMO"] == (6, D("100.5"), 603, D("35.01"), D("8.5"), 0)
    assert charged()[1:] == [
        ("buy", 10, D("100.5"), 0, 0, -1005),
        ("sell", 4, 110, D("0.99"), 2, D("437.01")),
        ("dividend", 1, 10, 0, D("1.5"), D("8.5")),
    ]
    twice(upload, data)


def test_money_has_its_word_and_its_sign(account):
    data = text(
        HEADER,
        '2026-03-10;01:00:00;Executed;"T-6";"";Cash;Taxes;;;;71,04;0,00;;EUR',
        '2026-03-09;01:00:00;Executed;"T-5";"Vorabpauschale";Cash;Taxes;;;;-3,84;0,00;;EUR',
        '2026-03-08;01:00:00;Executed;"T-4";"";Cash;Interest;;;;3,29;0,00;0,71;EUR',
        '2026-03-07;01:00:00;Executed;"T-3";"PRIME+";Cash;Fee;;;;-4,99;0,00;;EUR',
        '2026-03-06;01:00:00;Executed;"T-2";"";Cash;Withdrawal;;;;200;0;;EUR',
        '2026-03-05;01:00:00;Executed;"T-1";"";Cash;Deposit;;;;2.500;0;;EUR',
    )
    account("EUR").done(data=data)
    assert money() == [
        ("deposit", 2500),
        ("withdrawal", -200),
        ("fee", D("-4.99")),
        ("interest", D("3.29")),
        ("tax", D("-3.84")),
        ("tax", D("71.04")),
    ]
    assert Transaction.objects.get(type="interest").tax == D("0.71")


def test_the_fee_of_a_deposit_is_a_row_of_its_own_and_interest_may_have_no_shares(account):
    data = text(
        HEADER,
        '2026-03-08;01:00:00;Executed;"T-2";"";Cash;Interest;;0;0;7,45;0;0;EUR',
        '2026-03-05;01:00:00;Executed;"T-1";"";Cash;Deposit;;;;1.000,00;9,90;0;EUR',
    )
    upload = account("EUR")
    upload.done(data=data)
    assert money() == [("deposit", 1000), ("fee", D("-9.9")), ("interest", D("7.45"))]
    twice(upload, data)


def test_german_words_in_the_same_layout(account):
    data = text(
        GERMAN,
        f"2024-04-03;09:00:00;Storniert;S-3;Atlas;Wertpapier;Verkauf;{ATLAS};0;0;0;0;0;EUR",
        f"2024-03-04;09:00:00;Ausgeführt;S-1;Atlas;Wertpapier;Sparplan;{ATLAS};10;100,5;-1.005,00;0;0;EUR",
        "2024-03-01;09:00:00;Ausgeführt;S-0;Bank;Geld;Einzahlung;;;;2.500,00;0;;EUR",
    )
    body = account("EUR").done(data=data, instruments=KNOWN)
    assert (body["created"], body["ignored"]) == (2, 1)
    assert held()["ATLAS.EUR.DEMO"][:3] == (10, D("100.5"), 1005)


def test_shares_that_left_and_came_back_are_no_transfer(account):
    data = text(
        HEADER,
        f'2025-12-06;01:00:00;Executed;"SWITCH-1";"Atlas";Security;Security transfer;{ATLAS};10;104;1040;;;EUR',
        f'2025-12-05;01:00:00;Executed;"WWUM 1";"Atlas";Security;Security transfer;{ATLAS};-10;103;-1030;;;EUR',
        BOUGHT,
    )
    body = account("EUR").done(data=data, instruments=KNOWN)
    assert (body["created"], body["ignored"]) == (1, 2)


def test_shares_from_another_broker_come_in_at_what_they_were_worth(account):
    data = text(
        HEADER,
        f'2025-12-06;01:00:00;Executed;"SWITCH-1";"Atlas";Security;Security transfer;{ATLAS};10;104;1040;;;EUR',
    )
    account("EUR").done(data=data, instruments=KNOWN)
    assert charged()[0][:3] == ("transfer_in", 10, 104)


def test_a_repayment_is_one_sale_of_its_two_rows(account):
    data = text(
        HEADER,
        f'2026-01-13;01:00:00;Executed;"WWUM 9";"Atlas";Cash;Distribution;{ATLAS};;;1.148,39;0,00;0,00;EUR',
        f'2026-01-13;01:00:00;Executed;"WWUM 9";"Atlas";Security;Corporate action;{ATLAS};-10;95,70;-957,00;;;EUR',
        BOUGHT,
    )
    upload = account("EUR")
    body = upload.done(data=data, instruments=KNOWN)
    assert (body["created"], body["ignored"]) == (2, 1)
    assert charged()[1] == ("sell", 10, D("114.839"), 0, 0, D("1148.39"))
    assert held()["ATLAS.EUR.DEMO"][0] == 0
    twice(upload, data)


def test_an_action_that_adds_shares_is_a_split(account):
    data = text(
        HEADER,
        f'2026-01-13;01:00:00;Executed;"WWUM 9";"Atlas";Security;Corporate action;{ATLAS};10;50;500;;;EUR',
        BOUGHT,
    )
    account("EUR").done(data=data, instruments=KNOWN)
    assert Transaction.objects.get(type="split").quantity == 2


def test_an_action_that_takes_shares_without_money_is_an_error_of_its_row(account):
    data = text(
        HEADER,
        f'2026-01-13;01:00:00;Executed;"WWUM 9";"Atlas";Security;Corporate action;{ATLAS};-10;0,001;-0,01;;;EUR',
        BOUGHT,
    )
    body = account("EUR")(data=data, instruments=KNOWN).json()
    assert faults(body) == [(2, "shares", "unknown_split_ratio")]


def test_a_cancelled_distribution_is_taken_back(account):
    data = text(
        HEADER,
        f'2024-06-02;01:00:00;Executed;"D-2";"Atlas";Cash;Distribution;{ATLAS};;;0,05;0,00;0,00;EUR',
        f'2024-06-02;01:00:00;Executed;"CANCEL-D-1";"Atlas";Cash;Distribution;{ATLAS};;;-0,04;0,00;0,00;EUR',
        f'2024-06-01;01:00:00;Executed;"D-1";"Atlas";Cash;Distribution;{ATLAS};;;0,04;0,00;0,00;EUR',
        BOUGHT,
    )
    body = account("EUR").done(data=data, instruments=KNOWN)
    assert (body["created"], body["ignored"]) == (2, 2)
    assert held()["ATLAS.EUR.DEMO"][4] == D("0.05")


def test_the_value_of_the_layout_with_a_gross_amount_is_after_its_charges(account):
    data = text(
        WITH_GROSS,
        f"03.06.2025;09:12:00;Verkauf;Atlas;{ATLAS};217,51;2;EUR;0,99;1,50;220,00;ORDER-2",
        f"04.05.2025;09:00:00;Kauf;Atlas;{ATLAS};-1000,99;10;EUR;0,99;0,00;1000,00;ORDER-1",
        "01.05.2025;02:00:00;TAX;;;-3,84;;EUR;0,00;0,00;0,00;Vorabpauschale",
    )
    upload = account("EUR")
    upload.done(data=data, instruments=KNOWN)
    assert money() == [("tax", D("-3.84"))]
    assert charged()[1:] == [
        ("buy", 10, 100, D("0.99"), 0, D("-1000.99")),
        ("sell", 2, 110, D("0.99"), D("1.5"), D("217.51")),
    ]
    twice(upload, data)


def test_an_amount_that_the_other_figures_contradict_is_an_error_of_its_row(account):
    data = text(HEADER, BOUGHT.replace("100;-1000", "100,00;-1001"))
    body = account("EUR")(data=data, instruments=KNOWN).json()
    assert faults(body) == [(2, "amount", "amount_differs")]


TWO = choices(**{ATLAS: "ATLAS.EUR.DEMO", "IE0000000041": "WERELD.EUR.DEMO"})


def action(shares, isin=ATLAS, number="WWUM 9", word="Corporate action"):
    return f'2026-01-13;01:00:00;Executed;"{number}";"Name";Security;{word};{isin};{shares};;;;;EUR'


def test_an_action_that_takes_shares_and_brings_others_is_an_exchange(account):
    upload = account("EUR")
    data = text(HEADER, action("4", "IE0000000041"), action("-10"), BOUGHT)
    body = upload.done(data=data, instruments=TWO)
    assert (body["created"], body["groups_created"], body["failed"]) == (3, 1, 0)
    assert held()["ATLAS.EUR.DEMO"][0] == 0
    assert held()["WERELD.EUR.DEMO"][0] == 4
    twice(upload, data)


def test_an_action_of_two_rows_of_one_instrument_is_a_split(account):
    body = account("EUR").done(
        data=text(HEADER, action("2"), action("-10"), BOUGHT), instruments=TWO
    )
    assert (body["created"], body["ignored"]) == (2, 1)
    assert held()["ATLAS.EUR.DEMO"][0] == 2


def test_shares_of_a_new_company_come_at_no_cost_with_a_warning(account):
    data = text(HEADER, action("3", "IE0000000041", "WWUM 8"), BOUGHT)
    body = account("EUR").done(data=data, instruments=TWO)
    assert ("unpaired_action", 2) in {(one["code"], one.get("row")) for one in body["warnings"]}
    assert held()["WERELD.EUR.DEMO"][:3] == (3, 0, 0)


STATED = "date;time;status;reference;description;assetType;type;isin;shares;price;amount;fee;tax;currency"
OF_ATLAS = choices(US0000000011="ATLAS.EUR.DEMO")


@pytest.mark.parametrize("status", ["Expired", "Rejected", "Pending", "Storniert", "Annulé"])
def test_an_order_that_was_not_executed_is_ignored(account, status):
    row = (
        f'2025-09-26;02:00:00;{status};"R1";"Atlas";Security;Buy;US0000000011;1;5,00;-5,00;0;0;EUR'
    )
    body = account("EUR")(data=text(STATED, row)).json()
    assert (body["created"], body["ignored"], body["failed"]) == (0, 1, 0)


def test_a_status_that_is_not_known_is_an_error_and_not_left_out(account):
    row = '2025-09-26;02:00:00;Wartet;"R1";"Atlas";Security;Buy;US0000000011;1;5,00;-5,00;0;0;EUR'
    body = account("EUR")(data=text(STATED, row)).json()
    assert faults(body) == [(2, "status", "unknown_type")]
    assert not Transaction.objects.exists()


def test_charges_with_a_minus_are_taken_and_not_paid_back(account):
    data = text(
        STATED,
        '2025-03-15;09:15;Executed;"R1";"Atlas";Security;Buy;US0000000011;10;110,25;-1102,50;-0,99;0;EUR',
        '2025-07-15;00:00;Executed;"R2";"Atlas";Security;Distribution;US0000000011;;;15,50;0;-2,33;EUR',
    )
    account("EUR").done(data=data, instruments=OF_ATLAS)
    names = ("type", "price", "commission", "tax", "settlement_amount")
    assert list(Transaction.objects.order_by("sequence").values_list(*names)) == [
        ("buy", D("110.25"), D("0.99"), 0, D("-1103.49")),
        ("dividend", D("17.83"), 0, D("2.33"), D("15.5")),
    ]


def test_words_of_other_languages_are_known(account):
    data = text(
        STATED,
        '2025-03-15;09:15;Eseguito;"R1";"Atlas";Security;Piano di accumulo;US0000000011;10;110,25;-1102,50;0;0;EUR',
        '2025-07-15;00:00;Exécuté;"R2";"Versement";Cash;Dépôt;;;;100,00;;;EUR',
    )
    account("EUR").done(data=data, instruments=OF_ATLAS)
    kinds = Transaction.objects.order_by("sequence").values_list("type", flat=True)
    assert list(kinds) == ["buy", "deposit"]
