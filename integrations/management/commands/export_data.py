"""Export everything that belongs to one user."""

import os
from argparse import ArgumentParser
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from financeproj.users.models import User
from integrations.exports.writing import write_export
from integrations.management.sources import user_named


class Command(BaseCommand):
    help = "Write everything of a user as CSV files in a ZIP, as GET /api/v1/export does."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the ZIP to write; an existing file is replaced")
        parser.add_argument("--user", required=True, help="username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_named(options["user"])
        path = Path(options["file"])
        try:
            rows = _write(user, path)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
        for name, count in rows.items():
            if count:
                self.stdout.write(f"{count:>12,} {name}")
        self.stdout.write(str(path))


def _write(user: User, path: Path) -> dict[str, int]:
    """Write the export; file name → rows.

    Only its owner can read it, and it gets its name when it is complete.
    """
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        try:
            rows = write_export(user=user, file=file)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    return rows
