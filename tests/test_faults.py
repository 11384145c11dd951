"""Test the failures of docs/operations.md without servers: kill -9, full disk, changed clock."""

import contextlib
import errno
import json
import os
import shutil
import signal
import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest
import requests
from celery.schedules import crontab
from django.conf import settings
from django.db import connection

from financeproj.celery import app
from integrations.conftest import csv
from tests.servers.processes import Installation, installation  # noqa: F401
from tests.servers.services import SERVICES, OwnPostgres, postgresql_programs
from tests.servers.ynab import KEY, ynab_server

# --- Every task, killed at any point --------------------------------------------------------------

KILLER = "tests/servers/killer.py"
POINTS = 3


def test_every_task_survives_kill_9_at_any_point(installation, yahoo):
    """Each task is killed before its first import_batch, half way and near its end, then run to its
    end.
    """
    yahoo.list("ACME", [100.0 + number for number in range(300)], splits={})
    yahoo.list_rate("USD", "NOK", [10.0 + number / 1000 for number in range(300)])
    app.loader.import_default_modules()
    tasks = sorted(name for name in app.tasks if not name.startswith("celery."))
    with ynab_server() as ynab:
        plan = ynab.plan()
        account = plan.put(name="Pension", balance=500_000_500)
        installation.environment |= {"YNAB_BASE_URL": ynab.url, "YNAB_API_KEY": KEY}
        installation.environment["BACKUP_DIR"] = str(installation.place / "backups")
        output = installation.python(KILLER, plan.id, account, str(POINTS), *tasks)
    done = json.loads(output.splitlines()[-1])
    assert sorted(done) == tasks
    for name, row in done.items():
        assert row["statements"] > 0, name
        assert row["kills"] > 0, name
        assert row["after kills"] == row["undisturbed"], name
        assert row["faults"] == [], name
    assert sum(row["kills"] for row in done.values()) > 2 * len(tasks)


def test_a_stopped_worker_finishes_its_running_task(installation, yahoo):
    """Stop it as honcho does: the whole group gets the signal."""
    yahoo.list("ACME", [100.0 + number for number in range(30)])
    yahoo.delay, installation.environment["MARKET_DATA_TIMEOUT_SECONDS"] = 2, "20"
    installation.shell(
        "from marketdata.models import StockMetadata; from marketdata.tasks import fetch_history;"
        "stock = StockMetadata.objects.create(ticker='ACME', currency='USD', source='yahoo');"
        "fetch_history.delay(str(stock.pk))"
    )
    worker = installation.start_worker(processes=2)
    installation.wait_for(lambda: yahoo.open_now, "the call of the task")
    installation.kill(worker, signal.SIGTERM)
    assert worker.returncode == 0
    assert (
        installation.shell(
            "from marketdata.models import HistoricalStockPrice; print(HistoricalStockPrice.objects.count() >= 29)"
        )
        == "True"
    )


# --- A database that is away ----------------------------------------------------------------------


def test_a_user_with_a_session_also_gets_503_while_the_database_is_down(tmp_path):
    """The session's cookie alone must not send anything that works without the database to it."""
    site = Installation(tmp_path, "postgres://postgres@127.0.0.1:1/unknown", WEB_CONCURRENCY="1")
    try:
        site.start_web()

        def ask(path):
            cookie = {"Cookie": f"sessionid={'s' * 32}"}
            return requests.get(site.url + path, headers=cookie, allow_redirects=False, timeout=30)

        assert [ask(path).status_code for path in ("/healthz", "/nothing", "/i18n/texts.js")] == [
            200,
            404,
            200,
        ]
        ready = ask("/readyz")
        assert (ready.status_code, ready.json()["database"], ready.json()["cache"]) == (
            503,
            "failed",
            "ok",
        )
        refused = ask("/api/v1/portfolios")
        (error,) = refused.json()["errors"]
        assert (refused.status_code, error["code"]) == (503, "database_unavailable")
        assert refused.json()["request_id"] == refused.headers["X-Request-ID"]
        for path in ("/dashboard", "/login", "/admin/"):
            page = ask(path)
            assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
            assert "<h1>The database does not answer. Try again in a moment.</h1>" in page.text
            assert page.headers["X-Request-ID"] in page.text
    finally:
        site.stop()
    lines = [json.loads(line) for line in site.log().splitlines() if line.startswith("{")]
    assert {line["status"] for line in lines if line["event"] == "request_failed"} == {503}
    assert [
        line for line in lines if line["logger"] == "gunicorn.error" and line["level"] == "error"
    ] == []


# --- A full disk ----------------------------------------------------------------------------------


