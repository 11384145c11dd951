"""System checks of the configuration; each finding is one sentence."""

import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import Error, Warning, register, run_checks

HINT = "See the table of environment variables in README.md."


def refuse_wrong_configuration() -> None:
    """Exit with a message for each wrong variable.

    For processes that skip the system checks, such as gunicorn and Celery.
    """
    findings = run_checks(tags=["configuration"])
    problems = [finding for finding in findings if isinstance(finding, Error)]
    if problems:
        sys.stderr.writelines(f"{problem.msg} {problem.hint}\n" for problem in problems)
        sys.exit(3)  # gunicorn's "worker failed to boot": it stops instead of retrying


@register("configuration")
def settings_are_readable(**kwargs: Any) -> list[Any]:
    return [
        Error(problem, hint=HINT, id=f"financeproj.E{number:03}")
        for number, problem in enumerate(settings.CONFIGURATION_PROBLEMS, start=1)
    ]


@register("configuration")
def currency_exists(**kwargs: Any) -> list[Any]:
    from financeproj.core.currencies import is_currency

    if is_currency(settings.DEFAULT_BASE_CURRENCY):
        return []
    return [
        Error(
            "DEFAULT_BASE_CURRENCY must be an ISO 4217 currency in circulation, e.g. NOK.",
            hint=HINT,
            id="financeproj.E101",
        )
    ]


@register("configuration")
def key_is_long(**kwargs: Any) -> list[Any]:
    if len(settings.SECRET_KEY) >= 32:
        return []
    return [
        Warning(
            "SECRET_KEY is too short. Use a random text of 50 characters.",
            hint=HINT,
            id="financeproj.W102",
        )
    ]


@register("configuration")
def backups_can_be_written(**kwargs: Any) -> list[Any]:
    if not settings.BACKUP_DIR:
        return []
    folder = Path(settings.BACKUP_DIR)
    # The first backup creates the folder.
    nearest = folder if folder.exists() else folder.parent
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return []
    # A warning only: a full or unmounted backup disk must not stop the server.
    message = f"BACKUP_DIR: cannot write to {folder}."
    return [Warning(message, hint=HINT, id="financeproj.W103")]
