"""Files of the tool pytr through the REST API."""

from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import choices, faults, held, text, twice
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db

DUTCH = "Datum;Transactietype;Waarde (netto);Opmerking;ISIN;Aantal;Kosten;Belasting"
ENGLISH = "Date;Type;Value;Note;ISIN;Shares;Fees;Taxes"
KNOWN = choices(US0000000011="ATLAS.EUR.DEMO")


def charged():
    names = ("type", "quantity", "price", "commission", "tax", "settlement_amount")
    return list(Transaction.objects.order_by("sequence").values_list(*names))


def test_fees_and_taxes_are_in_the_value_whatever_their_sign(account):
    data = text(
        ENGLISH,
        "2024-12-02T11:30:27;Buy;-501.0;Atlas;US0000000011;5.0;-1.0;",
        "2024-12-10T10:25:01;Sell;228.0;Atlas;US0000000011;2.0;1.0;11.0",
    )
    upload = account("EUR")
    upload.done(data=data, instruments=KNOWN)
    assert charged() == [("buy", 5, 100, 1, 0, -501), ("sell", 2, 120, 1, 11, 228)]
    twice(upload, data)


def test_rows_with_points_and_rows_with_commas_are_read_in_one_file(account):
    data = text(
        DUTCH,
        "2024-11-26;Aankoop;-10,799;Atlas;US0000000011;0,107990;;",
        "2024-12-02T11:30:27;Buy;-50.25;Atlas;US0000000011;0.5;;",
    )
    account("EUR").done(data=data, instruments=KNOWN)
    assert [(row[1], row[5]) for row in charged()] == [
        (D("0.10799"), D("-10.8")),
        (D("0.5"), D("-50.25")),
    ]


def test_a_number_that_its_row_leaves_open_is_an_error_where_the_file_has_both_styles(account):
    data = text(
        DUTCH,
        "2024-11-26;Aankoop;-10,50;Atlas;US0000000011;0,1;;",
        "2024-12-02;Buy;-50.25;Atlas;US0000000011;0.5;;",
        "2024-12-03;Buy;-10,799;Atlas;US0000000011;1;;",
    )
    body = account("EUR")(data=data, instruments=KNOWN).json()
    assert faults(body) == [(4, "Waarde (netto)", "invalid")]


def test_a_reversed_dividend_is_taken_back_with_the_row_that_reverses_it(account):
    data = text(
        ENGLISH,
        "2024-05-02;Buy;-100.0;Atlas;US0000000011;1.0;;",
        "2024-05-16;Dividend;22.02;Atlas;US0000000011;;;7.56",
        "2024-06-16;Dividend;-22.02;Atlas;US0000000011;;;7.56",
        "2024-06-17;Dividend;21.78;Atlas;US0000000011;;;7.8",
    )
    body = account("EUR").done(data=data, instruments=KNOWN)
    assert (body["created"], body["ignored"]) == (2, 2)
    assert held()["ATLAS.EUR.DEMO"][4] == D("21.78")


def test_a_coin_is_never_looked_up_as_a_share(account):
    data = text(ENGLISH, "2024-05-02;Buy;-100.0;Bitcoin;XF000BTC0017;0.01;;")
    body = account("EUR")(data=data).json()
    assert [one["symbol"] for one in body["instruments"]] == ["BTC-EUR"]


NEW = f"{ENGLISH};ISIN2;Shares2"
TWO = choices(US0000000011="ATLAS.EUR.DEMO", IE0000000041="WERELD.EUR.DEMO")
BOUGHT = "2024-05-01T09:00:00;Buy;-100.0;Atlas;US0000000011;10;;;;"


def test_a_swap_into_other_shares_keeps_their_cost_and_has_its_money(account):
    swap = "2024-06-01T09:00:00;Swap;5.0;Atlas;US0000000011;10;;;IE0000000041;4"
    upload = account("EUR")
    data = text(NEW, BOUGHT, swap)
    body = upload.done(data=data, instruments=TWO)
    # Both legs are of one row.
    assert (body["created"], body["groups_created"], body["failed"]) == (2, 1, 0)
    assert Transaction.objects.get(type="exchange_out").settlement_amount == 5
    assert held()["WERELD.EUR.DEMO"][0] == 4
    twice(upload, data)


def test_a_swap_that_is_paid_for_is_exercised(account):
    swap = "2024-06-01T09:00:00;Swap;-20.0;Atlas;US0000000011;10;;;IE0000000041;4"
    account("EUR").done(data=text(NEW, BOUGHT, swap), instruments=TWO)
    assert held()["WERELD.EUR.DEMO"][:3] == (4, 30, 120)


def test_a_swap_for_the_same_instrument_is_a_split(account):
    swap = "2024-06-01T09:00:00;Swap;0;Atlas;US0000000011;10;;;US0000000011;2"
    account("EUR").done(data=text(NEW, BOUGHT, swap), instruments=TWO)
    assert held()["ATLAS.EUR.DEMO"][:3] == (2, 50, 100)


