"""What the commands have in common: whose it is, and the file."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db.models import QuerySet

from financeproj.core.db.names import name_key
from financeproj.users.models import User


def user_named(username: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is no user {username}.")
    return user


def one_named(rows: QuerySet[Any], name: str, *, of: User, what: str) -> Any:
    """The row of `of` called `name`, whatever its case. Raises CommandError listing the names there
    are.
    """
    found = rows.filter(name_key=name_key(name)).first()
    if found is None:
        names = ", ".join(rows.values_list("name", flat=True)) or "none yet"
        raise CommandError(f"{of.username} has no {what} {name}; there is: {names}.")
    return found


def content_of(name: str) -> bytes:
    """The bytes of the file, of standard input for "-"."""
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from error


def positive(text: str) -> int:
    """An argument that is a whole number above 0."""
    if (number := int(text)) <= 0:
        raise ValueError
    return number
