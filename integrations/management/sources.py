"""Find the user, the row and the file that the arguments of a command name."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db.models import QuerySet

from financeproj.core.db.names import name_key
from financeproj.users.models import User


def user_named(username: str) -> User:
    """Return the user called `username`. Raises CommandError."""
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"User {username} not found.")
    return user


def one_named(rows: QuerySet[Any], name: str, *, of: User, what: str) -> Any:
    """Return the row of `of` called `name`, whatever its case.

    Raises CommandError listing the names that exist.
    """
    found = rows.filter(name_key=name_key(name)).first()
    if found is None:
        names = ", ".join(rows.values_list("name", flat=True)) or "none yet"
        raise CommandError(f"{of.username} has no {what} {name}; there is: {names}.")
    return found


def content_of(name: str) -> bytes:
    """Return the bytes of the file, or of standard input for "-". Raises CommandError."""
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from error


def positive(text: str) -> int:
    """Return an argument that must be an integer above 0. Raises ValueError."""
    number = int(text)
    if number <= 0:
        raise ValueError
    return number
