"""DEGIRO: charges and trades whatever their words, wrapped rows, bonds, and the money market fund."""

from decimal import Decimal as D

import pytest

from integrations.statements.degiro_words import Meaning, meaning_of
from integrations.statements.tests.support import choices, faults, held, text, twice
from integrations.statements.values import folded
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db

GERMAN = "Datum,Uhrzeit,Valutadatum,Produkt,ISIN,Beschreibung,FX,Änderung,,Saldo,,Order-ID"
ENGLISH = "Date,Time,Value date,Product,ISIN,Description,FX,Change,,Balance,,Order Id"
ATLAS = "ATLAS INC,US0000000011"
BOND = "OBL 2030,DE0000000017"
FUND = "CHF CASH FUND,NL0000000019"
KNOWN = choices(US0000000011="ATLAS.USD.DEMO", DE0000000017="OBL.EUR.DEMO")


def rows(kind):
    found = Transaction.objects.filter(type=kind).order_by("sequence")
    return list(found.values_list("quantity", "price", "commission", "settlement_amount"))


def test_what_an_order_takes_is_its_charge_whatever_the_word(account):
    data = text(
        GERMAN,
        f'05-01-2024,10:00,05-01-2024,{ATLAS},Etwas Neues,,EUR,"-0,30",EUR,"569,28",o1',
        f'05-01-2024,10:00,05-01-2024,{ATLAS},Opłata za przewalutowanie,,EUR,"-0,22",EUR,"569,58",o1',
        f'05-01-2024,10:00,05-01-2024,{ATLAS},Kosten,,EUR,"-0,50",EUR,"569,80",o1',
        f'05-01-2024,10:00,05-01-2024,{ATLAS},Währungswechsel (Ausbuchung),,EUR,"-4430,00",EUR,"570,30",o1',
        f'05-01-2024,10:00,05-01-2024,{ATLAS},Währungswechsel (Einbuchung),"1,1287",USD,"5000,00",USD,"0,00",o1',
        f'05-01-2024,10:00,05-01-2024,{ATLAS},"Kauf 5 Atlas Inc@1.000,00 USD",,USD,"-5000,00",USD,"-5000,00",o1',
        '04-01-2024,10:00,04-01-2024,,,Einzahlung,,EUR,"5000,30",EUR,"5000,30",',
    )  # fmt: skip
    upload = account("EUR")
    body = upload.done(data=data, instruments=KNOWN)
    assert (body["created"], body["ignored"], body["failed"]) == (2, 5, 0)
    assert held()["ATLAS.USD.DEMO"][0] == 5
    assert held()["ATLAS.USD.DEMO"][2].quantize(D("0.01")) == D("4431.02")
    twice(upload, data)


def test_texts_that_go_on_in_the_next_line_are_one_row(account):
    data = text(
        ENGLISH,
        "27-06-2024,21:15,27-06-2024,ATLAS,US0000000011,Sell 2 ATLAS INC@60 USD,,USD,120.00,USD,19.00,aa-",
        ",,,INC,,(US0000000011),,,,,,bb",
        f"26-06-2024,21:15,26-06-2024,{ATLAS},DEGIRO Transaction and/or third,,USD,-1.00,USD,-101.00,cc",
        ",,,,,party fees,,,,,,",
        f"26-06-2024,21:15,26-06-2024,{ATLAS},Buy 2 ATLAS INC@50 USD,,USD,-100.00,USD,-100.00,cc",
    )
    account("USD").done(data=data, instruments=KNOWN)
    assert rows("buy") == [(2, 50, 1, -101)]
    [sale] = Transaction.objects.filter(type="sell")
    assert sale.external_id == "aa-bb:2024-06-27T21:15:2@60"
    assert sale.note == "Sell 2 ATLAS INC@60 USD (US0000000011)"


@pytest.mark.parametrize(
    ("words", "amount", "kind"),
    [
        ("Vétel 2 Atlas Inc@50,00 USD", "-100,00", "buy"),
        ("Eladás 2 Atlas Inc@50,00 USD", "100,00", "sell"),
    ],
)
def test_a_trade_is_known_by_its_form_and_its_amount(account, words, amount, kind):
    bought = f'04-06-2024,09:00,04-06-2024,{ATLAS},"Kauf 9 @ 50,00 USD",,USD,"-450,00",USD,"0",o'
    row = f'26-06-2024,21:15,26-06-2024,{ATLAS},"{words}",,USD,"{amount}",USD,"0,00",p'
    account("USD").done(data=text(GERMAN, row, bought), instruments=KNOWN)
    last = Transaction.objects.order_by("date").last()
    assert (last.type, last.quantity, last.price) == (kind, 2, 50)


