"""XTB files through the REST API."""

import json
from datetime import date
from decimal import Decimal as D

import pytest

from integrations.statements.tests.support import faults, held, text, twice
from integrations.statements.tests.workbooks import workbook
from marketdata.tests.factories import with_rates
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db

HEADER = "ID;Type;Time;Symbol;Comment;Amount"
IN_EURO = {"mapping": '{"currency": "EUR"}'}
ATLAS = {"instruments": json.dumps({"ATLAS.US": "ATLAS.USD.DEMO"})}


BY_NAME = {"instruments": json.dumps({"Atlas": "ATLAS.USD.DEMO"})}


def traded():
    names = ("type", "quantity", "price", "exchange_rate", "settlement_amount")
    rows = Transaction.objects.exclude(holding=None).order_by("sequence")
    return list(rows.values_list(*names))


def test_a_file_without_its_currency_is_refused(account):
    response = account("EUR")(data=text(HEADER, "1;Deposit;01.03.2024 09:00:00;;Bank;2000"))
    assert response.status_code == 422
    assert response.json()["errors"][0]["code"] == "currency_required"


def test_a_currency_that_is_none_is_refused(account):
    data = text(HEADER, "1;Deposit;01.03.2024 09:00:00;;Bank;2000")
    response = account("EUR")(data=data, mapping='{"currency": "GBp"}')
    assert response.json()["errors"][0]["code"] == "unknown_currency"


def test_the_rate_of_a_trade_in_another_currency_is_that_of_its_amount(account):
    data = text(
        HEADER,
        "2;Aktien/ETF Verkauf;03.04.2024 11:42:37;ATLAS.US;CLOSE BUY 4 @ 60.00;192",
        "1;Kauf Aktien/ETFs;04.03.2024 13:01:45;ATLAS.US;OPEN BUY 10 @ 50.00;-450",
    )
    upload = account("EUR")
    upload.done(data=data, **IN_EURO, **ATLAS)
    assert traded() == [
        ("buy", 10, 50, D("0.9"), -450),
        ("sell", 4, 60, D("0.8"), 192),
    ]
    twice(lambda **fields: upload(**fields, **IN_EURO), data)


def test_a_rate_that_cannot_be_one_is_an_error_of_its_row(account):
    data = text(HEADER, "1;Stock purchase;04.03.2024 13:01:45;ATLAS.US;OPEN BUY 10 @ 50.00;-45")
    body = account("EUR")(data=data, **IN_EURO, **ATLAS).json()
    assert faults(body) == [(2, "Amount", "amount_differs")]


def test_an_amount_in_the_currency_of_the_price_must_be_that_of_the_comment(account):
    data = text(HEADER, "1;Stock purchase;04.03.2024 13:01:45;ATLAS.DE;OPEN BUY 10 @ 50.00;-501")
    body = account("EUR")(data=data, **IN_EURO).json()
    assert faults(body) == [(2, "Amount", "amount_differs")]


def test_shares_quoted_in_pence_are_recorded_in_pounds(account):
    data = text(
        HEADER, "1;Stock purchase;04.03.2024 13:01:45;HARBOUR.UK;OPEN BUY 10 @ 450.00;-52.65"
    )
    known = {"instruments": json.dumps({"HARBOUR.UK": "HARBOUR.GBP.DEMO"})}
    account("EUR").done(data=data, **IN_EURO, **known)
    assert traded() == [("buy", 10, D("4.5"), D("1.17"), D("-52.65"))]


@pytest.mark.parametrize(
    ("kind", "symbol"),
    [
        ("Profit/Loss (FX/CFD)", "EURUSD"),
        ("Swap", "GOLD"),
        ("Dividend", "US30.cash"),
        ("close trade", "US500"),
    ],
)
def test_contracts_are_errors_that_say_so(account, kind, symbol):
    data = text(HEADER, f"1;{kind};04.03.2024 13:01:45;{symbol};Profit of position #6;0.13")
    assert faults(account("EUR")(data=data, **IN_EURO).json()) == [
        (2, "Symbol", "unsupported_instrument")
    ]


