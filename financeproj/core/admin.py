"""Admin classes that write through the same services as the API and show their errors."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_permission_codename
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import CASCADE, Model
from django.db.models.functions import Length
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from financeproj.core.errors import DomainError
from financeproj.core.money import strip_zeros


class ServiceForm(forms.ModelForm):
    """A form that writes in its last validation step, by `write()`.

    An error of the service becomes an error of the form, at the field it names.
    """

    instance: Model

    def write(self, fields: dict[str, Any]) -> Any:
        """Write the form's values through a service and return the stored row."""
        raise NotImplementedError

    def _get_validation_exclusions(self) -> set[str]:
        # The service validates the whole row.
        return {field.name for field in self._meta.model._meta.get_fields()}

    def validate_unique(self) -> None:
        """Leave this to the service."""

    def validate_constraints(self) -> None:
        """Leave this to the service."""

    def _post_clean(self) -> None:
        if self.errors:
            return
        try:
            self.instance = self.write(self.cleaned_data)
        except DomainError as error:
            self.add_error(error.attr if error.attr in self.fields else None, error.detail)
        except ValidationError as error:
            if hasattr(error, "error_dict"):
                by_field = error.error_dict
            else:
                by_field = {"__all__": error.error_list}
            for field, errors in by_field.items():
                self.add_error(field if field in self.fields else None, ValidationError(errors))

    def save(self, commit: bool = True) -> Any:
        return self.instance

    def save_m2m(self) -> None:
        """Do nothing: the service wrote everything."""


class RowForm(ServiceForm):
    """Write whole rows through `save_row`, a service that takes the row."""

    save_row: Callable[[Any], None]

    def write(self, fields: dict[str, Any]) -> Any:
        model = self._meta.model
        if self.instance._state.adding:
            row = model()
        else:
            row = model.objects.get(pk=self.instance.pk)
        for name, value in fields.items():
            setattr(row, name, value)
        type(self).save_row(row)
        return row


class RefusingAdmin(admin.ModelAdmin):
    """Show why a service refused a deletion or an action."""

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except DomainError as error:
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(request.path.removesuffix("delete/") + "change/")

    def response_action(
        self, request: HttpRequest, queryset: Any, *args: Any
    ) -> HttpResponse | None:
        try:
            return super().response_action(request, queryset, *args)
        except DomainError as error:
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


class ServiceAdmin(RefusingAdmin):
    """Write through a ServiceForm and delete through `delete_row()`."""

    show_full_result_count = False

    def delete_row(self, row: Any) -> None:
        """Delete one row through a service."""
        raise NotImplementedError

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        # Without Django's transaction: the service opens its own, and may call a third party first.
        return self._changeform_view(  # type: ignore[attr-defined]
            request, object_id, form_url, extra_context
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Do nothing: the form wrote it."""

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.delete_row(obj)

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        def lock_order(row: Any) -> str:
            return str(getattr(row, "portfolio_id", row.pk))

        # A fixed order prevents deadlocks: two requests lock the portfolios in the same order.
        for row in sorted(queryset, key=lock_order):
            self.delete_row(row)


class CascadingDeleteAdmin(RefusingAdmin):
    """Delete rows with everything that belongs to them.

    The confirmation page does not list it all, which could be years of transactions.
    """

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        rows = list(objs)
        forbidden = set()
        for relation in self.opts.related_objects:
            model = relation.related_model
            if relation.on_delete is not CASCADE or not self.admin_site.is_registered(model):
                continue
            # Not `has_delete_permission`: what no one deletes alone goes with what it belongs to.
            right = get_permission_codename("delete", model._meta)
            if not request.user.has_perm(f"{model._meta.app_label}.{right}"):
                forbidden.add(str(model._meta.verbose_name))
        kind = self.opts.verbose_name
        descriptions = [f"{kind} {row}, with everything that belongs to it" for row in rows]
        return descriptions, {str(self.opts.verbose_name_plural): len(rows)}, forbidden, []


class ReadOnlyAdmin(admin.ModelAdmin):
    """Show rows that only the system writes."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ActingAdmin(admin.ModelAdmin):
    """Offer actions with `permissions=["act"]` to those with the model's change right.

    For rows without a form, for which `has_change_permission` is False.
    """

    def has_act_permission(self, request: HttpRequest) -> bool:
        right = get_permission_codename("change", self.opts)
        return request.user.has_perm(f"{self.opts.app_label}.{right}")


class VectorAdmin(ReadOnlyAdmin, ServiceAdmin):
    """Show arrays built from the rows of `owner`; deleting one rebuilds it.

    `data` can be megabytes and is never loaded.
    """

    owner: str
    readonly_fields = ("rows_version", "size")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.list_display

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("data").annotate(bytes=Length("data"))

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return (self.owner,)

    @admin.display(description="current version of the rows")
    def rows_version(self, row: Any) -> int:
        return getattr(row, self.owner).version

    @admin.display(ordering="bytes", description="bytes")
    def size(self, row: Any) -> int:
        return row.bytes


def number_column(name: str, description: str | None = None) -> Any:
    """Make a list column or read-only field with the exact number; Django pads it to 20 places."""

    @admin.display(ordering=name, description=description or name.replace("_", " "))
    def column(row: Any) -> str:
        value = getattr(row, name)
        if value is None:
            return "–"
        return format(strip_zeros(value), "f")

    column.__name__ = f"{name}_shown"
    return column


admin.site.site_header = admin.site.site_title = "financeproj"
