"""Restore a backup into this installation's database."""

from dataclasses import dataclass
from pathlib import Path

import structlog
from django.db import IntegrityError, connection, transaction

from financeproj.core.errors import Conflict
from financeproj.history.services import HistoryObject, record
from financeproj.users.services import end_all_sign_ins
from integrations.archives import ArchiveReader, BadArchive, program_of
from integrations.backups.scratch import exclusive_restore, scratch_database
from integrations.backups.services import KIND, VERSION
from integrations.backups.states import is_of_this_state, migrations_of, require_migrated
from integrations.backups.tables import (
    archived_columns,
    archived_models,
    columns_of,
    table_of,
)
from integrations.backups.transfer import (
    ArchivedTables,
    StoredTables,
    Tables,
    load,
    require_equal,
    reset_sequences,
)
from integrations.backups.upgrading import bring_up_to_date
from portfolios.services.ledger_check import ledger_faults

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

INSTALLATION = HistoryObject(type="installation", id="", label="backup", owner_id=None)
# Filled by `migrate` itself, so their rows do not mean that the database is in use.
FILLED_BY_MIGRATE = {"django_content_type", "auth_permission"}


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did.

    `upgraded_from` is the release of an older backup, of which sign-ins are not restored; otherwise
    None. `ledger_faults` are holdings whose stored numbers differ from a replay, as in the backup.
    """

    rows: int
    upgraded_from: str | None
    ledger_faults: list[str]


def restore_backup(path: Path, *, replace: bool = False, keep_sign_ins: bool = False) -> Restored:
    """Load a backup of this or an earlier release into this database.

    Everything is written in one transaction, and counts and totals are compared with those of the
    backup. An older backup is brought up to date in a scratch database first. All sessions and
    tokens end, since some may have been revoked after the backup was made; `keep_sign_ins` keeps
    those of a backup of this release. Raises BadArchive for a file that is damaged or of a later
    release, and Conflict if the database has rows (unless `replace` allows deleting them), is not
    migrated, or another restore runs. Nothing is written then.
    """
    with ArchiveReader(path, kind=KIND, version=VERSION) as archive, exclusive_restore():
        archive.verify()
        require_migrated()
        migrations = migrations_of(archive)
        _require_room(replace)
        if is_of_this_state(archive):
            _require_same_columns(archive)
            upgraded_from = None
            rows, faults = _replace(ArchivedTables(archive), replace, keep_sign_ins)
        else:
            upgraded_from = program_of(archive.manifest)
            with scratch_database() as scratch:
                bring_up_to_date(archive, migrations=migrations, scratch=scratch)
                rows, faults = _replace(StoredTables(scratch), replace, keep_sign_ins)
        made_at = archive.manifest.get("made_at")
    log.info(
        "backup_restored",
        path=str(path),
        rows=rows,
        made_at=made_at,
        upgraded_from=upgraded_from,
    )
    return Restored(rows, upgraded_from, faults)


def _require_same_columns(archive: ArchiveReader) -> None:
    for model in archived_models():
        if archived_columns(archive, model) != columns_of(model):
            raise BadArchive(f"Its table {table_of(model)} has other columns.")


def _require_room(replace: bool) -> None:
    """Raise Conflict (`not_empty`) if the database is in use, unless its rows may go."""
    if replace:
        return
    used = []
    for model in archived_models():
        count = model._base_manager.count()
        if count and table_of(model) not in FILLED_BY_MIGRATE:
            used.append(f"{table_of(model)} {count:,}")
    if used:
        raise Conflict(
            f"The database is not empty ({', '.join(used[:5])}). Pass --replace to delete "
            "everything that it has.",
            code="not_empty",
        )


def _replace(source: Tables, replace: bool, keep_sign_ins: bool) -> tuple[int, list[str]]:
    with transaction.atomic():
        done = _replace_all(source, replace)
        if not keep_sign_ins:
            end_all_sign_ins()
    return done


def _replace_all(source: Tables, replace: bool) -> tuple[int, list[str]]:
    """Put the rows of `source` in place of all that are here, in one transaction.

    Returns how many they are, and the holdings that differ from a replay.
    """
    models = archived_models()
    try:
        with transaction.atomic():
            _require_room(replace)
            with connection.cursor() as cursor:
                for model in models:
                    table = connection.ops.quote_name(table_of(model))
                    cursor.execute(f"DELETE FROM {table}")  # nosec B608  # a model's table
            rows = sum(load(source, model) for model in models)
            connection.check_constraints()
            reset_sequences(models)
            for model in models:
                require_equal(source, model)
            record("restored", INSTALLATION, counts={"rows": rows})
            return rows, ledger_faults()
    except IntegrityError as error:
        raise BadArchive(f"Its rows contradict each other: {error}") from error
