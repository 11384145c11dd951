"""DEGIRO's list of transactions through the REST API."""

from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import choices, faults, held, ledger, text
from portfolios.models import Transaction, TransactionGroup

pytestmark = pytest.mark.django_db

HEADER = (
    "Date,Time,Product,ISIN,Reference,Venue,Quantity,Price,,Local value,,Value,,Exchange rate,"
    "Transaction and/or third,,Total,,Order ID"
)
OLDEST = (
    "Datum,Uhrzeit,Produkt,ISIN,Börse,Anzahl,,Kurs,,Wert in Lokalwährung,,Wert,Wechselkurs,,"
    "Transaktionskosten,,Gesamt,Order-ID"
)
ORDER = "0b1f7d5e-0000-4000-8000-00000000000"
ATLAS = "ATLAS INC,US0000000011"
WORLD = "WORLD,IE0000000041"
IN_EURO = {"instruments": choices(IE0000000041="WERELD.EUR.DEMO", US0000000011="ATLAS.EUR.DEMO")}
BOUGHT = f"04-03-2024,09:00,{WORLD},EAM,XAMS,10,50.00,EUR,-500.00,EUR,-500.00,EUR,,-1.00,EUR,-501.00,EUR,{ORDER}1"


def test_the_oldest_layout_has_the_currency_before_the_amount(account):
    body = account("EUR").done(
        data=text(
            OLDEST,
            f'03-01-2018,14:30,{ATLAS},NDQ,10,USD,"125,00",USD,"-1250,00",EUR,"-1000,00","1,2500",'
            f'EUR,"-2,00",EUR,"-1002,00",{ORDER}1',
        ),
        instruments=choices(US0000000011="ATLAS.USD.DEMO"),
    )
    assert body["format"] == "degiro-trades"
    # 1000 EUR are 1250 USD, and the fee of 2 EUR is 2.50 USD.
    assert ledger() == [("buy", 10, 125, D("2.5"), D("0.8"), f"{ORDER}1:2018-01-03T14:30:10@125")]
    assert Transaction.objects.get().settlement_amount == D("-1002.00")


def test_the_number_of_an_order_goes_on_in_the_next_line(account):
    row = f"04-03-2024,09:00,{WORLD},EAM,XAMS,2,50.00,EUR,-100.00,EUR,-100.00,EUR,,,,-100.00,EUR,{ORDER}"
    account("EUR").done(data=text(HEADER, row, ",,,,,,,,,,,,,,,,,,1"), **IN_EURO)
    assert [row[5] for row in ledger()] == [f"{ORDER}1:2024-03-04T09:00:2@50"]


POLISH = (
    "Data,Czas,Produkt,ISIN,Giełda referencyjna,Miejsce wykonania,Liczba,Kurs,,Wartość lokalna,,Wartość EUR,"
    "Kurs wymiany,Opłaty AutoFX,Opłata transakcyjna DEGIRO i/lub opłata stron,,Razem EUR,,Identyfikator zlecenia"
)
SPANISH = (
    "Fecha,Hora,Producto,ISIN,Bolsa de referencia,Número,Precio,,Valor local,,Valor,,Tipo de cambio,"
    "Costes de transacción,,Total,,ID Orden"
)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (POLISH, '{start},XAMS,10,"50,00",EUR,"-500,00",EUR,"-500,00",,,"-1,00",EUR,"-501,00",EUR,{order}'),
        (SPANISH, '{start},10,"50,00",EUR,"-500,00",EUR,"-500,00",EUR,,"-1,00",EUR,"-501,00",EUR,{order}'),
    ],
)  # fmt: skip
def test_a_layout_may_lack_the_venue_or_name_currencies_twice(account, header, row):
    filled = row.format(start=f"04-03-2024,09:00,{WORLD},EAM", order=f"{ORDER}1")
    body = account("EUR").done(data=text(header, filled), **IN_EURO)
    assert body["format"] == "degiro-trades"
    assert Transaction.objects.get().settlement_amount == -501


def test_costs_may_be_written_without_a_minus(account):
    account("EUR").done(data=text(HEADER, BOUGHT.replace(",-1.00,EUR,", ",1.00,EUR,")), **IN_EURO)
    assert [row[3] for row in ledger()] == [1]
    assert Transaction.objects.get().settlement_amount == -501


def test_a_new_isin_is_an_exchange_that_keeps_the_cost(account):
    body = account("EUR").done(
        data=text(
            HEADER,
            f"12-06-2024,08:05,{ATLAS},NDQ,,5,120.00,EUR,-600.00,EUR,-600.00,EUR,,,,-600.00,EUR,",
            f"12-06-2024,02:30,{WORLD},EAM,,-10,60.00,EUR,600.00,EUR,600.00,EUR,,,,600.00,EUR,",
            BOUGHT,
        ),
        **IN_EURO,
    )
    assert (body["created"], body["ignored"]) == (3, 0)
    assert TransactionGroup.objects.get().kind == "exchange"
    assert held()["WERELD.EUR.DEMO"][0] == 0
    assert held()["ATLAS.EUR.DEMO"][:4] == (5, D("100.2"), 501, 0)


