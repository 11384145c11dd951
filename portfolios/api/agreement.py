"""How far a portfolio agrees with its broker's files."""

from datetime import date
from typing import Annotated
from uuid import UUID

from drf_spectacular.utils import extend_schema
from msgspec import Meta, Struct
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from financeproj.core.api.views import ApiView
from financeproj.core.json_types import ReadOnlyDecimal
from financeproj.core.money import strip_zeros
from portfolios.api.views import get_portfolio_or_404
from portfolios.calc.agreement import Agreement
from portfolios.models import Portfolio
from portfolios.valuation import agreements_of

Day = date  # within a class that has a field `date`


class DifferencePayload(Struct):
    """What a file says of a day (`expected`) and what the ledger has (`got`), in one currency or in
    shares of one instrument.
    """

    date: Day
    currency: str | None
    ticker: str | None
    expected: ReadOnlyDecimal
    got: ReadOnlyDecimal
    import_id: UUID
    row: Annotated[int, Meta(description="The line of the file with the figure.")]
    transaction_id: Annotated[
        UUID | None, Meta(description="The first transaction to look at, if one can be named.")
    ]


class AgreementPayload(Struct):
    agrees_until: date | None
    checkpoints: Annotated[int, Meta(description="Days with a figure, each currency and ticker.")]
    reason: Annotated[
        str | None,
        Meta(description="Why nothing is compared: no_checkpoints or several_accounts."),
    ]
    first_difference: DifferencePayload | None


def agreement_payload(portfolio: Portfolio) -> AgreementPayload:
    agreement = agreements_of([portfolio])[portfolio.pk]
    return AgreementPayload(
        agrees_until=agreement.agrees_until,
        checkpoints=agreement.checkpoints,
        reason=agreement.reason,
        first_difference=_difference_payload(agreement),
    )


def _difference_payload(agreement: Agreement) -> DifferencePayload | None:
    first = agreement.first_difference
    if first is None:
        return None
    checkpoint = first.stated.checkpoint
    return DifferencePayload(
        date=checkpoint.day,
        currency=checkpoint.currency or None,
        ticker=checkpoint.ticker or None,
        expected=strip_zeros(checkpoint.amount),
        got=strip_zeros(first.got),
        import_id=first.stated.import_id,
        row=checkpoint.row,
        transaction_id=agreement.culprit,
    )


class AgreementViewSet(ApiView, ViewSet):
    @extend_schema(responses=AgreementPayload)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(agreement_payload(get_portfolio_or_404(request, pk)))
