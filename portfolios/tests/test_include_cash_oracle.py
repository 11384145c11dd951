"""Compare the API's reports with cash of random accounts with the slow reference calculation."""

import json
from datetime import UTC, datetime
from decimal import Decimal as D

import pytest
import time_machine
from django.db import transaction

from conftest import api_client
from financeproj.users.models import User
from marketdata import services as market
from marketdata import vectors
from marketdata.models import StockMetadata
from portfolios import services
from portfolios.calc.cash import PARTS
from portfolios.services.groups import conversion_legs, record_group
from portfolios.tests.accounts import random_account
from portfolios.tests.cash_oracle import answer_of_all
from portfolios.tests.histories import FIRST_DAY
from portfolios.tests.oracle import Kind, with_trade_prices
from portfolios.tests.test_reports_oracle import CURRENCIES, close_to, day_of

DAYS = 30
PRICELESS = (Kind.SPLIT, Kind.TRANSFER_OUT)


def as_services_keep_it(account):
    """Leave out second openings in a currency, and what is booked before the first day."""
    rows, opened = [], set()
    for row in account.rows:
        if row.type == "opening" and row.currency in opened:
            continue
        opened |= {row.currency} if row.type == "opening" else set()
        rows.append(row)
    account.rows = rows
    account.history = with_trade_prices(account.history)
    return account


def store(account, known, user, today):
    """Store an account, whose instruments have the closes `known`, as on the day `today`."""
    vectors.vector_cache.clear()  # the last example was rolled back, and its ids come again
    portfolio = services.create_portfolio(user=user, name="A", currency="NOK")
    for code, rates in zip(CURRENCIES[1:], account.history.rates[1:], strict=True):
        listed = [(day_of(day), rate) for day, rate in rates.items() if day <= today]
        market.record_rates(base=code, target="NOK", rates=listed, source="test")
    stocks = []
    for index, (currency, closes) in enumerate(zip(account.history.currency, known, strict=True)):
        stock = StockMetadata.objects.create(
            ticker=f"A{index}",
            currency=CURRENCIES[currency],
            source="simulated",
            history_fetched_at=datetime(2030, 1, 1, tzinfo=UTC),
        )
        listed = [(day_of(day), close) for day, close in closes.items() if close and day <= today]
        market.record_prices(stock=stock, closes=listed, source="test")
        stocks.append(stock)
    settled = {id(row.trade): row for row in account.rows if row.trade is not None}
    for trade in account.history.trades:
        if trade.day <= today:
            store_trade(portfolio, stocks[trade.instrument], trade, settled.get(id(trade)))
    store_money(portfolio, account, today)
    services.set_cash_from(portfolio=portfolio, cash_from=day_of(account.cash_from))
    return portfolio


def store_trade(portfolio, stock, trade, row):
    is_priceless = trade.kind in PRICELESS
    services.record_transaction(
        portfolio=portfolio,
        stock=stock,
        type=trade.kind.name.lower(),
        date=day_of(trade.day),
        quantity=trade.quantity,
        price=None if is_priceless else trade.price,
        commission=D(0) if is_priceless else trade.commission,
        exchange_rate=None if is_priceless else trade.rate,
        settlement_currency=None if row is None else CURRENCIES[row.currency],
        settlement_amount=None if row is None else row.amount,
        force=True,
    )


def store_money(portfolio, account, today):
    rows = [row for row in account.rows if row.trade is None and row.day <= today]
    while rows:
        row = rows.pop(0)
        if row.type != "conversion":
            services.record_money(
                portfolio=portfolio,
                type=row.type,
                date=day_of(row.day),
                settlement_amount=row.amount,
                settlement_currency=CURRENCIES[row.currency],
            )
            continue
        other = next(one for one in rows if one.day == row.day and one.other == row.currency)
        rows.remove(other)
        legs = conversion_legs(
            portfolio=portfolio,
            currency=CURRENCIES[row.currency],
            amount=-row.amount,
            to_currency=CURRENCIES[other.currency],
            to_amount=other.amount,
        )
        record_group(kind="conversion", legs=legs, date=day_of(row.day))


def get(user, path):
    response = api_client(user).get(f"/api/v1/{path}")
    assert response.status_code == 200, response.content
    return json.loads(response.content)


@pytest.mark.untraced
@pytest.mark.django_db
@pytest.mark.usefixtures("no_other_rates")
@pytest.mark.parametrize("seed", range(1, 21, 2))
def test_reports_with_cash_equal_the_oracle(seed):
    account = random_account(seed, DAYS)
    known = account.history.closes
    account = as_services_keep_it(account)
    start, end = FIRST_DAY + seed % 7, FIRST_DAY + DAYS - 1 - seed % 3
    expected = answer_of_all([account], start, end)
    query = f"start={day_of(start)}&end={day_of(end)}&include_cash=true"
    noon = datetime.combine(day_of(end), datetime.min.time(), UTC)
    with transaction.atomic(), time_machine.travel(noon):
        user = User.objects.create(username="oracle", base_currency="NOK")
        portfolio = store(account, known, user, end)
        timeline = get(user, f"portfolios/{portfolio.pk}/timeline?{query}")
        performance = get(user, f"portfolios/{portfolio.pk}/performance?{query}")
        bridge = get(user, f"portfolios/{portfolio.pk}/bridge?{query}")
        of_all = get(user, f"timeline?{query}")
        transaction.set_rollback(True)
    scale = expected.scale
    for point, day in zip(timeline["points"], expected.days[1:], strict=True):
        assert point["market_value"] == close_to(day.value, scale), point["date"]
        assert point["net_flow"] == close_to(day.net_flow, scale), point["date"]
        assert point["twr_index"] == pytest.approx(float(day.index), rel=1e-9, abs=1e-9)
    assert of_all["points"] == timeline["points"]
    flows = sum((day.net_flow for day in expected.days), D(0))
    gain = expected.days[-1].value - expected.days[0].value - flows
    assert performance["gain"] == close_to(gain, scale)
    is_below = any(day.value < 0 for day in expected.days)
    assert (performance["reasons"].get("twr") == "negative_value") == is_below
    for name in PARTS:
        assert bridge["cash"][name] == close_to(expected.cash[name], scale), name
