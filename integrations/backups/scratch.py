"""A scratch database next to the installation's, on the same engine, for one restore at a time."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from django.contrib.contenttypes.models import ContentType
from django.db import DEFAULT_DB_ALIAS, DatabaseError, ProgrammingError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from financeproj.core.errors import Conflict, DomainError

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ALIAS = "scratch"
SCHEMA = "financeproj_restore"
# Of PostgreSQL's advisory locks, which are numbers of one database.
LOCK = 4_702_811_350_162_443
SQLITE_PRAGMAS = "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA cache_size=-64000"


@contextmanager
def exclusive_restore() -> Iterator[None]:
    """Let no other restore run, and remove what a killed one has left.

    The lock ends with the process that holds it. Raises Conflict (`restore_running`).
    """
    exclusive = _exclusive_folder if connection.vendor == "sqlite" else _exclusive_schema
    with exclusive():
        yield


@contextmanager
def _exclusive_folder() -> Iterator[None]:
    folder = _folder()
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _is_running() from error
        for left in folder.iterdir():
            left.unlink()
        try:
            yield
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


@contextmanager
def _exclusive_schema() -> Iterator[None]:
    own = _copy_of_connection("restore-lock")
    try:
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
            if not cursor.fetchone()[0]:
                raise _is_running()
            cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        try:
            yield
        finally:
            try:
                with own.cursor() as cursor:
                    cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
            except DatabaseError:  # The server is gone; the next restore removes it.
                log.warning("scratch_schema_left_behind", exc_info=True)
    finally:
        own.close()


def _is_running() -> Conflict:
    return Conflict(
        "Another restore is running. Wait until it has ended, then try again.",
        code="restore_running",
    )


@contextmanager
def scratch_database() -> Iterator[str]:
    """The alias of an empty database of the installation's engine, within `exclusive_restore`."""
    if connection.vendor == "sqlite":
        own = _copy_of_connection(ALIAS)
        own.settings_dict["NAME"] = str(_folder() / "scratch.sqlite3")
        own.settings_dict["OPTIONS"]["init_command"] = SQLITE_PRAGMAS
    else:
        own = _copy_of_connection(ALIAS)
        options = own.settings_dict["OPTIONS"]
        search_path = f"-c search_path={SCHEMA}"
        options["options"] = f"{options.get('options', '')} {search_path}".strip()
        _create_schema(own)
    connections[ALIAS] = own
    try:
        yield ALIAS
    finally:
        own.close()
        del connections[ALIAS]


def _create_schema(own: Any) -> None:
    try:
        with own.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {SCHEMA}")
    except ProgrammingError as error:
        own.close()
        raise DomainError(
            f"PostgreSQL refused to make a schema for the older backup: {error}. Grant the user "
            "CREATE on the database for the restore.",
            code="no_scratch_schema",
        ) from error


def _folder() -> Path:
    """Of the scratch file, next to the installation's database."""
    database = Path(connection.settings_dict["NAME"])
    return database.with_name(f"{database.name}-restore")


def _copy_of_connection(alias: str) -> BaseDatabaseWrapper:
    own = connection.copy(alias)
    own.settings_dict["OPTIONS"].pop("pool", None)  # A pool would outlive this one connection.
    return own


@contextmanager
def as_default(alias: str) -> Iterator[None]:
    """Make a database the default one of this thread.

    A migration writes to the default database however it is written, and must not reach the
    installation's.
    """
    installation = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = connections[alias]
    ContentType.objects.clear_cache()
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = installation
        ContentType.objects.clear_cache()
