"""Instruments with which a portfolio is compared."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal, TypeAlias
from uuid import UUID

import numpy as np
from msgspec import Struct

from financeproj.core.db.rows import pks_of
from marketdata import series
from marketdata.models import StockMetadata
from marketdata.selectors import dividends_of, splits_of
from portfolios.calc.columns import positions_of
from portfolios.calc.layout import Floats
from portfolios.reports.periods import Period

MAX_BENCHMARKS = 5

ReturnKind: TypeAlias = Literal["total", "price"]
RETURN_KINDS: tuple[ReturnKind, ...] = ("total", "price")
Events: TypeAlias = Sequence[tuple[date, Decimal]]


class Benchmark(Struct, frozen=True):
    """An instrument to compare with, by the ticker that was asked for.

    Without `stock` it cannot be had: `reason` is the code of the error.
    """

    ticker: str
    stock: StockMetadata | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class BenchmarkIndex:
    """The index of a benchmark, [column], 100 on the day before the period; NaN where unknown.

    `levels` and `kind` are None when nothing of it is known, and `reason` then says why.
    """

    ticker: str
    levels: Floats | None
    kind: ReturnKind | None
    reason: str | None

    @property
    def twr(self) -> float | None:
        """The return of the period, as a fraction."""
        if self.levels is None or np.isnan(self.levels[-1]):
            return None
        return float(self.levels[-1]) / 100 - 1


def stocks_of(benchmarks: Iterable[Benchmark]) -> list[StockMetadata]:
    """Return the benchmarks that can be had."""
    return [one.stock for one in benchmarks if one.stock is not None]


def benchmark_indices(
    benchmarks: Sequence[Benchmark], currency: str, period: Period, wanted: ReturnKind
) -> list[BenchmarkIndex]:
    """Return the index of each benchmark in `currency`.

    With `total` its dividends are reinvested on the evening of their ex-date; an instrument of
    which no dividend is known has a price index in any case. A fixed number of queries.
    """
    stocks = stocks_of(benchmarks)
    if not stocks:
        return [BenchmarkIndex(one.ticker, None, None, one.reason) for one in benchmarks]
    ids = pks_of(stocks)
    closes = series.closes(ids, period.day_before, period.end)
    pairs = [(stock.currency, currency) for stock in stocks]
    rates = series.rates(pairs, period.day_before, period.end)
    splits = splits_of(ids)
    dividends: dict[UUID, list[tuple[date, Decimal]]] = {}
    if wanted == "total":
        dividends = dividends_of(ids)
    row_of = positions_of(ids)
    found = []
    for one in benchmarks:
        if one.stock is None:
            found.append(BenchmarkIndex(one.ticker, None, None, one.reason))
            continue
        pk = one.stock.pk
        close, rate = closes[row_of[pk]], rates[row_of[pk]]
        units = _units(close, period, splits.get(pk, ()), dividends.get(pk, ()))
        kind: ReturnKind = "total" if pk in dividends else "price"
        found.append(_index(one.ticker, close * rate * units, kind))
    return found


def _units(close: Floats, period: Period, splits: Events, dividends: Events) -> Floats:
    """Return how many shares one share bought before the period has become, [column].

    A dividend buys shares at the close of its ex-date.
    """
    growth = np.ones(period.columns)
    for day, ratio in splits:
        if period.start <= day <= period.end:
            growth[(day - period.day_before).days] *= float(ratio)
    for day, amount in dividends:
        if period.start <= day <= period.end:
            column = (day - period.day_before).days
            if close[column] > 0:
                growth[column] *= 1 + float(amount) / close[column]
    return np.cumprod(growth, out=growth)


def _index(ticker: str, worth: Floats, kind: ReturnKind) -> BenchmarkIndex:
    with np.errstate(divide="ignore", invalid="ignore"):
        levels: Floats = worth / worth[0] * 100
    levels = np.where(np.isfinite(levels), levels, np.nan)
    if np.isnan(levels).all():
        return BenchmarkIndex(ticker, None, None, f"missing_prices: [{ticker}]")
    return BenchmarkIndex(ticker, levels, kind, None)
