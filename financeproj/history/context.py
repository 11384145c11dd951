"""Who is acting now, and through which door: set once at the door, read where an entry is made."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple
from uuid import UUID

import structlog
from django.http import HttpRequest

from financeproj.history.models import Door

ADMIN_PATH = "/admin/"
API_PATH = "/api/"
# Personal tokens begin so; every other bearer token is an access token.
TOKEN_PREFIX = "bearer fp_"  # nosec B105


class Acting(NamedTuple):
    """An actor's id (None for the system), and the door."""

    actor_id: UUID | None
    door: str


_acting: ContextVar[Acting | None] = ContextVar("history_acting", default=None)
_request: ContextVar[HttpRequest | None] = ContextVar("history_request", default=None)


@contextmanager
def acting(*, door: str, actor_id: UUID | None = None) -> Iterator[None]:
    """Let what is written inside be recorded as done by `actor_id` through `door`."""
    token = _acting.set(Acting(actor_id, door))
    try:
        yield
    finally:
        _acting.reset(token)


def begin_acting(*, door: str) -> None:
    """As `acting`, for code that is not inside a `with`; `end_acting` ends it."""
    _acting.set(Acting(None, door))


def end_acting() -> None:
    _acting.set(None)


@contextmanager
def handling(request: HttpRequest) -> Iterator[None]:
    """Let what is written inside be recorded as done by the user of `request`."""
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)


def current_acting() -> Acting:
    """Return who is acting: as `acting` says, else the request's user, else a command."""
    stated = _acting.get()
    if stated is not None:
        return stated
    request = _request.get()
    if request is None:
        return Acting(None, Door.COMMAND)
    user = getattr(request, "user", None)
    actor_id = user.pk if user is not None and user.is_authenticated else None
    return Acting(actor_id, door_of(request))


def current_actor_id() -> UUID | None:
    return current_acting().actor_id


def door_of(request: HttpRequest) -> str:
    """Return the door of a request: a session cookie is `page`, an access token `api`.

    Read when an entry is made, since the API authenticates after the middleware has run.
    """
    if request.path.startswith(ADMIN_PATH):
        return Door.ADMIN
    header = request.headers.get("Authorization", "").lower()
    if header.startswith(TOKEN_PREFIX):
        return Door.TOKEN
    if header.startswith("bearer ") or request.path.startswith(f"{API_PATH}v1/auth/"):
        return Door.API
    return Door.PAGE


def current_request_id() -> str:
    """Return the id that log lines and answers carry; empty outside of requests and tasks."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    return str(request_id)[:64] if request_id else ""
