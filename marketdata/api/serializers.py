from financeproj.core.api.serializers import ApiSerializer, ExactDecimalField, PastDateField


class EnteredPriceSerializer(ApiSerializer):
    date = PastDateField()
    close = ExactDecimalField(minimum=0)
