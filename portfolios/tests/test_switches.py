"""Test returns of days on which money only changes places, and of the days that are invested."""

from datetime import date, timedelta

import numpy as np
import pytest
import time_machine

from portfolios import services
from portfolios.calc.layout import Market, Trades
from portfolios.calc.performance import combined, daily
from portfolios.calc.returns import daily_returns
from portfolios.tests.conftest import quote, trade
from portfolios.tests.oracle import Kind
from portfolios.tests.test_reports_api import closes, url

MONDAY = date(2024, 4, 29)
TUESDAY = MONDAY + timedelta(1)


@pytest.fixture(autouse=True)
def _today():
    with time_machine.travel("2024-05-08T12:00:00Z", tick=False):
        yield


def get(api, path):
    response = api.get(path)
    assert response.status_code == 200, response.content
    return response.json()


@pytest.mark.django_db
def test_shares_moved_between_own_portfolios_are_no_flow_of_all(api, portfolio, make_stock, user):
    other = services.create_portfolio(user=user, name="Other", currency="NOK")
    stock = make_stock(price="110")
    closes(stock, "100", "110", start=MONDAY)
    trade(portfolio, stock, "buy", "10", "100", on=MONDAY)
    trade(portfolio, stock, "transfer_out", "10", on=TUESDAY)
    trade(other, stock, "transfer_in", "10", "100", on=TUESDAY)
    body = get(api, f"/api/v1/performance?start={TUESDAY}")
    assert (body["twr"], body["net_flow"], body["gain"]) == (0.1, 0, 100)
    points = get(api, f"/api/v1/timeline?start={MONDAY}")["points"]
    assert [point["twr_index"] for point in points[:2]] == [100, 110]


@pytest.mark.django_db
def test_a_fund_sold_for_another_keeps_the_return_of_the_day(api, portfolio, make_stock):
    sold, bought = make_stock("SOLD.DEMO"), make_stock("BOUGHT.DEMO", price="50")
    closes(sold, "100", "103.478", start=MONDAY)
    closes(bought, "50", "50", start=MONDAY)
    trade(portfolio, sold, "buy", "10", "100", on=MONDAY)
    trade(portfolio, sold, "sell", "10", "103.478", on=TUESDAY)
    trade(portfolio, bought, "buy", "20.6956", "50", on=TUESDAY)
    body = get(api, url(portfolio, f"performance?start={TUESDAY}&end={TUESDAY}"))
    assert body["twr"] == pytest.approx(0.03478, abs=1e-12)
    assert body["net_flow"] == 0


@pytest.mark.django_db
def test_a_reinvested_dividend_keeps_the_return_of_the_day(api, portfolio, make_stock):
    stock = make_stock(price="95")
    closes(stock, "100", "95", start=MONDAY)
    trade(portfolio, stock, "buy", "10", "100", on=MONDAY)
    trade(portfolio, stock, "dividend", "10", "10", on=TUESDAY)
    trade(portfolio, stock, "buy", "1", "95", on=TUESDAY)
    body = get(api, url(portfolio, f"performance?start={TUESDAY}&end={TUESDAY}"))
    assert body["twr"] == pytest.approx((1045 + 100 - 95) / 1000 - 1, abs=1e-12)


@pytest.mark.django_db
def test_a_purchase_and_sale_of_one_holding_within_a_day_is_not_netted(api, portfolio, make_stock):
    stock = make_stock(price="104")
    closes(stock, "104", start=MONDAY)
    trade(portfolio, stock, "buy", "1", "100", on=MONDAY)
    trade(portfolio, stock, "sell", "1", "104", on=MONDAY)
    body = get(api, url(portfolio, "performance"))
    assert body["twr"] == pytest.approx(0.04, abs=1e-12)
    assert (body["start"], body["end"]) == ("2024-04-29", "2024-04-29")
    assert (body["mwr"], body["reasons"]["mwr"]) == (None, "no_root")


