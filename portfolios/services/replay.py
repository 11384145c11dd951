"""Replaying a holding after its history changed, and storing what comes out."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from financeproj.core.db.rows import update_rows
from financeproj.core.errors import DomainError
from financeproj.core.money import ZERO, round_for_storage, strip_zeros
from marketdata.models import StockSplit
from portfolios.calc.kinds import shares_after
from portfolios.calc.ledger import Oversold, Position, Step, order, replay
from portfolios.models import (
    DismissedSplit,
    Holding,
    Portfolio,
    Transaction,
    TransactionSource,
    TransactionType,
)

# Brokers book a split up to a week from the day on which it took effect.
SAME_SPLIT = timedelta(days=7)
# And write a third as 0.333 or 0.3333333.
SAME_RATIO = Decimal("0.001")
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
CHECKED_AT_ONCE = 50
READ_AT_ONCE = 2000
FARTHEST = 60  # power of ten; quantity, price and rate of one row make 45


@dataclass(slots=True)
class LedgerRow:
    """A stored transaction as a replay reads it and changes it: a model's instance takes ten times
    as long to make.

    Among the rows of a replay an instance of Transaction is one that is not stored yet.
    """

    pk: UUID
    holding_id: UUID
    type: str
    effective_date: date
    date: date
    sequence: int
    quantity: Decimal
    price: Decimal | None
    commission: Decimal
    exchange_rate: Decimal | None
    source: str
    average_cost_per_share_at_transaction: Decimal | None
    realised_gain: Decimal | None
    is_shifted: bool = False


Row = LedgerRow | Transaction
_READ = [one.name for one in fields(LedgerRow) if one.name != "is_shifted"]


class InsufficientQuantity(DomainError):
    """A sale or transfer out would exceed what is held on its date; `entry` is that transaction."""

    code = "insufficient_quantity"

    def __init__(self, error: Oversold, *, ticker: str, cause: Transaction | None = None) -> None:
        entry: Any = error.entry
        asked = f"{strip_zeros(entry.quantity)} requested, {strip_zeros(error.held)} held on {entry.effective_date}"
        if cause is not None and entry.pk == cause.pk:
            super().__init__(f"{ticker}: {asked}.", attr="quantity")
        else:
            super().__init__(
                f"{ticker}: the {entry.type} of {strip_zeros(entry.quantity)} on {entry.date} would exceed what is held "
                f"({asked}; transaction {entry.pk})."
            )
        self.entry = entry


def lock_portfolio(portfolio: Portfolio) -> Portfolio:
    """The portfolio's row, locked until the transaction ends: whoever writes below it waits here.

    SQLite has no row locks; there the immediate transaction has shut other writers out already.
    """
    # no_key: rows that merely refer to the portfolio need not wait.
    return Portfolio.objects.select_for_update(no_key=True).get(pk=portfolio.pk)


def touch(portfolio: Portfolio) -> None:
    """Move the version that vectors of the portfolio's transactions carry."""
    Portfolio.objects.filter(pk=portfolio.pk).update(
        version=F("version") + 1, updated_at=timezone.now()
    )


def stored_rows(holdings: Collection[Holding]) -> dict[UUID, list[LedgerRow]]:
    """The transactions of each of `holdings`, in no order."""
    found: dict[UUID, list[LedgerRow]] = {holding.pk: [] for holding in holdings}
    for values in (
        Transaction.objects.filter(holding__in=list(found))
        .values_list(*_READ)
        .iterator(READ_AT_ONCE)
    ):
        row = LedgerRow(*values)
        found[row.holding_id].append(row)
    return found


def replay_holding(holding: Holding, *, cause: Transaction | None = None) -> None:
    """Replay `holding` from its first transaction and store the derived columns that changed.

    Books and removes the source's splits on the way. Raises InsufficientQuantity; the caller's
    transaction must then be rolled back. `cause` is the transaction whose change is the reason.
    """
    rows, gone = settle_splits(
        holding,
        stored_rows([holding])[holding.pk],
        known=list(StockSplit.objects.filter(stock=holding.stock_id).order_by("date")),
        dismissed=set(holding.dismissed_splits.values_list("date", flat=True)),
    )
    if gone:
        Transaction.objects.filter(pk__in=[row.pk for row in gone]).delete()
    for row in rows:
        if isinstance(row, Transaction):
            row.sequence = next_sequence(holding.portfolio)
            row.save(force_insert=True)
    try:
        position, steps = replay(rows)
    except Oversold as error:
        raise InsufficientQuantity(error, ticker=holding.stock.ticker, cause=cause) from error
    changed = [step.entry for step in steps if derive(step)]
    update_rows(Transaction, changed, DERIVED)
    store_position(holding, position, rows)
    holding.save()
    touch(holding.portfolio)


