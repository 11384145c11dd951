"""Costs that a merger or a spin-off carries from one holding to another, at average and by lot.

docs/decisions/0011-groups-over-several-holdings.md.
"""

from datetime import date
from decimal import Decimal as D
from types import SimpleNamespace

import pytest

from portfolios.calc.carried import Brought, CarriedLot, Taken
from portfolios.calc.fifo import sales
from portfolios.calc.ledger import Oversold, cash_effect, replay

BOUGHT, ACTION, SOLD = date(2020, 3, 2), date(2024, 6, 3), date(2024, 9, 2)


def entry(kind, day, quantity, price=None, *, carried=None, sequence=1):
    return SimpleNamespace(
        type=kind,
        effective_date=day,
        sequence=sequence,
        quantity=D(quantity),
        price=None if price is None else D(price),
        commission=D(0),
        tax=D(0),
        exchange_rate=D(1),
        carried=carried,
    )


def test_a_merger_for_shares_and_cash_realises_the_part_that_was_paid_out():
    # 120 shares at 30 become 48 at 125 and 1,200: a sixth of what they give is cash.
    taken = Taken(cash_p=D(1200), cash_share=D(1) / 6, takes_all=True)
    out = entry("exchange_out", ACTION, 120, carried=taken, sequence=2)
    rows = [entry("buy", BOUGHT, 120, 30), out]
    position, steps = replay(rows)
    assert (position.quantity, position.cost_p) == (0, 0)
    assert round(steps[-1].realised_p, 10) == 600  # 1,200 less a sixth of 3,600
    assert cash_effect(out) == 1200
    [sale] = sales(rows)
    assert (sale.proceeds, round(sale.cost, 10), sale.lots[0].bought_on) == (1200, 600, BOUGHT)


def test_what_comes_in_keeps_its_cost_and_its_day_of_purchase():
    lots = [CarriedLot(BOUGHT, D(48), D(3000), D(3000))]
    rows = [
        entry("exchange_in", ACTION, 48, carried=Brought(D(3000), D(3000), lots)),
        entry("buy", SOLD, 10, 130, sequence=2),
        entry("sell", SOLD, 48, 130, sequence=3),
    ]
    position, _ = replay(rows)
    assert position.quantity == 10
    assert round(position.cost_p, 10) == round(D(43000) / 58, 10)
    [sale] = sales(rows)
    assert [(lot.bought_on, lot.quantity, lot.cost) for lot in sale.lots] == [(BOUGHT, 48, 3000)]
    assert sale.gain == 48 * 130 - 3000


def test_a_spin_off_takes_a_part_of_the_cost_and_no_shares():
    rows = [
        entry("buy", BOUGHT, 100, 10),
        entry("exchange_out", ACTION, 0, carried=Taken(share=D("0.2")), sequence=2),
        entry("sell", SOLD, 50, 12, sequence=3),
    ]
    position, steps = replay(rows)
    assert (position.quantity, position.cost_p) == (50, 400)
    assert [step.realised_p for step in steps] == [None, None, 200]  # 600 less half of 800
    [sale] = sales(rows)
    assert [(lot.bought_on, lot.quantity, lot.cost) for lot in sale.lots] == [(BOUGHT, 50, 400)]


def test_a_part_of_a_holding_leaves_with_its_oldest_lots():
    rows = [
        entry("buy", BOUGHT, 10, 10),
        entry("buy", ACTION, 10, 20, sequence=2),
        entry("exchange_out", SOLD, 15, carried=Taken(), sequence=3),
        entry("sell", SOLD, 5, 30, sequence=4),
    ]
    with pytest.raises(Oversold):
        replay([*rows, entry("sell", SOLD, 1, 30, sequence=5)])
    position, _ = replay(rows)
    # The sale comes before the exchange on its day.
    assert (position.quantity, position.cost_p, position.realised_p) == (0, 0, 75)
    [sale] = sales(rows)
    assert [(lot.bought_on, lot.quantity, lot.cost) for lot in sale.lots] == [(BOUGHT, 5, 50)]


def test_nothing_is_exchanged_of_what_is_not_held():
    with pytest.raises(Oversold):
        replay([entry("exchange_out", ACTION, 0, carried=Taken(share=D("0.2")))])
    with pytest.raises(Oversold):
        replay([entry("buy", BOUGHT, 1, 1), entry("exchange_out", ACTION, 2, carried=Taken())])
