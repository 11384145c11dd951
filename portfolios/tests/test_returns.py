"""Test returns and risk: worked examples and common mistakes of other programs."""

import math
from dataclasses import replace
from datetime import date
from decimal import Decimal as D

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from portfolios.calc import returns
from portfolios.calc.bridge import bridge
from portfolios.calc.performance import daily
from portfolios.tests import oracle
from portfolios.tests.histories import FIRST_DAY, arrays, histories
from portfolios.tests.oracle import History, Kind, Trade

EPOCH = date(1970, 1, 1).toordinal()
MONDAY = date(2024, 1, 1).toordinal() - EPOCH
SATURDAY = date(2024, 1, 6).toordinal() - EPOCH


def one_instrument(closes, trades, rates=None, first_day=MONDAY):
    """A history of one instrument: a close (or None) a day, and (day offset, kind, quantity, price,
    fee, rate).
    """
    listed = []
    for day, kind, *numbers in trades:
        listed.append(Trade(0, first_day + day, kind, *map(D, map(str, numbers))))
    known = dict.fromkeys(range(first_day, first_day + len(closes)))
    for day, close in enumerate(closes, first_day):
        if close is not None:
            known[day] = D(str(close))
    rates = rates or [1] * len(closes)
    return History(
        currency=[0],
        closes=[known],
        rates=[{day: D(str(rate)) for day, rate in enumerate(rates, first_day)}],
        trades=listed,
    )


def period(history, start=0, end=None, first_day=MONDAY):
    """The daily numbers of days `start` to `end` of `history`, checked against the oracle on the
    way.
    """
    end = len(history.closes[0]) - 1 if end is None else end
    got = daily(*arrays(history, first_day + start, first_day + end))
    expected = oracle.answer(history, first_day + start, first_day + end)
    assert got.value.tolist() == pytest.approx(
        [float(day.value) for day in expected.days], abs=1e-9
    )
    assert got.net_flow.tolist() == pytest.approx(
        [float(day.net_flow) for day in expected.days], abs=1e-9
    )
    return got


def gain(numbers):
    return numbers.value[-1] - numbers.value[0] - numbers.net_flow.sum()


def twr(numbers):
    return returns.twr_index(returns.daily_returns(numbers))[-1] / 100 - 1


def volatility(numbers, first_day=MONDAY, weekends=False):
    counted = returns.days_counted(numbers, first_day - 1, weekends=weekends)
    return returns.volatility(returns.daily_returns(numbers), counted, weekends=weekends)


def test_partial_sales_do_not_break_the_accounting_identity():
    history = one_instrument(
        [100, 120, 200, 150],
        [
            (0, Kind.BUY, 10, 100),
            (1, Kind.SELL, 5, 120),
            (2, Kind.BUY, 5, 200),
            (3, Kind.SELL, 5, 150),
        ],
    )
    numbers = period(history)
    # Paid 1000 + 1000, got 600 + 750, left 5 x 150.
    assert gain(numbers) == 100
    unrealised = numbers.value[-1] - numbers.cost_basis[-1]
    assert unrealised + numbers.realised_gain.sum() == pytest.approx(100, abs=1e-12)


def test_a_day_trade_returns_what_it_earned_on_what_it_cost():
    numbers = period(one_instrument([50, 50], [(1, Kind.BUY, 10, 100), (1, Kind.SELL, 10, 101)]))
    assert numbers.value.tolist() == [0, 0, 0]
    assert twr(numbers) == pytest.approx(0.01, abs=1e-15)
    assert gain(numbers) == 10
    assert numbers.cost_basis.tolist() == [0, 0, 0]


def test_a_sale_on_the_day_of_a_split_is_of_new_shares():
    history = one_instrument(
        [100, 26, 27], [(0, Kind.BUY, 10, 100), (1, Kind.SELL, 20, 26), (1, Kind.SPLIT, 4, 0, 0, 0)]
    )
    numbers = period(history)
    assert numbers.value.tolist() == [0, 1000, 520, 540]
    assert numbers.realised_gain[2] == 20  # 520 less half of 1000
    assert twr(numbers) == pytest.approx(1.04 * 27 / 26 - 1, abs=1e-15)


