"""The days that a report covers."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.utils import timezone

from financeproj.core.api.serializers import EARLIEST_DATE
from financeproj.core.errors import DomainError
from portfolios.reports.vectors import day_number


@dataclass(frozen=True, slots=True)
class Period:
    """All days from `start` to `end`. Column 0 of its arrays is the day before `start`."""

    start: date
    end: date

    @property
    def day_before(self) -> date:
        return self.start - timedelta(days=1)

    @property
    def first_day(self) -> int:
        """The day number of column 0."""
        return day_number(self.start) - 1

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1

    @property
    def columns(self) -> int:
        return self.days + 1


def period_of(
    *,
    start: date | None,
    end: date | None,
    first_on: date | None,
    ended_on: date | None = None,
) -> Period:
    """Return the period that was asked for, which never goes beyond today.

    It begins on the day of the first transaction, unless the request says otherwise. It ends on
    the day `ended_on`, since which nothing is held, or else today. A `start` after that day asks
    for the days since. Raises DomainError when `start` is after `end` or before the earliest date
    that is kept.
    """
    today = timezone.localdate()
    if end is None and ended_on is not None and (start is None or start <= ended_on):
        end = ended_on
    end = min(end or today, today)
    if start is None:
        start = min(first_on or end, end)
    if start > end:
        raise DomainError(
            f"start ({start}) is after end ({end}).", attr="start", code="start_after_end"
        )
    if start < EARLIEST_DATE:
        raise DomainError(
            f"start must be {EARLIEST_DATE} or later.", attr="start", code="out_of_range"
        )
    return Period(start, end)
