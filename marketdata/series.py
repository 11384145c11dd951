"""Closes and rates as float64 arrays, one value a calendar day."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from hashlib import blake2b
from uuid import UUID

import numpy as np
from django.utils import timezone

from marketdata.calc.rate_series import NEVER, Ages, Floats, find_rates, last_known_rates
from marketdata.calc.rates import OLDEST_DAYS, Pair, all_pairs_needed
from marketdata.models import StockMetadata
from marketdata.selectors import PriceNow, pair_rows, prices_now
from marketdata.vectors import Vector, pair_vectors, stock_vectors


def prepare(stock_ids: Iterable[UUID | str]) -> None:
    """Make the vectors that a write has left behind, for the writer to call afterwards."""
    stock_vectors(stock_ids)


def closes(
    stock_ids: Sequence[UUID],
    start: date,
    end: date,
    *,
    latest: Mapping[UUID, PriceNow] | None = None,
    versions: Mapping[UUID, int] | None = None,
) -> Floats:
    """Return the closes on each calendar day from `start` to `end`: shape [instrument, day].

    As traded, in the instrument's currency and in the shares of the day. A day without a close has
    the last earlier one (divided by the ratio of a split since); days before the first known close
    are NaN. Today's is the latest known price, so that a series ends with what the summaries say.
    `latest` is that of `prices_now`, `versions` those of the instruments, if the caller has them.
    """
    first, days = start.toordinal(), max((end - start).days + 1, 0)
    matrix = np.full((len(stock_ids), days), np.nan)
    vectors = stock_vectors(stock_ids, versions)
    for row, stock_id in zip(matrix, stock_ids, strict=True):
        vector = vectors.get(stock_id)
        if vector is not None:
            _copy(vector, row, first)
    today = timezone.localdate().toordinal() - first
    if 0 <= today < days:
        if latest is None:
            latest = prices_now(stock_ids)
        for row, stock_id in zip(matrix, stock_ids, strict=True):
            price = latest.get(stock_id)
            if price is not None:
                row[today:] = float(price.price * price.ahead)
    return matrix


def _copy(vector: Vector, row: Floats, first: int) -> None:
    """Copy the days of `vector` into `row`, whose first day has the ordinal `first`.

    The vector's last value is carried to the end of the row.
    """
    if not len(vector.values):
        return
    last = first + len(row) - 1
    begin, end = max(vector.first, first), min(vector.last, last)
    if begin <= end:
        part = vector.values[begin - vector.first : end - vector.first + 1]
        row[begin - first : end - first + 1] = part
    if vector.last < last:
        row[max(vector.last + 1 - first, 0) :] = vector.values[-1]


def rates(pairs: Sequence[Pair], start: date, end: date) -> Floats:
    """Return units of target for one base on each calendar day, by the lookup rule.

    Shape [pair, day]; NaN where unknown or older than 90 days.
    """
    return rates_with_age(pairs, start, end)[0]


def rates_with_age(pairs: Sequence[Pair], start: date, end: date) -> tuple[Floats, Ages]:
    """Return the same, with the age in days of each rate's oldest leg: over 7 is stale.

    The age is NEVER where there is no rate, or only one older than 90 days.
    """
    first, days = start.toordinal(), max((end - start).days + 1, 0)
    legs = {}
    for pair, vector in pair_vectors(all_pairs_needed(pairs)).items():
        if len(vector.values):
            legs[pair] = last_known_rates(vector.values, vector.first, first, days)
    values = np.full((len(pairs), days), np.nan)
    ages = np.full((len(pairs), days), NEVER)
    for position, (base, target) in enumerate(pairs):
        values[position], ages[position] = find_rates(base, target, legs, days)
    is_too_old = ages > OLDEST_DAYS
    values[is_too_old], ages[is_too_old] = np.nan, NEVER
    return values, ages


def fingerprint(*, stock_ids: Iterable[UUID] = (), pairs: Iterable[Pair] = ()) -> str:
    """Return a short text that changes with any price, split, dividend, quote or rate behind these.

    For ETags. Today's date is part of it, since today's close is the latest price. At most two
    queries.
    """
    ids = set(stock_ids)
    stock_versions: list[tuple[UUID, int]] = []
    if ids:
        stocks = StockMetadata.objects.filter(pk__in=ids).order_by("pk")
        stock_versions = list(stocks.values_list("pk", "version"))
    pair_versions = [(row.pk, row.version) for row in pair_rows(all_pairs_needed(pairs))]
    text = repr((timezone.localdate(), stock_versions, pair_versions))
    return blake2b(text.encode(), digest_size=12).hexdigest()
