from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from financeproj.core.api.serializers import ExactDecimalField
from pensions.api.serializers import (
    AccountSerializer,
    GoalFieldsSerializer,
    ProjectionGoalSerializer,
)
from portfolios.calc.timeline import INTERVALS


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


@extend_schema_field({"type": "array", "items": {"$ref": "#/components/schemas/Portfolio"}})
class PortfoliosField(serializers.ListField):
    pass


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
    portfolios = PortfoliosField()
    movers = MoverSerializer(many=True)
    pension_accounts = AccountSerializer(many=True)
    goal = ProjectionGoalSerializer(allow_null=True)
    freshness = FreshnessSerializer()
    missing = serializers.ListField(child=serializers.CharField())


class GoalSerializer(GoalFieldsSerializer):
    progress = ExactDecimalField(allow_null=True, help_text="Net worth / goal.")
    probability = serializers.FloatField(allow_null=True)
    reached_in = serializers.IntegerField(
        allow_null=True, help_text="The first year that reaches it at this pace."
    )
    currency = serializers.CharField()
    stale = serializers.BooleanField()
    missing = serializers.ListField(child=serializers.CharField())
    reasons = serializers.DictField(child=serializers.CharField())
