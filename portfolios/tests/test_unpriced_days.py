"""Days without a price or rate after priced ones: docs/definitions.md, "Performance of a period"."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal as D

import numpy as np
import pytest

from marketdata.tests.factories import with_closes, with_rates
from portfolios.calc import returns
from portfolios.calc.bridge import bridge
from portfolios.calc.performance import combined, daily
from portfolios.tests.conftest import trade
from portfolios.tests.histories import FIRST_DAY, arrays
from portfolios.tests.oracle import History, Kind, Trade

RATES = [None, 10, 11, None, None, 12, 12]  # day 0 is the day before the period


def history_of(trades: list, rates: list = RATES, price: int = 100) -> History:
    """Return one instrument in a foreign currency; `trades` are (day, kind, quantity)."""
    days = range(FIRST_DAY, FIRST_DAY + len(rates))
    known = dict.fromkeys(days)
    for day, rate in zip(days, rates, strict=True):
        if rate is not None:
            known[day] = D(rate)
    return History(
        currency=[1],
        closes=[dict.fromkeys(days, D(price))],
        rates=[dict.fromkeys(days, D(1)), known],
        trades=[
            Trade(0, FIRST_DAY + day, kind, D(quantity), D(price), D(0), D(rate))
            for day, kind, quantity, rate in trades
        ],
    )


def figures(history: History, last: int = len(RATES) - 1):
    return daily(*arrays(history, FIRST_DAY + 1, FIRST_DAY + last))


def test_what_becomes_unpriced_leaves_at_the_value_of_the_evening_before():
    numbers = figures(history_of([(1, Kind.BUY, 10, 10)]))
    assert numbers.value.tolist() == [0, 10000, 11000, 0, 0, 12000, 12000]
    assert numbers.outflow.tolist() == [0, 0, 0, 11000, 0, 0, 0]
    assert numbers.inflow.tolist() == [0, 10000, 0, 0, 0, 12000, 0]
    assert numbers.cost_basis.tolist() == [0, 10000, 10000, 0, 0, 10000, 10000]
    assert numbers.missing.tolist() == [0]
    # The change of the rate in the gap is in no return.
    assert returns.daily_returns(numbers) == pytest.approx([0, 0, 0.1, 0, 0, 0, 0], abs=1e-15)


def test_trades_on_unpriced_days_are_no_flows_and_enter_with_the_holding():
    trades = [(1, Kind.BUY, 10, 10), (3, Kind.BUY, 5, 12), (4, Kind.SELL, 3, 12)]
    numbers = figures(history_of(trades))
    assert numbers.inflow.tolist() == [0, 10000, 0, 0, 0, 14400, 0]
    assert numbers.outflow.tolist() == [0, 0, 0, 11000, 0, 0, 0]
    assert numbers.cost_basis[5] == pytest.approx(16000 * 12 / 15)
    assert numbers.realised_gain[4] == pytest.approx(3600 - 16000 * 3 / 15)


def test_what_was_sold_in_a_gap_does_not_come_back():
    numbers = figures(history_of([(1, Kind.BUY, 10, 10), (3, Kind.SELL, 10, 10)]))
    assert numbers.net_flow.tolist() == [0, 10000, 0, -11000, 0, 0, 0]
    assert numbers.value[5:].tolist() == [0, 0]


def test_a_gap_until_the_end():
    numbers = figures(history_of([(1, Kind.BUY, 10, 10)]), last=4)
    assert numbers.value.tolist() == [0, 10000, 11000, 0, 0]
    assert numbers.net_flow.tolist() == [0, 10000, 0, -11000, 0]


def test_a_gap_that_begins_with_the_period_leaves_with_the_value_before_it():
    history = history_of([(0, Kind.BUY, 10, 10)], rates=[10, None, 12])
    numbers = figures(history, last=2)
    assert numbers.value.tolist() == [10000, 0, 12000]
    assert numbers.net_flow.tolist() == [0, -10000, 12000]
    assert returns.daily_returns(numbers).tolist() == [0, 0, 0]


def test_the_bridge_has_exits_and_entries_in_its_flow():
    built = bridge(*arrays(history_of([(1, Kind.BUY, 10, 10)]), FIRST_DAY + 1, FIRST_DAY + 6))
    total = built.total()
    assert total["net_flow"] == 10000 - 11000 + 12000
    assert total["fx_effect"] == 1000
    assert total["price_effect"] == 0
    assert total["end_value"] == 12000


def test_a_rate_that_changes_when_a_price_becomes_unknown_moves_nothing():
    history = history_of([(1, Kind.BUY, 10, 10)], rates=[10, 10, 11, 12, 13, 13, 14])
    history = replace(history, unknown={FIRST_DAY + 3, FIRST_DAY + 4})
    total = bridge(*arrays(history, FIRST_DAY + 1, FIRST_DAY + 6)).total()
    assert total["net_flow"] == 10000 - 11000 + 13000
    assert total["fx_effect"] == 1000 + 1000  # on day 2 and on day 6
    assert total["price_effect"] == 0
    assert total["end_value"] == 14000


def test_the_money_weighted_return_sees_exits_and_entries():
    numbers = figures(history_of([(1, Kind.BUY, 10, 10)]))
    amounts = returns.dated_amounts(numbers)
    assert amounts.tolist() == [0, -10000, 0, 11000, 0, -12000, 12000]


def test_in_another_currency_an_exit_counts_at_the_rate_of_the_evening_before():
    history = replace(history_of([(1, Kind.BUY, 10, 10)], [10] * 7), unknown={FIRST_DAY + 3})
    rate = np.array([2.0, 2, 3, np.nan, 4, 4, 5])
    numbers = combined([figures(history).converted(rate)], 7)
    assert numbers.value.tolist() == [0, 20000, 30000, 0, 40000, 40000, 50000]
    assert numbers.inflow.tolist() == [0, 20000, 0, 0, 40000, 0, 0]
    assert numbers.outflow.tolist() == [0, 0, 0, 30000, 0, 0, 0]
    expected = [0, 0, 0.5, 0, 0, 0, 0.25]
    assert returns.daily_returns(numbers) == pytest.approx(expected, abs=1e-15)


# --- with stored rates ----------------------------------------------------------------------------

START = date(2024, 1, 2)


@pytest.fixture
def gap(portfolio, make_stock):
    """9,000 in a share at home and 1,000 in one whose currency has no rate for months."""
    home, abroad = make_stock("HOME.OL"), make_stock("FAR.XX", currency="XOF")
    with_closes(home, {START: 90})
    with_closes(abroad, {START: 100})
    with_rates("XOF", "NOK", {START: "0.1", date(2024, 9, 1): "0.1"})
    trade(portfolio, home, "buy", "100", "90", on=START)
    trade(portfolio, abroad, "buy", "100", "100", exchange_rate="0.1", on=START)
    return portfolio


def test_a_rate_older_than_90_days_is_no_rate_and_no_loss(api, gap):
    query = {"start": "2024-01-02", "end": "2024-10-01"}
    for path in (f"portfolios/{gap.pk}/", ""):
        performance = api.get(f"/api/v1/{path}performance", query).json()
        assert (performance["twr"], performance["end_value"]) == (0, 10000)
        assert performance["missing"] == ["FAR.XX"]
        timeline = api.get(f"/api/v1/{path}timeline", query).json()
        assert timeline["stale"] is True
        points = timeline["points"]
        values = {point["date"]: point["market_value"] for point in points}
        last = START + timedelta(days=90)
        assert values[str(last)] == 10000
        assert values[str(last + timedelta(days=1))] == 9000
        assert values["2024-08-31"] == 9000
        assert values["2024-09-01"] == 10000
        flows = {point["date"]: point["net_flow"] for point in points if point["net_flow"]}
        assert flows == {"2024-01-02": 10000, "2024-04-02": -1000, "2024-09-01": 1000}


def test_the_explanation_lists_the_exit_and_the_entry(api, gap):
    query = {"start": "2024-01-02", "end": "2024-10-01"}
    answer = api.get(f"/api/v1/portfolios/{gap.pk}/performance/explain", query).json()
    flows = answer["intermediate"]["flows"]
    moved = [
        (flow["date"], flow["direction"], flow["amount"])
        for flow in flows
        if not flow["transaction_id"]
    ]
    assert moved == [("2024-04-02", "out", 1000), ("2024-09-01", "in", 1000)]


def test_a_summary_has_no_rate_either(api, gap):
    summary = api.get(f"/api/v1/portfolios/{gap.pk}").json()["summary"]
    assert summary["market_value"] == 9000
    assert summary["missing_why"] == {"FAR.XX": "no_rate"}
