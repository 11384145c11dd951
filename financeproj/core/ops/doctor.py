"""What can be wrong with the ground that everything stands on: settings, database, cache, broker,
clock, references.
"""

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

MOST_SKEW = timedelta(minutes=1)
OTHERS = 0o007  # what a file's mode grants to everybody


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong, and what to do about it. `fix` does it, where that is safe without
    asking.
    """

    about: str
    says: str
    advice: str
    fix: Callable[[], object] | None = None


def configuration() -> Iterator[Finding]:
    """Django's checks and ours; those for deployment unless the server is for this machine
    alone.
    """
    is_deployed = not settings.DEBUG and not set(settings.ALLOWED_HOSTS) <= {
        *settings.LOCAL_HOSTS,
        "[::1]",
    }
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
    if mode & OTHERS:
        yield Finding(
            "configuration",
            f"{path} holds secrets and every user of this machine may read or change it.",
            f"chmod o= {path}",
            lambda: os.chmod(path, mode & ~OTHERS & 0o7777),
        )


def answers(part: str, advice: str) -> Iterator[Finding]:
    """A finding if `part`, one of `health.CHECKS`, does not answer."""
    try:
        health.CHECKS[part]()
    except Exception as error:  # noqa: BLE001  whatever it is, it does not answer
        yield Finding(part, f"It does not answer: {type(error).__name__}: {error}".strip(), advice)


def migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _ in plan[:5])
        more = f" and {len(plan) - 5} more" if len(plan) > 5 else ""
        yield Finding(
            "migrations", f"Not applied: {names}{more}.", "manage.py migrate, after a backup."
        )


def clock() -> Iterator[Finding]:
    """This machine's clock against the servers', and against what was written when."""
    if connection.vendor == "postgresql":
        yield from clock_of("PostgreSQL's server", _clock_of_postgresql)
    if settings.REDIS_URL:
        yield from clock_of("Redis's server", _clock_of_redis)


def clock_of(whose: str, tell: Callable[[], datetime | None]) -> Iterator[Finding]:
    """A finding if the clock that `tell` reads is off from ours; None: it is not known."""
    before = timezone.now()
    try:
        theirs = tell()
    except Exception:  # noqa: BLE001  that it does not answer is a finding elsewhere
        return
    if theirs is None or before - MOST_SKEW <= theirs <= timezone.now() + MOST_SKEW:
        return
    minutes = round((timezone.now() - theirs).total_seconds() / 60)
    yield Finding(
        "clock",
        f"This machine's clock is {abs(minutes)} minutes {'ahead of' if minutes > 0 else 'behind'} {whose}.",
        "Set the clocks by NTP (timedatectl set-ntp true).",
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
    """Rows that refer to rows which are not there: one query for each foreign key."""
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.local_concrete_fields:
            if (
                not isinstance(field, models.ForeignKey)
                or not field.db_constraint
                or not model._meta.managed
            ):
                continue
            target = field.remote_field.model._base_manager.filter(
                **{field.target_field.attname: OuterRef(field.attname)}
            )
            count = model._base_manager.filter(
                ~Exists(target), **{f"{field.attname}__isnull": False}
            ).count()
            if count:
                yield Finding(
                    "orphans",
                    f"{count} rows of {model._meta.db_table} refer by {field.column} to rows that are not there.",
                    "Somebody wrote past the program. Delete them, or restore the last backup.",
                )
