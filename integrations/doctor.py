"""Every check of `manage.py doctor`, in the order in which they make sense."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db.models import Max, Min
from django.utils import timezone

from financeproj.core.db.rows import snapshot
from financeproj.core.ops import doctor as ground
from financeproj.core.ops.doctor import Finding
from financeproj.users.models import User
from integrations import heartbeat
from integrations.backups.services import make_backup, newest_backup
from marketdata import selectors as marketdata
from marketdata import vectors as market_vectors
from marketdata.models import StockQuote
from marketdata.services import refresh_quotes, refresh_rates
from pensions import selectors as pensions
from portfolios import selectors as portfolios
from portfolios.models import Holding, ImportBatch, Transaction
from portfolios.reports import vectors
from portfolios.services import contradicted_holdings, repair_holding

QUOTE_AGE = timedelta(days=1)
BACKUP_AGE = timedelta(days=2)
MOST_NAMED = 5


def examine() -> list[Finding]:
    """What is wrong with this installation. Writes nothing.

    Without the database, or with tables of another version, nothing that lies on them is looked at.
    """
    found = [*ground.configuration(), *ground.env_file()]
    lacking = [*ground.answers("database", "Start it, or correct DATABASE_URL.")] or [
        *ground.migrations()
    ]
    shared = [
        *ground.answers(
            "cache",
            "Start Redis, or correct REDIS_URL; without Redis: is var/ writable, the disk full?",
        ),
        *ground.answers(
            "broker", "Start Redis, or correct REDIS_URL; without Redis: is var/ writable?"
        ),
    ]
    found += lacking + shared
    if lacking:
        return found
    if not shared:
        found += signs_of_life()
    for check in (
        ground.clock,
        times,
        ground.orphans,
        quotes,
        rates,
        imports,
        backups,
        ledger,
        stored_vectors,
    ):
        found += check()
    return found


def signs_of_life() -> Iterator[Finding]:
    if not heartbeat.worker_is_alive():
        says = "No worker shows signs of life: nothing is refreshed, and big imports keep their request waiting."
        yield Finding(
            "worker", says, "Start celery -A financeproj worker; its log says why it ended."
        )
    if not heartbeat.beat_is_alive():
        says = "Beat shows no signs of life: nothing is refreshed or backed up by itself."
        yield Finding("beat", says, "Start celery -A financeproj beat; its log says why it ended.")


def times() -> Iterator[Finding]:
    """Writes of the future tell that the clock went back. Where no server has a clock, a source is
    asked for its.
    """
    latest = [
        StockQuote.objects.aggregate(at=Max("fetched_at"))["at"],
        Transaction.objects.aggregate(at=Max("created_at"))["at"],
        ImportBatch.objects.aggregate(at=Max("created_at"))["at"],
    ]
    newest = max((at for at in latest if at), default=None)
    if newest and newest > timezone.now() + ground.MAX_CLOCK_SKEW:
        minutes = round((newest - timezone.now()).total_seconds() / 60)
        says = f"What was written last is {minutes} minutes in the future: this machine's clock went back, or was ahead."
        yield Finding("clock", says, "Set the clock by NTP (timedatectl set-ntp true).")
    elif settings.DATABASES["default"]["ENGINE"].endswith("sqlite3") and not settings.REDIS_URL:
        from integrations.yahoo import server_time

        yield from ground.clock_of("the market data source", server_time)


def quotes() -> Iterator[Finding]:
    held = portfolios.held_stock_ids()
    lacking, old = marketdata.unpriced_and_old(held, before=timezone.now() - QUOTE_AGE)

    def fetch() -> None:
        refresh_quotes([stock.pk for stock in (*lacking, *old)])

    advice = "/admin/ tells whether the source's circuit is open or a price waits to be accepted. --fix asks anew."
    if lacking:
        tickers = _names([stock.ticker for stock in lacking])
        yield Finding("prices", f"Held and without any price: {tickers}.", advice, fetch)
    if old:
        tickers = _names([stock.ticker for stock in old])
        yield Finding(
            "prices", f"Held, and the quote is older than a day: {tickers}.", advice, fetch
        )


def rates() -> Iterator[Finding]:
    needed = portfolios.needed_pairs() | pensions.needed_pairs()
    lacking = sorted(needed - marketdata.rates_now(needed).keys())
    if lacking:
        pairs = _names([f"{base}/{target}" for base, target in lacking])
        advice = "Enter one in the admin (exchange rates), if no source knows it. --fix asks the sources now."
        yield Finding(
            "rates",
            f"No rate is known, so sums leave out: {pairs}.",
            advice,
            lambda: refresh_rates(lacking),
        )


def imports() -> Iterator[Finding]:
    """An import that runs and has no file waiting will never end."""
    stuck = ImportBatch.objects.filter(
        state=ImportBatch.State.RUNNING, pending__isnull=True
    ).count()
    if stuck:
        advice = (
            "Delete them in the admin and import the files again: nothing of them was recorded."
        )
        yield Finding(
            "imports", f"{stuck} imports are said to run, and nobody can finish them.", advice
        )


def backups() -> Iterator[Finding]:
    newest, now = newest_backup(), timezone.now()
    make = (lambda: make_backup(folder=Path(settings.BACKUP_DIR))) if settings.BACKUP_DIR else None
    advice = "manage.py backup (--fix does), and see why beat makes none at night."
    if newest is None:
        first_user = User.objects.aggregate(at=Min("date_joined"))["at"]
        if not settings.BACKUP_DIR and not settings.DEBUG:
            yield Finding(
                "backups",
                "No backups are made.",
                "Set BACKUP_DIR: beat then makes one every night.",
            )
        elif settings.BACKUP_DIR and first_user and now - first_user > BACKUP_AGE:
            yield Finding("backups", "There is no backup yet.", advice, make)
    elif newest.fault:
        yield Finding(
            "backups", f"The newest backup cannot be relied on: {newest.fault}", advice, make
        )
    elif now - newest.made_at > BACKUP_AGE:
        yield Finding(
            "backups", f"The newest backup is of {newest.made_at:%Y-%m-%d %H:%M} UTC.", advice, make
        )


def ledger() -> Iterator[Finding]:
    """Every holding replayed, as the database was at one moment."""
    with snapshot() as using:
        for holding, fault in contradicted_holdings(Holding.objects.using(using)):
            yield Finding(
                "ledger",
                f"{holding.stock.ticker} in {holding.portfolio.name} ({holding.pk}): {fault}.",
                "--fix stores what the transactions give; more sold than held has to be put right in the admin.",
                partial(repair_holding, holding.pk),
            )


def stored_vectors() -> Iterator[Finding]:
    advice = "--fix drops it; it is made anew from the rows when it is read."
    for vector, fault in market_vectors.faulty_vectors():
        says = f"{type(vector).__name__} {vector.pk} {fault}."
        yield Finding("vectors", says, advice, partial(market_vectors.discard_vector, vector))
    for trades, fault in vectors.faulty_vectors():
        says = f"TransactionVector {trades.pk} {fault}."
        yield Finding("vectors", says, advice, partial(vectors.discard_vector, trades))


def _names(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