def test_a_split_without_verbs_is_read_by_its_amounts(account):
    data = text(
        GERMAN,
        f'25-08-2024,10:00,25-08-2024,{ATLAS},"AKTIENSPLIT: 15 Atlas Inc zu je 297,10 USD (US0000000011)",,USD,"-4456,50",USD,"-500,00",',
        f'25-08-2024,10:00,25-08-2024,{ATLAS},"AKTIENSPLIT: 5 Atlas Inc zu je 891,30 USD (US0000000011)",,USD,"4456,50",USD,"3956,50",',
        f'05-01-2024,10:00,05-01-2024,{ATLAS},"Kauf 5 Atlas Inc zu je 100 USD",,USD,"-500,00",USD,"-500,00",o1',
    )  # fmt: skip
    account("USD").done(data=data, instruments=KNOWN)
    assert held()["ATLAS.USD.DEMO"][:3] == (15, D("33.3333333333333"), 500)


def test_interest_that_a_bond_had_accrued_is_paid_with_it_and_received_with_it(account):
    body = account("EUR").done(
        data=text(
            ENGLISH,
            f"28-06-2024,21:15,28-06-2024,{BOND},Accrued Interest,,EUR,-3.05,EUR,-1976.62,",
            f"27-06-2024,21:15,27-06-2024,{BOND},Accrued Interest,,EUR,9.43,EUR,-1973.57,",
            f"26-06-2024,21:15,26-06-2024,{BOND},Meegekochte Rente,,EUR,-11.00,EUR,-1983.00,a1",
            f"26-06-2024,21:15,26-06-2024,{BOND},DEGIRO Transaction Fee,,EUR,-2.00,EUR,-1972.00,a1",
            f"26-06-2024,21:15,26-06-2024,{BOND},Buy 2000 OBL 2030@98.5 EUR,,EUR,-1970.00,EUR,-1970.00,a1",
        ),
        instruments=KNOWN,
    )
    assert body["failed"] == 0
    # That of the purchase is part of its cost.
    assert rows("buy") == [(2000, D("0.985"), 13, -1983)]
    assert [row[3] for row in rows("interest")] == [D("9.43"), D("-3.05")]


def test_bonds_are_priced_in_per_cent(account):
    data = text(
        ENGLISH,
        f"26-07-2024,21:15,26-07-2024,{BOND},Coupon,,EUR,20.00,EUR,-1952.00,",
        f"26-06-2024,21:15,26-06-2024,{BOND},DEGIRO Transaction Fee,,EUR,-2.00,EUR,-1972.00,a1",
        f"26-06-2024,21:15,26-06-2024,{BOND},Buy 2000 OBL 2030@98.5 EUR,,EUR,-1970.00,EUR,-1970.00,a1",
    )
    account("EUR").done(data=data, instruments=KNOWN)
    assert rows("buy") == [(2000, D("0.985"), 2, -1972)]
    assert rows("interest") == [(1, 20, 0, 20)]


def test_an_option_is_an_error_that_says_so(account):
    row = '26-06-2024,21:15,26-06-2024,ING C12.00 20DEC24,NL0000000018,"Buy 2 ING C12.00 20DEC24@0.5 EUR",,EUR,-100.00,EUR,-100.00,a1'
    body = account("EUR")(data=text(ENGLISH, row)).json()
    assert faults(body) == [(2, "Product", "unsupported_instrument")]


def test_cash_that_moves_into_the_money_market_fund_is_still_cash(account):
    data = text(
        GERMAN,
        f'08-01-2020,10:00,08-01-2020,{FUND},Geldmarktfonds Preisänderung (CHF),,CHF,"-0,02",CHF,"97,58",',
        f'07-01-2020,10:00,07-01-2020,{FUND},"Geldmarktfonds Umwandlung: Verkauf 100 zu je 0,9760 CHF",,CHF,"97,60",CHF,"97,60",',
        f'05-01-2020,10:00,05-01-2020,{FUND},"Geldmarktfonds Umwandlung: Kauf 116,5949 zu je 0,9768 CHF",,CHF,"-113,91",CHF,"0,00",',
        '04-01-2020,10:00,04-01-2020,,,Einzahlung,,CHF,"113,91",CHF,"113,91",',
    )  # fmt: skip
    body = account("CHF").done(data=data)
    assert (body["created"], body["ignored"], body["reconciled"]) == (2, 2, True)
    money = Transaction.objects.order_by("date").values_list("type", "settlement_amount")
    assert list(money) == [("deposit", D("113.91")), ("interest", D("-0.02"))]


