"""The Celery application, configured by the CELERY_* settings."""

import logging
import os
from typing import Any

import structlog
from celery import Celery, signals
from django.dispatch import receiver
from django_structlog.celery import signals as structlog_signals
from django_structlog.celery.steps import DjangoStructLogInitStep

from financeproj.core.ops.checks import refuse_wrong_configuration

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "financeproj.settings")

app = Celery("financeproj")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.Task.Request = "financeproj.core.shared.acknowledging:PlaceFreeingRequest"
app.steps["worker"].add(DjangoStructLogInitStep)
app.autodiscover_tasks()
# A package inside an app is not looked into.
app.autodiscover_tasks(["integrations.imports", "integrations.ynab"])


@signals.celeryd_init.connect
@signals.beat_init.connect
def check_configuration(**kwargs: Any) -> None:
    """Refuse to start worker or beat with a wrong variable, instead of using its default."""
    refuse_wrong_configuration()


@signals.worker_process_init.connect
def start_process_group(**kwargs: Any) -> None:
    """Keep signals to the worker's process group from its child processes, so that they finish.

    Without Redis the children share one queue. If two are stopped at once, one can die while it
    holds the lock that the other just released, and the worker would wait for it forever.
    """
    os.setpgrp()


@signals.setup_logging.connect
def keep_our_logging(**kwargs: Any) -> None:
    """Keep Celery from replacing our log handlers, by connecting to this signal."""
    logging.getLogger("celery").setLevel(logging.INFO)


@signals.task_prerun.connect
def begin_acting_as_source(**kwargs: Any) -> None:
    """Let the history record what a task writes as the source's, unless the task says otherwise."""
    from financeproj.history.context import begin_acting  # needs the apps, which are ready by now
    from financeproj.history.models import Door

    begin_acting(door=Door.SOURCE)


@signals.task_postrun.connect
def end_acting_as_source(**kwargs: Any) -> None:
    from financeproj.history.context import end_acting

    end_acting()


@receiver(structlog_signals.bind_extra_task_metadata)
def log_task_name(task: Any, **kwargs: Any) -> None:
    """Add the task's name to its log lines."""
    structlog.contextvars.bind_contextvars(task=task.name)