def test_a_dividend_after_the_last_share_was_sold_is_income_and_no_return():
    numbers = period(
        one_instrument(
            [100, 110, 110, 110],
            [(0, Kind.BUY, 1, 100), (1, Kind.SELL, 1, 110), (3, Kind.DIVIDEND, 1, 5)],
        )
    )
    assert gain(numbers) == 15
    assert numbers.income.tolist() == [0, 0, 0, 0, 5]
    assert twr(numbers) == pytest.approx(0.1, abs=1e-15)


def test_a_late_fee_on_an_empty_portfolio_is_not_a_total_loss():
    numbers = period(
        one_instrument(
            [100, 110, 110], [(0, Kind.BUY, 1, 100), (1, Kind.SELL, 1, 110), (2, Kind.FEE, 1, 3)]
        )
    )
    assert gain(numbers) == 7
    assert twr(numbers) == pytest.approx(0.1, abs=1e-15)


def test_a_rate_that_moves_while_the_price_stands_still_is_a_currency_effect():
    history = one_instrument([100, 100], [(0, Kind.BUY, 1, 100, 0, 10)], rates=[10, 11])
    numbers = period(history)
    assert twr(numbers) == pytest.approx(0.1, abs=1e-15)
    parts = bridge(*arrays(history, MONDAY, MONDAY + 1)).total()
    assert parts["fx_effect"] == 100
    assert parts["price_effect"] == 0


def test_a_portfolio_opened_on_a_saturday_has_a_value_on_it():
    history = one_instrument([None, 100, 100, 110], [(1, Kind.BUY, 2, 100)], first_day=SATURDAY - 1)
    numbers = period(history, start=1, first_day=SATURDAY - 1)
    assert numbers.value.tolist() == [0, 200, 200, 220]
    assert twr(numbers) == pytest.approx(0.1, abs=1e-15)
    # Saturday and Sunday are no trading days.
    assert returns.days_counted(numbers, SATURDAY - 1, weekends=False).tolist() == [
        False,
        False,
        False,
        True,
    ]


def test_one_close_missing_in_the_middle_stands_at_the_last_one():
    # The series fills it forward before it comes here; so the day has no return and the next has
    # both days'.
    numbers = period(one_instrument([100, 100, 121], [(0, Kind.BUY, 1, 100)]))
    assert returns.daily_returns(numbers).tolist() == pytest.approx([0, 0, 0, 0.21], abs=1e-15)


def test_a_first_purchase_today_is_measured_from_its_price_to_the_close():
    numbers = period(one_instrument([99, 100], [(1, Kind.BUY, 10, 99, 10)]))
    assert numbers.value[-1] == 1000
    assert numbers.net_flow[-1] == 1000
    assert gain(numbers) == 0
    assert twr(numbers) == 0


def test_a_holding_without_a_price_enters_at_market_value_on_its_first_priced_day():
    numbers = period(
        one_instrument([None, None, 120, 132], [(0, Kind.BUY, 10, 100), (2, Kind.SELL, 5, 121)])
    )
    assert numbers.value.tolist() == [0, 0, 0, 600, 660]
    assert numbers.inflow.tolist() == [0, 0, 0, 1200, 0]
    assert numbers.outflow.tolist() == [0, 0, 0, 605, 0]
    assert numbers.cost_basis.tolist() == [0, 0, 0, 500, 500]
    assert numbers.missing.tolist() == [0]
    assert twr(numbers) == pytest.approx(1205 / 1200 * 1.1 - 1, abs=1e-15)


def test_a_holding_that_splits_on_its_first_priced_day_enters_in_new_shares():
    numbers = period(
        one_instrument([None, 25, 30], [(0, Kind.BUY, 10, 100), (1, Kind.SPLIT, 4, 0, 0, 0)])
    )
    assert numbers.inflow.tolist() == [0, 0, 1000, 0]
    assert twr(numbers) == pytest.approx(0.2, abs=1e-15)


