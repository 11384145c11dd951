"""Replaying a holding after its history changed, and storing what comes out."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext_noop

from financeproj.core.db.rows import update_rows
from financeproj.core.errors import DomainError
from financeproj.core.money import ZERO, round_for_storage, strip_zeros
from marketdata.selectors import known_splits
from portfolios.calc.ledger import Oversold, Position, Step, replay
from portfolios.models import Holding, Transaction
from portfolios.services.ledger_rows import (
    LedgerRow,
    next_sequence,
    stored_rows,
    to_transaction,
    touch,
)
from portfolios.services.split_booking import settle_splits

# The columns of a holding that a replay gives.
POSITION = (
    "current_quantity",
    "average_cost_per_share",
    "cost_basis",
    "realised_gain",
    "income",
    "charges",
    "first_transaction_on",
    "last_transaction_on",
)
# The columns of a transaction that it gives.
DERIVED = ("average_cost_per_share_at_transaction", "realised_gain", "effective_date")
ASKED = gettext_noop("%(ticker)s: %(quantity)s requested, %(held)s held on %(day)s.")
ASKED_BY_ANOTHER = gettext_noop(
    "%(ticker)s: the %(type)s of %(quantity)s on %(date)s would exceed what is held (%(quantity)s "
    "requested, %(held)s held on %(day)s; transaction %(id)s)."
)
OUT_OF_RANGE = gettext_noop("%(ticker)s would have a quantity or cost above 10^60 or below 10^-60.")
FARTHEST = 60  # power of ten; quantity, price and rate of one row make 45


class InsufficientQuantity(DomainError):
    """A sale or transfer out would exceed what is held on its date; `entry` is that transaction."""

    code = "insufficient_quantity"

    def __init__(
        self, error: Oversold, *, ticker: str, cause: Transaction | LedgerRow | None = None
    ) -> None:
        entry: Any = error.entry  # type: ignore[explicit-any]  # a row of either kind
        params = {
            "ticker": ticker,
            "quantity": str(strip_zeros(entry.quantity)),
            "held": str(strip_zeros(error.held)),
            "day": str(entry.effective_date),
            "type": entry.type,
            "date": str(entry.date),
            "id": str(entry.pk),
        }
        if cause is not None and entry.pk == cause.pk:
            super().__init__(ASKED, attr="quantity", params=params)
        else:
            super().__init__(ASKED_BY_ANOTHER, params=params)
        self.entry = entry


def replay_holding(holding: Holding, *, cause: Transaction | None = None) -> int:
    """Replay `holding` from its first transaction and store the derived columns that changed.

    Books and removes the source's splits on the way; returns how many. Raises InsufficientQuantity;
    the caller's transaction must then be rolled back. `cause` is the transaction whose change is
    the reason.
    """
    known = known_splits([holding.stock_id], user_id=holding.portfolio.user_id)
    rows, gone = settle_splits(
        holding,
        stored_rows([holding])[holding.pk],
        known=known[holding.stock_id],
        dismissed=list(holding.dismissed_splits.values_list("date", "ratio")),
    )
    if gone:
        Transaction.objects.filter(pk__in=[row.pk for row in gone]).delete()
    booked = [row for row in rows if row.is_new]
    for row in booked:
        row.sequence = next_sequence(holding.portfolio)
        to_transaction(row, portfolio=holding.portfolio).save(force_insert=True)
    try:
        position, steps = replay(rows)
    except Oversold as error:
        raise InsufficientQuantity(error, ticker=holding.stock.ticker, cause=cause) from error
    changed = [step.entry for step in steps if derive(step)]
    update_rows(Transaction, changed, DERIVED)
    store_position(holding, position, rows)
    holding.save()
    touch(holding.portfolio)
    return len(booked) + len(gone)


def derive(step: Step[LedgerRow]) -> bool:
    """Set the derived columns of the step's transaction; whether that changed any stored one."""
    row = step.entry
    average = None if step.average_c is None else round_for_storage(step.average_c)
    gain = None if step.realised_p is None else round_for_storage(step.realised_p)
    is_other = row.average_cost_per_share_at_transaction != average or row.realised_gain != gain
    row.average_cost_per_share_at_transaction = average
    row.realised_gain = gain
    return is_other or row.is_shifted


def store_position(holding: Holding, position: Position, rows: Iterable[LedgerRow]) -> None:
    """Put the rounded `position` into the columns of `holding` (not saved).

    Raises DomainError (`out_of_range`) for figures that no holding has: splits upon splits can
    multiply a quantity to where a float64, and so SQLite, ends.
    """
    average = position.average_c
    figures = (
        position.quantity,
        position.cost_p,
        position.realised_p,
        position.income_p,
        position.charges_p,
        average or ZERO,
    )
    if any(figure and abs(figure.adjusted()) > FARTHEST for figure in figures):
        raise DomainError(
            OUT_OF_RANGE,
            attr="quantity",
            code="out_of_range",
            params={"ticker": holding.stock.ticker},
        )
    days = [row.date for row in rows]
    holding.version += 1
    holding.current_quantity = round_for_storage(position.quantity)
    holding.average_cost_per_share = None if average is None else round_for_storage(average)
    holding.cost_basis = round_for_storage(position.cost_p)
    holding.realised_gain = round_for_storage(position.realised_p)
    holding.income = round_for_storage(position.income_p)
    holding.charges = round_for_storage(position.charges_p)
    holding.first_transaction_on = min(days, default=None)
    holding.last_transaction_on = max(days, default=None)
