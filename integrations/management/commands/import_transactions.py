"""Take a file of transactions into a portfolio, from the command line."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from financeproj.core.api.renderers import to_json
from financeproj.core.errors import DomainError
from financeproj.core.shared.enqueue import enqueue_on_commit
from integrations.imports.payloads import ImportPayload, outcome_payload
from integrations.imports.pipeline import import_statement
from integrations.management.sources import content_of, one_named, user_named
from integrations.statements.registry import AUTO, formats
from marketdata.tasks import fetch_history
from portfolios import selectors

ERRORS_SHOWN = 50


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
            "--dry-run", action="store_true", help="say what would happen and record nothing"
        )
        parser.add_argument(
            "--skip-bad", action="store_true", help="record the good rows although others are bad"
        )
        parser.add_argument("--date-format", choices=["dmy", "mdy"], help="what 02/03/2024 is")
        parser.add_argument("--decimal", choices=["point", "comma"], help="what 1,234 is")
        parser.add_argument(
            "--instrument",
            action="append",
            default=[],
            metavar="ISIN=TICKER",
            help="what the file calls an instrument (an ISIN or a name), and its ticker; remembered",
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
        try:
            outcome = import_statement(
                portfolio=portfolio,
                data=data,
                file_name=Path(name).name,
                format_name=options["format"],
                date_format=options["date_format"],
                decimal=options["decimal"],
                on_error="skip" if options["skip_bad"] else "abort",
                dry_run=options["dry_run"],
                instruments=instruments,
                on_progress=self._progress_bar(),
            )
        except DomainError as error:
            raise CommandError(str(error.detail)) from error
        if outcome.is_saved:
            for stock_id in outcome.without_history:
                enqueue_on_commit(fetch_history, str(stock_id))
        answer = outcome_payload(outcome, dry_run=options["dry_run"])
        if options["as_json"]:
            self.stdout.write(to_json(answer).decode())
        else:
            self._report(answer)
        if outcome.is_refused:
            raise SystemExit(1)

    def _progress_bar(self) -> Any:
        width = 40

        def show(done: float) -> None:
            bar = "#" * round(width * done)
            self.stderr.write(
                f"\r[{bar:<{width}}] {done:4.0%}", style_func=str, ending="\n" if done == 1 else ""
            )
            self.stderr.flush()

        return show if sys.stderr.isatty() else lambda done: None

    def _report(self, answer: ImportPayload) -> None:
        if answer.state == "failed":
            told = "Nothing was recorded: some rows are not right."
        elif answer.dry_run:
            told = "A dry run: nothing was recorded."
        else:
            told = f"{answer.created:,} transactions recorded."
        lines = [
            told,
            f"{answer.file_name}: {answer.format}, {answer.encoding}",
            *(
                f"{name:>12} {getattr(answer, name):,}"
                for name in ("rows", "created", "duplicates", "ignored", "failed")
            ),
        ]
        lines += [f"Warning: {warning}" for warning in answer.warnings]
        if answer.reconciled is not None:
            first = answer.first_divergence
            told = (
                f"no: line {first.row} says {first.expected}, we have {first.got}"
                if first
                else "yes"
            )
            lines.append(f"Agrees with the broker's own figures: {told}")
        shown = answer.errors[:ERRORS_SHOWN]
        for error in shown:
            where = f"line {error.row}" + (f", {error.column}" if error.column else "")
            value = f" ({error.value})" if error.value else ""
            lines.append(f"{where}: {error.detail}{value}")
        if more := len(answer.errors) - len(shown):
            lines.append(f"… and {more:,} more.")
        if answer.id:
            lines.append(f"Import {answer.id}")
        self.stdout.write("\n".join(lines))
