"""Timeline, performance, bridge and allocation, as the contract has them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
import numpy as np

from marketdata.models import StockMetadata
from marketdata.selectors import PriceNow
from portfolios.calc import returns
from portfolios.calc.bridge import PARTS, bridge
from portfolios.calc.performance import Floats
from portfolios.calc.timeline import sample, tidy, tidy_amount, tidy_fraction, tidy_index
from portfolios.reports.benchmark import benchmark_index
from portfolios.reports.figures import Book, Figures, Period, cut_to_history, market_of, names_of
from portfolios.reports.vectors import day_of


class Point(msgspec.Struct):
    """One point of a timeline: amounts in the answer's currency, flows and income of the whole
    interval.
    """

    date: str
    market_value: float
    cost_basis: float
    net_flow: float
    income: float
    twr_index: float


class BenchmarkedPoint(Point):
    benchmark_index: float | None


def timeline(figures: Figures, *, interval: str, benchmark: StockMetadata | None) -> dict[str, Any]:
    """The points of `figures`; `benchmark_index` is None where the benchmark has no price or
    rate.
    """
    numbers, period = figures.daily, figures.period
    chosen = sample(period.first_day, period.columns, interval)
    index = returns.twr_index(returns.daily_returns(numbers))
    columns = [
        np.datetime_as_string((period.first_day + chosen.last).astype("datetime64[D]")).tolist(),
        tidy(chosen.levels(numbers.value)).tolist(),
        tidy(chosen.levels(numbers.cost_basis)).tolist(),
        tidy(chosen.sums(numbers.net_flow)).tolist(),
        tidy(chosen.sums(numbers.income)).tolist(),
        tidy_index(chosen.levels(index)).tolist(),
    ]
    kind: type[Point] = Point
    if benchmark is not None:
        kind = BenchmarkedPoint
        levels = tidy_index(chosen.levels(benchmark_index(benchmark, figures.currency, period)))
        columns.append([None if np.isnan(level) else level for level in levels.tolist()])
    return {
        "currency": figures.currency,
        "start": period.start,
        "end": period.end,
        "interval": interval,
        "points": list(map(kind, *columns)),
        "stale": figures.stale,
        "missing": figures.missing,
    }


def values_of_each(
    books: Sequence[Book], parts: Sequence[Figures], *, interval: str
) -> list[dict[str, Any]]:
    """The market value of each portfolio at the points of the timeline over all, in its own
    currency.
    """
    found = []
    for book, figures in zip(books, parts, strict=True):
        chosen = sample(figures.period.first_day, figures.period.columns, interval)
        values = tidy(chosen.levels(figures.daily.value)).tolist()
        found.append(
            {
                "portfolio_id": book.portfolio.pk,
                "currency": figures.currency,
                "market_value": values,
            }
        )
    return found


def performance(figures: Figures, *, benchmark: StockMetadata | None) -> dict[str, Any]:
    """The figures of the period as one; what does not exist is None, and `reasons` says why."""
    numbers, period = figures.daily, figures.period
    daily_returns = returns.daily_returns(numbers)
    index = returns.twr_index(daily_returns)
    scale = scale_of(figures)
    flow = numbers.net_flow
    amounts = {
        "start_value": numbers.value[0],
        "end_value": numbers.value[-1],
        "net_flow": flow.sum(),
        "gain": numbers.value[-1] - numbers.value[0] - flow.sum(),
        "income": numbers.income.sum(),
        "charges": numbers.charges.sum(),
        "realised_gain": numbers.realised_gain.sum(),
        "unrealised_gain": numbers.value[-1] - numbers.cost_basis[-1],
    }
    rates, reasons = _rates(figures, daily_returns, index)
    fall = returns.max_drawdown(index)
    answer: dict[str, Any] = {
        "currency": figures.currency,
        "start": period.start,
        "end": period.end,
        **{name: tidy_amount(float(amount), scale) for name, amount in amounts.items()},
        **{name: None if rate is None else tidy_fraction(rate) for name, rate in rates.items()},
        "reasons": reasons,
        "max_drawdown": {
            "value": tidy_fraction(fall.value),
            "peak": None if fall.peak is None else day_of(period.first_day + fall.peak),
            "trough": None if fall.trough is None else day_of(period.first_day + fall.trough),
        },
        "missing": figures.missing,
    }
    if benchmark is not None:
        level = float(benchmark_index(benchmark, figures.currency, period)[-1])
        answer["benchmark"] = {"ticker": benchmark.ticker, "twr": None}
        if np.isnan(level):
            reasons["benchmark"] = f"missing_prices: [{benchmark.ticker}]"
        else:
            answer["benchmark"]["twr"] = tidy_fraction(level / 100 - 1)
    return answer


def scale_of(figures: Figures) -> float:
    """The largest of the amounts that the figures are made of."""
    numbers = figures.daily
    flows = numbers.inflow.sum() + numbers.outflow.sum()
    return float(max(numbers.value[0], numbers.value[-1], flows, numbers.cost_basis[-1]))


SHORT = "short_period"


def _rates(
    figures: Figures, daily_returns: Floats, index: Floats
) -> tuple[dict[str, float | None], dict[str, str]]:
    numbers, period = figures.daily, figures.period
    rates: dict[str, float | None] = dict.fromkeys(
        ("twr", "twr_annualised", "mwr", "mwr_period", "volatility"), None
    )
    if figures.missing and not numbers.value.any() and not numbers.invested.any():
        # Everything that was held is without a price: a return of 0 would be a guess.
        return rates, dict.fromkeys(rates, f"missing_prices: [{', '.join(figures.missing)}]")
    reasons: dict[str, str] = {}
    rates["twr"] = twr = float(index[-1]) / 100 - 1
    rates["twr_annualised"] = returns.annualised(twr, period.days)
    if rates["twr_annualised"] is None:
        reasons["twr_annualised"] = SHORT if period.days < 365 else "total_loss"
    internal = returns.money_weighted(numbers, period.first_day)
    rates["mwr_period"] = internal.period
    if internal.reason:
        reasons["mwr"] = reasons["mwr_period"] = internal.reason
    elif period.days < 365:
        reasons["mwr"] = SHORT
    else:
        rates["mwr"] = internal.annual
        if internal.annual is None:
            reasons["mwr"] = "out_of_range"
    rates["volatility"] = returns.volatility(numbers, daily_returns, period.first_day)
    if rates["volatility"] is None:
        days = returns.invested_weekdays(numbers, period.first_day)
        reasons["volatility"] = "too_few_days" if days.sum() < 2 else "total_loss"
    return rates, reasons


def bridge_of(book: Book, period: Period, prices: Mapping[UUID, PriceNow]) -> dict[str, Any]:
    """What moved the value, per holding and in total; holdings to which nothing happened are left
    out.
    """
    shorter, _ = cut_to_history(book, period)
    parts = bridge(book.vector.trades, market_of(book, shorter, prices)[0])
    scale = max(
        (float(np.abs(getattr(parts, name)).max(initial=0.0)) for name in PARTS), default=0.0
    )
    columns = [tidy(getattr(parts, name), scale).tolist() for name in PARTS]
    holdings = [
        {"holding_id": one.holding_id, "ticker": one.ticker, **dict(zip(PARTS, row, strict=True))}
        for one, row in zip(book.instruments, zip(*columns, strict=True), strict=True)
        if any(row)
    ]
    total = {name: tidy_amount(amount, scale) for name, amount in parts.total().items()}
    currency = book.portfolio.currency
    missing = names_of(book, parts.missing, period)
    return {
        "currency": currency,
        "start": period.start,
        "end": period.end,
        **total,
        "holdings": holdings,
        "missing": missing,
    }
