"""Tables as lines of JSON, one array a row, the same from either engine; and a loose SQLite file to
prove them in.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from django.apps import apps
from django.db import models
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Field, Model

from financeproj.core.money import EXACT, ZERO, strip_zeros
from integrations.archives import ArchiveReader, ArchiveWriter, BadArchive
from integrations.models import Backup

CHUNK = 2000
# Field → what its values are; the first that fits. A Decimal is text in JSON, so that none of its
# digits is lost.
TYPES: tuple[tuple[type[Field], Any], ...] = (
    (models.JSONField, Any),
    (models.BinaryField, bytes),
    (models.UUIDField, UUID),
    (models.DecimalField, Decimal),
    (models.BooleanField, bool),
    (models.DateTimeField, datetime),
    (models.DateField, date),
    (models.TimeField, time),
    (models.FloatField, float),
    (models.IntegerField, int),
    (models.CharField, str),
    (models.TextField, str),
    (models.GenericIPAddressField, str),
)
SQLITE_TYPES = {int: "INTEGER", bool: "INTEGER", float: "REAL", bytes: "BLOB"}

encode = msgspec.json.Encoder(decimal_format="string").encode


def archived_models() -> list[type[Model]]:
    """The model of every table of the database but `Backup`'s and the record of migrations, by
    table.
    """
    found = [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and model is not Backup
    ]
    return sorted(found, key=lambda model: model._meta.db_table)


def fields_of(model: type[Model]) -> list[Field]:
    return list(model._meta.local_concrete_fields)


def type_of(field: Field) -> Any:
    """The Python type of the field's values; of a foreign key that of what it points at."""
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return next(type_ for kind, type_ in TYPES if isinstance(field, kind))


def applied_migrations(connection: Any) -> list[str]:
    return sorted(
        f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations()
    )


