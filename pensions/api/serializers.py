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
from pensions.models import ContributionPlan


class AccountInputSerializer(ApiSerializer):
    name = TextField(max_length=100)
    currency = CurrencyCodeField()
    ynab_account_id = PatternField(
        r"^[A-Za-z0-9_-]+$", max_length=64, required=False, allow_blank=True
    )


class ValueInputSerializer(ApiSerializer):
    date = PastDateField()
    value = ExactDecimalField(minimum=0)


class ContributionInputSerializer(ApiSerializer):
    amount = ExactDecimalField(minimum=0, above_minimum=True)
    frequency = serializers.ChoiceField(ContributionPlan.Frequency.choices, required=False)
    start = DayField()
    end = DayField(required=False)
    growth = ExactDecimalField(minimum=-1, above_minimum=True, maximum=10, required=False)
