"""Classify exceptions from the database and the disk."""

import errno

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
