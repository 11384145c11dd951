"""Test Swissquote's balances against sums made by hand."""

from datetime import date
from decimal import Decimal as D

import pytest

from integrations.statements.tests.samples.base import ATLAS, FUND
from integrations.statements.tests.support import choices, faults, ledger, text, twice
from marketdata.tests.factories import with_rates
from portfolios.models import Transaction

pytestmark = pytest.mark.django_db

HEADER = (
    "Date;Order #;Transaction;Symbol;Name;ISIN;Quantity;Unit price;Costs;Accrued Interest;"
    "Net Amount;Balance;Currency"
)
# Newest first; one balance for each currency. 6,000.00 CHF and 1,234.56 USD stood there before.
TRADES = [
    f"05-07-2024 09:22:24;7;Sell;ATL;ATLAS;{ATLAS};4.0;60.005;6.00;0.00;234.02;968.58;USD",
    f"16-06-2024 13:14:35;6;Dividend;WERELD;WERELDFONDS;{FUND};1.0;48.50;0.00;0.00;48.50;3023.50;CHF",
    f"24-05-2024 15:30:02;5;Buy;ATL;ATLAS;{ATLAS};10.0;49.50;5.00;0.00;-500.00;734.56;USD",
    f"10-05-2024 14:31:42;4;Buy;WERELD;WERELDFONDS;{FUND};94.0;30.00;24.00;0.00;-2844.00;2975.00;CHF",
    f"10-05-2024 14:31:42;4;Buy;WERELD;WERELDFONDS;{FUND};6.0;30.00;1.00;0.00;-181.00;5819.00;CHF",
]
CHOICES = f'{{"{ATLAS}": "ATLAS.USD.DEMO", "{FUND}": "WERELD.CHF.DEMO"}}'


@pytest.fixture
def swissquote(account):
    with_rates("USD", "CHF", {date(2024, 5, 24): "0.9", date(2024, 7, 5): "0.88"})
    upload = account("CHF")

    def send(rows):
        return upload.done(data="\n".join([HEADER, *rows]).encode(), instruments=CHOICES)

    return send


def test_each_currency_agrees_to_its_last_day_with_the_brokers_own_amounts(swissquote, api):
    body = swissquote(TRADES)
    assert (body["created"], body["reconciled"], body["first_divergence"]) == (5, True, None)
    found = api.get(f"/api/v1/portfolios/{body['portfolio_id']}/agreement").json()
    assert (found["agrees_until"], found["checkpoints"]) == ("2024-07-05", 4)
    # 4 × 60.005 − 6 is 234.02; the order of the file decides which balance of a day is the last.
    assert Transaction.objects.get(type="sell").settlement_amount == D("234.02")
    opened = Transaction.objects.filter(type="opening").order_by("settlement_currency")
    assert list(opened.values_list("settlement_currency", "settlement_amount")) == [
        ("CHF", 6000),
        ("USD", D("1234.56")),
    ]


def test_a_wrong_balance_is_the_first_divergence(swissquote):
    body = swissquote([row.replace(";734.56;", ";735.56;") for row in TRADES])
    # The first balance of a currency says what stood there before; the next one differs.
    assert body["first_divergence"] == {
        "row": 2,
        "expected": "balance 968.58 USD",
        "got": "balance 969.58 USD",
    }


def test_money_is_part_of_the_balances(swissquote):
    rows = [
        "05-07-2024 10:00:00;8;Debit;;;;1.0;100.00;2.00;0.00;-102.00;2867.92;CHF",
        TRADES[0].replace(";968.58;", ";977.58;"),
        "01-07-2024 08:00:00;0;Interests;;;;1.0;10.00;3.50;0.00;6.50;2969.92;CHF",
        "30-06-2024 18:01:13;0;Custody Fees;;;;1.0;50.00;3.85;0.00;-53.85;2963.42;CHF",
        "30-06-2024 09:00:00;9;Forex credit;;;;1.0;9.00;0.00;0.00;9.00;743.56;USD",
        "30-06-2024 09:00:00;9;Forex debit;;;;1.0;6.23;0.00;0.00;-6.23;3017.27;CHF",
        *TRADES[1:],
    ]
    body = swissquote(rows)
    assert (body["created"], body["ignored"], body["groups_created"]) == (10, 0, 1)
    assert (body["reconciled"], body["first_divergence"]) == (True, None)
    money = (
        Transaction.objects.filter(holding=None).exclude(type="opening").order_by("date", "type")
    )
    assert list(money.values_list("type", "settlement_currency", "settlement_amount", "tax")) == [
        ("conversion", "CHF", D("-6.23"), 0),
        ("conversion", "USD", 9, 0),
        ("fee", "CHF", D("-53.85"), 0),
        ("interest", "CHF", D("6.5"), D("3.5")),
        ("fee", "CHF", -2, 0),
        ("withdrawal", "CHF", -100, 0),
    ]


DE = (
    "Datum;Auftrag #;Transaktionen;Symbol;Name;ISIN;Anzahl;Stückpreis;Kosten;Aufgelaufene Zinsen;"
    "Nettobetrag;Währung Nettobetrag;Nettobetrag in der Währung des Kontos;Saldo;Währung"
)
FR = (
    "Date;Ordre #;Transactions;Symbole;Nom;ISIN;Quantité;Prix unitaire;Coûts;Intérêts courus;"
    "Montant net;Devise du montant net;Montant net dans la devise du compte;Solde;Devise"
)
IT = (
    "Data;Ordine #;Transazioni;Simbolo;Nome;ISIN;Quantità;Prezzo unitario;Costi;Interessi maturati;"
    "Importo netto;Valuta importo netto;Importo netto nella valuta del conto;Saldo;Valuta"
)
KNOWN = choices(IE0000000041="WERELD.EUR.DEMO")


