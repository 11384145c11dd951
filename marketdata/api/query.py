"""Query parameters of the market data endpoints."""

from datetime import date

from django.utils import timezone
from rest_framework.request import Request

from financeproj.core.api.query import check_period, date_parameter


def period_of(request: Request) -> tuple[date | None, date]:
    """`start` (None: from the beginning) and `end` (default and at most today)."""
    start, end, today = (
        date_parameter(request, "start"),
        date_parameter(request, "end"),
        timezone.localdate(),
    )
    end = min(end or today, today)
    check_period(start, end)
    return start, end
