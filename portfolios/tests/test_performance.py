from datetime import date
from decimal import Decimal as D
from decimal import localcontext
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from financeproj.core.money import round_for_storage
from portfolios.calc import bridge as bridges
from portfolios.calc import ledger
from portfolios.calc.performance import daily
from portfolios.calc.returns import daily_returns, twr_index
from portfolios.tests import oracle
from portfolios.tests.histories import FIRST_DAY, arrays, histories
from portfolios.tests.oracle import Kind

DAYS = 40
quick = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
periods = st.tuples(st.integers(0, DAYS - 1), st.integers(0, DAYS - 1)).map(
    lambda pair: (FIRST_DAY + min(pair), FIRST_DAY + max(pair))
)
SERIES = (
    "value",
    "cost_basis",
    "inflow",
    "outflow",
    "bought",
    "released",
    "income",
    "charges",
    "realised_gain",
)


def tolerance(history, expected):
    """Return a billionth of the turnover with commissions: a dividend of 0 may have cost 19.72."""
    turnover = sum(
        float((one.quantity * one.price + one.commission) * one.rate) for one in history.trades
    )
    return 1e-9 * max(float(expected.scale), turnover)


@pytest.mark.untraced
@quick
@given(histories(days=DAYS), periods)
def test_every_series_equals_the_oracle(history, period):
    start, end = period
    expected = oracle.answer(history, start, end)
    got = daily(*arrays(history, start, end))
    close_enough = tolerance(history, expected)
    for name in SERIES:
        want = np.array([float(getattr(day, name)) for day in expected.days])
        assert np.abs(getattr(got, name) - want).max() <= close_enough, name
    assert [bool(flag) for flag in got.invested] == [day.invested for day in expected.days]
    assert set(got.missing.tolist()) == expected.missing
    returns = daily_returns(got)
    index = np.array([float(day.index) for day in expected.days])
    assert np.allclose(twr_index(returns), index, rtol=1e-9, atol=0)


@pytest.mark.untraced
@quick
@given(histories(days=DAYS), periods)
def test_the_bridge_equals_the_oracle_and_closes_per_holding_and_in_total(history, period):
    start, end = period
    expected = oracle.answer(history, start, end)
    got = bridges.bridge(*arrays(history, start, end))
    close_enough = tolerance(history, expected)
    for name in oracle.BRIDGE:
        want = np.array([float(row[name]) for row in expected.bridge])
        assert np.abs(getattr(got, name) - want).max() <= close_enough, name
    effects = got.price_effect + got.fx_effect + got.income - got.charges - got.commissions
    assert np.abs(got.start_value + got.net_flow + effects - got.end_value).max() <= close_enough
    total = got.total()
    assert abs(total["start_value"] - float(expected.days[0].value)) <= close_enough
    assert (
        abs(total["net_flow"] - float(sum(day.net_flow for day in expected.days))) <= close_enough
    )


@pytest.mark.untraced
@quick
@given(histories(days=DAYS))
def test_the_ledger_equals_the_oracle_to_every_digit_that_is_stored(history):
    for instrument in range(len(history.currency)):
        trades = sorted(
            (one for one in history.trades if one.instrument == instrument),
            key=lambda one: (one.day, one.kind),
        )
        expected, realised, income, charges = oracle.Ledger(), D(0), D(0), D(0)
        with localcontext(prec=50):
            for trade in trades:
                realised += expected.apply(trade)
                gross = trade.quantity * trade.price
                if trade.kind in (Kind.DIVIDEND, Kind.INTEREST):
                    income += (gross - trade.commission) * trade.rate
                if trade.kind in (Kind.FEE, Kind.TAX):
                    charges += (gross + trade.commission) * trade.rate
        position, _ = ledger.replay(entry(trade, sequence) for sequence, trade in enumerate(trades))
        assert position.quantity == expected.quantity
        assert round_for_storage(position.cost_p) == round_for_storage(expected.cost)
        assert abs(position.realised_p - realised) <= D("1e-35")
        assert (position.income_p, position.charges_p) == (income, charges)


def entry(trade, sequence):
    return SimpleNamespace(
        type=trade.kind.name.lower(),
        effective_date=date.fromordinal(trade.day),
        sequence=sequence,
        quantity=trade.quantity,
        price=trade.price,
        commission=trade.commission,
        tax=D(0),
        exchange_rate=trade.rate,
        carried=None,
    )