def derive(step: Step[Row]) -> bool:
    """Set the derived columns of the step's transaction; whether that changed any."""
    row = step.entry
    average = None if step.average_c is None else round_for_storage(step.average_c)
    gain = None if step.realised_p is None else round_for_storage(step.realised_p)
    changed = row.average_cost_per_share_at_transaction != average or row.realised_gain != gain
    row.average_cost_per_share_at_transaction, row.realised_gain = average, gain
    return changed or getattr(row, "is_shifted", False)


def contradicted_holdings(
    holdings: "QuerySet[Holding] | None" = None,
) -> Iterator[tuple[Holding, str]]:
    """Those of `holdings` (all by default) whose stored numbers a replay of their transactions
    contradicts, and how.

    Writes nothing. A query for every CHECKED_AT_ONCE holdings, whose transactions are in memory
    together.
    """
    holdings = Holding.objects.all() if holdings is None else holdings
    rows = holdings.select_related("portfolio", "stock").prefetch_related("transactions")
    for holding in rows.order_by("portfolio_id", "pk").iterator(CHECKED_AT_ONCE):
        if fault := _ledger_fault(holding):
            yield holding, fault


def ledger_faults(holdings: "QuerySet[Holding] | None" = None) -> list[str]:
    """The same as sentences that name instrument and portfolio."""
    return [
        f"{holding.stock.ticker} in {holding.portfolio.name}: {fault}"
        for holding, fault in contradicted_holdings(holdings)
    ]


@transaction.atomic
def repair_holding(pk: UUID) -> None:
    """Replay a holding anew and store the result. Raises InsufficientQuantity where its history is
    impossible.
    """
    lock_portfolio(Portfolio.objects.get(holdings=pk))
    replay_holding(Holding.objects.select_related("portfolio", "stock").get(pk=pk))


def _ledger_fault(holding: Holding) -> str | None:
    if holding.current_quantity < 0:
        return f"the holding is below zero: {strip_zeros(holding.current_quantity)}"
    rows = list(holding.transactions.all())
    try:
        position, steps = replay(rows)
        before = {name: getattr(holding, name) for name in POSITION}
        store_position(holding, position, rows)
    except Oversold as error:
        return f"more is sold than held ({error})"
    except DomainError as error:
        return error.detail
    for name, value in before.items():
        if getattr(holding, name) != value:
            return f"{name} is {value}, replayed {getattr(holding, name)}"
    for step in steps:
        if derive(step):
            return f"the {step.entry.type} of {step.entry.date} has another average cost or gain than replayed"
    return None


