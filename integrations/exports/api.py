"""Downloads of what a user has: transactions as CSV, everything as a ZIP."""

from collections.abc import Callable
from tempfile import TemporaryFile
from typing import IO, Any

from django.conf import settings
from django.http import FileResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from financeproj.core.api.query import uuid_parameter
from financeproj.core.api.schema import refusals
from financeproj.core.shared.heavy_requests import heavy_request
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
        lines = export_transactions(user=user_of(request), portfolio=portfolio)

        def write(file: IO[bytes]) -> None:
            for line in lines:
                file.write(line.encode())

        return _download(request, write, "transactions.csv", "text/csv; charset=utf-8")


class ExportView(APIView):
    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def get(self, request: Request) -> Any:
        """Everything the user has as CSV files in a ZIP, which `manage.py import_data` takes in
        elsewhere. Without password, tokens and keys.
        """
        user = user_of(request)
        name = f"{user.get_username()}-{timezone.localdate()}.zip"

        def write(file: IO[bytes]) -> None:
            write_export(user=user, file=file)

        return _download(request, write, name, "application/zip")


def _download(
    request: Request, write: Callable[[IO[bytes]], None], name: str, content_type: str
) -> FileResponse:
    """Answer with what `write` puts into a temporary file.

    A fault is then an error, not a broken file, and a slow reader holds neither a snapshot of the
    database nor a lease.
    """
    file = TemporaryFile(dir=settings.VAR_DIR)  # noqa: SIM115  (the response closes it)
    try:
        with heavy_request(user_of(request).pk):
            write(file)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=name, content_type=content_type)
