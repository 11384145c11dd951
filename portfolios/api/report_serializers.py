"""The shapes of answers over time, for the schema: the answers themselves are written without
serializers.
"""

from rest_framework import serializers

INTERVALS = ("day", "week", "month")


def amount(**kwargs: bool) -> serializers.FloatField:
    return serializers.FloatField(**kwargs)


class PointSerializer(serializers.Serializer):
    date = serializers.DateField()
    market_value = amount()
    cost_basis = amount()
    net_flow = amount()
    income = amount()
    twr_index = amount()
    benchmark_index = amount(required=False, allow_null=True)


class PortfolioValuesSerializer(serializers.Serializer):
    portfolio_id = serializers.UUIDField()
    currency = serializers.CharField()
    market_value = serializers.ListField(
        child=amount(), help_text="One a point, in the portfolio's own currency."
    )


class TimelineSerializer(serializers.Serializer):
    currency = serializers.CharField()
    start = serializers.DateField()
    end = serializers.DateField()
    interval = serializers.ChoiceField(INTERVALS)
    points = PointSerializer(many=True)
    portfolios = PortfolioValuesSerializer(
        many=True, required=False, help_text="With by=portfolio."
    )
    stale = serializers.BooleanField()
    missing = serializers.ListField(child=serializers.CharField())


class DrawdownSerializer(serializers.Serializer):
    value = amount()
    peak = serializers.DateField(allow_null=True)
    trough = serializers.DateField(allow_null=True)


class BenchmarkSerializer(serializers.Serializer):
    ticker = serializers.CharField()
    twr = amount(allow_null=True)


class PerformanceSerializer(serializers.Serializer):
    currency = serializers.CharField()
    start = serializers.DateField()
    end = serializers.DateField()
    start_value = amount()
    end_value = amount()
    net_flow = amount()
    gain = amount()
    twr = amount(allow_null=True)
    twr_annualised = amount(allow_null=True)
    mwr = amount(allow_null=True)
    mwr_period = amount(allow_null=True)
    reasons = serializers.DictField(child=serializers.CharField())
    volatility = amount(allow_null=True)
    max_drawdown = DrawdownSerializer()
    income = amount()
    charges = amount()
    realised_gain = amount()
    unrealised_gain = amount()
    benchmark = BenchmarkSerializer(required=False)
    missing = serializers.ListField(child=serializers.CharField())


class PartSerializer(serializers.Serializer):
    key = serializers.CharField()
    label = serializers.CharField()
    market_value = amount()
    weight = amount()


class BridgeSumsSerializer(serializers.Serializer):
    start_value = amount()
    net_flow = amount()
    price_effect = amount()
    fx_effect = amount()
    income = amount()
    charges = amount()
    commissions = amount()
    end_value = amount()


class HoldingBridgeSerializer(BridgeSumsSerializer):
    holding_id = serializers.UUIDField()
    ticker = serializers.CharField()


class BridgeSerializer(BridgeSumsSerializer):
    currency = serializers.CharField()
    start = serializers.DateField()
    end = serializers.DateField()
    holdings = HoldingBridgeSerializer(many=True)
    missing = serializers.ListField(child=serializers.CharField())


class LotSerializer(serializers.Serializer):
    bought_on = serializers.DateField()
    quantity = amount()
    cost = amount()


class RealisedGainSerializer(serializers.Serializer):
    transaction_id = serializers.UUIDField()
    ticker = serializers.CharField()
    date = serializers.DateField()
    quantity = amount()
    proceeds = amount()
    cost = amount()
    gain = amount()
    lots = LotSerializer(many=True)
