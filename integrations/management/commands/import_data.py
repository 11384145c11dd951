"""Import a user's export into this installation."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from financeproj.core.errors import DomainError
from integrations.exports.reading import import_export


class Command(BaseCommand):
    help = (
        "Import a file of `export_data` or GET /api/v1/export, of this or an earlier release, for "
        "a user who has no data here yet."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the ZIP")
        parser.add_argument(
            "--user",
            help="the user who gets the data, created if new; by default the name in the file",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = import_export(Path(options["file"]), username=options["user"])
        except DomainError as error:
            raise CommandError(f"Nothing was imported. {error.detail}") from error
        for name, count in done.rows.items():
            if count:
                self.stdout.write(f"{count:>12,} {name}")
        username = done.user.username
        self.stdout.write(
            f"Everything is imported for {username}. A replay gives the same figures."
        )
        if done.is_new:
            self.stdout.write(f"Set a password: manage.py changepassword {username}")
