"""YNAB in the admin: whose budget, what is known of it, what became of each sync, and "sync
now".
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from financeproj.core.admin import ReadOnlyAdmin, ServiceAdmin, ServiceForm
from financeproj.core.drawing import line_chart
from financeproj.core.errors import DomainError
from financeproj.core.money import strip_zeros
from integrations import admin_pages  # noqa: F401  (registers)
from integrations.models import Backup, SyncRun, YnabBudget, YnabSettings
from integrations.services import exported_lines
from integrations.ynab import services, sync
from integrations.ynab.client import from_milliunits
from pensions.admin import PensionAccountAdmin
from pensions.models import PensionAccount
from portfolios.admin import TransactionAdmin
from portfolios.models import Transaction


@admin.action(description="Sync now from YNAB")
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


class LinkedPensionAccountAdmin(PensionAccountAdmin):
    actions = (sync_now,)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*super().get_readonly_fields(request, obj), "chart")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [name for name in super().get_fields(request, obj) if name != "line"] + ["chart"]

    @admin.display(description="values")
    def chart(self, account: PensionAccount) -> SafeString | str:
        return line_chart(
            list(account.values.order_by("date").values_list("date", "value")), account.currency
        )


admin.site.unregister(PensionAccount)
admin.site.register(PensionAccount, LinkedPensionAccountAdmin)


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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.fields["budget_id"].initial = self.instance.budget_id

    def write(self, fields: dict[str, Any]) -> YnabSettings:
        user = fields.get("user") or self.instance.user
        return services.choose_budget(user=user, budget_id=fields["budget_id"])


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
        return "(deleted)" if row["deleted"] else "(closed)" if row["closed"] else ""


# --- Statements -----------------------------------------------------------------------------------


@admin.action(description="Export the selected transactions as CSV")
def export_csv(
    modeladmin: Any, request: HttpRequest, queryset: QuerySet[Transaction]
) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        exported_lines(queryset),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="transactions.csv"'},
    )


class ExportingTransactionAdmin(TransactionAdmin):
    actions = (export_csv,)


admin.site.unregister(Transaction)
admin.site.register(Transaction, ExportingTransactionAdmin)


# --- Backups --------------------------------------------------------------------------------------


@admin.register(Backup)
class BackupAdmin(ReadOnlyAdmin):
    list_display = ("made_at", "proved", "path", "megabytes", "rows", "detail")
    list_filter = ("proved",)
    search_fields = ("path", "detail")
    date_hierarchy = "made_at"
    fields = ("made_at", "proved", "detail", "path", "megabytes", "rows")
    readonly_fields = ("megabytes",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # it would leave the file, and forget that it is ours

    @admin.display(description="MB", ordering="size")
    def megabytes(self, row: Backup) -> str:
        return f"{row.size / 1e6:,.1f}"
