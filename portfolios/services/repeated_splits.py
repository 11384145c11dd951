"""Find splits that a user records a second time."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from financeproj.core.db.rows import pks_of
from financeproj.core.errors import Conflict
from financeproj.core.money import strip_zeros
from portfolios.calc.kinds import TransactionType
from portfolios.models import Holding, Transaction, TransactionSource
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
    fresh = set(pks_of(candidates))
    counted: list[LedgerRow] = []
    known: list[LedgerRow] = []
    for row in rows:
        if row.pk in fresh:
            continue
        counted.append(row)
        if row.type == TransactionType.SPLIT and row.source != TransactionSource.MARKET_DATA:
            known.append(row)
    repeated: dict[UUID, LedgerRow] = {}
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
    """Raise RepeatedSplit where the stored `row` is a split that the user has already."""
    if row.type == TransactionType.SPLIT:
        refuse_repeated_splits(row.own_holding, {row.pk: False})


def refuse_repeated_splits(holding: Holding, new: Mapping[UUID, bool]) -> None:
    """Raise RepeatedSplit where one of the `new` splits of a holding, all stored, is one that the
    user has already, also among the new ones.

    The values say which of them are recorded nevertheless.
    """
    if not new:
        return
    rows = stored_rows([holding])[holding.pk]
    candidates = [row for row in rows if row.pk in new]
    for pk, earlier in repeated_splits(rows, candidates).items():
        if not new[pk]:
            raise RepeatedSplit(pk, earlier)


class RepeatedSplit(Conflict):
    """The split `pk` is the same as an `earlier` one."""

    def __init__(self, pk: UUID, earlier: LedgerRow) -> None:
        self.pk = pk
        super().__init__(
            "The holding already has this split: "
            f"{strip_zeros(earlier.quantity)} new shares for one, on {earlier.date} "
            f"(transaction {earlier.pk}). Send force=true to record both.",
            attr="quantity",
            code="duplicate_split",
            more={"transaction_id": str(earlier.pk)},
        )