def test_transfers_count_at_market_value_and_not_at_the_cost_they_carry():
    history = one_instrument(
        [100, 110, 120],
        [(0, Kind.BUY, 1, 100), (1, Kind.TRANSFER_IN, 2, 40), (2, Kind.TRANSFER_OUT, 1, 0, 0, 0)],
    )
    numbers = period(history)
    assert numbers.inflow.tolist() == [0, 100, 220, 0]
    assert numbers.outflow.tolist() == [0, 0, 0, 120]
    assert numbers.cost_basis.tolist() == pytest.approx([0, 100, 180, 120], abs=1e-12)
    assert twr(numbers) == pytest.approx(330 / (100 + 220) * (240 + 120) / 330 - 1, abs=1e-15)


def test_a_portfolio_sold_out_and_bought_again_chains_over_the_gap():
    numbers = period(
        one_instrument(
            [100, 150, 300, 300, 330],
            [(0, Kind.BUY, 1, 100), (1, Kind.SELL, 1, 150), (3, Kind.BUY, 1, 300)],
        )
    )
    assert twr(numbers) == pytest.approx(1.5 * 1.1 - 1, abs=1e-15)
    assert returns.daily_returns(numbers)[3] == 0


def test_thirds_of_a_share_sold_leave_nothing_behind():
    history = one_instrument(
        [10] * 5,
        [(0, Kind.BUY, "0.1", 10), (1, Kind.BUY, "0.2", 10), (2, Kind.SELL, "0.3", 10)],
        first_day=MONDAY,
    )
    numbers = period(history)
    assert numbers.value.tolist()[-3:] == [0, 0, 0]
    assert numbers.cost_basis.tolist()[-3:] == [0, 0, 0]


def test_a_portfolio_that_sold_everything_has_a_cost_of_exactly_zero():
    # 0.1 + 0.2 - 0.1 - 0.2 leaves 5.6e-17 in floats.
    trades = [
        Trade(0, MONDAY, Kind.BUY, D(1), D("0.1")),
        Trade(1, MONDAY, Kind.BUY, D(1), D("0.2")),
        Trade(0, MONDAY + 1, Kind.SELL, D(1), D("0.1")),
        Trade(1, MONDAY + 2, Kind.SELL, D(1), D("0.2")),
    ]
    days = range(MONDAY, MONDAY + 4)
    history = History([0, 0], [dict.fromkeys(days, D(1))] * 2, [dict.fromkeys(days, D(1))], trades)
    assert daily(*arrays(history, MONDAY, MONDAY + 3)).cost_basis.tolist()[-2:] == [0, 0]


def test_a_total_loss_is_minus_one_and_has_no_volatility():
    numbers = period(one_instrument([100, 0, 0], [(0, Kind.BUY, 1, 100)]))
    daily_returns = returns.daily_returns(numbers)
    assert twr(numbers) == -1
    assert volatility(numbers) is None
    assert returns.money_weighted(numbers, MONDAY - 1).reason == "no_root"
    assert returns.max_drawdown(returns.twr_index(daily_returns)).value == -1


def test_an_empty_portfolio_has_no_flows_and_no_return():
    numbers = daily(*arrays(History(currency=[], closes=[], rates=[{}]), MONDAY, MONDAY + 9))
    assert numbers.value.tolist() == [0] * 11
    assert returns.money_weighted(numbers, MONDAY - 1).reason == "no_flows"
    assert volatility(numbers) is None


def test_a_period_after_the_last_transaction_starts_from_what_is_held():
    numbers = period(one_instrument([100, 110, 121, 121], [(0, Kind.BUY, 1, 100)]), start=2)
    assert numbers.value.tolist() == [110, 121, 121]
    assert numbers.net_flow.tolist() == [0, 0, 0]
    assert numbers.cost_basis.tolist() == [100, 100, 100]
    assert returns.money_weighted(numbers, MONDAY + 1).period == pytest.approx(0.1, abs=1e-14)


