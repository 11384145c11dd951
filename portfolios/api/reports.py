"""Reports about one portfolio in its currency, or about all of the user's in the base currency."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from financeproj.core.api.conditional import answer_unless_known, stamp
from financeproj.core.api.query import choice_parameter, link_to
from financeproj.core.api.schema import THIRD_PARTY
from financeproj.core.api.views import ApiView
from financeproj.core.shared.heavy_requests import heavy_request
from financeproj.users.api.authentication import user_of
from portfolios import queries, selectors
from portfolios.api.query import (
    BENCHMARK,
    BENCHMARK_RETURN,
    BY,
    END,
    INCLUDE_CASH,
    INTERVAL,
    PAGE,
    START,
    YEAR,
    page_query,
    report_query,
    year_parameter,
)
from portfolios.api.views import get_own_or_404, get_portfolio_or_404
from portfolios.reports import payloads
from portfolios.reports.allocation import OF_ALL, OF_ONE, PartPayload, allocation
from portfolios.reports.bridges import BridgePayload, bridge_of
from portfolios.reports.gains import METHODS, RealisedGainPayload, realised_gains
from portfolios.reports.holding_explained import holding_explained
from portfolios.reports.pages import Explanation
from portfolios.reports.performance_explained import performance_explained
from portfolios.reports.report import Report, ReportQuery, Scope, prepare_report


class ReportView(ApiView):
    # All reports accept these, so that a client can send one set to each.
    ignored_parameters = ("start", "end", "interval", "benchmark", "benchmark_return")


def scope_of(request: Request, pk: UUID | None) -> Scope:
    """Return the portfolio of the path in its currency, or all in the user's base currency."""
    if pk is None:
        portfolios = list(selectors.portfolios_of(user_of(request)))
        return Scope(portfolios, user_of(request).base_currency, covers_all=True)
    portfolio = get_portfolio_or_404(request, pk)
    return Scope([portfolio], portfolio.currency, covers_all=False)


def report_for(request: Request, pk: UUID | None, query: ReportQuery | None = None) -> Report:
    """Prepare the report that a request asks for; `query` is parsed from it if not given."""
    query = query or report_query(request)
    return prepare_report(scope_of(request, pk), query)


def answer_report(request: Request, report: Report, calculate: Callable[[], Any]) -> HttpResponse:
    """Answer 304 if the client has this answer already, else what `calculate` returns."""
    parameters = sorted(request.query_params.items())
    version = stamp(request.path, parameters, report.fingerprint)
    return answer_unless_known(request, version, calculate)


class TimelineView(ReportView):
    @extend_schema(
        parameters=[START, END, INTERVAL, BENCHMARK, BENCHMARK_RETURN, BY, INCLUDE_CASH],
        responses={200: payloads.TimelinePayload, **THIRD_PARTY},
    )
    def get(self, request: Request, pk: UUID | None = None) -> HttpResponse:
        """Value, cost, flows, income and the time-weighted index, a point a day, ISO week or
        month.
        """
        query = report_query(
            request, with_interval=True, with_grouping=True, with_benchmark=True, with_cash=True
        )
        report = report_for(request, pk, query)
        return answer_report(request, report, lambda: payloads.timeline(report))


class PerformanceView(ReportView):
    @extend_schema(
        parameters=[START, END, BENCHMARK, BENCHMARK_RETURN, INCLUDE_CASH],
        responses={200: payloads.PerformancePayload, **THIRD_PARTY},
    )
    def get(self, request: Request, pk: UUID | None = None) -> HttpResponse:
        """Gain, rates of return and risk of a period; `reasons` says why a figure is null."""
        query = report_query(request, with_benchmark=True, with_cash=True)
        report = report_for(request, pk, query)
        return answer_report(request, report, lambda: payloads.performance(report))


def answer_explanation(
    request: Request, report: Report, explain: Callable[[], Explanation[Any]]
) -> HttpResponse:
    """Answer as `answer_report`, with a link to the next page of transactions."""
    links: dict[str, str] = {}

    def body() -> Any:
        explanation = explain()
        links.update(link_behind(request, explanation))
        return explanation.body

    response = answer_report(request, report, body)
    for name, value in links.items():
        response[name] = value
    return response


def link_behind(request: Request, explanation: Explanation[Any]) -> dict[str, str]:
    """Return the header that leads to the page behind `explanation`; none for the last page."""
    if explanation.next_after is None:
        return {}
    url = request.build_absolute_uri()
    return link_to(replace_query_param(url, "cursor", str(explanation.next_after)))


class PerformanceExplainView(ReportView):
    @extend_schema(parameters=[START, END, INCLUDE_CASH, *PAGE], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, pk: UUID) -> HttpResponse:
        """Where every figure of the performance comes from: inputs with sources, formulas, values
        in between. At most 1,000 transactions at once, with their flows and gains.
        """
        page = page_query(request)
        with heavy_request(user_of(request).pk):
            report = report_for(request, pk, report_query(request, with_cash=True))
            return answer_explanation(request, report, lambda: performance_explained(report, page))


class HoldingExplainView(ReportView):
    @extend_schema(parameters=PAGE, responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, pk: UUID) -> Response:
        """Where every figure of the holding comes from: transactions, price, rate, formulas, values
        in between. At most 1,000 transactions at once, with their steps.
        """
        page = page_query(request)
        holding = get_own_or_404(selectors.holdings_visible_to(user_of(request)), pk)
        with heavy_request(user_of(request).pk):
            valued = queries.valued_now([holding.portfolio])[0]
            for valued_holding in valued.holdings:
                if valued_holding.id == holding.pk:
                    explanation = holding_explained(valued_holding, valued, page)
                    return Response(explanation.body, headers=link_behind(request, explanation))
        raise Http404  # deleted since the request began


class BridgeView(ReportView):
    @extend_schema(parameters=[START, END, INCLUDE_CASH], responses=BridgePayload)
    def get(self, request: Request, pk: UUID | None = None) -> HttpResponse:
        """How the start value became the end value, per holding and in total."""
        report = report_for(request, pk, report_query(request, with_cash=True))
        return answer_report(request, report, lambda: bridge_of(report))


class AllocationView(ReportView):
    @extend_schema(
        parameters=[OpenApiParameter("by", enum=OF_ONE, default="holding")],
        responses=list[PartPayload],
    )
    def get(self, request: Request, pk: UUID | None = None) -> Response:
        """How the market value is spread, largest part first; the weights add up to 1."""
        groupings = OF_ALL if pk is None else OF_ONE
        grouping = choice_parameter(request, "by", groupings, "holding")
        scope = scope_of(request, pk)
        valued = queries.valued_now(scope.portfolios)
        return Response(allocation(valued, by=grouping, currency=scope.currency))


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


class RealisedGainsView(ReportView):
    @extend_schema(
        parameters=[YEAR, OpenApiParameter("method", enum=METHODS, default="average")],
        responses=list[RealisedGainPayload],
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Every sale with its gain; with `method=fifo` and the lots that it used up."""
        method = choice_parameter(request, "method", METHODS, "average")
        year = year_parameter(request)
        portfolio = get_portfolio_or_404(request, pk)
        gains = realised_gains(portfolio, year=year, method=method)
        return Response(gains)
