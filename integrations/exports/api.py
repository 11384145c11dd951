"""Downloads of what a user has: transactions and statements as CSV, everything as a ZIP."""

from operator import attrgetter
from typing import IO, Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from financeproj.core.api.query import uuid_parameter
from financeproj.core.api.schema import refusals
from financeproj.core.api.views import ApiView
from financeproj.users.api.authentication import user_of
from integrations.exports.cells import csv_lines
from integrations.exports.downloads import csv_download, download
from integrations.exports.transactions import export_transactions
from integrations.exports.writing import write_export
from portfolios.api.statement import STATEMENT_PARAMETERS, statement_for
from portfolios.api.views import get_portfolio_or_404
from portfolios.reports.statement import StatementRowPayload


class ExportCsvView(ApiView):
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
        lines = export_transactions(user=user_of(request), portfolio=portfolio)
        return csv_download(user_of(request).pk, lines)


class ExportView(ApiView):
    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def get(self, request: Request) -> Any:
        """Everything the user has as CSV files in a ZIP, which `manage.py import_data` takes in
        elsewhere. Without password, tokens and keys.
        """
        user = user_of(request)
        name = f"{user.get_username()}-{timezone.localdate()}.zip"

        def write(file: IO[bytes]) -> None:
            write_export(user=user, file=file)

        return download(user.pk, write, name, "application/zip")


class StatementCsvView(ApiView):
    @extend_schema(
        parameters=STATEMENT_PARAMETERS,
        responses={(200, "text/csv"): OpenApiTypes.STR, **refusals(404, 422)},
    )
    def get(self, request: Request, pk: UUID) -> Any:
        """The rows of the statement as a file."""
        statement = statement_for(request, pk)
        header = StatementRowPayload.__struct_fields__
        rows = list(map(attrgetter(*header), statement.rows))
        name = f"statement-{statement.currency}-{statement.start}-{statement.end}.csv"

        def write(file: IO[bytes]) -> None:
            file.writelines(csv_lines([header, *rows]))

        return download(user_of(request).pk, write, name, "text/csv; charset=utf-8")
