"""Test that an export loaded into the other database engine gives the same answers."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from tests.servers.processes import ROOT, Installation, database_like
from tests.servers.services import with_services

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NUMBER = re.compile(r"-?[0-9]+\.[0-9]+")
RESTORED = re.compile(rb"[,\"]restored[,\"]")
WAYS = [("sqlite", "postgresql"), ("postgresql", "sqlite")]


@pytest.fixture(scope="module")
def sqlite_file(tmp_path_factory):
    """Create an empty, migrated SQLite database, because the test's own is PostgreSQL here."""
    place = tmp_path_factory.mktemp("empty")
    file = place / "db.sqlite3"
    Installation(place, f"sqlite:///{file}").manage("migrate", "--verbosity", "0")
    return file


@pytest.fixture
def install(tmp_path, yahoo, django_db_setup, sqlite_file):
    """Create an installation with an empty database; its processes only reach the test's Yahoo."""
    with ExitStack() as stack:

        def make(name, engine):
            place = tmp_path / name
            place.mkdir()
            if engine == "sqlite":
                url = f"sqlite:///{shutil.copy(sqlite_file, place / 'db.sqlite3')}"
            else:
                url = stack.enter_context(database_like(django_db_setup, place))
            return Installation(
                place,
                url,
                TEST_YAHOO_URL=yahoo.url,
                YNAB_API_KEY="key",
                YNAB_BASE_URL="http://127.0.0.1:9/v1",
            )

        yield make


def run(site, *command):
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=site.environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def answers(site, now, username="demo"):
    return json.loads(run(site, "-m", "tests.servers.answers", username, now).splitlines()[-1])


@pytest.fixture
def fill(yahoo):
    def filled(site, **more):
        yahoo.list("ODDS", [10.0, 10.25, 10.5, 10.75, 11.0], currency="USD", name="Odds plc")
        site.manage("make_demo")
        site.shell(f"from tests.servers.odd_cases import fill; fill('demo', **{more})")
        return datetime.now(UTC).isoformat()

    return filled


def same(before, after):
    assert list(before) == list(after)
    for url, answer in before.items():
        assert after[url] == answer, url


def csv_files(path):
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name != "manifest.json"]
        return {name: b"".join(lines_of(archive, name)) for name in names}


def lines_of(archive, name):
    """Return the lines of a file, but the history's entry about an import or a restore itself."""
    lines = archive.read(name).splitlines(keepends=True)
    if "history" not in name:
        return lines
    return [line for line in lines if not RESTORED.search(line)]


def same_but_for_ids(first, second):
    """Compare two exports: each id of one matches one of the other. `updated_at` may differ."""
    ids = {}
    for name, data in first.items():
        rows, theirs = table(data), table(second[name])
        if name == "ynab_budget.csv":
            assert (len(rows), theirs) == (1, [])  # staff did not assign it to this user
            continue
        if name == "profile.csv":
            assert (rows[0].pop("username"), theirs[0].pop("username")) == ("demo", "zoë")
        shared = (
            {row["stock_id"] for row in rows} if name in ("prices.csv", "quotes.csv") else set()
        )
        assert len(rows) == len(theirs), name
        if shared:
            continue  # market data: that which was here stays; its order is that of ids
        for row, other in zip(*(sorted(each, key=key_of) for each in (rows, theirs)), strict=True):
            for column, value in row.items():
                if column in ("updated_at", "adopted"):
                    continue
                assert without_ids(value) == without_ids(other[column]), (name, column)
                pairs = zip(UUID.findall(value), UUID.findall(other[column]), strict=True)
                for one, its in pairs:
                    assert ids.setdefault(one, its) == its, (name, column)
    own = [pk for pk in ids.values() if pk not in ids]
    assert len(own) > 300


def key_of(row):
    return [
        without_ids(value)
        for column, value in row.items()
        if column not in ("updated_at", "adopted")
    ]


def without_ids(value):
    """Replace ids, also those in JSON such as `known_rows.rows`."""
    return UUID.sub("id", value)


def table(data):
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def unpadded(line):
    values = json.loads(line)
    for position, value in enumerate(values):
        if isinstance(value, str) and NUMBER.fullmatch(value):
            values[position] = value.rstrip("0").rstrip(".")
    return values


def tables(path):
    """Table → its rows without regard to order and to zeros at a number's end, in which the engines
    differ.
    """
    with zipfile.ZipFile(path) as archive:
        found = {}
        for name in archive.namelist():
            if name != "manifest.json":
                rows = map(unpadded, lines_of(archive, name))
                found[name] = sorted(json.dumps(row, sort_keys=True) for row in rows)
        return found


@with_services
@pytest.mark.parametrize(("here", "there"), WAYS)
def test_an_export_gives_the_same_answers_in_another_installation(
    install, fill, yahoo, tmp_path, here, there
):
    old = install("old", here)
    now = fill(old)
    before = answers(old, now)
    assert len(before) > 250
    first, second = str(tmp_path / "first.zip"), str(tmp_path / "second.zip")
    old.manage("export_data", first, "--user", "demo")
    old.manage("backup", "--to", str(tmp_path / "old"))
    [backup] = (tmp_path / "old").glob("*.zip")
    yahoo.forget_requests()

    # The export of one user.
    new = install("new", there)
    assert "Everything is imported for demo" in new.manage("import_data", first)
    same(before, answers(new, now))
    assert (
        yahoo.asked("chart") == 0
    )  # what prices and rates are needed came along; a search always asks
    new.manage("export_data", second, "--user", "demo")
    assert csv_files(first) == csv_files(second)  # byte for byte, ids and times too
    assert new.manage("import_data", first, check=False) == ""  # a second time it is refused
    new.manage("import_data", first, "--user", "zoë")  # as another user it gets other ids
    new.manage("export_data", second, "--user", "zoë")
    same_but_for_ids(csv_files(first), csv_files(second))

    # The backup of the whole.
    new = install("restored", there)
    assert "counts and totals are those of the backup" in new.manage("restore", str(backup))
    same(before, answers(new, now))
    assert yahoo.asked("chart") == 0
    new.manage("backup", "--to", str(tmp_path / "new"))
    [again] = (tmp_path / "new").glob("*.zip")
    assert tables(backup) == tables(again)
    new.shell(  # counted keys go on after those that were restored
        "from datetime import date; from portfolios import services; from portfolios.models import Portfolio;"
        "services.set_balance(portfolio=Portfolio.objects.first(), kind='cash', amount=1, on=date(2001, 1, 1))"
    )


@with_services
def test_numbers_too_long_for_sqlite_are_refused_and_nothing_is_written(install, fill, tmp_path):
    old, new = install("old", "postgresql"), install("new", "sqlite")
    fill(old, more_digits=True)
    export = str(tmp_path / "export.zip")
    old.manage("export_data", export, "--user", "demo")
    assert "proved" in old.manage(
        "backup", "--to", str(tmp_path / "old")
    )  # the proof has all digits
    [backup] = (tmp_path / "old").glob("*.zip")
    for command in (("import_data", export), ("restore", str(backup))):
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=new.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert "digits" in done.stderr
        assert "1.23456789012345678901" in done.stderr or "transactions.csv row" in done.stderr
    assert (
        new.shell("from financeproj.users.models import User; print(User.objects.count())") == "0"
    )
    again = install("again", "postgresql")
    again.manage("import_data", export)
    price = "print(T.objects.filter(price__gt=1, price__lt=2, type='fee').values_list('price', flat=True)[0])"
    assert (
        again.shell(f"from portfolios.models import Transaction as T; {price}")
        == "1.23456789012345678901"
    )
