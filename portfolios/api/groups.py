"""Groups of transactions: conversions between currencies, and transfers of money."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from msgspec import UNSET, Struct, UnsetType
from rest_framework import serializers as drf
from rest_framework import status
from rest_framework.pagination import Cursor
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from financeproj.core.api.query import (
    CursorPages,
    NewestFirst,
    QueryFilterBackend,
    boolean_parameter,
    integer_parameter,
)
from financeproj.core.api.schema import refusals
from financeproj.core.api.serializers import (
    ApiSerializer,
    CurrencyCodeField,
    DayField,
    ExactDecimalField,
    PastDateField,
    TextField,
)
from financeproj.core.api.views import ApiView
from financeproj.core.errors import DomainError
from financeproj.core.json_types import ReadOnlyDecimal
from financeproj.users.api.authentication import user_of
from financeproj.users.models import User
from portfolios import selectors, services
from portfolios.api.views import get_own_or_404, log_portfolio, portfolio_of
from portfolios.models import TransactionGroup, TransactionSource
from portfolios.payloads import TransactionPayload, transaction_payload

Kind = TransactionGroup.Kind
Day = date  # within a class that has a field `date`


class GroupPayload(Struct):
    """A group with its legs, what leaves first. Lists have neither `before` nor `after`."""

    id: UUID | None
    kind: Kind
    label: str
    date: Day
    portfolio_id: UUID
    transactions: list[TransactionPayload]
    cost_moved: ReadOnlyDecimal | None
    note: str
    external_id: str | None
    source: TransactionSource
    import_id: UUID | None
    warnings: list[dict[str, str]]
    before: list[dict[str, Any]] | UnsetType = UNSET
    after: list[dict[str, Any]] | UnsetType = UNSET


def group_payload(group: TransactionGroup) -> GroupPayload:
    """Show a group whose `transactions` are read."""
    legs = sorted(group.transactions.all(), key=lambda row: (row.settlement_amount or 0) > 0)
    shown = [transaction_payload(row, ()) for row in legs]
    return GroupPayload(
        id=group.pk,
        kind=Kind(group.kind),
        label=group.label,
        date=max(row.date for row in legs),
        portfolio_id=group.portfolio_id,
        transactions=shown,
        cost_moved=None,
        note=group.note,
        external_id=group.external_id,
        source=shown[0].source,
        import_id=group.import_batch_id,
        warnings=[],
    )


class GroupSerializer(ApiSerializer):
    """The fields of every group of money."""

    answer_fields = GroupPayload.__struct_fields__

    portfolio_id = drf.UUIDField()
    date = PastDateField()
    currency = CurrencyCodeField()
    amount = ExactDecimalField(minimum=0, above_minimum=True)
    booked_on = DayField(required=False, allow_null=True)
    note = TextField(max_length=500, required=False, allow_blank=True)


class ConversionSerializer(GroupSerializer):
    """`amount` of `currency` leaves, `to_amount` of `to_currency` arrives."""

    kind = drf.ChoiceField([(Kind.CONVERSION.value, Kind.CONVERSION.label)])
    to_currency = CurrencyCodeField()
    to_amount = ExactDecimalField(minimum=0, above_minimum=True)


class TransferSerializer(GroupSerializer):
    """`amount` of `currency` moves from one portfolio to another."""

    kind = drf.ChoiceField([(Kind.TRANSFER.value, Kind.TRANSFER.label)])
    to_portfolio_id = drf.UUIDField()


class AnyKindSerializer(drf.Serializer):
    """What says which of the two the body is."""

    kind = drf.ChoiceField(Kind.choices)


GROUP_INPUT = PolymorphicProxySerializer(
    component_name="TransactionGroupInput",
    serializers=[ConversionSerializer, TransferSerializer],
    resource_type_field_name=None,
)
DRY_RUN = OpenApiParameter("dry_run", bool, default=False)


class GroupFilter(filters.FilterSet):
    portfolio_id = filters.UUIDFilter(method="by_portfolio")
    kind = filters.ChoiceFilter(choices=Kind.choices)

    class Meta:
        model = TransactionGroup
        fields: list[str] = []

    def by_portfolio(self, queryset: Any, name: str, value: UUID) -> Any:
        """Keep the groups that have a leg in the portfolio."""
        of_portfolio = Q(portfolio=value) | Q(transactions__portfolio=value)
        return queryset.filter(of_portfolio).distinct()


class GroupPages(CursorPages):
    """Pages of groups, the last entered first."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 500
    ordering = ("-created_at", "-id")
    get_paginated_response_schema = NewestFirst.get_paginated_response_schema

    def get_page_size(self, request: Request) -> int:
        limit = integer_parameter(request, "limit", minimum=1, maximum=self.max_page_size)
        return limit or self.page_size

    def check_position(self, cursor: Cursor) -> None:
        if cursor.position is not None:
            datetime.fromisoformat(str(cursor.position))


