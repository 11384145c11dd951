"""Test what an instrument without prices is worth: what its user last paid or got for it."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal as D
from typing import NamedTuple

import numpy as np
import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from marketdata import services as market
from marketdata.tests.factories import instrument, with_closes
from portfolios import services
from portfolios.calc.trade_prices import trade_prices
from portfolios.tests.conftest import rate, trade

DAY = date(2024, 5, 2)


class Row(NamedTuple):
    type: str
    price: D | None
    effective_date: date
    quantity: D = D(1)
    sequence: int = 1
    holding_id: int = 1


def rows(*given: tuple[str, str | None, int]) -> Sequence[Row]:
    """Return rows of (type, price, days after DAY)."""
    made = []
    for number, (kind, text, after) in enumerate(given):
        price = None
        if text is not None:
            price = D(text)
        made.append(Row(kind, price, DAY + timedelta(after), sequence=number))
    return made


def on(prices, after):
    return prices.on(DAY + timedelta(after))


def test_the_last_trade_by_a_day_is_its_price():
    prices = trade_prices(rows(("buy", "10", 0), ("sell", "12", 5)))
    assert on(prices, -1) is None
    assert on(prices, 4) == (DAY, D(10))
    assert on(prices, 400) == (DAY + timedelta(5), D(12))


def test_of_one_day_the_sale_counts_since_it_comes_last():
    assert on(trade_prices(rows(("sell", "12", 0), ("buy", "10", 0))), 0) == (DAY, D(12))


def test_a_sale_at_0_is_a_price_and_a_free_share_is_not():
    assert on(trade_prices(rows(("buy", "0", 0))), 3) is None
    assert on(trade_prices(rows(("buy", "10", 0), ("sell", "0", 1))), 3) == (
        DAY + timedelta(1),
        D(0),
    )


def test_a_transfer_in_counts_before_the_first_trade_only():
    prices = trade_prices(rows(("transfer_in", "8", 0), ("buy", "10", 3), ("transfer_in", "7", 6)))
    assert [on(prices, after)[1] for after in (0, 2, 3, 6)] == [D(8), D(8), D(10), D(10)]


def test_a_split_since_divides_the_price():
    split = Row("split", None, DAY + timedelta(2), quantity=D(4))
    prices = trade_prices([*rows(("buy", "10", 0)), split])
    assert on(prices, 1) == (DAY, D(10))
    assert on(prices, 2) == (DAY, D("2.5"))


def test_the_same_split_of_two_holdings_counts_once():
    splits = [
        Row("split", None, DAY + timedelta(2), quantity=D(4)),
        Row("split", None, DAY + timedelta(5), quantity=D("4.001"), holding_id=2),
        Row("split", None, DAY + timedelta(30), quantity=D(2), holding_id=2),
    ]
    prices = trade_prices([*rows(("buy", "16", 0)), *splits])
    assert on(prices, 60) == (DAY, D(2))


def test_a_close_of_a_source_comes_before_every_trade():
    prices = trade_prices(rows(("buy", "10", 0), ("buy", "11", 9)), stored_on=[DAY + timedelta(4)])
    assert on(prices, 3) == (DAY, D(10))
    assert on(prices, 4) is None
    assert on(prices, 9) is None


def test_of_a_price_by_hand_and_a_trade_the_later_counts_and_the_price_on_one_day():
    prices = trade_prices(
        rows(("buy", "10", 0), ("buy", "11", 9), ("buy", "12", 20)),
        stored_on=[DAY + timedelta(4), DAY + timedelta(20)],
        by_hand=True,
    )
    assert [on(prices, after) for after in (3, 4, 20)] == [(DAY, D(10)), None, None]
    assert on(prices, 9) == (DAY + timedelta(9), D(11))


KINDS = st.sampled_from(["buy", "sell", "transfer_in", "split"])
TRADES = st.lists(st.tuples(KINDS, st.integers(0, 20).map(str), st.integers(0, 30)), max_size=8)


@given(TRADES, st.lists(st.integers(0, 30), max_size=4, unique=True), st.booleans())
def test_a_filled_row_has_the_price_of_each_day(traded, stored, by_hand):
    prices = trade_prices(
        [row._replace(quantity=D(2)) for row in rows(*traded)],
        stored_on=sorted(DAY + timedelta(after) for after in stored),
        by_hand=by_hand,
    )
    row = np.full(40, np.nan)
    prices.fill(row, DAY - timedelta(2))
    for column, value in enumerate(row):
        found = prices.on(DAY + timedelta(column - 2))
        assert np.isnan(value) if found is None else value == float(found[1])


# --- In the answers -------------------------------------------------------------------------------

pytestmark = pytest.mark.django_db


@pytest.fixture
def cabin(user):
    """Return an instrument that no source prices."""
    return instrument("CABIN", currency="NOK", owner=user)


def summary_of(api, portfolio):
    return api.get(f"/api/v1/portfolios/{portfolio.pk}").json()["summary"]


def test_a_fund_that_has_no_price_is_worth_what_was_last_paid(api, portfolio, cabin):
    trade(portfolio, cabin, "buy", "10", "100", on=DAY)
    trade(portfolio, cabin, "buy", "10", "130", on=DAY + timedelta(3))
    (holding,) = api.get(f"/api/v1/portfolios/{portfolio.pk}/holdings").json()
    shown = ("price", "previous_close", "price_as_of", "price_source", "price_stale")
    assert [holding[name] for name in shown] == [130, 100, "2024-05-05T00:00:00Z", "trade", True]
    assert (holding["market_value"], holding["unrealised_gain"]) == (2600, 300)
    assert holding["day_change"] is None
    summary = summary_of(api, portfolio)
    assert (summary["market_value"], summary["stale"]) == (2600, True)
    assert (summary["missing"], summary["missing_why"]) == ([], {})
    dashboard = api.get("/api/v1/dashboard").json()
    assert dashboard["portfolios_value"] == 2600
    assert dashboard["freshness"]["stale"] == ["CABIN"]


def test_series_and_performance_agree_with_the_summary(api, portfolio, cabin):
    trade(portfolio, cabin, "buy", "10", "100", on=DAY)
    trade(portfolio, cabin, "buy", "10", "130", on=DAY + timedelta(3))
    url = f"/api/v1/portfolios/{portfolio.pk}"
    series = api.get(f"{url}/timeline?end=2024-05-06").json()
    assert [point["market_value"] for point in series["points"]] == [1000, 1000, 1000, 2600, 2600]
    assert series["stale"] is True
    series = api.get(f"{url}/timeline?interval=month").json()
    assert series["points"][-1]["market_value"] == 2600
    assert (series["stale"], series["missing"], series["missing_why"]) == (True, [], {})
    figures = api.get(f"{url}/performance").json()
    assert (figures["end_value"], figures["gain"], figures["missing_why"]) == (2600, 300, {})


def test_a_trade_in_another_portfolio_prices_it_too_and_at_once(api, user, portfolio, cabin):
    trade(portfolio, cabin, "buy", "10", "100", on=DAY)
    other = services.create_portfolio(user=user, name="Other", currency="NOK")
    assert summary_of(api, portfolio)["market_value"] == 1000
    trade(other, cabin, "buy", "1", "140", on=DAY + timedelta(8))
    assert summary_of(api, portfolio)["market_value"] == 1400


def test_a_trade_of_another_user_prices_nothing(api, portfolio, other_user, make_stock):
    stock = make_stock("QUIET.DEMO")
    theirs = services.create_portfolio(user=other_user, name="Theirs", currency="NOK")
    trade(portfolio, stock, "buy", "10", "100", on=DAY)
    trade(theirs, stock, "buy", "1", "900", on=DAY + timedelta(8))
    assert summary_of(api, portfolio)["market_value"] == 1000


def test_a_price_by_hand_replaces_that_of_an_earlier_trade_only(api, portfolio, cabin):
    trade(portfolio, cabin, "buy", "10", "100", on=DAY)
    market.enter_price(stock=cabin, day=DAY + timedelta(1), close=D(105))
    (holding,) = api.get(f"/api/v1/portfolios/{portfolio.pk}/holdings").json()
    assert (holding["price"], holding["price_source"]) == (105, "manual")
    trade(portfolio, cabin, "sell", "1", "120", on=DAY + timedelta(2))
    (holding,) = api.get(f"/api/v1/portfolios/{portfolio.pk}/holdings").json()
    assert (holding["price"], holding["price_source"]) == (120, "trade")
    assert holding["previous_close"] == 105


def test_days_before_the_first_close_are_worth_what_was_paid(api, portfolio, make_stock):
    stock = make_stock("LATE.DEMO", price="150")
    with_closes(stock, {DAY + timedelta(2): 140}, source="simulated")
    trade(portfolio, stock, "buy", "10", "100", on=DAY)
    url = f"/api/v1/portfolios/{portfolio.pk}/timeline?end=2024-05-05"
    body = api.get(url).json()
    assert [point["market_value"] for point in body["points"]] == [1000, 1000, 1400, 1400]
    assert [point["net_flow"] for point in body["points"]] == [1000, 0, 0, 0]
    assert (body["missing"], body["stale"]) == ([], False)


def test_without_a_rate_what_was_paid_is_in_no_sum(api, portfolio, user, no_other_rates):
    stock = instrument("HUT", currency="ISK", owner=user)
    trade(portfolio, stock, "buy", "10", "100", exchange_rate="0.08", on=DAY)
    summary = summary_of(api, portfolio)
    assert (summary["market_value"], summary["missing_why"]) == (0, {"HUT": "no_rate"})
    rate("ISK", "NOK", "0.08")
    assert summary_of(api, portfolio)["market_value"] == 80


def test_a_split_that_the_source_does_not_know_divides_closes_until_the_next_one(
    api, portfolio, make_stock
):
    """Before, the shares of a weekend counted at the price of the old ones."""
    stock = make_stock("FRESH.DEMO")
    with_closes(
        stock, {DAY: 90, DAY + timedelta(1): 93, DAY + timedelta(4): 33}, source="simulated"
    )
    trade(portfolio, stock, "buy", "10", "90", on=DAY)
    trade(portfolio, stock, "split", "3", on=DAY + timedelta(2))
    url = f"/api/v1/portfolios/{portfolio.pk}"
    body = api.get(f"{url}/timeline?end=2024-05-07").json()
    assert [point["market_value"] for point in body["points"]] == [900, 930, 930, 930, 990, 990]
    assert (body["points"][-1]["twr_index"], body["missing"]) == (110, [])


def test_the_change_of_the_day_sees_through_a_split_that_the_source_does_not_know(
    api, portfolio, make_stock
):
    stock = make_stock("FRESH.DEMO")
    today = timezone.localdate()
    with_closes(stock, {today - timedelta(1): 93}, source="simulated")
    trade(portfolio, stock, "buy", "10", "90", on=today - timedelta(1))
    trade(portfolio, stock, "split", "3", on=today)

    def shown():
        (holding,) = api.get(f"/api/v1/portfolios/{portfolio.pk}/holdings").json()
        return [holding[name] for name in ("price", "previous_close", "market_value", "day_change")]

    assert shown() == [31, None, 930, None]
    with_closes(stock, {today: 33}, source="simulated")
    assert shown() == [33, 31, 990, 60]
    market.record_splits(stock=stock, splits=[(today, D(3))], source="simulated")
    assert shown() == [33, 31, 990, 60]
