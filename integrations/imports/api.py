"""Uploading a file of transactions, the imports of a user, and the formats that can be read."""

import io
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from financeproj.core.api.query import integer_parameter, text_parameter, uuid_parameter
from financeproj.core.api.schema import ErrorPayload, refusals
from financeproj.core.api.views import ApiView
from financeproj.core.errors import DomainError, NotFound
from financeproj.core.shared.heavy_requests import heavy_request
from financeproj.users.api.authentication import user_of
from integrations.imports.failed_rows import XLSX, failed_rows
from integrations.imports.mappings import forget_word
from integrations.imports.options import ImportOptions
from integrations.imports.payloads import (
    FormatPayload,
    ImportPayload,
    MappingPayload,
    import_payload,
    listed_import_payload,
    mapping_payload,
    outcome_payload,
)
from integrations.imports.serializers import ImportCsvSerializer
from integrations.imports.tasks import submit_import
from integrations.statements.registry import formats
from portfolios import selectors
from portfolios.api.views import get_own_or_404, log_portfolio, transactions_shown, validated
from portfolios.models import ImportBatch, Portfolio
from portfolios.services import delete_mapping, undo_import
from portfolios.services.import_writing import PREVIEW
from portfolios.valuation import live_import

IMPORTS_LISTED = 50
MOST_LISTED = 500
OF_PORTFOLIO = OpenApiParameter("portfolio_id", OpenApiTypes.UUID)
LIMIT = OpenApiParameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": IMPORTS_LISTED},
    description="How many imports to list at most.",
)
IMPORTS = list[ImportPayload]  # in a viewset `list` is its own method


class ImportCsvView(ApiView):
    parser_classes = (MultiPartParser,)

    @extend_schema(
        request={"multipart/form-data": ImportCsvSerializer},
        responses={
            **dict.fromkeys((200, 201, 202), ImportPayload),
            422: PolymorphicProxySerializer(
                "ImportOrError",
                [ImportPayload, ErrorPayload],  # type: ignore[list-item]
                None,
            ),
        },
    )
    def post(self, request: Request) -> Response:
        """201 if transactions were recorded; 200 for a dry run, or if there was nothing new; 422
        with the errors of the rows, nothing being recorded, or with the ordinary envelope if the
        file as a whole cannot be used. 202 when a worker does it, as it does files of more than
        5,000 rows, and any file while too many costly requests run: `GET /imports/{id}` shows the
        progress.
        """
        fields = validated(ImportCsvSerializer, request)
        dry_run = fields["dry_run"]
        outcome = submit_import(
            portfolio=_portfolio(request, fields),
            file=fields["file"],
            options=_options(fields),
            dry_run=dry_run,
        )
        if isinstance(outcome, ImportBatch):
            return Response(import_payload(outcome), status=status.HTTP_202_ACCEPTED)
        answer = outcome_payload(outcome, dry_run=dry_run)
        if outcome.is_refused and not dry_run:
            return Response(answer, status=status.HTTP_422_UNPROCESSABLE_ENTITY)
        has_created = outcome.is_saved and outcome.import_batch.created > 0
        return Response(
            answer, status=status.HTTP_201_CREATED if has_created else status.HTTP_200_OK
        )


def _portfolio(request: Request, fields: Mapping[str, Any]) -> Portfolio:
    own = selectors.portfolios_of(user_of(request))
    portfolio = own.filter(pk=fields["portfolio_id"]).first()
    if portfolio is None:
        raise DomainError(
            "You have no such portfolio.", attr="portfolio_id", code="unknown_portfolio"
        )
    log_portfolio(portfolio.pk)
    return portfolio


def _options(fields: Mapping[str, Any]) -> ImportOptions:
    return ImportOptions(
        format_name=fields["format"],
        date_format=fields.get("date_format") or None,
        decimal=fields.get("decimal") or None,
        on_error=fields["on_error"],
        accept_opening=fields["accept_opening"],
        mapping=fields.get("mapping") or {},
        instruments=fields.get("instruments") or {},
        account=fields.get("account") or "",
        save_mapping_as=fields.get("save_mapping_as") or "",
    )


