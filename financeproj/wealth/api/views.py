"""Net worth over time, the dashboard and the goal."""

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from financeproj.users.api.authentication import user_of
from financeproj.wealth.dashboard import DashboardPayload, dashboard_of
from financeproj.wealth.net_worth import (
    NetWorthPayload,
    Wealth,
    first_entry_on,
    net_worth_explained,
    net_worth_over_time,
)
from pensions.payloads import GoalPayload
from pensions.projections import goal_of
from pensions.selectors import accounts_with_values
from pensions.services import ensure_rates
from portfolios import queries, selectors
from portfolios.api.query import END, INTERVAL, START, report_query
from portfolios.api.reports import answer_report
from portfolios.reports.balances import balances_of
from portfolios.reports.report import Report, ReportQuery, Scope, prepare_report


def wealth_of(request: Request, query: ReportQuery) -> tuple[Report, Wealth]:
    """Read what the user owns over the period of the query, with the report on portfolios."""
    user = user_of(request)
    pensions = accounts_with_values(user)
    portfolios = list(selectors.portfolios_of(user))
    balances = balances_of(portfolios)
    pairs, pension_versions = set(), []
    for pension in pensions:
        account = pension.account
        pairs.add((account.currency, user.base_currency))
        pension_versions.append((account.pk, account.name, account.currency, pension.entries))
    report = prepare_report(
        Scope(portfolios, user.base_currency, covers_all=True),
        query,
        first_on=first_entry_on(pensions, balances),
        extra_pairs=pairs,
        extra_versions=pension_versions,
    )
    wealth = Wealth(
        histories=report.histories,
        pensions=pensions,
        figures=report.figures,
        period=report.period,
        currency=report.currency,
        balances=balances,
    )
    return report, wealth


class NetWorthView(APIView):
    @extend_schema(parameters=[START, END, INTERVAL], responses=NetWorthPayload)
    def get(self, request: Request) -> HttpResponse:
        """Portfolios, cash, credit and pensions in the base currency, a point a day, ISO week or
        month.
        """
        query = report_query(request, with_interval=True)
        report, wealth = wealth_of(request, query)
        return answer_report(
            request, report, lambda: net_worth_over_time(wealth, interval=query.interval)
        )


class NetWorthExplainView(APIView):
    @extend_schema(parameters=[START, END], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> HttpResponse:
        """What net worth at `end` is made of: positions, prices, rates, balances and pension values
        with sources.
        """
        report, wealth = wealth_of(request, report_query(request))
        return answer_report(request, report, lambda: net_worth_explained(wealth))


class DashboardView(APIView):
    @extend_schema(responses=DashboardPayload)
    def get(self, request: Request) -> Response:
        """The first screen in one call, in the base currency."""
        ensure_rates(user=user_of(request))
        portfolios = queries.valued_now(selectors.portfolios_of(user_of(request)))
        return Response(dashboard_of(user_of(request), portfolios))


class GoalView(APIView):
    @extend_schema(responses=GoalPayload)
    def get(self, request: Request) -> Response:
        ensure_rates(user=user_of(request))
        queries.ensure_priced(selectors.portfolios_of(user_of(request)))
        return Response(goal_of(user_of(request)))
