"""Run the checks of `manage.py doctor`, in the order in which they make sense."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import chain
from pathlib import Path

from django.conf import settings
from django.db.models import Max, Min
from django.utils import timezone

from financeproj.core.db.rows import pks_of, snapshot
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
from portfolios.services import contradicted_chains, contradicted_holdings, repair_holding
from portfolios.valuation import agreements_of, described

QUOTE_AGE = timedelta(days=1)
BACKUP_AGE = timedelta(days=2)
MOST_NAMED = 5


REDIS_ADVICE = (
    "Start Redis, or correct REDIS_URL. Without Redis: check that var/ is writable and the disk "
    "is not full."
)


def examine() -> list[Finding]:
    """Return what is wrong with this installation. Writes nothing.

    Checks that need the database are left out when it does not answer, or when its tables are of
    another version.
    """
    found = [*ground.configuration(), *ground.env_file(), *ground.var_folder()]
    database = list(ground.answers("database", "Start it, or correct DATABASE_URL."))
    if not database:
        database = list(ground.migrations())
    shared = [*ground.answers("cache", REDIS_ADVICE), *ground.answers("broker", REDIS_ADVICE)]
    found += database + shared
    if database:
        return found
    if not shared:
        found += processes()
    for check in (
        ground.clock,
        times,
        ground.orphans,
        quotes,
        unconfirmed,
        rates,
        imports,
        backups,
        ledger,
        agreement,
        stored_vectors,
    ):
        found += check()
    return found


def processes() -> Iterator[Finding]:
    if not heartbeat.worker_is_alive():
        yield Finding(
            "worker",
            "No worker is running: prices are not refreshed and large imports block the request.",
            "Start celery -A financeproj worker; its log states why it ended.",
        )
    if not heartbeat.beat_is_alive():
        yield Finding(
            "beat",
            "Beat is not running: nothing is refreshed or backed up automatically.",
            "Start celery -A financeproj beat; its log states why it ended.",
        )


def times() -> Iterator[Finding]:
    """Find writes in the future: the clock went back.

    Where no server has a clock to compare with, a source is asked for its own.
    """
    latest = [
        StockQuote.objects.aggregate(at=Max("fetched_at"))["at"],
        Transaction.objects.aggregate(at=Max("created_at"))["at"],
        ImportBatch.objects.aggregate(at=Max("created_at"))["at"],
    ]
    newest = max(filter(None, latest), default=None)
    if newest and newest > timezone.now() + ground.MAX_CLOCK_SKEW:
        minutes = round((newest - timezone.now()).total_seconds() / 60)
        says = (
            f"The last write is {minutes} minutes in the future: this machine's clock went back, "
            "or was ahead."
        )
        yield Finding("clock", says, "Set the clock by NTP (timedatectl set-ntp true).")
    elif settings.DATABASES["default"]["ENGINE"].endswith("sqlite3") and not settings.REDIS_URL:
        from integrations.yahoo import server_time

        yield from ground.clock_of("the market data source", server_time)


def quotes() -> Iterator[Finding]:
    held = portfolios.held_stock_ids()
    lacking, old = marketdata.unpriced_and_old(held, before=timezone.now() - QUOTE_AGE)

    def fetch() -> None:
        refresh_quotes(pks_of((*lacking, *old)))

    advice = (
        "See in /admin/ whether the source's circuit is open, or a price waits to be accepted. "
        "--fix asks again."
    )
    if lacking:
        tickers = _names([stock.ticker for stock in lacking])
        yield Finding("prices", f"Held instruments without any price: {tickers}.", advice, fetch)
    if old:
        tickers = _names([stock.ticker for stock in old])
        yield Finding(
            "prices", f"Held instruments with a quote older than a day: {tickers}.", advice, fetch
        )


def unconfirmed() -> Iterator[Finding]:
    """Find instruments that are a user's word alone: no source has described them."""
    stocks = marketdata.unconfirmed_instruments().select_related("owner").order_by("ticker")
    names = [f"{stock.ticker} ({stock.owner}, {stock.currency})" for stock in stocks]
    if names:
        yield Finding(
            "instruments",
            f"No source has confirmed: {_names(names)}.",
            "The sources are asked again with the next prices; --fix asks now. Correct the ticker, "
            'or set the source to "manual" in the admin to price them by hand.',
            lambda: refresh_quotes(pks_of(stocks)),
        )


