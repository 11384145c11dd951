"""Diagnose the foundations: settings, database, cache, broker, clock, references."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks.security.base import check_secret_key
from django.db import connection, models
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Exists, OuterRef
from django.utils import timezone

from financeproj.core.ops import health
from financeproj.environment import close_to_others, open_to_others

MAX_CLOCK_SKEW = timedelta(minutes=1)
OTHER_USERS = 0o007  # the bits of a file's mode that grant rights to other users


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem and its remedy; `fix` applies the remedy if that is safe without asking."""

    about: str
    says: str
    advice: str
    fix: Callable[[], object] | None = None


def configuration() -> Iterator[Finding]:
    """Run the system checks; those for deployment unless the server is only for this machine."""
    is_deployed = not settings.DEBUG and not set(settings.ALLOWED_HOSTS) <= settings.THIS_MACHINE
    found = checks.run_checks(include_deployment_checks=is_deployed)
    if not is_deployed:
        found += check_secret_key(None)
    for message in found:
        if message.level >= checks.WARNING:
            advice = message.hint or "See the table of environment variables in README.md."
            yield Finding("configuration", str(message.msg), str(advice))


def env_file() -> Iterator[Finding]:
    path = Path(settings.BASE_DIR, ".env")
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if mode & OTHER_USERS:
        yield Finding(
            "configuration",
            f"{path} contains secrets, and all users of this machine can access it.",
            f"chmod o= {path}",
            lambda: os.chmod(path, mode & ~OTHER_USERS & 0o7777),
        )


def var_folder() -> Iterator[Finding]:
    folder = settings.VAR_DIR
    opened = open_to_others(folder)
    if opened:
        yield Finding(
            "configuration",
            f"Other users of this machine can access {opened[0]}, which may hold private data.",
            f"chmod -R go= {folder}",
            lambda: close_to_others(folder),
        )


def answers(part: str, advice: str) -> Iterator[Finding]:
    """Report `part`, one of `health.CHECKS`, if it fails."""
    try:
        health.CHECKS[part]()
    except Exception as error:  # noqa: BLE001  any failure is a finding
        says = f"No answer: {type(error).__name__}: {error}"
        yield Finding(part, says.strip(), advice)


def migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        names = [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
        listed = ", ".join(names[:5])
        if len(names) > 5:
            listed += f" and {len(names) - 5} more"
        yield Finding("migrations", f"Not applied: {listed}.", "Back up, then: manage.py migrate")


def clock() -> Iterator[Finding]:
    """Compare this machine's clock with the servers' clocks."""
    if connection.vendor == "postgresql":
        yield from clock_of("PostgreSQL's server", _clock_of_postgresql)
    if settings.REDIS_URL:
        yield from clock_of("Redis's server", _clock_of_redis)


def clock_of(whose: str, read_clock: Callable[[], datetime | None]) -> Iterator[Finding]:
    """Report a clock that differs from ours; `read_clock` returns None if it is unknown."""
    before = timezone.now()
    try:
        theirs = read_clock()
    except Exception:  # noqa: BLE001  another check reports a server that fails
        return
    if theirs is None or before - MAX_CLOCK_SKEW <= theirs <= timezone.now() + MAX_CLOCK_SKEW:
        return
    minutes = round((timezone.now() - theirs).total_seconds() / 60)
    direction = "ahead of" if minutes > 0 else "behind"
    yield Finding(
        "clock",
        f"This machine's clock is {abs(minutes)} minutes {direction} {whose}.",
        "Synchronise the clocks with NTP: timedatectl set-ntp true",
    )


def _clock_of_postgresql() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found


def _clock_of_redis() -> datetime:
    from django_redis import get_redis_connection

    seconds, microseconds = get_redis_connection("default").time()
    return datetime.fromtimestamp(seconds + microseconds / 1e6, tz=timezone.get_current_timezone())


def orphans() -> Iterator[Finding]:
    """Report rows that refer to missing rows, with one query for each foreign key."""
    for model in apps.get_models(include_auto_created=True):
        if not model._meta.managed:
            continue
        for field in model._meta.local_concrete_fields:
            if not isinstance(field, models.ForeignKey):
                continue
            if not field.db_constraint:  # type: ignore[attr-defined]
                continue
            count = _orphan_count(model, field)
            if count:
                yield Finding(
                    "orphans",
                    f"{count} rows of {model._meta.db_table} refer to missing rows"
                    f" ({field.column}).",
                    "The database was modified outside the application."
                    " Delete the rows, or restore the last backup.",
                )


def _orphan_count(model: type[models.Model], field: models.ForeignKey) -> int:
    key = field.target_field.attname
    targets = field.remote_field.model._base_manager.filter(**{key: OuterRef(field.attname)})
    references = model._base_manager.filter(**{f"{field.attname}__isnull": False})
    return references.filter(~Exists(targets)).count()
