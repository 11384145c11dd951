"""Compare figures with cash with a slow reference calculation, and with worked examples."""

from dataclasses import replace
from decimal import Decimal as D

import numpy as np
import pytest

from portfolios.calc import returns
from portfolios.calc.bridge import bridge
from portfolios.calc.cash import (
    PARTS,
    cash_bridge,
    cash_daily,
    combined_cash,
    invested_with_cash,
    with_cash,
)
from portfolios.calc.performance import combined, daily
from portfolios.tests.accounts import (
    cash_market,
    in_another_currency,
    money_arrays,
    random_account,
    random_rates,
)
from portfolios.tests.cash_oracle import Account, Row, answer_of_all, answer_with_cash, formula
from portfolios.tests.histories import FIRST_DAY, arrays
from portfolios.tests.oracle import History, Kind, Trade

DAYS = 36
SEEDS = 200


def calculated(account, start, end):
    """Return daily figures, the securities' bridge and the cash's, of the days start to end."""
    trades, market = arrays(account.history, start, end)
    rows, own_market = money_arrays(account), cash_market(account, market)
    securities = daily(trades, market, own_market.since)
    cash = cash_daily(rows, own_market)
    numbers = with_cash(invested_with_cash(securities, cash, own_market.since), cash)
    parts, _ = cash_bridge(rows, own_market)
    return numbers, bridge(trades, market), parts


@pytest.mark.parametrize("part", range(8))
def test_figures_of_random_accounts_equal_the_oracle(part):
    for seed in range(part, SEEDS, 8):
        account = random_account(seed, DAYS)
        offset = seed % 17 if seed % 3 else 0
        start, end = FIRST_DAY + offset, FIRST_DAY + DAYS - 1 - seed % 5
        expected = answer_with_cash(account, start, end)
        numbers, securities, cash = calculated(account, start, end)
        close_to = {"abs": 1e-9 * float(expected.scale), "rel": 0}
        for name in ("value", "inflow", "outflow", "net_flow"):
            wanted = [float(getattr(day, name)) for day in expected.days]
            assert getattr(numbers, name).tolist() == pytest.approx(wanted, **close_to), (
                seed,
                name,
            )
        wanted = [float(min(day.a, day.b)) for day in expected.days]
        assert numbers.switched.tolist() == pytest.approx(wanted, **close_to), seed
        wanted = [float(day.daily_return) for day in expected.days]
        got = returns.daily_returns(numbers).tolist()
        assert got == pytest.approx(wanted, rel=1e-9, abs=1e-9), seed
        for name in PARTS:
            assert cash[name] == pytest.approx(float(expected.cash[name]), **close_to), (seed, name)
        _check_bridge(numbers, securities.total(), cash, close_to)


def _check_bridge(numbers, securities, cash, close_to):
    """Check that the parts lead from start to end, and that together they are the gain."""
    end = cash["start_value"] + cash["entered"] + cash["deposits"] - cash["withdrawals"]
    end += cash["adjustments"] + cash["from_securities"]
    earned = cash["interest"] - cash["fees"] - cash["taxes"] + cash["fx_effect"]
    assert cash["end_value"] == pytest.approx(end + earned, **close_to)
    start_value = securities["start_value"] + cash["start_value"]
    end_value = securities["end_value"] + cash["end_value"]
    assert start_value == pytest.approx(numbers.value[0], **close_to)
    assert end_value == pytest.approx(numbers.value[-1], **close_to)
    gain = securities["price_effect"] + securities["fx_effect"] + securities["income"]
    gain += earned - securities["charges"] - securities["commissions"]
    flows = numbers.net_flow.sum()
    assert gain == pytest.approx(end_value - start_value - flows, **close_to)


def together(accounts, into, start, end):
    """Return the daily figures and the cash's bridge of several accounts, as reports add them up.

    `into` has the rate of each account's currency by day, None where there is none.
    """
    parts, moneys, bridges = [], [], dict.fromkeys(PARTS, 0.0)
    for account, rates in zip(accounts, into, strict=True):
        trades, market = arrays(account.history, start, end)
        listed = [rates[day] for day in range(start - 1, end + 1)]
        own = np.array(listed, dtype=np.float64)  # None becomes NaN
        market = replace(market, known=~np.isnan(own))
        rates_into = replace(cash_market(account, market), rates=market.rates * own, own=own)
        rows = money_arrays(account)
        cash = cash_daily(rows, rates_into)
        securities = daily(trades, market, rates_into.since).converted(own)
        parts.append(invested_with_cash(securities, cash, rates_into.since))
        moneys.append(cash)
        for name, amount in cash_bridge(rows, rates_into)[0].items():
            bridges[name] += amount
    days = end - start + 2
    return with_cash(combined(parts, days), combined_cash(moneys, days)), bridges


