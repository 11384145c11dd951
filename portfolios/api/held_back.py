"""What a source says and is not believed, and the answers to it."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from msgspec import Struct
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from financeproj.core.api.query import choice_parameter
from financeproj.core.api.schema import refusals
from financeproj.core.api.serializers import ApiSerializer, StrictBooleanField, TextField
from financeproj.core.api.views import ApiView
from financeproj.core.errors import NotFound
from financeproj.core.money import strip_zeros
from financeproj.users.api.authentication import user_of
from financeproj.users.models import User
from marketdata.models import HeldBack
from portfolios.reports.held_back import HeldBackForUser, held_back_as_seen, held_back_for, named
from portfolios.services.held_back import answer_held_back
from portfolios.services.split_effects import effects_of_splits

STATES = tuple(HeldBack.State.values)
STATE = OpenApiParameter("state", enum=STATES, default="held_back")


class HeldBackPayload(Struct):
    """A split, dividend, price or rate of a source.

    `ticker` of a rate is its pair, e.g. `EUR/NOK`. `before` is what stood before or was compared
    with it. `reason` is a code, `detail` says it in words; `effect` is what accepting a held-back
    split would change in one's holdings.
    """

    id: UUID
    kind: str
    ticker: str
    date: date
    value: Decimal
    before: Decimal | None
    reason: str
    detail: str
    effect: str | None
    since: datetime
    state: str


class AnswerSerializer(ApiSerializer):
    accept = StrictBooleanField()


class AnswerToAllSerializer(AnswerSerializer):
    ticker = TextField(max_length=50)
    kind = serializers.ChoiceField(HeldBack.Kind.choices)


class HeldBackListView(ApiView):
    @extend_schema(parameters=[STATE], responses=list[HeldBackPayload])
    def get(self, request: Request) -> Response:
        """Splits and dividends of one's holdings; staff also see prices and rates."""
        state = choice_parameter(request, "state", STATES, "held_back")
        user = user_of(request)
        found = held_back_for(user, state=state)
        effects: dict[UUID, str] = {}
        if state == HeldBack.State.HELD_BACK:
            splits = [one.row.pk for one in found if one.row.kind == HeldBack.Kind.SPLIT]
            effects = effects_of_splits(user=user, pks=splits)
        return Response([_payload(one, effects.get(one.row.pk)) for one in found])

    @extend_schema(
        operation_id="held_back_answer_all",
        request=AnswerToAllSerializer,
        responses={200: list[HeldBackPayload], **refusals(403, 404, 409)},
    )
    def post(self, request: Request) -> Response:
        """Accept or dismiss all that is held back of one instrument or pair."""
        form = AnswerToAllSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        user, body = user_of(request), form.validated_data
        rows = named(user, ticker=body["ticker"].upper(), kind=body["kind"])
        if rows is None:
            raise NotFound(
                "Nothing of this ticker and kind is known here.",
                attr="ticker",
                code="unknown_ticker",
            )
        for row in rows:
            answer_held_back(user=user, row=row, accept=body["accept"])
        return Response([_seen(user, row.pk) for row in rows])


class HeldBackView(ApiView):
    @extend_schema(
        request=AnswerSerializer, responses={200: HeldBackPayload, **refusals(403, 404, 409)}
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Accept or dismiss: a split for one's own holdings, anything else as staff, for all."""
        user = user_of(request)
        seen = held_back_as_seen(user, pk)
        if seen is None:
            raise NotFound("Not found.")
        form = AnswerSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        answer_held_back(user=user, row=seen.row, accept=form.validated_data["accept"])
        return Response(_seen(user, pk))


def _seen(user: User, pk: UUID) -> HeldBackPayload:
    seen = held_back_as_seen(user, pk)
    assert seen is not None  # nosec B101  # it was just answered
    return _payload(seen)


def _payload(one: HeldBackForUser, effect: str | None = None) -> HeldBackPayload:
    row = one.row
    before: Any = row.before
    return HeldBackPayload(
        id=row.pk,
        kind=row.kind,
        ticker=str(row.stock or row.pair),
        date=row.date,
        value=strip_zeros(row.value),
        before=None if before is None else strip_zeros(before),
        reason=one.reason,
        detail=one.detail,
        effect=effect,
        since=row.since,
        state=one.state,
    )
