"""Backups of earlier releases are brought up to date; a restore that fails changes nothing."""

import hashlib
import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from axes.models import AccessAttempt
from django.apps import apps
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, connections, migrations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from financeproj.users.models import User
from integrations.backups import restoring, upgrading
from integrations.backups.restoring import restore_backup
from integrations.backups.scratch import exclusive_restore
from integrations.backups.services import make_backup
from integrations.backups.states import own_labels
from integrations.backups.tests import release_files
from integrations.backups.tests.archives import entry_of, everything, put, rewritten
from integrations.backups.tests.release_figures import expected_figures
from integrations.backups.tests.scratch import scratch_exists
from integrations.models import Backup
from portfolios.models import ImportBatch, Portfolio, PortfolioBalance, Transaction
from portfolios.services import create_portfolio, set_balance

pytestmark = pytest.mark.django_db

DATA = Path(__file__).parent / "data"
BACKUPS = sorted(DATA.glob("backup-*.zip"))
OLDEST = DATA / "backup-0.1.0-sqlite.zip"


def name_of(path):
    return path.stem.removeprefix("backup-")


def figures_of(path):
    version, _ = name_of(path).rsplit("-", 1)
    return expected_figures(version)


def manifest_of(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("manifest.json"))


@pytest.fixture
def before(user):
    """Everything that the database has, and must still have after a refusal."""
    create_portfolio(user=user, name="Here before", currency="NOK")
    return everything()


@pytest.fixture(scope="module")
def kept_scratch(tmp_path_factory):
    """Where `oldest` keeps the oldest backup after it was brought up to date."""
    return tmp_path_factory.mktemp("scratch") / "oldest.sqlite3"


@pytest.fixture
def oldest(kept_scratch, monkeypatch):
    """The oldest backup, for tests that look at what follows after it was brought up to date.

    Its migrations take most of a restore, so on SQLite they run once for all these tests, and the
    scratch database is copied.
    """

    def bring_up_to_date(archive, *, migrations, scratch):
        own = connections[scratch]
        if not kept_scratch.exists():
            upgrading.bring_up_to_date(archive, migrations=migrations, scratch=scratch)
            with closing(sqlite3.connect(kept_scratch)) as copy:
                own.connection.backup(copy)
            return
        own.ensure_connection()
        with closing(sqlite3.connect(kept_scratch)) as copy:
            copy.backup(own.connection)

    if connection.vendor == "sqlite":
        monkeypatch.setattr(restoring, "bring_up_to_date", bring_up_to_date)
    return OLDEST


@pytest.fixture(scope="module")
def kept_tables(tmp_path_factory):
    """Where `tables_of_before` keeps the empty tables of each earlier state."""
    return tmp_path_factory.mktemp("tables")


@pytest.fixture
def tables_of_before(kept_tables, monkeypatch):
    """Make the empty tables of an earlier state once, for tests that look at what follows.

    On SQLite the second scratch database of a state begins as a copy of the first, so that its
    migrations have nothing to do.
    """
    models_of = upgrading._models_of

    def copied_models_of(migrations):
        kept = kept_tables / hashlib.sha256(repr(sorted(migrations)).encode()).hexdigest()
        if kept.exists():
            connection.ensure_connection()
            with closing(sqlite3.connect(kept)) as copy:
                copy.backup(connection.connection)
            return models_of(migrations)
        models = models_of(migrations)
        with closing(sqlite3.connect(kept)) as copy:
            connection.connection.backup(copy)
        return models

    if connection.vendor == "sqlite":
        monkeypatch.setattr(upgrading, "_models_of", copied_models_of)


# --- What earlier releases wrote ------------------------------------------------------------------


@pytest.mark.parametrize("path", BACKUPS, ids=name_of)
def test_a_backup_of_each_release_gives_the_figures_of_that_release(path, at_that_time):
    done = restore_backup(path)
    assert done.ledger_faults == []
    for username, expected in figures_of(path).items():
        found = release_files.figures(username)
        assert release_files.differences(found, expected) == []
    assert not scratch_exists()


@pytest.mark.parametrize("path", BACKUPS, ids=name_of)
def test_a_backup_of_each_release_is_small_enough_to_keep(path):
    assert path.stat().st_size < 300_000


def test_there_are_files_of_both_engines():
    engines = {name_of(path).rsplit("-", 1)[1] for path in BACKUPS}
    assert engines == {"sqlite", "postgresql"}


