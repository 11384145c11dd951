from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AbstractUser
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotAuthenticated
from rest_framework.pagination import Cursor
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from financeproj.core.api.query import (
    CursorPages,
    NewestFirst,
    QueryFilterBackend,
    TextFilter,
    check_period,
)
from financeproj.core.api.views import ApiView
from financeproj.history import selectors
from financeproj.history.api.payloads import HistoryEntryPayload, entry_payload
from financeproj.history.models import HistoryEntry


class HistoryFilter(filters.FilterSet):
    portfolio_id = filters.UUIDFilter(field_name="portfolio_id")
    object = TextFilter(method="by_object")
    actor = TextFilter(method="by_actor")
    start = filters.DateFilter(field_name="at", lookup_expr="date__gte", input_formats=["%Y-%m-%d"])
    end = filters.DateFilter(field_name="at", lookup_expr="date__lte", input_formats=["%Y-%m-%d"])

    class Meta:
        model = HistoryEntry
        fields: list[str] = []

    def by_object(self, queryset: Any, name: str, value: str) -> Any:
        return selectors.about_object(queryset, value)

    def by_actor(self, queryset: Any, name: str, value: str) -> Any:
        return selectors.done_by(queryset, value)

    def filter_queryset(self, queryset: Any) -> Any:
        check_period(self.form.cleaned_data.get("start"), self.form.cleaned_data.get("end"))
        return super().filter_queryset(queryset)


class HistoryPages(CursorPages):
    """Pages of entries, newest first."""

    page_size = 100
    ordering = ("-at", "-id")
    get_paginated_response_schema = NewestFirst.get_paginated_response_schema

    def check_position(self, cursor: Cursor) -> None:
        if cursor.position is not None:
            at = datetime.fromisoformat(str(cursor.position))
            if at.utcoffset() != timedelta(0):  # PostgreSQL does not take every offset
                raise ValueError("not the time of an entry")


class HistoryViewSet(ApiView, GenericViewSet):
    queryset = HistoryEntry.objects.none()
    pagination_class = HistoryPages
    filter_backends = (QueryFilterBackend,)
    filterset_class = HistoryFilter

    def get_queryset(self) -> Any:
        user = self.request.user
        if not isinstance(user, AbstractUser):
            raise NotAuthenticated
        return selectors.history_visible_to(user)

    @extend_schema(responses=list[HistoryEntryPayload])
    def list(self, request: Request) -> Response:
        """Who changed what: one's own objects, newest first; staff see all."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([entry_payload(entry) for entry in page or ()])
