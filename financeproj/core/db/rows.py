"""Rows by their keys, and bulk access.

Read from one snapshot, insert rows exactly as they are, update columns.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Protocol, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.models import AutoField, Field, Model

ALIAS = "snapshot"
CHUNK = 1000


class _WithPk(Protocol):
    @property
    def pk(self) -> UUID: ...


_Row = TypeVar("_Row", bound=_WithPk)


def pks_of(rows: Iterable[_WithPk]) -> list[UUID]:
    """Return the primary keys of `rows`, in their order."""
    return [row.pk for row in rows]


def by_pk(rows: Iterable[_Row]) -> dict[UUID, _Row]:
    """Return `rows` by their primary keys, in their order."""
    return {row.pk: row for row in rows}


def fields_of(row: object, names: Iterable[str]) -> dict[str, object]:
    """Return the values of the fields `names` of a row, by name."""
    return {name: getattr(row, name) for name in names}


def column_of(field: "Field[Any, Any]") -> str:
    """Return the column of a field. Raises TypeError for one that has none."""
    if field.column is None:
        raise TypeError(f"{field.name} has no column.")
    return field.column


def stored_field(model: type[Model], name: str) -> "Field[Any, Any]":
    """Return the field `name` of a model. Raises TypeError for a relation from elsewhere."""
    field = model._meta.get_field(name)
    if not isinstance(field, Field):
        raise TypeError(f"{model.__name__}.{name} is not stored in the model's own table.")
    return field


@contextmanager
def snapshot() -> Iterator[str]:
    """Yield the alias of a connection that sees the database as of its first query.

    It neither waits for writers nor blocks them. Inside a transaction it is the same connection.
    """
    if connection.in_atomic_block:
        yield connection.alias
        return
    own = connection.copy(ALIAS)
    options = dict(own.settings_dict["OPTIONS"])
    own.settings_dict["OPTIONS"] = options
    if own.vendor == "sqlite":
        options["transaction_mode"] = "DEFERRED"  # IMMEDIATE would block writers
    else:
        from psycopg import IsolationLevel

        options["isolation_level"] = IsolationLevel.REPEATABLE_READ
        options.pop("pool", None)  # a pool would outlive this connection
    connections[ALIAS] = own
    try:
        with transaction.atomic(using=ALIAS):
            yield ALIAS
    finally:
        own.close()
        del connections[ALIAS]


@contextmanager
def reading() -> Iterator[None]:
    """See the database as at one moment inside, without any lock; nothing may be written.

    Inside a transaction it is that transaction.
    """
    if connection.in_atomic_block:
        yield
        return
    if connection.vendor == "sqlite":
        with _reading_on_sqlite():
            yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


@contextmanager
def _reading_on_sqlite() -> Iterator[None]:
    connection.ensure_connection()
    own: Any = connection
    mode = own.transaction_mode
    own.transaction_mode = "DEFERRED"  # IMMEDIATE would block writers
    # Through the driver: Django refuses statements in a transaction that failed.
    own.connection.execute("PRAGMA query_only = ON")
    try:
        with transaction.atomic():
            yield
    finally:
        own.connection.execute("PRAGMA query_only = OFF")
        own.transaction_mode = mode


def insert_rows(
    model: type[Model], fields: "Sequence[Field[Any, Any]]", rows: Iterable[Sequence[Any]]
) -> int:
    """Insert `rows`, each with the values of `fields`, in chunks; return their number.

    Unlike bulk_create it keeps keys and timestamps as they are, and no row in memory.
    """
    target = connections[DEFAULT_DB_ALIAS]
    quote = target.ops.quote_name
    columns = ", ".join(quote(column_of(field)) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    sql = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({marks})"  # nosec B608
    count = 0
    remaining = iter(rows)
    with target.cursor() as cursor:
        while chunk := list(islice(remaining, CHUNK)):
            cursor.executemany(sql, [_prepared(fields, row, target) for row in chunk])
            count += len(chunk)
    return count


def _prepared(fields: "Sequence[Field[Any, Any]]", row: Sequence[Any], target: Any) -> list[Any]:
    """Convert the values of a row for the database."""
    pairs = zip(fields, row, strict=True)
    return [field.get_db_prep_save(value, target) for field, value in pairs]


def insert_as_they_are(model: type[Model], objects: Iterable[Model]) -> int:
    """Insert unsaved `objects` with all columns except an AutoField key; return their number."""
    fields = [field for field in model._meta.concrete_fields if not isinstance(field, AutoField)]
    return insert_rows(model, fields, (_values(one, fields) for one in objects))


def update_rows(model: type[Model], objects: Iterable[Any], names: Sequence[str]) -> None:
    """Update only the columns `names` of `objects`, found by `pk`; not even `updated_at`.

    bulk_update writes a CASE for every value, which takes ten times as long.
    """
    target = connections[DEFAULT_DB_ALIAS]
    quote = target.ops.quote_name
    key = model._meta.pk
    fields = [stored_field(model, name) for name in names]
    columns = ", ".join(f"{quote(column_of(field))} = %s" for field in fields)
    condition = f"{quote(column_of(key))} = %s"
    sql = f"UPDATE {quote(model._meta.db_table)} SET {columns} WHERE {condition}"  # nosec B608
    rows = []
    for one in objects:
        row = _prepared(fields, _values(one, fields), target)
        row.append(key.get_db_prep_save(one.pk, target))
        rows.append(row)
    if rows:
        with target.cursor() as cursor:
            cursor.executemany(sql, rows)


def _values(row: Any, fields: "Iterable[Field[Any, Any]]") -> list[Any]:
    return [getattr(row, field.attname) for field in fields]
