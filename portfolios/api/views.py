from collections.abc import Iterable
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from financeproj.core.api.query import (
    LinkedPages,
    NewestFirst,
    QueryFilterBackend,
    boolean_parameter,
    page_parameters,
    uuid_parameter,
)
from financeproj.core.api.schema import refusals
from financeproj.core.api.views import ApiView
from financeproj.core.errors import DomainError
from financeproj.core.shared.enqueue import enqueue_on_commit
from financeproj.users.api.authentication import user_of
from financeproj.users.models import User
from marketdata import services as marketdata
from marketdata.models import StockMetadata
from marketdata.tasks import fetch_history
from portfolios import queries, selectors, services
from portfolios.api import serializers
from portfolios.api.filters import TransactionFilter
from portfolios.calc.kinds import MONEY_TYPES, TYPES_WITHOUT_HOLDING
from portfolios.models import Holding, ImportBatch, Portfolio, Transaction, TransactionGroup
from portfolios.payloads import (
    PortfolioPayload,
    TransactionPayload,
    portfolio_payloads,
    transaction_payload,
)
from portfolios.reports.group_states import group_states
from portfolios.valuation import ValuedHolding

DRY_RUN = OpenApiParameter("dry_run", bool, default=False)
# In a viewset `list` is its own method.
PORTFOLIOS = list[PortfolioPayload]
HOLDINGS = list[ValuedHolding]
TRANSACTIONS = list[TransactionPayload]
TRANSACTION_INPUT = PolymorphicProxySerializer(
    component_name="TransactionOrMoneyInput",
    serializers=[serializers.TransactionInputSerializer, serializers.MoneyInputSerializer],
    resource_type_field_name=None,
)
TRANSACTION_CHANGE = PolymorphicProxySerializer(
    component_name="TransactionOrMoneyChange",
    serializers=[serializers.TransactionChangeSerializer, serializers.MoneyChangeSerializer],
    resource_type_field_name=None,
)


def validated(
    serializer_class: Any, request: Request, *, partial: bool = False, instance: Any = None
) -> dict[str, Any]:
    """Return the validated fields of the body."""
    form = serializer_class(instance, data=request.data, partial=partial)
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


def log_portfolio(portfolio_id: UUID) -> None:
    """Add this portfolio to every later log line of the request."""
    structlog.contextvars.bind_contextvars(portfolio_id=str(portfolio_id))


Own = TypeVar("Own", Portfolio, Holding, Transaction, TransactionGroup, ImportBatch)


def get_own_or_404(rows: QuerySet[Own], pk: UUID) -> Own:
    """Return one of the user's portfolios, or of the rows in them. Raises Http404."""
    row = get_object_or_404(rows, pk=pk)
    if isinstance(row, Portfolio):
        log_portfolio(row.pk)
    else:
        log_portfolio(row.portfolio_id)
    return row


def get_portfolio_or_404(request: Request, pk: UUID) -> Portfolio:
    return get_own_or_404(selectors.portfolios_of(user_of(request)), pk)


def transactions_shown(rows: Iterable[Transaction]) -> list[TransactionPayload]:
    """Show transactions, each with what looks like a mistake in it."""
    rows = list(rows)
    warnings = services.warnings_of(rows)
    return [transaction_payload(row, warnings.get(row.pk, ())) for row in rows]


def look_and_roll_back(row: Transaction) -> TransactionPayload:
    """Show a transaction that is not committed yet with its holding, and take it back."""
    [shown] = transactions_shown([row])
    shown.id = None
    if row.holding_id is not None:
        shown.before, shown.after = group_states([row])
    transaction.set_rollback(True)
    return shown


