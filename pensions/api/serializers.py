from rest_framework import serializers

from financeproj.core.api.serializers import (
    ApiSerializer,
    CurrencyCodeField,
    DayField,
    ExactDecimalField,
    PastDateField,
    PatternField,
    TextField,
)
from pensions.models import ContributionPlan, PensionValueEntry


class AccountInputSerializer(ApiSerializer):
    name = TextField(max_length=100)
    currency = CurrencyCodeField()
    ynab_account_id = PatternField(
        r"^[A-Za-z0-9_-]+$", max_length=64, required=False, allow_blank=True
    )


class AccountSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    currency = serializers.CharField()
    ynab_account_id = serializers.SerializerMethodField()
    current_value = ExactDecimalField(allow_null=True)
    current_value_date = serializers.DateField(allow_null=True)
    created_at = serializers.DateTimeField()

    def get_ynab_account_id(self, account: object) -> str | None:
        return getattr(account, "ynab_account_id", "") or None


class ValueInputSerializer(ApiSerializer):
    date = PastDateField()
    value = ExactDecimalField(minimum=0)


class ValueSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    date = serializers.DateField()
    value = ExactDecimalField()
    source = serializers.ChoiceField(PensionValueEntry.Source.choices)


class ContributionInputSerializer(ApiSerializer):
    amount = ExactDecimalField(minimum=0, above_minimum=True)
    frequency = serializers.ChoiceField(ContributionPlan.Frequency.choices, required=False)
    start = DayField()
    end = DayField(required=False)
    growth = ExactDecimalField(minimum=-1, above_minimum=True, maximum=10, required=False)


class ContributionSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    amount = ExactDecimalField()
    frequency = serializers.ChoiceField(ContributionPlan.Frequency.choices)
    start = serializers.DateField()
    end = serializers.DateField(allow_null=True)
    growth = ExactDecimalField()


class GoalFieldsSerializer(serializers.Serializer):
    amount = ExactDecimalField(allow_null=True)
    year = serializers.IntegerField(allow_null=True)
    projected_value = ExactDecimalField(allow_null=True)
    shortfall = ExactDecimalField(allow_null=True)
    on_track = serializers.BooleanField(allow_null=True)
    required_monthly_contribution = ExactDecimalField(allow_null=True)


class ProjectionGoalSerializer(GoalFieldsSerializer):
    probability = serializers.FloatField(
        required=False, allow_null=True, help_text="Only with simulations."
    )


class AssumptionsSerializer(serializers.Serializer):
    months = serializers.IntegerField()
    monthly_contribution = ExactDecimalField(
        allow_null=True, help_text="null: the accounts' plans."
    )
    contributions_from = serializers.ChoiceField(["plans", "monthly_contribution"])
    contribution_growth = ExactDecimalField()
    annual_return = ExactDecimalField()
    inflation = ExactDecimalField()
    account_id = serializers.UUIDField(allow_null=True)
    include_portfolios = serializers.BooleanField()
    volatility = ExactDecimalField(allow_null=True)
    portfolio_return = ExactDecimalField(allow_null=True)
    portfolio_volatility = ExactDecimalField(allow_null=True)
    simulations = serializers.IntegerField()
    seed = serializers.IntegerField(allow_null=True)


class ProjectionPointSerializer(serializers.Serializer):
    date = serializers.DateField()
    contributions = serializers.FloatField(help_text="Paid in since the start.")
    value = serializers.FloatField()
    real_value = serializers.FloatField(help_text="In today's money.")
    p5 = serializers.FloatField(required=False)
    p25 = serializers.FloatField(required=False)
    p50 = serializers.FloatField(required=False)
    p75 = serializers.FloatField(required=False)
    p95 = serializers.FloatField(required=False)


class ProjectionSerializer(serializers.Serializer):
    currency = serializers.CharField()
    start_date = serializers.DateField()
    start_value = ExactDecimalField(allow_null=True)
    assumptions = AssumptionsSerializer()
    points = ProjectionPointSerializer(many=True)
    goal = ProjectionGoalSerializer(allow_null=True)
    stale = serializers.BooleanField()
    missing = serializers.ListField(child=serializers.CharField())
    reasons = serializers.DictField(child=serializers.CharField())
