"""Rows of an archive or of another database, loaded into the default one and compared."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from django.core.management.color import no_style
from django.db import connection
from django.db.models import Field, Model

from financeproj.core.db.rows import insert_rows
from financeproj.core.errors import DomainError
from financeproj.core.money import SIGNIFICANT_DIGITS, significant_digits
from integrations.archives import ArchiveReader, BadArchive
from integrations.backups.tables import (
    Totals,
    archived_rows,
    fields_of,
    file_of,
    stored_rows,
    stored_totals,
    table_of,
    type_of,
)


class Tables(Protocol):
    """Where rows come from."""

    def rows(self, model: type[Model]) -> Iterator[Sequence[Any]]: ...

    def entry(self, model: type[Model]) -> Mapping[str, Any]:
        """The counts and totals that the rows must have, once they were read."""
        ...


class ArchivedTables:
    """The tables of an archive, and what its manifest states of them."""

    def __init__(self, archive: ArchiveReader) -> None:
        self.archive = archive

    def rows(self, model: type[Model]) -> Iterator[Sequence[Any]]:
        return archived_rows(self.archive, model)

    def entry(self, model: type[Model]) -> Mapping[str, Any]:
        return self.archive.files[file_of(model)]


class StoredTables:
    """The tables of another database, counted while they are read."""

    def __init__(self, using: str) -> None:
        self.using = using
        self.entries: dict[type[Model], Mapping[str, Any]] = {}

    def rows(self, model: type[Model]) -> Iterator[Sequence[Any]]:
        totals = Totals(fields_of(model))
        yield from totals.counted(stored_rows(model, self.using))
        self.entries[model] = totals.entry(model)

    def entry(self, model: type[Model]) -> Mapping[str, Any]:
        return self.entries[model]


def load(source: Tables, model: type[Model]) -> int:
    """Insert all rows of a table into the default database; how many they were."""
    fields = fields_of(model)
    rows = source.rows(model)
    if connection.vendor == "sqlite":
        rows = _storable(rows, fields, table_of(model))
    return insert_rows(model, fields, rows)


def _storable(
    rows: Iterator[Sequence[Any]], fields: Sequence[Field], table: str
) -> Iterator[Sequence[Any]]:
    """Pass `rows` on. Raises DomainError (`too_precise`) at a number that SQLite would round."""
    numbers = [index for index, field in enumerate(fields) if type_of(field) is Decimal]
    for row in rows:
        for index in numbers:
            value = row[index]
            if value and significant_digits(value) > SIGNIFICANT_DIGITS:
                raise DomainError(
                    f"{table}.{fields[index].column} has {value:f}, but SQLite keeps "
                    f"{SIGNIFICANT_DIGITS} digits. Restore on PostgreSQL.",
                    code="too_precise",
                )
        yield row


def reset_sequences(models: Sequence[type[Model]]) -> None:
    """Let counted keys go on after those that were loaded."""
    with connection.cursor() as cursor:
        for sql in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(sql)


def require_equal(source: Tables, model: type[Model]) -> None:
    """Raise BadArchive unless the stored rows have the counts and totals of the source."""
    totals = stored_totals(model, connection.alias)
    if fault := totals.differs_from(source.entry(model)):
        raise BadArchive(f"What was loaded is not what was backed up: {fault}.")
