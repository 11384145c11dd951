from rest_framework import serializers

from financeproj.core.api.serializers import ApiSerializer, ExactDecimalField, PatternField
from integrations.models import SyncRun


class BudgetInputSerializer(ApiSerializer):
    # It becomes part of a path at YNAB.
    budget_id = PatternField(r"^[A-Za-z0-9_-]{1,64}$")


class SyncLineSerializer(serializers.Serializer):
    account_id = serializers.CharField()
    name = serializers.CharField()
    outcome = serializers.CharField()
    detail = serializers.CharField()


class SyncRunSerializer(serializers.Serializer):
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    trigger = serializers.ChoiceField(SyncRun.Trigger.choices)
    outcome = serializers.ChoiceField(SyncRun.Outcome.choices)
    detail = serializers.CharField()
    accounts = SyncLineSerializer(many=True)


class YnabSettingsSerializer(serializers.Serializer):
    budget_id = serializers.CharField(allow_null=True)
    budget_name = serializers.CharField(allow_null=True)
    verified = serializers.BooleanField()
    api_key_configured = serializers.BooleanField()
    last_sync = SyncRunSerializer(allow_null=True)


class YnabAccountSerializer(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()
    type = serializers.CharField()
    balance = ExactDecimalField()
    currency = serializers.CharField(allow_null=True)
    closed = serializers.BooleanField()
    deleted = serializers.BooleanField()
    stale = serializers.BooleanField()


class YnabBalanceSerializer(serializers.Serializer):
    account_id = serializers.CharField(source="id")
    name = serializers.CharField()
    balance = ExactDecimalField()
    cleared_balance = ExactDecimalField()
    uncleared_balance = ExactDecimalField()
    currency = serializers.CharField(allow_null=True)
    as_of = serializers.DateTimeField()
    stale = serializers.BooleanField()
