"""Look for what a restore may leave behind."""

from django.db import connection

from integrations.backups.scratch import SCHEMA, _folder


def scratch_exists() -> bool:
    """Return whether the scratch database of a restore still exists."""
    if connection.vendor == "sqlite":
        return _folder().exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [SCHEMA])
        return cursor.fetchone() is not None
