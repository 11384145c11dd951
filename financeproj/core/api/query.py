"""Query parameters: read, or refused with 400 naming the parameter."""

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Q
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from financeproj.core.api.errors import BadQuery
from financeproj.core.api.serializers import DAY
from financeproj.core.errors import DomainError

Choice = TypeVar("Choice", bound=str)

TRUE, FALSE = ("true", "1"), ("false", "0", "")
WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,30}")


def text_parameter(request: Request, name: str) -> str:
    """The text in `name` without the space around it, empty when it was left out."""
    text: str = request.query_params.get(name, "").strip()
    if "\0" in text:  # which PostgreSQL has in no text
        raise BadQuery(f"{name} has a null character.", attr=name)
    return text


def boolean_parameter(request: Request, name: str, default: bool) -> bool:
    text = request.query_params.get(name)
    if text is None:
        return default
    if text.lower() not in TRUE + FALSE:
        raise BadQuery(f"{name} is true or false.", attr=name)
    return text.lower() in TRUE


def date_parameter(request: Request, name: str) -> date | None:
    """The day in `name`, None when it was left out."""
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        if not DAY.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadQuery(f"{name} is a date such as 2024-05-31.", attr=name) from error


def choice_parameter(
    request: Request, name: str, choices: Sequence[Choice], default: Choice
) -> Choice:
    text = request.query_params.get(name) or default
    for choice in choices:
        if choice == text:
            return choice
    raise BadQuery(f"{name} is one of {', '.join(choices)}.", attr=name)


def number_parameter(
    request: Request,
    name: str,
    *,
    above: int | None = None,
    minimum: int | None = None,
    maximum: int,
) -> Decimal | None:
    """The number in `name`, None when it was left out; out of the range (`above` is exclusive) it
    is 422.
    """
    text = request.query_params.get(name, "").strip()
    if not text:
        return None
    try:
        value = Decimal(text if len(text) <= 100 and text.isascii() and "_" not in text else "?")
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise BadQuery(f"{name} is a number.", attr=name)
    # As a float too: what is above -1 by less than a float can say would be -1 in the arithmetic.
    if (
        value > maximum
        or (minimum is not None and value < minimum)
        or (above is not None and float(value) <= above)
    ):
        lowest = f"above {above}" if above is not None else f"{minimum} or more"
        raise DomainError(
            f"{name} must be {lowest} and at most {maximum}.", attr=name, code="out_of_range"
        )
    return value


def integer_parameter(request: Request, name: str, *, minimum: int, maximum: int) -> int | None:
    """The whole number in `name`, None when it was left out; out of the range it is 422."""
    text = request.query_params.get(name, "").strip()
    if not text:
        return None
    if not WHOLE_NUMBER.fullmatch(text):
        raise BadQuery(f"{name} is a whole number.", attr=name)
    if not minimum <= int(text) <= maximum:
        raise DomainError(
            f"{name} must be from {minimum} to {maximum}.", attr=name, code="out_of_range"
        )
    return int(text)


def uuid_parameter(request: Request, name: str) -> UUID | None:
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError as error:
        raise BadQuery(f"{name} is an id.", attr=name) from error


def check_period(start: date | None, end: date | None) -> None:
    if start and end and start > end:
        raise DomainError(
            f"start ({start}) is after end ({end}).", attr="start", code="start_after_end"
        )


class QueryFilterBackend(DjangoFilterBackend):
    """django-filter, but a parameter that cannot be read is 400 and not a validation error of a
    body.
    """

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        filterset = self.get_filterset(request, queryset, view)
        if filterset is None:
            return queryset
        if not filterset.is_valid():
            name, problems = next(iter(filterset.errors.as_data().items()))
            raise BadQuery(" ".join(problems[0].messages), attr=name)
        return filterset.qs


POSITION = re.compile(r"(\d{4}-\d\d-\d\d) (\d{1,18}) ([0-9a-f-]{36})", re.ASCII)


class NewestFirst(CursorPagination):
    """Pages of dated rows, `{next, previous, results}`.

    The cursor is the place of a row in the whole order, from which the page goes on either way:
    DRF's own is a date and a number of rows, which skips and repeats rows where a day has many or
    more are entered between two pages.
    """

    page_size = 100
    ordering = ("-date", "-sequence", "-id")

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.base_url = request.build_absolute_uri()
        cursor = self.decode_cursor(request) or Cursor(0, False, None)
        if cursor.position is not None:
            day, sequence, pk = cursor.position
            to = "gt" if cursor.reverse else "lt"
            # The first condition says nothing new: by it the index is read from the row on.
            queryset = queryset.filter(
                Q(**{f"date__{to}e": day}),
                Q(**{f"date__{to}": day})
                | Q(**{f"sequence__{to}": sequence})
                | Q(**{"sequence": sequence, f"id__{to}": pk}),
            )
        rows = queryset.order_by(*self.ordering)
        found = list((rows.reverse() if cursor.reverse else rows)[: self.page_size + 1])
        self.page = found[: self.page_size]
        goes_on, came_from = len(found) > self.page_size, cursor.position is not None
        self.has_previous, self.has_next = (
            (goes_on, came_from) if cursor.reverse else (came_from, goes_on)
        )
        if cursor.reverse:
            self.page.reverse()
        return self.page

    def get_next_link(self) -> str | None:
        return self._link(reverse=False, past=self.page[-1:]) if self.has_next else None

    def get_previous_link(self) -> str | None:
        return self._link(reverse=True, past=self.page[:1]) if self.has_previous else None

    def _link(self, *, reverse: bool, past: list[Any]) -> str:
        """To the page past a row; from an empty page, which has all rows on its other side, to
        their end or start.
        """
        position = f"{past[0].date} {past[0].sequence} {past[0].id}" if past else None
        return str(self.encode_cursor(Cursor(0, reverse, position)))

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """DRF's says `nullable`, which OpenAPI 3.1 no longer knows."""
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def decode_cursor(self, request: Request) -> Cursor | None:
        text_parameter(request, "cursor")
        try:
            cursor = super().decode_cursor(request)
            if cursor is None or (cursor.position is None and not cursor.offset):
                return cursor
            place = POSITION.fullmatch(cursor.position or "")
            if place is None or cursor.offset:
                raise ValueError
            return Cursor(
                0, cursor.reverse, (date.fromisoformat(place[1]), int(place[2]), UUID(place[3]))
            )
        except (NotFound, ValueError) as error:
            raise BadQuery("cursor is not one that this list gave.", attr="cursor") from error
