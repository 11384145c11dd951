"""Views of YNAB: settings, accounts, balances, and the sync of a linked pension account."""

from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from financeproj.core.api.schema import THIRD_PARTY, refusals
from financeproj.core.api.serializers import NoFieldsSerializer
from financeproj.core.api.views import ApiView
from financeproj.users.api.authentication import user_of
from financeproj.users.models import User
from integrations.models import YnabSettings
from integrations.ynab import payloads, plans, queries, services, sync
from integrations.ynab.serializers import BudgetInputSerializer
from pensions.payloads import ValuePayload, value_payload
from pensions.selectors import account_of

ASKED = {**THIRD_PARTY, **refusals(409)}


def _settings_of(user: User) -> payloads.YnabSettingsPayload:
    chosen = YnabSettings.objects.select_related("budget").filter(user=user).first()
    return payloads.settings_payload(
        chosen.budget if chosen else None,
        api_key_configured=bool(settings.YNAB_API_KEY),
        last_run=sync.latest_run_of(user),
    )


class YnabSettingsView(ApiView):
    @extend_schema(responses=payloads.YnabSettingsPayload)
    def get(self, request: Request) -> Response:
        return Response(_settings_of(user_of(request)))

    @extend_schema(
        request=BudgetInputSerializer,
        responses={200: payloads.YnabSettingsPayload, **THIRD_PARTY},
    )
    def post(self, request: Request) -> Response:
        """422 `unknown_budget` if it is not assigned to the user or YNAB does not know it."""
        form = BudgetInputSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        services.choose_budget(user=user_of(request), budget_id=form.validated_data["budget_id"])
        return Response(_settings_of(user_of(request)))


class YnabPlansView(ApiView):
    @extend_schema(responses={200: list[payloads.YnabPlanPayload], **THIRD_PARTY})
    def get(self, request: Request) -> Response:
        """The budgets that may be chosen: assigned by staff; all for staff and the only user."""
        found = plans.plans_of(user_of(request))
        return Response([payloads.plan_payload(plan) for plan in found])


class YnabAccountsView(ApiView):
    @extend_schema(responses={200: list[payloads.YnabAccountPayload], **ASKED})
    def get(self, request: Request) -> Response:
        balances = queries.balances_of(user_of(request))
        return Response([payloads.account_payload(balance) for balance in balances])


class YnabBalanceView(ApiView):
    @extend_schema(responses={200: payloads.YnabBalancePayload, **ASKED})
    def get(self, request: Request, account_id: str) -> Response:
        balance = queries.balance_of(user_of(request), account_id)
        return Response(payloads.balance_payload(balance))


class PensionSyncView(ApiView):
    @extend_schema(
        request=None,
        responses={200: ValuePayload, 201: ValuePayload, **ASKED, **refusals(413, 415, 422)},
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """201 for a new value, 200 when today's is replaced."""
        account = account_of(user_of(request), pk)
        NoFieldsSerializer(data=request.data).is_valid(raise_exception=True)
        entry, is_new = sync.sync_account(account=account)
        answer_status = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(value_payload(entry), answer_status)
