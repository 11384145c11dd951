"""Query parameters: parse them, or refuse the request with 400 and name the parameter."""

import re
from base64 import b64decode
from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qs
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest
from django_filters.rest_framework import CharFilter, DjangoFilterBackend
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from financeproj.core.api.errors import BadQuery
from financeproj.core.api.serializers import DAY
from financeproj.core.errors import DomainError

Choice = TypeVar("Choice", bound=str)

TRUE = ("true", "1")
FALSE = ("false", "0", "")
MAX_NUMBER_LENGTH = 100
WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")
MAX_DIGITS = 30


def text_parameter(request: Request, name: str) -> str:
    """Return the parameter without surrounding space; empty if it is absent."""
    text: str = request.query_params.get(name, "").strip()
    if "\0" in text:  # PostgreSQL cannot store it
        raise BadQuery(f"`{name}` must not contain a null character.", attr=name)
    return text


def boolean_parameter(request: Request, name: str, default: bool) -> bool:
    text = request.query_params.get(name)
    if text is None:
        return default
    if text.lower() not in TRUE + FALSE:
        raise BadQuery(f"`{name}` must be true or false.", attr=name)
    return text.lower() in TRUE


def date_parameter(request: Request, name: str) -> date | None:
    """Return the date, None if the parameter is absent."""
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        if not DAY.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadQuery(f"`{name}` must be a date, e.g. 2024-05-31.", attr=name) from error


def choice_parameter(
    request: Request, name: str, choices: Sequence[Choice], default: Choice
) -> Choice:
    text = request.query_params.get(name) or default
    for choice in choices:
        if choice == text:
            return choice
    raise BadQuery(f"`{name}` must be one of {', '.join(choices)}.", attr=name)


def number_parameter(
    request: Request,
    name: str,
    *,
    above: int | None = None,
    minimum: int | None = None,
    maximum: int,
) -> Decimal | None:
    """Return the number, None if the parameter is absent.

    `minimum` and `maximum` are inclusive, `above` is exclusive. A number outside raises
    DomainError.
    """
    text = request.query_params.get(name, "").strip()
    if not text:
        return None
    value = _finite_decimal(text)
    if value is None:
        raise BadQuery(f"`{name}` must be a number.", attr=name)
    # The calculations use floats: a value that rounds to -1 as a float must count as -1.
    is_too_small = (minimum is not None and value < minimum) or (
        above is not None and float(value) <= above
    )
    if is_too_small or value > maximum:
        lowest = f"{minimum} or more" if above is None else f"above {above}"
        raise DomainError(
            f"`{name}` must be {lowest} and at most {maximum}.", attr=name, code="out_of_range"
        )
    return value


def _finite_decimal(text: str) -> Decimal | None:
    """Parse a number; None for anything else, including NaN and Infinity."""
    if len(text) > MAX_NUMBER_LENGTH or not text.isascii() or "_" in text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def integer_parameter(request: Request, name: str, *, minimum: int, maximum: int) -> int | None:
    """Return the integer, None if the parameter is absent.

    Both limits are inclusive; a number outside raises DomainError.
    """
    text = request.query_params.get(name, "").strip()
    if not text:
        return None
    if not WHOLE_NUMBER.fullmatch(text):
        raise BadQuery(f"`{name}` must be an integer.", attr=name)
    if len(text) > MAX_DIGITS or not minimum <= int(text) <= maximum:
        raise DomainError(
            f"`{name}` must be from {minimum} to {maximum}.", attr=name, code="out_of_range"
        )
    return int(text)


def uuid_parameter(request: Request, name: str) -> UUID | None:
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError as error:
        raise BadQuery(f"`{name}` must be a UUID.", attr=name) from error


def check_period(start: date | None, end: date | None) -> None:
    if start and end and start > end:
        raise DomainError(
            f"`start` ({start}) must not be after `end` ({end}).",
            attr="start",
            code="start_after_end",
        )


@extend_schema_field({"type": "string", "pattern": r"^[^\x00]*$"})
class TextFilter(CharFilter):
    """A text without null characters, which PostgreSQL cannot compare."""


class QueryFilterBackend(DjangoFilterBackend):
    """Answer 400 to a filter that cannot be parsed; django-filter treats it like a body's field."""

    def filter_queryset(self, request: HttpRequest, queryset: Any, view: Any) -> Any:
        filterset = self.get_filterset(request, queryset, view)
        if filterset is None:
            return queryset
        if not filterset.is_valid():
            name, problems = next(iter(filterset.form.errors.as_data().items()))
            raise BadQuery(" ".join(problems[0].messages), attr=name)
        return filterset.qs


OLDEST_FIRST = "date"  # a value of `sort`
POSITION = re.compile(r"(\d{4}-\d\d-\d\d) (\d{1,18}) ([0-9a-f-]{36})", re.ASCII)


class Place(NamedTuple):
    """A row's place in the order of dated rows."""

    day: date
    sequence: int
    pk: UUID


