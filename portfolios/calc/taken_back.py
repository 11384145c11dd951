"""What an import keeps of the transactions that it took back."""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from uuid import uuid4

import msgspec
from msgspec import Struct

from financeproj.core.money import ONE, ZERO
from portfolios.calc.agreement import BookedRow
from portfolios.calc.kinds import TransactionType

# The key of such an entry of `ImportBatch.completed_rows`.
TAKEN_BACK = "taken_back"


class Entry(Struct, rename={"columns": TAKEN_BACK}):
    """What ImportBatch.completed_rows keeps of a transaction that is gone: its columns, and the
    fingerprint, the id and the day of the row that reversed it. `ticker` is empty without holding,
    and `group` has the columns of the group of which it was a leg.
    """

    columns: dict[str, str | None]
    ticker: str
    by: str
    by_id: str | None
    on: date
    group: dict[str, str | None] | None = None


def entries_of(completed: Mapping[str, Mapping[str, object]]) -> dict[str, Entry]:
    """Return what an import took back, by the id of the row that is gone."""
    return {
        pk: msgspec.convert(said, Entry) for pk, said in completed.items() if TAKEN_BACK in said
    }


def booked_rows_of(entry: Entry) -> Iterator[BookedRow]:
    """Yield what the broker's balances have of a row that is gone: its money comes on its own
    booking day and leaves on that of the row that reversed it.
    """
    amount, booked = entry.columns["imported_amount"], entry.columns["imported_on"]
    if not entry.by or not amount or not booked:
        return
    currency = entry.columns["imported_currency"]
    moved = Decimal(amount)
    for day, signed in ((date.fromisoformat(booked), moved), (entry.on, -moved)):
        yield BookedRow(
            pk=uuid4(),
            ticker=None,
            type=TransactionType.ADJUSTMENT,
            date=day,
            effective_date=day,
            sequence=0,
            quantity=ONE,
            price=abs(signed),
            commission=ZERO,
            tax=ZERO,
            exchange_rate=None,
            settlement_currency=currency,
            settlement_amount=signed,
            booked_on=None,
            carried=None,
            source="import",
            import_id=None,
        )
