"""Timeline, performance, bridge and allocation, as the contract has them."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated
from uuid import UUID

import numpy as np
from msgspec import UNSET, Meta, Struct, UnsetType

from financeproj.core.json_types import DateText
from marketdata.models import StockMetadata
from marketdata.selectors import PriceNow
from portfolios.calc import returns
from portfolios.calc.bridge import PARTS, bridge
from portfolios.calc.performance import Floats
from portfolios.calc.timeline import Interval, sample, tidy, tidy_amount, tidy_fraction, tidy_index
from portfolios.reports.benchmark import benchmark_index
from portfolios.reports.figures import Book, Figures, Period, cut_to_history, market_of, names_of
from portfolios.reports.vectors import day_of


class PointPayload(Struct, gc=False):
    """One point of a timeline: amounts in the answer's currency, flows and income of the whole
    interval.
    """

    date: DateText
    market_value: float
    cost_basis: float
    net_flow: float
    income: float
    twr_index: float
    benchmark_index: float | UnsetType | None = UNSET


class PortfolioValuesPayload(Struct):
    portfolio_id: UUID
    currency: str
    market_value: Annotated[
        list[float], Meta(description="One a point, in the portfolio's own currency.")
    ]


class TimelinePayload(Struct):
    currency: str
    start: date
    end: date
    interval: Interval
    points: list[PointPayload]
    stale: bool
    missing: list[str]
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
    twr: float | None
    twr_annualised: float | None
    mwr: float | None
    mwr_period: float | None
    volatility: float | None
    reasons: dict[str, str]
    max_drawdown: DrawdownPayload
    missing: list[str]
    benchmark: BenchmarkPayload | UnsetType = UNSET


class BridgePartsPayload(Struct):
    """What moved a value; the fields are those of `calc.bridge.PARTS`."""

    start_value: float
    net_flow: float
    price_effect: float
    fx_effect: float
    income: float
    charges: float
    commissions: float
    end_value: float


class HoldingBridgePayload(BridgePartsPayload, kw_only=True):
    holding_id: UUID
    ticker: str


class BridgePayload(BridgePartsPayload, kw_only=True):
    currency: str
    start: date
    end: date
    holdings: list[HoldingBridgePayload]
    missing: list[str]


def timeline(
    figures: Figures, *, interval: Interval, benchmark: StockMetadata | None
) -> TimelinePayload:
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
    if benchmark is not None:
        levels = tidy_index(chosen.levels(benchmark_index(benchmark, figures.currency, period)))
        columns.append([None if np.isnan(level) else level for level in levels.tolist()])
    return TimelinePayload(
        currency=figures.currency,
        start=period.start,
        end=period.end,
        interval=interval,
        points=list(map(PointPayload, *columns)),
        stale=figures.stale,
        missing=figures.missing,
    )


def values_of_each(
    books: Sequence[Book], parts: Sequence[Figures], *, interval: Interval
) -> list[PortfolioValuesPayload]:
    """The market value of each portfolio at the points of the timeline over all, in its own
    currency.
    """
    found = []
    for book, figures in zip(books, parts, strict=True):
        chosen = sample(figures.period.first_day, figures.period.columns, interval)
        values = tidy(chosen.levels(figures.daily.value)).tolist()
        found.append(
            PortfolioValuesPayload(
                portfolio_id=book.portfolio.pk,
                currency=figures.currency,
                market_value=values,
            )
        )
    return found


def performance(figures: Figures, *, benchmark: StockMetadata | None) -> PerformancePayload:
    """The figures of the period as one; what does not exist is None, and `reasons` says why."""
    numbers, period = figures.daily, figures.period
    daily_returns = returns.daily_returns(numbers)
    index = returns.twr_index(daily_returns)
    scale = scale_of(figures)
    start_value, end_value = numbers.value[0], numbers.value[-1]
    net_flow = numbers.net_flow.sum()
    rates, reasons = _rates(figures, daily_returns, index)
    fall = returns.max_drawdown(index)
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
        unrealised_gain=tidy_amount(end_value - numbers.cost_basis[-1], scale),
        **{name: None if rate is None else tidy_fraction(rate) for name, rate in rates.items()},
        reasons=reasons,
        max_drawdown=DrawdownPayload(
            value=tidy_fraction(fall.value),
            peak=None if fall.peak is None else day_of(period.first_day + fall.peak),
            trough=None if fall.trough is None else day_of(period.first_day + fall.trough),
        ),
        missing=figures.missing,
        benchmark=UNSET if benchmark is None else _compared(benchmark, figures, reasons),
    )


def _compared(
    benchmark: StockMetadata, figures: Figures, reasons: dict[str, str]
) -> BenchmarkPayload:
    """Return what the benchmark returned; where it has no price, `reasons` gets to say that."""
    level = float(benchmark_index(benchmark, figures.currency, figures.period)[-1])
    if np.isnan(level):
        reasons["benchmark"] = f"missing_prices: [{benchmark.ticker}]"
        return BenchmarkPayload(benchmark.ticker, None)
    return BenchmarkPayload(benchmark.ticker, tidy_fraction(level / 100 - 1))


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


def bridge_of(book: Book, period: Period, prices: Mapping[UUID, PriceNow]) -> BridgePayload:
    """What moved the value, per holding and in total; holdings to which nothing happened are left
    out.
    """
    shorter, _ = cut_to_history(book, period)
    parts = bridge(book.vector.trades, market_of(book, shorter, prices)[0])
    scale = max(
        (float(np.abs(getattr(parts, name)).max(initial=0.0)) for name in PARTS), default=0.0
    )
    columns = [tidy(getattr(parts, name), scale).tolist() for name in PARTS]
    holdings = []
    for one, row in zip(book.instruments, zip(*columns, strict=True), strict=True):
        if any(row):
            amounts = dict(zip(PARTS, row, strict=True))
            holdings.append(
                HoldingBridgePayload(holding_id=one.holding_id, ticker=one.ticker, **amounts)
            )
    total = {name: tidy_amount(amount, scale) for name, amount in parts.total().items()}
    return BridgePayload(
        currency=book.portfolio.currency,
        start=period.start,
        end=period.end,
        **total,
        holdings=holdings,
        missing=names_of(book, parts.missing, period),
    )
