"""Net worth over time, the dashboard and the goal."""

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from financeproj.core.api.conditional import answer_unless_known
from financeproj.core.api.query import choice_parameter
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
from portfolios.api.reports import END, INTERVAL, START, Report, report_of
from portfolios.calc.timeline import INTERVALS
from portfolios.reports.balances import balances_of


def wealth_of(request: Request) -> tuple[Report, Wealth]:
    """Read what the user owns over the period of the query, with the version of the data."""
    user = user_of(request)
    pensions = accounts_with_values(user)
    balances = balances_of(list(selectors.portfolios_of(user)))
    pairs, pension_versions = set(), []
    for pension in pensions:
        account = pension.account
        pairs.add((account.currency, user.base_currency))
        pension_versions.append((account.pk, account.name, account.currency, pension.entries))
    report = report_of(
        request,
        None,
        first_on=first_entry_on(pensions, balances),
        more_pairs=pairs,
        more=pension_versions,
    )
    wealth = Wealth(
        books=report.books,
        pensions=pensions,
        figures=lambda: report.figures,
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
        interval = choice_parameter(request, "interval", INTERVALS, "day")
        report, wealth = wealth_of(request)
        return answer_unless_known(
            request, report.version, lambda: net_worth_over_time(wealth, interval=interval)
        )


class NetWorthExplainView(APIView):
    @extend_schema(parameters=[START, END], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> HttpResponse:
        """What net worth at `end` is made of: positions, prices, rates, balances and pension values
        with sources.
        """
        report, wealth = wealth_of(request)
        return answer_unless_known(request, report.version, lambda: net_worth_explained(wealth))


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