def test_shares_for_nothing_come_at_no_cost(account):
    row = f"12-06-2024,08:05,{ATLAS},NDQ,,5,0.00,EUR,0.00,EUR,0.00,EUR,,,,0.00,EUR,"
    body = account("EUR").done(data=text(HEADER, row), **IN_EURO)
    assert held()["ATLAS.EUR.DEMO"][:3] == (5, 0, 0)
    assert [one["code"] for one in body["warnings"]] == ["unpaired_action"]


def test_shares_taken_for_cash_without_an_order_are_a_sale(account):
    row = f"12-06-2024,08:05,{WORLD},EAM,,-10,60.00,EUR,600.00,EUR,600.00,EUR,,,,600.00,EUR,"
    account("EUR").done(data=text(HEADER, row, BOUGHT), **IN_EURO)
    assert held()["WERELD.EUR.DEMO"][:4] == (0, None, 0, 99)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        pytest.param(
            [
                f"12-06-2024,08:05,{WORLD},EAM,,-10,70.00,EUR,700.00,EUR,700.00,EUR,,,,700.00,EUR,",
                f"12-06-2024,08:05,{WORLD},EAM,,10,60.00,EUR,-600.00,EUR,-600.00,EUR,,,,-600.00,EUR,",
            ],
            [("Quantity", "unpaired_action")] * 2,
            id="sold and bought at another price",
        ),
        pytest.param(
            [
                f"12-06-2024,08:05,{WORLD},EAM,,-10,0.00,EUR,0.00,EUR,0.00,EUR,,,,0.00,EUR,",
            ],
            [("Quantity", "unpaired_action")],
            id="gone for nothing",
        ),
        pytest.param(
            [
                f"13-06-2024,08:05,{ATLAS},NDQ,,5,120.00,EUR,-600.00,EUR,-600.00,EUR,,,,-600.00,EUR,",
                f"12-06-2024,08:05,{WORLD},EAM,,-10,60.00,EUR,600.00,EUR,600.00,EUR,,,,600.00,EUR,",
            ],
            [("Quantity", "unpaired_action")] * 2,
            id="new shares came another day",
        ),
        pytest.param(
            [BOUGHT.replace("-500.00,EUR,-500.00", "-600.00,EUR,-600.00")],
            [("Local value", "amount_differs")],
            id="not quantity times price",
        ),
        pytest.param(
            [BOUGHT.replace("-501.00", "-502.00")], [("Total", "amount_differs")], id="total"
        ),
        pytest.param(
            [f"04-03-2024,09:00,{ATLAS},NDQ,XNAS,1,50.00,USD,-50.00,USD,-40.00,EUR,1.10,,,-40.00,EUR,{ORDER}1"],
            [("Value", "amount_differs")],
            id="not the stated rate",
        ),
        pytest.param(
            [BOUGHT.replace(",10,50.00", ",-10,50.00")],
            [("Local value", "amount_differs")],
            id="a sale that takes money",
        ),
        pytest.param(
            [BOUGHT.replace("WORLD,", "ING C12.00 20DEC24,")],
            [("Product", "unsupported_instrument")],
            id="an option",
        ),
    ],
)  # fmt: skip
def test_what_the_numbers_contradict_is_an_error(account, rows, found):
    body = account("EUR")(data=text(HEADER, *rows), **IN_EURO).json()
    assert [(column, code) for _row, column, code in faults(body)] == found
    assert not Transaction.objects.exists()


ACCOUNT = "Datum,Tijd,Valutadatum,Product,ISIN,Omschrijving,FX,Mutatie,,Saldo,,Order Id"
SAME = (
    f'04-03-2024,09:00,04-03-2024,{WORLD},DEGIRO Transactiekosten en/of kosten van derden,,EUR,"-1,00",EUR,"99,00",{ORDER}1',
    f'04-03-2024,09:00,04-03-2024,{WORLD},"Koop 10 @ 50 EUR",,EUR,"-500,00",EUR,"100,00",{ORDER}1',
)


@pytest.mark.parametrize("is_list_first", [True, False])
def test_the_list_and_the_account_statement_do_not_double_trades(account, is_list_first):
    upload = account("EUR")
    files = [text(ACCOUNT, *SAME), text(HEADER, BOUGHT)]
    if is_list_first:
        files.reverse()
    upload.done(data=files[0], **IN_EURO)
    before = held(), ledger()
    response = upload(data=files[1], **IN_EURO)
    assert (response.status_code, response.json()["errors"][0]["code"]) == (422, "repeats_import")
    assert (held(), ledger()) == before
