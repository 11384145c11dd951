"""A portfolio's transactions as arrays, stored in the database and cached in the process.

The rows stay the truth. Every change of a holding's transactions increases its `version` in the
same database transaction. Holdings whose version differs are read again, the others are reused.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal, localcontext
from itertools import starmap
from typing import NamedTuple
from uuid import UUID

import msgspec
import numpy as np
import structlog
from django.db import DatabaseError, transaction
from django.db.models import F, FloatField
from django.db.models.functions import Cast, Coalesce
from numpy.typing import NDArray

from financeproj.core.db.rows import pks_of
from financeproj.core.money import EXACT, ZERO
from financeproj.core.shared.versioned_cache import VersionedCache, write_of_a_read
from portfolios.calc.carried import Carried
from portfolios.calc.columns import column, positions_of
from portfolios.calc.cost_rows import cost_rows
from portfolios.calc.kinds import RULES, TransactionType, rank_of, shares_after
from portfolios.calc.layout import Flags, Trades
from portfolios.models import (
    Holding,
    Portfolio,
    Transaction,
    TransactionSource,
    TransactionVector,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

TRANSFER_IN = TransactionType.TRANSFER_IN.rules.code
EPOCH = date(1970, 1, 1)
MAX_BYTES_CACHED = 64 << 20
# A vector is stored again when more than this part of it was read; below it, the next reader can do
# the same little work.
WORTH_STORING = 0.1


def day_number(day: date) -> int:
    return (day - EPOCH).days


def day_of(number: int) -> date:
    return EPOCH + timedelta(days=int(number))


@dataclass(frozen=True, slots=True)
class TradeVector:
    """The transactions of one portfolio.

    `trades.instrument` is an index into `holding_ids`, the holdings with transactions. `versions`
    has all holdings, each with its version when its rows were read, or the one before. `opened` are
    the holdings of which shares were there before the imported files begin: an opening.
    """

    holding_ids: Sequence[UUID]
    trades: Trades
    versions: Mapping[UUID, int]
    opened: Set[UUID] = frozenset()

    @property
    def first_on(self) -> date | None:
        """The day of the first transaction other than an opening."""
        days = self.trades.day[~self._openings()]
        return day_of(days.min()) if len(days) else self.begins_on

    def _openings(self) -> Flags:
        """Mark the openings: they come before all others of their instrument."""
        trades = self.trades
        begins = np.ones(len(trades), dtype=bool)
        begins[1:] = trades.instrument[1:] != trades.instrument[:-1]
        is_opened = np.array([pk in self.opened for pk in self.holding_ids], dtype=bool)
        if len(trades):
            begins &= is_opened[trades.instrument] & (trades.kind == TRANSFER_IN)
        return begins

    @property
    def begins_on(self) -> date | None:
        """The day of the first transaction, an opening too."""
        if not len(self.trades):
            return None
        return day_of(self.trades.day.min())

    @property
    def last_on(self) -> date | None:
        """The day of the last transaction."""
        if not len(self.trades):
            return None
        return day_of(self.trades.day.max())

    def held_between(self, start: date, end: date) -> list[int]:
        """Return the instruments of which shares were held on a day from `start` to `end`."""
        trades = self.trades
        changes_on = np.full(len(trades), np.iinfo(np.int32).max)
        same = trades.instrument[1:] == trades.instrument[:-1]
        changes_on[:-1][same] = trades.day[1:][same]
        held = (trades.held > 0) & (trades.day <= day_number(end))
        held &= changes_on >= day_number(start)
        return np.unique(trades.instrument[held]).tolist()

    @property
    def size(self) -> int:
        """Bytes in memory, roughly."""
        return 69 * len(self.trades) + 250 * len(self.versions)


vector_cache = VersionedCache(MAX_BYTES_CACHED)


def trades_of(
    portfolios: Sequence[Portfolio], holdings: Mapping[UUID, Sequence[Holding]]
) -> dict[UUID, TradeVector]:
    """Return the transactions of each portfolio as arrays.

    `holdings` are all of each portfolio, with their `stock`, read just before. One query for the
    portfolios that this process has not cached, and one for each in which something changed.
    """
    cached = {}
    for portfolio in portfolios:
        vector = vector_cache.get(portfolio.pk, None)
        if vector is not None:
            cached[portfolio.pk] = vector
    known = cached | _stored_vectors(set(pks_of(portfolios)) - cached.keys())
    found = {}
    for portfolio in portfolios:
        old = known.get(portfolio.pk)
        vector, rows_read = update_vector(old, holdings.get(portfolio.pk, ()))
        if vector is not cached.get(portfolio.pk):
            vector_cache.put(portfolio.pk, None, vector, vector.size)
        if old is None or rows_read > WORTH_STORING * len(vector.trades):
            _store(portfolio, vector)
        found[portfolio.pk] = vector
    return found


def _stored_vectors(portfolio_ids: Collection[UUID]) -> dict[UUID, TradeVector]:
    found: dict[UUID, TradeVector] = {}
    if not portfolio_ids:
        return found
    for row in TransactionVector.objects.filter(portfolio__in=portfolio_ids):
        vector = _unpacked(bytes(row.data))
        if vector is not None:
            found[row.portfolio_id] = vector
    return found


def _store(portfolio: Portfolio, vector: TradeVector) -> None:
    """Store the vector, unless another process is writing: a read never waits for that."""
    try:
        with write_of_a_read():
            TransactionVector.objects.update_or_create(
                portfolio=portfolio, defaults={"version": portfolio.version, "data": packed(vector)}
            )
    except DatabaseError:
        log.info("vector_not_stored", portfolio_id=str(portfolio.pk))


# --- Checks and repairs ---------------------------------------------------------------------------


def faulty_vectors() -> Iterator[tuple[TransactionVector, str]]:
    """Yield the stored vectors that would give wrong figures, and why.

    One vector is in memory at a time.
    """
    for pk in list(TransactionVector.objects.order_by("pk").values_list("pk", flat=True)):
        # Checked twice: another process can write between the queries of one check.
        if _fault_of(pk) is None:
            continue
        fault = _fault_of(pk)
        if fault is not None:
            yield fault


def _fault_of(pk: UUID) -> tuple[TransactionVector, str] | None:
    row = TransactionVector.objects.filter(pk=pk).first()
    portfolio = Portfolio.objects.filter(pk=pk).first()
    holdings = list(Holding.objects.filter(portfolio=pk).select_related("stock"))
    if row is None:
        return None
    if portfolio is None:
        return row, "belongs to nothing"
    if row.version > portfolio.version:
        return row, f"claims version {row.version}, the rows are at {portfolio.version}"
    stored = _unpacked(bytes(row.data))
    if stored is None:
        return None
    updated, _ = update_vector(stored, holdings)
    read, _ = update_vector(None, holdings)
    if packed(updated) != packed(read):
        return row, "differs from the stored transactions"
    return None


@transaction.atomic
def discard_vector(vector: TransactionVector) -> None:
    """Delete a vector and have every process read the transactions again."""
    TransactionVector.objects.filter(pk=vector.pk).delete()
    Portfolio.objects.filter(pk=vector.pk).update(version=F("version") + 1)
    Holding.objects.filter(portfolio=vector.pk).update(version=F("version") + 1)


# --- As stored ------------------------------------------------------------------------------------

Column = NDArray[np.generic]  # type: ignore[explicit-any]  # each has a type of its own
_DTYPES = {"instrument": "i4", "day": "i4", "kind": "i1", "group": "i8"}


def packed(vector: TradeVector) -> bytes:
    """Return the vector as it is stored."""
    parts: dict[str, object] = {
        "holdings": [pk.bytes for pk in vector.holding_ids],
        "versions": [(pk.bytes, version) for pk, version in vector.versions.items()],
        "opened": sorted(pk.bytes for pk in vector.opened),
    }
    for name in Trades.__slots__:
        parts[name] = np.ascontiguousarray(getattr(vector.trades, name)).tobytes()
    return msgspec.msgpack.encode(parts)


def _unpacked(data: bytes) -> TradeVector | None:
    """Read a stored vector; None for one of an earlier release, which had fewer columns."""
    parts = msgspec.msgpack.decode(data)
    if not {"versions", "group", "opened"} <= parts.keys():
        return None
    opened = {UUID(bytes=pk) for pk in parts.pop("opened")}
    versions = {UUID(bytes=pk): version for pk, version in parts.pop("versions")}
    holding_ids = [UUID(bytes=pk) for pk in parts.pop("holdings")]
    columns = {}
    for name, part in parts.items():
        columns[name] = np.frombuffer(part, _DTYPES.get(name, "f8"))
    return TradeVector(holding_ids, Trades(**columns), versions, opened)


# --- From the transactions ------------------------------------------------------------------------


def update_vector(old: TradeVector | None, holdings: Sequence[Holding]) -> tuple[TradeVector, int]:
    """Read the changed ones of `holdings` again, and return the vector and how many rows that were.

    It is `old` itself if nothing changed.
    """
    versions = {holding.pk: holding.version for holding in holdings}
    if old is None:
        old = _EMPTY
    elif old.versions == versions:
        return old, 0
    changed = {pk for pk, version in versions.items() if old.versions.get(pk) != version}
    read = _read(changed, covers_all=len(changed) == len(versions), holdings=holdings)
    reused = {pk for pk in old.holding_ids if pk in versions and pk not in changed}
    currency_of = {holding.pk: holding.stock.currency for holding in holdings}
    holding_ids = sorted(reused.union(read.holding_ids), key=lambda pk: (currency_of[pk], pk))
    index_of = positions_of(holding_ids)
    parts = (
        _reindexed(read, index_of),
        _reindexed(old, {pk: index_of[pk] for pk in reused}),
    )
    columns = {}
    for name in Trades.__slots__:
        columns[name] = np.concatenate([getattr(part, name) for part in parts])
    # Each holding comes whole from one part, where its rows are in order already.
    order = np.argsort(columns["instrument"], kind="stable")
    trades = Trades(**columns).take(order)
    opened = read.opened | (old.opened & reused)
    return TradeVector(holding_ids, trades, versions, opened), len(read.trades)


def _reindexed(vector: TradeVector, index_of: Mapping[UUID, int]) -> Trades:
    """Return the transactions of the holdings in `index_of`, with its numbers as instruments."""
    trades = vector.trades
    index = np.array([index_of.get(pk, -1) for pk in vector.holding_ids], dtype=np.int32)
    instrument = trades.instrument
    if len(trades):
        instrument = index[instrument]
    chosen = instrument >= 0
    return replace(trades.take(chosen), instrument=instrument[chosen])


class _Row(NamedTuple):
    """The columns of a transaction that a vector has."""

    holding_id: UUID
    type: str
    effective_date: date
    sequence: int
    quantity: Decimal
    price: float  # 0 without one, as the rate
    commission: float  # with tax
    rate: float
    carried: Carried | None
    source: str
    held: float | None = None
    share: float = 0.0
    group: int = 0

    @property
    def needs_ledger(self) -> bool:
        """Whether its cost does not follow from its own quantity and price."""
        return self.carried is not None or RULES[self.type].returns_cost


class _Entry(NamedTuple):
    """The columns of a transaction that a replay reads."""

    holding_id: UUID
    type: str
    effective_date: date
    sequence: int
    quantity: Decimal
    price: Decimal | None
    commission: Decimal
    tax: Decimal
    exchange_rate: Decimal | None
    group_id: UUID | None
    carried: Carried | None
    source: str


def _read(pks: Collection[UUID], *, covers_all: bool, holdings: Sequence[Holding]) -> TradeVector:
    """Read the vector of some holdings of one portfolio, in no order between them."""
    if not pks:
        return _EMPTY
    rows = []
    place: dict[UUID, int] = {}
    for row in _stored_rows(pks, covers_all=covers_all, holdings=holdings):
        if row.holding_id in pks:  # it can be of a holding that is newer than `holdings`
            place.setdefault(row.holding_id, len(place))
            rows.append(row)
    by_ledger = {row.holding_id for row in rows if row.needs_ledger}
    if by_ledger:
        rows = [row for row in rows if row.holding_id not in by_ledger]
    rows.sort(
        key=lambda row: (
            place[row.holding_id],
            row.effective_date,
            rank_of(row.type, row.quantity),
            row.sequence,
        )
    )
    if by_ledger:
        rows += _rows_by_ledger(by_ledger)
    opened = {row.holding_id for row in rows if row.source == TransactionSource.DERIVED}
    return TradeVector(list(place), _trades(rows, place), {}, opened)


def _rows_by_ledger(pks: Collection[UUID]) -> Iterator[_Row]:
    """Read the rows of holdings that need the exact ledger, each holding's in order."""
    entries: dict[UUID, list[_Entry]] = {}
    stored = Transaction.objects.filter(holding__in=pks)
    for entry in map(_Entry._make, stored.values_list(*_Entry._fields)):
        entries.setdefault(entry.holding_id, []).append(entry)
    for holding_id, ledger in entries.items():
        for stored_entry, rows in cost_rows(ledger):
            for row in rows:
                yield _Row(
                    holding_id=holding_id,
                    type=row.type,
                    effective_date=stored_entry.effective_date,
                    sequence=stored_entry.sequence,
                    quantity=row.quantity,
                    price=row.price,
                    commission=row.commission,
                    rate=row.rate,
                    carried=stored_entry.carried,
                    source=stored_entry.source,
                    held=row.held,
                    share=row.share,
                    group=_number_of(stored_entry),
                )


