"""Load a backup into this installation's database."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from financeproj.core.errors import DomainError
from integrations.backups.restoring import restore_backup


class Command(BaseCommand):
    help = (
        "Load a file of `backup`, of this or an earlier release, into the database, which has been "
        "migrated and is empty. Stop web, worker and beat first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the file that `backup` wrote")
        parser.add_argument(
            "--replace", action="store_true", help="delete everything that the database has"
        )
        parser.add_argument(
            "--keep-sign-ins",
            action="store_true",
            help="keep the sessions and tokens of the backup; without it everyone signs in again",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = restore_backup(
                Path(options["file"]),
                replace=options["replace"],
                keep_sign_ins=options["keep_sign_ins"],
            )
        except (DomainError, DatabaseError, OSError) as error:
            raise CommandError(f"Nothing was changed. {error}") from error
        for fault in done.ledger_faults:
            self.stderr.write(f"As it was in the backup: {fault}")
        if done.upgraded_from:
            self.stdout.write(
                f"The backup of financeproj {done.upgraded_from} was brought up to date."
            )
        if done.upgraded_from or not options["keep_sign_ins"]:
            self.stdout.write("Everyone has to sign in again.")
        self.stdout.write(
            f"{done.rows:,} rows restored; counts and totals are those of the backup."
        )
