import csv
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from financeproj.core.db.fields import check_number
from marketdata import services
from marketdata.management.progress import progress
from marketdata.models import StockMetadata
from marketdata.selectors import instrument_for

COLUMNS = ("ticker", "date", "close")
PROBLEMS_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Store prices of instruments priced by hand, from a CSV file with the columns ticker, "
        "date, close."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--user", required=True, help="whose instruments they are")

    def handle(self, *args: Any, file: Path, user: str, **options: Any) -> None:
        owner = get_user_model().objects.filter(username=user).first()
        if owner is None:
            raise CommandError(f"User {user} not found.")
        problems: list[str] = []
        stocks: dict[str, StockMetadata | None] = {}
        closes: dict[str, dict[date, Decimal]] = {}
        for line, row in self._rows(file):
            ticker = row["ticker"].strip().upper()
            if ticker not in stocks:
                stocks[ticker] = instrument_for(user=owner, ticker=ticker)
            try:
                closes.setdefault(ticker, {})[self._day(row["date"])] = self._close(row["close"])
                stock = stocks[ticker]
                if stock is None or not stock.is_manual:
                    raise ValueError(f"{user} has no instrument {ticker} that is priced by hand")
            except ValueError as error:
                problems.append(f"line {line}: {error}")
        if problems:
            lines = ["Nothing was stored.", *problems[:PROBLEMS_SHOWN]]
            if len(problems) > PROBLEMS_SHOWN:
                lines.append(f"… and {len(problems) - PROBLEMS_SHOWN} more")
            raise CommandError("\n".join(lines))
        changed = 0
        with transaction.atomic():
            for ticker in progress(sorted(closes), out=self.stderr):
                stock = stocks[ticker]
                assert stock is not None  # nosec B101  # for mypy
                changed += services.enter_prices(stock=stock, closes=sorted(closes[ticker].items()))
        self.stdout.write(f"{changed} prices of {len(closes)} instruments stored or changed.")

    @staticmethod
    def _rows(file: Path) -> list[tuple[int, dict[str, str]]]:
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file} cannot be read as UTF-8 text: {error}.") from error
        header = text.partition("\n")[0]
        delimiter = max(",;\t", key=header.count)
        reader = csv.DictReader(text.splitlines(), delimiter=delimiter, restval="")
        names = [(name or "").strip().lower() for name in reader.fieldnames or []]
        for name in COLUMNS:
            if name not in names:
                raise CommandError(
                    f"{file} lacks the column {name}; its header is {header.strip()!r}."
                )
        reader.fieldnames = names
        return [(reader.line_num, row) for row in reader if any(row.values())]

    @staticmethod
    def _day(text: str) -> date:
        try:
            day = date.fromisoformat(text.strip())
        except ValueError as error:
            raise ValueError(f"{text!r} is not a date such as 2024-05-31") from error
        if not date(1900, 1, 1) <= day <= timezone.localdate():
            raise ValueError(f"{day} is in the future or before 1900")
        return day

    @staticmethod
    def _close(text: str) -> Decimal:
        try:
            close = Decimal(text.strip())
            check_number(close)
        except InvalidOperation as error:
            raise ValueError(f"{text!r} is not a price such as 12.5") from error
        except ValidationError as error:
            raise ValueError(f"{text!r}: {error.messages[0]}") from error
        if close < 0:
            raise ValueError(f"{text!r} is below 0")
        return close
