"""Test backups of an installation in use, and backups that are killed."""

import json
import signal
import time
import zipfile
from decimal import Decimal as D
from pathlib import Path

import pytest

from tests.servers.processes import filled, installation  # noqa: F401

# Prices enough that a backup takes a while.
MANY_PRICES = """
from datetime import date, timedelta
from decimal import Decimal
from marketdata import services
from marketdata.models import StockMetadata
for number in range(3):
    stock = StockMetadata.objects.create(ticker=f"MANY{number}", currency="NOK", source="simulated")
    closes = [(date(1990, 1, 1) + timedelta(days=day), Decimal(day + 1) / 8) for day in range(10_000)]
    services.record_prices(stock=stock, closes=closes, source="simulated")
"""

COUNT = """
from financeproj.users.models import User
from marketdata.models import HistoricalStockPrice
print(HistoricalStockPrice.objects.count(), User.objects.count())
"""
SCRATCH = """
from integrations.backups.tests.scratch import scratch_exists
print(scratch_exists())
"""


@pytest.fixture(scope="module")
def first_database(tmp_path_factory, django_db_setup):
    with filled(tmp_path_factory.mktemp("many"), django_db_setup, MANY_PRICES) as database:
        yield database


@pytest.fixture
def site(installation):
    return installation


def rows(path, table):
    """Return the rows of a table in a backup, each by column."""
    with zipfile.ZipFile(path) as archive:
        [entry] = [
            one
            for one in json.loads(archive.read("manifest.json"))["files"]
            if one["table"] == table
        ]
        lines = archive.read(entry["name"]).splitlines()
        return [dict(zip(entry["columns"], json.loads(line), strict=True)) for line in lines]


def writes(log):
    lines = [line.split() for line in log.read_text().splitlines() if line.count(".") == 2]
    return [(float(moment), float(took)) for moment, took in lines]


def test_while_another_writes_every_backup_is_of_one_moment_and_blocks_no_one(site):
    log, folder = site.place / "writes", site.place / "backups"
    hammer = site.start("-m", "tests.servers.hammer", str(log))
    site.wait_for(lambda: log.exists() and len(writes(log)) > 20, "the first writes")
    seen = []
    for _ in range(2):
        began = time.time()
        assert "proved" in site.manage("backup", "--to", str(folder))
        path = max(folder.glob("*.zip"), key=lambda path: path.stat().st_mtime)
        meanwhile = [took for moment, took in writes(log) if began < moment < time.time()]
        assert len(meanwhile) > 5
        assert max(meanwhile) < 20  # The backup blocks no one; the machine may be slow.
        portfolios = rows(path, "portfolios_portfolio")
        assert sum(D(one["cash"]) for one in portfolios) == 0
        assert {one["name"] for one in portfolios} == {"First", "Second"}
        trades = rows(path, "portfolios_transaction")
        held = {
            one["portfolio_id"]: D(one["current_quantity"])
            for one in rows(path, "portfolios_holding")
        }
        for portfolio in portfolios:
            count = sum(one["portfolio_id"] == portfolio["id"] for one in trades)
            assert held.get(portfolio["id"], 0) == count
        seen.append(max(D(one["cash"]) for one in portfolios))
    assert seen == sorted(set(seen))  # each of a later moment
    site.kill(hammer)
    said = site.manage("restore", str(path), "--replace")
    assert "counts and totals are those of the backup" in said
    check = (
        "from portfolios.services.ledger_check import ledger_faults as faults; "
        "from portfolios.models import Portfolio as P;"
    )
    assert (
        site.shell(f"{check} print(faults(), sum(P.objects.values_list('cash', flat=True)))")
        == "[] 0"
    )


