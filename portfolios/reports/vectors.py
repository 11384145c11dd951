"""A portfolio's transactions as arrays, kept in the database and in the process by (portfolio, version).

The rows stay the truth: a vector is read only at the version that the portfolio has, and made anew when that moved.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, localcontext
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import structlog
from django.db import DatabaseError, transaction
from django.db.models import F, FloatField
from django.db.models.functions import Cast

from financeproj.core.kept import Kept, write_of_a_read
from financeproj.core.money import EXACT, ZERO
from portfolios.calc.ledger import CLOSING, OPENING, RANK
from portfolios.calc.performance import Kind, Trades
from portfolios.models import Portfolio, Transaction, TransactionVector

log = structlog.get_logger(__name__)

EPOCH = date(1970, 1, 1)
MOST_BYTES_KEPT = 64 << 20
FLOATS = ("quantity", "price", "commission", "rate", "held")


def day_number(day: date) -> int:
    return (day - EPOCH).days


def day_of(number: int) -> date:
    return EPOCH + timedelta(days=int(number))


@dataclass(frozen=True, slots=True)
class TradeVector:
    """`trades.instrument` counts in `holding_ids`, every holding that has transactions."""

    holding_ids: Sequence[UUID]
    trades: Trades

    @property
    def first_on(self) -> date | None:
        """The day of the first transaction."""
        return day_of(self.trades.day.min()) if len(self.trades) else None

    @property
    def size(self) -> int:
        return 53 * len(self.trades) + 100 * len(self.holding_ids)


kept = Kept(MOST_BYTES_KEPT)


def trades_of(portfolios: Sequence[Portfolio]) -> dict[UUID, TradeVector]:
    """The transactions of each portfolio as arrays; one query for those that this process does not have yet."""
    found: dict[UUID, TradeVector] = {}
    for portfolio in portfolios:
        if (vector := kept.get(portfolio.pk, portfolio.version)) is not None:
            found[portfolio.pk] = vector
    lacking = {portfolio.pk: portfolio for portfolio in portfolios if portfolio.pk not in found}
    for row in TransactionVector.objects.filter(portfolio__in=list(lacking)) if lacking else ():
        if row.version == lacking[row.portfolio_id].version:
            found[row.portfolio_id] = _unpacked(bytes(row.data))
    for pk, portfolio in lacking.items():
        if pk not in found:
            found[pk] = _made(portfolio)
            _store(portfolio, found[pk])
        kept.put(pk, portfolio.version, found[pk], found[pk].size)
    return found


def _store(portfolio: Portfolio, vector: TradeVector) -> None:
    """Keep the vector in the database, unless somebody else is writing: a read never waits for that."""
    try:
        with write_of_a_read():
            TransactionVector.objects.update_or_create(
                portfolio=portfolio, defaults={"version": portfolio.version, "data": _packed(vector)}
            )
    except DatabaseError:
        log.info("vector_not_stored", portfolio_id=str(portfolio.pk))


def faulty_vectors() -> Iterator[tuple[TransactionVector, str]]:
    """Stored vectors that would give wrong figures, and why, as `marketdata.series.faulty_vectors`. One is in memory
    at a time."""
    for pk in list(TransactionVector.objects.order_by("pk").values_list("pk", flat=True)):
        if _fault_of(pk) and (found := _fault_of(pk)):  # twice: somebody may have written between our reads
            yield found


def _fault_of(pk: UUID) -> tuple[TransactionVector, str] | None:
    row = TransactionVector.objects.filter(pk=pk).first()
    portfolio = Portfolio.objects.filter(pk=pk).first()
    if row is None:
        return None
    if portfolio is None:
        return row, "belongs to nothing"
    if row.version > portfolio.version:
        return row, f"claims version {row.version}, the rows are at {portfolio.version}"
    if row.version == portfolio.version and bytes(row.data) != _packed(_made(portfolio)):
        return row, "differs from the stored transactions"
    return None


@transaction.atomic
def discard_vector(vector: TransactionVector) -> None:
    """Have it made anew at the next read, by processes that keep it in memory too."""
    TransactionVector.objects.filter(pk=vector.pk).delete()
    Portfolio.objects.filter(pk=vector.pk).update(version=F("version") + 1)


def _packed(vector: TradeVector) -> bytes:
    arrays = {name: np.ascontiguousarray(getattr(vector.trades, name)).tobytes() for name in Trades.__slots__}
    return msgspec.msgpack.encode({"holdings": [one.bytes for one in vector.holding_ids], **arrays})


def _unpacked(data: bytes) -> TradeVector:
    parts: dict[str, Any] = msgspec.msgpack.decode(data)
    holding_ids = [UUID(bytes=one) for one in parts.pop("holdings")]
    dtypes = {"instrument": np.int32, "day": np.int32, "kind": np.int8}
    return TradeVector(
        holding_ids, Trades(**{name: np.frombuffer(part, dtypes.get(name, np.float64)) for name, part in parts.items()})
    )


_CODE = {kind.name.lower(): int(kind) for kind in Kind}


def _made(portfolio: Portfolio) -> TradeVector:
    """The vector made from the rows, instruments of one currency together."""
    rows = list(
        Transaction.objects.filter(portfolio=portfolio)
        .annotate(
            price_float=Cast("price", FloatField()),
            commission_float=Cast("commission", FloatField()),
            rate_float=Cast("exchange_rate", FloatField()),
        )
        .values_list(
            "holding_id", "holding__stock__currency", "type", "effective_date", "sequence", "quantity",
            "price_float", "commission_float", "rate_float",
        )
    )  # fmt: skip
    holdings = sorted({(row[1], row[0]) for row in rows})
    place = {holding_id: index for index, (_, holding_id) in enumerate(holdings)}
    rows.sort(key=lambda row: (place[row[0]], row[3], RANK[row[2]], row[4]))
    columns = list(zip(*rows, strict=True)) or [()] * 9

    def floats(values: Sequence[float | None]) -> Any:
        return np.array([value or 0.0 for value in values], dtype=np.float64)

    return TradeVector(
        [holding_id for _, holding_id in holdings],
        Trades(
            instrument=np.array([place[holding_id] for holding_id in columns[0]], dtype=np.int32),
            day=np.array([day_number(day) for day in columns[3]], dtype=np.int32),
            kind=np.array([_CODE[kind] for kind in columns[2]], dtype=np.int8),
            quantity=np.array([float(quantity) for quantity in columns[5]], dtype=np.float64),
            price=floats(columns[6]),
            commission=floats(columns[7]),
            rate=floats(columns[8]),
            held=np.array(_held(columns[0], columns[2], columns[5]), dtype=np.float64),
        ),
    )


def _held(holding_ids: Sequence[UUID], kinds: Sequence[str], quantities: Sequence[Decimal]) -> list[float]:
    """The exact quantity after each transaction, as a float; all in the order of the ledger."""
    held, of, result = ZERO, None, []
    with localcontext(EXACT):
        for holding_id, kind, quantity in zip(holding_ids, kinds, quantities, strict=True):
            if holding_id != of:
                held, of = ZERO, holding_id
            if kind in OPENING:
                held += quantity
            elif kind in CLOSING:
                held -= quantity
            elif kind == "split":
                held *= quantity
            result.append(float(held))
    return result
