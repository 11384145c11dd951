"""The shapes of requests and answers about portfolios. Answers are made by `representations.py`."""

from typing import Any

from rest_framework import serializers

from financeproj.core.api.serializers import (
    ApiSerializer,
    CurrencyCodeField,
    ExactDecimalField,
    PastDateField,
    PatternField,
    TextField,
)
from portfolios.models import TransactionSource, TransactionType


class PortfolioInputSerializer(ApiSerializer):
    name = TextField(max_length=100)
    brokerage_firm = TextField(max_length=100, required=False, allow_blank=True)
    currency = CurrencyCodeField()
    used_credit = ExactDecimalField(required=False, minimum=0)


class UsedCreditSerializer(ApiSerializer):
    used_credit = ExactDecimalField(minimum=0)
    date = PastDateField(required=False)


class CashSerializer(ApiSerializer):
    cash = ExactDecimalField()
    date = PastDateField(required=False)


class OrderSerializer(ApiSerializer):
    ids = serializers.ListField(child=serializers.UUIDField(), max_length=10_000)


class HoldingInputSerializer(ApiSerializer):
    company_name = TextField(max_length=200, allow_blank=True)


class TransactionChangeSerializer(ApiSerializer):
    """The fields of a transaction that can be given, and given again in an edit."""

    type = serializers.ChoiceField(TransactionType.choices)
    date = PastDateField()
    quantity = ExactDecimalField(minimum=0, above_minimum=True)
    price = ExactDecimalField(
        required=False, minimum=0, help_text="Not needed for split and transfer_out."
    )
    commission = ExactDecimalField(required=False, minimum=0)
    exchange_rate = ExactDecimalField(
        required=False,
        minimum=0,
        above_minimum=True,
        help_text="Looked up on the date when left out.",
    )
    note = TextField(max_length=500, required=False, allow_blank=True)
    external_id = TextField(max_length=200, required=False, allow_blank=True)


class TransactionInputSerializer(TransactionChangeSerializer):
    """`holding_id`, or `portfolio_id` with `ticker`."""

    holding_id = serializers.UUIDField(required=False)
    portfolio_id = serializers.UUIDField(required=False)
    ticker = PatternField(r"^[A-Za-z0-9.^=_&+-]+$", max_length=40, required=False)
    company_name = TextField(max_length=200, required=False, allow_blank=True)
    currency = CurrencyCodeField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "holding_id" not in attrs:
            missing = [name for name in ("portfolio_id", "ticker") if name not in attrs]
            if missing:
                detail = "Give holding_id, or portfolio_id and ticker."
                raise serializers.ValidationError(
                    {name: [serializers.ErrorDetail(detail, code="required")] for name in missing}
                )
        return attrs


# --- Answers, for the schema ----------------------------------------------------------------------


def number(**kwargs: Any) -> ExactDecimalField:
    return ExactDecimalField(read_only=True, **kwargs)


def number_or_null() -> ExactDecimalField:
    return number(allow_null=True)


class SummarySerializer(serializers.Serializer):
    market_value = number()
    net_value = number()
    cost_basis = number()
    unrealised_gain = number()
    unrealised_gain_pct = number_or_null()
    realised_gain = number()
    income = number()
    charges = number()
    total_gain = number()
    day_change = number()
    day_change_pct = number_or_null()
    as_of = serializers.DateTimeField(allow_null=True)
    stale = serializers.BooleanField()
    missing = serializers.ListField(child=serializers.CharField())


class PortfolioSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    brokerage_firm = serializers.CharField()
    currency = serializers.CharField()
    used_credit = number()
    cash = number()
    position = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    summary = SummarySerializer()


class HoldingSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    portfolio_id = serializers.UUIDField()
    ticker = serializers.CharField()
    company_name = serializers.CharField()
    currency = serializers.CharField()
    asset_type = serializers.CharField()
    current_quantity = number()
    average_cost_per_share = number_or_null()
    cost_basis = number()
    price = number_or_null()
    previous_close = number_or_null()
    price_as_of = serializers.DateTimeField(allow_null=True)
    price_source = serializers.CharField(allow_null=True)
    price_stale = serializers.BooleanField()
    exchange_rate = number_or_null()
    market_value = number_or_null()
    unrealised_gain = number_or_null()
    unrealised_gain_pct = number_or_null()
    price_effect = number_or_null()
    fx_effect = number_or_null()
    realised_gain = number()
    income = number()
    charges = number()
    total_gain = number_or_null()
    day_change = number_or_null()
    day_change_pct = number_or_null()
    weight = number_or_null()
    first_transaction_on = serializers.DateField(allow_null=True)
    last_transaction_on = serializers.DateField(allow_null=True)


class TransactionSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    holding_id = serializers.UUIDField()
    portfolio_id = serializers.UUIDField()
    ticker = serializers.CharField()
    company_name = serializers.CharField()
    type = serializers.ChoiceField(TransactionType.choices)
    date = serializers.DateField()
    quantity = number()
    price = number_or_null()
    commission = number()
    currency = serializers.CharField()
    exchange_rate = number_or_null()
    amount = number()
    average_cost_per_share_at_transaction = number_or_null()
    realised_gain = number_or_null()
    note = serializers.CharField()
    external_id = serializers.CharField(allow_null=True)
    source = serializers.ChoiceField(TransactionSource.choices)
    import_id = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
