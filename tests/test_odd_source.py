"""Test a source that says nonsense, changes its mind, or leaves things out: nothing is lost and
nothing doubles.
"""

import math
import random
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine

from marketdata.models import HeldBack, HistoricalStockPrice, StockDividend, StockMetadata
from marketdata.services import refresh_history
from marketdata.services.asking import EARLIEST_DAY
from portfolios.models import Holding, Transaction
from tests.servers.yahoo import weekdays

pytestmark = [pytest.mark.django_db, pytest.mark.untraced]

BOUGHT, SPLIT_ON, PAID_ON = date(2026, 1, 5), date(2026, 1, 19), date(2026, 2, 2)
READ = ("dashboard", "portfolios", "timeline", "performance", "net-worth", "held-back")


@pytest.fixture
def market(yahoo):
    with time_machine.travel(datetime(2026, 3, 3, 22, 0, tzinfo=UTC)) as clock:
        yahoo.clock = clock
        yield yahoo


def listed(market, **about):
    """List ACME: closes at 100, and from a split of 2:1 on at 50."""
    closes = dict.fromkeys(weekdays(BOUGHT, date(2026, 3, 3)), 50.0)
    for day in closes:
        if day < SPLIT_ON:
            closes[day] = 100.0
    about = {"splits": {SPLIT_ON: (2, 1)}, "dividends": {PAID_ON: 0.5}, "name": "Acme"} | about
    return market.list("ACME", closes, **about)


@pytest.fixture
def held(api, market):
    """40 shares, bought before the split."""
    one = listed(market)
    portfolio = api.post("/api/v1/portfolios", {"name": "US", "currency": "USD"}).json()["id"]
    body = {"portfolio_id": portfolio, "ticker": "ACME", "type": "buy", "quantity": 40}
    made = api.post("/api/v1/transactions", {**body, "date": str(BOUGHT), "price": 100})
    assert made.status_code == 201, made.json()
    return one


def refresh(market, days=1, whole=True):
    """Read the whole history again, or what is new, some days later."""
    market.clock.shift(timedelta(days=days))
    since = EARLIEST_DAY if whole else None
    error = refresh_history(StockMetadata.objects.get().pk, since=since)
    assert error is None


def booked():
    rows = Transaction.objects.filter(type="split").values_list("date", "quantity")
    return list(rows)


def state(api):
    """Return shares, value, booked splits and known dividends; every page must answer."""
    for path in READ:
        assert api.get(f"/api/v1/{path}").status_code == 200, path
    portfolio = api.get("/api/v1/portfolios").json()[0]["id"]
    [shown] = api.get(f"/api/v1/portfolios/{portfolio}/holdings").json()
    paid = list(StockDividend.objects.values_list("date", "amount"))
    return shown["current_quantity"], shown["market_value"], len(booked()), len(paid)


def test_events_that_some_answers_lack_are_neither_lost_nor_doubled(api, market, held):
    assert state(api) == (80, 4000, 1, 1)
    pick = random.Random(18)
    was_busy = False
    for _ in range(12):
        # Two days in a row without them are a withdrawal.
        held.is_busy = not was_busy and pick.random() < 0.6
        was_busy = held.is_busy
        refresh(market, whole=pick.random() < 0.5)
        assert state(api)[0] == 80
        assert state(api)[2:] == (1, 1)
    held.is_busy = True
    refresh(market)
    refresh(market)
    assert state(api)[0] == 40  # withdrawn
    held.is_busy = False
    refresh(market)
    assert state(api) == (80, 4000, 1, 1)
    assert not HeldBack.objects.filter(state="held_back", reason="").exists()