class PortfolioViewSet(ApiView, ViewSet):
    def payloads(self, *portfolios: Portfolio) -> list[PortfolioPayload]:
        return portfolio_payloads(queries.valued_now(portfolios))

    @extend_schema(responses=PORTFOLIOS)
    def list(self, request: Request) -> Response:
        return Response(self.payloads(*selectors.portfolios_of(user_of(request))))

    @extend_schema(
        request=serializers.PortfolioInputSerializer,
        responses={201: PortfolioPayload, **refusals(409)},
    )
    def create(self, request: Request) -> Response:
        portfolio = services.create_portfolio(
            user=user_of(request), **validated(serializers.PortfolioInputSerializer, request)
        )
        return Response(self.payloads(portfolio)[0], status=status.HTTP_201_CREATED)

    @extend_schema(responses=PortfolioPayload)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(self.payloads(get_portfolio_or_404(request, pk))[0])

    @extend_schema(
        request=serializers.PortfolioInputSerializer,
        responses={200: PortfolioPayload, **refusals(409)},
    )
    def update(self, request: Request, pk: UUID, partial: bool = False) -> Response:
        portfolio = get_portfolio_or_404(request, pk)
        if portfolio.cash_from is not None:
            portfolio.cash = queries.cash_now(portfolio).cash  # what stands, as it was answered
        stored: Portfolio | PortfolioPayload = portfolio
        if partial and isinstance(request.data, dict) and "cash" in request.data:
            stored = self.payloads(portfolio)[0]  # cash may follow from transactions
        changes = validated(
            serializers.PortfolioInputSerializer, request, partial=partial, instance=stored
        )
        if portfolio.cash_from is not None and not partial:
            changes.pop("used_credit", None)  # a field of the answer, sent back
        return Response(self.payloads(services.update_portfolio(portfolio=portfolio, **changes))[0])

    @extend_schema(
        request=serializers.PortfolioInputSerializer,
        responses={200: PortfolioPayload, **refusals(409)},
    )
    def partial_update(self, request: Request, pk: UUID) -> Response:
        return self.update(request, pk, partial=True)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: UUID) -> Response:
        services.delete_portfolio(portfolio=get_portfolio_or_404(request, pk))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=serializers.OrderSerializer, responses=PORTFOLIOS)
    def order(self, request: Request) -> Response:
        services.order_portfolios(
            user=user_of(request), **validated(serializers.OrderSerializer, request)
        )
        return self.list(request)

    @extend_schema(
        parameters=[OpenApiParameter("include_closed", bool, default=False)],
        responses=HOLDINGS,
    )
    def holdings(self, request: Request, pk: UUID) -> Response:
        include_closed = boolean_parameter(request, "include_closed", default=False)
        portfolio = get_portfolio_or_404(request, pk)
        holdings = queries.valued_now([portfolio])[0].holdings
        if not include_closed:
            holdings = [holding for holding in holdings if holding.current_quantity]
        return Response(holdings)


class HoldingViewSet(ApiView, ViewSet):
    def get_holding(self, request: Request, pk: UUID) -> Holding:
        found: Holding = get_own_or_404(selectors.holdings_visible_to(user_of(request)), pk)
        return found

    def answer(self, holding: Holding) -> Response:
        for valued_holding in queries.valued_now([holding.portfolio])[0].holdings:
            if valued_holding.id == holding.pk:
                return Response(valued_holding)
        raise Http404  # deleted since the request began

    @extend_schema(responses=ValuedHolding)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return self.answer(self.get_holding(request, pk))

    @extend_schema(request=serializers.HoldingInputSerializer, responses=ValuedHolding)
    def partial_update(self, request: Request, pk: UUID) -> Response:
        holding = self.get_holding(request, pk)
        return self.answer(
            services.update_holding(
                holding=holding, **validated(serializers.HoldingInputSerializer, request)
            )
        )

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: UUID) -> Response:
        services.delete_holding(holding=self.get_holding(request, pk))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        parameters=page_parameters(LinkedPages.max_page_size),
        responses=TRANSACTIONS,
    )
    def transactions(self, request: Request, pk: UUID) -> Response:
        """The newest first, at most 10,000 at once; the header `Link` leads to the others."""
        rows = selectors.with_shown_columns(
            selectors.transactions_visible_to(user_of(request))
        ).filter(holding_id=pk)
        pages = LinkedPages()
        page = pages.paginate_queryset(rows, request)  # refuses parameters that cannot be read
        self.get_holding(request, pk)
        return pages.get_paginated_response(transactions_shown(page))


