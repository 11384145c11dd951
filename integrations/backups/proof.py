"""Prove a backup: load it into an SQLite file and compare it with its manifest."""

import sqlite3
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import models
from django.db.models import Field, Model

from integrations.archives import ArchiveReader
from integrations.backups.tables import (
    CHUNK,
    Totals,
    archived_models,
    archived_rows,
    encode,
    fields_of,
    file_of,
    table_of,
    type_of,
)

SQLITE_TYPES = {int: "INTEGER", bool: "INTEGER", float: "REAL", bytes: "BLOB"}


def load_into_sqlite(archive: ArchiveReader, path: Path) -> str | None:
    """Load every table into a new SQLite file; how it differs from the manifest, or None.

    Numbers are kept as text: those of SQLite have 15 digits, and PostgreSQL's may have more.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = OFF")
        for model in archived_models():
            _load(connection, archive, model)
        for model in archived_models():
            fields = fields_of(model)
            totals = Totals(fields)
            for _ in totals.counted(_read_back(connection, table_of(model), fields)):
                pass
            if fault := totals.differs_from(archive.files[file_of(model)]):
                return fault
        for table, *_, parent, _ in connection.execute("PRAGMA foreign_key_check"):
            return f"a row of {table} refers to a row of {parent} that does not exist"
        return None
    finally:
        connection.close()


def _load(connection: sqlite3.Connection, archive: ArchiveReader, model: type[Model]) -> None:
    table, fields = table_of(model), fields_of(model)
    columns = ", ".join(map(_column, fields))
    connection.execute(f'CREATE TABLE "{table}" ({columns})')
    marks = ", ".join("?" * len(fields))
    insert = f'INSERT INTO "{table}" VALUES ({marks})'  # nosec B608  # a table of ours
    rows = archived_rows(archive, model)
    connection.execute("BEGIN")
    while chunk := list(islice(rows, CHUNK)):
        connection.executemany(insert, [tuple(map(_bound, row)) for row in chunk])
    connection.execute("COMMIT")


def _column(field: Field) -> str:
    """The column of a CREATE TABLE."""
    words = [f'"{field.column}"', SQLITE_TYPES.get(type_of(field), "TEXT")]
    if field.primary_key:
        words.append("PRIMARY KEY")
    if not field.null:
        words.append("NOT NULL")
    if isinstance(field, models.ForeignKey) and field.db_constraint:  # type: ignore[attr-defined]
        target = field.target_field
        words.append(f'REFERENCES "{table_of(target.model)}" ("{target.column}")')
    return " ".join(words)


def _bound(value: Any) -> Any:
    """`value` as the proof stores it."""
    if value is None or isinstance(value, str | int | float | bytes):
        return value
    if isinstance(value, Decimal):
        return f"{value:f}"
    return encode(value).decode()


def _read_back(
    connection: sqlite3.Connection, table: str, fields: Sequence[Field]
) -> Iterator[list[Any]]:
    decimals = [index for index, field in enumerate(fields) if type_of(field) is Decimal]
    for stored in connection.execute(f'SELECT * FROM "{table}"'):  # nosec B608  # a table of ours
        row = list(stored)
        for index in decimals:
            if row[index] is not None:
                row[index] = Decimal(row[index])
        yield row