@pytest.mark.parametrize("part", range(4))
def test_two_accounts_in_a_third_currency_equal_the_oracle(part):
    for seed in range(part, 40, 4):
        accounts = [random_account(3 * seed, DAYS), random_account(3 * seed + 1, DAYS)]
        into = [random_rates(seed, DAYS), random_rates(seed + 1000, DAYS)]
        converted = [
            in_another_currency(account, rates)
            for account, rates in zip(accounts, into, strict=True)
        ]
        start, end = FIRST_DAY + 1 + seed % 9, FIRST_DAY + DAYS - 1
        expected = answer_of_all(converted, start, end)
        numbers, cash = together(accounts, into, start, end)
        close_to = {"abs": 1e-9 * float(expected.scale), "rel": 0}
        for name in ("value", "inflow", "outflow"):
            wanted = [float(getattr(day, name)) for day in expected.days]
            assert getattr(numbers, name).tolist() == pytest.approx(wanted, **close_to), seed
        wanted = [float(day.daily_return) for day in expected.days]
        got = returns.daily_returns(numbers).tolist()
        assert got == pytest.approx(wanted, rel=1e-9, abs=1e-9), seed
        for name in PARTS:
            assert cash[name] == pytest.approx(float(expected.cash[name]), **close_to), (seed, name)


@pytest.mark.parametrize("seed", range(24))
def test_figures_of_parts_of_a_period_chain_to_those_of_the_whole(seed):
    account = random_account(seed, DAYS)
    start, middle, end = FIRST_DAY, FIRST_DAY + 11 + seed % 9, FIRST_DAY + DAYS - 1
    whole, _, cash = calculated(account, start, end)
    first, _, first_cash = calculated(account, start, middle)
    second, _, second_cash = calculated(account, middle + 1, end)
    daily_returns = np.concatenate(
        [returns.daily_returns(first), returns.daily_returns(second)[1:]]
    )
    assert daily_returns == pytest.approx(returns.daily_returns(whole), abs=1e-12)
    scale = float(max(np.abs(whole.value).max(), whole.inflow.sum(), 1))
    for name in PARTS[1:-1]:
        together = first_cash[name] + second_cash[name]
        assert cash[name] == pytest.approx(together, abs=1e-9 * scale)
    assert first_cash["end_value"] == pytest.approx(second_cash["start_value"], abs=1e-9 * scale)


def one_account(currency, closes, rates, trades, cash_from=FIRST_DAY):
    """Return an account with instruments of these currencies and a value for each day."""

    def by_day(values):
        found = {}
        for offset, value in enumerate(values):
            found[FIRST_DAY + offset] = None if value is None else D(str(value))
        return found

    history = History(
        currency=currency,
        closes=[by_day(row) for row in closes],
        rates=[by_day([1] * len(rates[0])), *(by_day(row) for row in rates)],
        trades=trades,
    )
    return Account(history, cash_from)


def bought(account, trade, currency=0, amount=None):
    """Book a trade with its money; the amount is the formula's if not given."""
    account.history.trades.append(trade)
    settled = formula(trade) if amount is None else D(amount)
    account.rows.append(Row(currency, trade.day, "trade", settled, trade))


def deposit(account, amount, day=0, currency=0):
    kind = "deposit" if D(amount) > 0 else "withdrawal"
    account.rows.append(Row(currency, FIRST_DAY + day, kind, D(amount)))


def all_days(account):
    days = len(account.history.rates[0])
    numbers, _, _ = calculated(account, FIRST_DAY + 1, FIRST_DAY + days - 1)
    return numbers


def twr(numbers):
    return returns.twr_index(returns.daily_returns(numbers))[-1] / 100 - 1


def test_money_in_something_whose_currency_has_no_rate_at_first_is_no_loss():
    days = 40
    account = one_account([1], [[100] * days], [[None] * 31 + [10] * (days - 31)], [])
    deposit(account, "10000", day=1)
    bought(account, Trade(0, FIRST_DAY + 1, Kind.BUY, D(1), D(100), D(0), D(10)))
    numbers = all_days(account)
    assert numbers.value[1] == 9000
    assert numbers.value[-1] == 10_000
    assert np.abs(returns.daily_returns(numbers)).max() == 0


