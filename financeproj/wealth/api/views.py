"""Net worth over time, the dashboard and the goal."""

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from financeproj.core.api.views import ApiView
from financeproj.core.shared.heavy_requests import heavy_request
from financeproj.users.api.authentication import user_of
from financeproj.wealth.dashboard import DashboardPayload, dashboard_of
from financeproj.wealth.net_worth import NetWorthPayload, net_worth_over_time, read_wealth
from financeproj.wealth.net_worth_explained import net_worth_explained
from pensions.payloads import GoalPayload
from pensions.projections import goal_of
from pensions.services import ensure_rates
from portfolios import queries, selectors
from portfolios.api.query import END, INTERVAL, PAGE, START, page_query, report_query
from portfolios.api.reports import ReportView, answer_report


class NetWorthView(ReportView):
    @extend_schema(parameters=[START, END, INTERVAL], responses=NetWorthPayload)
    def get(self, request: Request) -> HttpResponse:
        """Net worth over time in the base currency, by day, ISO week or month."""
        query = report_query(request, with_interval=True)
        wealth = read_wealth(user_of(request), query)
        return answer_report(
            request, wealth.report, lambda: net_worth_over_time(wealth, interval=query.interval)
        )


class NetWorthExplainView(ReportView):
    @extend_schema(parameters=[START, END, *PAGE], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> HttpResponse:
        """What net worth at `end` is made of, with sources of all inputs."""
        query = report_query(request)
        page_query(request)  # checked as in the other explanations, though all fits on one page
        with heavy_request(user_of(request).pk):
            wealth = read_wealth(user_of(request), query)
            return answer_report(request, wealth.report, lambda: net_worth_explained(wealth))


class DashboardView(ApiView):
    @extend_schema(responses=DashboardPayload)
    def get(self, request: Request) -> Response:
        """The first screen in one call, in the base currency."""
        user = user_of(request)
        ensure_rates(user=user)
        portfolios = queries.valued_now(selectors.portfolios_of(user))
        return Response(dashboard_of(user, portfolios))


class GoalView(ApiView):
    @extend_schema(responses=GoalPayload)
    def get(self, request: Request) -> Response:
        user = user_of(request)
        ensure_rates(user=user)
        queries.ensure_priced(selectors.portfolios_of(user))
        with heavy_request(user.pk):
            return Response(goal_of(user))
