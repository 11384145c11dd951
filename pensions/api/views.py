from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from financeproj.core.api.schema import THIRD_PARTY, refusals
from financeproj.core.api.views import ApiView
from financeproj.core.shared.heavy_requests import heavy_request
from financeproj.users.api.authentication import user_of
from pensions import selectors, services
from pensions.api import serializers
from pensions.api.query import parse_assumptions
from pensions.models import ContributionPlan
from pensions.payloads import (
    AccountPayload,
    ContributionPayload,
    ProjectionPayload,
    ValuePayload,
    account_payload,
    contribution_payload,
    value_payload,
)
from pensions.projections import projection_of
from portfolios.queries import ensure_priced
from portfolios.selectors import portfolios_of


def _valid(form: Any) -> dict[str, Any]:
    form.is_valid(raise_exception=True)
    return form.validated_data


def _account(request: Request, pk: UUID) -> AccountPayload:
    return account_payload(selectors.account_of(user_of(request), pk))


class AccountsView(ApiView):
    @extend_schema(responses=list[AccountPayload])
    def get(self, request: Request) -> Response:
        accounts = selectors.accounts_of(user_of(request))
        return Response([account_payload(account) for account in accounts])

    @extend_schema(
        request=serializers.AccountInputSerializer,
        responses={201: AccountPayload, **refusals(409), **THIRD_PARTY},
    )
    def post(self, request: Request) -> Response:
        fields = _valid(serializers.AccountInputSerializer(data=request.data))
        account = services.create_account(user=user_of(request), **fields)
        return Response(_account(request, account.pk), status.HTTP_201_CREATED)


class AccountView(ApiView):
    @extend_schema(responses=AccountPayload)
    def get(self, request: Request, pk: UUID) -> Response:
        return Response(_account(request, pk))

    @extend_schema(
        request=serializers.AccountInputSerializer,
        responses={200: AccountPayload, **refusals(409), **THIRD_PARTY},
    )
    def put(self, request: Request, pk: UUID) -> Response:
        account = selectors.account_of(user_of(request), pk)
        fields = _valid(serializers.AccountInputSerializer(data=request.data))
        services.update_account(account=account, **{"ynab_account_id": "", **fields})
        return Response(_account(request, pk))

    @extend_schema(
        request=serializers.AccountInputSerializer,
        responses={200: AccountPayload, **refusals(409), **THIRD_PARTY},
    )
    def patch(self, request: Request, pk: UUID) -> Response:
        account = selectors.account_of(user_of(request), pk)
        fields = _valid(serializers.AccountInputSerializer(data=request.data, partial=True))
        services.update_account(account=account, **fields)
        return Response(_account(request, pk))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: UUID) -> Response:
        services.delete_account(account=selectors.account_of(user_of(request), pk))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ValuesView(ApiView):
    @extend_schema(responses=list[ValuePayload])
    def get(self, request: Request, pk: UUID) -> Response:
        values = selectors.account_of(user_of(request), pk).values.order_by("date")
        return Response([value_payload(entry) for entry in values])

    @extend_schema(
        request=serializers.ValueInputSerializer,
        responses={201: ValuePayload, **refusals(409)},
    )
    def post(self, request: Request, pk: UUID) -> Response:
        account = selectors.account_of(user_of(request), pk)
        fields = _valid(serializers.ValueInputSerializer(data=request.data))
        entry = services.record_value(account=account, on=fields["date"], value=fields["value"])
        return Response(value_payload(entry), status.HTTP_201_CREATED)