@pytest.mark.parametrize("whole", [True, False])
def test_events_that_the_first_answer_lacks_come_with_the_next(api, market, whole):
    one = listed(market, is_busy=True)
    portfolio = api.post("/api/v1/portfolios", {"name": "US", "currency": "USD"}).json()["id"]
    body = {"portfolio_id": portfolio, "ticker": "ACME", "type": "buy", "quantity": 40}
    api.post("/api/v1/transactions", {**body, "date": str(BOUGHT), "price": 100})
    assert state(api) == (40, 2000, 0, 0)
    one.is_busy = False
    refresh(market, whole=whole)
    refresh(market)
    assert state(api) == (80, 4000, 1, 1)
    closes = HistoricalStockPrice.objects.order_by("date").values_list("close", flat=True)
    assert {closes[0], closes[5]} == {100}
    timeline = api.get(f"/api/v1/portfolios/{portfolio}/timeline").json()["points"]
    assert {point["market_value"] for point in timeline} == {4000}


@pytest.mark.parametrize(
    "ratio",
    [
        (0, 1),
        (1, 0),
        (0, 0),
        (-2, 1),
        (1, 1),
        (10**9, 1),
        (1, 10**9),
        (math.nan, 1),
        (math.inf, 1),
        (1.0000000000000002, 1),
    ],
)
def test_ratios_that_cannot_be_change_nothing(api, market, held, ratio):
    before = state(api)
    held.splits = {SPLIT_ON: (2, 1), date(2026, 2, 9): ratio}
    refresh(market)
    refresh(market)
    assert state(api) == before
    assert [str(row.value) for row in HeldBack.objects.filter(kind="split")] == ["2"]


def test_a_ratio_without_end_is_held_back_or_read_as_its_fraction(api, market, held):
    held.splits = {SPLIT_ON: (2, 1), date(2026, 2, 9): (math.pi, 1)}
    refresh(market)
    assert state(api)[0] == 80
    [row] = HeldBack.objects.filter(kind="split", state="held_back")
    assert row.reason in ("price_factor", "not_shown")
    assert row.value.normalize().adjusted() == 0


@pytest.mark.parametrize("close", [1e9, 1e300, 1e-300, math.nan, math.inf, -50.0, 0.0, None])
def test_closes_that_cannot_be_are_left_out_or_held_back(api, market, held, close):
    before = state(api)
    day = date(2026, 3, 4)
    held.closes[day] = close
    held.price = 50.0
    refresh(market)
    held.closes[date(2026, 3, 5)] = 50.0
    refresh(market)
    assert state(api) == before
    assert HistoricalStockPrice.objects.order_by("-close").values_list("close")[0] == (100,)
    rows = HeldBack.objects.filter(kind="price", state="held_back")
    assert {row.reason for row in rows} <= {"jump", "unit_slip", "not_positive"}


def test_events_of_days_to_come_wait_for_their_day(api, market, held):
    coming = date(2026, 3, 6)
    held.splits[coming] = (2, 1)
    held.dividends[coming] = 1.0
    refresh(market)
    assert state(api) == (80, 4000, 1, 1)
    for day in (date(2026, 3, 4), date(2026, 3, 5)):
        held.closes[day] = 50.0
    held.closes[coming] = 25.0
    refresh(market, days=3)
    assert state(api) == (160, 4000, 2, 2)


def test_other_names_on_other_days_change_no_quantity_and_no_value(api, market, held):
    before = state(api)
    for name in ("Acme Inc.", "Zenith Mining", "", "ACME INC", "Acme"):
        held.name = name
        refresh(market)
        assert state(api) == before
    assert Holding.objects.count() == 1


def test_what_was_believed_can_be_undone(api, market, held):
    [row] = api.get("/api/v1/held-back", {"state": "believed"}).json()
    answer = api.post(f"/api/v1/held-back/{row['id']}", {"accept": False})
    assert (answer.status_code, state(api)[0]) == (200, 40)
    for _ in range(3):
        refresh(market)
        assert state(api)[0] == 40
    api.post(f"/api/v1/held-back/{row['id']}", {"accept": True})
    assert state(api)[0] == 80