class GroupViewSet(ApiView, GenericViewSet):
    pagination_class = GroupPages
    filter_backends = (QueryFilterBackend,)
    filterset_class = GroupFilter

    def get_queryset(self) -> QuerySet[TransactionGroup]:
        if getattr(self, "swagger_fake_view", False):
            return TransactionGroup.objects.none()
        return selectors.groups_visible_to(user_of(self.request))

    def shown(self, pk: UUID) -> GroupPayload:
        payload = group_payload(self.get_queryset().get(pk=pk))
        payload.before = payload.after = []
        return payload

    @extend_schema(responses=list[GroupPayload])
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([group_payload(group) for group in page or ()])

    @extend_schema(
        request=GROUP_INPUT,
        parameters=[DRY_RUN],
        responses={200: GroupPayload, 201: GroupPayload, **refusals(409)},
    )
    def create(self, request: Request) -> Response:
        """With `dry_run=true`, the answer is what would be recorded, and nothing is."""
        is_dry = boolean_parameter(request, "dry_run", default=False)
        kind, legs, fields = _entered(request)
        with transaction.atomic():
            group = services.record_group(kind=kind, legs=legs, **fields)
            payload = self.shown(group.pk)
            transaction.set_rollback(is_dry)
        if is_dry:
            _forget_ids(payload)
        code = status.HTTP_200_OK if is_dry else status.HTTP_201_CREATED
        return Response(payload, status=code)

    @extend_schema(responses=GroupPayload)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(self.shown(get_own_or_404(self.get_queryset(), pk).pk))

    @extend_schema(
        request=GROUP_INPUT,
        parameters=[DRY_RUN],
        responses={200: GroupPayload, **refusals(409)},
    )
    def update(self, request: Request, pk: UUID) -> Response:
        is_dry = boolean_parameter(request, "dry_run", default=False)
        group = get_own_or_404(self.get_queryset(), pk)
        kind, legs, fields = _entered(request, stands=_body_of(group))
        if kind != group.kind:
            raise DomainError(
                f"This group is a {group.kind}. Delete it and record another.",
                attr="kind",
                code="kind_fixed",
            )
        with transaction.atomic():
            services.update_group(group=group, legs=legs, **fields)
            payload = self.shown(group.pk)
            transaction.set_rollback(is_dry)
        return Response(payload)

    @extend_schema(responses={204: None, **refusals(409)})
    def destroy(self, request: Request, pk: UUID) -> Response:
        services.delete_group(group=get_own_or_404(self.get_queryset(), pk))
        return Response(status=status.HTTP_204_NO_CONTENT)


def _body_of(group: TransactionGroup) -> dict[str, Any]:
    """Return a group as the body of a request, so that its answer can be sent back."""
    leaves, arrives = services.legs_of(group)
    body: dict[str, Any] = {
        "currency": leaves.settlement_currency,
        "amount": -(leaves.settlement_amount or 0),
        "booked_on": leaves.booked_on and leaves.booked_on.isoformat(),
    }
    if group.kind == Kind.TRANSFER:
        return body | {"to_portfolio_id": str(arrives.portfolio_id)}
    return body | {
        "to_currency": arrives.settlement_currency,
        "to_amount": arrives.settlement_amount,
    }


def _entered(
    request: Request, *, stands: dict[str, Any] | None = None
) -> tuple[str, list[services.Leg], dict[str, Any]]:
    """Return the kind of a body, its legs, and the fields that all legs share.

    What is left out stays as it `stands`.
    """
    kind = _kind_of(request)
    given = {**(stands or {}), **dict(request.data)}
    if kind == Kind.CONVERSION:
        form: ApiSerializer = ConversionSerializer(data=given)
    else:
        form = TransferSerializer(data=given)
    form.is_valid(raise_exception=True)
    body = dict(form.validated_data)
    user = user_of(request)
    fields: dict[str, Any] = {"date": body.pop("date")}
    fields["booked_on"] = body.pop("booked_on", None)
    fields["note"] = body.pop("note", "")
    body.pop("kind")
    portfolio = portfolio_of(user, body.pop("portfolio_id"))
    log_portfolio(portfolio.pk)
    if kind == Kind.CONVERSION:
        return kind, services.conversion_legs(portfolio=portfolio, **body), fields
    to_portfolio = _other_portfolio(user, body.pop("to_portfolio_id"))
    legs = services.transfer_legs(portfolio=portfolio, to_portfolio=to_portfolio, **body)
    return kind, legs, fields


def _kind_of(request: Request) -> str:
    form = AnyKindSerializer(data=request.data)
    form.is_valid(raise_exception=True)
    return str(form.validated_data["kind"])


def _other_portfolio(user: User, portfolio_id: UUID) -> Any:
    try:
        return portfolio_of(user, portfolio_id)
    except DomainError as error:
        error.attr = "to_portfolio_id"
        raise


def _forget_ids(payload: GroupPayload) -> None:
    """Take out the ids of what was not recorded."""
    payload.id = None
    for row in payload.transactions:
        row.id = row.group_id = None
