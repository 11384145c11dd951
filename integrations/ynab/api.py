"""Views of what YNAB tells: settings, accounts, balances, and the sync of a linked pension
account.
"""

from typing import Any
from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from financeproj.core.api.schema import THIRD_PARTY, refusals
from financeproj.users.models import User
from integrations.models import YnabSettings
from integrations.ynab import serializers, services, sync
from pensions.payloads import ValuePayload, value_payload
from pensions.selectors import account_of

ASKED = {**THIRD_PARTY, **refusals(409)}


def _settings_of(user: User) -> dict[str, Any]:
    chosen = YnabSettings.objects.select_related("budget").filter(user=user).first()
    return serializers.YnabSettingsSerializer(
        {
            "budget_id": chosen.budget.pk if chosen else None,
            "budget_name": (chosen.budget.name or None) if chosen else None,
            "verified": bool(chosen and chosen.budget.verified),
            "api_key_configured": bool(settings.YNAB_API_KEY),
            "last_sync": sync.latest_run_of(user),
        }
    ).data


class YnabSettingsView(APIView):
    @extend_schema(responses=serializers.YnabSettingsSerializer)
    def get(self, request: Request) -> Response:
        return Response(_settings_of(request.user))

    @extend_schema(
        request=serializers.BudgetInputSerializer,
        responses={200: serializers.YnabSettingsSerializer, **THIRD_PARTY},
    )
    def post(self, request: Request) -> Response:
        """422 `unknown_budget` if YNAB does not know it."""
        form = serializers.BudgetInputSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        services.choose_budget(user=request.user, budget_id=form.validated_data["budget_id"])
        return Response(_settings_of(request.user))


class YnabAccountsView(APIView):
    @extend_schema(responses={200: serializers.YnabAccountSerializer(many=True), **ASKED})
    def get(self, request: Request) -> Response:
        return Response(
            serializers.YnabAccountSerializer(services.balances_of(request.user), many=True).data
        )


class YnabBalanceView(APIView):
    @extend_schema(responses={200: serializers.YnabBalanceSerializer, **ASKED})
    def get(self, request: Request, account_id: str) -> Response:
        return Response(
            serializers.YnabBalanceSerializer(services.balance_of(request.user, account_id)).data
        )


class PensionSyncView(APIView):
    @extend_schema(request=None, responses={200: ValuePayload, 201: ValuePayload, **ASKED})
    def post(self, request: Request, pk: UUID) -> Response:
        """201 for a new value, 200 when today's is replaced."""
        entry, is_new = sync.sync_account(account=account_of(request.user, pk))
        answer_status = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(value_payload(entry), answer_status)
