"""An export of a user taken into this installation."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from financeproj.core.errors import DomainError
from integrations.exports.reading import import_export


class Command(BaseCommand):
    help = "Take in a file of `export_data` or GET /api/v1/export, for a user who has nothing here yet."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the ZIP")
        parser.add_argument(
            "--user",
            help="whose it is to be; by default the name in the file. Made if there is none",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = import_export(Path(options["file"]), username=options["user"])
        except DomainError as error:
            raise CommandError(f"Nothing was taken in. {error.detail}") from error
        lines = [f"{count:>12,} {name}" for name, count in done.rows.items() if count]
        lines.append(
            f"Everything is there for {done.user.username}, and a replay gives the same figures."
        )
        if done.is_new:
            lines.append(f"Set a password: manage.py changepassword {done.user.username}")
        self.stdout.write("\n".join(lines))
