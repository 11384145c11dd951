"""Cash and used credit of a portfolio: entered by hand, or from its transactions."""

from datetime import date
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from msgspec import Struct
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from financeproj.core.api.schema import refusals
from financeproj.core.api.views import ApiView
from financeproj.core.json_types import ReadOnlyDecimal
from financeproj.core.money import strip_zeros
from portfolios import queries, services
from portfolios.api import serializers
from portfolios.api.views import get_portfolio_or_404, validated
from portfolios.models import Portfolio
from portfolios.payloads import PortfolioPayload, portfolio_payloads
from portfolios.valuation import CurrencyBalance


class CashPayload(Struct):
    """Cash and used credit with the balance of every currency that a transaction moved."""

    cash_from: date | None
    cash: ReadOnlyDecimal
    used_credit: ReadOnlyDecimal
    currencies: list[CurrencyBalance]
    missing: list[str]
    missing_why: dict[str, str]


def cash_payload(portfolio: Portfolio) -> CashPayload:
    today = queries.cash_now(portfolio)
    cash, used_credit = today.cash, today.used_credit
    if portfolio.cash_from is None:
        cash, used_credit = portfolio.cash, portfolio.used_credit
    return CashPayload(
        cash_from=portfolio.cash_from,
        cash=strip_zeros(cash),
        used_credit=strip_zeros(used_credit),
        currencies=list(today.currencies),
        missing=sorted(today.missing_why),
        missing_why=today.missing_why,
    )


class CashViewSet(ApiView, ViewSet):
    @extend_schema(responses=CashPayload)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(cash_payload(get_portfolio_or_404(request, pk)))

    @extend_schema(
        request=serializers.CashFromSerializer, responses={200: CashPayload, **refusals(409)}
    )
    def cash_from(self, request: Request, pk: UUID) -> Response:
        portfolio = get_portfolio_or_404(request, pk)
        body = validated(serializers.CashFromSerializer, request)
        openings = {one["currency"]: one["amount"] for one in body.get("opening", ())}
        portfolio = services.set_cash_from(
            portfolio=portfolio, cash_from=body["cash_from"], openings=openings
        )
        return Response(cash_payload(portfolio))

    @extend_schema(
        request=serializers.UsedCreditSerializer,
        responses={200: PortfolioPayload, **refusals(409)},
    )
    def used_credit(self, request: Request, pk: UUID) -> Response:
        return self._set_balance(
            request, pk, serializers.UsedCreditSerializer, "credit", "used_credit"
        )

    @extend_schema(
        request=serializers.CashSerializer, responses={200: PortfolioPayload, **refusals(409)}
    )
    def update(self, request: Request, pk: UUID) -> Response:
        return self._set_balance(request, pk, serializers.CashSerializer, "cash", "cash")

    def _set_balance(
        self, request: Request, pk: UUID, serializer: Any, kind: str, field: str
    ) -> Response:
        portfolio = get_portfolio_or_404(request, pk)
        body = validated(serializer, request)
        portfolio = services.set_balance(
            portfolio=portfolio, kind=kind, amount=body[field], on=body.get("date")
        )
        [answer] = portfolio_payloads(queries.valued_now([portfolio]))
        return Response(answer)
