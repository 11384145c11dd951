"""Compare loading 100 instruments of ten years as a matrix with reading the rows."""

import os
import random
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from statistics import median
from time import perf_counter
from typing import Any

INSTRUMENTS = 100
START, END = date(2015, 1, 1), date(2024, 12, 31)
LIMITS = {"sqlite": 0.02, "postgresql": 0.06}


def seconds(function: Callable[[], Any], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        begun = perf_counter()
        function()
        times.append(perf_counter() - begun)
    return median(times)


def main() -> bool:
    """Measure both on a temporary database."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "financeproj.settings")
    django.setup()
    from benchmarks.scratch import scratch_database

    with scratch_database():
        return load_series()


def load_series() -> bool:
    """Return whether the matrix is within its limit. The process caches no vectors meanwhile."""
    from django.db import connection

    from marketdata import series, services, vectors
    from marketdata.models import HistoricalStockPrice, StockMetadata

    dice = random.Random(1)
    weekdays = [
        day
        for n in range((END - START).days + 1)
        if (day := START + timedelta(days=n)).weekday() < 5
    ]
    ids = []
    for number in range(INSTRUMENTS):
        stock = StockMetadata.objects.create(
            ticker=f"BENCH{number}", currency="USD", source="yahoo"
        )
        closes = [(day, Decimal(dice.randrange(2_000, 50_000)) / 100) for day in weekdays]
        services.record_prices(stock=stock, closes=closes, source="yahoo")
        ids.append(stock.pk)

    def read_rows() -> None:
        found = HistoricalStockPrice.objects.filter(
            stock_id__in=ids, date__gte=START, date__lte=END
        )
        list(found.values_list("stock_id", "date", "close"))

    def read_matrix() -> None:
        vectors.vector_cache.clear()
        matrix = series.closes(ids, START, END)
        assert matrix.shape == (INSTRUMENTS, (END - START).days + 1)

    read_matrix()  # builds and stores the vectors
    ratio = seconds(read_matrix, 15) / seconds(read_rows, 5)
    print(
        f"load_series_M: {ratio:.4f} x values_list "
        f"(limit {LIMITS['sqlite']} on SQLite, {LIMITS['postgresql']} on PostgreSQL)"
    )
    return ratio <= LIMITS[connection.vendor]
