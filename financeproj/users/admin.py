from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from rest_framework_simplejwt.token_blacklist.admin import BlacklistedTokenAdmin
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken

from financeproj.core.admin import CascadingDeleteAdmin


class FinanceUserAdmin(CascadingDeleteAdmin, UserAdmin):
    """Show users. `portfolios.admin` registers it: only that app can delete what users own."""

    list_display = ("username", "email", "base_currency", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_active", "base_currency")
    date_hierarchy = "date_joined"
    fieldsets = (
        *UserAdmin.fieldsets,
        ("Money", {"fields": ("base_currency", "retirement_goal_amount", "retirement_goal_year")}),
    )


class RevokedTokenAdmin(BlacklistedTokenAdmin):
    # A select box would list all tokens, with a query for the user of each.
    raw_id_fields = ("token",)


admin.site.unregister(BlacklistedToken)
admin.site.register(BlacklistedToken, RevokedTokenAdmin)
