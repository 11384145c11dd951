"""Test the dashboard in a base currency without known rates."""

import pytest

from portfolios import services

pytestmark = pytest.mark.django_db


def test_the_first_read_in_another_base_currency_fetches_the_rate(api, user):
    user.base_currency = "SEK"
    user.save()
    portfolio = services.create_portfolio(user=user, name="Dollars", currency="USD")
    services.set_balance(portfolio=portfolio, kind="cash", amount=100)
    answer = api.get("/api/v1/dashboard").json()
    assert answer["currency"] == "SEK"
    assert answer["net_worth"] == answer["cash"] > 500
