"""Which transactions an explanation lists: some at a time, and the key of the last one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from financeproj.core.db.rows import pks_of
from financeproj.core.errors import InvalidCursor

ROWS_AT_ONCE = 1000


class Listed(Protocol):
    """A row of a list of transactions."""

    @property
    def pk(self) -> UUID: ...
    @property
    def effective_date(self) -> date: ...


Body = TypeVar("Body", covariant=True)


@dataclass(frozen=True, slots=True)
class PageQuery:
    """At most `limit` transactions, from the one behind the transaction `after` on."""

    limit: int = ROWS_AT_ONCE
    after: UUID | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The transactions from `first` up to, not including, `end` of those in order.

    `day_before` is the day of the last one before these, `last_day` that of the last of these; None
    without one before or behind.
    """

    first: int
    end: int
    day_before: date | None
    last_day: date | None
    next_after: UUID | None

    def covers(self, day: date) -> bool:
        """Return whether what happened on `day` without a transaction belongs to this page."""
        begins = self.day_before is None or day > self.day_before
        return begins and (self.last_day is None or day <= self.last_day)


@dataclass(frozen=True, slots=True)
class Explanation(Generic[Body]):
    """An answer, and the transaction behind which the next page begins; None for the last page."""

    body: Body
    next_after: UUID | None = None


def page_of(rows: Sequence[Listed], query: PageQuery) -> Page:
    """Return the page of the ordered `rows` that is asked for. Raises InvalidCursor."""
    first = 0
    if query.after is not None:
        keys = pks_of(rows)
        if query.after not in keys:
            raise InvalidCursor(
                "The transaction of `cursor` is not listed any more. Start without `cursor`.",
                attr="cursor",
            )
        first = keys.index(query.after) + 1
    end = min(first + query.limit, len(rows))
    has_more = end < len(rows)
    return Page(
        first=first,
        end=end,
        day_before=rows[first - 1].effective_date if first else None,
        last_day=rows[end - 1].effective_date if has_more else None,
        next_after=rows[end - 1].pk if has_more else None,
    )
