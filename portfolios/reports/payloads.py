"""Timeline, performance and bridge, with the field names of the API."""

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as data_field
from datetime import date
from typing import Annotated, TypeAlias
from uuid import UUID

import numpy as np
from msgspec import UNSET, Meta, Struct, UnsetType, field

from financeproj.core.json_types import DateText
from portfolios.calc import returns
from portfolios.calc.layout import Floats
from portfolios.calc.timeline import (
    Interval,
    Sample,
    sample,
    tidy_amount,
    tidy_fraction,
    tidy_index,
    tidy_series,
)
from portfolios.reports.benchmark import BenchmarkIndex, ReturnKind, benchmark_indices
from portfolios.reports.figures import (
    Figures,
    figures_of,
)
from portfolios.reports.periods import Period
from portfolios.reports.report import Report
from portfolios.reports.vectors import day_of


class PointPayload(Struct, gc=False):
    """One point of a timeline, in the answer's currency.

    Flows and income are those of the whole interval.
    """

    date: DateText
    market_value: float
    cost_basis: float
    net_flow: float
    income: float
    twr_index: float
    benchmark_index: Annotated[
        float | UnsetType | None, Meta(description="That of the first benchmark.")
    ] = UNSET
    benchmarks: Annotated[
        dict[str, float | None] | UnsetType,
        Meta(description="The index of each benchmark that can be had, by ticker."),
    ] = UNSET


class PortfolioValuesPayload(Struct):
    portfolio_id: UUID
    currency: str
    market_value: Annotated[
        list[float], Meta(description="One a point, in the portfolio's own currency.")
    ]


class BenchmarkReturnPayload(Struct):
    """What a benchmark returned in the period; null where it cannot be had, with the reason."""

    ticker: str
    twr: float | None
    kind: Annotated[
        ReturnKind | None,
        Meta(description="total: with its dividends reinvested; price: without any."),
    ] = field(name="return")
    reason: str | UnsetType = UNSET


WithoutCash: TypeAlias = Annotated[
    list[str],
    Meta(description="With include_cash, the portfolios that count with their securities alone."),
]


class TimelinePayload(Struct):
    currency: str
    start: date
    end: date
    interval: Interval
    points: list[PointPayload]
    benchmarks: list[BenchmarkReturnPayload]
    stale: bool
    missing: list[str]
    missing_why: dict[str, str]
    without_cash: WithoutCash
    portfolios: Annotated[
        list[PortfolioValuesPayload] | UnsetType, Meta(description="With by=portfolio.")
    ] = UNSET


class DrawdownPayload(Struct):
    value: float
    peak: date | None
    trough: date | None


class BenchmarkPayload(Struct):
    ticker: str
    twr: float | None


class PerformancePayload(Struct):
    """The figures of a period; what does not exist is None, and `reasons` says why."""

    currency: str
    start: date
    end: date
    start_value: float
    end_value: float
    net_flow: float
    gain: float
    income: float
    charges: float
    realised_gain: float
    unrealised_gain: float
    invested_from: Annotated[
        date | None, Meta(description="The first day with something invested.")
    ]
    invested_until: Annotated[
        date | None, Meta(description="The last day with something invested.")
    ]
    twr: float | None
    twr_annualised: float | None
    mwr: float | None
    mwr_period: float | None
    volatility: float | None
    reasons: dict[str, str]
    max_drawdown: DrawdownPayload
    missing: list[str]
    missing_why: dict[str, str]
    without_cash: WithoutCash
    benchmark: Annotated[
        BenchmarkPayload | UnsetType, Meta(description="The first of the benchmarks.")
    ] = UNSET
    benchmarks: list[BenchmarkReturnPayload] = field(default_factory=list)


