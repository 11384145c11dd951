"""Test that after a split, what is shown as held can be sold, and closes the holding."""

from datetime import date, timedelta
from decimal import Decimal as D

import pytest

from portfolios.calc.fifo import sales
from portfolios.calc.ledger import quantities
from portfolios.models import Holding, Transaction
from portfolios.reports.vectors import update_vector
from portfolios.services import InsufficientQuantity
from portfolios.services.ledger_rows import stored_rows
from portfolios.tests.conftest import trade

pytestmark = pytest.mark.django_db
FIRST = date(2024, 1, 2)
THIRD = "0.333333333333333"


def day(number):
    return FIRST + timedelta(number)


@pytest.fixture
def thirds(portfolio, stock):
    """Seven shares that became 2 1/3 in a split, shown as 2.33333333333333."""
    trade(portfolio, stock, "buy", "7", "30", on=day(0))
    trade(portfolio, stock, "split", THIRD, on=day(1))
    return Holding.objects.get()


@pytest.mark.parametrize("kind", ["sell", "transfer_out"])
@pytest.mark.parametrize("quantity", ["2.33333333333333", "2.33333333333334"])
def test_the_shown_quantity_of_thirds_takes_all_in_every_count(
    portfolio, stock, thirds, kind, quantity
):
    assert str(thirds.current_quantity.normalize()) == "2.33333333333333"
    price = "100" if kind == "sell" else None
    trade(portfolio, stock, kind, quantity, price, on=day(2))
    thirds.refresh_from_db()
    assert (thirds.current_quantity, thirds.cost_basis) == (0, 0)
    assert thirds.average_cost_per_share is None
    rows = stored_rows([thirds])[thirds.pk]
    assert quantities(rows)[-1] == (day(2), 0)
    vector, _ = update_vector(None, [thirds])
    assert vector.trades.held.tolist()[-1] == 0
    trade(portfolio, stock, "buy", "1", "10", on=day(3))
    trade(portfolio, stock, "sell", "1", "12", on=day(4))
    by_lots = sales(stored_rows([thirds])[thirds.pk])
    assert [lot.bought_on for lot in by_lots[-1].lots] == [day(3)]
    assert by_lots[-1].gain == 2


def test_all_the_cost_leaves_with_the_shown_quantity(portfolio, stock, thirds):
    row = trade(portfolio, stock, "sell", "2.33333333333333", "100", on=day(2))
    row.refresh_from_db()
    assert row.realised_gain == D("233.333333333333") - 210
    [sale] = sales(stored_rows([thirds])[thirds.pk])
    assert sale.cost == 210


def test_more_than_dust_is_still_refused_or_left(portfolio, stock, thirds):
    with pytest.raises(InsufficientQuantity):
        trade(portfolio, stock, "sell", "2.3333333333343", "100", on=day(2))
    assert Transaction.objects.count() == 2
    trade(portfolio, stock, "sell", "2.3333333333323", "100", on=day(2))
    thirds.refresh_from_db()
    assert thirds.current_quantity > D("1e-12")


def test_without_a_split_every_digit_counts(portfolio, stock):
    trade(portfolio, stock, "buy", "1.00000000000001", "30", on=day(0))
    trade(portfolio, stock, "sell", "1", "30", on=day(1))
    assert Holding.objects.get().current_quantity == D("1E-14")
