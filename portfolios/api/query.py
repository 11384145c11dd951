"""Query parameters of reports, parsed once per request."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from financeproj.core.api.errors import BadQuery
from financeproj.core.api.query import (
    boolean_parameter,
    choice_parameter,
    date_parameter,
    limit_parameter,
    page_parameters,
    text_parameter,
    uuid_parameter,
)
from financeproj.core.errors import DomainError
from financeproj.users.api.authentication import user_of
from marketdata import queries
from portfolios.calc.timeline import INTERVALS, Interval
from portfolios.reports.benchmark import MAX_BENCHMARKS, RETURN_KINDS, Benchmark, ReturnKind
from portfolios.reports.pages import ROWS_AT_ONCE, PageQuery
from portfolios.reports.report import Grouping, ReportQuery

GROUPINGS: tuple[Grouping, ...] = ("all", "portfolio")

START = OpenApiParameter("start", OpenApiTypes.DATE, description="Default: the first transaction.")
END = OpenApiParameter("end", OpenApiTypes.DATE, description="Default, and at most: today.")
INTERVAL = OpenApiParameter("interval", enum=INTERVALS, default="day")
BY = OpenApiParameter(
    "by", enum=GROUPINGS, default="all", description="portfolio: also the value of each."
)
BENCHMARK = OpenApiParameter(
    "benchmark", description="Up to five tickers to compare with, separated by commas."
)
BENCHMARK_RETURN = OpenApiParameter(
    "benchmark_return",
    enum=RETURN_KINDS,
    default="total",
    description="total: the benchmarks' dividends are reinvested; price: they are left out.",
)
INCLUDE_CASH = OpenApiParameter(
    "include_cash",
    bool,
    default=False,
    description="Count the money too, from the `cash_from` of each portfolio on.",
)
PAGE = page_parameters(ROWS_AT_ONCE)
YEAR = OpenApiParameter(
    "year",
    {"type": "integer", "minimum": 1000, "maximum": 9999},
    description="Default: all.",
)


def report_query(
    request: Request,
    *,
    with_interval: bool = False,
    with_grouping: bool = False,
    with_benchmark: bool = False,
    with_cash: bool = False,
) -> ReportQuery:
    """Parse what a request about a period asks for. May ask a source for the benchmark.

    `interval`, `by`, `benchmark` and `include_cash` are read only by the reports that have them.
    Raises BadQuery for a parameter that cannot be read, DomainError (`too_many`) for more than five
    benchmarks.
    """
    interval: Interval = "day"
    if with_interval:
        interval = choice_parameter(request, "interval", INTERVALS, "day")
    grouping: Grouping = "all"
    if with_grouping:
        grouping = choice_parameter(request, "by", GROUPINGS, "all")
    benchmarks: tuple[Benchmark, ...] = ()
    benchmark_return: ReturnKind = "total"
    if with_benchmark:
        benchmarks = _benchmarks(request)
        benchmark_return = choice_parameter(request, "benchmark_return", RETURN_KINDS, "total")
    return ReportQuery(
        start=date_parameter(request, "start"),
        end=date_parameter(request, "end"),
        interval=interval,
        by=grouping,
        benchmarks=benchmarks,
        benchmark_return=benchmark_return,
        include_cash=with_cash and boolean_parameter(request, "include_cash", False),
    )


def _benchmarks(request: Request) -> tuple[Benchmark, ...]:
    """Return the benchmarks asked for; one that cannot be had has the code of its error."""
    tickers: dict[str, None] = {}  # in order, each once
    for ticker in text_parameter(request, "benchmark").upper().split(","):
        if ticker.strip():
            tickers[ticker.strip()] = None
    if len(tickers) > MAX_BENCHMARKS:
        raise DomainError(
            f"Name at most {MAX_BENCHMARKS} benchmarks.", attr="benchmark", code="too_many"
        )
    benchmarks = []
    for ticker in tickers:
        try:
            stock = queries.instrument_named(user=user_of(request), ticker=ticker)
            benchmarks.append(Benchmark(ticker, stock))
        except DomainError as error:
            benchmarks.append(Benchmark(ticker, reason=error.code))
    return tuple(benchmarks)


def page_query(request: Request) -> PageQuery:
    """Parse which transactions an explanation lists. Raises BadQuery and DomainError."""
    return PageQuery(
        limit=limit_parameter(request, ROWS_AT_ONCE), after=uuid_parameter(request, "cursor")
    )


def year_parameter(request: Request) -> int | None:
    """Return the year asked for, None when it was left out."""
    text = request.query_params.get("year", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) == 4):
        raise BadQuery("year must have four digits, e.g. 2024.", attr="year")
    return int(text)
