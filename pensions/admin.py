"""Pensions in the admin; `pensions.services` does every write."""

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
        if self.value() == "no":
            return queryset.filter(ynab_account_id="")
        return queryset


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


class ServiceInline(admin.TabularInline):
    """Rows that services write once all rows of the page are valid."""

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
        """Report a date that occurs twice on the page at its field."""
        seen = set()
        for form in self.forms:
            day = getattr(form, "cleaned_data", {}).get("date")
            if day is None or form in self.deleted_forms:
                continue
            if day in seen:
                message = "The account already has a value on this date."
                form.add_error("date", ValidationError(message))
            seen.add(day)


class ValueInline(ServiceInline):
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


class ContributionInline(ServiceInline):
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
        if obj is None:  # values need a stored account
            return []
        return [ValueInline, ContributionInline]

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
        oldest_first = reversed(getattr(row, "latest_values", []))
        return sparkline([(entry.date, entry.value) for entry in oldest_first])

    @admin.display(boolean=True, description="linked", ordering="ynab_account_id")
    def is_linked(self, row: PensionAccount) -> bool:
        return bool(row.ynab_account_id)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Return a form that writes nothing while a row of the inlines is invalid.

        Django validates the inlines only after the form.
        """
        form = super().get_form(request, obj, change=change, **kwargs)

        class WithRows(form):  # type: ignore[misc, valid-type]
            def write(self, fields: dict[str, Any]) -> PensionAccount:
                if not inlines_are_valid():
                    return self.instance
                return super().write(fields)

        def inlines_are_valid() -> bool:
            formsets, _ = self._create_formsets(  # type: ignore[attr-defined]
                request, obj, change
            )
            return bool(forms.all_valid(formsets))

        return WithRows if change else form

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except DomainError as error:  # another request wrote the row after validation
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(request.path)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Write all rows of the inlines, or none."""
        with transaction.atomic():
            inlines = self.get_inline_instances(request, form.instance)
            # A new account has inlines, but no formsets yet.
            for formset, inline in zip(formsets, inlines, strict=False):
                self._write(formset, inline)

    def _write(self, formset: Any, inline: Any) -> None:
        formset.new_objects = []
        formset.changed_objects = []
        formset.deleted_objects = []
        for row_form in formset.deleted_forms:
            if not row_form.instance._state.adding:
                inline.delete(row_form.instance)
                formset.deleted_objects.append(row_form.instance)
        for row_form in formset.forms:
            if not row_form.has_changed() or row_form in formset.deleted_forms:
                continue
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


class AccountRowAdmin(ServiceAdmin):
    """Rows of an account, which cannot move to another one."""

    list_select_related = ("account__user",)
    autocomplete_fields = ("account",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return tuple(self.readonly_fields)
        return (*self.readonly_fields, "account")

    @admin.display(ordering="account__user")
    def user(self, row: Any) -> Any:
        return row.account.user


@admin.register(PensionValueEntry)
class PensionValueAdmin(AccountRowAdmin):
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
class ContributionPlanAdmin(AccountRowAdmin):
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
