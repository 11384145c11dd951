"""What portfolios did over time: one portfolio in its currency, or all of the user's in the base
currency.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from financeproj.core.api.conditional import answer_unless_known, stamp
from financeproj.core.api.errors import BadQuery
from financeproj.core.api.query import choice_parameter, date_parameter, text_parameter
from financeproj.core.api.schema import THIRD_PARTY
from financeproj.core.errors import DomainError, NotFound
from financeproj.users.api.authentication import user_of
from marketdata import queries as market_queries
from marketdata import series
from marketdata import services as marketdata
from marketdata.calc.rates import Pair
from marketdata.models import StockMetadata
from marketdata.selectors import PriceNow
from portfolios import queries, selectors
from portfolios.api.views import own, own_portfolio
from portfolios.calc.timeline import INTERVALS
from portfolios.models import Portfolio
from portfolios.reports import payloads
from portfolios.reports.allocation import OF_ALL, OF_ONE, PartPayload, allocation
from portfolios.reports.explain import holding_explained, performance_explained
from portfolios.reports.figures import (
    Book,
    Figures,
    Period,
    figures_of,
    figures_of_all,
    first_transaction_on,
    period_of,
    shelf_of,
)
from portfolios.reports.gains import METHODS, RealisedGainPayload, realised_gains

START = OpenApiParameter("start", OpenApiTypes.DATE, description="Default: the first transaction.")
END = OpenApiParameter("end", OpenApiTypes.DATE, description="Default, and at most: today.")
INTERVAL = OpenApiParameter("interval", enum=INTERVALS, default="day")
TOGETHER_OR_EACH = ("all", "portfolio")
BY = OpenApiParameter(
    "by", enum=TOGETHER_OR_EACH, default="all", description="portfolio: also the value of each."
)
YEAR = {"type": "integer", "minimum": 1000, "maximum": 9999}
BENCHMARK = OpenApiParameter("benchmark", description="The ticker of what to compare with.")


@dataclass(frozen=True, slots=True)
class Report:
    """What a request about a period is about. `currency` is what it is answered in."""

    books: Sequence[Book]
    currency: str
    is_of_all: bool
    period: Period
    prices: Mapping[UUID, PriceNow]
    benchmark: StockMetadata | None
    version: str

    @property
    def figures(self) -> Figures:
        if self.is_of_all:
            return figures_of_all(self.books, self.currency, self.period, self.prices)
        return figures_of(self.books[0], self.period, self.prices)


def scope_of(request: Request, pk: UUID | None) -> tuple[list[Portfolio], str]:
    """The portfolio of the path in its currency, or all of the user's in the base currency."""
    if pk is None:
        return list(selectors.portfolios_of(user_of(request))), user_of(request).base_currency
    portfolio = own_portfolio(request, pk)
    return [portfolio], portfolio.currency


def report_of(
    request: Request,
    pk: UUID | None,
    *,
    first_on: date | None = None,
    more_pairs: Iterable[Pair] = (),
    more: Any = None,
) -> Report:
    """Read the query, fetch what has no history yet (within the time limit), and stamp what the
    answer depends on.

    For a caller that adds to the portfolios: `first_on` begins the period where there are no
    transactions, `more_pairs` are converted too, and `more` belongs to the stamp.
    """
    start, end = date_parameter(request, "start"), date_parameter(request, "end")
    benchmark = _benchmark(request)
    portfolios, currency = scope_of(request, pk)
    shelf = shelf_of(portfolios)
    lacking = shelf.without_history | ({benchmark.pk} if benchmark else set())
    if lacking:
        marketdata.ensure_history(stock_ids=lacking)
        portfolios, currency = scope_of(
            request, pk
        )  # a split that came with the history moves their versions
        shelf = shelf_of(portfolios)
    if pk is not None and not shelf.books:
        raise Http404  # deleted while this request was under way
    books = shelf.books
    period = period_of(start=start, end=end, first_on=first_transaction_on(books) or first_on)
    pairs = {pair for book in books for pair in [*book.pairs, (book.portfolio.currency, currency)]}
    pairs.update(more_pairs)
    if benchmark is not None:
        pairs.add((benchmark.currency, currency))
    marketdata.ensure_rates(pairs=pairs)
    version = stamp(
        request.path,
        sorted(request.query_params.items()),
        currency,
        shelf.stamp,
        [price.stale for price in shelf.prices.values()],
        series.fingerprint(stock_ids=[benchmark.pk] if benchmark else [], pairs=pairs),
        more,
    )
    return Report(shelf.books, currency, pk is None, period, shelf.prices, benchmark, version)


