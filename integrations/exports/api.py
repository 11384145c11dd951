"""Downloads of what a user has: transactions as CSV, everything as a ZIP."""

from tempfile import TemporaryFile
from typing import Any

from django.conf import settings
from django.http import FileResponse, StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from financeproj.core.api.query import uuid_parameter
from financeproj.core.api.schema import refusals
from financeproj.users.api.authentication import user_of
from integrations.exports.transactions import export_transactions
from integrations.exports.writing import write_export
from portfolios.api.views import get_portfolio_or_404


class ExportCsvView(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("portfolio_id", OpenApiTypes.UUID)],
        responses={(200, "text/csv"): OpenApiTypes.STR, **refusals(404)},
    )
    def get(self, request: Request) -> Any:
        """Every transaction in the generic format; importing the file gives the same transactions
        again.
        """
        pk = uuid_parameter(request, "portfolio_id")
        portfolio = get_portfolio_or_404(request, pk) if pk else None
        return StreamingHttpResponse(
            export_transactions(user=user_of(request), portfolio=portfolio),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="transactions.csv"'},
        )


class ExportView(APIView):
    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def get(self, request: Request) -> Any:
        """Everything the user has as CSV files in a ZIP, which `manage.py import_data` takes in
        elsewhere. Without password, tokens and keys.
        """
        # Through a file of its own, so that a fault is an error and no broken file, and a slow
        # reader holds no snapshot of the database.
        file = TemporaryFile(dir=settings.VAR_DIR)  # noqa: SIM115  (the response closes it)
        write_export(user=user_of(request), file=file)
        file.seek(0)
        name = f"{user_of(request).get_username()}-{timezone.localdate()}.zip"
        return FileResponse(file, as_attachment=True, filename=name, content_type="application/zip")
