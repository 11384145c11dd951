"""Import a file of pension values into an account, from the command line."""

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from financeproj.core.errors import DomainError
from integrations.imports.options import reading_options
from integrations.management.options import as_options
from integrations.management.sources import content_of, one_named, user_named
from integrations.pension_values import read_pension_values
from integrations.statements.base import FileProblem
from pensions.selectors import accounts_of
from pensions.services import import_values
from portfolios.calc.import_rows import RowProblem

ERRORS_SHOWN = 50


class Command(BaseCommand):
    help = "Import a CSV file of pension values (columns date and value): all of its rows, or none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the CSV file, - for standard input")
        parser.add_argument("--user", required=True, help="whose account it is")
        parser.add_argument("--account", required=True, help="the pension account's name")
        parser.add_argument(
            "--replace", action="store_true", help="overwrite other values on the same dates"
        )
        parser.add_argument("--date-format", choices=["dmy", "mdy"], help="how to read 02/03/2024")
        parser.add_argument("--decimal", choices=["point", "comma"], help="how to read 1,234")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_named(options["user"])
        account = one_named(accounts_of(user), options["account"], of=user, what="pension account")
        name = options["file"]
        data = content_of(name)
        reading = reading_options(options["date_format"], options["decimal"])
        try:
            rows, errors = read_pension_values(data, reading)
        except FileProblem as problem:
            raise CommandError(as_options(problem.detail)) from problem
        if errors:
            raise CommandError("\n".join(["Nothing was recorded:", *self._listed(errors)]))
        try:
            done = import_values(
                account=account,
                values=[(day, value) for _, day, value in rows],
                replace=options["replace"],
            )
        except DomainError as error:
            raise CommandError(
                f"Nothing was recorded: {error.detail} Use --replace to overwrite."
            ) from error
        except ValidationError as error:
            raise CommandError(f"Nothing was recorded: {' '.join(error.messages)}") from error
        self.stdout.write(
            f"{done.created} values recorded, {done.replaced} replaced, "
            f"{done.unchanged} known already."
        )

    @staticmethod
    def _listed(errors: Sequence[RowProblem]) -> list[str]:
        lines = []
        for error in errors[:ERRORS_SHOWN]:
            detail = as_options(error.detail)
            lines.append(f"line {error.row}, {error.column}: {detail} ({error.value})")
        if len(errors) > ERRORS_SHOWN:
            lines.append(f"… and {len(errors) - ERRORS_SHOWN:,} more.")
        return lines
