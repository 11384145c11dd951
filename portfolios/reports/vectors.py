"""A portfolio's transactions as arrays, kept in the database and in the process.

The rows stay the truth. Whatever changes a holding's transactions moves its `version` in the same
database transaction: the parts of the vector of which the version differs are read anew, the others
are taken over.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
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

from financeproj.core.money import EXACT, ZERO
from financeproj.core.shared.versioned_cache import VersionedCache, write_of_a_read
from portfolios.calc.kinds import RULES, shares_after
from portfolios.calc.performance import Trades
from portfolios.models import Holding, Portfolio, Transaction, TransactionVector

log = structlog.get_logger(__name__)

EPOCH = date(1970, 1, 1)
MOST_BYTES_KEPT = 64 << 20
# A vector of which less than this part was read anew is not stored again: the next reader does the
# same little work.
WORTH_STORING = 0.1


def day_number(day: date) -> int:
    return (day - EPOCH).days


def day_of(number: int) -> date:
    return EPOCH + timedelta(days=int(number))


@dataclass(frozen=True, slots=True)
class TradeVector:
    """`trades.instrument` counts in `holding_ids`, every holding that has transactions.

    `versions` has all holdings, each with the version that it had, or was about to leave, when its
    rows were read.
    """

    holding_ids: Sequence[UUID]
    trades: Trades
    versions: Mapping[UUID, int]

    @property
    def first_on(self) -> date | None:
        """The day of the first transaction."""
        return day_of(self.trades.day.min()) if len(self.trades) else None

    @property
    def size(self) -> int:
        return 53 * len(self.trades) + 250 * len(self.versions)


vector_cache = VersionedCache(MOST_BYTES_KEPT)


def trades_of(
    portfolios: Sequence[Portfolio], holdings: Mapping[UUID, Sequence[Holding]]
) -> dict[UUID, TradeVector]:
    """The transactions of each portfolio as arrays. `holdings` are all of each, with their `stock`,
    read just before.

    One query for the portfolios that this process does not know, and one for each of which
    something changed.
    """
    before = {portfolio.pk: vector_cache.get(portfolio.pk, None) for portfolio in portfolios}
    unknown = [pk for pk, vector in before.items() if vector is None]
    for row in TransactionVector.objects.filter(portfolio__in=unknown) if unknown else ():
        before[row.portfolio_id] = _unpacked(bytes(row.data))
    found = {}
    for portfolio in portfolios:
        old = before[portfolio.pk]
        vector, rows_read = brought_up(old, holdings.get(portfolio.pk, ()))
        if vector is not old or portfolio.pk in unknown:
            vector_cache.put(portfolio.pk, None, vector, vector.size)
        if old is None or rows_read > WORTH_STORING * len(vector.trades):
            _store(portfolio, vector)
        found[portfolio.pk] = vector
    return found


def _store(portfolio: Portfolio, vector: TradeVector) -> None:
    """Keep the vector in the database, unless somebody else is writing: a read never waits for
    that.
    """
    try:
        with write_of_a_read():
            TransactionVector.objects.update_or_create(
                portfolio=portfolio, defaults={"version": portfolio.version, "data": packed(vector)}
            )
    except DatabaseError:
        log.info("vector_not_stored", portfolio_id=str(portfolio.pk))


def faulty_vectors() -> Iterator[tuple[TransactionVector, str]]:
    """Stored vectors that would give wrong figures, and why, as `marketdata.vectors.faulty_vectors`.
    One is in memory at a time.
    """
    for pk in list(TransactionVector.objects.order_by("pk").values_list("pk", flat=True)):
        if _fault_of(pk) and (
            found := _fault_of(pk)
        ):  # twice: somebody may have written between our reads
            yield found


def _fault_of(pk: UUID) -> tuple[TransactionVector, str] | None:
    row = TransactionVector.objects.filter(pk=pk).first()
    portfolio = Portfolio.objects.filter(pk=pk).first()
    holdings = Holding.objects.filter(portfolio=pk).select_related("stock")
    if row is None:
        return None
    if portfolio is None:
        return row, "belongs to nothing"
    if row.version > portfolio.version:
        return row, f"claims version {row.version}, the rows are at {portfolio.version}"
    vector = _unpacked(bytes(row.data))
    if vector and packed(brought_up(vector, holdings)[0]) != packed(brought_up(None, holdings)[0]):
        return row, "differs from the stored transactions"
    return None


@transaction.atomic
def discard_vector(vector: TransactionVector) -> None:
    """Have it made anew at the next read, by processes that keep it in memory too."""
    TransactionVector.objects.filter(pk=vector.pk).delete()
    Portfolio.objects.filter(pk=vector.pk).update(version=F("version") + 1)
    Holding.objects.filter(portfolio=vector.pk).update(version=F("version") + 1)


def packed(vector: TradeVector) -> bytes:
    arrays = {
        name: np.ascontiguousarray(getattr(vector.trades, name)).tobytes()
        for name in Trades.__slots__
    }
    versions = [(pk.bytes, version) for pk, version in vector.versions.items()]
    holdings = [one.bytes for one in vector.holding_ids]
    return msgspec.msgpack.encode({"holdings": holdings, "versions": versions, **arrays})


def _unpacked(data: bytes) -> TradeVector | None:
    """None for a vector of an earlier release, which had no versions of holdings."""
    parts: dict[str, Any] = msgspec.msgpack.decode(data)
    if "versions" not in parts:
        return None
    versions = {UUID(bytes=pk): version for pk, version in parts.pop("versions")}
    holding_ids = [UUID(bytes=one) for one in parts.pop("holdings")]
    trades = Trades(
        **{name: np.frombuffer(part, _DTYPES.get(name, np.float64)) for name, part in parts.items()}
    )
    return TradeVector(holding_ids, trades, versions)


_DTYPES: Mapping[str, Any] = {"instrument": np.int32, "day": np.int32, "kind": np.int8}


def brought_up(old: TradeVector | None, holdings: Sequence[Holding]) -> tuple[TradeVector, int]:
    """`old` with the changed ones among `holdings` read anew, and how many rows that were; `old`
    itself if none is.
    """
    versions = {holding.pk: holding.version for holding in holdings}
    if old is not None and old.versions == versions:
        return old, 0
    known = old.versions if old is not None else {}
    changed = {pk for pk, version in versions.items() if known.get(pk) != version}
    fresh = _read(changed, is_all=len(changed) == len(versions), holdings=holdings)
    filled = set(fresh.holding_ids)
    if old is not None:
        filled.update(pk for pk in old.holding_ids if pk in versions and pk not in changed)
    currency = {holding.pk: holding.stock.currency for holding in holdings}
    holding_ids = sorted(filled, key=lambda pk: (currency[pk], pk))
    place = {pk: index for index, pk in enumerate(holding_ids)}
    parts = [_placed(fresh, place)]
    if old is not None:
        parts.append(_placed(old, {pk: index for pk, index in place.items() if pk not in changed}))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in Trades.__slots__}
    # Each holding comes whole from one part, where it is in order already.
    order = np.argsort(columns["instrument"], kind="stable")
    trades = Trades(**{name: column[order] for name, column in columns.items()})
    return TradeVector(holding_ids, trades, versions), len(fresh.trades)


def _placed(vector: TradeVector, place: Mapping[UUID, int]) -> dict[str, Any]:
    """The columns of the holdings in `place`, with these as instruments."""
    index = np.array([place.get(pk, -1) for pk in vector.holding_ids], dtype=np.int32)
    instrument = index[vector.trades.instrument] if len(vector.trades) else vector.trades.instrument
    chosen = instrument >= 0
    columns = {name: getattr(vector.trades, name)[chosen] for name in Trades.__slots__}
    return columns | {"instrument": instrument[chosen]}


def _read(pks: Collection[UUID], *, is_all: bool, holdings: Sequence[Holding]) -> TradeVector:
    """The vector of some holdings of one portfolio, in no order between them."""
    rows: list[Any] = []
    if pks:
        of = {"portfolio": holdings[0].portfolio_id} if is_all else {"holding__in": pks}
        rows = list(
            Transaction.objects.filter(**of)
            .annotate(
                price_float=Cast("price", FloatField()),
                commission_float=Cast("commission", FloatField()),
                rate_float=Cast("exchange_rate", FloatField()),
            )
            .values_list(
                "holding_id", "type", "effective_date", "sequence", "quantity",
                "price_float", "commission_float", "rate_float",
            )
        )  # fmt: skip
    rows = [row for row in rows if row[0] in pks]  # not of a holding that is newer than `holdings`
    place = {pk: index for index, pk in enumerate(dict.fromkeys(row[0] for row in rows))}
    rows.sort(key=lambda row: (place[row[0]], row[2], RULES[row[1]].rank, row[3]))
    columns = list(zip(*rows, strict=True)) or [()] * 8

    def floats(values: Sequence[float | None]) -> Any:
        return np.array([value or 0.0 for value in values], dtype=np.float64)

    trades = Trades(
        instrument=np.array([place[pk] for pk in columns[0]], dtype=np.int32),
        day=np.array([day_number(day) for day in columns[2]], dtype=np.int32),
        kind=np.array([RULES[kind].code for kind in columns[1]], dtype=np.int8),
        quantity=np.array([float(quantity) for quantity in columns[4]], dtype=np.float64),
        price=floats(columns[5]),
        commission=floats(columns[6]),
        rate=floats(columns[7]),
        held=np.array(_held(columns[0], columns[1], columns[4]), dtype=np.float64),
    )
    return TradeVector(list(place), trades, {})


def _held(
    holding_ids: Sequence[UUID], kinds: Sequence[str], quantities: Sequence[Decimal]
) -> list[float]:
    """The exact quantity after each transaction, as a float; all in the order of the ledger."""
    held, of, result = ZERO, None, []
    with localcontext(EXACT):
        for holding_id, kind, quantity in zip(holding_ids, kinds, quantities, strict=True):
            if holding_id != of:
                held, of = ZERO, holding_id
            held = shares_after(held, kind, quantity)
            result.append(float(held))
    return result
