"""Everything that a person owns: net worth over time, and the dashboard."""

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from financeproj.core.api.conditional import answer_unless_known
from financeproj.core.api.query import choice_parameter
from financeproj.core.api.serializers import ExactDecimalField
from pensions.api.serializers import AccountSerializer, ProjectionGoalSerializer
from pensions.dashboard import dashboard
from pensions.networth import Wealth, first_known_on, net_worth, net_worth_explained, pensions_of
from pensions.services import ensure_rates
from portfolios import selectors, services
from portfolios.api.report_serializers import INTERVALS
from portfolios.api.reports import END, INTERVAL, START, Report, report_of
from portfolios.api.representations import portfolio_json
from portfolios.api.serializers import PortfolioSerializer
from portfolios.reports.balances import balances_of


class NetWorthPointSerializer(serializers.Serializer):
    date = serializers.DateField()
    portfolios = serializers.FloatField()
    cash = serializers.FloatField(allow_null=True)
    credit = serializers.FloatField(allow_null=True)
    pensions = serializers.FloatField(allow_null=True)
    net_worth = serializers.FloatField(allow_null=True)


class NetWorthSerializer(serializers.Serializer):
    currency = serializers.CharField()
    start = serializers.DateField()
    end = serializers.DateField()
    interval = serializers.ChoiceField(INTERVALS)
    points = NetWorthPointSerializer(many=True)
    stale = serializers.BooleanField()
    missing = serializers.ListField(child=serializers.CharField())


class MoverSerializer(serializers.Serializer):
    ticker = serializers.CharField()
    company_name = serializers.CharField()
    day_change = ExactDecimalField()
    day_change_pct = ExactDecimalField(allow_null=True)


class FreshnessSerializer(serializers.Serializer):
    oldest_price_at = serializers.DateTimeField(allow_null=True)
    stale = serializers.ListField(child=serializers.CharField())


class DashboardSerializer(serializers.Serializer):
    currency = serializers.CharField()
    net_worth = ExactDecimalField(allow_null=True)
    portfolios_value = ExactDecimalField(allow_null=True)
    cash = ExactDecimalField(allow_null=True)
    used_credit = ExactDecimalField(allow_null=True)
    pensions_value = ExactDecimalField(allow_null=True)
    day_change = ExactDecimalField(allow_null=True)
    day_change_pct = ExactDecimalField(allow_null=True)
    total_gain = ExactDecimalField(allow_null=True)
    portfolios = PortfolioSerializer(many=True)
    movers = MoverSerializer(many=True)
    pension_accounts = AccountSerializer(many=True)
    goal = ProjectionGoalSerializer(allow_null=True)
    freshness = FreshnessSerializer()
    missing = serializers.ListField(child=serializers.CharField())


def wealth_of(request: Request) -> tuple[Report, Wealth]:
    """What the request's user owns over the period of its query, and the stamp of that."""
    user, pensions = request.user, pensions_of(request.user)
    portfolios = list(selectors.portfolios_of(user))
    balances = balances_of(portfolios)
    report = report_of(
        request,
        None,
        first_on=first_known_on(pensions, balances),
        more_pairs={(one.account.currency, user.base_currency) for one in pensions},
        more=[
            (one.account.pk, one.account.name, one.account.currency, one.entries)
            for one in pensions
        ],
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
    @extend_schema(parameters=[START, END, INTERVAL], responses=NetWorthSerializer)
    def get(self, request: Request) -> HttpResponse:
        """Portfolios, cash, credit and pensions in the base currency, a point a day, ISO week or
        month.
        """
        interval = choice_parameter(request, "interval", INTERVALS, "day")
        report, wealth = wealth_of(request)
        return answer_unless_known(
            request, report.version, lambda: net_worth(wealth, interval=interval)
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
    @extend_schema(responses=DashboardSerializer)
    def get(self, request: Request) -> Response:
        """The first screen in one call, in the base currency."""
        ensure_rates(user=request.user)
        valued = services.valued_now(selectors.portfolios_of(request.user))
        answer = dashboard(request.user, valued)
        return Response(
            answer
            | {
                "portfolios": [portfolio_json(one) for one in valued],
                "pension_accounts": AccountSerializer(answer.pop("accounts"), many=True).data,
            }
        )
