"""Closes and rates as float64 arrays, one value a calendar day.

The rows are the truth. Beside them lies one vector per instrument and per pair, stamped with the
version that every write to the rows moves in its transaction: a vector of another version is not
read but made anew. A process also keeps vectors by (id, version).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import blake2b
from threading import Lock
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import F, FloatField, Model, Q
from django.db.models.functions import Cast
from django.utils import timezone

from financeproj.core.shared.versioned_cache import VersionedCache, write_of_a_read
from marketdata.calc.rates import FRESH_DAYS, VIA, Pair, pairs_needed
from marketdata.models import (
    CurrencyPair,
    HistoricalExchangeRate,
    HistoricalStockPrice,
    PairVector,
    StockMetadata,
    StockVector,
)
from marketdata.selectors import PriceNow, prices_now, splits_of

log = structlog.get_logger(__name__)

Array = npt.NDArray[np.float64]
Ages = npt.NDArray[np.int64]

KEPT_BYTES = 256 * 1024 * 1024
CHECKED_AT_ONCE = 50
NEVER = 10**6  # the age of a rate that does not exist, in days


@dataclass(frozen=True, slots=True)
class _Vector:
    """`values[i]` belongs to the day with the proleptic ordinal `first + i`."""

    first: int
    values: Array

    @property
    def last(self) -> int:
        return self.first + len(self.values) - 1


kept = VersionedCache(KEPT_BYTES)


# --- Instruments ----------------------------------------------------------------------------------


def closes(
    stock_ids: Sequence[UUID],
    start: date,
    end: date,
    *,
    latest: Mapping[UUID, PriceNow] | None = None,
    versions: Mapping[UUID, int] | None = None,
) -> Array:
    """Closes of the instruments on each calendar day from `start` to `end`: shape [instrument,
    day].

    As traded, in the instrument's currency and in the shares of the day; a day without one has the
    last earlier close (divided by the ratio of a split since), days before the first known close
    are NaN. Today's is the latest known price, so that a series ends with what the summaries say;
    `latest` is that of `prices_now`, and `versions` those of the instruments, if the caller has
    them already.
    """
    first, days = start.toordinal(), (end - start).days + 1
    matrix = np.full((len(stock_ids), max(days, 0)), np.nan)
    vectors = _stock_vectors(stock_ids, versions)
    for row, stock_id in zip(matrix, stock_ids, strict=True):
        if (vector := vectors.get(stock_id)) is not None:
            _lay(row, vector, first)
    today = timezone.localdate().toordinal() - first
    if 0 <= today < days:
        latest = prices_now(stock_ids) if latest is None else latest
        for row, stock_id in zip(matrix, stock_ids, strict=True):
            if (price := latest.get(stock_id)) is not None:
                row[today:] = float(price.price * price.ahead)
    return matrix


def _lay(row: Array, vector: _Vector, first: int) -> None:
    """Copy the part of `vector` that falls on the days of `row`, and carry its last value to the
    end.
    """
    if not len(vector.values):
        return
    begin, end = max(vector.first, first), min(vector.last, first + len(row) - 1)
    if begin <= end:
        row[begin - first : end - first + 1] = vector.values[
            begin - vector.first : end - vector.first + 1
        ]
    if vector.last < first + len(row) - 1:
        row[max(vector.last + 1 - first, 0) :] = vector.values[-1]


def split_events(stock_ids: Iterable[UUID]) -> dict[UUID, list[tuple[date, Decimal]]]:
    """Splits (date, new shares per old one) by instrument, oldest first; instruments without any
    are absent.
    """
    return splits_of(stock_ids)


def prepare(stock_ids: Iterable[UUID | str]) -> None:
    """Make the vectors of these instruments where a write has left them behind; for whoever
    wrote.
    """
    _stock_vectors(list(stock_ids))


def _stock_vectors(
    stock_ids: Sequence[UUID | str], versions: Mapping[UUID, int] | None = None
) -> dict[UUID, _Vector]:
    if versions is None:
        versions = dict(
            StockMetadata.objects.filter(pk__in=set(stock_ids)).values_list("pk", "version")
        )
    return _vectors(versions, StockVector, "stock_id", _stocks_from_rows)


def _stocks_from_rows(stock_ids: Sequence[UUID]) -> dict[UUID, _Vector]:
    rows = HistoricalStockPrice.objects.filter(stock_id__in=stock_ids).annotate(
        value=Cast("close", FloatField())
    )
    found: dict[UUID, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    for stock_id, day, value in rows.order_by("stock_id", "date").values_list(
        "stock_id", "date", "value"
    ):
        days, values = found[stock_id]
        days.append(day.toordinal())
        values.append(value)
    splits = splits_of(stock_ids)
    return {
        stock_id: _filled(days, values, splits.get(stock_id, []))
        for stock_id, (days, values) in found.items()
    }


def _filled(days: list[int], values: list[float], splits: list[tuple[date, Decimal]]) -> _Vector:
    """Every calendar day from the first close to the last (or the last split after it), gaps filled
    forward.
    """
    first = days[0]
    end = max(days[-1], *(day.toordinal() for day, _ in splits)) if splits else days[-1]
    filled = np.repeat(np.asarray(values), np.diff([*days, end + 1]))
    closing = np.asarray(days)
    for split, ratio in splits:
        day = split.toordinal()
        following = np.searchsorted(closing, day)  # the first close in new shares
        if day > first:
            until = closing[following] if following < len(closing) else end + 1
            filled[day - first : until - first] /= float(ratio)
    return _Vector(first, filled)


# --- Pairs of currencies --------------------------------------------------------------------------


def rates(pairs: Sequence[Pair], start: date, end: date) -> Array:
    """Units of target for one base on each calendar day, by the lookup rule: shape [pair, day]; NaN
    where unknown.
    """
    return rates_with_age(pairs, start, end)[0]


def rates_with_age(pairs: Sequence[Pair], start: date, end: date) -> tuple[Array, Ages]:
    """The same, with the age in days of each rate's oldest leg: over 7 is stale, NEVER where there
    is no rate.
    """
    first, days = start.toordinal(), max((end - start).days + 1, 0)
    vectors = _pair_vectors(
        {leg for base, target in pairs if base != target for leg in pairs_needed(base, target)}
    )
    legs = {
        pair: _aged(vector, first, days) for pair, vector in vectors.items() if len(vector.values)
    }
    values, ages = np.full((len(pairs), days), np.nan), np.full((len(pairs), days), NEVER)
    for position, (base, target) in enumerate(pairs):
        if base == target:
            values[position], ages[position] = 1.0, 0
        else:
            values[position], ages[position] = _chosen(base, target, legs, days)
    return values, ages


Aged = tuple[Array, Ages]


def _aged(vector: _Vector, first: int, days: int) -> Aged:
    """The last known rate on each day and its age."""
    ordinals = np.arange(first, first + days)
    places = np.arange(len(vector.values))
    last_known = np.maximum.accumulate(
        np.where(np.isnan(vector.values), 0, places)
    )  # the first is never NaN
    index = np.clip(ordinals - vector.first, 0, len(vector.values) - 1)
    source = last_known[index]
    values, ages = vector.values[source], ordinals - (vector.first + source)
    before = ordinals < vector.first
    return np.where(before, np.nan, values), np.where(before, NEVER, ages)


def _chosen(base: str, target: str, legs: dict[Pair, Aged], days: int) -> Aged:
    """The routes of `marketdata.calc.rates`, day by day."""
    value, age = np.full(days, np.nan), np.full(days, NEVER)
    settled = np.zeros(days, dtype=bool)
    routes = [legs.get((base, target)), _inverse(legs.get((target, base)))]
    others = [via for via in VIA if via not in (base, target)]
    routes += [_product(_leg(base, via, legs), _leg(via, target, legs)) for via in others]
    for route in routes:
        if route is not None:
            fresh = route[1] <= FRESH_DAYS
            better = ~settled & (fresh | (route[1] < age))
            value, age = np.where(better, route[0], value), np.where(better, route[1], age)
            settled |= fresh
    return value, age


def _leg(base: str, target: str, legs: dict[Pair, Aged]) -> Aged | None:
    direct, inverse = legs.get((base, target)), _inverse(legs.get((target, base)))
    if direct is None or inverse is None:
        return direct or inverse
    use = (direct[1] <= FRESH_DAYS) | ((inverse[1] > FRESH_DAYS) & (direct[1] <= inverse[1]))
    return np.where(use, direct[0], inverse[0]), np.where(use, direct[1], inverse[1])


def _inverse(leg: Aged | None) -> Aged | None:
    return leg and (1 / leg[0], leg[1])


def _product(one: Aged | None, other: Aged | None) -> Aged | None:
    return one and other and (one[0] * other[0], np.maximum(one[1], other[1]))


def _pair_vectors(pairs: set[Pair]) -> dict[Pair, _Vector]:
    if not pairs:
        return {}
    rows = CurrencyPair.objects.filter(
        base__in={base for base, _ in pairs}, target__in={target for _, target in pairs}
    ).values_list("pk", "base", "target", "version")
    known = {pk: ((base, target), version) for pk, base, target, version in rows}
    versions = {pk: version for pk, (_, version) in known.items()}
    found = _vectors(versions, PairVector, "pair_id", _pairs_from_rows)
    return {known[pk][0]: vector for pk, vector in found.items()}


def _pairs_from_rows(pair_ids: Sequence[int]) -> dict[int, _Vector]:
    rows = HistoricalExchangeRate.objects.filter(pair_id__in=pair_ids).annotate(
        value=Cast("rate", FloatField())
    )
    found: dict[int, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    for pair_id, day, value in rows.order_by("pair_id", "date").values_list(
        "pair_id", "date", "value"
    ):
        days, values = found[pair_id]
        days.append(day.toordinal())
        values.append(value)
    vectors = {}
    for pair_id, (days, values) in found.items():
        dense = np.full(days[-1] - days[0] + 1, np.nan)
        dense[np.asarray(days) - days[0]] = values
        vectors[pair_id] = _Vector(days[0], dense)
    return vectors


# --- Vectors in the database ----------------------------------------------------------------------

EMPTY = _Vector(1, np.empty(0))
_making = Lock()


def _vectors(
    versions: Mapping[Any, int], model: Any, column: str, from_rows: Any
) -> dict[Any, _Vector]:
    """The vector of each id at its version: from this process, the database, or made from the rows
    and stored.

    `versions` were read before the rows will be: a vector may hold more than its version says,
    which costs a repeat, never less.
    """
    name = model.__name__

    def keep(pk: Any, vector: _Vector) -> None:
        kept.put((name, pk), versions[pk], vector, vector.values.nbytes)

    found = {
        pk: vector
        for pk, version in versions.items()
        if (vector := kept.get((name, pk), version)) is not None
    }
    missing = [pk for pk in versions if pk not in found]
    if missing:
        stored = model.objects.filter(**{f"{column}__in": missing})
        for pk, version, first_day, data in stored.values_list(
            column, "version", "first_day", "data"
        ):
            if version == versions[pk]:
                found[pk] = (
                    _Vector(first_day.toordinal(), np.frombuffer(data)) if first_day else EMPTY
                )
                keep(pk, found[pk])
        if behind := [pk for pk in missing if pk not in found]:
            # All requests of a page that lacks a vector come at the same time. Within a transaction
            # nobody waits for the others, who may wait for its rows.
            with nullcontext() if connection.in_atomic_block else _making:
                found |= {
                    pk: vector
                    for pk in behind
                    if (vector := kept.get((name, pk), versions[pk])) is not None
                }
                if lacking := [pk for pk in behind if pk not in found]:
                    values = from_rows(lacking)
                    made = {pk: values.get(pk, EMPTY) for pk in lacking}
                    _store(model, column, made, versions)
                    for pk, vector in made.items():
                        keep(pk, vector)
                    found |= made
    return found


def _store(
    model: type[Model], column: str, vectors: dict[Any, _Vector], versions: Mapping[Any, int]
) -> None:
    """Keep the vectors in the database, unless somebody else is writing: a read never waits for
    that.
    """
    rows = [
        model(
            **{column: pk},
            version=versions[pk],
            first_day=date.fromordinal(vector.first) if len(vector.values) else None,
            data=vector.values.astype(np.float64, copy=False).tobytes(),
        )
        for pk, vector in vectors.items()
    ]
    manager: Any = model._default_manager
    try:
        with write_of_a_read():
            manager.bulk_create(
                rows,
                update_conflicts=True,
                unique_fields=[column.removesuffix("_id")],
                update_fields=["version", "first_day", "data"],
            )
    except DatabaseError:
        log.info("vectors_not_stored", kind=model.__name__, count=len(rows))


def faulty_vectors() -> Iterator[tuple[Model, str]]:
    """Stored vectors that would give wrong figures, and why: orphans, of a version that does not
    exist yet, or of the present version with other values than the rows give. One that is behind is
    made anew when it is read: no fault.

    CHECKED_AT_ONCE at a time are in memory.
    """
    for model, owners, column, from_rows in (
        (StockVector, StockMetadata, "stock_id", _stocks_from_rows),
        (PairVector, CurrencyPair, "pair_id", _pairs_from_rows),
    ):
        ids = list(model._default_manager.order_by("pk").values_list("pk", flat=True))
        for start in range(0, len(ids), CHECKED_AT_ONCE):
            some = ids[start : start + CHECKED_AT_ONCE]
            found = _faulty(model, owners, column, from_rows, some)
            if found:  # or somebody wrote between our reads: look again
                found = _faulty(model, owners, column, from_rows, list(found))
            yield from found.values()


def _faulty(
    model: Any, owners: Any, column: str, from_rows: Any, ids: list[Any]
) -> dict[Any, tuple[Model, str]]:
    stored = list(model._default_manager.filter(pk__in=ids))
    versions = dict(owners.objects.filter(pk__in=ids).values_list("pk", "version"))
    made = from_rows([one.pk for one in stored if versions.get(one.pk) == one.version])
    found = {}
    for one in stored:
        version, right = versions.get(one.pk), made.get(one.pk, EMPTY)
        if version is None:
            found[one.pk] = one, "belongs to nothing"
        elif one.version > version:
            found[one.pk] = one, f"claims version {one.version}, the rows are at {version}"
        elif one.version == version:
            first = one.first_day.toordinal() if one.first_day else EMPTY.first
            if first != right.first or not np.array_equal(
                np.frombuffer(one.data), right.values, equal_nan=True
            ):
                found[one.pk] = one, "differs from the stored prices or rates"
    return found


@transaction.atomic
def discard_vector(vector: Model) -> None:
    """Have it made anew at the next read, by processes that keep it in memory too."""
    owners: Any = StockMetadata if isinstance(vector, StockVector) else CurrencyPair
    type(vector)._default_manager.filter(pk=vector.pk).delete()
    owners.objects.filter(pk=vector.pk).update(version=F("version") + 1)


def fingerprint(*, stock_ids: Iterable[UUID] = (), pairs: Iterable[Pair] = ()) -> str:
    """A short text that changes whenever a price, split, dividend, quote or rate behind these
    series does.

    For ETags; today's date is part of it, since today's close is the latest price. Two queries.
    """
    stocks = (
        StockMetadata.objects.filter(pk__in=set(stock_ids))
        .order_by("pk")
        .values_list("pk", "version")
    )
    needed = {leg for base, target in pairs if base != target for leg in pairs_needed(base, target)}
    behind = Q(base__in={base for base, _ in needed}, target__in={target for _, target in needed})
    legs = CurrencyPair.objects.filter(behind).order_by("pk").values_list("pk", "version")
    text = repr((timezone.localdate(), list(stocks), list(legs)))
    return blake2b(text.encode(), digest_size=12).hexdigest()