class FailedRowsView(ApiView):
    parser_classes = (MultiPartParser,)

    @extend_schema(
        request={"multipart/form-data": ImportCsvSerializer},
        responses={
            (200, "text/csv"): OpenApiTypes.STR,
            (200, XLSX): OpenApiTypes.BINARY,
            **refusals(422),
        },
    )
    def post(self, request: Request) -> FileResponse:
        """The rows of a file that cannot be imported, in the file's own layout: CSV, or a workbook
        for a workbook. The last column, `Import problem`, says why. Nothing is recorded. Once
        corrected, the file is imported like any other; that column may stay.
        """
        fields = validated(ImportCsvSerializer, request)
        portfolio, file = _portfolio(request, fields), fields["file"]
        with heavy_request(portfolio.user_id):
            found = failed_rows(
                portfolio=portfolio,
                data=file.read(),
                file_name=file.name,
                options=_options(fields),
            )
        return FileResponse(
            io.BytesIO(found.content),
            as_attachment=True,
            filename=found.name,
            content_type=found.content_type,
        )


class ImportViewSet(ApiView, ViewSet):
    @extend_schema(parameters=[OF_PORTFOLIO, LIMIT], responses=IMPORTS)
    def list(self, request: Request) -> Response:
        imports = selectors.imports_visible_to(user_of(request))
        portfolio_id = uuid_parameter(request, "portfolio_id")
        if portfolio_id is not None:
            imports = imports.filter(portfolio_id=portfolio_id)
        limit = integer_parameter(request, "limit", minimum=1, maximum=MOST_LISTED)
        return Response(list(map(listed_import_payload, imports[: limit or IMPORTS_LISTED])))

    @extend_schema(responses=ImportPayload)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        import_batch = get_own_or_404(
            selectors.imports_visible_to(user_of(request)).select_related("portfolio"), pk
        )
        rows = selectors.with_shown_columns(
            selectors.transactions_visible_to(user_of(request))
        ).filter(import_batch=import_batch)
        preview = transactions_shown(rows.order_by("sequence")[:PREVIEW])
        payload = import_payload(live_import(import_batch))
        payload.preview = preview
        return Response(payload)

    @extend_schema(responses={204: None, **refusals(409)})
    def destroy(self, request: Request, pk: UUID) -> Response:
        """Undo the import. It stays readable, with the state `undone`."""
        undo_import(import_batch=get_own_or_404(selectors.imports_visible_to(user_of(request)), pk))
        return Response(status=status.HTTP_204_NO_CONTENT)


class MappingsView(ApiView):
    @extend_schema(responses=list[MappingPayload])
    def get(self, request: Request) -> Response:
        """Mappings that were saved, and the words of formats that were given a meaning."""
        known = selectors.import_mappings_of(user_of(request))
        return Response(list(map(mapping_payload, known)))


class MappingView(ApiView):
    @extend_schema(
        parameters=[
            OpenApiParameter("word", description="Forget only what this word of a format means.")
        ],
        responses={204: None},
    )
    def delete(self, request: Request, name: str) -> Response:
        word = text_parameter(request, "word")
        row = None
        if "\0" not in name:  # PostgreSQL cannot store it, so nothing is named so
            row = selectors.import_mappings_of(user_of(request)).filter(name=name).first()
        if row is None or (word and not forget_word(row, word)):
            raise NotFound("Not found.")
        if not word:
            delete_mapping(row)
        return Response(status=status.HTTP_204_NO_CONTENT)


class FormatsView(ApiView):
    @extend_schema(responses=list[FormatPayload])
    def get(self, request: Request) -> Response:
        return Response(
            [
                FormatPayload(
                    format=one.name,
                    label=one.label,
                    columns=list(one.columns),
                    example=one.example,
                )
                for one in formats()
            ]
        )
