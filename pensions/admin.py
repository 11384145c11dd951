"""Pensions in the admin: every write goes through `pensions.services`."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString

from financeproj.core.admin import ServiceAdmin, ServiceForm, number_column
from financeproj.core.drawing import line_chart, sparkline
from financeproj.core.errors import DomainError
from pensions import services
from pensions.models import ContributionPlan, PensionAccount, PensionValueEntry

VALUES_DRAWN = 60


class IsLinked(admin.SimpleListFilter):
    title = "YNAB"
    parameter_name = "linked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Linked"), ("no", "Not linked")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[PensionAccount]
    ) -> QuerySet[PensionAccount]:
        if self.value() == "yes":
            return queryset.exclude(ynab_account_id="")
        return queryset.filter(ynab_account_id="") if self.value() == "no" else queryset


class AccountForm(ServiceForm):
    class Meta:
        model = PensionAccount
        fields = ("user", "name", "currency", "ynab_account_id")

    def write(self, fields: dict[str, Any]) -> PensionAccount:
        if self.instance._state.adding:
            return services.create_account(**fields)
        fields.pop("user", None)
        account = PensionAccount.objects.select_related("user").get(pk=self.instance.pk)
        return services.update_account(account=account, **fields)


class ByServiceInline(admin.TabularInline):
    """Rows that are validated like any others, and written by services once all of them hold."""

    extra = 0
    show_change_link = True

    def write(self, form: Any) -> None:
        """Write one row through a service."""
        raise NotImplementedError

    def delete(self, row: Any) -> None:
        """Delete one row through a service."""
        raise NotImplementedError


class ValueFormSet(forms.models.BaseInlineFormSet):
    def validate_unique(self) -> None:
        """One value a date among the rows of the page, told at the field."""
        seen = set()
        for form in self.forms:
            day = getattr(form, "cleaned_data", {}).get("date")
            if day is None or form in self.deleted_forms:
                continue
            if day in seen:
                form.add_error(
                    "date", ValidationError("The account has a value on this date already.")
                )
            seen.add(day)


class ValueInline(ByServiceInline):
    model = PensionValueEntry
    formset = ValueFormSet
    fields = ("date", "value", "source")
    readonly_fields = ("source",)

    def write(self, form: Any) -> None:
        if form.instance._state.adding:
            row = form.instance
            services.record_value(account=row.account, on=row.date, value=row.value)
        else:
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            services.update_value(entry=form.instance, **changes)

    def delete(self, row: PensionValueEntry) -> None:
        services.delete_value(entry=row)


class ContributionInline(ByServiceInline):
    model = ContributionPlan
    fields = ("amount", "frequency", "start", "end", "growth")

    def write(self, form: Any) -> None:
        fields = {name: form.cleaned_data[name] for name in self.fields}
        if form.instance._state.adding:
            services.create_contribution(account=form.instance.account, **fields)
        else:
            services.update_contribution(plan=form.instance, **fields)

    def delete(self, row: ContributionPlan) -> None:
        services.delete_contribution(plan=row)


@admin.register(PensionAccount)
class PensionAccountAdmin(ServiceAdmin):
    form = AccountForm
    list_display = (
        "name",
        "user",
        "currency",
        number_column("current_value"),
        "current_value_date",
        "line",
        "is_linked",
    )
    list_filter = (IsLinked, "currency", "user")
    list_select_related = ("user",)
    search_fields = ("name", "user__username", "user__email", "ynab_account_id")
    autocomplete_fields = ("user",)
    date_hierarchy = "created_at"
    readonly_fields = ("line",)
    fields = ("user", "name", "currency", "ynab_account_id", "line")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PensionAccount]:
        latest = PensionValueEntry.objects.order_by("-date")[:VALUES_DRAWN]
        rows: Any = super().get_queryset(request)
        return rows.with_current_value().prefetch_related(
            Prefetch("values", latest, to_attr="latest_values")
        )

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[Any]:
        return (
            [ValueInline, ContributionInline] if obj else []
        )  # an account comes before its values

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("user", "line", "chart") if obj else ("line", "chart")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [name for name in super().get_fields(request, obj) if name != "line"] + ["chart"]

    @admin.display(description="values")
    def chart(self, account: PensionAccount) -> SafeString | str:
        return line_chart(
            list(account.values.order_by("date").values_list("date", "value")), account.currency
        )

    @admin.display(ordering="current_value_date", description="value of")
    def current_value_date(self, row: Any) -> Any:
        return row.current_value_date

    @admin.display(description="values")
    def line(self, row: Any) -> str:
        return sparkline(
            [(entry.date, entry.value) for entry in reversed(getattr(row, "latest_values", []))]
        )

    @admin.display(boolean=True, description="linked", ordering="ynab_account_id")
    def is_linked(self, row: PensionAccount) -> bool:
        return bool(row.ynab_account_id)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """A form that writes nothing while a row of the inlines does not hold: Django looks at
        these after it.
        """
        form = super().get_form(request, obj, change=change, **kwargs)

        class WithRows(form):  # type: ignore[misc, valid-type]
            def write(self, fields: dict[str, Any]) -> PensionAccount:
                return super().write(fields) if page_holds() else self.instance

        def page_holds() -> bool:
            formsets, _ = self._create_formsets(  # type: ignore[attr-defined]
                request, obj, change
            )
            return bool(forms.all_valid(formsets))

        return WithRows if change else form

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except (
            DomainError
        ) as error:  # somebody else wrote the same row between the check and the write
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(request.path)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """All rows of the inlines, or none."""
        with transaction.atomic():
            # A new account has inlines, but no formsets yet.
            for formset, inline in zip(
                formsets, self.get_inline_instances(request, form.instance), strict=False
            ):
                self._write(formset, inline)

    def _write(self, formset: Any, inline: Any) -> None:
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
        for row_form in formset.deleted_forms:
            if not row_form.instance._state.adding:
                inline.delete(row_form.instance)
                formset.deleted_objects.append(row_form.instance)
        for row_form in formset.forms:
            if row_form.has_changed() and row_form not in formset.deleted_forms:
                is_new = row_form.instance._state.adding
                inline.write(row_form)
                if is_new:
                    formset.new_objects.append(row_form.instance)
                else:
                    formset.changed_objects.append((row_form.instance, row_form.changed_data))

    def delete_row(self, row: PensionAccount) -> None:
        services.delete_account(account=row)


class ValueForm(ServiceForm):
    class Meta:
        model = PensionValueEntry
        fields = ("account", "date", "value")

    def write(self, fields: dict[str, Any]) -> PensionValueEntry:
        if self.instance._state.adding:
            return services.record_value(
                account=fields["account"], on=fields["date"], value=fields["value"]
            )
        fields.pop("account", None)
        return services.update_value(
            entry=PensionValueEntry.objects.get(pk=self.instance.pk), **fields
        )


class OfAccountAdmin(ServiceAdmin):
    """Rows that stay with their account."""

    list_select_related = ("account__user",)
    autocomplete_fields = ("account",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "account") if obj else tuple(self.readonly_fields)

    @admin.display(ordering="account__user")
    def user(self, row: Any) -> Any:
        return row.account.user


@admin.register(PensionValueEntry)
class PensionValueAdmin(OfAccountAdmin):
    form = ValueForm
    list_display = ("date", "account", "user", number_column("value"), "source", "updated_at")
    list_filter = ("source", "account__currency", "account")
    search_fields = ("account__name", "account__user__username")
    readonly_fields = ("source",)
    date_hierarchy = "date"

    def delete_row(self, row: PensionValueEntry) -> None:
        services.delete_value(entry=row)


class ContributionForm(ServiceForm):
    class Meta:
        model = ContributionPlan
        fields = ("account", "amount", "frequency", "start", "end", "growth")

    def write(self, fields: dict[str, Any]) -> ContributionPlan:
        if self.instance._state.adding:
            return services.create_contribution(**fields)
        fields.pop("account", None)
        return services.update_contribution(
            plan=ContributionPlan.objects.get(pk=self.instance.pk), **fields
        )


@admin.register(ContributionPlan)
class ContributionPlanAdmin(OfAccountAdmin):
    form = ContributionForm
    list_display = (
        "account",
        "user",
        number_column("amount"),
        "frequency",
        "start",
        "end",
        number_column("growth"),
    )
    list_filter = ("frequency", "account")
    search_fields = ("account__name", "account__user__username")
    date_hierarchy = "start"

    def delete_row(self, row: ContributionPlan) -> None:
        services.delete_contribution(plan=row)
