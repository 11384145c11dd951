"""Find splits that a user records a second time."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from financeproj.core.errors import Conflict
from financeproj.core.money import strip_zeros
from portfolios.calc.kinds import TransactionType
from portfolios.models import Transaction, TransactionSource
from portfolios.services.ledger_rows import LedgerRow, stored_rows
from portfolios.services.split_booking import SAME_SPLIT, held_on, same_split


def repeated_splits(rows: Sequence[LedgerRow], new: Iterable[LedgerRow]) -> dict[UUID, LedgerRow]:
    """Return by id those of the `new` rows that are a split which the user has already.

    `rows` are those of the holding, `new` the candidates among them or next to them. The value is
    the earlier row.
    """
    candidates = [row for row in new if row.type == TransactionType.SPLIT]
    if not candidates:
        return {}
    fresh = {row.pk for row in candidates}
    is_booked = TransactionSource.MARKET_DATA
    known = [row for row in rows if row.type == TransactionType.SPLIT and row.pk not in fresh]
    known = [row for row in known if row.source != is_booked]
    repeated: dict[UUID, LedgerRow] = {}
    counted = [row for row in rows if row.pk not in fresh]
    held_before: dict[tuple[date, UUID | None], Decimal] = {}
    for row in sorted(candidates, key=lambda row: (row.date, row.sequence)):
        for earlier in known:
            if abs(earlier.date - row.date) > SAME_SPLIT:
                continue
            day = min(earlier.date, row.date)
            without = earlier.pk if earlier.effective_date < day else None
            # Once a day, or a file of many splits takes forever: what counts before that day is
            # complete, as the candidates come by date.
            if (day, without) not in held_before:
                others = [other for other in counted if other.pk != without]
                held_before[day, without] = held_on(others, day)
            held = held_before[day, without]
            if same_split(earlier.quantity, row.quantity, held=held):
                repeated[row.pk] = earlier
                break
        else:
            known.append(row)
            counted.append(row)
    return repeated


def refuse_repeated_split(row: Transaction) -> None:
    """Raise Conflict (`duplicate_split`) where the stored `row` is a split that the user has."""
    if row.type != TransactionType.SPLIT:
        return
    holding = row.own_holding
    rows = stored_rows([holding])[holding.pk]
    repeated = repeated_splits(rows, [one for one in rows if one.pk == row.pk])
    earlier = repeated.get(row.pk)
    if earlier is None:
        return
    raise Conflict(
        f"The holding already has this split: {strip_zeros(earlier.quantity)} new shares for one, "
        f"on {earlier.date} (transaction {earlier.pk}). Send force=true to record both.",
        attr="quantity",
        code="duplicate_split",
        more={"transaction_id": str(earlier.pk)},
    )
