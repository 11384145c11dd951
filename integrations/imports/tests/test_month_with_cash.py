"""Test the month of a Nordnet account that docs/definitions.md works out on paper."""

from datetime import date
from decimal import Decimal as D

import pytest

from integrations.statements.tests.test_nordnet import statement
from marketdata import services as market
from marketdata.models import StockMetadata

pytestmark = pytest.mark.django_db

# id, booked, traded, type, name, isin, quantity, price, fees, amount, result currency, total,
# balance, rate, text, cancelled
ROWS = [
    "1006|2024-01-08|2024-01-08|KJØPT|DNB|NO0010161896|100|200|29|-20029|NOK|100|31446|||",
    "1005|2024-01-05|2024-01-05|FORSIKRINGSKOSTNAD|||||25|-25|||51475|1||",
    "1004|2024-01-04|2024-01-04|UTBETALING||||| |-500|||51500|||",
    "1003|2024-01-03|2024-01-03|PREMIEINNBETALING||||| |1000|||52000|||",
    "1002|2024-01-03|2024-01-03|INNSKUDD KONTANTER||||| |1000|||51000|||",
    "1001|2024-01-02|2024-01-02|Overføring via Trustly||||| |50000|||50000|1||",
]
PERIOD = "start=2024-01-01&end=2024-01-31&include_cash=true"


@pytest.fixture
def january(upload, portfolio):
    stock = StockMetadata.objects.create(
        ticker="DNB.DEMO",
        currency="NOK",
        source="simulated",
        history_fetched_at="2024-02-01T12:00:00Z",
    )
    closes = [(date(2024, 1, 8), D(201)), (date(2024, 1, 31), D(205))]
    market.record_prices(stock=stock, closes=closes, source="simulated")
    body = upload.done(data=statement(ROWS), instruments='{"NO0010161896": "DNB.DEMO"}')
    assert (body["errors"], body["cash_from"]) == ([], "2024-01-02")
    return f"/api/v1/portfolios/{portfolio.pk}"


def test_the_return_is_that_of_the_worked_example(api, january):
    points = api.get(f"{january}/timeline?{PERIOD}").json()["points"]
    values = {point["date"]: point["market_value"] for point in points}
    assert [values[f"2024-01-{day:02}"] for day in (2, 3, 4, 5, 8, 31)] == [
        50_000,
        52_000,
        51_500,
        51_475,
        51_546,
        51_946,
    ]
    body = api.get(f"{january}/performance?{PERIOD}").json()
    assert (body["net_flow"], body["end_value"], body["gain"]) == (51_500, 51_946, 446)
    assert body["twr"] == pytest.approx(51_946 / 51_500 - 1, abs=1e-12)
    alone = api.get(f"{january}/performance?start=2024-01-01&end=2024-01-31").json()
    assert alone["twr"] == pytest.approx(20_500 / 20_029 - 1, abs=1e-12)


def test_the_bridge_ends_at_the_brokers_own_balance(api, january):
    body = api.get(f"{january}/bridge?{PERIOD}").json()
    assert {name: body[name] for name in ("net_flow", "price_effect", "commissions")} == {
        "net_flow": 20_029,
        "price_effect": 500,
        "commissions": 29,
    }
    assert body["end_value"] == 20_500
    cash = {name: amount for name, amount in body["cash"].items() if amount}
    assert cash == {
        "deposits": 52_000,
        "withdrawals": 500,
        "from_securities": -20_029,
        "fees": 25,
        "end_value": 31_446,
    }
