"""Provide a temporary database for a benchmark: a file, or a database on the PostgreSQL server."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management import call_command
from django.db import connection


@contextmanager
def scratch_database() -> Iterator[None]:
    """Point the default connection to a new, migrated database, and remove it afterwards."""
    connection.close()
    users_own = connection.settings_dict["NAME"]
    with tempfile.TemporaryDirectory() as folder:
        name = f"bench_{secrets.token_hex(4)}"
        if connection.vendor == "postgresql":
            with connection._nodb_cursor() as cursor:
                cursor.execute(f'CREATE DATABASE "{name}"')
        connection.settings_dict["NAME"] = (
            name if connection.vendor == "postgresql" else str(Path(folder) / name)
        )
        try:
            call_command("migrate", verbosity=0)
            yield
        finally:
            connection.close()
            connection.settings_dict["NAME"] = users_own
            if connection.vendor == "postgresql":
                with connection._nodb_cursor() as cursor:
                    cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