def store_position(holding: Holding, position: Position, rows: Iterable[Row]) -> None:
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
    )
    if any(figure and abs(figure.adjusted()) > FARTHEST for figure in (*figures, average or ZERO)):
        raise DomainError(
            f"{holding.stock.ticker} would have a quantity or cost above 10^{FARTHEST} or below 10^-{FARTHEST}.",
            attr="quantity",
            code="out_of_range",
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


# --- Splits the source knows ----------------------------------------------------------------------


def settle_splits(
    holding: Holding,
    rows: Sequence[Row],
    *,
    known: Iterable[StockSplit],
    dismissed: Collection[date],
) -> tuple[list[Row], list[Row]]:
    """`rows` with the source's splits booked where they belong, and the booked ones that do not.
    Stores nothing.

    A split of the source gives way to one of the same ratio that the user booked within a week,
    which then counts on the source's day, unless a sale in between needs it on its own; it is not
    booked where nothing is held, where the user deleted it (`dismissed`), or where it would make a
    later sale exceed the holding. Nor does a corrected ratio replace the booked one that a sale
    needs. `unbooked_split_on` then says so, and also of which day a split is that the prices of an
    instrument priced by hand know nothing of. `known` is in the order of dates.
    """
    booked = {row.date: row for row in rows if _is_booked(row)}
    own = [row for row in rows if not _is_booked(row)]
    splits = [row for row in own if row.type == TransactionType.SPLIT]
    before = [row.effective_date for row in splits]
    matches = [_match(row, known) for row in splits]
    given = [row.date for row in splits]
    days = [match.date if match else row.date for row, match in zip(splits, matches, strict=True)]
    left = [split for split in known if split.date not in dismissed and split not in matches]

    def settled(days: list[date]) -> list[Row]:
        for row, day in zip(splits, days, strict=True):
            row.effective_date = day
        return [*own, *_bookings(holding, own, booked, left)]

    settled_rows = settled(days)
    if days != given and _oversells(settled_rows):
        settled_rows = settled(given)
        if _oversells(settled_rows):  # the days are not to blame
            settled_rows = settled(days)
    if holding.stock.is_manual and not holding.unbooked_split_on:
        unknown = (row.date for row, match in zip(splits, matches, strict=True) if not match)
        holding.unbooked_split_on = max(unknown, default=None)
    for row, day in zip(splits, before, strict=True):
        if isinstance(row, LedgerRow):
            row.is_shifted = row.effective_date != day
    kept = {row.pk for row in settled_rows}
    return settled_rows, [row for row in booked.values() if row.pk not in kept]


def _match(row: Row, known: Iterable[StockSplit]) -> StockSplit | None:
    """The source's split that the user's `row` is."""
    same = (split for split in known if _same(split, row))
    return min(same, key=lambda split: abs(split.date - row.date), default=None)


def _bookings(
    holding: Holding, own: list[Row], booked: dict[date, Row], splits: Iterable[StockSplit]
) -> Iterator[Row]:
    """The rows of the source's `splits` that belong to the user's `own`. Sets
    `unbooked_split_on`.
    """
    holding.unbooked_split_on = None
    rows = list(own)
    for split in splits:
        old = booked.get(split.date)
        booking: Row = old if old and old.quantity == split.ratio else _new_split(holding, split)
        if not _held_on(rows, split.date):
            continue
        if isinstance(booking, Transaction) and _oversells([*rows, booking]):
            if not _oversells(rows):
                holding.unbooked_split_on = split.date
                continue
            if old and not _oversells([*rows, old]):
                holding.unbooked_split_on = split.date
                booking = old
        rows.append(booking)
        yield booking


def _is_booked(row: Row) -> bool:
    return row.source == TransactionSource.MARKET_DATA and row.type == TransactionType.SPLIT


def _same(split: StockSplit, row: Row) -> bool:
    is_near = abs(split.ratio - row.quantity) <= SAME_RATIO * split.ratio
    return is_near and abs(split.date - row.date) <= SAME_SPLIT


def _new_split(holding: Holding, split: StockSplit) -> Transaction:
    return Transaction(
        holding=holding,
        portfolio=holding.portfolio,
        type=TransactionType.SPLIT,
        date=split.date,
        effective_date=split.date,
        quantity=split.ratio,
        source=TransactionSource.MARKET_DATA,
        sequence=0,
    )


def _held_on(rows: list[Row], day: Any) -> Decimal:
    """What is held when `day` begins; an impossible history counts up to where it breaks."""
    held = ZERO
    for row in sorted((row for row in rows if row.effective_date < day), key=order):
        held = shares_after(held, row.type, row.quantity)
    return max(held, ZERO)


def _oversells(rows: list[Row]) -> bool:
    try:
        replay(rows)
    except Oversold:
        return True
    return False


def next_sequence(portfolio: Portfolio) -> int:
    """The next number in the portfolio's order of entry; only under its lock."""
    last = (
        Transaction.objects.filter(portfolio=portfolio)
        .order_by("-sequence")
        .values_list("sequence", flat=True)[:1]
    )
    return (last[0] if last else 0) + 1


def dismiss(row: Transaction) -> None:
    """Remember that the user does not want this split of the source."""
    DismissedSplit.objects.update_or_create(
        holding=row.holding, date=row.date, defaults={"ratio": row.quantity}
    )
