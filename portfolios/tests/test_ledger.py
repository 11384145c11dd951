"""Test the replay of a holding: an example for every kind, and properties of any history."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal as D
from decimal import localcontext
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from financeproj.core.money import EXACT
from portfolios.calc.carried import Carried
from portfolios.calc.ledger import Oversold, cash_effect, order, replay

DAY = date(2024, 5, 2)
_entered = count(1)


@pytest.fixture(autouse=True)
def _as_exact_as_the_ledger():
    """Use more digits than Decimal's 28, which are too few for 1e-30 of 100 million."""
    with localcontext(EXACT):
        yield


@dataclass(frozen=True)
class Entry:
    type: str
    quantity: D
    price: D | None = None
    commission: D = D(0)
    exchange_rate: D | None = D(1)
    effective_date: date = DAY
    sequence: int = 0
    tax: D = D(0)
    carried: Carried | None = None


def entry(kind, quantity, price=None, *, fee="0", rate="1", day=0):
    return Entry(
        kind,
        D(quantity),
        None if price is None else D(price),
        D(fee),
        D(rate),
        DAY + timedelta(days=day),
        next(_entered),
    )


def position(*entries):
    return replay(entries)[0]


def test_a_buy_costs_its_price_and_commission_at_its_own_rate():
    state = position(entry("buy", "10", "100", fee="5", rate="10.5"))
    assert (state.quantity, state.cost_c, state.cost_p) == (D(10), D(1005), D("10552.5"))
    assert state.average_c == D("100.5")


def test_a_sale_realises_proceeds_less_average_cost():
    state = position(
        entry("buy", "10", "100", fee="10", rate="10"),
        entry("sell", "4", "120", fee="8", rate="11", day=1),
    )
    # average 101 in c and 1010 in p; proceeds 4 x 120 - 8 = 472
    assert state.realised_c == D(472) - D(404)
    assert state.realised_p == D(472 * 11) - D(4040)
    assert (state.quantity, state.cost_c, state.cost_p) == (D(6), D(606), D(6060))


def test_selling_everything_leaves_exactly_nothing():
    state = position(
        entry("buy", "3", "10"), entry("buy", "4", "10.01", day=1), entry("sell", "7", "11", day=2)
    )
    assert (state.quantity, state.cost_c, state.cost_p) == (0, 0, 0)
    assert state.average_c is None


@pytest.mark.parametrize("kind", ["dividend", "interest"])
def test_income_is_what_is_left_after_its_commission(kind):
    state = position(entry("buy", "10", "100"), entry(kind, "10", "2.5", fee="3.75", rate="11"))
    assert state.income_p == (D(25) - D("3.75")) * 11
    assert (state.cost_p, state.realised_p, state.charges_p) == (D(1000), 0, 0)


@pytest.mark.parametrize("kind", ["fee", "tax"])
def test_a_charge_adds_its_commission(kind):
    state = position(entry("buy", "10", "100"), entry(kind, "1", "40", fee="2", rate="0.5"))
    assert state.charges_p == D(21)
    assert state.cost_p == D(1000)


@pytest.mark.parametrize(
    ("ratio", "quantity", "average"), [("4", "40", "25"), ("0.1", "1", "1000")]
)
def test_a_split_changes_the_number_of_shares_and_not_their_cost(ratio, quantity, average):
    state = position(entry("buy", "10", "100", rate="2"), entry("split", ratio, rate="1", day=1))
    assert (state.quantity, state.cost_c, state.cost_p) == (D(quantity), D(1000), D(2000))
    assert state.average_c == D(average)


def test_a_transfer_in_carries_its_average_cost():
    state = position(entry("transfer_in", "10", "80", fee="1", rate="10"))
    assert (state.quantity, state.cost_c, state.cost_p) == (D(10), D(801), D(8010))


def test_a_transfer_out_takes_cost_at_average_and_realises_nothing():
    state = position(entry("buy", "10", "100", rate="10"), entry("transfer_out", "4", day=1))
    assert (state.quantity, state.cost_c, state.cost_p) == (D(6), D(600), D(6000))
    assert (state.realised_c, state.realised_p) == (0, 0)


def test_partial_sales_keep_the_accounting_identity():
    """10 @ 100, 5 sold at 120, 5 @ 200, 5 sold at 150: with 5 left at 150 the total gain is 100."""
    state = position(
        entry("buy", "10", "100"),
        entry("sell", "5", "120", day=1),
        entry("buy", "5", "200", day=2),
        entry("sell", "5", "150", day=3),
    )
    assert state.realised_p == 100
    assert state.cost_p == 750
    assert state.quantity * 150 - state.cost_p + state.realised_p == 100


def test_on_one_day_a_split_comes_first_and_sales_come_last_whatever_the_order_of_entry():
    entries = [
        entry("sell", "20", "30"),
        entry("dividend", "40", "1"),
        entry("split", "4"),
        entry("buy", "10", "25"),
        entry("transfer_in", "1", "25"),
        entry("buy", "10", "100", day=-1),
    ]
    assert [step.entry.type for step in replay(entries)[1]] == [
        "buy",
        "split",
        "transfer_in",
        "buy",
        "dividend",
        "sell",
    ]


def test_the_average_of_each_transaction_follows_the_definitions():
    steps = replay(
        [
            entry("buy", "10", "100"),
            entry("dividend", "10", "1", day=1),
            entry("sell", "5", "150", day=2),
            entry("split", "2", day=3),
            entry("transfer_out", "10", day=4),
            entry("fee", "1", "3", day=5),
        ]
    )[1]
    assert [step.average_c for step in steps] == [D(100), D(100), D(100), D(50), D(50), None]
    assert [step.realised_p for step in steps] == [None, None, D(250), None, None, None]


