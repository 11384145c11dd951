"""Record up to 500 transactions with one request."""

from typing import Any

from drf_spectacular.utils import extend_schema
from msgspec import Struct
from rest_framework import serializers as drf
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from financeproj.core.api.schema import refusals
from financeproj.core.api.serializers import ApiSerializer
from financeproj.core.api.views import ApiView
from financeproj.core.shared.enqueue import enqueue_on_commit
from financeproj.users.api.authentication import user_of
from marketdata.models import StockMetadata
from marketdata.tasks import fetch_history
from portfolios import services
from portfolios.api import serializers
from portfolios.api.views import (
    is_money_alone,
    portfolio_of,
    target_of,
    transactions_shown,
    validated,
)
from portfolios.models import Transaction, TransactionSource
from portfolios.payloads import TransactionPayload

MOST = 500


class BulkSerializer(ApiSerializer):
    transactions = drf.ListField(child=drf.DictField(), min_length=1, max_length=MOST)


class BulkBody(drf.Serializer):
    """The body in the schema."""

    transactions = serializers.TransactionInputSerializer(many=True)


class BulkPayload(Struct):
    transactions: list[TransactionPayload]


class BulkViewSet(ApiView, ViewSet):
    @extend_schema(request=BulkBody, responses={201: BulkPayload, **refusals(409)})
    def create(self, request: Request) -> Response:
        """All are recorded, or none. `attr` of an error names one: `transactions.3.price`."""
        bodies = _checked(validated(BulkSerializer, request)["transactions"])
        entered: list[services.Entered] = []
        stocks: dict[tuple[Any, Any], StockMetadata] = {}
        for place, (is_money, body) in enumerate(bodies):
            with services.at_place(place):
                entered.append(_entered(request, body, is_money=is_money, stocks=stocks))
        rows = services.record_transactions(entered=entered)
        for stock_id in _without_history(rows):
            enqueue_on_commit(fetch_history, stock_id)
        return Response(BulkPayload(transactions_shown(rows)), status=status.HTTP_201_CREATED)


def _checked(bodies: list[dict[str, Any]]) -> list[tuple[bool, dict[str, Any]]]:
    """Return the fields of each body, and whether it is of money alone."""
    checked: list[tuple[bool, dict[str, Any]]] = []
    problems: dict[str, Any] = {}
    for place, body in enumerate(bodies):
        is_money = is_money_alone(body)
        form: drf.Serializer = serializers.TransactionInputSerializer(data=body)
        if is_money:
            form = serializers.MoneyInputSerializer(data=body)
        if form.is_valid():
            checked.append((is_money, dict(form.validated_data)))
        for name, errors in form.errors.items():
            problems[f"transactions.{place}.{name}"] = errors
    if problems:
        raise ValidationError(problems)
    return checked


def _entered(
    request: Request,
    body: dict[str, Any],
    *,
    is_money: bool,
    stocks: dict[tuple[Any, Any], StockMetadata],
) -> services.Entered:
    """Find where a transaction belongs; `stocks` are the instruments found before."""
    user = user_of(request)
    body["external_id"] = body.get("external_id") or None
    if is_money:
        portfolio = portfolio_of(user, body.pop("portfolio_id"))
        row = Transaction(source=TransactionSource.MANUAL, **body)
        return services.Entered(row, portfolio, None)
    key = body.get("ticker"), body.get("currency")
    portfolio, stock = target_of(user, body, known=stocks.get(key))
    if key[0] is not None:
        stocks.setdefault(key, stock)
    company_name, force = body.pop("company_name", ""), body.pop("force", False)
    row = Transaction(source=TransactionSource.MANUAL, **body)
    return services.Entered(row, portfolio, stock, company_name, force)


def _without_history(rows: list[Transaction]) -> set[str]:
    """Return the instruments whose past prices were never asked for."""
    found: set[str] = set()
    for row in rows:
        stock = row.holding.stock if row.holding else None
        if stock is not None and stock.history_fetched_at is None and not stock.is_manual:
            found.add(str(stock.pk))
    return found
