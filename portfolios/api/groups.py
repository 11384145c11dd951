"""Groups of transactions: conversions between currencies, transfers, and what companies do to
their shares.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
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
from financeproj.core.shared.enqueue import enqueue_on_commit
from financeproj.users.api.authentication import user_of
from financeproj.users.models import User
from marketdata.tasks import fetch_history
from portfolios import selectors, services
from portfolios.api.share_groups import (
    GROUP_FIELDS,
    ActionSerializer,
    GroupPayload,
    LinkSerializer,
    ShareTransferSerializer,
    action_of,
    body_of_shares,
    group_payload,
    holding_of,
    is_of_shares,
    rows_to_link,
    sorted_legs,
)
from portfolios.api.views import DRY_RUN, get_own_or_404, log_portfolio, portfolio_of
from portfolios.models import ACTION_KINDS, TRANSFER_KIND_CHOICES, Portfolio, TransactionGroup

Kind = TransactionGroup.Kind


class GroupSerializer(ApiSerializer):
    """The fields of every group of money."""

    answer_fields = GROUP_FIELDS

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

    kind = drf.ChoiceField(TRANSFER_KIND_CHOICES)
    to_portfolio_id = drf.UUIDField()


class AnyKindSerializer(drf.Serializer):
    """What says of which kind the body is."""

    kind = drf.ChoiceField(Kind.choices)


GROUP_INPUT = PolymorphicProxySerializer(
    component_name="TransactionGroupInput",
    serializers=[
        ConversionSerializer,
        TransferSerializer,
        ShareTransferSerializer,
        LinkSerializer,
        ActionSerializer,
    ],
    resource_type_field_name=None,
)
# Fields of which null says something: all that is held, no cash, no booking day of its own.
MEANT_BY_NULL = ("quantity_out", "cash", "booked_on", "external_id")
# Sees what was written before it is committed.
BeforeCommit = Callable[[TransactionGroup], None]


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
        return group_payload(self.get_queryset().get(pk=pk), with_states=True)

    def _seen(self, write: Callable[[BeforeCommit], None], *, is_dry: bool) -> GroupPayload:
        """Write a group and show it as it then is; a dry run takes it back."""
        seen: list[GroupPayload] = []

        def before_commit(group: TransactionGroup) -> None:
            seen.append(self.shown(group.pk))
            transaction.set_rollback(is_dry)

        write(before_commit)
        return seen[-1]

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
        entered = _entered(request)
        payload = self._seen(entered.record, is_dry=is_dry)
        if is_dry:
            _forget_ids(payload)
        else:
            entered.fetch_histories()
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
        entered = _entered(request, stands=group)
        payload = self._seen(partial(entered.update, group), is_dry=is_dry)
        if not is_dry:
            entered.fetch_histories()
        return Response(payload)

    @extend_schema(responses={204: None, **refusals(409)})
    def destroy(self, request: Request, pk: UUID) -> Response:
        services.delete_group(group=get_own_or_404(self.get_queryset(), pk))
        return Response(status=status.HTTP_204_NO_CONTENT)


@dataclass(frozen=True, slots=True)
class _Entered:
    """A validated body: what the group moves, and the fields that all its legs share."""

    kind: str
    legs: "list[services.Leg] | services.ShareLegs"
    fields: dict[str, Any]

    def record(self, before_commit: BeforeCommit) -> None:
        fields = {**self.fields, "before_commit": before_commit}
        if isinstance(self.legs, services.ShareLegs):
            services.record_share_group(kind=self.kind, legs=self.legs, **fields)
        else:
            services.record_group(kind=self.kind, legs=self.legs, **fields)

    def update(self, group: TransactionGroup, before_commit: BeforeCommit) -> None:
        fields = {**self.fields, "before_commit": before_commit}
        if isinstance(self.legs, services.ShareLegs):
            services.update_share_group(group=group, legs=self.legs, **fields)
        else:
            services.update_group(group=group, legs=self.legs, **fields)

    def fetch_histories(self) -> None:
        """Ask in the background for the histories of instruments that are new."""
        if not isinstance(self.legs, services.ShareLegs):
            return
        for leg in self.legs.legs:
            if leg.stock.history_fetched_at is None and not leg.stock.is_manual:
                enqueue_on_commit(fetch_history, str(leg.stock.pk))


def _entered(request: Request, *, stands: TransactionGroup | None = None) -> _Entered:
    """Read the body of a group. What it leaves out stays as it `stands`."""
    kind = _kind_of(request)
    if stands is not None and kind != stands.kind:
        raise DomainError(
            f"The kind of this group is {stands.kind}. Delete it and record another.",
            attr="kind",
            code="kind_fixed",
        )
    given = dict(request.data)
    if stands is not None:
        before = _body_of_money(stands)
        if is_of_shares(stands):
            before = body_of_shares(stands, sorted_legs(stands))
        for name in MEANT_BY_NULL:
            if name in given and given[name] is None:
                before.pop(name, None)
        given = {name: value for name, value in given.items() if value is not None}
        given = {**before, **given}
    user = user_of(request)
    if kind in ACTION_KINDS:
        return _entered_action(user, given, stands)
    if stands is None and ("out_id" in given or "in_id" in given):
        return _entered_link(user, given)
    is_moving_shares = "holding_id" in given
    if stands is not None:
        is_moving_shares = is_of_shares(stands)
    if kind == Kind.TRANSFER and is_moving_shares:
        return _entered_shares(user, given, stands)
    return _entered_money(user, kind, given)


def _entered_money(user: User, kind: str, given: dict[str, Any]) -> _Entered:
    form: ApiSerializer = TransferSerializer(data=given)
    if kind == Kind.CONVERSION:
        form = ConversionSerializer(data=given)
    body = _valid(form)
    fields: dict[str, Any] = {"date": body.pop("date")}
    fields["booked_on"] = body.pop("booked_on", None)
    fields["note"] = body.pop("note", "")
    body.pop("kind")
    portfolio = portfolio_of(user, body.pop("portfolio_id"))
    log_portfolio(portfolio.pk)
    if kind == Kind.CONVERSION:
        return _Entered(kind, services.conversion_legs(portfolio=portfolio, **body), fields)
    to_portfolio = _other_portfolio(user, body.pop("to_portfolio_id"))
    legs = services.transfer_legs(portfolio=portfolio, to_portfolio=to_portfolio, **body)
    return _Entered(kind, legs, fields)


def _entered_shares(user: User, given: dict[str, Any], stands: TransactionGroup | None) -> _Entered:
    body = _valid(ShareTransferSerializer(data=given))
    if stands is not None and stands.is_linked and body["date"] != sorted_legs(stands)[-1].date:
        raise DomainError(
            "The transactions of this transfer have dates of their own. Change them there.",
            attr="date",
            code="part_of_group",
        )
    holding = holding_of(user, body["holding_id"])
    log_portfolio(holding.portfolio_id)
    legs = services.transfer_of_shares(
        holding=holding,
        to_portfolio=_other_portfolio(user, body["to_portfolio_id"]),
        quantity=body["quantity"],
        date=body["date"],
        rate=body.get("rate"),
    )
    fields = {
        "date": body["date"],
        "booked_on": body.get("booked_on"),
        "note": body.get("note", ""),
    }
    return _Entered(Kind.TRANSFER, legs, fields)


def _entered_link(user: User, given: dict[str, Any]) -> _Entered:
    body = _valid(LinkSerializer(data=given))
    out, arrives = rows_to_link(user, body)
    log_portfolio(out.portfolio_id)
    legs: list[services.Leg] | services.ShareLegs
    if out.holding_id is None:
        legs = services.link_of_money(out, arrives)
    else:
        legs = services.link_of(out, arrives)
    return _Entered(Kind.TRANSFER, legs, {"date": arrives.date, "note": body.get("note", "")})


def _entered_action(user: User, given: dict[str, Any], stands: TransactionGroup | None) -> _Entered:
    body = _valid(ActionSerializer(data=given))
    action = action_of(user, body, stands=stands)
    log_portfolio(action.holding.portfolio_id)
    fields = {
        "date": action.date,
        "label": body.get("label", ""),
        "note": body.get("note", ""),
        "external_id": body.get("external_id") or None,
    }
    return _Entered(action.kind, services.action_legs(action), fields)


def _valid(form: ApiSerializer) -> dict[str, Any]:
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


def _body_of_money(group: TransactionGroup) -> dict[str, Any]:
    """Return a group of money as the body of a request, so that its answer can be sent back."""
    if is_of_shares(group):
        return {}
    leaves, arrives = sorted_legs(group)
    body: dict[str, Any] = {
        "currency": leaves.settlement_currency,
        "amount": -(leaves.settlement_amount or 0),
        "booked_on": leaves.booked_on and leaves.booked_on.isoformat(),
        "note": group.note,
    }
    if group.kind == Kind.TRANSFER:
        return body | {"to_portfolio_id": str(arrives.portfolio_id)}
    return body | {
        "to_currency": arrives.settlement_currency,
        "to_amount": arrives.settlement_amount,
    }


def _kind_of(request: Request) -> str:
    form = AnyKindSerializer(data=request.data)
    form.is_valid(raise_exception=True)
    return str(form.validated_data["kind"])


def _other_portfolio(user: User, portfolio_id: UUID) -> Portfolio:
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
    for target in payload.targets:
        target.transaction_id = None