def test_money_has_its_word_and_its_sign(account):
    data = text(
        HEADER,
        "1;Vklad;01.03.2024 09:00:00;;Bank;200",
        "2;Transfer;02.03.2024 09:00:00;;Transfer from 1 to 2;-50",
        "3;Úroky z volných prostředků;05.04.2024 13:42:58;;Corr Free-funds Interest;-0.5",
        "4;Free-funds Interest Tax;06.04.2024 13:42:58;;Free-funds Interest Tax;-0.1",
        "5;Inactivity Fee;07.04.2024 13:42:58;;Fee;-10",
        "6;Withholding tax;08.04.2024 13:42:58;ATLAS.US;ATLAS.US USD WHT 15%;0.37",
        "7;Výběr;09.04.2024 09:00:00;;Bank;-20",
    )
    account("EUR").done(data=data, **IN_EURO)
    rows = Transaction.objects.order_by("sequence")
    assert list(rows.values_list("type", "settlement_amount", "holding")) == [
        ("deposit", 200, None),
        ("withdrawal", -50, None),
        ("interest", D("-0.5"), None),
        ("tax", D("-0.1"), None),
        ("fee", -10, None),
        ("tax", D("0.37"), None),
        ("withdrawal", -20, None),
    ]


def test_a_comment_without_shares_is_an_error_of_its_row(account):
    data = text(HEADER, "1;Stock purchase;04.03.2024 13:01:45;ATLAS.US;Manual;-45")
    assert faults(account("EUR")(data=data, **IN_EURO).json()) == [(2, "Comment", "invalid")]


@pytest.mark.parametrize(
    ("buy", "sell", "profit"),
    [
        ("Stocks/ETF purchase", "Stocks/ETF sale", "Profit/Loss"),
        ("Acțiuni/Cumpărare ETF", "Vânzare acțiuni /ETF-uri", "Profit/Pierdere"),
    ],
)
def test_a_profit_of_other_words_belongs_to_its_sale(account, buy, sell, profit):
    data = text(
        HEADER,
        "4;tax RO;03.04.2024 11:42:38;;RO tax ATLAS.US 2024-04-03;-1",
        f"3;{profit};03.04.2024 11:42:37;ATLAS.US;Profit of position #1;12",
        f"2;{sell};03.04.2024 11:42:37;ATLAS.US;CLOSE BUY 4 @ 60.00;180",
        f"1;{buy};04.03.2024 13:01:45;ATLAS.US;OPEN BUY 10 @ 50.00;-450",
    )
    body = account("EUR").done(data=data, **IN_EURO, **ATLAS)
    assert (body["created"], body["ignored"]) == (3, 1)
    assert traded() == [("buy", 10, 50, D("0.9"), -450), ("sell", 4, 60, D("0.8"), 192)]
    assert Transaction.objects.get(type="tax").settlement_amount == -1


def test_the_layout_since_2025_is_read_with_its_title(account):
    data = text(
        "Account number;99000001;;;;;;",
        "Cash Operations;;;;;;;",
        "Date from (UTC);2006-01-01 00:00:00;;;;;;",
        "Date to (UTC);2026-04-19 14:07:32;;;;;;",
        "Type;Ticker;Instrument;Time;Amount;ID;Comment;Product",
        "Deposit;;;2025-01-01 10:00:00;1.000,00;1;Bank;My Trades",
        "Stock purchase;ATLAS.US;Atlas;2025-05-15 10:00:00;-450,00;2;OPEN BUY 10 @ 50.00;My Trades",
        "Stock sell;ATLAS.US;Atlas;2025-07-15 10:00:00;192,00;3;CLOSE BUY 4/10 @ 60.00;My Trades",
        "SEC fee;ATLAS.US;Atlas;2025-07-15 10:00:00;-0,01;4;SEC fee;My Trades",
        "Correction;ATLAS.US;Atlas;2025-07-15 10:00:00;0,00;5;Correction;My Trades",
        "IKE cash transfer in;;;2025-07-17 10:00:00;50,00;6;Bank;",
        "Subaccount transfer;;;2025-07-18 10:00:00;-20,00;7;Transfer from 1 to 2;",
        "Correction;;;2025-07-19 10:00:00;0,30;8;Correction;",
        "Total;;;;772,29;;;",
    )
    with_rates("EUR", "USD", {date(2025, 7, 15): "1.25"})
    upload = account("EUR")
    body = upload.done(data=data, **IN_EURO, **BY_NAME)
    assert (body["created"], body["ignored"], body["failed"]) == (7, 2, 0)
    names = ("type", "price", "settlement_amount", "external_id")
    assert list(Transaction.objects.order_by("external_id").values_list(*names)) == [
        ("deposit", 1000, 1000, "1"),
        ("buy", 50, -450, "2"),
        ("sell", 60, 192, "3"),
        ("fee", D("0.0125"), D("-0.01"), "4"),
        ("deposit", 50, 50, "6"),
        ("withdrawal", 20, -20, "7"),
        ("adjustment", D("0.3"), D("0.3"), "8"),
    ]
    twice(lambda **fields: upload(**fields, **IN_EURO), data)


