"""Compare the API's reports of random histories with a slow reference calculation."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
import time_machine
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from conftest import api_client
from financeproj.users.models import User
from marketdata import services as market
from marketdata import vectors
from marketdata.models import StockMetadata
from portfolios import services
from portfolios.tests import oracle
from portfolios.tests.histories import FIRST_DAY, histories
from portfolios.tests.oracle import Kind

EPOCH = date(1970, 1, 1)
CURRENCIES = ("NOK", "USD", "EUR", "GBP")
DAYS = 30


def day_of(number):
    return EPOCH + timedelta(days=number)


def stored(history, user, name, today):
    """Store the history as a portfolio in NOK of `user`, as known on the day `today`."""
    # the last example was rolled back, and its ids and versions come again
    vectors.vector_cache.clear()
    portfolio = services.create_portfolio(user=user, name=name, currency="NOK")
    for code, rates in zip(CURRENCIES[1:], history.rates[1:], strict=True):
        known = [
            (day_of(day), rate) for day, rate in rates.items() if rate is not None and day <= today
        ]
        market.record_rates(base=code, target="NOK", rates=known, source="test")
    stocks = []
    for index, (currency, closes) in enumerate(zip(history.currency, history.closes, strict=True)):
        stock = StockMetadata.objects.create(
            ticker=f"{name}{index}",
            currency=CURRENCIES[currency],
            source="simulated",
            history_fetched_at=datetime(2030, 1, 1, tzinfo=UTC),
        )
        known = [
            (day_of(day), close)
            for day, close in closes.items()
            if close is not None and day <= today
        ]
        market.record_prices(stock=stock, closes=known, source="test")
        stocks.append(stock)
    for number, trade in enumerate(history.trades):
        priceless = trade.kind in (Kind.SPLIT, Kind.TRANSFER_OUT)
        mistyped = number % 2 and not priceless
        row = services.record_transaction(
            portfolio=portfolio,
            stock=stocks[trade.instrument],
            type=trade.kind.name.lower(),
            date=day_of(trade.day),
            quantity=trade.quantity,
            price=None if priceless else trade.price + (7 if mistyped else 0),
            commission=D(0) if priceless else trade.commission,
            exchange_rate=None if priceless else trade.rate,
            force=True,
        )
        if mistyped:
            services.update_transaction(row=row, price=trade.price)
    return portfolio


def is_storable(history):
    """Return whether SQLite can store the numbers, which may exceed its 15 digits."""
    return all(len(trade.quantity.normalize().as_tuple().digits) <= 15 for trade in history.trades)


def close_to(expected, scale):
    return pytest.approx(float(expected), abs=1e-9 * float(scale))


def scale_of(history, expected):
    return max(expected.scale, sum((t.quantity * t.price * t.rate for t in history.trades), D(0)))


quick = settings(
    max_examples=12,
    deadline=None,
    phases=[
        Phase.explicit,
        Phase.reuse,
        Phase.generate,
    ],  # an example takes half a second: no shrinking
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
        HealthCheck.filter_too_much,
    ],
)


def get(user, path):
    response = api_client(user).get(f"/api/v1/{path}")
    assert response.status_code == 200, response.content
    return json.loads(response.content)


@pytest.mark.untraced
@pytest.mark.django_db
@pytest.mark.usefixtures("no_other_rates")
@quick
@given(
    histories(instruments=3, days=DAYS, trades=12, gaps=False).filter(is_storable),
    st.tuples(st.integers(0, DAYS - 1), st.integers(0, DAYS - 1)).map(sorted),
)
def test_timeline_performance_and_bridge_of_a_portfolio_equal_the_oracle(history, period):
    from django.db import transaction

    start, end = (FIRST_DAY + offset for offset in period)
    history.known_from = FIRST_DAY - 1
    expected = oracle.answer(oracle.with_trade_prices(history), start, end)
    scale = scale_of(history, expected)
    query = f"start={day_of(start)}&end={day_of(end)}"
    with (
        transaction.atomic(),
        time_machine.travel(datetime.combine(day_of(end), datetime.min.time(), UTC)),
    ):
        history.trades = [trade for trade in history.trades if trade.day <= end]
        user = User.objects.create(username="oracle", base_currency="NOK")
        portfolio = stored(history, user, "A", end)
        timeline = get(user, f"portfolios/{portfolio.pk}/timeline?{query}")
        performance = get(user, f"portfolios/{portfolio.pk}/performance?{query}")
        bridge = get(user, f"portfolios/{portfolio.pk}/bridge?{query}")
        of_all = get(user, f"timeline?{query}")
        transaction.set_rollback(True)
    for point, day in zip(timeline["points"], expected.days[1:], strict=True):
        assert point["market_value"] == close_to(day.value, scale), point["date"]
        assert point["cost_basis"] == close_to(day.cost_basis, scale)
        assert point["net_flow"] == close_to(day.net_flow, scale)
        assert point["income"] == close_to(day.income, scale)
        assert point["twr_index"] == pytest.approx(float(day.index), rel=1e-9, abs=1e-9)
    assert timeline["missing"] == sorted(f"A{index}" for index in expected.missing)
    assert of_all["points"] == timeline["points"]
    first, last = expected.days[0], expected.days[-1]
    flow = sum((day.net_flow for day in expected.days), D(0))
    assert performance["start_value"] == close_to(first.value, scale)
    assert performance["end_value"] == close_to(last.value, scale)
    assert performance["net_flow"] == close_to(flow, scale)
    assert performance["gain"] == close_to(last.value - first.value - flow, scale)
    assert performance["unrealised_gain"] == close_to(last.value - last.cost_basis, scale)
    for name in ("income", "charges", "realised_gain"):
        assert performance[name] == close_to(
            sum((getattr(day, name) for day in expected.days), D(0)), scale
        )
    if performance["twr"] is not None:
        assert performance["twr"] == pytest.approx(float(last.index / 100 - 1), rel=1e-9, abs=1e-9)
    for name in oracle.BRIDGE:
        assert bridge[name] == close_to(sum((row[name] for row in expected.bridge), D(0)), scale)
    shown = {row["ticker"]: row for row in bridge["holdings"]}
    for index, row in enumerate(expected.bridge):
        for name in oracle.BRIDGE:
            assert shown.get(f"A{index}", dict.fromkeys(oracle.BRIDGE, 0))[name] == close_to(
                row[name], scale
            )


@pytest.mark.untraced
@pytest.mark.django_db
@pytest.mark.usefixtures("no_other_rates")
@quick
@given(
    histories(instruments=2, days=DAYS, trades=8, gaps=False).filter(is_storable),
    st.integers(0, DAYS - 1),
)
def test_all_portfolios_together_are_the_sum_of_each_converted_day_by_day(history, offset):
    """One portfolio in NOK, reported in USD: fx(NOK to USD) is the inverse of the stored
    USD/NOK.
    """
    from django.db import transaction

    start, end = FIRST_DAY + offset, FIRST_DAY + DAYS - 1
    known = [day for day, rate in history.rates[1].items() if rate is not None]
    history.known_from = min(known, default=10**9)
    expected = oracle.answer(oracle.with_trade_prices(history), start, end)
    into_usd = {day: 1 / rate for day, rate in history.rates[1].items() if rate is not None}
    for number, day in zip(range(start - 1, end + 1), expected.days, strict=True):
        for name in ("value", "cost_basis", "inflow", "outflow", "bought", "released", "income"):
            setattr(day, name, getattr(day, name) * into_usd.get(number, D(0)))
    oracle.grow(expected.days)
    with (
        transaction.atomic(),
        time_machine.travel(datetime.combine(day_of(end), datetime.min.time(), UTC)),
    ):
        user = User.objects.create(username="oracle", base_currency="USD")
        stored(history, user, "A", end)
        timeline = get(user, f"timeline?start={day_of(start)}&end={day_of(end)}")
        transaction.set_rollback(True)
    scale = scale_of(history, expected)
    assert timeline["currency"] == "USD"
    for point, day in zip(timeline["points"], expected.days[1:], strict=True):
        assert point["market_value"] == close_to(day.value, scale), point["date"]
        assert point["cost_basis"] == close_to(day.cost_basis, scale)
        assert point["net_flow"] == close_to(day.net_flow, scale)
        assert point["income"] == close_to(day.income, scale)
        assert point["twr_index"] == pytest.approx(float(day.index), rel=1e-9, abs=1e-9)