class Totals:
    """How many rows, and the sum of each column of numbers: what two copies of a table must agree
    on.
    """

    def __init__(self, fields: Sequence[Field]) -> None:
        self.rows = 0
        numbers = [index for index, field in enumerate(fields) if type_of(field) in (int, Decimal)]
        self.sums = dict.fromkeys(numbers, ZERO)
        self.names = {index: fields[index].column for index in numbers}

    def counted(self, rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        """The same rows, counted and added up while they pass."""
        add, sums = EXACT.add, self.sums
        for row in rows:
            self.rows += 1
            for index in sums:
                value = row[index]
                if value:
                    sums[index] = add(
                        sums[index], value if isinstance(value, Decimal) else Decimal(value)
                    )
            yield row

    def listed(self) -> dict[str, str]:
        """Column → sum, as the manifest has it."""
        return {self.names[index]: f"{strip_zeros(value):f}" for index, value in self.sums.items()}

    def differs_from(self, entry: Any) -> str | None:
        """How these are not those of a manifest's entry, None if they are."""
        if self.rows != entry["rows"]:
            return f"{entry['table']} has {self.rows:,} rows, not {entry['rows']:,}"
        known = entry.get("totals", {})
        for column, total in self.listed().items():
            if total != known.get(column):
                return f"the sum of {entry['table']}.{column} is {total}, not {known.get(column)}"
        return None


def stored_rows(model: type[Model], fields: Sequence[Field], using: str) -> Iterator[Sequence[Any]]:
    """The rows of a table in the order of their keys, read in chunks."""
    rows = (
        model._base_manager.using(using)
        .order_by("pk")
        .values_list(*(field.attname for field in fields))
    )
    return rows.iterator(CHUNK)


def write_table(archive: ArchiveWriter, model: type[Model], using: str) -> int:
    """Add one table to the archive, with its counts and totals in the manifest; how many rows it
    has.
    """
    fields = fields_of(model)
    totals = Totals(fields)
    lines = (encode(row) + b"\n" for row in totals.counted(stored_rows(model, fields, using)))
    entry = archive.add(f"{model._meta.db_table}.jsonl", lines)
    entry |= {
        "table": model._meta.db_table,
        "columns": [field.column for field in fields],
        "totals": totals.listed(),
    }
    # Counted by the database itself, too: what a chunked read would leave out does not go
    # unnoticed.
    if (count := model._base_manager.using(using).count()) != totals.rows:
        raise BadArchive(
            f"{model._meta.db_table} has {count:,} rows, of which {totals.rows:,} were read."
        )
    return totals.rows


def archived_rows(
    archive: ArchiveReader, entry: Any, fields: Sequence[Field]
) -> Iterator[Sequence[Any]]:
    """The rows of one table of an archive, with the values of `fields`. Raises BadArchive."""
    types = tuple(type_of(field) | None if field.null else type_of(field) for field in fields)
    row_type: Any = tuple.__class_getitem__(types)
    decode = msgspec.json.Decoder(row_type).decode
    for number, line in enumerate(archive.lines(entry["name"]), start=1):
        try:
            yield decode(line)
        except (msgspec.DecodeError, ArithmeticError, ValueError) as error:
            raise BadArchive(f"{entry['name']} line {number}: {error}.") from error


# --- The proof ------------------------------------------------------------------------------------


def load_into_sqlite(archive: ArchiveReader, path: Path) -> str | None:
    """Load every table into a new SQLite file and compare: what differs from the manifest, None if
    nothing does.

    Its columns hold the numbers as text: an SQLite number keeps 15 digits, and PostgreSQL's may
    have more.
    """
    by_table = {model._meta.db_table: model for model in archived_models()}
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = OFF")
        for entry in archive.files.values():
            fields = fields_of(by_table[entry["table"]])
            _create(connection, entry["table"], fields)
            marks = ", ".join("?" * len(fields))
            rows = (tuple(map(_bound, row)) for row in archived_rows(archive, entry, fields))
            connection.execute("BEGIN")
            while chunk := list(islice(rows, CHUNK)):
                connection.executemany(f'INSERT INTO "{entry["table"]}" VALUES ({marks})', chunk)  # nosec B608  # a table of ours
            connection.execute("COMMIT")
        for entry in archive.files.values():
            fields = fields_of(by_table[entry["table"]])
            totals = Totals(fields)
            for _ in totals.counted(_read_back(connection, entry["table"], fields)):
                pass
            if fault := totals.differs_from(entry):
                return fault
        for table, *_, parent, _ in connection.execute("PRAGMA foreign_key_check"):
            return f"a row of {table} refers to a row of {parent} that is not there"
        return None
    finally:
        connection.close()


def _create(connection: sqlite3.Connection, table: str, fields: Sequence[Field]) -> None:
    columns = []
    for field in fields:
        words = [f'"{field.column}"', SQLITE_TYPES.get(type_of(field), "TEXT")]
        if field.primary_key:
            words.append("PRIMARY KEY")
        if not field.null:
            words.append("NOT NULL")
        if isinstance(field, models.ForeignKey) and field.db_constraint:
            target = field.target_field
            words.append(f'REFERENCES "{target.model._meta.db_table}" ("{target.column}")')
        columns.append(" ".join(words))
    connection.execute(f'CREATE TABLE "{table}" ({", ".join(columns)})')


def _bound(value: Any) -> Any:
    """`value` as the proof keeps it."""
    if value is None or isinstance(value, str | int | float | bytes):
        return value
    return f"{value:f}" if isinstance(value, Decimal) else encode(value).decode()


def _read_back(
    connection: sqlite3.Connection, table: str, fields: Sequence[Field]
) -> Iterator[list[Any]]:
    decimals = {index for index, field in enumerate(fields) if type_of(field) is Decimal}
    for row in connection.execute(f'SELECT * FROM "{table}"'):  # nosec B608  # a table of ours
        yield [
            Decimal(value) if index in decimals and value is not None else value
            for index, value in enumerate(row)
        ]
