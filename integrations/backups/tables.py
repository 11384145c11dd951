"""Tables as lines of JSON, one array per row, the same from either engine."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from django.apps import apps
from django.db import models
from django.db.models import Field, Model
from django.db.models.functions import Cast

from financeproj.core.db.fields import ExactJSONField
from financeproj.core.db.rows import column_of
from financeproj.core.money import EXACT, ZERO, strip_zeros
from integrations.archives import ArchiveReader, ArchiveWriter, BadArchive

CHUNK = 2000
# The table of backups themselves is about files of one installation, so no backup has it.
NOT_ARCHIVED = {"integrations_backup"}
# Field → the type of its values; the first that fits. A Decimal is text in JSON, which keeps all of
# its digits.
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

encode = msgspec.json.Encoder(decimal_format="string").encode


def archived_models(registry: Any = apps) -> list[type[Model]]:
    """The model of every table that a backup has, sorted by table.

    `registry` is the present state of all models, or a state of the past.
    """
    found = []
    for model in registry.get_models(include_auto_created=True):
        options = model._meta
        if options.managed and not options.proxy and options.db_table not in NOT_ARCHIVED:
            found.append(model)
    return sorted(found, key=table_of)


def table_of(model: type[Model]) -> str:
    return model._meta.db_table


def file_of(model: type[Model]) -> str:
    return f"{table_of(model)}.jsonl"


def fields_of(model: type[Model]) -> list[Field]:
    return list(model._meta.local_concrete_fields)


def columns_of(model: type[Model]) -> list[str]:
    return [column_of(field) for field in fields_of(model)]


def type_of(field: Field) -> Any:
    """The Python type of the field's values; for a foreign key that of what it points at."""
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return next(type_ for kind, type_ in TYPES if isinstance(field, kind))


class Totals:
    """The number of rows and the sum of each numeric column: two copies of a table must agree."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.rows = 0
        numbers = [index for index, field in enumerate(fields) if type_of(field) in (int, Decimal)]
        self.sums = dict.fromkeys(numbers, ZERO)
        self.names = {index: column_of(fields[index]) for index in numbers}

    def counted(self, rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        """Pass the same rows on, counted and added up."""
        add, sums = EXACT.add, self.sums
        for row in rows:
            self.rows += 1
            for index in sums:
                value = row[index]
                if value:
                    number = value if isinstance(value, Decimal) else Decimal(value)
                    sums[index] = add(sums[index], number)
            yield row

    def listed(self) -> dict[str, str]:
        """Column → sum, as the manifest has it."""
        return {self.names[index]: f"{strip_zeros(value):f}" for index, value in self.sums.items()}

    def entry(self, model: type[Model]) -> dict[str, Any]:
        """What the manifest states of the table."""
        return {"table": table_of(model), "rows": self.rows, "totals": self.listed()}

    def differs_from(self, entry: Any) -> str | None:
        """How the table differs from an entry of a manifest, or None."""
        if self.rows != entry["rows"]:
            return f"{entry['table']} has {self.rows:,} rows, not {entry['rows']:,}"
        known = entry.get("totals", {})
        for column, total in self.listed().items():
            if total != known.get(column):
                return f"the sum of {entry['table']}.{column} is {total}, not {known.get(column)}"
        return None


def stored_rows(model: type[Model], using: str) -> Iterator[Sequence[Any]]:
    """The rows of a table in the order of their keys, read in chunks."""
    columns = [_selected(field) for field in fields_of(model)]
    rows = model._base_manager.using(using).order_by("pk").values_list(*columns)
    return rows.iterator(CHUNK)


def _selected(field: Field) -> str | Cast:
    """Read the text of exact JSON as it is stored: its numbers must stay numbers."""
    if isinstance(field, ExactJSONField):
        return Cast(field.attname, models.TextField())
    return field.attname


def stored_totals(model: type[Model], using: str) -> Totals:
    totals = Totals(fields_of(model))
    for _ in totals.counted(stored_rows(model, using)):
        pass
    return totals


def write_table(archive: ArchiveWriter, model: type[Model], using: str) -> int:
    """Add one table to the archive, with its counts and totals in the manifest.

    Returns its number of rows.
    """
    totals = Totals(fields_of(model))
    rows = totals.counted(stored_rows(model, using))
    lines = (encode(row) + b"\n" for row in rows)
    entry = archive.add(file_of(model), lines)
    entry |= totals.entry(model)
    entry["columns"] = columns_of(model)
    # The database counts too, so that a row which a chunked read leaves out is noticed.
    count = model._base_manager.using(using).count()
    if count != totals.rows:
        raise BadArchive(
            f"{table_of(model)} has {count:,} rows, of which {totals.rows:,} were read."
        )
    return totals.rows


def archived_rows(archive: ArchiveReader, model: type[Model]) -> Iterator[Sequence[Any]]:
    """The rows of one table of an archive, with the values of the model's fields by column name.

    Raises BadArchive, also if the table or a column is missing.
    """
    name = file_of(model)
    columns = archived_columns(archive, model)
    fields = {column_of(field): field for field in fields_of(model)}
    missing = sorted(set(fields) - set(columns))
    if missing:
        raise BadArchive(f"{name} has no column {', '.join(missing)}.")
    types = [_nullable_type(fields.get(column)) for column in columns]
    row_type: Any = tuple.__class_getitem__(tuple(types))
    decode = msgspec.json.Decoder(row_type).decode
    places = [columns.index(column) for column in fields]
    for number, line in enumerate(archive.lines(name), start=1):
        try:
            row = decode(line)
        except (msgspec.DecodeError, ArithmeticError, ValueError) as error:
            raise BadArchive(f"{name} line {number}: {error}.") from error
        yield [row[place] for place in places]


def archived_columns(archive: ArchiveReader, model: type[Model]) -> list[str]:
    """The columns that the archive has of a table. Raises BadArchive if it has no such table."""
    entry = archive.files.get(file_of(model), {})
    columns = entry.get("columns")
    if not isinstance(columns, list) or entry.get("table") != table_of(model):
        raise BadArchive(f"It has no table {table_of(model)}.")
    return columns


def _nullable_type(field: Field | None) -> Any:
    if field is None:
        return Any
    if field.null:
        return type_of(field) | None
    return type_of(field)
