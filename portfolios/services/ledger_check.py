"""Whether the stored numbers of holdings are those of a replay, and putting them right."""

from collections.abc import Iterator
from itertools import islice
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from financeproj.core.db.rows import by_pk, fields_of
from financeproj.core.errors import DomainError
from financeproj.core.money import strip_zeros
from financeproj.history.services import record
from portfolios.calc.chains import CircularChain, replay_chain
from portfolios.calc.ledger import Oversold, replay
from portfolios.models import Holding, Portfolio
from portfolios.services.chains import legs_with_shares, movements_of
from portfolios.services.history import holding_object
from portfolios.services.ledger_rows import LedgerRow, lock_portfolio, stored_rows
from portfolios.services.replay import (
    POSITION,
    derive,
    replay_holding,
    set_what_legs_take,
    store_position,
)

CHECKED_AT_ONCE = 50


def contradicted_holdings(
    holdings: "QuerySet[Holding] | None" = None,
) -> Iterator[tuple[Holding, str]]:
    """Yield those of `holdings` (all by default) whose stored numbers a replay of their
    transactions contradicts, and how.

    Writes nothing. A query for every CHECKED_AT_ONCE holdings, whose transactions are in memory
    together.
    """
    if holdings is None:
        holdings = Holding.objects.all()
    ordered = holdings.select_related("portfolio", "stock").order_by("portfolio_id", "pk")
    left = ordered.iterator(CHECKED_AT_ONCE)
    while batch := list(islice(left, CHECKED_AT_ONCE)):
        rows = stored_rows(batch, using=holdings.db)
        for holding in batch:
            if fault := _fault_of(holding, rows[holding.pk]):
                yield holding, fault


def contradicted_chains(
    holdings: "QuerySet[Holding] | None" = None,
) -> Iterator[tuple[Holding, str]]:
    """Yield the holdings whose legs carry something else than a replay of their chains gives.

    Writes nothing. Two queries for each user with groups of shares.
    """
    if holdings is None:
        holdings = Holding.objects.all()
    in_groups = holdings.filter(transactions__group__isnull=False).distinct()
    users: dict[UUID, list[Holding]] = {}
    for holding in in_groups.select_related("portfolio", "stock").order_by("pk"):
        users.setdefault(holding.portfolio.user_id, []).append(holding)
    for user_id, concerned in users.items():
        yield from _faults_of_chains(user_id, concerned, using=holdings.db)


def _faults_of_chains(
    user_id: UUID, holdings: list[Holding], *, using: str
) -> Iterator[tuple[Holding, str]]:
    by_id = by_pk(holdings)
    legs = [leg for leg in legs_with_shares([user_id], using=using) if leg.holding_id in by_id]
    ledgers = stored_rows(holdings, using=using)
    stored = {row.pk: row.carried for rows in ledgers.values() for row in rows}
    set_what_legs_take(ledgers, legs)
    try:
        replay_chain(ledgers, movements_of(legs))
    except (Oversold, CircularChain) as error:
        for holding in holdings[:1]:
            yield holding, f"its groups cannot be replayed ({error})"
        return
    for pk, rows in ledgers.items():
        for row in rows:
            if row.carried != stored[row.pk]:
                yield by_id[pk], f"the {row.type} of {row.date} carries another cost than replayed"
                break


def ledger_faults(holdings: "QuerySet[Holding] | None" = None) -> list[str]:
    """Describe the contradicted ones of `holdings` in sentences with instrument and portfolio."""
    return [
        f"{holding.stock.ticker} in {holding.portfolio.name}: {fault}"
        for holding, fault in (*contradicted_holdings(holdings), *contradicted_chains(holdings))
    ]


@transaction.atomic
def repair_holding(pk: UUID) -> None:
    """Replay a holding and store the result. Raises InsufficientQuantity where its history is
    impossible.
    """
    lock_portfolio(Portfolio.objects.get(holdings=pk))
    holding = Holding.objects.select_related("portfolio", "stock").get(pk=pk)
    bookings = replay_holding(holding)
    record("replayed", holding_object(holding), counts={"splits": bookings})


def _fault_of(holding: Holding, rows: list[LedgerRow]) -> str | None:
    if holding.current_quantity < 0:
        return f"the holding is below zero: {strip_zeros(holding.current_quantity)}"
    before = fields_of(holding, POSITION)
    try:
        position, steps = replay(rows)
        store_position(holding, position, rows)
    except Oversold as error:
        return f"more is sold than held ({error})"
    except DomainError as error:
        return error.detail
    for name, value in before.items():
        replayed = getattr(holding, name)
        if replayed != value:
            return f"{name} is {value}, replayed {replayed}"
    for step in steps:
        if derive(step):
            row = step.entry
            return f"the {row.type} of {row.date} has another average cost or gain than replayed"
    return None
