"""Test warnings about prices and rates far from the market's. Nothing is refused for them."""

from datetime import date, timedelta
from decimal import Decimal as D

import pytest

from marketdata import services as market
from portfolios import services
from portfolios.calc.plausibility import check_price, check_rate
from portfolios.models import Transaction
from portfolios.tests.conftest import rate, trade

pytestmark = pytest.mark.django_db

DAY = date(2024, 5, 2)
URL = "/api/v1/transactions"


@pytest.fixture
def share(make_stock):
    """Return a function that makes an instrument with a close of `DAY`, or of days before it."""

    def make(close, currency="NOK", days_before=0):
        stock = make_stock(currency=currency)
        day = DAY - timedelta(days_before)
        market.record_prices(stock=stock, closes=[(day, D(close))], source="simulated")
        return stock

    return make


@pytest.fixture
def pounds(user):
    return services.create_portfolio(user=user, name="Pounds", currency="GBP")


def posted(api, portfolio, stock, **fields):
    body = {"type": "buy", "date": str(DAY), "quantity": 12, "price": 100}
    body |= {"portfolio_id": str(portfolio.pk), "ticker": stock.ticker, **fields}
    response = api.post(URL, body)
    assert response.status_code == 201
    return response.json()


def test_pence_typed_as_pounds_are_taken_with_a_hint(api, pounds, share):
    """Before, 1,000 shares at 72 pounds instead of 0.72 were a loss of 71,192 without a word."""
    body = posted(api, pounds, share("0.72", "GBP"), quantity=1000, price=72)
    [warning] = body["warnings"]
    assert (warning["code"], warning["field"]) == ("price_far_from_close", "price")
    assert warning["detail"] == (
        "The price 72 is far from the close of 0.72 GBP on 2024-05-02. If it is in pence or cents, "
        "divide it by 100."
    )
    assert Transaction.objects.get().price == 72
    fixed = api.patch(f"{URL}/{body['id']}", {"price": 0.72})
    assert fixed.json()["warnings"] == []
    assert api.get(f"{URL}/{body['id']}").json()["warnings"] == []


def test_a_split_adjusted_price_is_taken_with_a_hint(api, portfolio, share):
    stock = share("288.24")
    splits = [(DAY + timedelta(30), D(4))]
    market.record_splits(stock=stock, splits=splits, source="simulated")
    body = posted(api, portfolio, stock, price=72.06)
    [warning] = body["warnings"]
    assert warning["code"] == "price_far_from_close"
    assert "It looks split-adjusted" in warning["detail"]
    assert "(4:1)" in warning["detail"]


@pytest.mark.parametrize(
    ("price", "is_far"), [("50", False), ("49.99", True), ("200", False), ("200.01", True)]
)
def test_a_price_is_far_from_the_close_beyond_a_factor_of_two(price, is_far):
    warning = check_price(
        price=D(price), close=D(100), close_on=DAY, currency="NOK", later_splits=()
    )
    assert (warning is not None) == is_far


def test_several_later_splits_count_together():
    warning = check_price(
        price=D(10), close=D(80), close_on=DAY, currency="NOK", later_splits=[D(2), D(4)]
    )
    assert warning.params["ratio"] == "8"
    assert "(8:1)" in warning.detail()


@pytest.mark.parametrize(("days", "warned"), [(7, True), (8, False)])
def test_a_close_of_at_most_seven_days_before_is_compared(api, portfolio, share, days, warned):
    body = posted(api, portfolio, share("20", days_before=days))
    assert bool(body["warnings"]) == warned


def test_a_close_from_before_a_split_is_compared_in_the_shares_of_the_day(api, portfolio, share):
    stock = share("400", days_before=3)
    splits = [(DAY - timedelta(1), D(4))]
    market.record_splits(stock=stock, splits=splits, source="simulated")
    assert posted(api, portfolio, stock, price=100)["warnings"] == []


def test_only_purchases_and_sales_are_compared_with_closes(api, portfolio, share):
    stock = share("20")
    assert posted(api, portfolio, stock, type="transfer_in")["warnings"] == []
    assert posted(api, portfolio, stock, type="dividend", price=1)["warnings"] == []
    [warning] = posted(api, portfolio, stock, type="sell")["warnings"]
    assert warning["code"] == "price_far_from_close"


def test_a_rate_far_from_the_market_is_taken_with_a_hint(api, portfolio, share, no_other_rates):
    stock = share("100", "USD")
    rate("USD", "NOK", "10", on=DAY)
    assert posted(api, portfolio, stock, exchange_rate=10.9)["warnings"] == []
    [warning] = posted(api, portfolio, stock, exchange_rate=11.2)["warnings"]
    assert (warning["code"], warning["field"]) == ("rate_far_from_market", "exchange_rate")
    [warning] = posted(api, portfolio, stock, exchange_rate=0.1)["warnings"]
    assert warning["detail"].endswith("It looks like the inverse: enter 10.")


def test_an_old_rate_of_the_market_says_nothing(api, portfolio, share, no_other_rates):
    stock = share("100", "USD")
    rate("USD", "NOK", "10", on=DAY - timedelta(8))
    assert posted(api, portfolio, stock, exchange_rate=50)["warnings"] == []


def test_a_rate_within_one_currency_is_compared_with_one():
    assert check_rate(rate=D(1), market=D(1), base="NOK", target="NOK") is None
    assert check_rate(rate=D("1.2"), market=D(1), base="NOK", target="NOK") is not None


def test_lists_have_warnings_too(api, portfolio, share):
    posted(api, portfolio, share("20"))
    [listed] = api.get(URL).json()["results"]
    assert [one["code"] for one in listed["warnings"]] == ["price_far_from_close"]
    of_holding = api.get(f"/api/v1/holdings/{listed['holding_id']}/transactions").json()
    assert of_holding == [listed]


def test_the_admin_shows_warnings_after_saving(admin_client, portfolio, share):
    row = trade(portfolio, share("20"), "buy", "1", "20", on=DAY)
    address = f"/admin/portfolios/transaction/{row.pk}/change/"
    form = {"type": "buy", "date": str(DAY), "quantity": "1", "price": "100", "commission": "0"}
    form |= {"tax": "0"}
    response = admin_client.post(address, {**form, "exchange_rate": "1", "note": ""}, follow=True)
    assert not response.context.get("errors"), response.context["errors"]
    shown = [str(message) for message in response.context["messages"]]
    assert "The price 100 is far from the close of 20 NOK on 2024-05-02." in shown


@pytest.mark.parametrize(("code", "major"), [("GBp", "GBP"), ("GBX", "GBP"), ("zax", "ZAR")])
def test_a_hundredth_of_a_currency_is_refused_with_the_way_out(api, portfolio, code, major):
    body = {"type": "buy", "date": str(DAY), "quantity": 1, "price": 1, "currency": code}
    response = api.post(URL, {**body, "portfolio_id": str(portfolio.pk), "ticker": "LONDON"})
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert (error["code"], error["attr"]) == ("minor_currency", "currency")
    assert f"Divide prices by 100 and use {major}." in error["detail"]
    assert not Transaction.objects.exists()
