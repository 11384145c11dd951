"""The export of transactions as an action on their list."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse

from integrations.exports.transactions import exported_lines
from portfolios.models import Transaction


@admin.action(description="Export the selected transactions as CSV", permissions=["view"])
def export_csv(
    modeladmin: Any, request: HttpRequest, queryset: QuerySet[Transaction]
) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        exported_lines(queryset),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="transactions.csv"'},
    )


# portfolios registers the model and knows nothing of file formats.
admin.site.get_model_admin(Transaction).actions = (export_csv,)
