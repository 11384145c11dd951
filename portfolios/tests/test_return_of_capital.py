"""Money back out of the cost. docs/definitions.md, "The ledger of a holding"."""

from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from django.utils import timezone

from portfolios.models import Holding
from portfolios.reports.gains import realised_gains
from portfolios.tests.conftest import trade

BOUGHT, RETURNED = date(2024, 5, 2), date(2024, 6, 3)
pytestmark = pytest.mark.django_db


def figures():
    holding = Holding.objects.get()
    return holding.cost_basis, holding.average_cost_per_share, holding.realised_gain, holding.income


def test_a_return_of_capital_takes_its_amount_out_of_the_cost_and_is_no_income(portfolio, stock):
    trade(portfolio, stock, "buy", "10", "20", on=BOUGHT)
    row = trade(portfolio, stock, "return_of_capital", "10", "3", on=RETURNED)
    assert figures() == (D(170), D(17), 0, 0)
    assert (row.realised_gain, row.average_cost_per_share_at_transaction) == (0, D(17))


def test_what_is_returned_beyond_the_cost_is_realised(portfolio, stock):
    trade(portfolio, stock, "buy", "10", "20", on=BOUGHT)
    trade(portfolio, stock, "return_of_capital", "10", "25", on=RETURNED)
    assert figures() == (0, 0, D(50), 0)


@pytest.mark.parametrize(
    ("price", "gain", "cost_c", "cost_p"),
    # 10 bought at 20 dollars and 10 kroner a dollar; the returned dollars are worth 11 kroner.
    [("5", D(50), D(150), D(1500)), ("25", D(750), D(0), D(0))],
)
def test_the_currency_of_the_returned_part_is_realised_with_it(
    portfolio, make_stock, price, gain, cost_c, cost_p
):
    stock = make_stock("USA.DEMO", "USD")
    trade(portfolio, stock, "buy", "10", "20", on=BOUGHT, exchange_rate="10")
    trade(portfolio, stock, "return_of_capital", "10", price, on=RETURNED, exchange_rate="11")
    assert figures() == (cost_p, cost_c / 10, gain, 0)


@pytest.mark.parametrize("method", ["average", "fifo"])
def test_realised_gains_name_a_return_of_capital_and_all_cost_is_accounted_for(
    portfolio, stock, method
):
    trade(portfolio, stock, "buy", "10", "10", on=BOUGHT)
    trade(portfolio, stock, "buy", "10", "30", on=BOUGHT + timedelta(1))
    trade(portfolio, stock, "return_of_capital", "20", "5", on=RETURNED, commission="4")
    trade(portfolio, stock, "sell", "20", "40", on=RETURNED + timedelta(1))
    returned, sold = realised_gains(portfolio, year=None, method=method)
    assert (returned.kind, returned.quantity) == ("return_of_capital", None)
    assert (returned.proceeds, returned.cost, returned.gain) == (D(96), D(96), 0)
    assert (sold.kind, sold.quantity, sold.cost, sold.gain) == ("sale", D(20), D(304), D(496))
    if method == "fifo":
        # 96 of 400 is 24 % of either lot.
        assert [(lot.quantity, lot.cost) for lot in returned.lots] == [(0, D(24)), (0, D(72))]
        assert [(lot.bought_on, lot.cost) for lot in sold.lots] == [
            (BOUGHT, D(76)),
            (BOUGHT + timedelta(1), D(228)),
        ]


def test_series_and_bridge_show_no_false_gain(api, portfolio):
    """10 bought at 20, 3 a share returned, worth 17 afterwards: nothing was won or lost."""
    today = timezone.localdate()
    enter_priced_by_hand(api, portfolio, today)
    body = api.get(f"/api/v1/portfolios/{portfolio.pk}/performance").json()
    assert (body["twr"], body["gain"], body["realised_gain"]) == (0, 0, 0)
    assert (body["income"], body["net_flow"], body["end_value"]) == (0, 170, 170)
    points = api.get(f"/api/v1/portfolios/{portfolio.pk}/timeline").json()["points"]
    assert [point["cost_basis"] for point in points] == [200, 200, 170, 170]
    bridge = api.get(f"/api/v1/portfolios/{portfolio.pk}/bridge").json()
    assert (bridge["price_effect"], bridge["net_flow"]) == (0, 170)


def enter_priced_by_hand(api, portfolio, today):
    rows = "/api/v1/transactions"
    buy = {"portfolio_id": str(portfolio.pk), "ticker": "OWN", "currency": "NOK"}
    for days, kind, price in ((3, "buy", 20), (1, "return_of_capital", 3)):
        day = (today - timedelta(days)).isoformat()
        body = {**buy, "type": kind, "date": day, "quantity": 10, "price": price}
        assert api.post(rows, body).status_code == 201
        close = {"date": day, "close": 20 if kind == "buy" else 17}
        assert api.post("/api/v1/stocks/OWN/prices", close).status_code in (200, 201)