def _number_of(entry: _Entry) -> int:
    """Return the same number for all rows of an exchange; 0 stands for none."""
    if entry.group_id is None or not RULES[entry.type].is_exchange:
        return 0
    return (entry.group_id.int >> 65) | 1


def _stored_rows(
    pks: Collection[UUID], *, covers_all: bool, holdings: Sequence[Holding]
) -> Iterable[_Row]:
    rows = Transaction.objects.all()
    if covers_all:
        rows = rows.filter(portfolio=holdings[0].portfolio_id, holding__isnull=False)
    else:
        rows = rows.filter(holding__in=pks)
    rows = rows.annotate(
        price_float=Coalesce(Cast("price", FloatField()), 0.0),
        commission_float=Cast(F("commission") + F("tax"), FloatField()),
        rate_float=Coalesce(Cast("exchange_rate", FloatField()), 0.0),
    )
    columns = rows.values_list(
        "holding_id",
        "type",
        "effective_date",
        "sequence",
        "quantity",
        "price_float",
        "commission_float",
        "rate_float",
        "carried",
        "source",
    )
    return starmap(_Row, columns)


def _trades(rows: Sequence[_Row], place: Mapping[UUID, int]) -> Trades:
    """Turn rows, in the order of the ledger, into arrays."""
    instruments = [place[row.holding_id] for row in rows]
    days = [day_number(row.effective_date) for row in rows]
    kinds = [RULES[row.type].code for row in rows]
    return Trades(
        instrument=np.array(instruments, dtype=np.int32),
        day=np.array(days, dtype=np.int32),
        kind=np.array(kinds, dtype=np.int8),
        quantity=column(rows, "quantity", np.float64),
        price=column(rows, "price", np.float64),
        commission=column(rows, "commission", np.float64),
        rate=column(rows, "rate", np.float64),
        held=np.array(_held_after(rows), dtype=np.float64),
        share=column(rows, "share", np.float64),
        group=column(rows, "group", np.int64),
    )


def _held_after(rows: Sequence[_Row]) -> list[float]:
    """Return the exact quantity after each transaction, as a float."""
    held, was_split, holding_id, held_after = ZERO, False, None, []
    with localcontext(EXACT):
        for row in rows:
            if row.held is not None:
                held_after.append(row.held)
                continue
            if row.holding_id != holding_id:
                held, was_split, holding_id = ZERO, False, row.holding_id
            held = shares_after(held, row.type, row.quantity, was_split=was_split)
            was_split = was_split or RULES[row.type].leaves_dust
            held_after.append(float(held))
    return held_after


_EMPTY = TradeVector([], _trades([], {}), {})
