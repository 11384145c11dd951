"""The rows of an export's files, read back as values."""

import csv
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Field
from django.utils import timezone

from integrations.archives import ArchiveReader, BadArchive
from integrations.exports.cells import BOM, value_of
from integrations.exports.files import File, files_of

Row = dict[str, Any]


class ExportRows:
    """The rows of an archive of this or an earlier version. Every method raises BadArchive.

    `where` is the file and row that was read last.
    """

    def __init__(self, archive: ArchiveReader) -> None:
        self.archive = archive
        self.version = archive.version
        self.where = ""
        self.files = {file.name: file for file in files_of(self.version)}
        if set(archive.files) != set(self.files):
            raise BadArchive(f"Its files are not those of an export of version {self.version}.")

    def of(self, name: str) -> Iterator[Row]:
        """Lookup → value for each row of a file; no row if its version has no such file.

        A column that its version has not is left out, so that a model takes its default.
        """
        file = self.files.get(name)
        if file is None:
            return
        columns = file.columns_of(self.version)
        fields = [file.field_of(column) for column in columns]
        count = 0
        for cells in self._cells(file):
            count += 1
            row = {}
            for column, (field, is_nullable), text in zip(columns, fields, cells, strict=False):
                row[column.lookup] = self._value(column.name, text, field, is_nullable)
            yield row
        stated = self.archive.files[name]["rows"]
        if count != stated:
            raise BadArchive(f"{name} has {count:,} rows, its manifest says {stated}.")

    def _value(self, column: str, text: str, field: Field, is_nullable: bool) -> Any:
        try:
            return _not_after_now(value_of(text, field, is_nullable))
        except ValidationError as error:
            raise BadArchive(f"{self.where}, {column}: {' '.join(error.messages)}") from error
        except (ValueError, KeyError, ArithmeticError, RecursionError) as error:
            raise BadArchive(f"{self.where}, {column}: {text[:50]} cannot be read.") from error

    def _cells(self, file: File) -> Iterator[list[str]]:
        """The cells of each row below the header, which must be that of the version."""
        lines = map(bytes.decode, self.archive.lines(file.name))
        try:
            table = csv.reader(lines, strict=True)
            header = next(table, [""])
            header[0] = header[0].removeprefix(BOM)
            if header != file.header(self.version):
                raise BadArchive(
                    f"The columns of {file.name} are not those of version {self.version}."
                )
            for number, cells in enumerate(table, start=1):
                self.where = f"{file.name} row {number}"
                if len(cells) != len(header):
                    raise BadArchive(f"{self.where} has {len(cells)} cells, not {len(header)}.")
                yield cells
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadArchive(f"{file.name} cannot be read as CSV: {error}.") from error


def _not_after_now(value: Any) -> Any:
    """Return a time in the future as now: an answer of 2099 would never be asked for again."""
    if isinstance(value, datetime):
        return min(value, timezone.now())
    return value