def test_a_workbook_also_has_the_category_and_the_position(account):
    header = (
        "Type", "Instrument", "Ticker", "Category", "Time", "Amount", "ID", "Comment", "Product", "Position ID"
    )  # fmt: skip
    row = (
        "Stock purchase", "Atlas", "ATLAS.US", "STOCK", "2025-05-15 10:00:00", -450, 2, "OPEN BUY 10 @ 50.00",
        "My Trades", 1000000001,
    )  # fmt: skip
    positions = ("Product", "Instrument/Position", "Ticker", "Category", "Type", "Volume")
    data = workbook(
        {"Open Positions": [positions], "Cash Operations": [("Cash Operations",), header, row]}
    )
    account("EUR").done(data=data, **IN_EURO, **BY_NAME)
    assert traded() == [("buy", 10, 50, D("0.9"), -450)]


def test_money_for_a_company_split_off_or_a_fraction_comes_out_of_the_cost(account):
    data = text(
        HEADER,
        "3;Fractional shares;15.05.2024 10:00:00;ATLAS.DE;ATLAS.DE split 2 for 1;2.5",
        "2;Spin off;14.05.2024 10:00:00;ATLAS.DE;ATLAS.DE EUR 2.0000/ SHR;20",
        "1;Stock purchase;04.03.2024 13:01:45;ATLAS.DE;OPEN BUY 10 @ 50.00;-500",
    )
    known = {"instruments": json.dumps({"ATLAS.DE": "ATLAS.EUR.DEMO"})}
    account("EUR").done(data=data, **IN_EURO, **known)
    assert held()["ATLAS.EUR.DEMO"] == (10, D("47.75"), D("477.5"), 0, 0, 0)


SPLIT_FILLS = (
    "5;close trade;03.04.2024 11:42:37;ATLAS.US;Profit of position #1;6",
    "4;Stock sale;03.04.2024 11:42:37;ATLAS.US;CLOSE BUY 2/6 @ 60.00;90",
    "3;close trade;03.04.2024 11:42:37;ATLAS.US;Profit of position #2;-8",
    "2;Stock sale;03.04.2024 11:42:37;ATLAS.US;CLOSE BUY 4/6 @ 60.00;200",
    "1;Stock purchase;04.03.2024 13:01:45;ATLAS.US;OPEN BUY 10 @ 50.00;-450",
)


def test_sales_of_one_moment_have_each_their_own_profit(account):
    body = account("EUR").done(data=text(HEADER, *SPLIT_FILLS), **IN_EURO, **ATLAS)
    assert (body["created"], body["ignored"]) == (3, 2)
    assert traded() == [
        ("buy", 10, 50, D("0.9"), -450),
        ("sell", 4, 60, D("0.8"), 192),
        ("sell", 2, 60, D("0.8"), 96),
    ]


def test_sales_of_one_moment_whose_profits_give_no_one_rate_are_errors(account):
    lines = (SPLIT_FILLS[0].replace(";6", ";16"), *SPLIT_FILLS[1:])
    body = account("EUR")(data=text(HEADER, *lines), **IN_EURO, **ATLAS).json()
    assert faults(body) == [(3, "Time", "unpaired_action"), (5, "Time", "unpaired_action")]
    assert not Transaction.objects.exists()


