"""Uploading a file of transactions, the imports of a user, and the formats that can be read."""

from uuid import UUID

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from financeproj.core.api.schema import ErrorPayload, refusals
from financeproj.core.api.views import ApiView
from financeproj.core.errors import DomainError
from financeproj.users.api.authentication import user_of
from integrations.imports.options import ImportOptions
from integrations.imports.payloads import (
    FormatPayload,
    ImportPayload,
    import_payload,
    outcome_payload,
)
from integrations.imports.serializers import ImportCsvSerializer
from integrations.imports.tasks import submit_import
from integrations.statements.registry import formats
from portfolios import selectors
from portfolios.api.views import get_own_or_404, log_portfolio, transactions_shown
from portfolios.models import ImportBatch
from portfolios.services import undo_import
from portfolios.services.import_rows import PREVIEW
from portfolios.valuation import live_import

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
        form = ImportCsvSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        fields = form.validated_data
        portfolio = (
            selectors.portfolios_of(user_of(request)).filter(pk=fields["portfolio_id"]).first()
        )
        if portfolio is None:
            raise DomainError(
                "You have no such portfolio.", attr="portfolio_id", code="unknown_portfolio"
            )
        log_portfolio(portfolio.pk)
        options = ImportOptions(
            format_name=fields["format"],
            date_format=fields.get("date_format") or None,
            decimal=fields.get("decimal") or None,
            on_error=fields["on_error"],
            mapping=fields.get("mapping") or {},
            instruments=fields.get("instruments") or {},
        )
        dry_run, file = fields["dry_run"], fields["file"]
        outcome = submit_import(
            portfolio=portfolio,
            file=file,
            options=options,
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


class ImportViewSet(ApiView, ViewSet):
    @extend_schema(responses=IMPORTS)
    def list(self, request: Request) -> Response:
        return Response(
            [
                import_payload(import_batch)
                for import_batch in selectors.imports_visible_to(user_of(request))
            ]
        )

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
