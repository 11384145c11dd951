"""Bring an older backup up to date in a scratch database."""

from typing import Any

from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Model

from integrations.archives import ArchiveReader, BadArchive
from integrations.backups.scratch import as_default
from integrations.backups.states import Node, last_of_each_app, own_labels
from integrations.backups.tables import archived_columns, archived_models, columns_of, table_of
from integrations.backups.transfer import ArchivedTables, load, require_equal, reset_sequences

# What is read of apps that are not ours. Content types name the models of permissions.
FOREIGN_TABLES = {
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
}


def bring_up_to_date(archive: ArchiveReader, *, migrations: set[Node], scratch: str) -> None:
    """Fill the empty database `scratch` with the rows of an older backup, as they would be now.

    Raises BadArchive if its rows contradict each other or do not fit the state that it names.
    """
    with as_default(scratch):
        try:
            _load(archive, _models_of(migrations))
            # Migrates the apps that are not ours too, and adds permissions for what is new.
            call_command("migrate", verbosity=0, interactive=False)
        except IntegrityError as error:
            raise BadArchive(f"Its rows contradict each other: {error}") from error


def _models_of(migrations: set[Node]) -> list[type[Model]]:
    """Migrate the default database to the last of `migrations`; the models of that state to read.

    Migrations of other apps are applied as far as ours depend on them.
    """
    executor = MigrationExecutor(connection)
    state: Any = executor.migrate(last_of_each_app(migrations, executor.loader))
    return [model for model in archived_models(state.apps) if _is_read(model)]


def _is_read(model: type[Model]) -> bool:
    return model._meta.app_label in own_labels() or table_of(model) in FOREIGN_TABLES


def _load(archive: ArchiveReader, models: list[type[Model]]) -> None:
    for model in models:
        surplus = set(archived_columns(archive, model)) - set(columns_of(model))
        if surplus and table_of(model) not in FOREIGN_TABLES:
            raise BadArchive(f"{table_of(model)} has an unknown column {', '.join(surplus)}.")
    source = ArchivedTables(archive)
    with transaction.atomic():
        for model in models:
            load(source, model)
        connection.check_constraints()
        reset_sequences(models)
    for model in models:
        require_equal(source, model)
