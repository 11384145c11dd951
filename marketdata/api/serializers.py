from rest_framework import serializers

from financeproj.core.api.serializers import ApiSerializer, ExactDecimalField, PastDateField


class CurrencySerializer(serializers.Serializer):
    code = serializers.CharField()
    name = serializers.CharField()
    symbol = serializers.CharField()
    decimal_places = serializers.IntegerField()
    in_use = serializers.BooleanField()


class PriceSerializer(serializers.Serializer):
    ticker = serializers.CharField()
    price = ExactDecimalField()
    previous_close = ExactDecimalField(allow_null=True)
    change = ExactDecimalField(allow_null=True)
    change_pct = ExactDecimalField(allow_null=True)
    currency = serializers.CharField()
    as_of = serializers.DateTimeField()
    fetched_at = serializers.DateTimeField(allow_null=True)
    source = serializers.CharField()
    stale = serializers.BooleanField()


class RateSerializer(serializers.Serializer):
    base = serializers.CharField()
    target = serializers.CharField()
    rate = ExactDecimalField()
    date = serializers.DateField()
    source = serializers.CharField()
    stale = serializers.BooleanField()


class HitSerializer(serializers.Serializer):
    ticker = serializers.CharField()
    company_name = serializers.CharField()
    exchange = serializers.CharField()
    asset_type = serializers.CharField()
    currency = serializers.CharField(allow_null=True)
    source = serializers.CharField()


class EnteredPriceSerializer(ApiSerializer):
    date = PastDateField()
    close = ExactDecimalField(minimum=0)


class StoredPriceSerializer(serializers.Serializer):
    ticker = serializers.CharField()
    date = serializers.DateField()
    close = ExactDecimalField()
    currency = serializers.CharField()
    source = serializers.CharField()


# The series below are written without a serializer; these describe them in the schema.


class ClosePointSerializer(serializers.Serializer):
    date = serializers.DateField()
    close = ExactDecimalField()
    adjusted_close = ExactDecimalField()


class SplitSerializer(serializers.Serializer):
    date = serializers.DateField()
    ratio = ExactDecimalField()


class DividendSerializer(serializers.Serializer):
    date = serializers.DateField()
    amount = ExactDecimalField()


class PriceHistorySerializer(serializers.Serializer):
    ticker = serializers.CharField()
    currency = serializers.CharField()
    points = ClosePointSerializer(many=True)
    splits = SplitSerializer(many=True)
    dividends = DividendSerializer(many=True)
    stale = serializers.BooleanField()


class RatePointSerializer(serializers.Serializer):
    date = serializers.DateField()
    rate = ExactDecimalField()


class RateHistorySerializer(serializers.Serializer):
    base = serializers.CharField()
    target = serializers.CharField()
    points = RatePointSerializer(many=True)
    source = serializers.CharField()
    stale = serializers.BooleanField()
