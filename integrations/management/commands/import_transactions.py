"""Import a file of transactions into a portfolio, from the command line."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from msgspec import UNSET

from financeproj.core.api.renderers import to_json
from financeproj.core.errors import DomainError
from integrations.imports.payloads import (
    DivergencePayload,
    ImportPayload,
    ImportWarningPayload,
    RowErrorPayload,
    outcome_payload,
)
from integrations.imports.pipeline import import_statement
from integrations.imports.tasks import enqueue_what_follows
from integrations.management.options import as_options
from integrations.management.sources import content_of, one_named, user_named
from integrations.statements.registry import AUTO, formats
from portfolios import selectors

ERRORS_SHOWN = 50
BAR_WIDTH = 40
COUNTS = ("rows", "created", "duplicates", "ignored", "failed")


class Command(BaseCommand):
    help = "Import a CSV file of transactions; the same as POST /api/v1/transactions/import-csv."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the CSV file, - for standard input")
        parser.add_argument("--user", required=True, help="whose portfolio it is")
        parser.add_argument("--portfolio", required=True, help="the portfolio's name")
        parser.add_argument(
            "--format", default=AUTO, choices=[AUTO, *(one.name for one in formats())]
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would happen and record nothing"
        )
        parser.add_argument(
            "--skip-bad",
            action="store_true",
            help="record the rows without errors although others have some",
        )
        parser.add_argument("--date-format", choices=["dmy", "mdy"], help="how to read 02/03/2024")
        parser.add_argument("--decimal", choices=["point", "comma"], help="how to read 1,234")
        parser.add_argument(
            "--instrument",
            action="append",
            default=[],
            metavar="ISIN=TICKER",
            help="an instrument's ISIN or name in the file, and its ticker; remembered",
        )
        parser.add_argument(
            "--json",
            action="store_true",
            dest="as_json",
            help="the answer of the API instead of a table",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_named(options["user"])
        portfolio = one_named(
            selectors.portfolios_of(user), options["portfolio"], of=user, what="portfolio"
        )
        instruments = dict(choice.partition("=")[::2] for choice in options["instrument"])
        name = options["file"]
        data = content_of(name)
        on_error = "abort"
        if options["skip_bad"]:
            on_error = "skip"
        try:
            outcome = import_statement(
                portfolio=portfolio,
                data=data,
                file_name=Path(name).name,
                format_name=options["format"],
                date_format=options["date_format"],
                decimal=options["decimal"],
                on_error=on_error,
                dry_run=options["dry_run"],
                instruments=instruments,
                on_progress=self._progress_bar(),
                on_looking_up=self._looking_up,
            )
        except DomainError as error:
            raise CommandError(as_options(str(error.detail))) from error
        enqueue_what_follows(outcome)
        answer = outcome_payload(outcome, dry_run=options["dry_run"])
        if options["as_json"]:
            self.stdout.write(to_json(answer).decode())
        else:
            self._report(answer)
        if outcome.is_refused:
            raise SystemExit(1)

    def _progress_bar(self) -> Any:
        """Return a function that shows how far the import is, if a person is watching."""
        if not sys.stderr.isatty():
            return lambda done: None

        def show(done: float) -> None:
            bar = "#" * round(BAR_WIDTH * done)
            ending = ""
            if done == 1:
                ending = "\n"
            self.stderr.write(f"\r[{bar:<{BAR_WIDTH}}] {done:4.0%}", style_func=str, ending=ending)
            self.stderr.flush()

        return show

    def _looking_up(self, done: int, of: int) -> None:
        """Show how many instruments are identified, if a person is watching."""
        if sys.stderr.isatty():
            self.stderr.write(f"{done} of {of} instruments identified.", style_func=str)

    def _warning_line(self, warning: ImportWarningPayload) -> str:
        if warning.row is UNSET:
            return f"Warning: {warning.detail}"
        return f"Warning: line {warning.row}: {warning.detail}"

    def _report(self, answer: ImportPayload) -> None:
        lines = [
            self._result(answer),
            f"{answer.file_name}: {answer.format}, {answer.encoding}",
            *(f"{name:>12} {getattr(answer, name):,}" for name in COUNTS),
            *map(self._warning_line, answer.warnings),
        ]
        if answer.reconciled is not None:
            agreement = self._agreement(answer.first_divergence)
            lines.append(f"Agrees with the broker's own figures: {agreement}")
        if answer.looking_up is not None:
            done, of = answer.looking_up.done, answer.looking_up.of
            lines.append(
                f"{done} of {of} instruments identified. Run the command again in a minute: "
                "what was found is kept."
            )
        errors = answer.errors
        lines += [self._error_line(error) for error in errors[:ERRORS_SHOWN]]
        if len(errors) > ERRORS_SHOWN:
            lines.append(f"… and {len(errors) - ERRORS_SHOWN:,} more.")
        if answer.id:
            lines.append(f"Import {answer.id}")
        self.stdout.write("\n".join(lines))

    @staticmethod
    def _result(answer: ImportPayload) -> str:
        if answer.state == "failed":
            return "Nothing was recorded: some rows have errors."
        if answer.dry_run:
            return "A dry run: nothing was recorded."
        return f"{answer.created:,} transactions recorded."

    @staticmethod
    def _agreement(divergence: DivergencePayload | None) -> str:
        if divergence is None:
            return "yes"
        expected, got = divergence.expected, divergence.got
        return f"no: line {divergence.row} has {expected}, we have {got}"

    @staticmethod
    def _error_line(error: RowErrorPayload) -> str:
        line = f"line {error.row}"
        if error.column:
            line += f", {error.column}"
        line += f": {as_options(error.detail, instrument=error.value)}"
        if error.value:
            line += f" ({error.value})"
        return line