@pytest.fixture
def small_disk():
    """Mount a file system of 24 MB, or of 128 MB for a whole PostgreSQL."""
    with TemporaryDirectory(
        prefix="disk-"
    ) as place:  # pytest's folders are closed to the user postgres
        mount = [
            "mount",
            "-t",
            "tmpfs",
            "-o",
            f"size={'128m' if SERVICES else '24m'}",
            "tmpfs",
            place,
        ]
        mounted = subprocess.run(mount, capture_output=True, text=True)
        if mounted.returncode:
            pytest.skip(f"a small file system can't be mounted here: {mounted.stderr.strip()}")
        yield Path(place)
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def database_on_it(small_disk, first_database):
    """Return the URL of a database on the small disk, migrated on SQLite."""
    if not SERVICES:
        shutil.copy(first_database, small_disk / "db.sqlite3")
        yield f"sqlite:///{small_disk / 'db.sqlite3'}"
        return
    postgres = OwnPostgres(small_disk, postgresql_programs())
    postgres.start()
    yield postgres.url
    postgres.stop()


def test_a_full_disk_gives_503_and_writes_work_again_with_space(
    installation, small_disk, database_on_it
):
    site = installation
    site.environment["DATABASE_URL"] = database_on_it
    if SERVICES:
        site.manage("migrate", "--verbosity", "0")
    site.start_web()
    session = site.sign_in()
    api = f"{site.url}/api/v1"
    portfolio = session.post(
        f"{api}/portfolios", json={"name": "Nordic", "currency": "NOK"}, timeout=30
    ).json()["id"]

    def send(name, rows):
        data = csv(*(f"2024-01-02,buy,FJORD.DEMO,1,{row + 1}" for row in range(rows)))
        return session.post(
            f"{api}/transactions/import-csv",
            data={"portfolio_id": portfolio},
            files={"file": (name, data)},
            timeout=60,
        )

    assert send("first.csv", 50).json()["created"] == 50
    state = "from portfolios.models import *; print(Transaction.objects.count(), ImportBatch.objects.count())"
    assert site.shell(state) == "50 1"
    filler = small_disk / "filler"
    with filler.open("wb") as file:
        free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
        file.write(b"\0" * (free - 64 * 1024))
    refused = send("second.csv", 4000)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (503, "disk_full")
    assert "Nothing was saved" in refused.json()["errors"][0]["detail"]
    assert session.get(f"{api}/portfolios", timeout=30).status_code == 200
    filler.unlink()
    assert site.shell(state) == "50 1"
    assert send("second.csv", 4000).json()["created"] == 3950  # fifty of them are the first file's
    assert site.shell(state) == "4000 2"
    faults = "from portfolios.services.ledger_check import ledger_faults as f; print(f())"
    assert site.shell(faults) == "[]"


# --- A read-only file system ----------------------------------------------------------------------


@pytest.mark.skipif(SERVICES, reason="of the embedded database")
@pytest.mark.parametrize("ended", ["killed", "stopped"])
def test_a_process_that_starts_on_a_read_only_file_system_answers_503(
    installation, small_disk, database_on_it, ended
):
    site = installation
    site.environment["DATABASE_URL"] = database_on_it
    site.environment["TEST_PLACE"] = str(small_disk)
    site.start_web()
    session = site.sign_in()

    def create(name):
        body = {"name": name, "currency": "NOK"}
        return session.post(f"{site.url}/api/v1/portfolios", json=body, timeout=30)

    assert create("First").status_code == 201
    (small_disk / "uploads" / "left").write_bytes(b"of a killed server")
    site.stop()
    if ended == "stopped":

        def is_closed():
            """Close the databases as their last process, which removes these files."""
            for file in small_disk.glob("*.sqlite3"):
                with contextlib.closing(sqlite3.connect(file)) as last:
                    last.execute("SELECT * FROM sqlite_master").fetchall()
            return not list(small_disk.glob("*-wal"))

        site.wait_for(is_closed, "the end of the killed processes", 10)
    remount = ["mount", "-o", "remount,ro", str(small_disk)]
    # The killed processes close their files a moment later.
    site.wait_for(lambda: subprocess.run(remount).returncode == 0, "a read-only disk", 10)
    site.start_web()
    refused = create("Refused")
    error = refused.json()["errors"][0]
    assert (refused.status_code, error["code"]) == (503, "read_only")
    assert error["detail"] == "The server's disk is read-only. Nothing was saved."
    assert "Retry-After" not in refused.headers
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert create("Second").status_code == 201
    names = (
        "from portfolios.models import *; print(*Portfolio.objects.values_list('name', flat=True))"
    )
    assert site.shell(names) == "First Second"


