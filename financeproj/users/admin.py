from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest
from rest_framework_simplejwt.token_blacklist.admin import BlacklistedTokenAdmin
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken

from financeproj.core.admin import CascadingDeleteAdmin
from financeproj.history.services import record
from financeproj.users.history import user_fields, user_object
from financeproj.users.models import User


class FinanceUserAdmin(CascadingDeleteAdmin, UserAdmin):
    """Show users. `portfolios.admin` registers it: only that app can delete what users own."""

    list_display = ("username", "email", "base_currency", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_active", "base_currency")
    date_hierarchy = "date_joined"
    fieldsets = (
        *(UserAdmin.fieldsets or ()),
        ("Money", {"fields": ("base_currency", "retirement_goal_amount", "retirement_goal_year")}),
    )

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        stored = User.objects.filter(pk=obj.pk).first()
        before = user_fields(stored) if stored else None
        super().save_model(request, obj, form, change)
        record(
            "changed" if change else "created",
            user_object(obj),
            before=before,
            after=user_fields(obj),
        )


class RevokedTokenAdmin(BlacklistedTokenAdmin):
    # A select box would list all tokens, with a query for the user of each.
    raw_id_fields = ("token",)


admin.site.unregister(BlacklistedToken)
admin.site.register(BlacklistedToken, RevokedTokenAdmin)
