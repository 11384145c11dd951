from financeproj.core.api.serializers import ApiSerializer, ExactDecimalField, PastDateField
from marketdata.api.payloads import StoredPricePayload


class EnteredPriceSerializer(ApiSerializer):
    date = PastDateField()
    close = ExactDecimalField(minimum=0)

    answer_fields = StoredPricePayload.__struct_fields__