def test_a_swap_for_money_is_a_sale(account):
    swap = "2024-06-01T09:00:00;Swap;130.0;Atlas;US0000000011;10;;;Atlas;"
    account("EUR").done(data=text(NEW, BOUGHT, swap), instruments=TWO)
    assert held()["ATLAS.EUR.DEMO"][:4] == (0, None, 0, 30)


def test_what_comes_by_a_name_alone_is_asked_for(account):
    swap = "2024-06-01T09:00:00;Swap;0;Atlas;US0000000011;10;;;New Atlas O.N.;2"
    body = account("EUR")(data=text(NEW, BOUGHT, swap), instruments=TWO).json()
    assert [fault[2] for fault in faults(body)] == ["unresolved", "incomplete_group"]


def test_a_spin_off_with_the_sale_before_it_is_an_exchange(account):
    rows = [
        "2024-06-01T09:00:00;Sell;0;Atlas;US0000000011;10;;;;4",
        "2024-06-01T09:00:00;Spinoff;0;Wereld;IE0000000041;4;;;US0000000011;4",
    ]
    body = account("EUR").done(data=text(NEW, BOUGHT, *rows), instruments=TWO)
    assert (body["created"], body["groups_created"]) == (3, 1)
    assert held()["WERELD.EUR.DEMO"][:3] == (4, 25, 100)


def test_shares_of_a_new_company_are_a_group_with_those_that_they_came_for(account):
    row = "2024-06-01T09:00:00;Spinoff;0;Wereld;IE0000000041;3;;;US0000000011;"
    body = account("EUR").done(data=text(NEW, BOUGHT, row), instruments=TWO)
    assert (body["created"], body["groups_created"]) == (2, 1)
    assert not {"unpaired_action", "cost_share_unknown"} & {one["code"] for one in body["warnings"]}
    out, came = Transaction.objects.filter(group__kind="spin_off").order_by("-type")
    assert (out.type, out.quantity, came.quantity) == ("exchange_out", 0, 3)
    shown = held()
    assert shown["WERELD.EUR.DEMO"][0] == 3
    assert 0 < shown["WERELD.EUR.DEMO"][2] < 100
    assert shown["ATLAS.EUR.DEMO"][2] + shown["WERELD.EUR.DEMO"][2] == 100


def test_shares_of_a_company_whose_origin_is_not_told_come_at_no_cost_with_a_warning(account):
    row = "2024-06-01T09:00:00;Spinoff;0;Wereld;IE0000000041;3;;;;"
    body = account("EUR").done(data=text(NEW, BOUGHT, row), instruments=TWO)
    assert ("unpaired_action", 3) in {(one["code"], one.get("row")) for one in body["warnings"]}
    assert held()["WERELD.EUR.DEMO"][:3] == (3, 0, 0)


def test_shares_that_pytr_has_no_isin_for_are_asked_for_by_their_name(account):
    row = "2024-06-01T09:00:00;Spinoff;0;Wereld;US0000000011;3;;;US0000000011;"
    body = account("EUR")(data=text(NEW, BOUGHT, row), instruments=TWO).json()
    assert [fault[2] for fault in faults(body)] == ["unresolved", "incomplete_group"]
    assert not Transaction.objects.exists()


@pytest.mark.parametrize(
    "row",
    [
        "2024-06-01;Swap;0;Atlas;US0000000011;10;;;;",
        "2024-06-01;Swap;0;Atlas;US0000000011;10;;;;4",
        "2024-06-01;Swap;1;Atlas;US0000000011;10;;;US0000000011;4",
        "2024-06-01;Sell;0;Atlas;US0000000011;10;;;;4",
        "2024-06-01;Spinoff;-3;Wereld;IE0000000041;3;;;;",
    ],
)
def test_an_action_that_the_file_does_not_tell_is_an_error(account, row):
    body = account("EUR")(data=text(NEW, BOUGHT, row), instruments=TWO).json()
    assert faults(body) == [(3, "Shares", "unpaired_action")]


def test_a_tax_of_shares_may_be_nothing_or_paid_back(account):
    rows = [
        "2024-06-01T09:00:00;Taxes;0;Atlas;US0000000011;10;;;;",
        "2024-06-02T09:00:00;Taxes;1.5;Atlas;US0000000011;10;;-1.5;;",
        "2024-06-03T09:00:00;Dividend;0;Atlas;US0000000011;10;;;;",
    ]
    body = account("EUR").done(data=text(NEW, BOUGHT, *rows), instruments=TWO)
    assert (body["created"], body["ignored"]) == (2, 2)
    assert Transaction.objects.get(type="tax").settlement_amount == D("1.5")