def test_a_row_of_words_alone_moves_nothing(account):
    data = text(
        ENGLISH,
        f"04-06-2024,12:00,04-06-2024,{ATLAS},Dividend,,,,EUR,10.00,",
        "03-06-2024,12:00,03-06-2024,,,Deposit,,EUR,10.00,EUR,10.00,",
    )
    body = account("EUR").done(data=data)
    assert (body["created"], body["ignored"], body["failed"]) == (1, 1, 0)
    # Where the balance moved, the row lacks its amount.
    body = account("SEK")(data=data.replace(b",,,,EUR,10.00,", b",,,,EUR,12.00,")).json()
    assert faults(body) == [(2, "change", "required")]


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("Fondsuitkering", Meaning.DIVIDEND),
        ("QIE Distribution Capital Gain", Meaning.DIVIDEND),
        ("Distribuzione fondo", Meaning.DIVIDEND),
        ("Dividendo complementario", Meaning.DIVIDEND),
        ("Dividendencorrectie", Meaning.DIVIDEND),
        ("Dividend Herinvestering", None),
        ("Zinszahlung", Meaning.INTEREST),
        ("Retorno de capital", Meaning.RETURN_OF_CAPITAL),
        ("Currency Credit", Meaning.EXCHANGE),
        ("Kredyt walutowy", Meaning.EXCHANGE),
        ("Imposto de selo Londres/Dublin", Meaning.ORDER_TAX),
        ("Taxe sur les transactions financières", Meaning.ORDER_TAX),
        ("Taxa de transação", Meaning.ORDER_TAX),
        ("Exercise and Assignment", Meaning.FEE),
        ("DEGIRO rabat propagace", Meaning.TRANSFER),
        ("Verwerkte flatex opname", Meaning.RESERVATION),
    ],
)
def test_words_mean(words, meaning):
    assert meaning_of(folded(words)) is meaning


RESERVED = '01-03-2024,09:00,01-03-2024,,,{words},,EUR,"{amount}",EUR,"400,00",'
LATER = '{day}-03-2024,08:00,{day}-03-2024,,,Flatex Interest,,EUR,"-0,12",EUR,"399,88",'
TAKEN_BACK = '05-03-2024,09:00,05-03-2024,,,{words},,EUR,"{amount}",EUR,"900,00",'


@pytest.mark.parametrize(
    ("words", "amount", "kind", "paid"),
    [
        ("Processed Flatex Withdrawal", "-500,00", "withdrawal", -500),
        ("Reservation iDEAL / Sofort Deposit", "500,00", "deposit", 500),
    ],
)
def test_a_reservation_that_stays_is_the_payment(account, words, amount, kind, paid):
    reserved = RESERVED.format(words=words, amount=amount)
    upload = account("EUR")
    # For two weeks the next file may take it back.
    body = upload.done(data=text(ENGLISH, LATER.format(day=15), reserved))
    assert (body["money_created"], body["ignored"]) == (1, 1)
    body = upload.done(data=text(ENGLISH, LATER.format(day=16), LATER.format(day=15), reserved))
    assert (body["money_created"], body["duplicates"], body["ignored"]) == (2, 1, 0)
    money = Transaction.objects.filter(type=kind)
    assert list(money.values_list("settlement_amount", "settlement_currency")) == [(paid, "EUR")]


@pytest.mark.parametrize(
    "then",
    [
        [("Processed Flatex Withdrawal", "500,00")],
        [("flatex terugstorting", "-500,00")],
        [("Processed Flatex Withdrawal", "500,00"), ("flatex terugstorting", "-500,00")],
        [("flatex terugstorting", "-500,00"), ("Processed Flatex Withdrawal", "500,00")],
    ],
)
def test_a_reservation_that_is_taken_back_or_paid_is_no_payment_itself(account, then):
    rows = [TAKEN_BACK.format(words=words, amount=amount) for words, amount in then]
    reserved = RESERVED.format(words="Processed Flatex Withdrawal", amount="-500,00")
    account("EUR").done(data=text(ENGLISH, LATER.format(day=28), *rows, reserved))
    paid = [("withdrawal", -500)] if ("flatex terugstorting", "-500,00") in then else []
    money = Transaction.objects.filter(type__in=("deposit", "withdrawal"))
    assert list(money.values_list("type", "settlement_amount")) == paid


def test_money_that_is_taken_back_before_its_reservation_is_in_an_earlier_file(account):
    back = TAKEN_BACK.format(words="Processed Flatex Withdrawal", amount="500,00")
    body = account("EUR").done(data=text(ENGLISH, LATER.format(day=28), back))
    assert (body["money_created"], body["ignored"]) == (1, 1)
