"""The statement of a portfolio's account."""

from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from financeproj.core.api.query import date_parameter, text_parameter
from financeproj.core.api.schema import refusals
from financeproj.core.api.views import ApiView
from financeproj.core.currencies import is_currency
from financeproj.core.errors import DomainError
from portfolios.api.views import get_portfolio_or_404
from portfolios.reports.statement import StatementPayload, StatementQuery, statement_of

STATEMENT_PARAMETERS = [
    OpenApiParameter("currency", description="Default: the portfolio's."),
    OpenApiParameter("start", OpenApiTypes.DATE, description="Default: twelve months up to `end`."),
    OpenApiParameter("end", OpenApiTypes.DATE, description="Default: today."),
]


def statement_for(request: Request, pk: UUID) -> StatementPayload:
    """Return the statement that a request asks for."""
    query = StatementQuery(
        currency=_currency_parameter(request),
        start=date_parameter(request, "start"),
        end=date_parameter(request, "end"),
    )
    return statement_of(get_portfolio_or_404(request, pk), query)


def _currency_parameter(request: Request) -> str | None:
    code = text_parameter(request, "currency").upper()
    if not code:
        return None
    if not is_currency(code):
        raise DomainError(
            f"{code[:20]} is not a currency in circulation (ISO 4217).",
            attr="currency",
            code="unknown_currency",
        )
    return code


class StatementView(ApiView):
    @extend_schema(
        parameters=STATEMENT_PARAMETERS, responses={200: StatementPayload, **refusals(422)}
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """What moved one currency, by booking day and order of entry, with the balance after each
        row.
        """
        return Response(statement_for(request, pk))
