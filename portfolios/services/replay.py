"""Replaying a holding after its history changed, and storing what comes out."""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_noop

from financeproj.core.db.rows import pks_of, update_rows
from financeproj.core.errors import DomainError
from financeproj.core.money import EXACT, ZERO, round_for_storage, strip_zeros
from marketdata.selectors import known_splits
from portfolios.calc.carried import Brought, Carried
from portfolios.calc.chains import CircularChain, Replayed, replay_chain
from portfolios.calc.ledger import Oversold, Position, Step, replay
from portfolios.models import Holding, Transaction
from portfolios.services.chains import (
    LegRow,
    connected,
    legs_with_shares,
    movements_of,
    taken_by_legs,
)
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
# Those that it gives to a leg of a group.
DERIVED_OF_LEGS = (*DERIVED, "carried", "quantity", "price")
ASKED = gettext_noop("%(ticker)s: %(quantity)s requested, %(held)s held on %(day)s.")
ASKED_BY_ANOTHER = gettext_noop(
    "%(ticker)s: the %(type)s of %(quantity)s on %(date)s would exceed what is held (%(quantity)s "
    "requested, %(held)s held on %(day)s; transaction %(id)s)."
)
NOTHING_HELD = gettext_noop("%(ticker)s: nothing is held on %(day)s.")
CIRCULAR = gettext_noop(
    "On %(day)s shares would move in a circle: %(ticker)s receives what it gives away. Use another "
    "day for one of the groups."
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
        is_cause = cause is not None and entry.pk == cause.pk
        if is_cause and not entry.quantity:
            super().__init__(NOTHING_HELD, attr="holding_id", params=params)
        elif is_cause:
            super().__init__(ASKED, attr="quantity", params=params)
        else:
            super().__init__(ASKED_BY_ANOTHER, params=params)
        self.entry = entry


def replay_holding(holding: Holding, *, cause: Transaction | None = None) -> int:
    """Replay `holding` from its first transaction and store the derived columns that changed.

    Holdings that groups connect with it are replayed too. Books and removes the source's splits on
    the way; returns how many. Raises InsufficientQuantity; the caller's transaction must then be
    rolled back. `cause` is the transaction whose change is the reason.
    """
    rows = stored_rows([holding])[holding.pk]
    if any(row.carried is not None for row in rows):
        return replay_connected([holding], cause=cause)
    rows, gone = _settled(holding, rows)
    try:
        position, steps = replay(rows)
    except Oversold as error:
        raise InsufficientQuantity(error, ticker=holding.stock.ticker, cause=cause) from error
    booked = _store_splits(holding, rows, gone)
    changed = [step.entry for step in steps if derive(step)]
    update_rows(Transaction, changed, DERIVED)
    store_position(holding, position, rows)
    holding.save()
    touch(holding.portfolio)
    return booked + len(gone)


def _settled(holding: Holding, rows: list[LedgerRow]) -> tuple[list[LedgerRow], list[LedgerRow]]:
    """Return `rows` with the source's splits, and the booked ones that do not belong there."""
    known = known_splits([holding.stock_id], user_id=holding.portfolio.user_id)
    return settle_splits(
        holding,
        rows,
        known=known[holding.stock_id],
        dismissed=list(holding.dismissed_splits.values_list("date", "ratio")),
    )


def _store_splits(holding: Holding, rows: Iterable[LedgerRow], gone: Collection[LedgerRow]) -> int:
    """Store the splits among `rows` that are new and delete those that are `gone`."""
    if gone:
        Transaction.objects.filter(pk__in=pks_of(gone)).delete()
    booked = [row for row in rows if row.is_new]
    for row in booked:
        row.sequence = next_sequence(holding.portfolio)
        to_transaction(row, portfolio=holding.portfolio).save(force_insert=True)
    return len(booked)


# --- Holdings that groups connect -----------------------------------------------------------------

Ledgers = dict[UUID, list[LedgerRow]]
# What is stored of a row: its quantity and what it carries.
Leg = tuple[Decimal, Carried | None]
# The splits of the source follow from what is held, and what all is from the splits.
PASSES = 3


def replay_connected(changed: Collection[Holding], *, cause: Transaction | None = None) -> int:
    """Replay the holdings `changed` with all that groups connect with them, and store the outcome.

    Their portfolios must be locked. Returns as replay_holding does, and raises as it does, also
    DomainError (`circular_transfer`) where holdings wait for each other.
    """
    if not changed:
        return 0
    legs = legs_with_shares({holding.portfolio.user_id for holding in changed})
    holdings = _holdings_of_chain(changed, legs)
    ledgers = stored_rows(list(holdings.values()))
    stored: dict[UUID, Leg] = {}
    for rows in ledgers.values():
        for row in rows:
            stored[row.pk] = row.quantity, row.carried
    gone: dict[UUID, list[LedgerRow]] = {}
    for _ in range(PASSES):
        for holding in changed:
            own = [row for row in ledgers[holding.pk] if not row.is_new]
            own += gone.get(holding.pk, [])
            ledgers[holding.pk], gone[holding.pk] = _settled(holding, own)
        quantities = _quantities_of_legs(ledgers)
        outcome = _replayed(holdings, ledgers, legs, cause)
        if quantities == _quantities_of_legs(ledgers):
            break  # else the source's splits are judged by what all is now
    bookings = 0
    pks = set(pks_of(changed))
    for pk, holding in holdings.items():
        rows = ledgers[pk]
        bookings += _store_splits(holding, rows, gone.get(pk, []))
        _store_outcome(holding, rows, outcome[pk], stored, is_changed=pk in pks)
    return bookings + sum(map(len, gone.values()))


def replay_chains(holdings: Collection[Holding]) -> None:
    """Replay those of `holdings` that groups connect with others. A query where none is."""
    legs = Transaction.objects.filter(holding__in=holdings, carried__isnull=False)
    pks = set(legs.values_list("holding_id", flat=True))
    replay_connected([holding for holding in holdings if holding.pk in pks])


def _holdings_of_chain(changed: Collection[Holding], legs: Iterable[LegRow]) -> dict[UUID, Holding]:
    """Return all holdings of the chain by id; those of `changed` are the instances given."""
    found: dict[UUID, Holding] = {}
    pks = connected(legs, set(pks_of(changed)))
    for holding in Holding.objects.filter(pk__in=pks).select_related("portfolio", "stock"):
        found[holding.pk] = holding
    for holding in changed:
        holding.version = found[holding.pk].version
        found[holding.pk] = holding
    return found


def _quantities_of_legs(ledgers: Ledgers) -> list[object]:
    return [
        (row.pk, row.quantity)
        for rows in ledgers.values()
        for row in rows
        if row.carried is not None
    ]


def _replayed(
    holdings: Mapping[UUID, Holding],
    ledgers: Ledgers,
    legs: Collection[LegRow],
    cause: Transaction | LedgerRow | None,
) -> dict[UUID, Replayed[LedgerRow]]:
    """Replay the ledgers of a chain. Raises InsufficientQuantity, DomainError."""
    own = [leg for leg in legs if leg.holding_id in holdings]
    set_what_legs_take(ledgers, own)
    try:
        return replay_chain(ledgers, movements_of(own))
    except Oversold as error:
        entry: Any = error.entry  # type: ignore[explicit-any]  # a row of either kind
        ticker = holdings[entry.holding_id].stock.ticker
        raise InsufficientQuantity(error, ticker=ticker, cause=cause) from error
    except CircularChain as error:
        waiting: Any = error.entry  # type: ignore[explicit-any]  # a row of either kind
        raise DomainError(
            CIRCULAR,
            attr="date",
            code="circular_transfer",
            params={
                "day": str(waiting.effective_date),
                "ticker": holdings[waiting.holding_id].stock.ticker,
            },
        ) from error


def set_what_legs_take(ledgers: Ledgers, legs: Iterable[LegRow]) -> None:
    """Set of each leg that takes something out how it does."""
    taken = taken_by_legs(legs)
    for rows in ledgers.values():
        for row in rows:
            row.carried = taken.get(row.pk, row.carried)


def _store_outcome(
    holding: Holding,
    rows: list[LedgerRow],
    outcome: Replayed[LedgerRow],
    stored: Mapping[UUID, Leg],
    *,
    is_changed: bool,
) -> None:
    """Store what a replay of a chain changed in one of its holdings."""
    plain: list[LedgerRow] = []
    legs: list[LedgerRow] = []
    for step in outcome.steps:
        row = step.entry
        is_other = derive(step)
        quantity = round_for_storage(row.quantity)
        is_leg = row.carried is not None
        if is_leg and (quantity, row.carried) != stored.get(row.pk):
            if isinstance(row.carried, Brought):
                row.price = round_for_storage(EXACT.divide(row.carried.cost_c, row.quantity))
            row.quantity = quantity
            legs.append(row)
        elif is_other:
            plain.append(row)
    update_rows(Transaction, plain, DERIVED)
    update_rows(Transaction, legs, DERIVED_OF_LEGS)
    columns = attrgetter(*POSITION)
    before = columns(holding)
    store_position(holding, outcome.position, rows)
    if is_changed or plain or legs or before != columns(holding):
        holding.save()
        touch(holding.portfolio)


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
