"""Making, proving, keeping and restoring backups."""

import os
import secrets
import shutil
import sqlite3
import time
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog
from django.core.management.color import no_style
from django.db import (
    DatabaseError,
    IntegrityError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.utils import timezone

from financeproj.core.db.rows import insert_rows, snapshot
from financeproj.core.errors import Conflict, DomainError
from financeproj.core.money import SIGNIFICANT_DIGITS, significant_digits
from integrations.archives import ArchiveReader, ArchiveWriter, BadArchive
from integrations.backups.tables import (
    Totals,
    applied_migrations,
    archived_models,
    archived_rows,
    fields_of,
    load_into_sqlite,
    stored_rows,
    type_of,
    write_table,
)
from integrations.models import Backup
from portfolios.services.replay import ledger_faults

log = structlog.get_logger(__name__)

KIND = "financeproj-backup"
VERSION = 1
NIGHTLY_KEPT = 14
SAVE_ATTEMPTS = 4
WORK = ".financeproj-backup-"  # the folder in which one is made, beside the finished ones
LEFT_BEHIND_SECONDS = 24 * 3600
# Filled by `migrate` itself, so that they are no sign of use.
MADE_BY_MIGRATE = {"django_content_type", "auth_permission"}


@dataclass(frozen=True, slots=True)
class NewestBackup:
    """The last backup that left a file. `fault` says why it cannot be relied upon; empty if nothing
    is known.
    """

    made_at: datetime
    path: Path
    proved: bool
    fault: str


def newest_backup() -> NewestBackup | None:
    """The newest backup of this installation and whether it was proved and still is readable; None
    before the first.

    Reads the file's manifest, not all of the file.
    """
    row = Backup.objects.exclude(path="").first()
    if row is None:
        return None
    path = Path(row.path)
    fault = "" if row.proved else row.detail or "It was not proved."
    if not fault:
        try:
            if path.stat().st_size != row.size:
                fault = f"{path} has {path.stat().st_size:,} bytes, not {row.size:,} as when it was written."
            else:
                ArchiveReader(path, kind=KIND, version=VERSION).zip.close()
        except (OSError, BadArchive) as error:
            fault = f"{path} cannot be read: {error}"
    return NewestBackup(made_at=row.made_at, path=path, proved=row.proved, fault=fault)


# --- Making one -----------------------------------------------------------------------------------


def make_backup(*, folder: Path, keep: int | None = None) -> Backup:
    """Write a backup of everything into `folder` and prove it; what became of it is stored and
    logged.

    The file appears under its name, readable by its owner alone, when it is complete and was read
    back. With `keep` the older backups of this installation in that folder go, but for the `keep`
    newest and the newest proved one.
    """
    made_at = timezone.now()
    row = Backup(made_at=made_at)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        folder = folder.resolve()
        _remove_left_behind(folder)
        with TemporaryDirectory(prefix=WORK, dir=folder) as work:
            part = Path(work, "backup.zip")
            row.rows = _write(part)
            row.size = part.stat().st_size
            row.detail = (_fault_of(part, Path(work, "proof.sqlite3")) or "")[:500]
            row.proved = not row.detail
            final = folder / f"financeproj-{made_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}.zip"
            part.rename(final)
            row.path = str(final)
            _sync_folder(folder)
    except (OSError, DatabaseError, BadArchive) as error:
        row.detail = f"{type(error).__name__}: {error}"[:500]
    _save(row)
    facts = {
        "path": row.path,
        "size": row.size,
        "rows": row.rows,
        "seconds": (timezone.now() - made_at).total_seconds(),
    }
    if row.proved:
        log.info("backup_proved", **facts)
    else:
        log.error("backup_not_proved", detail=row.detail, **facts)
    if keep is not None and row.path:
        _prune(folder, keep)
    return row


def _save(row: Backup) -> None:
    """Store what became of it; the embedded database may be held by others for longer than one
    wait.
    """
    for attempt in range(SAVE_ATTEMPTS):
        try:
            row.save()
            return
        except OperationalError:
            if attempt == SAVE_ATTEMPTS - 1:
                raise


def _write(path: Path) -> int:
    """The archive of every table, from one snapshot, on disk; how many rows it has."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        archive = ArchiveWriter(file, kind=KIND, version=VERSION)
        with snapshot() as using:
            rows = sum(write_table(archive, model, using) for model in archived_models())
            archive.close(
                engine=connection.vendor, migrations=applied_migrations(connections[using])
            )
        file.flush()
        os.fsync(file.fileno())
    return rows


def _fault_of(path: Path, scratch: Path) -> str | None:
    """Why the archive is not proved: None once it has been read back and loaded, and agrees with
    what was read.
    """
    try:
        with ArchiveReader(path, kind=KIND, version=VERSION) as archive:
            archive.verify()
            return load_into_sqlite(archive, scratch)
    except (BadArchive, sqlite3.Error) as error:
        return f"It cannot be loaded again: {error}"


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_left_behind(folder: Path) -> None:
    """What backups that were killed have left."""
    for path in folder.glob(f"{WORK}*"):
        if time.time() - path.stat().st_mtime > LEFT_BEHIND_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _prune(folder: Path, keep: int) -> None:
    own = [row for row in Backup.objects.exclude(path="") if Path(row.path).parent == folder]
    proved = [row.pk for row in own if row.proved and Path(row.path).exists()]
    for row in own[max(keep, 1) :]:
        if row.pk not in proved[:1]:
            Path(row.path).unlink(missing_ok=True)
            row.delete()


# --- Restoring ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Restored:
    """`ledger_faults`: holdings whose stored numbers are not those of a replay; they were so in the
    backup.
    """

    rows: int
    ledger_faults: list[str]


def restore_backup(path: Path, *, replace: bool = False) -> Restored:
    """Load a backup into this database, in one transaction, and compare counts and totals with what
    it was made from.

    Raises BadArchive for a file that is damaged, or of another version of the program, and Conflict
    where the database has rows, unless `replace` says that they shall go; nothing is written then.
    """
    with ArchiveReader(path, kind=KIND, version=VERSION) as archive:
        archive.verify()
        _require_same_tables(archive)
        try:
            with transaction.atomic():
                _make_room(replace)
                rows = sum(_load(archive, model) for model in archived_models())
                connection.check_constraints()
                with connection.cursor() as cursor:
                    for sql in connection.ops.sequence_reset_sql(no_style(), archived_models()):
                        cursor.execute(sql)
                for model in archived_models():
                    _compare(archive, model)
                faults = ledger_faults()
        except IntegrityError as error:
            raise BadArchive(f"Its rows contradict each other: {error}") from error
    log.info("backup_restored", path=str(path), rows=rows, made_at=archive.manifest["made_at"])
    return Restored(rows, faults)


def _require_same_tables(archive: ArchiveReader) -> None:
    theirs, ours = set(archive.manifest.get("migrations", ())), set(applied_migrations(connection))
    if theirs != ours:
        lacking, ahead = sorted(theirs - ours), sorted(ours - theirs)
        said = [f"here lacks {', '.join(lacking[:5])}"] if lacking else []
        said += [f"it lacks {', '.join(ahead[:5])}"] if ahead else []
        raise BadArchive(
            f"It is of another state of the tables ({'; '.join(said)}): restore it with the version of the program "
            "that made it and migrate then, or migrate first if the tables are missing here."
        )
    for model in archived_models():
        entry = archive.files.get(_file_of(model))
        if entry is None or entry.get("columns") != [field.column for field in fields_of(model)]:
            raise BadArchive(f"It has no table {model._meta.db_table}, or one with other columns.")


def _file_of(model: Any) -> str:
    return f"{model._meta.db_table}.jsonl"


def _make_room(replace: bool) -> None:
    used = {
        model._meta.db_table: count
        for model in archived_models()
        if model._meta.db_table not in MADE_BY_MIGRATE and (count := model._base_manager.count())
    }
    if used and not replace:
        some = ", ".join(f"{table} {count:,}" for table, count in list(used.items())[:5])
        raise Conflict(
            f"The database is not empty ({some}): say --replace to delete what it has.",
            code="not_empty",
        )
    with connection.cursor() as cursor:
        for model in archived_models():
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")  # nosec B608  # a model's


def _load(archive: ArchiveReader, model: Any) -> int:
    fields = fields_of(model)
    rows = archived_rows(archive, archive.files[_file_of(model)], fields)
    if connection.vendor == "sqlite":
        rows = _keepable(rows, fields, model._meta.db_table)
    return insert_rows(model, fields, rows)


def _keepable(rows: Any, fields: Any, table: str) -> Any:
    """`rows`, none with a number that SQLite would round."""
    numbers = [
        (index, field.column) for index, field in enumerate(fields) if type_of(field) is Decimal
    ]
    for row in rows:
        for index, column in numbers:
            if row[index] and significant_digits(row[index]) > SIGNIFICANT_DIGITS:
                raise DomainError(
                    f"{table}.{column} has {row[index]:f}: SQLite keeps {SIGNIFICANT_DIGITS} digits. Restore on "
                    "PostgreSQL.",
                    code="too_precise",
                )
        yield row


def _compare(archive: ArchiveReader, model: Any) -> None:
    fields = fields_of(model)
    totals = Totals(fields)
    for _ in totals.counted(stored_rows(model, fields, connection.alias)):
        pass
    if fault := totals.differs_from(archive.files[_file_of(model)]):
        raise BadArchive(f"What was loaded is not what was backed up: {fault}.")
