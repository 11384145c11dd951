"""Backups in the admin: looked at, never changed."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from financeproj.core.admin import ReadOnlyAdmin
from integrations.models import Backup


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
