"""Test the dashboard in a base currency without known rates."""

from datetime import timedelta
from decimal import Decimal as D

import pytest
from django.utils import timezone

from marketdata.tests.factories import with_rates
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


@pytest.mark.parametrize(
    ("days", "net_worth", "missing_why"),
    [(90, 50.0, {}), (91, None, {"VND/NOK": "no_rate"})],
)
def test_a_rate_of_more_than_90_days_values_no_portfolio(
    api, user, yahoo, days, net_worth, missing_why
):
    portfolio = services.create_portfolio(user=user, name="Hanoi", currency="VND")
    services.set_balance(portfolio=portfolio, kind="cash", amount=D(100_000))
    with_rates("VND", "NOK", {timezone.localdate() - timedelta(days=days): "0.0005"})
    answer = api.get("/api/v1/dashboard").json()
    assert (answer["net_worth"], answer["missing_why"]) == (net_worth, missing_why)
    explained = api.get("/api/v1/net-worth/explain").json()
    [shown] = explained["inputs"]["portfolios"]
    assert shown["rate"]["rate"] == (0.0005 if net_worth else None)