def test_a_person_says_what_a_word_means(account):
    mapping = '{"types": {"Verlosung": "deposit"}}'
    row = "2024-06-01T09:00:00;Verlosung;7.5;;;;;;;"
    account("EUR").done(data=text(NEW, BOUGHT, row), instruments=TWO, mapping=mapping)
    made = Transaction.objects.get(type="deposit")
    assert (made.settlement_amount, made.settlement_currency) == (D("7.5"), "EUR")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("Datum;Typ;Hodnota;Poznámka;ISIN;Akcie;Poplatky;Daně;ISIN2;Akcie2", "Koupit Výběr"),
        ("Dato;Type;Værdi;Bemærkning;ISIN;Aktier;Gebyrer;Skatter;ISIN2;Aktier2", "Køb Hævning"),
        (f"{ENGLISH};CSVColumn_ISIN2;CSVColumn_Shares2", "Buy Removal"),
    ],
)
def test_more_languages(account, header, words):
    buy, removal = words.split()
    data = text(header, BOUGHT.replace("Buy", buy), f"2024-06-01;{removal};-5;;;;;;;")
    account("EUR").done(data=data, instruments=KNOWN)
    assert [row[0] for row in charged()] == ["buy", "withdrawal"]


@pytest.mark.parametrize(
    ("header", "buy", "dividend"),
    [
        ("Дата;Тип;Значение;Заметка;ISIN;Акций;Сборы;Налоги", "Покупка", "Дивиденд"),
        ("日期;类型;净额;备注;ISIN;份额;费用;税款", "买入", "股息"),
    ],
)
def test_russian_and_chinese_files_are_read(account, header, buy, dividend):
    data = text(
        header,
        f"2024-03-01T09:30:00;{buy};-1001.0;Atlas;US0000000011;10;1.0;",
        f"2024-05-16T09:30:00;{dividend};8.5;Atlas;US0000000011;10;;1.5",
    )
    account("EUR").done(data=data, instruments=choices(US0000000011="ATLAS.EUR.DEMO"))
    names = ("type", "price", "commission", "tax")
    assert list(Transaction.objects.order_by("sequence").values_list(*names)) == [
        ("buy", 100, 1, 0),
        ("dividend", 10, 0, D("1.5")),
    ]


def test_a_file_of_the_first_versions_ends_before_the_fees(account):
    data = text(
        "Datum;Typ;Wert;Notiz;ISIN;Stück",
        "2024-03-01T09:30:00;Kauf;-1.001,5;Atlas;US0000000011;10",
    )
    account("EUR").done(data=data, instruments=choices(US0000000011="ATLAS.EUR.DEMO"))
    assert held()["ATLAS.EUR.DEMO"][:3] == (10, D("100.15"), D("1001.5"))


def test_shares_that_are_moved_in_have_an_unknown_cost_and_money_is_paid_in(account):
    data = text(
        "Datum;Typ;Wert;Notiz;ISIN;Stück;Gebühren;Steuern",
        "2024-03-01T09:30:00;Umbuchung (Eingang);;Atlas;US0000000011;10;;",
        "2024-03-02T09:30:00;Umbuchung (Ausgang);;Atlas;US0000000011;4;;",
        "2024-03-03T09:30:00;Umbuchung (Eingang);50,5;Bank;;;;",
    )
    body = account("EUR").done(data=data, instruments=choices(US0000000011="ATLAS.EUR.DEMO"))
    assert "cost_unknown" in {warning["code"] for warning in body["warnings"]}
    names = ("type", "quantity", "settlement_amount")
    assert list(Transaction.objects.order_by("sequence").values_list(*names)) == [
        ("transfer_in", 10, None),
        ("transfer_out", 4, None),
        ("deposit", 1, D("50.5")),
    ]


def test_a_dividend_of_an_earlier_file_goes_when_a_later_one_has_its_reversal(account):
    header = "Date;Type;Value;Note;ISIN;Shares;Fees;Taxes"
    first = (
        header,
        "2024-01-02T10:00:00;Buy;-100;Atlas;US0000000011;10;;",
        "2024-02-01T10:00:00;Dividend;1.0;Atlas;US0000000011;10;;",
    )
    later = (
        "2024-02-05T10:00:00;Dividend;-1.0;Atlas;US0000000011;10;;",
        "2024-02-05T10:01:00;Dividend;0.9;Atlas;US0000000011;10;;",
        "2024-03-05T10:01:00;Dividend;1.0;Atlas;US0000000011;10;;",
    )
    upload = account("EUR")
    upload.done(data=text(*first), instruments=choices(US0000000011="ATLAS.EUR.DEMO"))
    body = upload.done(data=text(*first, *later))
    assert (body["created"], body["duplicates"], body["ignored"]) == (2, 1, 2)
    dividends = Transaction.objects.filter(type="dividend").order_by("date")
    assert list(dividends.values_list("price", flat=True)) == [D("0.9"), 1]
