from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal as D

from hypothesis import given, settings
from hypothesis import strategies as st

from portfolios.calc.carried import Carried
from portfolios.calc.fifo import sales
from portfolios.calc.ledger import replay

FIRST = date(2024, 1, 1)


@dataclass
class Entry:
    type: str
    effective_date: date
    quantity: D
    price: D | None = D(0)
    commission: D = D(0)
    exchange_rate: D | None = D(1)
    sequence: int = 0
    tax: D = D(0)
    carried: Carried | None = None


def entry(kind, day, quantity, price="0", commission="0", rate="1"):
    return Entry(kind, FIRST + timedelta(day), D(quantity), D(price), D(commission), D(rate), day)


def shown(sale):
    return [(lot.bought_on.day, lot.quantity, lot.cost) for lot in sale.lots]


def test_the_oldest_shares_leave_first_with_their_part_of_the_commission_at_their_rate():
    first, second = sales(
        [
            entry("buy", 0, "10", "100", "20", "10"),
            entry("buy", 1, "10", "110", "10", "11"),
            entry("sell", 2, "4", "130", "5", "12"),
            entry("sell", 3, "8", "130", "5", "12"),
        ]
    )
    assert shown(first) == [(1, D(4), D(4080))]
    assert (first.proceeds, first.cost, first.gain) == (D(6180), D(4080), D(2100))
    assert shown(second) == [(1, D(6), D(6120)), (2, D(2), D(2442))]
    assert second.gain == (8 * 130 - 5) * 12 - 6120 - 2442


def test_a_split_scales_lots_and_leaves_their_cost():
    (sale,) = sales(
        [entry("buy", 0, "3", "100"), entry("split", 1, "4"), entry("sell", 2, "6", "30")]
    )
    assert shown(sale) == [(1, D(6), D(150))]
    assert sale.gain == 30


def test_a_transfer_in_makes_a_lot_and_a_transfer_out_takes_the_oldest():
    (sale,) = sales(
        [
            entry("buy", 0, "5", "10"),
            entry("transfer_in", 1, "5", "20"),
            entry("transfer_out", 2, "6"),
            entry("sell", 3, "4", "25"),
        ]
    )
    assert shown(sale) == [(2, D(4), D(80))]


def test_entries_of_one_day_count_in_the_order_of_the_ledger():
    (sale,) = sales(
        [entry("sell", 0, "8", "30"), entry("split", 0, "4"), entry("transfer_in", 0, "8", "20")]
    )
    assert shown(sale) == [(1, D(8), D(160))]


def test_without_sales_there_is_nothing_to_report():
    assert sales([]) == []
    assert sales([entry("buy", 0, "1", "10"), entry("dividend", 1, "1", "2")]) == []


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["buy", "transfer_in", "sell", "split"]),
            st.integers(1, 900),
            st.integers(0, 500),
        ),
        max_size=15,
    )
)
def test_once_all_is_sold_both_methods_have_realised_the_same(drawn):
    entries, held = [], D(0)
    for day, (kind, quantity, price) in enumerate([("buy", 10, 7), *drawn]):
        amount = D(quantity) / 10
        if kind == "sell":
            amount = min(amount, held)
        if kind == "split":
            amount = D(4) if quantity % 2 else D("0.5")
        if amount:
            entries.append(entry(kind, day, str(amount), str(price), "3", "1.1"))
            held = (
                held * amount
                if kind == "split"
                else held + amount
                if kind != "sell"
                else held - amount
            )
    entries.append(entry("sell", 100, str(held), "50", "3", "1.1"))
    position, _ = replay([one for one in entries if one.quantity])
    found = sales([one for one in entries if one.quantity])
    assert abs(sum((sale.gain for sale in found), D(0)) - position.realised_p) < D("1e-20")
    for sale in found:
        assert sum(lot.quantity for lot in sale.lots) == sale.entry.quantity
