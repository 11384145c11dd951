from financeproj.core.api.serializers import ApiSerializer, PatternField


class BudgetInputSerializer(ApiSerializer):
    # It becomes part of a path at YNAB.
    budget_id = PatternField(r"^[A-Za-z0-9_-]{1,64}$")
