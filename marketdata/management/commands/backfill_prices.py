from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from marketdata import series, services
from marketdata.management.progress import progress
from marketdata.selectors import sourced_instruments


class Command(BaseCommand):
    help = (
        "Complete the stored closes, splits and dividends of every instrument that has a source, "
        "or of those named."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("ticker", nargs="*", help="only these")
        parser.add_argument(
            "--since",
            type=date.fromisoformat,
            help="ask again for every day from this one on, e.g. 2020-01-31",
        )

    def handle(self, *args: Any, ticker: list[str], since: date | None, **options: Any) -> None:
        try:
            stocks = sourced_instruments(ticker)
        except LookupError as error:
            raise CommandError(str(error)) from error
        failures: list[str] = []
        for stock in progress(stocks, out=self.stderr):
            fault = services.refresh_history(stock.pk, since=since)
            if fault is not None:
                failures.append(f"{stock.ticker}: {fault}")
            series.prepare([stock.pk])
        self.stdout.write(f"{len(stocks) - len(failures)} of {len(stocks)} histories are complete.")
        if failures:
            raise CommandError("\n".join(["Not completed:", *failures]))