def test_a_sale_that_has_all_it_brought_leaves_its_profit_out(account):
    data = text(
        HEADER,
        "5;close trade;03.04.2024 11:42:37;ATLAS.US;Profit of position #1;12",
        "4;Stock sale;03.04.2024 11:42:37;ATLAS.US;CLOSE BUY 4 @ 60.00;192",
        "3;close trade;02.04.2024 11:42:37;WERELD.DE;Profit of position #2;40",
        "2;Stock sale;02.04.2024 11:42:37;WERELD.DE;CLOSE BUY 4 @ 110.00;440",
        "1;Stock purchase;04.03.2024 13:01:45;WERELD.DE;OPEN BUY 4 @ 100.00;-400",
        "0;Stock purchase;04.03.2024 13:01:45;ATLAS.US;OPEN BUY 4 @ 50.00;-180",
    )
    known = {"ATLAS.US": "ATLAS.USD.DEMO", "WERELD.DE": "WERELD.EUR.DEMO"}
    body = account("EUR").done(data=data, **IN_EURO, instruments=json.dumps(known))
    assert (body["created"], body["ignored"]) == (4, 2)
    assert traded()[2:] == [("sell", 4, 110, 1, 440), ("sell", 4, 60, D("0.8"), 192)]


def test_rows_may_have_more_empty_cells_than_the_header(account):
    data = text(
        "ID;Type;Time;Comment;Symbol;Amount",
        "3;Withholding Tax;17/03/2025 11:39:15;WERELD.DE EUR WHT 15%;WERELD.DE;-0,14;;;;",
        "2;DIVIDENT;17/03/2025 11:39:15;WERELD.DE EUR 0.2000/ SHR;WERELD.DE;0,91;;;;",
        "1;Stock purchase;28/02/2025 15:33;OPEN BUY 4 @ 100.00;WERELD.DE;-400,00;;;;",
    )
    known = json.dumps({"WERELD.DE": "WERELD.EUR.DEMO"})
    account("EUR").done(data=data, **IN_EURO, instruments=known)
    assert [(row[0], row[4]) for row in traded()] == [
        ("buy", -400),
        ("dividend", D("0.91")),
        ("tax", D("-0.14")),
    ]


def test_a_sale_may_be_called_the_closing_of_a_sale(account):
    data = text(
        HEADER,
        "3;Spinoff;13.04.2024 14:30:00;WERELD.DE;WERELD.DE EUR 0.4800/ SHR;1.92",
        "2;Stock sale;02.04.2024 11:42:37;WERELD.DE;CLOSE SELL 0.5/4 @ 110.00;55",
        "1;Stock purchase;04.03.2024 13:01:45;WERELD.DE;OPEN BUY 4 @ 100.00;-400",
    )
    known = json.dumps({"WERELD.DE": "WERELD.EUR.DEMO"})
    account("EUR").done(data=data, **IN_EURO, instruments=known)
    assert [row[:3] for row in traded()] == [
        ("buy", 4, 100),
        ("sell", D("0.5"), 110),
        ("return_of_capital", 1, D("1.92")),
    ]


POSITIONS = (
    "Position;Symbol;Type;Volume;Open time;Open price;Close time;Close price;Purchase value;Sale value;Commission;"
    "Swap;Rollover;Gross P/L;Comment"
)
POSITION = (
    "1;ATLAS.US;BUY;10;04.03.2024 13:01:45;50.00;03.04.2024 11:42:37;60.00;400;540;-2;0;-1;140;"
)
PURCHASE = "2;Stock purchase;04.03.2024 13:01:45;ATLAS.US;OPEN BUY 10 @ 50.00;-400"


def test_a_closed_position_is_a_purchase_and_a_sale_with_what_it_cost(account):
    with_rates("EUR", "USD", {date(2024, 4, 3): "1.25"})
    upload = account("EUR")
    data = text(POSITIONS, POSITION)
    upload.done(data=data, **IN_EURO, **ATLAS)
    assert traded() == [("buy", 10, 50, D("0.8"), -400), ("sell", 10, 60, D("0.9"), 537)]
    assert Transaction.objects.get(type="sell").commission == D("3.75")  # 3 euro in dollars
    twice(lambda **fields: upload(**fields, **IN_EURO), data)