class ValueView(ApiView):
    def _update(self, request: Request, pk: UUID, value_id: UUID, partial: bool) -> Response:
        entry = selectors.value_of(user_of(request), pk, value_id)
        fields = _valid(serializers.ValueInputSerializer(data=request.data, partial=partial))
        return Response(value_payload(services.update_value(entry=entry, **fields)))

    @extend_schema(
        request=serializers.ValueInputSerializer,
        responses={200: ValuePayload, **refusals(409)},
    )
    def put(self, request: Request, pk: UUID, value_id: UUID) -> Response:
        return self._update(request, pk, value_id, partial=False)

    @extend_schema(
        request=serializers.ValueInputSerializer,
        responses={200: ValuePayload, **refusals(409)},
    )
    def patch(self, request: Request, pk: UUID, value_id: UUID) -> Response:
        return self._update(request, pk, value_id, partial=True)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: UUID, value_id: UUID) -> Response:
        services.delete_value(entry=selectors.value_of(user_of(request), pk, value_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ContributionsView(ApiView):
    @extend_schema(responses=list[ContributionPayload])
    def get(self, request: Request, pk: UUID) -> Response:
        plans = selectors.account_of(user_of(request), pk).contributions.all()
        return Response([contribution_payload(plan) for plan in plans])

    @extend_schema(
        request=serializers.ContributionInputSerializer,
        responses={201: ContributionPayload},
    )
    def post(self, request: Request, pk: UUID) -> Response:
        account = selectors.account_of(user_of(request), pk)
        fields = _valid(serializers.ContributionInputSerializer(data=request.data))
        plan = services.create_contribution(account=account, **fields)
        return Response(contribution_payload(plan), status.HTTP_201_CREATED)


class ContributionView(ApiView):
    # What a PUT leaves out goes back to this.
    DEFAULTS = {"frequency": ContributionPlan.Frequency.MONTHLY, "end": None, "growth": 0}

    @extend_schema(
        request=serializers.ContributionInputSerializer,
        responses=ContributionPayload,
    )
    def put(self, request: Request, pk: UUID, contribution_id: UUID) -> Response:
        plan = selectors.contribution_of(user_of(request), pk, contribution_id)
        fields = _valid(serializers.ContributionInputSerializer(data=request.data))
        plan = services.update_contribution(plan=plan, **{**self.DEFAULTS, **fields})
        return Response(contribution_payload(plan))

    @extend_schema(
        request=serializers.ContributionInputSerializer,
        responses=ContributionPayload,
    )
    def patch(self, request: Request, pk: UUID, contribution_id: UUID) -> Response:
        plan = selectors.contribution_of(user_of(request), pk, contribution_id)
        fields = _valid(serializers.ContributionInputSerializer(data=request.data, partial=True))
        plan = services.update_contribution(plan=plan, **fields)
        return Response(contribution_payload(plan))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: UUID, contribution_id: UUID) -> Response:
        plan = selectors.contribution_of(user_of(request), pk, contribution_id)
        services.delete_contribution(plan=plan)
        return Response(status=status.HTTP_204_NO_CONTENT)


NUMBERS = (
    "monthly_contribution",
    "contribution_growth",
    "annual_return",
    "inflation",
    "volatility",
    "portfolio_return",
    "portfolio_volatility",
)


class ProjectionView(ApiView):
    @extend_schema(
        parameters=[
            OpenApiParameter(
                "years",
                int,
                description="1 to 100; or until_year. Default: the goal's year, else 30.",
            ),
            OpenApiParameter("until_year", int),
            *(OpenApiParameter(name, OpenApiTypes.DECIMAL) for name in NUMBERS),
            OpenApiParameter("account_id", OpenApiTypes.UUID),
            OpenApiParameter("include_portfolios", bool, default=False),
            OpenApiParameter(
                "simulations", int, default=0, description="Up to 10,000; for staff, 100,000."
            ),
            OpenApiParameter("seed", int),
        ],
        responses={200: ProjectionPayload, **refusals(404)},
    )
    def get(self, request: Request) -> Response:
        assumptions = parse_assumptions(request)
        services.ensure_rates(user=user_of(request))
        if assumptions.include_portfolios:
            ensure_priced(portfolios_of(user_of(request)))
        if not assumptions.simulations:
            return Response(projection_of(user_of(request), assumptions))
        with heavy_request(user_of(request).pk):
            return Response(projection_of(user_of(request), assumptions))