def test_no_row_of_our_apps_is_lost(oldest):
    restore_backup(oldest)
    renamed = {
        "portfolios_import": "portfolios_importbatch",
        "marketdata_heldbackprice": "marketdata_heldback",
    }
    counts = {table: len(rows) for table, rows in everything().items()}
    entries = [
        entry
        for entry in manifest_of(oldest)["files"]
        if entry["table"].split("_")[0] in own_labels()
    ]
    assert len(entries) > 20
    for entry in entries:
        table = renamed.get(entry["table"], entry["table"])
        assert (table, counts[table]) == (table, entry["rows"])
        assert entry["rows"] > 0


def test_renamed_columns_are_followed(oldest):
    restore_backup(oldest)
    rows = Transaction.objects.filter(import_batch__file_name="demo-nordic.csv")
    assert rows.count() == 8
    assert ImportBatch.objects.get(state="running").pending.attempts == 0


def test_groups_and_permissions_come_by_name_also_after_a_rename(oldest):
    restore_backup(oldest)
    ola = User.objects.get(username="ola")
    assert [group.name for group in ola.groups.all()] == ["Accountants"]
    assert sorted(ola.get_all_permissions()) == [
        "portfolios.delete_importbatch",
        "portfolios.view_importbatch",
        "portfolios.view_portfolio",
        "portfolios.view_transaction",
    ]
    names = list(Permission.objects.values_list("content_type__model", "codename"))
    assert len(names) == len(set(names))
    for model in (Portfolio, ImportBatch, Backup):
        content_type = ContentType.objects.get_for_model(model)
        assert content_type.permission_set.count() == 4


def test_of_other_apps_nothing_else_comes(settings, oldest):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.BCryptSHA256PasswordHasher"]
    restore_backup(oldest)
    for model in (Session, OutstandingToken, AccessAttempt, LogEntry):
        assert not model.objects.exists()
    assert User.objects.get(username="kari").check_password(release_files.PASSWORD)


def test_no_refresh_token_of_before_works_any_more(anonymous, oldest):
    restore_backup(oldest)
    tokens = [RefreshToken.for_user(User.objects.get(username="kari")) for _ in range(2)]
    tokens[0].blacklist()
    restore_backup(oldest, replace=True)
    for token in tokens:
        answer = anonymous.post("/api/v1/auth/refresh", {"refresh": str(token)})
        assert answer.status_code == 401
    assert not OutstandingToken.objects.exists()


def test_everything_here_is_replaced_but_the_list_of_backups(before, tmp_path, oldest):
    made = make_backup(folder=tmp_path)
    call_command("restore", str(oldest), "--replace")
    assert not Portfolio.objects.filter(name="Here before").exists()
    assert sorted(User.objects.values_list("username", flat=True)) == ["kari", "ola"]
    assert Backup.objects.get().path == made.path


def test_counted_keys_go_on_after_the_restored_ones(oldest):
    restore_backup(oldest)
    highest = max(PortfolioBalance.objects.values_list("pk", flat=True))
    portfolio = Portfolio.objects.get(name="Wall Street")
    set_balance(portfolio=portfolio, kind="cash", amount=1)
    assert PortfolioBalance.objects.get(portfolio=portfolio).pk > highest
    group = Group.objects.create(name="New")
    group.permissions.add(Permission.objects.create(
        codename="new", name="New", content_type=ContentType.objects.get_for_model(User)
    ))  # fmt: skip
    assert Group.objects.count() == 2


def test_the_command_says_that_everyone_signs_in_again(capsys, oldest):
    call_command("restore", str(oldest))
    said = capsys.readouterr().out
    assert "The backup of financeproj 0.1.0 was brought up to date." in said
    assert "counts and totals are those of the backup" in said


def test_a_backup_made_of_the_restored_rows_is_of_this_state(tmp_path, oldest):
    restore_backup(oldest)
    rows = everything()
    path = Path(make_backup(folder=tmp_path).path)
    Portfolio.objects.update(brokerage_firm="changed")
    assert restore_backup(path, replace=True).upgraded_from is None
    assert everything() == rows


def test_the_program_can_write_the_files_of_its_own_release(at_that_time, tmp_path):
    release_files.fill()
    release_files.write("9.9.9", tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        f"backup-9.9.9-{connection.vendor}.zip",
        "export-9.9.9.zip",
        "figures-9.9.9.json",
    ]
    assert all(path.stat().st_size < 300_000 for path in tmp_path.iterdir())


# --- What later changes of the tables need --------------------------------------------------------


def _mark_portfolios(apps, schema_editor):
    """A migration as anyone writes it: without a thought of which database it runs on."""
    portfolios = apps.get_model("portfolios", "Portfolio").objects
    for portfolio in portfolios.all():
        portfolio.broker = f"{portfolio.broker}, migrated"
        portfolio.save()


