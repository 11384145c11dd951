"""Booking the splits that the source knows among the rows of a holding."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

from financeproj.core.money import ZERO
from marketdata.models import StockSplit
from portfolios.calc.kinds import RULES, TransactionType, shares_after
from portfolios.calc.ledger import Oversold, order, replay
from portfolios.models import (
    DismissedSplit,
    Holding,
    Transaction,
    TransactionSource,
)
from portfolios.services.ledger_rows import LedgerRow

# Brokers book a split up to a week from the day on which it took effect.
SAME_SPLIT = timedelta(days=7)
# And write a third as 0.333 or 0.3333333.
SAME_RATIO = Decimal("0.001")


def settle_splits(
    holding: Holding,
    rows: list[LedgerRow],
    *,
    known: Iterable[StockSplit],
    dismissed: Collection[date],
) -> tuple[list[LedgerRow], list[LedgerRow]]:
    """Return `rows` with the source's splits booked where they belong, and the booked ones that do
    not. Stores nothing.

    A split of the source gives way to one of the same ratio that the user booked within a week,
    which then counts on the source's day, unless a sale in between needs it on its own. It is not
    booked where nothing is held, where the user deleted it (`dismissed`), or where it would make a
    later sale exceed the holding. Nor does a corrected ratio replace the booked one that a sale
    needs. `unbooked_split_on` then says so, and also of which day a split is that the prices of an
    instrument priced by hand know nothing of. `known` is in the order of dates.
    """
    booked: dict[date, LedgerRow] = {}
    own: list[LedgerRow] = []
    splits: list[_UserSplit] = []
    for row in rows:
        if _is_booked(row):
            booked[row.date] = row
            continue
        own.append(row)
        if row.type == TransactionType.SPLIT:
            splits.append(_UserSplit(row, _matching_split(row, known), row.effective_date))
    matched = [split.match for split in splits]
    wanted = [split for split in known if split not in matched and split.date not in dismissed]
    settled = _settle_days(holding, own, splits, booked, wanted)
    if holding.stock.is_manual and not holding.unbooked_split_on:
        unknown = [split.row.date for split in splits if split.match is None]
        holding.unbooked_split_on = max(unknown, default=None)
    kept = {row.pk for row in settled}
    return settled, [row for row in booked.values() if row.pk not in kept]


@dataclass(frozen=True, slots=True)
class _UserSplit:
    """A split that the user entered, the same one of the source, and the day on which it counted
    before.
    """

    row: LedgerRow
    match: StockSplit | None
    day_before: date


def _settle_days(
    holding: Holding,
    own: list[LedgerRow],
    splits: list[_UserSplit],
    booked: dict[date, LedgerRow],
    wanted: list[StockSplit],
) -> list[LedgerRow]:
    """Let the user's `splits` count on the source's days, or on their own where a sale needs that,
    and book the `wanted` ones.
    """

    def settle(*, by_source: bool) -> list[LedgerRow]:
        for split in splits:
            split.row.effective_date = split.row.date
            if by_source and split.match:
                split.row.effective_date = split.match.date
        return [*own, *_bookings(holding, own, booked, wanted)]

    settled = settle(by_source=True)
    is_moved = any(split.row.effective_date != split.row.date for split in splits)
    if is_moved and _oversells(settled):
        settled = settle(by_source=False)
        if _oversells(settled):  # the days are not to blame
            settled = settle(by_source=True)
    for split in splits:
        split.row.is_shifted = split.row.effective_date != split.day_before
    return settled


def _matching_split(row: LedgerRow, known: Iterable[StockSplit]) -> StockSplit | None:
    """Find the source's split that the user's `row` is: the nearest of the same ratio."""
    nearest: StockSplit | None = None
    for split in known:
        if not _is_same(split, row):
            continue
        if nearest is None or abs(split.date - row.date) < abs(nearest.date - row.date):
            nearest = split
    return nearest


def _bookings(
    holding: Holding,
    own: list[LedgerRow],
    booked: dict[date, LedgerRow],
    splits: Iterable[StockSplit],
) -> list[LedgerRow]:
    """Return the rows of the source's `splits` that belong to the user's `own`. Sets
    `unbooked_split_on`.
    """
    holding.unbooked_split_on = None
    bookings: list[LedgerRow] = []
    for split in splits:
        rows = [*own, *bookings]
        if not _held_on(rows, split.date):
            continue
        old = booked.get(split.date)
        if old and old.quantity == split.ratio:
            bookings.append(old)
            continue
        new = _new_split(holding, split)
        if not _oversells([*rows, new]):
            bookings.append(new)
        elif not _oversells(rows):
            holding.unbooked_split_on = split.date
        elif old and not _oversells([*rows, old]):
            holding.unbooked_split_on = split.date
            bookings.append(old)
        else:
            bookings.append(new)
    return bookings


def _is_booked(row: LedgerRow) -> bool:
    return row.source == TransactionSource.MARKET_DATA and row.type == TransactionType.SPLIT


def _is_same(split: StockSplit, row: LedgerRow) -> bool:
    is_near = abs(split.ratio - row.quantity) <= SAME_RATIO * split.ratio
    return is_near and abs(split.date - row.date) <= SAME_SPLIT


def _new_split(holding: Holding, split: StockSplit) -> LedgerRow:
    return LedgerRow(
        pk=uuid4(),
        holding_id=holding.pk,
        type=TransactionType.SPLIT,
        effective_date=split.date,
        date=split.date,
        sequence=0,
        quantity=split.ratio,
        price=None,
        commission=ZERO,
        exchange_rate=None,
        source=TransactionSource.MARKET_DATA,
        is_new=True,
    )


def _held_on(rows: list[LedgerRow], day: date) -> Decimal:
    """Return what is held when `day` begins; an impossible history counts up to where it breaks."""
    held, was_split = ZERO, False
    for row in sorted(rows, key=order):
        if row.effective_date >= day:
            break
        held = shares_after(held, row.type, row.quantity, was_split=was_split)
        was_split = was_split or RULES[row.type].is_ratio
    return max(held, ZERO)


def _oversells(rows: list[LedgerRow]) -> bool:
    try:
        replay(rows)
    except Oversold:
        return True
    return False


def dismiss(row: Transaction) -> None:
    """Remember that the user does not want this split of the source."""
    DismissedSplit.objects.update_or_create(
        holding=row.holding, date=row.date, defaults={"ratio": row.quantity}
    )
