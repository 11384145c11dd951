"""The export of transactions as an action on their list."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest

from financeproj.core.errors import TooManyAtOnce
from integrations.exports.downloads import csv_download
from integrations.exports.transactions import exported_lines
from portfolios.models import Transaction


@admin.action(description="Export the selected transactions as CSV", permissions=["view"])
def export_csv(
    modeladmin: Any, request: HttpRequest, queryset: QuerySet[Transaction]
) -> FileResponse | None:
    try:
        return csv_download(request.user.pk, exported_lines(queryset))
    except TooManyAtOnce as error:
        modeladmin.message_user(request, error.detail, messages.ERROR)
        return None


# portfolios registers the model and knows nothing of file formats.
admin.site.get_model_admin(Transaction).actions = (export_csv,)
