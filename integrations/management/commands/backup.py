"""Back up the whole database into one file and prove that it can be read back."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from integrations.backups.services import make_backup
from integrations.management.sources import positive


class Command(BaseCommand):
    help = (
        "Back up every table into one file that SQLite and PostgreSQL can restore. The system may "
        "be in use. The file contains secrets."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", metavar="DIR", help="the folder, BACKUP_DIR by default")
        parser.add_argument(
            "--keep",
            type=positive,
            metavar="N",
            help="delete older backups of this installation except the newest N",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder = options["to"] or settings.BACKUP_DIR
        if not folder:
            raise CommandError("No folder given. Pass --to DIR or set BACKUP_DIR.")
        row = make_backup(folder=Path(folder), keep=options["keep"])
        if not row.proved:
            path = f" ({row.path})" if row.path else ""
            raise CommandError(f"The backup is not proved{path}: {row.detail}")
        self.stdout.write(f"{row.path}: {row.rows:,} rows, {row.size:,} bytes, proved.")