def timeline(report: Report) -> TimelinePayload:
    """Return a point for each interval of the period.

    The index of a benchmark is None where it has no price or rate.
    """
    query, figures = report.query, report.figures()
    numbers, period = figures.daily, figures.period
    chosen = sample(period.first_day, period.columns, query.interval)
    index = returns.twr_index(returns.daily_returns(numbers))
    days = (period.first_day + chosen.last).astype("datetime64[D]")
    columns = [
        np.datetime_as_string(days).tolist(),
        tidy_series(chosen.levels(numbers.value)).tolist(),
        tidy_series(chosen.levels(numbers.cost_basis)).tolist(),
        tidy_series(chosen.sums(numbers.net_flow)).tolist(),
        tidy_series(chosen.sums(numbers.income)).tolist(),
        tidy_index(chosen.levels(index)).tolist(),
    ]
    indices = _benchmark_indices(report, figures)
    if indices:
        columns += _benchmark_columns(indices, chosen)
    payload = TimelinePayload(
        currency=figures.currency,
        start=period.start,
        end=period.end,
        interval=query.interval,
        points=list(map(PointPayload, *columns)),
        benchmarks=[_benchmark_return(one) for one in indices],
        stale=figures.stale,
        missing=figures.missing,
        missing_why=figures.missing_why,
        without_cash=report.without_cash,
    )
    if query.by == "portfolio" and report.covers_all:
        payload.portfolios = _values_of_each(report, chosen)
    return payload


def _benchmark_indices(report: Report, figures: Figures) -> list[BenchmarkIndex]:
    query = report.query
    return benchmark_indices(
        query.benchmarks, figures.currency, figures.period, query.benchmark_return
    )


def _benchmark_columns(
    indices: Sequence[BenchmarkIndex], chosen: Sample
) -> tuple[list[float | UnsetType | None], list[dict[str, float | None]]]:
    """Return `benchmark_index` and `benchmarks` of each point."""
    first: list[float | UnsetType | None] = [UNSET] * len(chosen.last)
    of_all: list[dict[str, float | None]] = [{} for _ in chosen.last]
    for number, index in enumerate(indices):
        if index.levels is None:
            continue
        levels = _none_for_nan(tidy_index(chosen.levels(index.levels)))
        if number == 0:
            first = [*levels]
        for point, level in zip(of_all, levels, strict=True):
            point[index.ticker] = level
    return first, of_all


def _none_for_nan(series: Floats) -> list[float | None]:
    numbers = series.astype(object)
    numbers[np.isnan(series)] = None
    return numbers.tolist()


def _values_of_each(report: Report, chosen: Sample) -> list[PortfolioValuesPayload]:
    """Return the market value of each portfolio at the same points, in its own currency."""
    values_of_each = []
    for history in report.histories:
        figures = figures_of(history, report.period)
        values = tidy_series(chosen.levels(figures.daily.value)).tolist()
        values_of_each.append(
            PortfolioValuesPayload(
                portfolio_id=history.portfolio.pk, currency=figures.currency, market_value=values
            )
        )
    return values_of_each


def performance(report: Report) -> PerformancePayload:
    """Return the figures of the whole period; what does not exist is None, with its reason."""
    figures = report.figures()
    payload = performance_of(figures, weekends=report.includes_weekends())
    payload.without_cash = report.without_cash
    indices = _benchmark_indices(report, figures)
    payload.benchmarks = [_benchmark_return(one) for one in indices]
    if indices:
        first = payload.benchmarks[0]
        payload.benchmark = BenchmarkPayload(first.ticker, first.twr)
        if first.reason is not UNSET:
            payload.reasons["benchmark"] = first.reason
    return payload


def performance_of(figures: Figures, *, weekends: bool) -> PerformancePayload:
    """Return the performance that daily figures give, without a benchmark.

    `weekends` says whether something held in the period trades on them.
    """
    numbers, period = figures.daily, figures.period
    invested = _invested_between(figures)
    daily_returns = returns.daily_returns(numbers)
    index = returns.twr_index(daily_returns)
    scale = scale_of(figures)
    start_value, end_value = numbers.value[0], numbers.value[-1]
    net_flow = numbers.net_flow.sum()
    rates = _rates(figures, daily_returns, index, invested=invested, weekends=weekends)
    return PerformancePayload(
        currency=figures.currency,
        start=period.start,
        end=period.end,
        start_value=tidy_amount(start_value, scale),
        end_value=tidy_amount(end_value, scale),
        net_flow=tidy_amount(net_flow, scale),
        gain=tidy_amount(end_value - start_value - net_flow, scale),
        income=tidy_amount(numbers.income.sum(), scale),
        charges=tidy_amount(numbers.charges.sum(), scale),
        realised_gain=tidy_amount(numbers.realised_gain.sum(), scale),
        unrealised_gain=tidy_amount(figures.securities[-1] - numbers.cost_basis[-1], scale),
        invested_from=None if invested is None else invested.start,
        invested_until=None if invested is None else invested.end,
        twr=_tidy_rate(rates.twr),
        twr_annualised=_tidy_rate(rates.twr_annualised),
        mwr=_tidy_rate(rates.mwr),
        mwr_period=_tidy_rate(rates.mwr_period),
        volatility=_tidy_rate(rates.volatility),
        reasons=rates.reasons,
        max_drawdown=_drawdown(figures, index),
        missing=figures.missing,
        missing_why=figures.missing_why,
        without_cash=[],
    )


