"""Test that `manage.py doctor` finds problems, applies safe fixes, and is silent otherwise."""

import os
import stat
from datetime import date, timedelta
from decimal import Decimal as D
from functools import partial

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from integrations import heartbeat, simulated
from integrations.backups.services import make_backup
from integrations.models import Backup
from marketdata import series
from marketdata.models import (
    CurrencyPair,
    HistoricalExchangeRate,
    PairVector,
    StockMetadata,
    StockQuote,
    StockVector,
)
from marketdata.tests.factories import instrument, with_closes, with_quote, with_rates
from pensions.models import PensionAccount
from portfolios import selectors, services
from portfolios.models import Holding, ImportBatch, Portfolio, TransactionVector
from portfolios.reports.histories import read_histories
from portfolios.services.replay import POSITION
from tests.servers.processes import installation  # noqa: F401

pytestmark = pytest.mark.django_db


@pytest.fixture
def place(settings, tmp_path):
    """The folder of a healthy installation with a running worker and beat."""
    settings.BASE_DIR = tmp_path
    settings.VAR_DIR = tmp_path / "var"
    settings.VAR_DIR.mkdir(mode=0o700)
    settings.BACKUP_DIR = str(tmp_path / "backups")
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
    settings.SECRET_KEY = "an invented key of more than fifty characters, only for this"
    heartbeat.note_worker()
    heartbeat.note_beat()
    return tmp_path


@pytest.fixture
def healthy(place, user):
    """A healthy installation with holdings in two currencies, a closed one, and all vectors."""
    portfolio = services.create_portfolio(user=user, name="Nordic savings", currency="NOK")
    today = timezone.localdate()
    with_rates("USD", "NOK", {today - timedelta(days=ago): "10.5" for ago in range(10)})
    for ticker, currency in (
        ("FJORD.DEMO", "NOK"),
        ("ATLAS.USD.DEMO", "USD"),
        ("BREEN.DEMO", "NOK"),
    ):
        stock = instrument(
            ticker, currency=currency, source="simulated", history_fetched_at=timezone.now()
        )
        days = dict(simulated.closes(ticker, today - timedelta(days=20), today))
        with_quote(with_closes(stock, days, "simulated"), days[max(days)], max(days))
        rate = D("10.5") if currency == "USD" else None
        record = partial(
            services.record_transaction, portfolio=portfolio, stock=stock, exchange_rate=rate
        )
        for day, kind, quantity in (
            (3, "buy", 10),
            (4, "buy", 7),
            (5, "sell", 17 if ticker == "BREEN.DEMO" else 3),
        ):
            record(
                type=kind,
                date=date(2024, 5, day),
                quantity=D(quantity),
                price=D("99.5"),
                commission=D(day),
            )
    series.prepare(selectors.held_stock_ids())
    series.rates([("USD", "NOK")], today, today)
    read_histories(Portfolio.objects.all())
    assert (
        StockVector.objects.count(),
        PairVector.objects.count(),
        TransactionVector.objects.count(),
    ) == (2, 1, 1)
    return place


@pytest.fixture
def doctor(capsys):
    def look(*args):
        """Run the doctor. Return (exit code, output)."""
        capsys.readouterr()
        try:
            call_command("doctor", *args)
        except SystemExit as end:
            return end.code, capsys.readouterr().out
        return 0, capsys.readouterr().out

    return look


