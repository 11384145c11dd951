from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from financeproj.core.admin import ReadOnlyAdmin
from financeproj.history.models import HistoryEntry


@admin.register(HistoryEntry)
class HistoryEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "door", "action", "object_type", "object_label", "owner")
    list_filter = ("door", "object_type", "action")
    list_select_related = ("actor", "owner")
    search_fields = ("object_id", "object_label", "request_id", "actor__username")
    date_hierarchy = "at"
    fields = (
        "at",
        "actor",
        "door",
        "request_id",
        "action",
        "object_type",
        "object_id",
        "object_label",
        "owner",
        "changed_fields",
        "counts",
    )
    readonly_fields = ("changed_fields",)

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    @admin.display(description="changes")
    def changed_fields(self, entry: HistoryEntry) -> SafeString:
        rows = ((field, *values) for field, values in entry.changes.items())
        return format_html_join("", "<p>{}: {} → {}</p>", rows)
