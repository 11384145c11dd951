from financeproj.core.api.serializers import ApiSerializer, PatternField
from integrations.ynab.payloads import YnabSettingsPayload


class BudgetInputSerializer(ApiSerializer):
    # It becomes part of a path at YNAB.
    budget_id = PatternField(r"^[A-Za-z0-9_-]{1,64}$")

    answer_fields = YnabSettingsPayload.__struct_fields__