def later_migrations(last):
    """A release that renames a column and changes its values, and one that takes the name back."""

    class Rename(migrations.Migration):
        dependencies = [("portfolios", last)]
        operations = [
            migrations.RenameField("Portfolio", "brokerage_firm", "broker"),
            migrations.RunPython(_mark_portfolios),
        ]

    class Back(migrations.Migration):
        dependencies = [("portfolios", "9998_rename")]
        operations = [migrations.RenameField("Portfolio", "broker", "brokerage_firm")]

    return {"9998_rename": Rename, "9999_back": Back}


@pytest.fixture
def later_release(monkeypatch, tmp_path, db, tables_of_before):
    """The program and its migrated database after two more changes of the tables."""
    last = MigrationLoader(connection).graph.leaf_nodes("portfolios")[0][1]
    load_disk = MigrationLoader.load_disk

    def load(self):
        load_disk(self)
        for name, migration in later_migrations(last).items():
            self.disk_migrations["portfolios", name] = migration(name, "portfolios")

    def release():
        monkeypatch.setattr(MigrationLoader, "load_disk", load)
        for name in later_migrations(last):
            MigrationRecorder(connection).record_applied("portfolios", name)

    return release


def test_a_backup_of_today_is_carried_over_later_renames(user, later_release, tmp_path):
    create_portfolio(user=user, name="Nordic", currency="NOK", brokerage_firm="Firm")
    path = Path(make_backup(folder=tmp_path).path)
    later_release()
    create_portfolio(user=user, name="Later", currency="NOK", brokerage_firm="Firm")
    done = restore_backup(path, replace=True)
    assert done.upgraded_from is not None
    assert [(one.name, one.brokerage_firm) for one in Portfolio.objects.all()] == [
        ("Nordic", "Firm, migrated")
    ]


def test_a_backup_of_the_first_release_is_carried_over_them_too(later_release):
    later_release()
    restore_backup(OLDEST)
    firms = Portfolio.objects.values_list("brokerage_firm", flat=True)
    assert len(firms) == 4
    assert {firm.rsplit(", ", 1)[-1] for firm in firms} == {"migrated"}


def test_no_migration_touches_the_installation(before, later_release, monkeypatch):
    later_release()
    monkeypatch.setattr(restoring, "_replace_all", lambda source, replace: (0, []))
    restore_backup(OLDEST, replace=True)
    assert everything() == before


# --- Refusals -------------------------------------------------------------------------------------


def test_one_of_a_later_release_is_refused_by_name(before, later_release, tmp_path):
    def later(files, manifest):
        manifest["migrations"] += ["portfolios.9998_rename", "axes.9999_new"]
        manifest["program"] = "9.8.7"

    path = Path(make_backup(folder=tmp_path).path)
    said = r"portfolios.9998_rename is not known here\. financeproj 9\.8\.7 wrote it, this is .*: upgrade"
    with pytest.raises(CommandError, match=f"Nothing was changed. .*{said}"):
        call_command("restore", str(rewritten(path, later)), "--replace")
    assert everything() == before


def test_one_with_an_app_of_a_later_release_is_refused(before, tmp_path):
    def later(files, manifest):
        manifest["apps"].append("crypto")
        manifest["migrations"].append("crypto.0001_initial")

    path = Path(make_backup(folder=tmp_path).path)
    with pytest.raises(
        CommandError, match=r"later release: crypto, crypto.0001_initial is not known"
    ):
        call_command("restore", str(rewritten(path, later)), "--replace")
    assert everything() == before


def test_every_app_of_the_program_is_listed_as_our_own():
    listed = set(settings.OWN_APPS)
    for config in apps.get_app_configs():
        path = Path(config.path)
        is_ours = settings.BASE_DIR in path.parents and "site-packages" not in path.parts
        assert (config.name, config.name in listed) == (config.name, is_ours)


def test_a_later_version_of_the_format_is_refused_by_name(before, tmp_path):
    def later(files, manifest):
        manifest.update(version=2, program="9.8.7")

    path = Path(make_backup(folder=tmp_path).path)
    said = "Its version is 2; this program reads version 1 and older. financeproj 9.8.7 wrote it"
    with pytest.raises(CommandError, match=said):
        call_command("restore", str(rewritten(path, later)), "--replace")
    assert everything() == before


def test_other_versions_of_packages_do_not_matter(tmp_path, user, tables_of_before):
    def upgraded_packages(files, manifest):
        manifest["migrations"] += ["axes.9999_new", "auth.9999_new"]
        entry_of(manifest, "auth_group.jsonl")["columns"].append("colour")
        put(files, manifest, "auth_group.jsonl", '[7,"Accountants","red"]\n')
        entry_of(manifest, "auth_group.jsonl").update(rows=1, totals={"id": "7"})

    path = Path(make_backup(folder=tmp_path).path)
    done = restore_backup(rewritten(path, upgraded_packages), replace=True)
    assert done.upgraded_from is not None
    assert [user.username for user in User.objects.all()] == ["kari"]
    assert Group.objects.get().name == "Accountants"