def rates() -> Iterator[Finding]:
    needed = portfolios.needed_pairs() | pensions.needed_pairs()
    lacking = sorted(needed - marketdata.rates_now(needed).keys())
    if lacking:
        pairs = _names(["/".join(pair) for pair in lacking])
        advice = (
            "--fix asks the sources now. If no source knows a rate, enter it in the admin "
            "(exchange rates)."
        )
        yield Finding(
            "rates",
            f"Sums are unknown without the rates of: {pairs}.",
            advice,
            lambda: refresh_rates(lacking),
        )


def imports() -> Iterator[Finding]:
    """Find imports that run and have no file waiting: they will never end."""
    stuck = ImportBatch.objects.filter(
        state=ImportBatch.State.RUNNING, pending__isnull=True
    ).count()
    if stuck:
        yield Finding(
            "imports",
            f"{stuck} imports are marked as running, but their files are gone.",
            "Delete them in the admin and import the files again: nothing of them was recorded.",
        )


def backups() -> Iterator[Finding]:
    newest, now = newest_backup(), timezone.now()
    says = ""
    if newest is None:
        if not settings.BACKUP_DIR and not settings.DEBUG:
            advice = "Set BACKUP_DIR: beat then makes one every night."
            yield Finding("backups", "No backups are made.", advice)
        first_user = User.objects.aggregate(at=Min("date_joined"))["at"]
        if settings.BACKUP_DIR and first_user and now - first_user > BACKUP_AGE:
            says = "No backup was made yet."
    elif newest.fault:
        says = f"The newest backup is not usable: {newest.fault}"
    elif now - newest.made_at > BACKUP_AGE:
        says = f"The newest backup is from {newest.made_at:%Y-%m-%d %H:%M} UTC."
    if says:
        advice = "Run manage.py backup (--fix does), and see why beat makes none at night."
        yield Finding("backups", says, advice, _backup_fix())


def _backup_fix() -> Callable[[], object] | None:
    if not settings.BACKUP_DIR:
        return None
    return partial(make_backup, folder=Path(settings.BACKUP_DIR))


def ledger() -> Iterator[Finding]:
    """Replay every holding, as the database was at one moment."""
    with snapshot() as using:
        holdings = Holding.objects.using(using)
        for holding, fault in chain(contradicted_holdings(holdings), contradicted_chains(holdings)):
            yield Finding(
                "ledger",
                f"{holding.stock.ticker} in {holding.portfolio.name} ({holding.pk}): {fault}.",
                "--fix stores what the transactions give. Correct a sale of more than is held in "
                "the admin.",
                partial(repair_holding, holding.pk),
            )


def agreement() -> Iterator[Finding]:
    """Find portfolios whose transactions are not what their broker's files say."""
    different: list[str] = []
    compared = portfolios.portfolios_with_checkpoints()
    agreements = agreements_of(compared)
    for portfolio in compared:
        if agreements[portfolio.pk].first_difference:
            said = described(agreements[portfolio.pk])
            different.append(f"{portfolio.name} of {portfolio.user} ({said})")
    if different:
        yield Finding(
            "agreement",
            f"Not as the broker's files say: {_names(different)}.",
            "Open the portfolio's page: it names the transaction to look at.",
        )


def stored_vectors() -> Iterator[Finding]:
    advice = "--fix deletes it. The next read makes it from the rows again."
    for vector, fault in market_vectors.faulty_vectors():
        says = f"{type(vector).__name__} {vector.pk} {fault}."
        yield Finding("vectors", says, advice, partial(market_vectors.discard_vector, vector))
    for trades, fault in vectors.faulty_vectors():
        says = f"TransactionVector {trades.pk} {fault}."
        yield Finding("vectors", says, advice, partial(vectors.discard_vector, trades))


def _names(names: list[str]) -> str:
    named = ", ".join(names[:MOST_NAMED])
    left = len(names) - MOST_NAMED
    if left > 0:
        named += f" and {left} more"
    return named