@pytest.mark.django_db(transaction=True)
def test_a_process_whose_database_becomes_read_only_answers_503(user, api):
    """SQLite and PostgreSQL then refuse writes as they do with these settings."""
    sqlite = connection.vendor == "sqlite"
    body = {"name": "Nordic", "currency": "NOK"}
    with connection.cursor() as cursor:
        cursor.execute(
            "PRAGMA query_only = ON" if sqlite else "SET default_transaction_read_only = on"
        )
    try:
        refused = api.post("/api/v1/portfolios", body)
        assert api.get("/api/v1/portfolios").json() == []
    finally:
        connection.close_at = None
        with connection.cursor() as cursor:
            cursor.execute(
                "PRAGMA query_only = OFF" if sqlite else "SET default_transaction_read_only = off"
            )
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (503, "read_only")
    assert api.post("/api/v1/portfolios", body).status_code == 201


def test_a_page_states_a_read_only_disk(client, user, monkeypatch):
    def fail(*args):
        raise OSError(errno.EROFS, "Read-only file system")

    client.force_login(user)
    client.raise_request_exception = False
    monkeypatch.setattr("financeproj.pages.render", fail)
    page = client.get("/dashboard")
    assert page.status_code == 503
    assert b"<h1>The server&#x27;s disk is read-only. Nothing was saved.</h1>" in page.content


# --- The clock ------------------------------------------------------------------------------------


def test_across_the_turn_of_the_year_today_is_that_of_the_time_zone(installation):
    """At 23:30 in Oslo the new year is the future; an hour later it is today, and in UTC it is
    still the old one.
    """
    site = installation
    eve = datetime(2026, 12, 31, 23, 30, tzinfo=ZoneInfo("Europe/Oslo"))
    site.environment["TIME_ZONE"] = "Europe/Oslo"

    def move_clock_to(moment):
        site.environment["TEST_CLOCK_SHIFT"] = str((moment - datetime.now(UTC)).total_seconds())
        site.stop()
        site.start_web()

    def buy(day):
        body = {
            "portfolio_id": portfolio,
            "ticker": "FJORD.DEMO",
            "type": "buy",
            "quantity": 1,
            "price": 100,
        }
        return session.post(
            f"{site.url}/api/v1/transactions", json=body | {"date": day}, timeout=30
        )

    move_clock_to(eve)
    session = site.sign_in()
    url = f"{site.url}/api/v1/portfolios"
    portfolio = session.post(url, json={"name": "Nordic", "currency": "NOK"}, timeout=30).json()[
        "id"
    ]
    assert buy("2026-12-31").status_code == 201
    early = buy("2027-01-01")
    assert (early.status_code, early.json()["errors"][0]["code"]) == (422, "future_date")
    move_clock_to(eve + timedelta(hours=1))
    session.headers["Authorization"] = f"Bearer {_token(site)}"
    assert buy("2027-01-01").status_code == 201
    timeline = f"{site.url}/api/v1/portfolios/{portfolio}/timeline?start=2026-12-31"
    points = session.get(timeline, timeout=30).json()["points"]
    assert [point["date"] for point in points] == ["2026-12-31", "2027-01-01"]
    assert [point["net_flow"] for point in points][1:] == [100]


def _token(site):
    body = {"username": "kari", "password": site.environment["DJANGO_SUPERUSER_PASSWORD"]}
    return requests.post(f"{site.url}/api/v1/auth/login", json=body, timeout=30).json()["access"]


@pytest.mark.untraced
@pytest.mark.parametrize("zone", ["Europe/Oslo", "America/New_York", "UTC"])
@pytest.mark.parametrize(
    "day", ["2027-03-14", "2027-03-28", "2027-10-31", "2027-11-07", "2026-12-31"]
)
def test_on_days_of_23_and_25_hours_and_at_the_years_end_what_is_nightly_runs_once(zone, day):
    """Beat's own code, asked every five minutes for three days around the change."""
    start = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=ZoneInfo(zone)) - timedelta(
        days=1
    )
    nightly = {
        name: entry["schedule"]
        for name, entry in settings.CELERY_BEAT_SCHEDULE.items()
        if isinstance(entry["schedule"], crontab) and len(entry["schedule"].hour) == 1
    }
    assert {"refresh histories", "sync pensions", "flush expired tokens"} <= set(nightly)
    for name, entry in nightly.items():
        now = start.astimezone(UTC)
        clock = lambda: now.astimezone(ZoneInfo(zone))  # noqa: B023, E731
        schedule = crontab(minute=entry._orig_minute, hour=entry._orig_hour, nowfun=clock, app=app)
        last, runs = clock(), []
        for _ in range(3 * 24 * 12):
            now += timedelta(minutes=5)
            if schedule.is_due(last).is_due:
                last = clock()
                runs.append(last.date())
        assert [str(run) for run in runs] == [
            str(start.date() + timedelta(days=one)) for one in range(3)
        ], name