def test_a_backup_that_is_killed_leaves_no_file_under_its_name(site):
    folder = site.place / "backups"

    def parts():
        return [path for path in folder.glob(".financeproj-backup-*/*") if path.stat().st_size]

    for stage in ("backup.zip", "proof.sqlite3"):
        before = set(folder.glob(".*")) if folder.exists() else set()
        process = site.start("manage.py", "backup", "--to", str(folder))
        until = time.monotonic() + 60
        while time.monotonic() < until and not any(
            path.name == stage and path.parent not in before for path in parts()
        ):
            assert process.poll() is None, site.log()
            time.sleep(0.005)
        site.kill(process, signal.SIGKILL)
        assert list(folder.glob("*.zip")) == []
        assert set(folder.glob(".*")) - before  # it was at work
    assert (
        site.shell(
            "from integrations.backups.services import newest_backup; print(newest_backup())"
        )
        == "None"
    )
    assert "proved" in site.manage("backup", "--to", str(folder))
    assert len(list(folder.glob("*.zip"))) == 1


def test_a_restore_that_is_killed_changes_nothing(site):
    folder = site.place / "backups"
    site.manage("backup", "--to", str(folder))
    [path] = folder.glob("*.zip")
    rename = "from marketdata.models import StockMetadata as S; S.objects.filter(ticker='MANY1').update(sector='kept');"
    site.shell(rename)
    count = "from marketdata.models import HistoricalStockPrice as P, StockMetadata as S;"
    count += "print(P.objects.count(), S.objects.get(ticker='MANY1').sector)"
    at_the_commit = (
        "import os, signal; from django.core.management import call_command; from django.db import connection;"
        "connection._commit = lambda: os.kill(os.getpid(), signal.SIGKILL);"
        f"call_command('restore', {str(path)!r}, '--replace')"
    )
    process = site.start("manage.py", "shell", "--no-imports", "-c", at_the_commit)
    assert process.wait(120) == -signal.SIGKILL, site.log()
    assert site.shell(count) == "30000 kept"
    site.manage("restore", str(path), "--replace")
    assert site.shell(count) == "30000"


def test_a_restore_of_an_older_backup_that_is_killed_is_cleaned_up_by_the_next(site):
    path = Path(__file__).parent / "data" / "backup-0.1.0-postgresql.zip"
    begin = "import os, signal; from django.core.management import call_command;"
    begin += (
        "from django.db import connection; from integrations.backups import scratch, upgrading;"
    )
    end = f"call_command('restore', {str(path)!r}, '--replace')"
    # While the scratch database is filled, and when its rows are about to be committed here.
    for kill in (
        "upgrading.call_command = lambda *args, **options: os.kill(os.getpid(), signal.SIGKILL);",
        "connection._commit = lambda: os.kill(os.getpid(), signal.SIGKILL);",
    ):
        process = site.start("manage.py", "shell", "--no-imports", "-c", begin + kill + end)
        assert process.wait(120) == -signal.SIGKILL, site.log()
        assert site.shell(COUNT) == "30000 0"
        assert site.shell(SCRATCH) == "True"
    said = site.manage("restore", str(path), "--replace")
    assert "The backup of financeproj 0.1.0 was brought up to date" in said
    assert site.shell(COUNT) == "5876 2"
    assert site.shell(SCRATCH) == "False"


def test_beat_backs_up_nightly_only_where_a_folder_is_set(site):
    show = "from django.conf import settings as s; "
    show += "print(s.CELERY_BEAT_SCHEDULE.get('back up', {}).get('task'), s.BACKUP_DIR)"
    assert site.shell(show) == "None"
    site.environment["BACKUP_DIR"] = str(site.place / "nightly")
    assert site.shell(show) == f"integrations.tasks.back_up {site.place / 'nightly'}"
    site.start_worker()
    site.wait_for(lambda: "ready" in site.log(), "the worker")
    site.shell("from integrations.tasks import back_up; back_up.delay()")  # as beat does
    site.wait_for(lambda: list((site.place / "nightly").glob("*.zip")), "the backup")
    said = "from integrations.models import Backup; print([(row.proved, row.detail) for row in Backup.objects.all()])"
    site.wait_for(lambda: site.shell(said) == "[(True, '')]", "its record")
    assert "backup_proved" in site.log()