def past_the_program(*statements):
    """Run SQL that foreign keys and checks would refuse."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA ignore_check_constraints = ON")
            cursor.execute("PRAGMA foreign_keys = OFF")  # only outside of a transaction
        else:
            cursor.execute("SET session_replication_role = replica")
        for import_batch in statements:
            cursor.execute(import_batch)
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA ignore_check_constraints = OFF")
            cursor.execute("PRAGMA foreign_keys = ON")
        else:
            cursor.execute("SET session_replication_role = DEFAULT")


def held(ticker="FJORD.DEMO"):
    return Holding.objects.get(stock__ticker=ticker)


def test_a_folder_open_to_other_users_is_found_and_closed(healthy, doctor):
    file = healthy / "var" / "db.sqlite3"
    file.touch()
    file.chmod(0o644)
    code, says = doctor()
    assert code == 1
    assert f"Other users of this machine can access {file}" in says
    assert doctor("--fix")[0] == 0
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_healthy_installation_has_no_findings(healthy, doctor):
    assert doctor() == (0, "All is well.\n")
    assert doctor("--fix") == (0, "All is well.\n")


def test_nor_of_one_with_the_demo_and_a_backup(place, doctor):
    call_command("make_demo")
    make_backup(folder=place / "backups")
    heartbeat.note_worker()  # its sign of life ends after 30 s, which all that may take
    assert doctor() == (0, "All is well.\n")


def test_an_unapplied_migration(healthy, doctor):
    ((_, last),) = MigrationLoader(connection).graph.leaf_nodes("portfolios")
    MigrationRecorder(connection).record_unapplied("portfolios", last)
    code, said = doctor()
    assert code == 1
    assert (
        f"migrations: Not applied: portfolios.{last}.\n    Back up, then: manage.py migrate" in said
    )


def test_a_dead_beat_and_a_dead_worker(healthy, doctor):
    cache.delete(heartbeat.BEAT)
    code, said = doctor()
    assert (code, said.count("\n    ")) == (1, 1)
    assert "beat: Beat is not running" in said
    assert "Start celery -A financeproj beat" in said
    cache.delete(heartbeat.HEARTBEAT)
    assert "worker: No worker is running" in doctor()[1]


def test_a_quote_older_than_a_day_on_a_held_instrument_which_it_fetches(healthy, doctor):
    old = timezone.now() - timedelta(days=1, minutes=1)
    StockQuote.objects.filter(stock__ticker="FJORD.DEMO").update(fetched_at=old)
    StockQuote.objects.filter(stock__ticker="BREEN.DEMO").update(fetched_at=old)  # sold out
    code, said = doctor()
    assert (code, said.count("\n    ")) == (1, 1)
    assert "prices: Held instruments with a quote older than a day: FJORD.DEMO.\n" in said
    code, said = doctor("--fix")
    assert (code, said.splitlines()[-1]) == (0, "All is well.")
    assert StockQuote.objects.get(stock__ticker="FJORD.DEMO").fetched_at > old + timedelta(days=1)


def test_a_held_instrument_without_any_price(healthy, doctor):
    stock = held().stock
    StockQuote.objects.filter(stock=stock).delete()
    stock.prices.all().as_service().delete()
    StockVector.objects.filter(stock=stock).delete()
    assert "prices: Held instruments without any price: FJORD.DEMO.\n" in doctor()[1]


def test_an_instrument_that_no_source_has_confirmed(healthy, doctor):
    instrument("ACME", currency="VND", source="yahoo", owner=held().portfolio.user)
    code, said = doctor()
    assert code == 1
    assert "instruments: No source has confirmed: ACME (kari, VND).\n" in said


def test_a_price_by_hand_grows_never_old(healthy, doctor):
    stock = held().stock
    StockQuote.objects.filter(stock=stock).update(fetched_at=timezone.now() - timedelta(days=30))
    StockMetadata.objects.filter(pk=stock.pk).update(source="manual", owner=held().portfolio.user)
    assert doctor()[0] == 0


def test_a_missing_rate_for_a_held_currency(healthy, doctor):
    HistoricalExchangeRate.objects.all().as_service().delete()
    PairVector.objects.all().delete()
    code, said = doctor()
    assert (code, said.count("\n    ")) == (1, 1)
    assert "rates: Sums are unknown without the rates of: USD/NOK.\n" in said
    assert doctor("--fix")[0] == 0  # the ECB's come with a package
    PensionAccount.objects.create(user=held().portfolio.user, name="Abroad", currency="BHD")
    assert "without the rates of: BHD/NOK.\n" in doctor("--fix")[1]


def test_a_stored_average_that_differs_from_the_replay(healthy, doctor):
    holding = held()
    right = holding.average_cost_per_share
    Holding.objects.filter(pk=holding.pk).update(average_cost_per_share=right + D("0.01"))
    code, said = doctor()
    assert (code, said.count("\n    ")) == (1, 1)
    assert (
        f"FJORD.DEMO in Nordic savings ({holding.pk}): average_cost_per_share is {right + D('0.01')}, "
        in said
    )
    code, said = doctor("--fix")
    assert (code, said.splitlines()[-1]) == (0, "All is well.")
    assert held().average_cost_per_share == right


def test_the_average_of_one_transaction(healthy, doctor):
    row = held().transactions.filter(type="buy").order_by("date").last()
    held().transactions.filter(pk=row.pk).update(average_cost_per_share_at_transaction=1)
    assert f"the buy of {row.date} has another average cost or gain than replayed" in doctor()[1]


def test_a_holding_below_zero(healthy, doctor):
    holding = held()
    right = holding.current_quantity
    if connection.vendor == "sqlite":
        change = (
            f"UPDATE portfolios_holding SET current_quantity = -5 WHERE id = '{holding.pk.hex}'"
        )
        past_the_program(change)
    else:  # the test's rollback brings the constraints back
        past_the_program("SET CONSTRAINTS ALL IMMEDIATE")
        for name in ("holding_quantity_not_negative", "holding_average_while_open"):
            past_the_program(f"ALTER TABLE portfolios_holding DROP CONSTRAINT {name}")
        past_the_program(
            f"UPDATE portfolios_holding SET current_quantity = -5 WHERE id = '{holding.pk}'"
        )
    code, said = doctor()
    assert (code, said.count("\n    ")) == (1, 1)
    assert (
        f"ledger: FJORD.DEMO in Nordic savings ({holding.pk}): the holding is below zero: -5.\n"
        in said
    )
    assert doctor("--fix")[0] == 0
    assert held().current_quantity == right


def test_an_oversold_holding_is_reported_and_left_as_it_is(healthy, doctor):
    holding = held()
    first = holding.transactions.order_by("date", "sequence").first()
    holding.transactions.filter(pk=first.pk).update(type="fee")
    before = Holding.objects.filter(pk=holding.pk).values(*POSITION).get()
    sold = holding.transactions.filter(type="sell").order_by("date").first()
    holding.transactions.filter(pk=sold.pk).update(quantity=10**9)
    code, said = doctor("--fix")
    assert code == 1
    assert "more is sold than held (1000000000 requested" in said
    assert "That failed: FJORD.DEMO" in said
    assert Holding.objects.filter(pk=holding.pk).values(*POSITION).get() == before


@pytest.mark.parametrize("model", [StockVector, PairVector, TransactionVector])
def test_a_vector_of_a_version_that_is_not_there_yet(healthy, doctor, model):
    vector = model.objects.first()
    model.objects.filter(pk=vector.pk).update(version=vector.version + 3)
    code, said = doctor()
    assert (code, said.count("\n    ")) == (1, 1)
    assert (
        f"{model.__name__} {vector.pk} claims version {vector.version + 3}, the rows are at {vector.version}."
        in said
    )
    assert doctor("--fix")[0] == 0
    assert not model.objects.filter(pk=vector.pk).exists()


@pytest.mark.parametrize("model", [StockVector, PairVector, TransactionVector])
def test_a_vector_that_says_something_else_than_the_rows(healthy, doctor, model):
    vector = model.objects.first()
    model.objects.filter(pk=vector.pk).update(data=bytes(vector.data)[:-8] + b"\0\0\0\0\0\0\xf0?")
    code, said = doctor()
    assert (code, said.count("\n    ")) == (1, 1)
    assert f"vectors: {model.__name__} {vector.pk} differs from the stored" in said
    assert doctor("--fix")[0] == 0


def test_an_outdated_vector_is_not_reported(healthy, doctor):
    StockMetadata.objects.update(version=10**6)
    CurrencyPair.objects.update(version=10**6)
    Portfolio.objects.update(version=10**6)
    assert doctor()[0] == 0


@pytest.mark.django_db(transaction=True)
def test_an_orphaned_vector(healthy, doctor):
    stock = StockMetadata.objects.exclude(
        holdings__isnull=False
    ).first() or StockMetadata.objects.create(ticker="LONE", currency="NOK", source="simulated")
    StockVector.objects.update_or_create(
        stock=stock, defaults={"version": 0, "first_day": None, "data": b""}
    )
    name = stock.pk.hex if connection.vendor == "sqlite" else str(stock.pk)
    past_the_program(
        f"DELETE FROM marketdata_historicalstockprice WHERE stock_id = '{name}'",
        f"DELETE FROM marketdata_stockquote WHERE stock_id = '{name}'",
        f"DELETE FROM marketdata_stockdividend WHERE stock_id = '{name}'",
        f"DELETE FROM marketdata_stocksplit WHERE stock_id = '{name}'",
        f"DELETE FROM marketdata_stockmetadata WHERE id = '{name}'",
    )
    code, said = doctor()
    assert code == 1
    assert "orphans: 1 rows of marketdata_stockvector refer to missing rows (stock_id)." in said
    assert f"vectors: StockVector {stock.pk} belongs to nothing." in said
    assert doctor("--fix")[0] == 0
    assert not StockVector.objects.filter(pk=stock.pk).exists()


def test_an_import_that_no_process_can_finish(healthy, doctor):
    ImportBatch.objects.create(
        portfolio=Portfolio.objects.get(), file_name="trades.csv", state="running"
    )
    assert "imports: 1 imports are marked as running, but their files are gone." in doctor()[1]


def test_a_backup_older_than_two_days_and_a_new_one(healthy, doctor):
    make_backup(folder=healthy / "backups")
    made_at = timezone.now() - timedelta(days=2, minutes=1)
    Backup.objects.update(made_at=made_at)
    code, said = doctor()
    assert (code, said.count("\n    ")) == (1, 1)
    assert (
        f"backups: The newest backup is from {made_at:%Y-%m-%d %H:%M} UTC.\n    Run manage.py backup"
        in said
    )
    assert doctor("--fix")[0] == 0
    assert Backup.objects.count() == 2


@pytest.mark.parametrize("harm", ["cut short", "gone"])
def test_an_unreadable_backup(healthy, doctor, harm):
    make_backup(folder=healthy / "backups")
    [path] = (healthy / "backups").glob("*.zip")
    if harm == "gone":
        path.unlink()
    else:
        os.truncate(path, 1000)
    code, said = doctor()
    assert (code, said.count("\n    ")) == (1, 1)
    assert "backups: The newest backup is not usable: " in said


def test_no_backups_at_all(healthy, doctor, settings, user):
    assert doctor()[0] == 0  # the first night is not over
    user.date_joined -= timedelta(days=3)
    user.save()
    assert "backups: No backup was made yet.\n    Run manage.py backup" in doctor()[1]
    settings.BACKUP_DIR = ""
    assert "backups: No backups are made.\n    Set BACKUP_DIR" in doctor()[1]


def test_a_world_readable_env_file_which_it_closes(healthy, doctor):
    path = healthy / ".env"
    path.write_text("SECRET_KEY=x\n")
    path.chmod(0o644)
    code, said = doctor()
    assert (code, said.count("\n    ")) == (1, 1)
    assert (
        f"{path} contains secrets, and all users of this machine can access it.\n    chmod o= {path}"
        in said
    )
    assert doctor("--fix")[0] == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("key", ["django-insecure-" + "abcdefghij" * 6, "short", "a" * 60])
def test_a_default_short_or_plain_secret_key(healthy, doctor, settings, key):
    settings.SECRET_KEY = key
    code, said = doctor()
    assert code == 1
    assert "configuration: " in said
    assert "SECRET_KEY" in said


def test_a_wrong_setting(healthy, doctor, settings):
    settings.CONFIGURATION_PROBLEMS = ["TIME_ZONE must be a time zone such as Europe/Oslo."]
    assert "configuration: TIME_ZONE must be a time zone such as Europe/Oslo." in doctor()[1]


def test_a_write_of_the_future(healthy, doctor):
    StockQuote.objects.update(fetched_at=timezone.now() + timedelta(hours=1))
    assert "clock: The last write is 60 minutes in the future" in doctor()[1]


def test_a_ledger_of_any_size_is_read_in_few_queries(
    healthy, doctor, django_assert_max_num_queries
):
    with django_assert_max_num_queries(110):
        assert doctor()[0] == 0


# --- In processes of their own --------------------------------------------------------------------


def test_a_clock_an_hour_off_a_redis_and_a_database_that_are_not_there(installation):
    shifted = installation.environment | {"TEST_CLOCK_SHIFT": "3600"}
    output = installation.manage("doctor", check=False, environment=shifted)
    assert "clock: This machine's clock is 60 minutes ahead of " in output
    assert "Synchronise the clocks with NTP" in output
    shifted = installation.environment | {"TEST_CLOCK_SHIFT": "-3600"}
    output = installation.manage("doctor", check=False, environment=shifted)
    assert "clock: This machine's clock is 60 minutes behind " in output

    without = installation.environment | {
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "DATABASE_URL": "postgres://unknown@127.0.0.1:1/nothing",
    }
    output = installation.manage("doctor", check=False, environment=without)
    assert "cache: No answer: ConnectionError" in output
    assert "broker: No answer: " in output
    assert "Start Redis, or correct REDIS_URL" in output
    assert "beat:" not in output  # unknown without the cache
    assert "database: No answer: OperationalError" in output
    assert "Start it, or correct DATABASE_URL." in output
