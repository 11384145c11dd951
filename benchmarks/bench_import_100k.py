"""Compare importing a file of 100,000 rows with `bulk_create` of the same rows."""

import random
import subprocess
import sys
import time
from datetime import date, timedelta

LIMIT = 4
CURRENCIES = ("NOK", "USD")  # of instruments with an even and with an odd number
MEMORY_LIMIT_MB = 600


def main() -> bool:
    """Print the ratio and the peak memory. Return whether both are within their limits.

    Runs in a separate process, so that its peak memory is the import's.
    """
    command = [sys.executable, "-m", "benchmarks.bench_import_100k"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    ratio, megabytes = map(float, printed.split()[-2:])
    print(f"import_100k: {ratio:.2f} x bulk_create (limit {LIMIT})")
    print(f"import_100k: {megabytes:.0f} MB at most (limit {MEMORY_LIMIT_MB})")
    return ratio <= LIMIT and megabytes < MEMORY_LIMIT_MB


def statement(rows: int, *, tickers: int = 200, seed: int = 1) -> bytes:
    """Return a generic CSV with buys, sales, dividends, fees and some splits, never oversold."""
    chance = random.Random(seed)
    lines = [
        "date,type,ticker,company_name,quantity,price,currency,commission,exchange_rate,note,external_id"
    ]
    held = [0] * tickers
    for number in range(rows):
        day = date(2014, 1, 2) + timedelta(days=number * 4000 // rows)
        at = chance.randrange(tickers)
        ticker, currency, rate = (f"T{at}", "USD", "9.8765") if at % 2 else (f"T{at}", "NOK", "1")
        kind = chance.choices(["buy", "sell", "dividend", "fee"], [60, 25, 14, 1])[0]
        quantity = chance.randint(1, 500)
        if kind == "sell":
            kind, quantity = (
                ("sell", chance.randint(1, held[at])) if held[at] else ("buy", quantity)
            )
        held[at] += {"buy": quantity, "sell": -quantity}.get(kind, 0)
        price = chance.randint(1000, 99_999) / 100
        lines.append(
            f"{day},{kind},{ticker},Company {at},{quantity},{price},{currency},29.5,{rate},"
            f",R{number}"
        )
    return "\n".join(lines).encode()


def measure(rows: int = 100_000) -> tuple[float, float]:
    """Return (import time / bulk_create time, peak memory in MB up to the end of the import)."""
    from django.db import transaction

    from benchmarks.measure import peak_megabytes
    from benchmarks.scratch import scratch_database
    from financeproj.users.models import User
    from integrations.imports.pipeline import import_statement
    from marketdata.models import StockMetadata
    from portfolios.models import Transaction
    from portfolios.services import create_portfolio

    with scratch_database():
        user = User.objects.create(username="bench")
        portfolio = create_portfolio(user=user, name="Bench", currency="NOK")
        StockMetadata.objects.bulk_create(
            StockMetadata(
                ticker=f"T{at}",
                company_name=f"Company {at}",
                currency=CURRENCIES[at % 2],
                source=StockMetadata.MANUAL,
                owner=user,
            )
            for at in range(200)
        )
        data = statement(rows)
        started = time.perf_counter()
        outcome = import_statement(portfolio=portfolio, data=data, file_name="bench.csv")
        taken = time.perf_counter() - started
        assert outcome.import_batch.created == rows, outcome.import_batch.errors[:3]
        megabytes = peak_megabytes()

        objs = list(Transaction.objects.all())
        Transaction.objects.all().delete()
        started = time.perf_counter()
        with transaction.atomic():
            Transaction.objects.bulk_create(objs, batch_size=2000)
        stored = time.perf_counter() - started
    print(f"import {taken:.2f} s, bulk_create {stored:.2f} s", file=sys.stderr)
    return taken / stored, megabytes


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "financeproj.settings")
    django.setup()
    print(*measure())
