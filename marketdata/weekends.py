"""Which instruments trade on weekends, as coins do."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

import numpy as np

from marketdata.models import HistoricalStockPrice, StockMetadata
from marketdata.vectors import Vector, stock_vectors

SATURDAY, SUNDAY = 6, 0  # the remainders of proleptic ordinals by 7


def any_trades_on_weekends(versions: Mapping[UUID, int], start: date, end: date) -> bool:
    """Return whether an instrument trades on weekends between `start` and `end`.

    It has closes of a source on more than half of the Saturdays between its first and its last
    close of that time. `versions` has every instrument with its version.
    """
    vectors = stock_vectors(versions, versions)
    # The closes that are filled forward show who cannot: no query for what only trades on weekdays.
    moving = []
    for stock_id, vector in vectors.items():
        if _moves_on_weekends(vector, start, end):
            moving.append(stock_id)
    if not moving:
        return False
    rows = HistoricalStockPrice.objects.filter(stock__in=moving, date__range=(start, end))
    rows = rows.exclude(source=StockMetadata.MANUAL).order_by("stock", "date")
    days: dict[UUID, list[int]] = {}
    for stock_id, day in rows.values_list("stock_id", "date"):
        days.setdefault(stock_id, []).append(day.toordinal())
    return any(_has_most_saturdays(of_one) for of_one in days.values())


def _moves_on_weekends(vector: Vector, start: date, end: date) -> bool:
    """Return whether a close differs from that of the day before on any weekend of the period."""
    begin = max(vector.first, start.toordinal() - 1)
    values = vector.values[begin - vector.first : max(end.toordinal() + 1 - vector.first, 0)]
    changed = begin + 1 + np.flatnonzero(np.diff(values))
    weekday = changed % 7
    return bool(((weekday == SATURDAY) | (weekday == SUNDAY)).any())


def _has_most_saturdays(days: list[int]) -> bool:
    """Return whether closes on `days` (ordinals, ascending) cover most Saturdays between them."""
    saturdays = (days[-1] - SATURDAY) // 7 - (days[0] - 1 - SATURDAY) // 7
    with_close = sum(day % 7 == SATURDAY for day in days)
    return with_close * 2 > saturdays
