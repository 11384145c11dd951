"""Holdings right before and right after transactions of theirs took effect."""

from collections.abc import Sequence
from decimal import Decimal

from financeproj.core.money import ZERO, round_for_display
from portfolios.calc.ledger import Position, states
from portfolios.models import Transaction
from portfolios.payloads import HoldingState
from portfolios.reports.shown import ledger_entries


def group_states(legs: Sequence[Transaction]) -> tuple[list[HoldingState], list[HoldingState]]:
    """Return the holdings of `legs` before and after, in the order of the legs. One query.

    They are the legs of a group, or one transaction alone, and have their holdings with the
    instruments at hand.
    """
    pks = {row.holding_id for row in legs}
    rows = list(ledger_entries(Transaction.objects.filter(holding__in=pks)))
    before: list[HoldingState] = []
    after: list[HoldingState] = []
    for leg in legs:
        own = [row for row in rows if row.holding_id == leg.holding_id]
        earlier, later = Position(), Position()
        for row, position in states(own):
            if row.pk == leg.pk:
                later = position
                break
            earlier = position
        before.append(_state(leg, earlier))
        after.append(_state(leg, later))
    return before, after


def cost_moved(legs: Sequence[Transaction]) -> Decimal:
    """Return what the targets got, each in its portfolio's currency."""
    total = ZERO
    for leg in legs:
        total += getattr(leg.carried, "cost_p", ZERO)
    return round_for_display(total)


def _state(leg: Transaction, position: Position) -> HoldingState:
    average = position.average_c
    return HoldingState(
        ticker=leg.own_holding.stock.ticker,
        portfolio_id=leg.portfolio_id,
        quantity=round_for_display(position.quantity),
        cost_basis=round_for_display(position.cost_p),
        average_cost_per_share=None if average is None else round_for_display(average),
    )
