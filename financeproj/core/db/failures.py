"""Classify exceptions from the database and the disk."""

import errno
import os
from pathlib import Path

from django.db import DatabaseError, InterfaceError, OperationalError, connection


def is_locked(error: BaseException) -> bool:
    """Return whether SQLite gave up waiting for another writer."""
    return (
        isinstance(error, OperationalError)
        and str(error).startswith("database")
        and "locked" in str(error)
    )


def is_away(error: BaseException) -> bool:
    """Return whether PostgreSQL is unreachable or closed the connection, e.g. in a restart."""
    if (
        not isinstance(error, OperationalError | InterfaceError)
        or connection.vendor != "postgresql"
    ):
        return False
    state = getattr(error.__cause__, "sqlstate", None)  # none: the connection itself failed
    return state is None or state.startswith(("08", "57P"))


def is_disk_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    if not isinstance(error, DatabaseError):
        return False
    return getattr(error.__cause__, "sqlstate", None) == "53100" or "disk is full" in str(error)


def is_read_only(error: BaseException) -> bool:
    """Return whether the file system or the database accepts no writes."""
    if isinstance(error, OSError):
        return error.errno == errno.EROFS
    if not isinstance(error, DatabaseError):
        return False
    if getattr(error.__cause__, "sqlstate", None) == "25006":
        return True
    text = str(error)
    if "unable to open database file" in text:
        # SQLite has to create files next to the database even to read it.
        return not os.access(Path(connection.settings_dict["NAME"]).parent, os.W_OK)
    return "readonly database" in text
