"""Which state of the tables a backup is of: the migrations that were applied when it was made."""

from collections.abc import Collection
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from financeproj.core.errors import Conflict
from integrations.archives import ArchiveReader, BadArchive, upgrade_advice

Node = tuple[str, str]  # app label, name of a migration
# Release 0.1.0 did not list its apps.
FIRST_LABELS = ["integrations", "marketdata", "pensions", "portfolios", "users"]


def own_labels() -> list[str]:
    """The labels of the apps that are part of this program."""
    configs = apps.get_app_configs()
    return sorted(config.label for config in configs if config.name in settings.OWN_APPS)


def applied_migrations(own: Any) -> list[str]:
    nodes = MigrationRecorder(own).applied_migrations()
    return sorted(f"{label}.{name}" for label, name in nodes)


def require_migrated() -> None:
    """Raise Conflict (`not_migrated`) unless every migration of the program is applied here."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        migration, _ = plan[0]
        raise Conflict(
            f"This database lacks the migration {migration}. Run manage.py migrate first.",
            code="not_migrated",
        )


def is_of_this_state(archive: ArchiveReader) -> bool:
    """Whether exactly the migrations of this database were applied to the backup's."""
    return sorted(archive.manifest["migrations"]) == applied_migrations(connection)


def migrations_of(archive: ArchiveReader) -> set[Node]:
    """The migrations of our apps that were applied to the backup's database.

    Raises BadArchive if this program does not know one of them or of the apps: the backup is of a
    later release.
    """
    manifest = archive.manifest
    listed = _texts(manifest.get("migrations"))
    labels = _texts(manifest.get("apps", FIRST_LABELS))
    found = set()
    for text in listed:
        label, _, name = text.partition(".")
        if label in labels:
            found.add((label, name))
    known = set(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)
    unknown = sorted(set(labels) - set(own_labels()))
    for label, name in sorted(found - known):
        unknown.append(f"{label}.{name}")
    if unknown:
        raise BadArchive(
            f"It is of a later release: {', '.join(unknown[:5])} is not known here. "
            f"{upgrade_advice(manifest)}"
        )
    return found


def _texts(value: Any) -> list[str]:
    """A list of texts from a manifest. Raises BadArchive."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    raise BadArchive("Its manifest is not complete.")


def last_of_each_app(nodes: Collection[Node], loader: MigrationLoader) -> list[Node]:
    """Those of `nodes` that no other one of the same app follows."""
    last = []
    for node in nodes:
        followers = {child.key for child in loader.graph.node_map[node].children}
        label, _ = node
        if not any(key[0] == label for key in followers.intersection(nodes)):
            last.append(node)
    return sorted(last)