class CursorPages(CursorPagination):
    """Refuse every cursor that is not one of ours; DRF reads `!!!!` as the first page."""

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return the query's cursor, None if it is absent or empty. Raises BadQuery."""
        text = text_parameter(request, self.cursor_query_param)
        if not text:
            return None
        try:
            names = parse_qs(b64decode(text, validate=True).decode("ascii"), strict_parsing=True)
            if not set(names) <= {"o", "r", "p"}:
                raise ValueError
            cursor = super().decode_cursor(request)
            if cursor is not None:
                self.check_position(cursor)
            return cursor
        except (NotFound, ValueError) as error:
            raise BadQuery(
                "`cursor` is invalid. Use `next` or `previous` of an answer.",
                attr=self.cursor_query_param,
            ) from error

    def check_position(self, cursor: Cursor) -> None:
        """Raise ValueError for a position that cannot be one of a row."""


class NewestFirst(CursorPages):
    """Page dated rows, newest first, or oldest first with `sort=date`: `{next, previous, results}`.

    The cursor names the last row seen by date, sequence and id. DRF's own cursor is a date and an
    offset, which skips and repeats rows when a day has many, or when rows are added between pages.
    """

    page_size = 100
    ordering = ("-date", "-sequence", "-id")

    page: list[Any]

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.base_url = request.build_absolute_uri()
        is_reverse, place = self._start(request)
        towards_newer = is_reverse != (text_parameter(request, "sort") == OLDEST_FIRST)
        if place is not None:
            queryset = self._rows_after(queryset, place, towards_newer=towards_newer)
        rows = queryset.order_by(*self.ordering)
        if towards_newer:
            rows = rows.reverse()
        found = list(rows[: self.page_size + 1])
        self.page = found[: self.page_size]
        has_more = len(found) > self.page_size
        has_cursor = place is not None
        if is_reverse:
            self.page.reverse()
            self.has_previous, self.has_next = has_more, has_cursor
        else:
            self.has_previous, self.has_next = has_cursor, has_more
        return self.page

    @staticmethod
    def _rows_after(queryset: Any, place: Place, *, towards_newer: bool) -> Any:
        """Filter to the rows behind the place."""
        day, sequence, pk = place
        to = "gt" if towards_newer else "lt"
        # The first condition is redundant, but lets the database start at the row in the index.
        return queryset.filter(
            Q(**{f"date__{to}e": day}),
            Q(**{f"date__{to}": day})
            | Q(**{f"sequence__{to}": sequence})
            | Q(**{"sequence": sequence, f"id__{to}": pk}),
        )

    def get_next_link(self) -> str | None:
        if not self.has_next:
            return None
        return self._link(reverse=False, past=self.page[-1:])

    def get_previous_link(self) -> str | None:
        if not self.has_previous:
            return None
        return self._link(reverse=True, past=self.page[:1])

    def _link(self, *, reverse: bool, past: list[Any]) -> str:
        """Link to the rows behind a row; without one (an empty page), to the whole list."""
        position = None
        if past:
            position = f"{past[0].date} {past[0].sequence} {past[0].id}"
        cursor = Cursor(0, reverse, position)  # type: ignore[arg-type]  # the stubs want a number
        return self.encode_cursor(cursor)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a page; DRF's own says `nullable`, which OpenAPI 3.1 no longer has."""
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def _start(self, request: Request) -> tuple[bool, Place | None]:
        """Return the direction and place of the query's cursor; None for the whole list."""
        cursor = self.decode_cursor(request)
        if cursor is None:
            return False, None
        return cursor.reverse, _place_of(cursor)

    def check_position(self, cursor: Cursor) -> None:
        _place_of(cursor)


def _place_of(cursor: Cursor) -> Place | None:
    """Return the row that a cursor names, None for the whole list. Raises ValueError."""
    if cursor.position is None and not cursor.offset:
        return None
    match = POSITION.fullmatch(str(cursor.position))
    if match is None or cursor.offset:
        raise ValueError
    day, sequence, pk = match.groups()
    return Place(date.fromisoformat(day), int(sequence), UUID(pk))


class LinkedPages(NewestFirst):
    """Page dated rows as plain arrays; the header `Link` leads to the next page."""

    max_page_size = 10_000

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.page_size = limit_parameter(request, self.max_page_size)
        return super().paginate_queryset(queryset, request, view)

    def get_paginated_response(self, data: Any) -> Response:
        return Response(data, headers=link_to(self.get_next_link()))


def limit_parameter(request: Request, maximum: int) -> int:
    """Return how many rows to list at most; `maximum`, which is the default, or fewer."""
    return integer_parameter(request, "limit", minimum=1, maximum=maximum) or maximum


def link_to(next_page: str | None) -> dict[str, str]:
    """Return the header that leads to the next page; none on the last page."""
    if next_page is None:
        return {}
    return {"Link": f'<{next_page}>; rel="next"'}


def page_parameters(maximum: int) -> list[OpenApiParameter]:
    """Describe the parameters `limit` and `cursor`, and the header of the answer."""
    return [
        OpenApiParameter(
            "limit",
            {"type": "integer", "minimum": 1, "maximum": maximum, "default": maximum},
            description="How many transactions to list at most.",
        ),
        OpenApiParameter("cursor", description="Follow the header `Link` instead of setting it."),
        OpenApiParameter(
            "Link",
            location=OpenApiParameter.HEADER,
            response=True,
            description='`<…>; rel="next"` leads to further transactions; absent on the last page.',
        ),
    ]
