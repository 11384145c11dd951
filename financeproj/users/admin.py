"""Users, groups and tokens in the admin."""

from typing import Any

from axes.admin import AccessAttemptAdmin
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from rest_framework_simplejwt.token_blacklist.admin import (
    BlacklistedTokenAdmin,
    OutstandingTokenAdmin,
)
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from financeproj.core.admin import ActingAdmin, CascadingDeleteAdmin, ReadOnlyAdmin
from financeproj.history.services import record
from financeproj.users.history import user_fields, user_object
from financeproj.users.models import SignIn, TokenFamily, User
from financeproj.users.services import end_family

RIGHTS = ("is_superuser", "groups", "user_permissions")


def is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


class FinanceUserAdmin(CascadingDeleteAdmin, UserAdmin):
    """Show users. `portfolios.admin` registers it: only that app can delete what users own.

    Only superusers give rights, and change or delete superusers.
    """

    list_display = ("username", "email", "base_currency", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_active", "base_currency")
    date_hierarchy = "date_joined"
    fieldsets = (
        *(UserAdmin.fieldsets or ()),
        ("Money", {"fields": ("base_currency", "retirement_goal_amount", "retirement_goal_year")}),
    )

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and may_touch(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if is_superuser(request) else (*fields, *RIGHTS)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        users = list(objs)
        descriptions, counts, forbidden, protected = super().get_deleted_objects(users, request)
        if not all(may_touch(request, user) for user in users):
            forbidden.add("superuser")
        return descriptions, counts, forbidden, protected

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


def may_touch(request: HttpRequest, user: User | None) -> bool:
    """Return whether the asking user may change or delete `user`."""
    return user is None or not user.is_superuser or is_superuser(request)


class RightsAdmin(GroupAdmin):
    """Let staff see groups; only superusers write them, since a group gives rights."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return is_superuser(request)


@admin.action(description="End the selected sign-ins", permissions=["act"])
def end_families(modeladmin: Any, request: HttpRequest, queryset: QuerySet[TokenFamily]) -> None:
    for family in queryset.filter(ended_at=None).select_related("user"):
        end_family(family=family, action="signed_out")
    modeladmin.message_user(request, "Their tokens have ended.", messages.SUCCESS)


@admin.register(TokenFamily)
class TokenFamilyAdmin(ActingAdmin, ReadOnlyAdmin):
    list_display = ("user", "address", "agent", "created_at", "last_used_at", "ended_at")
    list_filter = (("ended_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    search_fields = ("user__username", "address", "agent")
    date_hierarchy = "created_at"
    actions = (end_families,)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # ending it keeps its trace


@admin.register(SignIn)
class SignInAdmin(ReadOnlyAdmin):
    list_display = ("at", "user", "success", "address", "agent")
    list_filter = ("success",)
    list_select_related = ("user",)
    search_fields = ("user__username", "address", "agent")
    date_hierarchy = "at"
    fields = list_display

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the limit per account counts them


class IssuedTokenAdmin(OutstandingTokenAdmin):
    exclude = ("token",)

    def get_readonly_fields(self, *args: Any, **kwargs: Any) -> list[Any]:
        names = super().get_readonly_fields(*args, **kwargs)
        return [name for name in names if name not in self.exclude]


class RevokedTokenAdmin(BlacklistedTokenAdmin):
    # A select box would list all tokens, with a query for the user of each.
    raw_id_fields = ("token",)


# Its own action would clean up for anyone who may see the list. Sign-ins clean up by themselves.
AccessAttemptAdmin.actions = ()

for model, model_admin in (
    (Group, RightsAdmin),
    (OutstandingToken, IssuedTokenAdmin),
    (BlacklistedToken, RevokedTokenAdmin),
):
    admin.site.unregister(model)
    admin.site.register(model, model_admin)
