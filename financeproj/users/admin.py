from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from rest_framework_simplejwt.token_blacklist.admin import BlacklistedTokenAdmin
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken

from financeproj.core.admin import CascadingDeleteAdmin
from financeproj.users.models import User


@admin.register(User)
class OurUserAdmin(CascadingDeleteAdmin, UserAdmin):
    list_display = ("username", "email", "base_currency", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_active", "base_currency")
    date_hierarchy = "date_joined"
    fieldsets = (
        *UserAdmin.fieldsets,
        ("Money", {"fields": ("base_currency", "retirement_goal_amount", "retirement_goal_year")}),
    )


class RefusedTokenAdmin(BlacklistedTokenAdmin):
    raw_id_fields = (
        "token",
    )  # its list to choose from has all tokens there are, and asks for the user of each


admin.site.unregister(BlacklistedToken)
admin.site.register(BlacklistedToken, RefusedTokenAdmin)