def test_a_year_is_annualised_from_365_days_on():
    assert returns.annualised(0.21, 364) is None
    assert returns.annualised(0.21, 365) == pytest.approx(0.21, abs=1e-15)
    assert returns.annualised(-1.5, 730) is None
    assert returns.annualised(0.21, 730) == pytest.approx(0.1, abs=1e-15)


def test_volatility_is_the_yearly_deviation_of_logarithms_over_invested_weekdays():
    history = one_instrument(
        [100, 110, 99, 99, 108.9, 108.9, 108.9, 98.01], [(0, Kind.BUY, 1, 100)]
    )
    numbers = period(history)  # Monday to Monday: Saturday and Sunday do not count
    logs = [0, math.log(1.1), math.log(0.9), 0, math.log(1.1), math.log(0.9)]
    mean = sum(logs) / 6
    expected = math.sqrt(sum((one - mean) ** 2 for one in logs) / 5 * 252)
    assert volatility(numbers) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("index", "value", "peak", "trough"),
    [
        ([100, 120, 90, 130, 97.5, 130], -0.25, 1, 2),  # 130 to 97.5 falls as far, but later
        ([100, 90, 100, 90], -0.1, 0, 1),
        ([100, 80, 120, 110], -0.2, 0, 1),
        ([100, 100 + 1e-12, 100, 101], 0, None, None),  # the last digit is noise
        ([100], 0, None, None),
        ([100, 0, 0], -1, 0, 1),
    ],
)
def test_the_largest_fall_is_dated_by_its_earliest_peak_and_trough(index, value, peak, trough):
    found = returns.max_drawdown(np.array(index, dtype=float))
    assert found.value == pytest.approx(value, abs=1e-15)
    assert (found.peak, found.trough) == (peak, trough)


def test_the_internal_rate_and_the_index_agree_when_nothing_flows_in_between():
    # 1.0005 a day for two years.
    closes = [100 * 1.0005**day for day in range(731)]
    numbers = period(one_instrument(closes, [(0, Kind.BUY, 3, 100)]), start=1)
    grown = 1.0005**730
    assert twr(numbers) == pytest.approx(grown - 1, abs=1e-12)
    found = returns.money_weighted(numbers, MONDAY)
    assert found.period == pytest.approx(grown - 1, abs=1e-12)
    assert found.annual == pytest.approx(grown ** (365 / 730) - 1, abs=1e-12)
    assert returns.annualised(twr(numbers), 730) == pytest.approx(found.annual, abs=1e-12)


DAYS = 30


def _filled(series, value):
    return {day: known or value for day, known in series.items()}


@pytest.mark.untraced
@settings(max_examples=100, deadline=None)
@given(histories(instruments=1, days=DAYS), st.integers(FIRST_DAY + 1, FIRST_DAY + DAYS - 1))
def test_a_sale_at_the_close_and_a_buy_at_the_previous_close_leave_the_return_alone(history, day):
    """In a portfolio of one instrument, on a day without other trades: flows in at the start, out
    at the end.
    """
    (known,) = history.closes
    history = replace(
        history,
        closes=[_filled(known, D(10))],
        rates=[_filled(rates, D(2)) for rates in history.rates],
        trades=[
            Trade(0, FIRST_DAY, Kind.BUY, D(1), D(9)),
            *(one for one in history.trades if one.day < day),
        ],
        known_from=FIRST_DAY,
        unknown=set(),
    )
    held = oracle.Ledger()
    for trade in sorted(history.trades, key=lambda trade: (trade.day, trade.kind)):
        held.apply(trade)
    assume(held.quantity)
    before = returns.daily_returns(daily(*arrays(history, FIRST_DAY, day)))
    sale = Trade(
        0, day, Kind.SELL, held.quantity / 4, history.close(0, day), D(0), history.rate(0, day)
    )
    purchase = Trade(
        0, day, Kind.BUY, D("7.5"), history.close(0, day - 1), D(0), history.rate(0, day - 1)
    )
    for trade in (sale, purchase):
        changed = replace(history, trades=[*history.trades, trade])
        after = returns.daily_returns(daily(*arrays(changed, FIRST_DAY, day)))
        assert after == pytest.approx(before, rel=1e-9, abs=1e-12)
