from typing import Any

from django.db.models import Q
from django_filters import rest_framework as filters

from financeproj.core.api.query import TextFilter, check_period
from portfolios.calc.kinds import TYPES_WITHOUT_HOLDING
from portfolios.models import TRANSACTION_TYPES, Transaction


class TransactionFilter(filters.FilterSet):
    portfolio_id = filters.UUIDFilter(field_name="portfolio_id")
    holding_id = filters.UUIDFilter(field_name="holding_id")
    ticker = TextFilter(method="by_ticker")
    type = filters.ChoiceFilter(choices=TRANSACTION_TYPES)
    start = filters.DateFilter(field_name="date", lookup_expr="gte", input_formats=["%Y-%m-%d"])
    end = filters.DateFilter(field_name="date", lookup_expr="lte", input_formats=["%Y-%m-%d"])
    import_id = filters.UUIDFilter(field_name="import_batch_id")
    kind = filters.ChoiceFilter(
        choices=[("trade", "Trade"), ("money", "Money"), ("all", "All")],
        method="by_kind",
        help_text="Rows with an instrument (trade), of money alone (money), or all. The default is "
        "trade; with import_id, or a type that has no instrument, it is all.",
    )

    q = TextFilter(
        method="by_text",
        help_text="Rows with this text in the ticker, the name, the note or the external id.",
    )
    sort = filters.ChoiceFilter(
        choices=[("-date", "Newest first"), ("date", "Oldest first")],
        method="as_they_are",
        help_text="`date` for the oldest first; by default `-date`, the newest first.",
    )

    class Meta:
        model = Transaction
        fields: list[str] = []

    def by_ticker(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(holding__stock__ticker=value.upper())

    def by_text(self, queryset: Any, name: str, value: str) -> Any:
        found = Q(note__icontains=value) | Q(external_id__icontains=value)
        for column in ("holding__company_name", "holding__stock__company_name"):
            found |= Q(**{f"{column}__icontains": value})
        return queryset.filter(found | Q(holding__stock__ticker__icontains=value))

    def as_they_are(self, queryset: Any, name: str, value: str) -> Any:
        """Leave the order to the pages."""
        return queryset

    def by_kind(self, queryset: Any, name: str, value: str) -> Any:
        return queryset if value == "all" else queryset.filter(holding__isnull=value == "money")

    def filter_queryset(self, queryset: Any) -> Any:
        check_period(self.form.cleaned_data.get("start"), self.form.cleaned_data.get("end"))
        asked = self.form.cleaned_data
        shows_money = asked.get("import_id") or asked.get("type") in TYPES_WITHOUT_HOLDING
        if not asked.get("kind") and not shows_money:
            queryset = queryset.filter(holding__isnull=False)
        return super().filter_queryset(queryset)