def test_a_sale_above_the_holding_names_what_was_held_on_its_day():
    with pytest.raises(Oversold, match="10 requested, 4 held on 2024-05-03"):
        replay(
            [
                entry("buy", "4", "100"),
                entry("sell", "10", "100", day=1),
                entry("buy", "9", "1", day=2),
            ]
        )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("buy", "-2030"),
        ("fee", "-2030"),
        ("tax", "-2030"),
        ("sell", "1970"),
        ("dividend", "1970"),
        ("interest", "1970"),
        ("split", "0"),
        ("transfer_in", "0"),
        ("transfer_out", "0"),
    ],
)
def test_the_cash_effect_of_each_type(kind, expected):
    assert cash_effect(entry(kind, "10", "20", fee="3", rate="10")) == D(expected)


# --- Any history ----------------------------------------------------------------------------------

amounts = st.decimals(min_value="0.0001", max_value="99999", places=4)
small = st.decimals(min_value="0", max_value="50", places=2)
rates = st.decimals(min_value="0.01", max_value="20", places=4)


@st.composite
def histories(draw):
    """Generate valid histories that are never oversold."""
    entries, held, day = [], D(0), 0
    for _ in range(draw(st.integers(1, 25))):
        day += draw(st.integers(0, 3))
        kinds = ["buy", "transfer_in", "dividend", "fee", "tax", "interest"]
        kind = draw(st.sampled_from(kinds + (["sell", "transfer_out", "split"] if held else [])))
        if kind in ("sell", "transfer_out"):
            share = draw(st.sampled_from([D("0.25"), D("0.5"), D(1)]))
            quantity = held * share
            held -= quantity
            day += 1  # a day of its own, so that no later buy of the same day is counted before it
        elif kind == "split":
            quantity = draw(st.sampled_from([D(4), D(2), D("0.5"), D("0.1")]))
            day += 1
            held *= quantity
        else:
            quantity = draw(amounts)
            held += quantity if kind in ("buy", "transfer_in") else 0
        entries.append(
            Entry(
                kind,
                quantity,
                draw(amounts),
                draw(small),
                draw(rates),
                DAY + timedelta(days=day),
                len(entries),
            )
        )
        if kind in ("sell", "transfer_out", "split"):
            day += 1
    return entries


def close(a, b, scale):
    return abs(a - b) <= D("1e-30") * max(scale, D(1))


@pytest.mark.untraced
@given(histories())
def test_payments_equal_remaining_cost_plus_removed_cost(entries):
    """Quantity: in, times splits, less out. Cost: what went in is what is left plus what left with
    the shares.
    """
    state, steps = replay(entries)
    quantity = paid_c = paid_p = gone_c = D(0)
    for step in steps:
        e = step.entry
        gross = e.quantity * (e.price or 0)
        if e.type in ("buy", "transfer_in"):
            quantity += e.quantity
            paid_c += gross + e.commission
            paid_p += (gross + e.commission) * e.exchange_rate
        elif e.type in ("sell", "transfer_out"):
            quantity -= e.quantity
            gone_c += e.quantity * step.average_c
        elif e.type == "split":
            quantity *= e.quantity
    assert close(state.quantity, quantity, quantity)
    assert close(state.cost_c + gone_c, paid_c, paid_c)
    assert state.cost_c >= 0
    assert state.cost_p >= 0


@pytest.mark.untraced
@given(histories())
def test_gain_is_proceeds_plus_cost_left_less_what_was_paid(entries):
    """Without transfers out: realised + paid = proceeds + cost that is left, in both currencies."""
    entries = list(entries)
    for position, entry in enumerate(entries):
        if entry.type == "transfer_out":
            entries[position] = replace(entry, type="sell")
    state, _ = replay(entries)
    for in_p in (False, True):
        paid = proceeds = D(0)
        for e in entries:
            rate = e.exchange_rate if in_p else D(1)
            if e.type in ("buy", "transfer_in"):
                paid += (e.quantity * e.price + e.commission) * rate
            elif e.type == "sell":
                proceeds += (e.quantity * e.price - e.commission) * rate
        realised, left = (
            (state.realised_p, state.cost_p) if in_p else (state.realised_c, state.cost_c)
        )
        assert close(realised + paid, proceeds + left, paid + abs(proceeds))


@pytest.mark.untraced
@given(histories(), st.randoms())
def test_the_order_in_which_entries_are_given_does_not_matter(entries, random):
    shuffled = list(entries)
    random.shuffle(shuffled)
    assert replay(shuffled) == replay(entries)
    assert [step.entry for step in replay(shuffled)[1]] == sorted(entries, key=order)


@pytest.mark.untraced
@given(histories(), st.data())
def test_an_edit_in_the_middle_replays_to_what_that_history_gives_or_is_refused(entries, data):
    """Deleting any entry either oversells, naming a sale that is still there, or leaves a valid
    ledger.
    """
    index = data.draw(st.integers(0, len(entries) - 1))
    left = entries[:index] + entries[index + 1 :]
    try:
        state, steps = replay(left)
    except Oversold as error:
        assert error.entry in left
        assert error.entry.quantity > error.held
    else:
        assert len(steps) == len(left)
        assert state.quantity >= 0
