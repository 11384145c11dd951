"""What the admin's pages show beside fields: charts, and the import of a file from the portfolio's
page.
"""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from financeproj.core.drawing import line_chart
from financeproj.core.errors import DomainError
from integrations.background import progress_of
from integrations.services import ImportOptions
from integrations.statements.registry import AUTO, formats
from integrations.tasks import submit_import
from marketdata.admin import StockMetadataAdmin
from marketdata.models import HistoricalStockPrice, StockMetadata
from portfolios.admin import ImportAdmin, PortfolioAdmin
from portfolios.models import ImportBatch, Portfolio

CLOSES_DRAWN = 500  # two years


class ChartedInstrumentAdmin(StockMetadataAdmin):
    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("chart", *super().get_readonly_fields(request, obj))

    @admin.display(description="closes as traded")
    def chart(self, stock: StockMetadata) -> SafeString | str:
        newest = (
            HistoricalStockPrice.objects.filter(stock=stock)
            .order_by("-date")
            .values_list("date", "close")
        )
        return line_chart(list(newest[:CLOSES_DRAWN])[::-1], stock.currency)


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


class ImportingPortfolioAdmin(PortfolioAdmin):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.import_view)
        return [
            path("<uuid:pk>/import/", view, name="portfolios_portfolio_import"),
            *super().get_urls(),
        ]

    def import_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        portfolio = get_object_or_404(Portfolio.objects.select_related("user"), pk=pk)
        if not self.has_change_permission(request, portfolio):
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
            context |= self._carry_out(request, portfolio, form)
        return TemplateResponse(request, "admin/portfolios/portfolio/import.html", context)

    def _carry_out(
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
                data=fields["file"].read(),
                file_name=fields["file"].name,
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
        return {"outcome": outcome, "dry_run": fields["preview"]}


class FollowedImportAdmin(ImportAdmin):
    readonly_fields = ("how_far",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fields = [
            name for name in super().get_fields(request, obj) if name not in ("progress", "how_far")
        ]
        place = fields.index("state") + 1
        return [*fields[:place], "how_far", *fields[place:]]

    @admin.display(description="progress")
    def how_far(self, import_batch: ImportBatch) -> str:
        return f"{progress_of(import_batch):.0%}"


admin.site.unregister(ImportBatch)
admin.site.register(ImportBatch, FollowedImportAdmin)
admin.site.unregister(StockMetadata)
admin.site.register(StockMetadata, ChartedInstrumentAdmin)
admin.site.unregister(Portfolio)
admin.site.register(Portfolio, ImportingPortfolioAdmin)
