"""Import a file of transactions into a portfolio, from the command line."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError
from msgspec import UNSET

from financeproj.core.api.errors import error_body
from financeproj.core.api.renderers import to_json
from financeproj.core.errors import DomainError
from integrations.imports.payloads import (
    DivergencePayload,
    ImportPayload,
    ImportWarningPayload,
    OpeningPayload,
    ProblemPayload,
    outcome_payload,
)
from integrations.imports.pipeline import import_statement
from integrations.imports.tasks import enqueue_what_follows
from integrations.management.options import as_options
from integrations.management.sources import content_of, one_named, user_named
from integrations.statements.registry import AUTO, formats
from portfolios import selectors
from portfolios.services.import_report import Outcome

GROUPS_SHOWN = 50
LINES_NAMED = 5
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
        parser.add_argument(
            "--accept-opening",
            action="store_true",
            help="book the shares that were held before the file begins, at the close of the day",
        )
        parser.add_argument("--date-format", choices=["dmy", "mdy"], help="how to read 02/03/2024")
        parser.add_argument("--decimal", choices=["point", "comma"], help="how to read 1,234")
        parser.add_argument(
            "--account", default="", help="which of the file's accounts, if it has several"
        )
        parser.add_argument(
            "--instrument",
            action="append",
            default=[],
            metavar="ISIN=TICKER",
            help="an instrument's ISIN or name in the file, and its ticker, or =manual to price it "
            "by hand; remembered",
        )
        parser.add_argument(
            "--mapping",
            default="{}",
            metavar="JSON",
            help="what the file means, as the API takes it: see docs/brokers.md",
        )
        parser.add_argument(
            "--json",
            action="store_true",
            dest="as_json",
            help="the answer of the API instead of a table",
        )

    def run_from_argv(self, argv: list[str]) -> None:
        """With --json, answer arguments that cannot be used in JSON too, not with the usage."""
        if "--json" in argv:
            parser = self.create_parser(argv[0], argv[1])
            parser.called_from_command_line = False  # it raises instead of exiting
            try:
                parser.parse_args(argv[2:])
            except CommandError as error:
                detail = str(error).removeprefix("Error: ")
                self._show_refusal(DomainError(f"{detail}."), {"as_json": True})
                self.stderr.write(str(error))
                raise SystemExit(error.returncode) from error
        super().run_from_argv(argv)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            outcome = self._outcome(options)
        except CommandError as error:
            self._show_refusal(DomainError(str(error)), options)
            raise
        except DomainError as error:
            self._show_refusal(error, options)
            raise CommandError(as_options(str(error.detail))) from error
        enqueue_what_follows(outcome)
        answer = outcome_payload(outcome, dry_run=options["dry_run"])
        if options["as_json"]:
            self.stdout.write(to_json(answer).decode())
        else:
            self._report(answer)
        if outcome.is_refused:
            raise SystemExit(1)

    def _show_refusal(self, error: DomainError, options: Mapping[str, Any]) -> None:
        """Print what the API answers; the sentence for people goes to standard error."""
        if options["as_json"]:
            self.stdout.write(to_json(error_body(error)).decode())

    def _outcome(self, options: Mapping[str, Any]) -> Outcome:
        """Import the file. Raises CommandError, and DomainError for a file that is refused."""
        user = user_named(options["user"])
        portfolio = one_named(
            selectors.portfolios_of(user), options["portfolio"], of=user, what="portfolio"
        )
        instruments = dict(map(self._choice, options["instrument"]))
        mapping = self._mapping(options["mapping"])
        format_name = options["format"]
        if mapping.get("columns"):
            format_name = "mapped"
        name = options["file"]
        data = content_of(name)
        on_error = "abort"
        if options["skip_bad"]:
            on_error = "skip"
        return import_statement(
            portfolio=portfolio,
            data=data,
            file_name=Path(name).name,
            format_name=format_name,
            date_format=options["date_format"],
            decimal=options["decimal"],
            on_error=on_error,
            accept_opening=options["accept_opening"],
            dry_run=options["dry_run"],
            mapping=mapping,
            instruments=instruments,
            account=options["account"],
            on_progress=self._progress_bar(),
            on_looking_up=self._looking_up,
        )

    @staticmethod
    def _choice(text: str) -> tuple[str, str]:
        """Return the ISIN or name in the file, and its ticker. Raises CommandError."""
        name, _equals, ticker = text.partition("=")
        if not name.strip() or not ticker.strip():
            raise CommandError(f'--instrument needs ISIN=TICKER; "{text}" is not of this form.')
        return name, ticker

    @staticmethod
    def _mapping(text: str) -> dict[str, Any]:
        try:
            return msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise CommandError("--mapping must be a JSON object.") from error

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

    @staticmethod
    def _warning_lines(warnings: Iterable[ImportWarningPayload]) -> Iterator[str]:
        """Yield a line for each instrument whose prices or rates are in doubt, and for each other
        text, with the rows that have it.
        """
        groups: dict[tuple[str, str], list[ImportWarningPayload]] = {}
        for warning in warnings:
            about = warning.detail
            if warning.field is not UNSET:
                about = about.partition(": ")[0]  # the ticker
            groups.setdefault((warning.code, about), []).append(warning)
        for group in groups.values():
            rows = [warning.row for warning in group if warning.row is not UNSET]
            where = ""
            if rows:
                where = f"{_lines(rows, len(rows))}: "
            yield f"Warning: {where}{group[0].detail}"

    @staticmethod
    def _opening_line(one: OpeningPayload) -> str:
        if one.ticker is UNSET:
            return f"Before the file, on {one.date}: {one.amount} {one.currency}"
        return (
            f"Before the file, on {one.date}: {one.quantity} {one.ticker}, not booked "
            "(--accept-opening books them)"
        )

    def _report(self, answer: ImportPayload) -> None:
        lines = [
            self._result(answer),
            f"{answer.file_name}: {answer.format}, {answer.encoding}",
            *(f"{name:>12} {getattr(answer, name):,}" for name in COUNTS),
            *self._warning_lines(answer.warnings),
        ]
        if answer.reconciled is not None:
            agreement = self._agreement(answer.first_divergence)
            lines.append(f"Agrees with the broker's own figures: {agreement}")
        lines += map(self._opening_line, answer.opening)
        if answer.looking_up is not None:
            done, of = answer.looking_up.done, answer.looking_up.of
            lines.append(
                f"{done} of {of} instruments identified. Run the command again in a minute: "
                "what was found is kept."
            )
        lines += self._error_lines(answer)
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

    def _error_lines(self, answer: ImportPayload) -> list[str]:
        """Return each problem with the lines of the file that have it, and what to do."""
        problems = answer.problems
        lines = list(map(self._problem_line, problems[:GROUPS_SHOWN]))
        if len(problems) > GROUPS_SHOWN:
            lines.append(f"… and {len(problems) - GROUPS_SHOWN:,} more problems.")
        if answer.failed and answer.id is None:
            understood = answer.rows - answer.failed
            lines.append(
                f"{understood:,} of {answer.rows:,} rows are understood. --skip-bad takes these."
            )
        return lines

    @staticmethod
    def _problem_line(problem: ProblemPayload) -> str:
        line = _lines(problem.rows, problem.count)
        if problem.column:
            line += f", {problem.column}"
        line += f": {as_options(problem.detail, instrument=problem.value)}"
        if problem.value:
            line += f" ({problem.value})"
        return f"{line}\n    {problem.hint}"


def _lines(rows: Sequence[int], count: int) -> str:
    """Name the first of `count` lines of a file."""
    numbers = ", ".join(map(str, rows[:LINES_NAMED]))
    if count == 1:
        return f"line {numbers}"
    named = f"lines {numbers}"
    if count > LINES_NAMED:
        named += f" and {count - LINES_NAMED:,} more"
    return named
