"""Make, prove and keep backups."""

import os
import secrets
import shutil
import sqlite3
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
from django.db import DatabaseError, OperationalError, connection, connections
from django.utils import timezone

from financeproj.core.db.rows import snapshot
from integrations.archives import ArchiveReader, ArchiveWriter, BadArchive
from integrations.backups.proof import load_into_sqlite
from integrations.backups.states import applied_migrations, own_labels
from integrations.backups.tables import archived_models, write_table
from integrations.models import Backup

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

KIND = "financeproj-backup"
VERSION = 1
NIGHTLY_KEPT = 14
SAVE_ATTEMPTS = 4
WORK = ".financeproj-backup-"  # The folder for one that is not finished, next to the finished ones.
LEFT_BEHIND_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class NewestBackup:
    """The last backup that left a file.

    `fault` says why it cannot be relied upon, and is empty if nothing is known.
    """

    made_at: datetime
    path: Path
    proved: bool
    fault: str


def newest_backup() -> NewestBackup | None:
    """The newest backup of this installation and its fault, or None before the first.

    Reads the manifest of the file, not all of it.
    """
    row = Backup.objects.exclude(path="").first()
    if row is None:
        return None
    path = Path(row.path)
    if row.proved:
        fault = _fault_of_file(path, row.size)
    else:
        fault = row.detail or "It was not proved."
    return NewestBackup(made_at=row.made_at, path=path, proved=row.proved, fault=fault)


def _fault_of_file(path: Path, size: int) -> str:
    try:
        found = path.stat().st_size
        if found != size:
            return f"{path} has {found:,} bytes, not {size:,} as when it was written."
        ArchiveReader(path, kind=KIND, version=VERSION).zip.close()
    except (OSError, BadArchive) as error:
        return f"{path} cannot be read: {error}"
    return ""


def make_backup(*, folder: Path, keep: int | None = None) -> Backup:
    """Write a backup of everything into `folder` and prove it; store and log the outcome.

    The file gets its name, readable by its owner alone, when it is complete and was read back. With
    `keep` the older backups of this installation in that folder are deleted, except the `keep`
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
    """Store the outcome; others may hold the embedded database for longer than one wait."""
    for attempt in range(SAVE_ATTEMPTS):
        try:
            row.save()
            return
        except OperationalError:
            if attempt == SAVE_ATTEMPTS - 1:
                raise


def _write(path: Path) -> int:
    """Write the archive of every table, from one snapshot; how many rows it has."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        archive = ArchiveWriter(file, kind=KIND, version=VERSION)
        with snapshot() as using:
            rows = sum(write_table(archive, model, using) for model in archived_models())
            migrations = applied_migrations(connections[using])
        archive.close(engine=connection.vendor, migrations=migrations, apps=own_labels())
        file.flush()
        os.fsync(file.fileno())
    return rows


def _fault_of(path: Path, scratch: Path) -> str | None:
    """Why the archive is not proved, or None once it was loaded and agrees with its manifest."""
    try:
        with ArchiveReader(path, kind=KIND, version=VERSION) as archive:
            archive.verify()
            return load_into_sqlite(archive, scratch)
    except (BadArchive, sqlite3.Error) as error:
        return f"It cannot be loaded again: {error}"


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_left_behind(folder: Path) -> None:
    """Remove what killed backups have left."""
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