class TransactionViewSet(ApiView, GenericViewSet):
    pagination_class = NewestFirst
    filter_backends = (QueryFilterBackend,)
    filterset_class = TransactionFilter

    def get_queryset(self) -> QuerySet[Transaction]:
        if getattr(self, "swagger_fake_view", False):
            return Transaction.objects.none()
        return selectors.transactions_visible_to(user_of(self.request))

    @extend_schema(responses=TRANSACTIONS)
    def list(self, request: Request) -> Response:
        if (portfolio_id := uuid_parameter(request, "portfolio_id")) is not None:
            log_portfolio(portfolio_id)
        page = self.paginate_queryset(
            self.filter_queryset(selectors.with_shown_columns(self.get_queryset()))
        )
        return self.get_paginated_response(transactions_shown(page or ()))

    @extend_schema(
        request=TRANSACTION_INPUT,
        parameters=[DRY_RUN],
        responses={200: TransactionPayload, 201: TransactionPayload, **refusals(409)},
    )
    def create(self, request: Request) -> Response:
        """With `dry_run=true`, the answer is what would be recorded, and nothing is. It has the
        holding before and after; money alone has none.
        """
        is_dry = boolean_parameter(request, "dry_run", default=False)
        seen: list[TransactionPayload] = []
        if is_money_alone(request.data):
            body = validated(serializers.MoneyInputSerializer, request)
            portfolio = portfolio_of(user_of(request), body.pop("portfolio_id"))
            write = partial(services.record_money, portfolio=portfolio, **body)
        else:
            body = validated(serializers.TransactionInputSerializer, request)
            portfolio, stock = target_of(user_of(request), body)
            write = partial(services.record_transaction, portfolio=portfolio, stock=stock, **body)
        log_portfolio(portfolio.pk)
        if is_dry:
            write(before_commit=lambda row: seen.append(look_and_roll_back(row)))
            return Response(seen[-1])
        row = write()
        if row.holding is not None:
            stock = row.holding.stock
            if stock.history_fetched_at is None and not stock.is_manual:
                enqueue_on_commit(fetch_history, str(stock.pk))
        return self.answer(row, status=status.HTTP_201_CREATED)

    def answer(self, row: Transaction, status: int = status.HTTP_200_OK) -> Response:
        """Answer with the transaction and what looks like a mistake in it."""
        return Response(transactions_shown([row])[0], status=status)

    @extend_schema(responses=TransactionPayload)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return self.answer(get_own_or_404(self.get_queryset(), pk))

    @extend_schema(
        request=TRANSACTION_CHANGE,
        responses={200: TransactionPayload, **refusals(409)},
    )
    def update(self, request: Request, pk: UUID, partial: bool = False) -> Response:
        row = get_own_or_404(self.get_queryset(), pk)
        self._refuse_move(request, row)
        if row.is_money_alone:
            changes = validated(serializers.MoneyChangeSerializer, request, partial=partial)
            update = services.update_money if row.group_id is None else services.update_leg
            return self.answer(update(row=row, **changes))
        if row.group is not None:
            services.group_to_change(row)
            changes = validated(serializers.ShareLegSerializer, request, partial=True)
            return self.answer(services.update_share_leg(row=row, **changes))
        changes = validated(serializers.TransactionChangeSerializer, request, partial=partial)
        if "external_id" in changes:
            changes["external_id"] = changes["external_id"] or None
        if not partial and changes["date"] != row.date:
            # The old rate is of another day: look it up.
            changes.setdefault("exchange_rate", None)
        return self.answer(services.update_transaction(row=row, **changes))

    @extend_schema(
        request=TRANSACTION_CHANGE,
        responses={200: TransactionPayload, **refusals(409)},
    )
    def partial_update(self, request: Request, pk: UUID) -> Response:
        return self.update(request, pk, partial=True)

    def _refuse_move(self, request: Request, row: Transaction) -> None:
        """Raise DomainError when the body names another holding than the transaction's own."""
        body = request.data if isinstance(request.data, dict) else {}
        places = {"portfolio_id": str(row.portfolio_id)}
        if row.holding is None:
            places |= {"holding_id": "", "ticker": "", "currency": row.settlement_currency or ""}
        else:
            stock = row.holding.stock
            places["holding_id"] = str(row.holding_id)
            places |= {"ticker": stock.ticker, "currency": stock.currency}
        for name, place in places.items():
            given = body.get(name)
            if given is not None and str(given).casefold() != place.casefold():
                raise DomainError(
                    "A transaction cannot move to another holding. Delete it and record it there.",
                    attr=name,
                    code="currency_mismatch" if name == "currency" else "holding_fixed",
                )

    @extend_schema(responses={204: None, **refusals(409)})
    def destroy(self, request: Request, pk: UUID) -> Response:
        row = get_own_or_404(self.get_queryset(), pk)
        services.delete_row(row=row)
        return Response(status=status.HTTP_204_NO_CONTENT)