@pytest.mark.parametrize(
    ("header", "buy", "sell", "dividend"),
    [
        (DE, "Kauf", "Verkauf", "Dividende"),
        (
            DE.replace("in der Währung des Kontos", "in Kontowährung"),
            "Kauf",
            "Verkauf",
            "Dividende",
        ),
        (DE.encode().decode("cp1252"), "Kauf", "Verkauf", "Dividende"),
        (FR, "Achat", "Vente", "Dividende"),
        (
            FR.replace("Devise", "Monnaie").replace("devise", "monnaie"),
            "Achat",
            "Vente",
            "Dividende",
        ),
        (IT, "Acquisto", "Vendita", "Dividendo"),
    ],
    ids=["de", "de, other words", "de, spoilt letters", "fr", "fr, other words", "it"],
)
def test_the_layout_with_the_currency_of_the_account_in_each_language(
    account, header, buy, sell, dividend
):
    upload = account("CHF")
    data = text(
        header,
        f"12-01-2023 14:00:00;1;{buy};WER;WERELDFONDS;{FUND};1'000.0;9.50;9.55;0.00;-9'509.55;EUR;-9'380.00;5'000.00;CHF",
        f"20-06-2023 11:30:00;2;{sell};WER;WERELDFONDS;{FUND};500.0;10.10;5.05;0.00;5'044.95;EUR;4'944.05;9'944.05;CHF",
        f"30-06-2023 09:00:00;0;{dividend};WER;WERELDFONDS;{FUND};1.0;100.00;35.00;0.00;65.00;EUR;63.70;10'007.75;CHF",
    )
    body = upload.done(data=data, instruments=KNOWN)
    assert (body["format"], body["created"], body["errors"]) == ("swissquote", 3, [])
    rows = Transaction.objects.exclude(type="opening").order_by("date")
    names = ("type", "quantity", "price", "commission", "tax", "settlement_amount")
    assert [tuple(row) for row in rows.values_list(*names)] == [
        ("buy", 1000, D("9.5"), D("9.55"), 0, -9380),
        ("sell", 500, D("10.1"), D("5.05"), 0, D("4944.05")),
        ("dividend", 1, 100, 0, 35, D("63.7")),
    ]
    # 9,380.00 / 9,509.55 francs for a euro
    assert rows[0].exchange_rate.quantize(D("0.00001")) == D("0.98638")
    twice(upload, data)


def test_interest_that_a_bond_accrued_is_part_of_its_price_and_named(account):
    data = text(
        HEADER,
        f"12-01-2023 14:00:00;1;Buy;BND;BOND;{FUND};5000.0;98.40%;20.00;12.50;-4952.50;;EUR",
        f"12-06-2023 14:00:00;2;Sell;BND;BOND;{FUND};5000.0;99.00%;20.00;25.00;4955.00;;EUR",
    )
    account("EUR").done(data=data, instruments=KNOWN)
    # (4,920 + 12.50) / 5,000 and (4,950 + 25) / 5,000
    assert [row[:4] for row in ledger()] == [
        ("buy", 5000, D("0.9865"), 20),
        ("sell", 5000, D("0.995"), 20),
    ]
    notes = Transaction.objects.order_by("date").values_list("note", flat=True)
    assert list(notes) == ["Accrued interest 12.50 EUR", "Accrued interest 25.00 EUR"]


def test_pence_are_converted_to_pounds(account):
    line = "05-01-2023 09:00:00;1;Buy;HSBA;HSBC;GB0000000021;10.0;700.5;7.00;0.00;-7'012.00;;GBX"
    upload = account("GBP")
    upload.done(data=text(HEADER, line), instruments=choices(GB0000000021="HARBOUR.GBP.DEMO"))
    assert [row[:4] for row in ledger()] == [("buy", 10, D("7.005"), D("0.07"))]
    assert Transaction.objects.get().settlement_amount == D("-70.12")


@pytest.mark.parametrize(
    ("line", "column", "code"),
    [
        ("Buy;WER;W;IE0000000041;10.0;9.50;1.00;0.00;-97.00;0;EUR", "Net Amount", "amount_differs"),
        ("Sell;WER;W;IE0000000041;10.0;9.50;1.00;0.00;-94.00;0;EUR", "Net Amount", "amount_differs"),
        ("Dividend;WER;W;IE0000000041;1.0;9.50;1.00;0.00;9.50;0;EUR", "Net Amount", "amount_differs"),
        ("Buy;WER;W;IE0000000041;ten;9.50;1.00;0.00;-96.00;0;EUR", "Quantity", "invalid"),
        ("Buy;WER;W;IE0000000041;10.0;x%;1.00;0.00;-96.00;0;EUR", "Unit price", "invalid"),
        ("Raffle;WER;W;IE0000000041;10.0;0.00;0.00;0.00;0.00;0;EUR", "Transaction", "unknown_type"),
        ("Buy;;;;10.0;9.50;1.00;0.00;-96.00;0;EUR", "Transaction", "unknown_type"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_read_is_an_error(account, line, column, code):
    response = account("EUR")(data=text(HEADER, f"12-01-2023 14:00:00;1;{line}"))
    assert response.status_code == 422
    assert faults(response.json()) == [(2, column, code)]
    assert Transaction.objects.count() == 0
