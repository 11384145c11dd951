"""Everything of one user into a file."""

import os
from argparse import ArgumentParser
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations.exports.writing import write_export
from integrations.management.sources import user_named


class Command(BaseCommand):
    help = "Write everything of a user as CSV files in a ZIP; the same as GET /api/v1/export."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the ZIP to write; one of this name is replaced")
        parser.add_argument("--user", required=True, help="whose")

    def handle(self, *args: Any, **options: Any) -> None:
        user, path = user_named(options["user"]), Path(options["file"])
        try:
            # Readable by its owner alone; under its name only when it is complete.
            with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
                try:
                    rows = write_export(user=user, file=file)
                    file.flush()
                    os.fsync(file.fileno())
                    Path(file.name).replace(path)
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
        self.stdout.write(
            "\n".join(
                [*(f"{count:>12,} {name}" for name, count in rows.items() if count), str(path)]
            )
        )
