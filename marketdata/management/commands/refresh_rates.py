from typing import Any

from django.core.management.base import BaseCommand, CommandError

from financeproj.core.currencies import is_currency
from marketdata import services
from marketdata.calc.rates import Pair
from marketdata.management.progress import progress
from marketdata.selectors import asked_pairs


class Command(BaseCommand):
    help = "Ask the sources for the latest rates of every currency pair in use, or of those named."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("pair", nargs="*", help="only these, e.g. USD/NOK")

    def handle(self, *args: Any, pair: list[str], **options: Any) -> None:
        pairs = asked_pairs()
        if pair:
            pairs = [self._pair(text) for text in pair]
        failures = []
        for wanted in progress(pairs, out=self.stderr, label="/".join):
            error = services.refresh_rates([wanted])[wanted]
            if error is not None:
                failures.append(f"{'/'.join(wanted)}: {error}")
        self.stdout.write(f"{len(pairs) - len(failures)} of {len(pairs)} pairs are up to date.")
        if failures:
            raise CommandError("\n".join(["Not refreshed:", *failures]))

    @staticmethod
    def _pair(text: str) -> Pair:
        base, _, target = text.upper().partition("/")
        if not (is_currency(base) and is_currency(target)) or base == target:
            raise CommandError(f"{text} is not a currency pair. Write e.g. USD/NOK.")
        return base, target