@pytest.mark.django_db
@pytest.mark.parametrize(("price", "expected"), [("104", 0.04), ("200", 1)])
def test_a_part_sold_on_the_first_day_earned_what_the_rest_did(
    api, portfolio, make_stock, price, expected
):
    stock = make_stock(price=price)
    closes(stock, price, start=MONDAY)
    trade(portfolio, stock, "buy", "10", "100", on=MONDAY)
    trade(portfolio, stock, "sell", "5", price, on=MONDAY)
    body = get(api, url(portfolio, f"performance?end={MONDAY}"))
    assert body["twr"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.django_db
def test_a_dividend_that_costs_more_than_it_brings_is_money_paid_in(api, portfolio, make_stock):
    stock = make_stock(price="100")
    closes(stock, "100", "100", start=MONDAY)
    trade(portfolio, stock, "buy", "10", "100", on=MONDAY)
    trade(portfolio, stock, "dividend", "10", "1", commission="15", on=TUESDAY)
    address = url(portfolio, f"performance/explain?start={TUESDAY}&end={TUESDAY}")
    body = get(api, address)
    day = body["intermediate"]["days"][1]
    assert (day["inflow"], day["outflow"], day["switched"]) == (5, 0, 0)
    [flow] = body["intermediate"]["flows"]
    assert (flow["direction"], flow["amount"]) == ("in", 5)
    assert body["numbers"]["twr"]["value"] == pytest.approx(1000 / 1005 - 1, abs=1e-12)
    assert body["numbers"]["income"]["value"] == -5


@pytest.mark.django_db
def test_what_was_sold_long_ago_earned_it_in_the_days_it_was_invested(api, portfolio, make_stock):
    stock = make_stock(price="300")
    closes(stock, "100", start=date(2010, 3, 29))
    trade(portfolio, stock, "buy", "1", "100", on=date(2010, 3, 29))
    trade(portfolio, stock, "dividend", "1", "8", on=date(2011, 3, 29))
    trade(portfolio, stock, "sell", "1", "100", on=date(2012, 3, 29))
    body = get(api, url(portfolio, "performance"))
    assert (body["start"], body["end"]) == ("2010-03-29", "2012-03-29")
    assert (body["invested_from"], body["invested_until"]) == ("2010-03-29", "2012-03-29")
    assert body["twr"] == pytest.approx(0.08, abs=1e-12)
    assert body["twr_annualised"] == pytest.approx(1.08 ** (365 / 732) - 1, abs=1e-12)
    assert body["mwr_period"] == pytest.approx(0.08327, abs=5e-6)
    assert body["mwr"] == pytest.approx((1 + body["mwr_period"]) ** (365 / 731) - 1, abs=1e-9)
    until_today = get(api, url(portfolio, "performance?end=2024-05-08"))
    for name in ("invested_until", "twr", "twr_annualised", "mwr", "mwr_period"):
        assert until_today[name] == body[name], name
    since = get(api, url(portfolio, "performance?start=2024-01-01"))
    assert (since["end"], since["invested_from"], since["twr"]) == ("2024-05-08", None, 0)
    assert get(api, "/api/v1/performance")["end"] == "2012-03-29"


@pytest.mark.django_db
def test_a_few_good_days_in_a_long_period_have_no_annual_rate(api, portfolio, make_stock):
    stock = make_stock(price="110")
    closes(stock, "100", "110", start=MONDAY)
    trade(portfolio, stock, "buy", "1", "100", on=MONDAY)
    body = get(api, url(portfolio, "performance?start=2020-01-01"))
    assert (body["invested_from"], body["invested_until"]) == ("2024-04-29", "2024-05-08")
    assert (body["twr_annualised"], body["mwr"]) == (None, None)
    assert body["reasons"]["mwr"] == body["reasons"]["twr_annualised"] == "short_period"
    assert body["mwr_period"] == pytest.approx(0.1, abs=1e-9)


@pytest.mark.django_db
@pytest.mark.parametrize("asset_type", ["crypto", "stock"])
def test_what_trades_on_weekends_has_the_volatility_of_all_days(
    api, portfolio, make_stock, asset_type
):
    """The type says it of a coin, the closes on Saturdays of anything else."""
    stock = make_stock(price="100", asset_type=asset_type)
    start = date(2024, 3, 4)
    prices = ["100"] * 66
    for day in range(66):
        if (start + timedelta(day)).weekday() > 4:
            prices[day] = "150"
    closes(stock, *prices, start=start)
    trade(portfolio, stock, "buy", "1", "100", on=start)
    body = get(api, url(portfolio, "performance"))
    moves = np.diff(np.log([100, *(float(price) for price in prices)]))
    assert body["volatility"] == pytest.approx(np.std(moves, ddof=1) * np.sqrt(365), abs=1e-9)


@pytest.mark.django_db
def test_a_single_close_on_a_saturday_makes_nothing_trade_on_weekends(api, portfolio, make_stock):
    stock = make_stock()
    start = date(2024, 4, 1)
    for day in range(37):
        on = start + timedelta(day)
        if on.weekday() < 5 or day == 5:
            closes(stock, str(100 + day), start=on)
    quote(stock, "137")
    trade(portfolio, stock, "buy", "1", "100", on=start)
    explained = get(api, url(portfolio, "performance/explain"))["intermediate"]
    assert explained["days_a_year"] == 252
    counted = [day["date"] for day in explained["days"] if day["counted"]]
    assert all(date.fromisoformat(day).weekday() < 5 for day in counted)


DAYS, FUNDS = 2000, 5


def _every_krone_earns_the_same(seed: int):
    """Return two portfolios of random days in arrays, and the rate that every krone earned.

    New money comes in at the close of the day before, what leaves for good does so at the close. In
    between, holdings are switched, moved to the other portfolio, or pay dividends that are
    reinvested; all of it at the close.
    """
    random = np.random.default_rng(seed)
    rates = random.normal(0.0003, 0.01, DAYS)
    close = np.full((FUNDS, DAYS), 100.0)
    rows = ([], [])
    held = np.zeros((2, FUNDS))

    def book(place, fund, day, kind, quantity, price=0.0):
        if kind in (Kind.BUY, Kind.TRANSFER_IN):
            held[place, fund] += quantity
        elif kind in (Kind.SELL, Kind.TRANSFER_OUT):
            held[place, fund] -= quantity
        rows[place].append((fund, day, kind, quantity, price))

    for day in range(1, DAYS):
        before = close[:, day - 1]
        pays = random.integers(FUNDS) if random.random() < 0.2 else None
        per_share = 0.0 if pays is None else 0.02 * before[pays]
        close[:, day] = before * (1 + rates[day])
        if pays is not None:
            close[pays, day] -= per_share
        now = close[:, day]
        brings_money = day == 1 or random.random() < 0.5
        place, fund, target = random.integers(2), random.integers(FUNDS), random.integers(FUNDS)
        # Dividends are of the shares held at the end of the day before.
        income = 0.0
        for at in range(2):
            if pays is not None and held[at, pays] > 0:
                book(at, pays, day, Kind.DIVIDEND, held[at, pays], per_share)
                income += held[at, pays] * per_share
        if brings_money:
            if fund == pays:  # what is bought without the dividend would earn less
                fund = (fund + 1) % FUNDS
            book(place, fund, day, Kind.BUY, random.uniform(1, 20), before[fund])
            if income:
                book(place, fund, day, Kind.BUY, income / now[fund], now[fund])
            if day == 1:
                book(place, fund, day, Kind.SELL, held[place, fund] / 2, now[fund])
            continue
        available = held[place, fund]
        if available <= 0:
            continue
        if fund != target:
            part = available * random.uniform(0.1, 0.9)
            worth = part * now[fund]
            book(place, target, day, Kind.BUY, worth / now[target], now[target])
            book(place, fund, day, Kind.SELL, part, now[fund])
        if random.random() < 0.3:
            part = held[place, fund] / 3
            book(1 - place, fund, day, Kind.TRANSFER_IN, part)
            book(place, fund, day, Kind.TRANSFER_OUT, part)
        if random.random() < 0.3:
            book(place, fund, day, Kind.SELL, held[place, fund] / 4, now[fund])
    return rows, close, rates


def _trades(rows) -> Trades:
    ordered = sorted(rows, key=lambda row: (row[0], row[1], row[2]))
    columns = list(zip(*ordered, strict=True))
    count = len(ordered)
    # Quantities after each row follow from the order of the ledger.
    held, total, last = [], 0.0, None
    for fund, _, kind, quantity, _ in ordered:
        if fund != last:
            total, last = 0.0, fund
        if kind in (Kind.BUY, Kind.TRANSFER_IN):
            total += quantity
        elif kind in (Kind.SELL, Kind.TRANSFER_OUT):
            total -= quantity
        held.append(total)
    return Trades(
        instrument=np.array(columns[0], dtype=np.int32),
        day=np.array(columns[1], dtype=np.int32),
        kind=np.array(columns[2], dtype=np.int8),
        quantity=np.array(columns[3]),
        price=np.array(columns[4]),
        commission=np.zeros(count),
        rate=np.ones(count),
        held=np.array(held),
        share=np.zeros(len(held)),
        group=np.zeros(len(held), dtype=np.int64),
    )


@pytest.mark.untraced
def test_where_every_krone_earns_the_same_the_daily_return_is_that():
    days = 0
    for seed in range(51):
        rows, close, rates = _every_krone_earns_the_same(seed)
        market = Market(0, close, np.zeros(FUNDS, dtype=np.int64), np.ones((1, DAYS)))
        parts = [daily(_trades(of_one), market) for of_one in rows]
        got = daily_returns(combined(parts, DAYS))
        assert np.abs(got[1:] - rates[1:]).max() < 1e-9, seed
        days += DAYS - 1
    assert days > 100_000
