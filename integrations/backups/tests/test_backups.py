"""Test that backups are verified, kept and restored, and that a damaged file changes nothing."""

import json
import os
import stat
import zipfile
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from financeproj.core.ops.checks import backups_can_be_written
from financeproj.users.models import User
from integrations import tasks
from integrations.backups import services
from integrations.backups.restoring import restore_backup
from integrations.backups.services import make_backup, newest_backup
from integrations.backups.tables import archived_models
from integrations.backups.tests.archives import entry_of, everything, put, rewritten
from integrations.exports.writing import write_export
from integrations.models import Backup
from marketdata.models import StockMetadata
from portfolios.models import Portfolio, PortfolioBalance, Transaction
from portfolios.services import set_balance
from portfolios.tests.conftest import make_stock, stock, trade  # noqa: F401  (fixtures)

pytestmark = pytest.mark.django_db


@pytest.fixture
def full(portfolio, stock):
    trade(portfolio, stock, "buy", "10.5", "99.99", note="Ærlig 株\n=1+1")
    trade(portfolio, stock, "sell", "0.5", "120", commission="29")
    set_balance(portfolio=portfolio, kind="cash", amount=D("-12.34"))
    return portfolio


@pytest.fixture
def backup(full, tmp_path):
    return Path(make_backup(folder=tmp_path / "backups").path)


# --- Making ---------------------------------------------------------------------------------------


