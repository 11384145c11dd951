"""YNAB in the admin: whose budget, what is known of it, what became of each sync, and "sync
now".
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from financeproj.core.admin import ReadOnlyAdmin, ServiceAdmin, ServiceForm
from financeproj.core.errors import DomainError
from financeproj.core.money import strip_zeros
from integrations.models import AssignedBudget, SyncRun, YnabBudget, YnabSettings
from integrations.ynab import services, sync
from integrations.ynab.client import from_milliunits
from pensions.models import PensionAccount


@admin.action(description="Sync now from YNAB", permissions=["change"])
def sync_now(modeladmin: Any, request: HttpRequest, queryset: QuerySet[PensionAccount]) -> None:
    since = timezone.now()  # one answer serves all accounts of a budget
    for account in queryset:
        try:
            entry, _ = sync.sync_account(account=account, since=since)
        except (DomainError, ValidationError) as error:
            modeladmin.message_user(request, f"{account}: {sync.words_of(error)}", messages.ERROR)
        else:
            modeladmin.message_user(
                request, f"{account}: {strip_zeros(entry.value)} on {entry.date}", messages.SUCCESS
            )


# pensions registers the model and knows nothing of YNAB.
admin.site.get_model_admin(PensionAccount).actions = (sync_now,)


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin):
    list_display = (
        "started_at",
        "user",
        "trigger",
        "outcome",
        "of_accounts",
        "detail",
        "finished_at",
    )
    list_filter = ("outcome", "trigger", "user")
    list_select_related = ("user",)
    search_fields = ("user__username", "detail")
    date_hierarchy = "started_at"
    fields = ("user", "trigger", "outcome", "detail", "started_at", "finished_at", "lines")
    readonly_fields = ("lines",)

    @admin.display(description="accounts")
    def of_accounts(self, run: SyncRun) -> str:
        outcomes = [line["outcome"] for line in run.accounts]
        return (
            ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in sorted(set(outcomes)))
            or "–"
        )

    @admin.display(description="accounts")
    def lines(self, run: SyncRun) -> SafeString:
        rows = ((line["name"], line["outcome"], line["detail"]) for line in run.accounts)
        return format_html_join("", "<p>{}: {}. {}</p>", rows)


class YnabSettingsForm(ServiceForm):
    budget_id = forms.RegexField(r"\A[A-Za-z0-9_-]{1,64}\Z", label="budget id")

    class Meta:
        model = YnabSettings
        fields = ("user",)

    instance: YnabSettings

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.fields["budget_id"].initial = self.instance.budget_id

    def write(self, fields: dict[str, Any]) -> YnabSettings:
        user = fields.get("user") or self.instance.user
        return services.choose_budget(user=user, budget_id=fields["budget_id"], assign=True)


@admin.register(YnabSettings)
class YnabSettingsAdmin(ServiceAdmin):
    form = YnabSettingsForm
    list_display = ("user", "budget", "is_verified", "updated_at")
    list_filter = ("budget__verified",)
    list_select_related = ("user", "budget")
    search_fields = ("user__username", "budget__id", "budget__name")
    autocomplete_fields = ("user",)
    date_hierarchy = "updated_at"
    fields = ("user", "budget_id")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("user",) if obj else ()

    @admin.display(boolean=True, description="verified", ordering="budget__verified")
    def is_verified(self, row: YnabSettings) -> bool:
        return row.budget.verified

    def delete_row(self, row: YnabSettings) -> None:
        services.forget_budget(user=row.user)


class AssignedBudgetForm(ServiceForm):
    budget_id = forms.RegexField(r"\A[A-Za-z0-9_-]{1,64}\Z", label="budget id")

    class Meta:
        model = AssignedBudget
        fields = ("user",)

    def write(self, fields: dict[str, Any]) -> AssignedBudget:
        user, budget_id = fields["user"], fields["budget_id"]
        services.assign_budget(user=user, budget_id=budget_id)
        return AssignedBudget.objects.get(user=user, budget=budget_id)


@admin.register(AssignedBudget)
class AssignedBudgetAdmin(ServiceAdmin):
    form = AssignedBudgetForm
    list_display = ("user", "budget", "assigned_at")
    list_filter = ("user",)
    list_select_related = ("user", "budget")
    search_fields = ("user__username", "budget__id", "budget__name")
    autocomplete_fields = ("user",)
    date_hierarchy = "assigned_at"
    fields = ("user", "budget_id")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # an assignment is added and deleted

    def delete_row(self, row: AssignedBudget) -> None:
        services.withdraw_budget(user=row.user, budget_id=row.budget_id)


@admin.register(YnabBudget)
class YnabBudgetAdmin(ReadOnlyAdmin):
    list_display = ("name_or_id", "currency", "verified", "account_count", "accounts_fetched_at")
    list_filter = ("verified", "currency")
    search_fields = ("id", "name")
    date_hierarchy = "accounts_fetched_at"
    fields = (
        "id",
        "name",
        "verified",
        "currency",
        "currency_fetched_at",
        "accounts_fetched_at",
        "balances",
    )
    readonly_fields = ("balances",)

    @admin.display(description="budget", ordering="name")
    def name_or_id(self, budget: YnabBudget) -> str:
        return str(budget)

    @admin.display(description="accounts")
    def account_count(self, budget: YnabBudget) -> int:
        return len(budget.accounts)

    @admin.display(description="accounts")
    def balances(self, budget: YnabBudget) -> SafeString:
        rows = (
            (
                row["name"],
                format(strip_zeros(from_milliunits(row["balance"])), "f"),
                budget.currency,
                self._state(row),
            )
            for row in budget.accounts.values()
        )
        return format_html_join("", "<p>{}: {} {} {}</p>", rows)

    @staticmethod
    def _state(row: dict[str, Any]) -> str:
        for state in ("deleted", "closed"):
            if row[state]:
                return f"({state})"
        return ""
