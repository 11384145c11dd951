"""Test Swissquote's balances against sums made by hand."""

from datetime import date
from decimal import Decimal as D

import pytest

from integrations.statements.tests.samples.base import ATLAS, FUND
from marketdata.tests.factories import with_rates
from portfolios.models import Checkpoint, Transaction

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


def test_a_currency_some_of_whose_rows_are_not_read_is_not_compared(swissquote):
    fees = "30-06-2024 18:01:13;0;Custody Fees;;;;1.0;50.00;3.85;0.00;-53.85;2969.65;CHF"
    body = swissquote([TRADES[0], fees, *TRADES[1:]])
    assert body["reconciled"] is True
    assert set(Checkpoint.objects.values_list("currency", flat=True)) == {"USD"}