def test_a_rate_that_is_missing_for_a_while_is_no_loss():
    rates = [10] * 3 + [None] * 5 + [10] * 3
    account = one_account([1], [[100] * 11], [rates], [])
    deposit(account, "10000", day=1)
    bought(account, Trade(0, FIRST_DAY + 2, Kind.BUY, D(1), D(100), D(0), D(10)))
    numbers = all_days(account)
    assert numbers.value.tolist() == [0, *[10_000] * 2, *[9000] * 5, *[10_000] * 3]
    assert np.abs(returns.daily_returns(numbers)).max() == 0


def test_a_fund_that_is_never_priced_takes_nothing_from_the_return():
    account = one_account([0], [[None] * 5], [[1] * 5], [])
    deposit(account, "10000", day=1)
    bought(account, Trade(0, FIRST_DAY + 1, Kind.BUY, D(10), D(100)))
    numbers = all_days(account)
    assert numbers.value[-1] == 9000
    assert twr(numbers) == 0
    assert numbers.net_flow.sum() == 9000


def test_idle_money_lowers_the_return_of_what_is_invested():
    account = one_account([0], [[100, 100, 110, 110]], [[1] * 4], [])
    deposit(account, "2000", day=1)
    bought(account, Trade(0, FIRST_DAY + 1, Kind.BUY, D(10), D(100)))
    assert twr(all_days(account)) == pytest.approx(0.05)  # 10 % of a half


def test_a_portfolio_that_owes_more_than_it_owns_has_no_return_on_those_days():
    account = one_account([0], [[100, 100, 20, 30, 100, 110]], [[1] * 6], [])
    deposit(account, "500", day=1)
    bought(account, Trade(0, FIRST_DAY + 1, Kind.BUY, D(10), D(100)))
    numbers = all_days(account)
    assert numbers.value.tolist() == [0, 500, -300, -200, 500, 600]
    assert returns.daily_returns(numbers).tolist() == pytest.approx([0, 0, 0, 0, 0, 0.2])
    assert returns.days_below_zero(numbers).tolist() == [False, False, True, True, True, False]


def test_a_purchase_on_credit_for_all_that_it_is_worth_is_worth_exactly_nothing():
    account = one_account([0], [["33.1"] * 4], [[1] * 4], [])
    bought(account, Trade(0, FIRST_DAY + 1, Kind.BUY, D(3), D("33.1")), amount="-99.30")
    numbers = all_days(account)
    assert numbers.value.tolist() == [0, 0, 0, 0]
    assert not returns.invested_days(numbers).any()


def test_a_deposit_that_leaves_again_the_same_day_does_not_thin_out_the_return():
    account = one_account([0], [[100, 100, 110]], [[1] * 3], [])
    deposit(account, "1000", day=1)
    bought(account, Trade(0, FIRST_DAY + 1, Kind.BUY, D(10), D(100)))
    deposit(account, "5000", day=2)
    deposit(account, "-5000", day=2)
    numbers = all_days(account)
    assert twr(numbers) == pytest.approx(0.1)
    assert numbers.inflow[2] == 0


def test_what_stood_there_before_enters_on_the_first_day_with_cash():
    account = one_account([0], [[100] * 5], [[1] * 5], [], cash_from=FIRST_DAY + 2)
    account.rows.append(Row(0, FIRST_DAY - 1, "opening", D(700)))
    deposit(account, "300", day=1)
    numbers, _, cash = calculated(account, FIRST_DAY + 1, FIRST_DAY + 4)
    assert numbers.value.tolist() == [0, 0, 1000, 1000, 1000]
    assert cash["entered"] == 1000
    assert cash["deposits"] == 0
    _, _, later = calculated(account, FIRST_DAY + 3, FIRST_DAY + 4)
    assert (later["start_value"], later["entered"]) == (1000, 0)


def test_the_brokers_rounding_and_own_rate_are_in_the_currency_effect():
    account = one_account([1], [[100] * 4], [[10] * 4], [])
    deposit(account, "1000", day=1)
    trade = Trade(0, FIRST_DAY + 1, Kind.BUY, D(1), D(100), D(0), D("10.02"))
    bought(account, trade, amount="-1002.01")
    numbers, securities, cash = calculated(account, FIRST_DAY + 1, FIRST_DAY + 3)
    assert cash["from_securities"] == -1002
    assert cash["fx_effect"] == pytest.approx(-0.01)
    assert securities.total()["fx_effect"] == pytest.approx(-2)
    assert numbers.value[-1] == pytest.approx(997.99)
    assert twr(numbers) == pytest.approx(-0.00201)
