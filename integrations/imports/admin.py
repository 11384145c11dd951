"""Imports in the admin, and the import of a file from a portfolio's page."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from financeproj.core.admin import ActingAdmin, ReadOnlyAdmin, ServiceAdmin
from financeproj.core.errors import DomainError
from integrations.imports.options import ImportOptions
from integrations.imports.payloads import row_error_payload
from integrations.imports.queue import progress_of
from integrations.imports.tasks import submit_import
from integrations.statements.registry import AUTO, formats
from portfolios import selectors
from portfolios.admin import PortfolioAdmin
from portfolios.models import ImportBatch, KnownRows, PendingImport, Portfolio
from portfolios.services import delete_import, undo_import
from portfolios.valuation import live_import

ERRORS_SHOWN = 100


class StatementForm(forms.Form):
    file = forms.FileField()
    format = forms.ChoiceField(
        choices=[(AUTO, "recognise it"), *((one.name, one.label) for one in formats())]
    )
    date_format = forms.ChoiceField(
        required=False,
        choices=[
            ("", "as the file tells"),
            ("dmy", "day before month"),
            ("mdy", "month before day"),
        ],
    )
    decimal = forms.ChoiceField(
        required=False,
        choices=[("", "as the file tells"), ("point", "decimal point"), ("comma", "decimal comma")],
    )
    skip_errors = forms.BooleanField(
        required=False, help_text="Import the right rows although others are wrong."
    )
    preview = forms.BooleanField(
        required=False, initial=True, help_text="Only show what would be imported."
    )


@admin.register(Portfolio)
class ImportingPortfolioAdmin(PortfolioAdmin):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.import_view)
        return [
            path("<uuid:pk>/import/", view, name="portfolios_portfolio_import"),
            *super().get_urls(),
        ]

    def import_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        portfolio = get_object_or_404(Portfolio.objects.select_related("user"), pk=pk)
        may_change = self.has_change_permission(request, portfolio)
        if not may_change or not request.user.has_perm("portfolios.add_importbatch"):
            raise PermissionDenied
        form = StatementForm(
            request.POST or None, request.FILES or None, initial={"format": AUTO, "preview": True}
        )
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Import a file",
            "portfolio": portfolio,
            "form": form,
        }
        if request.method == "POST" and form.is_valid():
            context |= self._submit(request, portfolio, form)
        return TemplateResponse(request, "admin/portfolios/portfolio/import.html", context)

    def _submit(
        self, request: HttpRequest, portfolio: Portfolio, form: StatementForm
    ) -> dict[str, Any]:
        fields = form.cleaned_data
        options = ImportOptions(
            format_name=fields["format"],
            date_format=fields["date_format"] or None,
            decimal=fields["decimal"] or None,
            on_error="skip" if fields["skip_errors"] else "abort",
        )
        try:
            outcome = submit_import(
                portfolio=portfolio,
                file=fields["file"],
                options=options,
                dry_run=fields["preview"],
            )
        except DomainError as error:
            form.add_error("file", str(error.detail))
            return {}
        if isinstance(outcome, ImportBatch):
            self.message_user(
                request, f"{outcome.file_name} is imported in the background.", messages.INFO
            )
            return {"running": outcome}
        if outcome.is_saved:
            self.message_user(
                request, f"{outcome.import_batch.created} transactions imported.", messages.SUCCESS
            )
        errors = [
            row_error_payload(problem.as_entry()) for problem in outcome.problems[:ERRORS_SHOWN]
        ]
        return {"outcome": outcome, "errors": errors, "dry_run": fields["preview"]}


@admin.action(description="Undo the selected imports", permissions=["act"])
def undo_imports(modeladmin: Any, request: HttpRequest, queryset: QuerySet[ImportBatch]) -> None:
    with transaction.atomic():
        for import_batch in queryset:
            undo_import(import_batch=import_batch)
    modeladmin.message_user(request, f"{queryset.count()} imports undone.", messages.SUCCESS)


class Trouble(admin.SimpleListFilter):
    title = "trouble"
    parameter_name = "trouble"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Failed, or differing from the file's own balance")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ImportBatch]
    ) -> QuerySet[ImportBatch]:
        if self.value() != "yes":
            return queryset
        return queryset.filter(pk__in=selectors.troubled_imports())


@admin.register(ImportBatch)
class ImportBatchAdmin(ActingAdmin, ServiceAdmin):
    list_display = (
        "file_name",
        "portfolio",
        "format",
        "state",
        "rows",
        "created",
        "duplicates",
        "ignored",
        "failed",
        "created_at",
    )
    list_filter = (Trouble, "state", "format", "portfolio")
    list_select_related = ("portfolio",)
    search_fields = ("file_name", "portfolio__name", "file_sha256")
    date_hierarchy = "created_at"
    actions = (undo_imports,)
    readonly_fields = ("how_far", "agreement")

    @admin.display(description="agreement with the ledger now")
    def agreement(self, import_batch: ImportBatch) -> str:
        live = live_import(ImportBatch.objects.select_related("portfolio").get(pk=import_batch.pk))
        if live.reconciled is None:
            return ""
        found = live.first_divergence
        if found is None:
            return "Agrees."
        return f"Line {found['row']}: {found['expected']} in the file, {found['got']} here."

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        fields = [
            name for name in super().get_fields(request, obj) if name not in ("progress", "how_far")
        ]
        place = fields.index("state") + 1
        return [*fields[:place], "how_far", *fields[place:]]

    @admin.display(description="progress")
    def how_far(self, import_batch: ImportBatch) -> str:
        return f"{progress_of(import_batch):.0%}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def delete_row(self, row: ImportBatch) -> None:
        delete_import(import_batch=row)  # refused while transactions name it: undo it first


@admin.register(KnownRows)
class KnownRowsAdmin(ReadOnlyAdmin):
    """Which rows an import knew from others. As long as the file, so the rows are left out."""

    list_display = ("import_batch", "portfolio", "state")
    list_filter = ("import_batch__state",)
    list_select_related = ("import_batch__portfolio",)
    search_fields = ("import_batch__file_name", "import_batch__portfolio__name")
    exclude = ("rows",)

    @admin.display(ordering="import_batch__portfolio")
    def portfolio(self, row: KnownRows) -> Portfolio:
        return row.import_batch.portfolio

    @admin.display(ordering="import_batch__state")
    def state(self, row: KnownRows) -> str:
        return row.import_batch.state

    def get_queryset(self, request: HttpRequest) -> QuerySet[KnownRows]:
        return super().get_queryset(request).defer("rows")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(PendingImport)
class PendingImportAdmin(admin.ModelAdmin):
    """Files that wait for a worker; deleting one leaves its import running for ever, so only
    looking is possible.
    """

    list_display = ("import_batch", "portfolio", "attempts")
    list_filter = ("attempts",)
    list_select_related = ("import_batch__portfolio",)
    search_fields = ("import_batch__file_name", "import_batch__portfolio__name")
    exclude = ("content",)

    @admin.display(ordering="import_batch__portfolio")
    def portfolio(self, row: PendingImport) -> Portfolio:
        return row.import_batch.portfolio

    def get_queryset(self, request: HttpRequest) -> QuerySet[PendingImport]:
        return super().get_queryset(request).defer("content")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