def _invested_between(figures: Figures) -> Period | None:
    """Return the days from the first to the last on which something was invested."""
    columns = np.flatnonzero(returns.invested_days(figures.daily))
    if not len(columns):
        return None
    first_day = figures.period.first_day
    return Period(day_of(first_day + columns[0]), day_of(first_day + columns[-1]))


def _tidy_rate(rate: float | None) -> float | None:
    return None if rate is None else tidy_fraction(rate)


def _drawdown(figures: Figures, index: Floats) -> DrawdownPayload:
    fall = returns.max_drawdown(index)
    payload = DrawdownPayload(tidy_fraction(fall.value), None, None)
    first_day = figures.period.first_day
    if fall.peak is not None:
        payload.peak = day_of(first_day + fall.peak)
    if fall.trough is not None:
        payload.trough = day_of(first_day + fall.trough)
    return payload


def _benchmark_return(index: BenchmarkIndex) -> BenchmarkReturnPayload:
    twr = index.twr
    if twr is None:
        reason = index.reason or f"missing_prices: [{index.ticker}]"
        return BenchmarkReturnPayload(index.ticker, None, None, reason)
    return BenchmarkReturnPayload(index.ticker, tidy_fraction(twr), index.kind)


def scale_of(figures: Figures) -> float:
    """Return the largest of the amounts that the figures are made of."""
    numbers = figures.daily
    flows = numbers.inflow.sum() + numbers.outflow.sum()
    values = np.abs(numbers.value)
    # Those of unpriced days are in no flow.
    booked = [np.abs(one).sum() for one in (numbers.income, numbers.charges, numbers.realised_gain)]
    return float(max(values[0], values[-1], flows, numbers.cost_basis[-1], *booked))


RATES = ("twr", "twr_annualised", "mwr", "mwr_period", "volatility")
SHORT = "short_period"
BELOW_ZERO = "negative_value"


@dataclass(slots=True)
class _Rates:
    """Rates of return and risk as fractions; `reasons` says why one is None."""

    twr: float | None = None
    twr_annualised: float | None = None
    mwr: float | None = None
    mwr_period: float | None = None
    volatility: float | None = None
    reasons: dict[str, str] = data_field(default_factory=dict)


def _rates(
    figures: Figures,
    daily_returns: Floats,
    index: Floats,
    *,
    invested: Period | None,
    weekends: bool,
) -> _Rates:
    numbers, period = figures.daily, figures.period
    rates = _Rates()
    if figures.missing and not numbers.value.any() and not numbers.invested.any():
        # Nothing that was held has a price: a return of 0 would be a guess.
        reason = f"missing_prices: [{', '.join(figures.missing)}]"
        rates.reasons = dict.fromkeys(RATES, reason)
        return rates
    days = 0 if invested is None else invested.days
    reasons, is_short = rates.reasons, days < returns.DAYS_A_YEAR
    rates.twr = float(index[-1]) / 100 - 1
    rates.twr_annualised = returns.annualised(rates.twr, days)
    if rates.twr_annualised is None:
        reasons["twr_annualised"] = SHORT if is_short else "total_loss"
    if returns.days_below_zero(numbers).any():
        # Those days have no return, so the others do not make one of the period.
        rates.twr = rates.twr_annualised = None
        reasons["twr"] = reasons["twr_annualised"] = BELOW_ZERO
    internal = returns.money_weighted(numbers, period.first_day)
    rates.mwr_period = internal.period
    if internal.reason:
        reasons["mwr"] = reasons["mwr_period"] = internal.reason
    elif is_short:
        reasons["mwr"] = SHORT
    else:
        rates.mwr = internal.annual
        if internal.annual is None:
            reasons["mwr"] = "out_of_range"
    counted = returns.days_counted(numbers, period.first_day, weekends=weekends)
    rates.volatility = returns.volatility(daily_returns, counted, weekends=weekends)
    if rates.volatility is None:
        reasons["volatility"] = "too_few_days" if counted.sum() < 2 else "total_loss"
    return rates