def _benchmark(request: Request) -> StockMetadata | None:
    ticker = text_parameter(request, "benchmark")
    if not ticker:
        return None
    try:
        return market_queries.instrument_named(user=user_of(request), ticker=ticker)
    except NotFound as error:
        raise DomainError(error.detail, attr="benchmark", code="unknown_ticker") from error


class TimelineView(APIView):
    @extend_schema(
        parameters=[START, END, INTERVAL, BENCHMARK, BY],
        responses={200: payloads.TimelinePayload, **THIRD_PARTY},
    )
    def get(self, request: Request, pk: UUID | None = None) -> HttpResponse:
        """Value, cost, flows, income and the time-weighted index, a point a day, ISO week or
        month.
        """
        interval = choice_parameter(request, "interval", INTERVALS, "day")
        by = choice_parameter(request, "by", TOGETHER_OR_EACH, "all")
        report = report_of(request, pk)

        def answer() -> payloads.TimelinePayload:
            timeline = payloads.timeline(
                report.figures, interval=interval, benchmark=report.benchmark
            )
            if by == "all" or not report.is_of_all:
                return timeline
            parts = [figures_of(book, report.period, report.prices) for book in report.books]
            timeline.portfolios = payloads.values_of_each(report.books, parts, interval=interval)
            return timeline

        return answer_unless_known(request, report.version, answer)


class PerformanceView(APIView):
    @extend_schema(
        parameters=[START, END, BENCHMARK],
        responses={200: payloads.PerformancePayload, **THIRD_PARTY},
    )
    def get(self, request: Request, pk: UUID | None = None) -> HttpResponse:
        """Gain, rates of return and risk of a period; `reasons` says why a figure is null."""
        report = report_of(request, pk)
        return answer_unless_known(
            request,
            report.version,
            lambda: payloads.performance(report.figures, benchmark=report.benchmark),
        )


class PerformanceExplainView(APIView):
    @extend_schema(parameters=[START, END], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, pk: UUID) -> HttpResponse:
        """Where every figure of the performance comes from: inputs with sources, formulas, values
        in between.
        """
        report = report_of(request, pk)
        return answer_unless_known(
            request,
            report.version,
            lambda: performance_explained(report.books[0], report.figures, report.prices),
        )


class HoldingExplainView(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, pk: UUID) -> Response:
        """Where every figure of the holding comes from: transactions, price, rate, formulas, values
        in between.
        """
        holding = own(selectors.holdings_visible_to(user_of(request)), pk)
        valued = queries.valued_now([holding.portfolio])[0]
        shown = next((one for one in valued.holdings if one.id == holding.pk), None)
        if shown is None:
            raise Http404  # deleted while this request was under way
        return Response(holding_explained(shown, holding.portfolio, valued.summary.market_value))


class BridgeView(APIView):
    @extend_schema(parameters=[START, END], responses=payloads.BridgePayload)
    def get(self, request: Request, pk: UUID) -> HttpResponse:
        """How the start value became the end value, per holding and in total."""
        report = report_of(request, pk)
        return answer_unless_known(
            request,
            report.version,
            lambda: payloads.bridge_of(report.books[0], report.period, report.prices),
        )


class AllocationView(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("by", enum=OF_ONE, default="holding")],
        responses=list[PartPayload],
    )
    def get(self, request: Request, pk: UUID | None = None) -> Response:
        """How the market value is spread, largest part first; the weights add up to 1."""
        by = choice_parameter(request, "by", OF_ALL if pk is None else OF_ONE, "holding")
        portfolios, currency = scope_of(request, pk)
        return Response(allocation(queries.valued_now(portfolios), by=by, currency=currency))


class AllocationOfAllView(AllocationView):
    @extend_schema(
        parameters=[OpenApiParameter("by", enum=OF_ALL, default="holding")],
        responses=list[PartPayload],
    )
    def get(self, request: Request) -> Response:  # type: ignore[override]
        """How the market value of all portfolios is spread, largest part first; the weights add up
        to 1.
        """
        return super().get(request)


class RealisedGainsView(APIView):
    @extend_schema(
        parameters=[
            OpenApiParameter(
                "year",
                {"type": "integer", "minimum": 1000, "maximum": 9999},
                description="Default: all.",
            ),
            OpenApiParameter("method", enum=METHODS, default="average"),
        ],
        responses=list[RealisedGainPayload],
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Every sale with its gain; with `method=fifo` and the lots that it used up."""
        method = choice_parameter(request, "method", METHODS, "average")
        return Response(
            realised_gains(own_portfolio(request, pk), year=_year(request), method=method)
        )


def _year(request: Request) -> int | None:
    text = request.query_params.get("year", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) == 4):
        raise BadQuery("year is a year such as 2024.", attr="year")
    return int(text)
