"""Test which price counts in actions with instruments whose prices are entered by hand."""

from decimal import Decimal as D

import pytest

from marketdata.tests.factories import instrument
from portfolios.tests.conftest import trade
from portfolios.tests.test_returns_of_actions import (
    URL,
    action,
    bridge,
    closes,
    day,
    get,
    performance,
    post,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def cabin(user):
    """An instrument of the user's own, which no source prices."""
    return instrument("CABIN", currency="NOK", owner=user)


@pytest.fixture
def held(portfolio, make_stock):
    """100 shares, worth 40 each after the spin-off of 10 days ago."""
    stock = make_stock("X.DEMO")
    closes(stock, d20="50", d11="50", d10="40")
    return trade(portfolio, stock, "buy", "100", "50", on=day(20)).holding


def spin_off(held):
    return action(held, "spin_off", 10, [{"ticker": "CABIN", "quantity": 10}])


@pytest.mark.parametrize(
    ("prices", "share"),
    [
        ({"d40": "50"}, "0.2"),  # 1,000 of 5,000: the purchase is later
        ({"d30": "400"}, "0.5"),  # of one day the price by hand
        ({"d15": "600"}, "0.6"),
        ({"d40": "50", "d9": "600"}, "0.2"),
    ],
)
def test_the_later_of_price_and_trade_divides_the_cost(api, portfolio, cabin, held, prices, share):
    trade(portfolio, cabin, "buy", "1", "100", on=day(30))
    closes(cabin, **prices)
    group = post(api, spin_off(held))
    assert [one["cost_share"] for one in group["targets"]] == [D(share)]
    changed = api.put(f"{URL}/{group['id']}", spin_off(held)).json(parse_float=D)
    assert [one["cost_share"] for one in changed["targets"]] == [D(share)]


def test_a_price_by_hand_of_before_stands_until_the_next_one(api, portfolio, cabin, held):
    closes(cabin, d40="100", d7="120")
    group = post(api, spin_off(held))
    assert [one["cost_share"] for one in group["targets"]] == [D("0.2")]
    points = get(api, f"portfolios/{portfolio.pk}/timeline")["points"]
    values = {point["date"]: point["market_value"] for point in points}
    assert [values[str(day(ago))] for ago in (11, 10, 8, 7)] == [5000, 5000, 5000, 5200]
    assert performance(api, portfolio)["twr"] == D("0.04")


def test_what_nobody_prices_takes_over_what_was_last_paid_for_what_went(
    api, portfolio, make_stock, cabin
):
    make_stock("NEW.DEMO")
    closes(cabin, d40="50")
    bought = trade(portfolio, cabin, "buy", "10", "100", on=day(30))
    post(api, action(bought.holding, "exchange", 10, [{"ticker": "NEW.DEMO", "quantity": 20}]))
    [new] = get(api, f"portfolios/{portfolio.pk}/holdings")
    assert (new["ticker"], new["price"], new["market_value"]) == ("NEW.DEMO", 50, 1000)
    figures = performance(api, portfolio)
    assert (figures["twr"], figures["gain"]) == (0, 0)
    assert bridge(api, portfolio)["all"]["price_effect"] == 0