def test_a_database_that_is_not_migrated_is_left_alone(before):
    last = MigrationLoader(connection).graph.leaf_nodes("portfolios")[0]
    MigrationRecorder(connection).record_unapplied(*last)
    said = rf"lacks the migration portfolios\.{last[1]}\. Run manage.py migrate"
    with pytest.raises(CommandError, match=said):
        call_command("restore", str(OLDEST), "--replace")
    assert everything() == before


def test_a_database_in_use_is_left_alone_before_anything_is_made(before, monkeypatch):
    monkeypatch.setattr(restoring, "bring_up_to_date", None)
    with pytest.raises(CommandError, match=r"The database is not empty .*Pass --replace"):
        call_command("restore", str(OLDEST))
    assert everything() == before


def test_only_one_restore_runs_at_a_time(before, oldest):
    with exclusive_restore():
        with pytest.raises(CommandError, match=r"Nothing was changed\. Another restore is running"):
            call_command("restore", str(oldest), "--replace")
        assert everything() == before
    call_command("restore", str(oldest), "--replace")
    assert User.objects.count() == 2


def _double_a_row(files, manifest):
    text = files["portfolios_holding.jsonl"]
    put(files, manifest, "portfolios_holding.jsonl", text + text.splitlines(keepends=True)[0])


def _lose_the_users(files, manifest):
    put(files, manifest, "users_user.jsonl", "")
    entry_of(manifest, "users_user.jsonl").update(rows=0, totals={})


def _lose_a_row(files, manifest):
    text = "".join(files["portfolios_transaction.jsonl"].splitlines(keepends=True)[1:])
    put(files, manifest, "portfolios_transaction.jsonl", text)


def _change_a_number(files, manifest):
    text = files["portfolios_transaction.jsonl"].replace('"131.5"', '"131.6"')
    put(files, manifest, "portfolios_transaction.jsonl", text)


def _rename_a_column(files, manifest):
    columns = entry_of(manifest, "portfolios_portfolio.jsonl")["columns"]
    columns[columns.index("cash")] = "money"


def _add_a_column(files, manifest):
    entry_of(manifest, "portfolios_portfolio.jsonl")["columns"].append("money")


def _leave_out_a_table(files, manifest):
    del files["portfolios_import.jsonl"]
    manifest["files"].remove(entry_of(manifest, "portfolios_import.jsonl"))


def _list_no_migrations(files, manifest):
    del manifest["migrations"]


def _list_odd_migrations(files, manifest):
    manifest["migrations"] = [7]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_double_a_row, "contradict each other"),
        (_lose_the_users, "contradict each other"),
        (_lose_a_row, "portfolios_transaction has 25 rows, not 26"),
        (_change_a_number, "the sum of portfolios_transaction.price is"),
        (_rename_a_column, "portfolios_portfolio has an unknown column money"),
        (_add_a_column, "portfolios_portfolio has an unknown column money"),
        (_leave_out_a_table, "It has no table portfolios_import"),
        (_list_no_migrations, "Its manifest is not complete"),
        (_list_odd_migrations, "Its manifest is not complete"),
    ],
)
def test_one_that_contradicts_itself_is_refused(before, tmp_path, change, said, tables_of_before):
    copy = tmp_path / OLDEST.name
    copy.write_bytes(OLDEST.read_bytes())
    with pytest.raises(CommandError, match=f"Nothing was changed. .*({said})"):
        call_command("restore", str(rewritten(copy, change)), "--replace")
    assert everything() == before
    assert not scratch_exists()


@pytest.mark.parametrize("step", ["_load", "call_command", "_models_of"])
def test_a_failure_at_any_step_changes_nothing_and_leaves_no_scratch(
    before, monkeypatch, step, tables_of_before
):
    real = getattr(upgrading, step)

    def fail(*args, **options):
        real(*args, **options)
        raise DatabaseError("disk full")

    monkeypatch.setattr(upgrading, step, fail)
    with pytest.raises(CommandError, match=r"Nothing was changed\. disk full"):
        call_command("restore", str(OLDEST), "--replace")
    assert everything() == before
    assert not scratch_exists()
    assert connection.alias == "default"


def test_a_failure_at_the_very_end_changes_nothing(before, monkeypatch, oldest):
    def fail():
        raise DatabaseError("disk full")

    monkeypatch.setattr(restoring, "ledger_faults", fail)
    with pytest.raises(CommandError, match=r"Nothing was changed\. disk full"):
        call_command("restore", str(oldest), "--replace")
    assert everything() == before
    assert not scratch_exists()
