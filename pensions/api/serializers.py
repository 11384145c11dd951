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
from pensions.payloads import AccountPayload, ContributionPayload, ValuePayload


class AccountInputSerializer(ApiSerializer):
    name = TextField(max_length=100)
    currency = CurrencyCodeField()
    ynab_account_id = PatternField(
        r"^[A-Za-z0-9_-]+$", max_length=64, required=False, allow_blank=True, allow_null=True
    )

    answer_fields = AccountPayload.__struct_fields__

    def validate_ynab_account_id(self, value: str | None) -> str:
        return value or ""


class ValueInputSerializer(ApiSerializer):
    date = PastDateField()
    value = ExactDecimalField(minimum=0)

    answer_fields = ValuePayload.__struct_fields__


class ContributionInputSerializer(ApiSerializer):
    amount = ExactDecimalField(minimum=0, above_minimum=True)
    frequency = serializers.ChoiceField(ContributionPlan.Frequency.choices, required=False)
    start = DayField()
    end = DayField(required=False, allow_null=True)
    growth = ExactDecimalField(minimum=-1, above_minimum=True, maximum=10, required=False)

    answer_fields = ContributionPayload.__struct_fields__
