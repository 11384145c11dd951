"""Empty the tables after a test that commits.

Django's flush makes all content types and permissions again for each such test, which takes longer
than most of the tests, and truncating each table takes PostgreSQL as long.
"""

from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connections, transaction
from django.test import TransactionTestCase

# What the migrations have made, and tests hardly ever change.
KEPT = (ContentType, Permission)

_flush = TransactionTestCase._fixture_teardown
_made_by_migrations: dict[str, Any] = {}


def install() -> None:
    """Empty the tables of this process quickly. The databases are set up, and new."""
    _made_by_migrations["rows"] = _kept_rows()
    TransactionTestCase._fixture_teardown = _empty


def _kept_rows() -> list[list[tuple[Any, ...]]]:
    return [list(model._base_manager.order_by("pk").values_list()) for model in KEPT]


def _empty(case: TransactionTestCase) -> None:
    if _kept_rows() != _made_by_migrations["rows"]:
        _flush(case)
        _made_by_migrations["rows"] = _kept_rows()
        return
    kept = {model._meta.db_table for model in KEPT}
    for alias in case._databases_names(include_mirrors=False):
        _delete_all(alias, kept)
    ContentType.objects.clear_cache()


def _delete_all(alias: str, kept: set[str]) -> None:
    own = connections[alias]
    quote = own.ops.quote_name
    names = own.introspection.django_table_names(only_existing=True, include_views=False)
    tables = [quote(name) for name in sorted(set(names) - kept)]
    if not tables:
        return
    # Foreign keys are checked at the commit, so the order of the tables does not matter.
    with transaction.atomic(using=alias), own.cursor() as cursor:
        if own.vendor == "postgresql":
            # As TRUNCATE does: wait until threads of the test have ended their transactions.
            cursor.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
        for table in tables:
            cursor.execute(f"DELETE FROM {table}")