@pytest.mark.parametrize(
    "header",
    [
        "Position;Symbol;Typ;Wolumen;Czas otwarcia;Cena otwarcia;Czas zamknięcia;Cena zamknięcia;Wartość zakupu;"
        "Wartość sprzedaży;Prowizja;Swap;Rolowanie;Zysk brutto;Komentarz",
        "Position;Symbol;Typ;Volumen;Eröffnungszeit;Eröffnungskurs;Schließzeit;Schlusskurs;Kaufwert;Verkaufswert;"
        "Kommission;Swap;Rollover;Bruttogewinn;Kommentar",
        "Posición;Símbolo;Tipo;Volumen;Hora de apertura;Precio de apertura;Hora de cierre;Precio de cierre;"
        "Valor de compra;Valor de venta;Comisión;Swap;Rollover;P/L bruto;Comentario",
        "Posição;Símbolo;Tipo;Volume;Hora de abertura;Preço de abertura;Hora de fecho;Preço de fecho;"
        "Valor de compra;Valor de venda;Comissão;Swap;Rollover;Lucro bruto;Comentário",
        "Position;Symbole;Type;Volume;Heure d'ouverture;Prix d'ouverture;Heure de clôture;Prix de clôture;"
        "Valeur d'achat;Valeur de vente;Commission;Swap;Rollover;Profit brut;Commentaire",
        "Posizione;Simbolo;Tipo;Volume;Ora di apertura;Prezzo di apertura;Ora di chiusura;Prezzo di chiusura;"
        "Valore di acquisto;Valore di vendita;Commissione;Swap;Rollover;Profitto lordo;Commento",
        "Pozice;Symbol;Typ;Objem;Čas otevření;Otevírací cena;Čas uzavření;Zavírací cena;Kupní hodnota;"
        "Prodejní hodnota;Provize;Swap;Rollover;Hrubý zisk;Komentář",
        "Poziție;Simbol;Tip;Volum;Ora deschiderii;Preț deschidere;Ora închiderii;Preț închidere;"
        "Valoare de cumpărare;Valoare de vânzare;Comision;Swap;Rollover;Profit brut;Comentariu",
    ],
)  # fmt: skip
def test_closed_positions_in_other_languages(account, header):
    body = account("EUR").done(data=text(header, POSITION), **IN_EURO, **ATLAS)
    assert body["format"] == "xtb-positions"
    assert traded() == [("buy", 10, 50, D("0.8"), -400), ("sell", 10, 60, D("0.9"), 537)]


@pytest.mark.parametrize(
    ("position", "fault"),
    [
        (POSITION.replace(";140;", ";150;"), (2, "Gross P/L", "amount_differs")),
        (POSITION.replace(";400;", ";4000;"), (2, "Gross P/L", "amount_differs")),
        (POSITION.replace(";BUY;", ";SELL;"), (2, "Symbol", "unsupported_instrument")),
        (POSITION.replace("ATLAS.US", "EURUSD"), (2, "Symbol", "unsupported_instrument")),
        (POSITION.replace(";BUY;10;", ";BUY;0;"), (2, "Volume", "not_above")),
    ],
)
def test_a_closed_position_that_cannot_be_read_is_an_error_of_its_row(account, position, fault):
    body = account("EUR")(data=text(POSITIONS, position), **IN_EURO, **ATLAS).json()
    assert faults(body) == [fault]
    assert not Transaction.objects.exists()


@pytest.mark.parametrize(
    "files",
    [((POSITIONS, POSITION), (HEADER, PURCHASE)), ((HEADER, PURCHASE), (POSITIONS, POSITION))],
)
def test_closed_positions_and_cash_operations_are_not_both_imported(account, files):
    first, second = files
    upload = account("EUR")
    upload.done(data=text(*first), **IN_EURO, **ATLAS)
    before = traded()
    response = upload(data=text(*second), **IN_EURO)
    assert response.status_code == 422
    assert response.json()["errors"][0]["code"] == "repeats_import"
    assert traded() == before


def test_of_a_workbook_with_both_the_cash_operations_are_read(account):
    data = workbook(
        {
            "Closed Positions": [POSITIONS.split(";"), POSITION.split(";")],
            "Cash Operations": [HEADER.split(";"), PURCHASE.split(";")],
        }
    )
    body = account("EUR").done(data=data, **IN_EURO, **ATLAS)
    assert (body["format"], body["created"]) == ("xtb", 1)