def test_a_backup_is_proved_and_only_its_owner_may_read_it(full, tmp_path):
    row = make_backup(folder=tmp_path / "backups")
    [path] = (tmp_path / "backups").iterdir()
    assert (row.path, row.size, row.proved, row.detail) == (
        str(path),
        path.stat().st_size,
        True,
        "",
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert row.rows == sum(model._base_manager.count() for model in archived_models())
    newest = newest_backup()
    assert (newest.made_at, newest.path, newest.proved, newest.fault) == (
        row.made_at,
        path,
        True,
        "",
    )


def test_its_manifest_has_the_counts_and_the_totals(backup):
    with zipfile.ZipFile(backup) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    entry = entry_of(manifest, "portfolios_transaction.jsonl")
    assert (manifest["format"], manifest["version"]) == ("financeproj-backup", 1)
    assert (entry["rows"], entry["totals"]["quantity"], entry["totals"]["commission"]) == (
        2,
        "11",
        "29",
    )
    assert entry_of(manifest, "portfolios_portfoliobalance.jsonl")["totals"]["amount"] == "-12.34"


def test_a_file_that_cannot_be_loaded_again_is_not_proved(full, tmp_path, monkeypatch):
    write = services._write

    def write_and_cut(path):
        rows = write(path)
        os.truncate(path, path.stat().st_size // 2)
        return rows

    good = make_backup(folder=tmp_path)
    monkeypatch.setattr(services, "_write", write_and_cut)
    bad = make_backup(folder=tmp_path, keep=1)
    assert not bad.proved
    assert bad.detail.startswith(
        "It cannot be loaded again: It is not a readable archive, or it is cut off: "
    )
    assert newest_backup().fault == bad.detail
    # The last one that was proved stays although only one is to be kept.
    assert sorted(path.name for path in tmp_path.glob("*.zip")) == sorted(
        Path(row.path).name for row in (good, bad)
    )
    with pytest.raises(
        CommandError, match=r"The backup is not proved .*: It cannot be loaded again"
    ):
        call_command("backup", "--to", str(tmp_path))


def test_rows_lost_between_writing_and_reading_back_are_noticed(full, tmp_path, monkeypatch):
    write = services._write

    def write_and_forget(path):
        rows = write(path)

        def lose_one(files, manifest):
            lines = files["portfolios_transaction.jsonl"].splitlines(keepends=True)
            put(files, manifest, "portfolios_transaction.jsonl", lines[0])

        rewritten(path, lose_one).rename(path)
        return rows

    monkeypatch.setattr(services, "_write", write_and_forget)
    row = make_backup(folder=tmp_path)
    assert (row.proved, row.detail) == (False, "portfolios_transaction has 1 rows, not 2")


def test_an_unwritable_folder_is_reported_and_leaves_no_file(full, tmp_path):
    (tmp_path / "taken").write_text("not a folder")
    with pytest.raises(CommandError, match="FileExistsError"):
        call_command("backup", "--to", str(tmp_path / "taken"))
    row = Backup.objects.get()
    assert (row.path, row.proved, row.detail[:15]) == ("", False, "FileExistsError")
    assert newest_backup() is None
    with pytest.raises(CommandError, match="No folder given"):
        call_command("backup")


def test_keep_deletes_older_own_files_and_no_others(full, tmp_path):
    foreign = [tmp_path / "financeproj-20200101T000000Z-aaaa.zip", tmp_path / "notes.txt"]
    for path in foreign:
        path.write_text("of another program")
    elsewhere = make_backup(folder=tmp_path / "elsewhere")
    first, second = make_backup(folder=tmp_path), make_backup(folder=tmp_path)
    third = make_backup(folder=tmp_path, keep=2)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {
        *(path.name for path in foreign),
        Path(second.path).name,
        Path(third.path).name,
    }
    assert Path(elsewhere.path).exists()
    assert not Backup.objects.filter(pk=first.pk).exists()
    with pytest.raises(CommandError):
        call_command("backup", "--to", str(tmp_path), "--keep", "0")


def test_files_of_a_killed_backup_are_removed_after_a_day(full, tmp_path):
    for name, hours in (("old", 30), ("young", 1)):
        work = tmp_path / f".financeproj-backup-{name}"
        work.mkdir()
        (work / "backup.zip").write_text("half")
        then = (timezone.now() - timedelta(hours=hours)).timestamp()
        os.utime(work, (then, then))
    make_backup(folder=tmp_path)
    assert [path.name for path in tmp_path.glob(".*")] == [".financeproj-backup-young"]


def test_a_backup_that_is_gone_or_was_cut_is_not_readable(backup):
    assert newest_backup().fault == ""
    os.truncate(backup, 100)
    assert "has 100 bytes, not" in newest_backup().fault
    backup.unlink()
    assert f"{backup} cannot be read" in newest_backup().fault


def test_the_nightly_one_is_made_once_an_hour_and_only_with_a_folder(full, settings, tmp_path):
    settings.BACKUP_DIR = ""
    tasks.back_up()
    assert not Backup.objects.exists()
    settings.BACKUP_DIR = str(tmp_path / "nightly")
    tasks.back_up()
    tasks.back_up()
    assert [row.proved for row in Backup.objects.all()] == [True]
    assert len(list((tmp_path / "nightly").glob("*.zip"))) == 1


def test_a_folder_that_cannot_be_written_is_a_warning(settings, tmp_path):
    settings.BACKUP_DIR = str(tmp_path / "new")
    assert backups_can_be_written() == []
    settings.BACKUP_DIR = str(tmp_path / "not" / "there")
    [warning] = backups_can_be_written()
    assert (warning.id, str(tmp_path) in warning.msg) == ("financeproj.W103", True)


# --- Restoring ------------------------------------------------------------------------------------


def test_restored_every_row_is_as_it_was_and_the_backups_list_stays(backup, full):
    before = everything()
    Transaction.objects.all().delete()
    User.objects.create_user(username="later", password="x")
    StockMetadata.objects.filter(pk=full.holdings.get().stock_id).update(company_name="Changed")
    assert everything() != before
    done = restore_backup(backup, replace=True)
    assert everything() == before
    assert done.ledger_faults == []
    assert done.rows == sum(map(len, before.values()))
    assert Backup.objects.count() == 1


def test_keys_that_are_counted_go_on_after_the_restored_ones(backup, full):
    before = max(PortfolioBalance.objects.values_list("pk", flat=True))
    restore_backup(backup, replace=True)
    set_balance(portfolio=Portfolio.objects.get(), kind="credit", amount=D(1))
    assert PortfolioBalance.objects.get(kind="credit").pk > before


def test_a_database_in_use_is_left_alone_without_replace(backup):
    before = everything()
    with pytest.raises(
        CommandError, match=r"Nothing was changed. The database is not empty .*Pass --replace"
    ):
        call_command("restore", str(backup))
    assert everything() == before


def test_holdings_that_were_wrong_are_restored_and_named(full, tmp_path, capsys):
    full.holdings.update(realised_gain=1)
    path = make_backup(folder=tmp_path).path
    call_command("restore", path, "--replace")
    assert (
        "As it was in the backup: FJORD.DEMO in Nordic: realised_gain is 1, replayed -18.9"
        in capsys.readouterr().err
    )
    assert full.holdings.get().realised_gain == 1


@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_is_refused(backup, part):
    before = everything()
    os.truncate(backup, int(backup.stat().st_size * part))
    with pytest.raises(
        CommandError, match=r"Nothing was changed\. It is not a readable archive, or it is cut off"
    ):
        call_command("restore", str(backup), "--replace")
    assert everything() == before


@pytest.mark.untraced
def test_a_flipped_bit_is_refused_or_was_in_no_row(backup):
    before = everything()
    data = backup.read_bytes()
    refused = 0
    positions = range(0, len(data), max(1, len(data) // 100))
    for position in positions:
        flipped = bytearray(data)
        flipped[position] ^= 0x10
        backup.write_bytes(flipped)
        try:
            restore_backup(backup, replace=True)
        except services.BadArchive:
            refused += 1
        assert everything() == before  # what is not refused was a date of the ZIP or the like
    assert refused > len(positions) / 2


def _lose_a_file(files, manifest):
    del files["users_user.jsonl"]


def _add_a_file(files, manifest):
    files["more.jsonl"] = "[]\n"


def _leave_out_a_table(files, manifest):
    del files["users_user.jsonl"]
    manifest["files"].remove(entry_of(manifest, "users_user.jsonl"))


def _later_version(files, manifest):
    manifest["version"] = 2


def _other_migrations(files, manifest):
    manifest["migrations"].append("portfolios.0099_future")


def _change_a_text(files, manifest):
    files["users_user.jsonl"] = files["users_user.jsonl"].replace("kari", "ivar")


def _change_a_number(files, manifest):
    text = files["portfolios_transaction.jsonl"].replace('"99.99"', '"99.98"')
    put(files, manifest, "portfolios_transaction.jsonl", text)


def _no_number(files, manifest):
    text = files["portfolios_transaction.jsonl"].replace('"99.99"', '"many"')
    put(files, manifest, "portfolios_transaction.jsonl", text)


def _lose_the_user(files, manifest):
    put(files, manifest, "users_user.jsonl", "")
    entry_of(manifest, "users_user.jsonl").update(rows=0)


def _double_a_row(files, manifest):
    put(files, manifest, "portfolios_portfolio.jsonl", files["portfolios_portfolio.jsonl"] * 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_lose_a_file, "Its files are not those of its manifest"),
        (_add_a_file, "Its files are not those of its manifest"),
        (_leave_out_a_table, "It has no table users_user"),
        (_later_version, "Its version is 2; this program reads version 1"),
        (_other_migrations, "It is of a later release: portfolios.0099_future is not known here"),
        (_change_a_text, "users_user.jsonl was changed after it was written"),
        (_change_a_number, "the sum of portfolios_transaction.price is 219.98, not 219.99"),
        (_no_number, "portfolios_transaction.jsonl line"),
        (_lose_the_user, "(contradict each other|the sum of users_user)"),
        (_double_a_row, "contradict each other"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(backup, change, said):
    before = everything()
    changed = rewritten(backup, change)
    with pytest.raises(CommandError, match=f"Nothing was changed.*{said}"):
        call_command("restore", str(changed), "--replace")
    assert everything() == before


def test_another_kind_of_file_is_refused(user, tmp_path):
    with (tmp_path / "export.zip").open("wb") as file:
        write_export(user=user, file=file)
    for path, said in (
        (tmp_path / "export.zip", "It is not a financeproj-backup file but financeproj-export"),
        (tmp_path / "missing.zip", "It is not a readable archive"),
        (Path(__file__), "It is not a readable archive"),
    ):
        with pytest.raises(CommandError, match=said):
            call_command("restore", str(path), "--replace")
    assert User.objects.count() == 1
