"""Closes of an instrument and rates of a pair as stored arrays, one float64 a calendar day.

The rows are the truth. Each vector carries the version that every write to its rows moves in the
same transaction: a vector of another version is not read, but made from the rows again. A process
also keeps vectors by (id, version).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from threading import Lock
from typing import Any, Generic, TypeVar
from uuid import UUID

import numpy as np
import numpy.typing as npt
import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import F, FloatField, Model, QuerySet
from django.db.models.functions import Cast

from financeproj.core.shared.versioned_cache import VersionedCache, write_of_a_read
from marketdata.calc.rates import Pair
from marketdata.models import (
    CurrencyPair,
    HistoricalExchangeRate,
    HistoricalStockPrice,
    PairVector,
    StockMetadata,
    StockVector,
)
from marketdata.selectors import pair_rows, splits_of

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Floats = npt.NDArray[np.float64]

CACHE_BYTES = 256 * 1024 * 1024
CHECKED_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Vector:
    """`values[i]` belongs to the day with the proleptic ordinal `first + i`."""

    first: int
    values: Floats

    @property
    def last(self) -> int:
        return self.first + len(self.values) - 1


EMPTY = Vector(1, np.empty(0))

vector_cache = VersionedCache(CACHE_BYTES)


Key = TypeVar("Key", bound=UUID | int)


@dataclass(frozen=True, slots=True)
class _Kind(Generic[Key]):
    """What vectors of instruments and of pairs differ in.

    `column` is the foreign key to a row of `owners`, whose version counts.
    """

    model: Any
    owners: Any
    column: str
    from_rows: Callable[[Sequence[Key]], dict[Key, Vector]]


# --- Made from the rows ---------------------------------------------------------------------------


def _days_and_values(
    rows: QuerySet[Any], owner: str, value: str
) -> dict[Any, tuple[list[int], list[float]]]:
    """Return (ordinals of the days, values) by `owner`, oldest first."""
    as_floats = rows.annotate(value=Cast(value, FloatField())).order_by(owner, "date")
    found: dict[Any, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    for owner_id, day, number in as_floats.values_list(owner, "date", "value"):
        days, values = found[owner_id]
        days.append(day.toordinal())
        values.append(number)
    return dict(found)


def _stocks_from_rows(stock_ids: Sequence[UUID]) -> dict[UUID, Vector]:
    rows = HistoricalStockPrice.objects.filter(stock_id__in=stock_ids)
    splits = splits_of(stock_ids)
    vectors = {}
    for stock_id, (days, values) in _days_and_values(rows, "stock_id", "close").items():
        vectors[stock_id] = _filled(days, values, splits.get(stock_id, []))
    return vectors


def _filled(days: list[int], values: list[float], splits: list[tuple[date, Decimal]]) -> Vector:
    """Return every calendar day from the first close on, with gaps filled forward.

    It ends with the last close, or the last split after it. From the day of a split to the next
    close the value is divided by the split's ratio.
    """
    first, end = days[0], days[-1]
    if splits:
        end = max(end, splits[-1][0].toordinal())
    filled = np.repeat(np.asarray(values), np.diff([*days, end + 1]))
    close_days = np.asarray(days)
    for split_date, ratio in splits:
        day = split_date.toordinal()
        if day <= first:
            continue
        until = end + 1
        next_close = np.searchsorted(close_days, day)  # the first close in new shares
        if next_close < len(close_days):
            until = close_days[next_close]
        filled[day - first : until - first] /= float(ratio)
    return Vector(first, filled)


def _pairs_from_rows(pair_ids: Sequence[int]) -> dict[int, Vector]:
    rows = HistoricalExchangeRate.objects.filter(pair_id__in=pair_ids)
    vectors = {}
    for pair_id, (days, values) in _days_and_values(rows, "pair_id", "rate").items():
        dense = np.full(days[-1] - days[0] + 1, np.nan)
        dense[np.asarray(days) - days[0]] = values
        vectors[pair_id] = Vector(days[0], dense)
    return vectors


_STOCKS = _Kind(StockVector, StockMetadata, "stock_id", _stocks_from_rows)
_PAIRS = _Kind(PairVector, CurrencyPair, "pair_id", _pairs_from_rows)


# --- Read, or made and stored ---------------------------------------------------------------------


def stock_vectors(
    stock_ids: Iterable[UUID | str], versions: Mapping[UUID, int] | None = None
) -> dict[UUID, Vector]:
    """Return the closes of each instrument; `versions` of the rows, if the caller has them."""
    if versions is None:
        stocks = StockMetadata.objects.filter(pk__in=set(stock_ids))
        versions = dict(stocks.values_list("pk", "version"))
    return _vectors(versions, _STOCKS)


def pair_vectors(pairs: set[Pair]) -> dict[Pair, Vector]:
    """Return the rates of each stored pair of `pairs` (and perhaps others of their currencies)."""
    pair_of: dict[int, Pair] = {}
    versions: dict[int, int] = {}
    for row in pair_rows(pairs):
        pair_of[row.pk] = (row.base, row.target)
        versions[row.pk] = row.version
    return {pair_of[pk]: vector for pk, vector in _vectors(versions, _PAIRS).items()}


_making = Lock()


def _vectors(versions: Mapping[Key, int], kind: _Kind[Key]) -> dict[Key, Vector]:
    """Return the vector of each id at its version.

    It comes from this process, else from the database, else it is made from the rows and stored.
    `versions` were read before the rows are: a vector may hold more than its version states, which
    costs a repeat, but never less.
    """
    found = _kept_vectors(versions, versions, kind)
    found |= _read_vectors(_without(versions, found), versions, kind)
    missing = _without(versions, found)
    if missing:
        # All requests of a page that lacks a vector come at the same time: one of them makes it.
        # Inside a transaction none waits for the others, which may wait for its rows.
        with nullcontext() if connection.in_atomic_block else _making:
            found |= _kept_vectors(missing, versions, kind)
            found |= _made_vectors(_without(missing, found), versions, kind)
    return found


def _without(ids: Iterable[Key], found: Mapping[Key, Vector]) -> list[Key]:
    return [pk for pk in ids if pk not in found]


def _keep(pk: Key, vector: Vector, versions: Mapping[Key, int], kind: _Kind[Key]) -> None:
    vector_cache.put((kind.column, pk), versions[pk], vector, vector.values.nbytes)


def _kept_vectors(
    ids: Iterable[Key], versions: Mapping[Key, int], kind: _Kind
) -> dict[Key, Vector]:
    wanted = {(kind.column, pk): versions[pk] for pk in ids}
    return {pk: vector for (_, pk), vector in vector_cache.get_many(wanted).items()}


def _read_vectors(
    ids: list[Key], versions: Mapping[Key, int], kind: _Kind[Key]
) -> dict[Key, Vector]:
    if not ids:
        return {}
    stored = kind.model.objects.filter(**{f"{kind.column}__in": ids})
    rows = stored.values_list(kind.column, "version", "first_day", "data")
    found = {}
    for pk, version, first_day, data in rows:
        if version == versions[pk]:
            found[pk] = _vector_of(first_day, data)
            _keep(pk, found[pk], versions, kind)
    return found


def _vector_of(first_day: date | None, data: bytes | memoryview) -> Vector:
    if first_day is None:
        return EMPTY
    return Vector(first_day.toordinal(), np.frombuffer(data))


def _made_vectors(
    ids: list[Key], versions: Mapping[Key, int], kind: _Kind[Key]
) -> dict[Key, Vector]:
    if not ids:
        return {}
    from_rows = kind.from_rows(ids)
    made = {pk: from_rows.get(pk, EMPTY) for pk in ids}
    _store(kind, made, versions)
    for pk, vector in made.items():
        _keep(pk, vector, versions, kind)
    return made


def _store(kind: _Kind[Key], vectors: dict[Key, Vector], versions: Mapping[Key, int]) -> None:
    """Store the vectors unless another write is under way, for which a read never waits."""
    rows = []
    for pk, vector in vectors.items():
        row = kind.model(version=versions[pk], **{kind.column: pk})
        if len(vector.values):
            row.first_day = date.fromordinal(vector.first)
        row.data = vector.values.astype(np.float64, copy=False).tobytes()
        rows.append(row)
    try:
        with write_of_a_read():
            kind.model._default_manager.bulk_create(
                rows,
                update_conflicts=True,
                unique_fields=[kind.column.removesuffix("_id")],
                update_fields=["version", "first_day", "data"],
            )
    except DatabaseError:
        log.info("vectors_not_stored", kind=kind.model.__name__, count=len(rows))


# --- Checked and discarded ------------------------------------------------------------------------


def faulty_vectors() -> Iterator[tuple[Model, str]]:
    """Yield stored vectors that would give wrong figures, with the reason.

    These are orphans, those of a version that does not exist yet, and those of the present version
    with other values than the rows give. One that is behind is not: it is made again when it is
    read. CHECKED_AT_ONCE at a time are in memory.
    """
    yield from _faulty_of(_STOCKS)
    yield from _faulty_of(_PAIRS)


def _faulty_of(kind: _Kind[Key]) -> Iterator[tuple[Model, str]]:
    ids = list(kind.model._default_manager.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), CHECKED_AT_ONCE):
        found = _faulty(kind, ids[start : start + CHECKED_AT_ONCE])
        if found:  # perhaps only because of a write between our reads: look again
            found = _faulty(kind, list(found))
        yield from found.values()


def _faulty(kind: _Kind[Key], ids: list[Key]) -> dict[Key, tuple[Model, str]]:
    stored: list[StockVector | PairVector] = list(kind.model._default_manager.filter(pk__in=ids))
    versions: dict[Key, int] = dict(
        kind.owners.objects.filter(pk__in=ids).values_list("pk", "version")
    )
    current = [row.pk for row in stored if versions.get(row.pk) == row.version]
    expected = kind.from_rows(current)
    found: dict[Key, tuple[Model, str]] = {}
    for row in stored:
        fault = _fault(row, versions.get(row.pk), expected.get(row.pk, EMPTY))
        if fault is not None:
            found[row.pk] = (row, fault)
    return found


def _fault(row: StockVector | PairVector, version: int | None, expected: Vector) -> str | None:
    if version is None:
        return "belongs to nothing"
    if row.version > version:
        return f"claims version {row.version}, the rows are at {version}"
    if row.version == version and not _is_same(row, expected):
        return "differs from the stored prices or rates"
    return None


def _is_same(row: StockVector | PairVector, expected: Vector) -> bool:
    vector = _vector_of(row.first_day, row.data)
    is_aligned = vector.first == expected.first
    return is_aligned and np.array_equal(vector.values, expected.values, equal_nan=True)


@transaction.atomic
def discard_vector(vector: Model) -> None:
    """Delete a stored vector, and move the version, so that processes drop the one they keep."""
    owners: Any = CurrencyPair
    if isinstance(vector, StockVector):
        owners = StockMetadata
    type(vector)._default_manager.filter(pk=vector.pk).delete()
    owners.objects.filter(pk=vector.pk).update(version=F("version") + 1)