def portfolio_of(user: User, portfolio_id: UUID | None) -> Portfolio:
    """Return a portfolio that a body names. Raises DomainError."""
    portfolio = selectors.portfolios_of(user).filter(pk__in=[portfolio_id]).first()
    if portfolio is None:
        raise DomainError(
            "You have no such portfolio.", attr="portfolio_id", code="unknown_portfolio"
        )
    return portfolio


def target_of(
    user: User, body: dict[str, Any], *, known: StockMetadata | None = None
) -> tuple[Portfolio, StockMetadata]:
    """Return where the transaction belongs, and remove the fields that say that from `body`.

    A new instrument is looked up at the sources, unless it is `known`.
    """
    holding_id, portfolio_id = body.pop("holding_id", None), body.pop("portfolio_id", None)
    ticker, currency = body.pop("ticker", None), body.pop("currency", None)
    if holding_id is not None:
        holding = selectors.holdings_visible_to(user).filter(pk=holding_id).first()
        if holding is None:
            raise DomainError(
                "You have no such holding.", attr="holding_id", code="unknown_holding"
            )
        _refuse_contradictions(holding, portfolio_id, ticker, currency)
        return holding.portfolio, holding.stock
    portfolio = portfolio_of(user, portfolio_id)
    if known is not None:
        return portfolio, known
    stock = marketdata.instrument_for_trade(
        user=user,
        ticker=ticker,
        currency=currency,
        company_name=body.get("company_name", ""),
    )
    return portfolio, stock


def is_money_alone(body: Any) -> bool:
    """Whether the body is of a transaction without an instrument."""
    if not isinstance(body, dict):
        return False
    kind = body.get("type")
    if not isinstance(kind, str) or kind not in MONEY_TYPES:
        return False
    return kind in TYPES_WITHOUT_HOLDING or not (body.get("holding_id") or body.get("ticker"))


def _refuse_contradictions(
    holding: Holding, portfolio_id: UUID | None, ticker: str | None, currency: str | None
) -> None:
    """Raise DomainError when the other fields contradict the holding that was given."""
    stock = holding.stock
    if portfolio_id not in (None, holding.portfolio_id):
        raise DomainError(
            "The holding is in another portfolio. Leave out portfolio_id.",
            attr="portfolio_id",
            code="holding_mismatch",
        )
    if ticker and ticker.upper() != stock.ticker:
        raise DomainError(
            f"The holding is of {stock.ticker}. Leave out ticker.",
            attr="ticker",
            code="holding_mismatch",
        )
    if currency and currency != stock.currency:
        raise DomainError(
            f"{stock.ticker} is quoted in {stock.currency}. Leave out currency.",
            attr="currency",
            code="currency_mismatch",
        )
